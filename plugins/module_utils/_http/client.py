# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""From a task's connection options to one signed-in HTTP session to the repository."""

from __future__ import annotations

import contextlib
import os
import threading
import typing as t

from .._errors import (
    AnswerError,
    ConflictError,
    InputError,
    TransportError,
)
from .._files import PrivateFiles
from .._keys.pem import verification
from .auth import way_in
from .session import REQUESTS_IMPORT_ERROR, RETRIED_STATUSES, http_session, transport_error

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

with contextlib.suppress(ImportError):  # reported by require_requests
    import requests


_CSRF = "qlik-csrf-token"


def require_requests(module: AnsibleModule) -> None:
    """Fail the module with Ansible's usual sentence when requests is not installed."""
    if REQUESTS_IMPORT_ERROR:
        from ansible.module_utils.basic import missing_required_lib

        module.fail_json(msg=missing_required_lib("requests >= 2.31"), exception=REQUESTS_IMPORT_ERROR)


class Answer(t.NamedTuple):
    """A successful answer of the repository.

    Attributes:
        status: the HTTP status, 200 to 299.
        body: the parsed JSON, None when there was none.
    """

    status: int
    body: t.Any


class Connection:
    """One session to the repository service of one site, for one task. It signs in with its first request.

    After that, requests may be sent from several threads.

    Args:
        options: the values of the options above, already validated by AnsibleModule.

    Attributes:
        host: as it stands in a URL.
        below: "" or "/" and the prefix of the virtual proxy that it goes through.
        base: what comes before /qrs.
        signs_in_through: prefix of the virtual proxy that it goes through, None for none.
        secrets: what no message may repeat.

    Raises:
        InputError: an option cannot be right.
    """

    def __init__(self, options: t.Mapping[str, t.Any]) -> None:
        self._files = PrivateFiles()
        self._way = way_in(options, self._files)
        prefix = (options.get("virtual_proxy_prefix") or "").strip("/").lower()
        self.signs_in_through = prefix if self._way.through_proxy else None
        self.below = f"/{prefix}" if self._way.through_proxy and prefix else ""
        self.host = _host_name(options["host"])
        port = options.get("port") or (443 if self._way.through_proxy else 4242)
        self.base = f"https://{self.host}:{port}{self.below}"
        self.secrets = list(self._way.secrets)
        self._timeout = (options["connect_timeout"], options["read_timeout"])
        # Each file is read before the first request.
        self._verify = {name: verification(options, name, self._files) for name in self._way.ca_options}
        self._session = http_session(
            verify=self._verify[self._way.ca_options[0]],
            retries=options["retries"],
            deadline=options["retry_deadline"],
            client_cert=self._way.client_cert,
        )
        # Qlik help, "Using Xrfkey headers": the same 16 characters of 0-9a-zA-Z as query parameter and as header.
        self._xrfkey = os.urandom(8).hex()
        self._session.headers.update({"X-Qlik-Xrfkey": self._xrfkey, "Accept": "application/json", **self._way.headers})
        if self._way.cookie is not None:
            self._session.cookies.set(*self._way.cookie)
        self._entered = False
        self._entering = threading.Lock()

    def request(
        self, method: str, path: str, *, purpose: str, query: t.Mapping[str, str] | None = None, body: t.Any = None
    ) -> Answer:
        """Send one request to /qrs/<path> and return its answer.

        Args:
            method: GET, POST, PUT or DELETE.
            path: below /qrs/, without a leading slash.
            purpose: what this is for, to complete the sentence "Tried to ...".
            query: further query parameters.
            body: sent as JSON when given.

        Raises:
            TransportError: there was no usable answer. uncertain is true if the server may have acted nevertheless.
            ConflictError: 409.
            AnswerError: any other answer that is not a success with JSON.
        """
        enter = self._way.enter
        if enter is not None and not self._entered:
            enter(self)
            self._entered = True
        url = f"{self.base}/qrs/{path}"
        tried = f"Tried to {purpose} ({method} {url})."
        response = self.send(method, url, tried=tried, query=query, body=body)
        if enter is not None and (response.status_code == 401 or 300 <= response.status_code < 400):
            # Qlik's proxies restart after each save, and forget their sessions. Nothing of this request was done.
            with self._entering:  # writes may run in parallel
                self._session.cookies.clear()
                enter(self)
            response = self.send(method, url, tried=tried, query=query, body=body)
        if response.status_code == 403 and self._way.through_proxy and self._took_csrf_token():
            response = self.send(method, url, tried=tried, query=query, body=body)
        if 200 <= response.status_code < 300:
            try:
                return Answer(response.status_code, self._json(response, tried))
            except AnswerError as error:
                error.uncertain = method != "GET"
                raise
        raise self.refusal(response, tried)

    def send(
        self,
        method: str,
        url: str,
        *,
        tried: str,
        query: t.Mapping[str, str] | None = None,
        body: t.Any = None,
        client_cert: tuple[str, str] | None = None,
        auth: t.Any = None,
        ca_option: str | None = None,
    ) -> requests.Response:
        """Send one request with the xrfkey, and return whatever the answer is. Redirects are not followed.

        Args:
            method: GET, POST, PUT or DELETE.
            url: where to; the xrfkey is added where it has none, as after a redirect.
            tried: the sentence that says what this is for.
            query: further query parameters.
            body: sent as JSON when given.
            client_cert: for this request, where the session has none.
            auth: for this request, as requests wants it.
            ca_option: name of the option with the CA that verifies this server, where it is not that of the session.

        Raises:
            TransportError: there was no answer. uncertain is true if the server may have acted nevertheless.
        """
        ca_option = ca_option or self._way.ca_options[0]
        try:
            return self._session.request(
                method,
                url,
                params={**(query or {}), **({} if "xrfkey=" in url.lower() else {"xrfkey": self._xrfkey})},
                json=body,
                timeout=self._timeout,
                allow_redirects=False,
                verify=self._verify[ca_option],
                cert=client_cert,
                auth=auth,
            )
        except (requests.exceptions.RequestException, OSError, ValueError) as exc:
            error = transport_error(exc, tried, ca_option=ca_option)
            error.uncertain = method != "GET"
            raise error from None

    def close(self) -> None:
        """Leave. A session of our own is logged out, because Qlik allows a user five at a time."""
        if self._way.leave and self._session.cookies:
            # Should it fail, the session ends by itself after its inactivity timeout.
            with contextlib.suppress(requests.exceptions.RequestException):
                answer = self._log_out()
                if answer.status_code == 403 and self._took_csrf_token():
                    self._log_out()
        self._session.close()
        self._files.close()

    def _log_out(self) -> requests.Response:
        return self._session.delete(f"{self.base}/qps/user", timeout=self._timeout, allow_redirects=False)

    def _took_csrf_token(self) -> bool:
        """Whether the session got a csrf token that it did not have yet. From now on it is sent with each request.

        Qlik's own client sends none, but nobody says that a proxy never wants it (releases since November 2024).
        """
        url = f"{self.base}/qps/csrftoken"
        try:
            answer = self.send("GET", url, tried=f"Tried to get a csrf token (GET {url}).")
        except TransportError:
            return False
        token = answer.headers.get(_CSRF, "")
        if not token or token == self._session.headers.get(_CSRF):
            return False
        self.secrets.append(token)
        self._session.headers[_CSRF] = token
        return True

    def _json(self, response: requests.Response, tried: str) -> t.Any:
        if response.status_code == 204 or not response.content:
            return None
        try:
            return response.json()
        except ValueError:
            raise AnswerError(
                tried,
                f"The answer was {response.status_code} with {_kind(response)} where JSON was due.",
                "Check host, port and prefix: this looks like a login page or another web server.",
                status=response.status_code,
            ) from None

    def refusal(self, response: requests.Response, tried: str, *, advice: str | None = None) -> AnswerError:
        """The error for an answer that is not a success.

        Args:
            response: the answer.
            tried: the sentence that says what was asked.
            advice: what to do about it, None for what usually helps.
        """
        status, text = response.status_code, self._excerpt(response)
        outcome = f"The server answered {status} {response.reason or ''}".rstrip() + (f": {text}." if text else ".")
        if status == 409:
            conflict = ConflictError(tried, outcome, "Run the task again.", status=status)
            # A repeated request may have collided with its own first attempt, whose answer was lost.
            conflict.uncertain = bool(getattr(getattr(response.raw, "retries", None), "history", ()))
            return conflict
        error = AnswerError(tried, outcome, advice or self._advice(status, response), status=status)
        error.uncertain = status in RETRIED_STATUSES or status == 500
        return error

    def _advice(self, status: int, response: requests.Response) -> str:
        if 300 <= status < 400:
            return f"A redirect means that nobody is signed in. {self._way.advice}"
        if status == 401:
            return self._way.advice
        if status == 403:
            return (
                "Check that the user exists, is active and has the RootAdmin role (or rights on VirtualProxyConfig and "
                "ProxyService), and that "
                + (
                    "the host name is in the virtual proxy's host allow list."
                    if self._way.through_proxy
                    else "the client certificate is of this site."
                )
            )
        if status == 404:
            return "Check that the port is the one of the repository service (4242) or of a proxy (443)."
        if status == 400 and "html" in response.headers.get("Content-Type", ""):
            return (
                "Check that the virtual proxy exists and is linked to this proxy and to the one of the central node, "
                "and that the host name is in its host allow list."
            )
        if status in RETRIED_STATUSES:
            return "The server is busy or restarting: run the task again later."
        return "Look at what the server said; its log under Repository\\Trace says more."

    def _excerpt(self, response: requests.Response) -> str:
        """What the server said, as far as it is a short text. The body's form is not documented, so it is opaque."""
        if "html" in response.headers.get("Content-Type", "").lower() or response.text.lstrip().startswith("<"):
            return "an HTML page"
        text = response.text
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return " ".join(text.strip().strip('"').split())[:200].rstrip(" .")


def _kind(response: requests.Response) -> str:
    return "an HTML page" if "<" in response.text[:200] else "something that is not JSON"


def _host_name(host: str) -> str:
    # RFC 1035, 2.3.4: a label has 63 characters at most.
    if (
        not host
        or any(character in host for character in "/ ?#@\t\n")
        or any(len(part) > 63 for part in host.split("."))
    ):
        raise InputError(
            "Tried to find the server.",
            f"The option 'host' is {host!r}, which is not a host name.",
            "Give the name alone, such as qlik.example.com, and the port in the option 'port'.",
        )
    if ":" in host and not host.startswith("["):
        if host.count(":") == 1:
            raise InputError(
                "Tried to find the server.",
                f"The option 'host' is {host!r}, which holds a port.",
                "Give the port in the option 'port'.",
            )
        return f"[{host}]"
    return host
