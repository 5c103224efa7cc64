# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""The client of the repository service (QRS), which signs in according to the options and explains refusals."""

from __future__ import annotations

import contextlib
import os
import typing as t

from .. import _identifiers
from .._errors import AnswerError, QlikError, TransportError
from .._files import PrivateFiles
from .._keys.pem import verification
from .._text import Sanitizer
from .auth import Source, authentication
from .client import HttpClient, Request, Response
from .hosts import Hosts
from .limits import RETRIED_STATUSES

_CSRF = "qlik-csrf-token"


class Answer(t.NamedTuple):
    """A successful answer of the repository.

    Attributes:
        status: the HTTP status, 200 to 299.
        body: the parsed JSON, None if there was none.
    """

    status: int
    body: t.Any


class QrsClient:
    """Client for the repository service of one site, for one task. It signs in with its first request.

    Of several hosts it uses the first one that answers. Before the first write request it uses the next host if the
    current one stops answering. After it, the host does not change.

    Args:
        options: the connection options, already validated by AnsibleModule.

    Attributes:
        signs_in_through: prefix of the virtual proxy that it uses, None for none.

    Raises:
        InputError: an option is not valid.
    """

    def __init__(self, options: t.Mapping[str, t.Any]) -> None:
        self._files = PrivateFiles()
        sanitize = Sanitizer()
        prefix = (options.get("virtual_proxy_prefix") or "").strip("/")
        if prefix and options["auth_method"] != "certificate":
            prefix = _identifiers.prefix(prefix, "virtual_proxy_prefix")
        self._auth = auth = authentication(Source(options, prefix, self._files, sanitize))
        self.signs_in_through = prefix if auth.through_proxy else None
        port = options.get("port")
        port = (443 if auth.through_proxy else 4242) if port is None else _identifiers.port(port, "port")
        self._behind_host = f":{port}" + (f"/{prefix}" if auth.through_proxy and prefix else "")
        retry_deadline = _identifiers.seconds(options["retry_deadline"], "retry_deadline")
        self._hosts = Hosts(
            _identifiers.hosts(options["host"]), retries=options["retries"], retry_deadline=retry_deadline
        )
        self._http = HttpClient(
            verify=verification(options, auth.ca_option, self._files),
            ca_option=auth.ca_option,
            timeout=(options["connect_timeout"], options["read_timeout"]),
            client_cert=auth.client_cert,
            retries=options["retries"],
            retry_deadline=retry_deadline,
            http_proxy=options.get("http_proxy"),
            sanitize=sanitize,
        )
        self._http.reconnect = not self._hosts.several
        # Qlik help, "Using Xrfkey headers": the same 16 characters of 0-9a-zA-Z as query parameter and as header.
        self._xrfkey = os.urandom(8).hex()
        self._http.headers.update({"X-Qlik-Xrfkey": self._xrfkey, "Accept": "application/json", **auth.headers})
        self._signed_in = False

    @property
    def base(self) -> str:
        """Return the URL before /qrs."""
        return f"https://{self._hosts.current}{self._behind_host}"

    def _go_on_at(self, host: str) -> None:
        """Use another host, and discard the session, which its proxy does not know."""
        self._hosts.current = host
        self._http.cookies.clear()
        self._http.headers.discard(_CSRF)
        self._signed_in = False

    def request(
        self, method: str, path: str, *, query: t.Mapping[str, str] | None = None, body: t.Any = None
    ) -> Answer:
        """Send one request to /qrs/<path> and return its answer.

        Args:
            method: GET, POST, PUT or DELETE.
            path: below /qrs/, without a leading slash.
            query: further query parameters.
            body: sent as JSON if given.

        Raises:
            TransportError: there was no usable answer. uncertain is True if the request may have been carried out.
            ConflictError: 409.
            AnswerError: any other answer that is not a success with JSON.
        """
        if method != "GET":
            self._hosts.settle()
            self._http.reconnect = True
        error: QlikError | None = None
        for host in self._hosts.attempts():
            if host != self._hosts.current:
                self._go_on_at(host)
            try:
                answer = self._exchange(method, path, query, body)
            except QlikError as exc:
                error = exc
                if not (isinstance(exc, TransportError) and exc.unanswered):
                    break
                self._hosts.failed(exc)
            else:
                self._hosts.warn_once()
                return answer
        raise self._hosts.explained(error)

    def _exchange(self, method: str, path: str, query: t.Mapping[str, str] | None, body: t.Any) -> Answer:
        if not self._signed_in:
            self._sign_in()
        request = Request(method, f"{self.base}/qrs/{path}", query=query or {}, body=body)
        response = self._send(request)
        if self._auth.sign_in and (response.status == 401 or 300 <= response.status < 400):
            # Qlik's proxies restart after each save and lose their sessions. This request was not carried out.
            self._http.cookies.clear()
            self._sign_in()
            response = self._send(request)
        if response.status == 403 and self._auth.through_proxy and self._refresh_csrf_token():
            response = self._send(request)
        if not 200 <= response.status < 300:
            raise self._refusal(response)
        try:
            return Answer(response.status, response.json())
        except AnswerError as error:
            error.uncertain = method != "GET"
            raise

    def _sign_in(self) -> None:
        if self._auth.sign_in is None:
            return
        flow = self._auth.sign_in(self.base)
        response: t.Any = None
        while True:
            try:
                request = flow.send(response)
            except StopIteration as end:
                if end.value is not None:
                    raise self._refusal(end.value) from None
                self._signed_in = True
                return
            response = self._send(request)

    def _send(self, request: Request) -> Response:
        """Send a request with the xrfkey, unless its URL already has one, as after a redirect."""
        xrfkey = {} if "xrfkey=" in request.url.lower() else {"xrfkey": self._xrfkey}
        return self._http.send(request._replace(query={**request.query, **xrfkey}))

    def close(self) -> None:
        """Close the client. Its own session is logged out, because Qlik allows a user five sessions."""
        if self._auth.through_proxy and self._auth.own_session and self._http.cookies:
            # If this fails, the session ends after its inactivity timeout.
            log_out = Request("DELETE", f"{self.base}/qps/user")
            with contextlib.suppress(TransportError):
                if self._http.send(log_out).status == 403 and self._refresh_csrf_token():
                    self._http.send(log_out)
        self._http.close()
        self._files.close()

    def _refresh_csrf_token(self) -> bool:
        """Request a csrf token for all further requests, and return True if the session got a new one.

        Qlik's own client sends none, but it is not documented that proxies never require it (releases since November
        2024).
        """
        try:
            response = self._send(Request("GET", f"{self.base}/qps/csrftoken"))
        except TransportError:
            return False
        token = response.headers.get(_CSRF, "")
        if not token or not token.isascii() or not token.isprintable() or token == self._http.headers.get(_CSRF):
            return False
        self._http.sanitize.add([token])
        self._http.headers[_CSRF] = token
        return True

    def _refusal(self, response: Response) -> AnswerError:
        status = response.status
        if not self._auth.through_proxy and (
            300 <= status < 400 or status == 401 or (response.is_html and status in (400, 403, 404))
        ):
            # The repository refuses a wrong client certificate in the TLS handshake.
            port = self._behind_host.removeprefix(":")
            hint = (
                f"The answer on port {port} looks like that of a proxy, which ignores client certificates. Use the "
                "port of the repository service, which is 4242 by default, or another auth_method."
            )
        elif 300 <= status < 400:
            hint = f"A redirect means that no user is signed in. {self._auth.hint}"
        elif status == 401:
            hint = self._auth.hint
        elif status == 403:
            fault = "the client certificate belongs to this site"
            if self._auth.through_proxy:
                fault = "the host name is in the virtual proxy's host allow list"
            hint = (
                "Check that the user exists, is active and has the RootAdmin role (or rights on VirtualProxyConfig and "
                f"ProxyService), and that {fault}."
            )
        elif status == 404:
            hint = "Check that the port is the one of the repository service (4242) or of a proxy (443)."
        elif status == 400 and response.is_html:
            hint = (
                "Check that the virtual proxy exists and is linked to this proxy and to the one of the central node, "
                "and that the host name is in its host allow list."
            )
        elif status in RETRIED_STATUSES:
            hint = "The server is busy or restarting: run the task again later."
        else:
            hint = "Check the text of the server, and its log under Repository\\Trace."
        return response.refusal(hint)
