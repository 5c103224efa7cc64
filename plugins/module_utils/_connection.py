# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""From a task's connection options to one signed-in HTTP session: sign-in method, TLS, xrfkey, retries."""

from __future__ import annotations

import contextlib
import os
import time
import traceback
import typing as t

from ansible.module_utils.basic import env_fallback

from ._errors import (
    AnswerError,
    ConflictError,
    InputError,
    TransportError,
)

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

try:
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
    from urllib3.util.retry import Retry
except ImportError:
    REQUESTS_IMPORT_ERROR: str | None = traceback.format_exc()
else:
    REQUESTS_IMPORT_ERROR = None

    class _BoundedRetry(Retry):
        """urllib3's Retry that also gives up after a total time, counted from the first failure of a request.

        Args:
            deadline: seconds for all attempts of one request together.
            give_up_at: end of that time on the monotonic clock; set by the first failure.
        """

        def __init__(self, *args: t.Any, deadline: float = 120.0, give_up_at: float = 0.0, **kwargs: t.Any) -> None:
            super().__init__(*args, **kwargs)
            self.deadline = deadline
            self.give_up_at = give_up_at

        def new(self, **kwargs: t.Any) -> t.Any:
            give_up_at = self.give_up_at or time.monotonic() + self.deadline
            return super().new(deadline=self.deadline, give_up_at=give_up_at, **kwargs)

        def _bounded(self, seconds: float) -> float:
            return max(0.0, min(seconds, self.give_up_at - time.monotonic()))

        def is_exhausted(self) -> bool:
            return super().is_exhausted() or 0.0 < self.give_up_at <= time.monotonic()

        def get_backoff_time(self) -> float:
            return self._bounded(super().get_backoff_time())

        def get_retry_after(self, response: t.Any) -> float | None:
            seconds = super().get_retry_after(response)
            return None if seconds is None else self._bounded(seconds)


# POST is missing on purpose: a lost answer may mean a created entity. Whoever posts has to read back first.
RETRIED_METHODS = frozenset({"GET", "PUT", "DELETE"})
RETRIED_STATUSES = (429, 502, 503, 504)


def _env(name: str) -> tuple[t.Any, list[str]]:
    return (env_fallback, [f"QLIK_SENSE_{name}"])


def https_argument_spec() -> dict[str, dict[str, t.Any]]:
    """The options of the doc fragment sensible.qlik.connection.https."""
    return {
        "ca_path": {"type": "path", "fallback": _env("CA_PATH")},
        "validate_certs": {"type": "bool", "default": True, "fallback": _env("VALIDATE_CERTS")},
        "connect_timeout": {"type": "float", "default": 10.0, "fallback": _env("CONNECT_TIMEOUT")},
        "read_timeout": {"type": "float", "default": 60.0, "fallback": _env("READ_TIMEOUT")},
    }


def argument_spec() -> dict[str, dict[str, t.Any]]:
    """The options of the doc fragments sensible.qlik.connection and sensible.qlik.connection.https."""
    return {
        "host": {"type": "str", "required": True, "fallback": _env("HOST")},
        "port": {"type": "int", "fallback": _env("PORT")},
        "auth_method": {
            "type": "str",
            "choices": ["certificate", "jwt"],
            "default": "certificate",
            "fallback": _env("AUTH_METHOD"),
        },
        "client_cert": {"type": "path", "fallback": _env("CLIENT_CERT")},
        "client_key": {"type": "path", "no_log": False, "fallback": _env("CLIENT_KEY")},
        "user": {"type": "str", "default": r"INTERNAL\sa_api", "fallback": _env("USER")},
        "virtual_proxy_prefix": {"type": "str", "fallback": _env("VIRTUAL_PROXY_PREFIX")},
        "token": {"type": "str", "no_log": True, "fallback": _env("TOKEN")},
        "retries": {"type": "int", "default": 3, "fallback": _env("RETRIES")},
        "retry_deadline": {"type": "float", "default": 120.0, "fallback": _env("RETRY_DEADLINE")},
        **https_argument_spec(),
    }


REQUIRED_IF = [
    ("auth_method", "certificate", ("client_cert", "client_key")),
    ("auth_method", "jwt", ("virtual_proxy_prefix", "token")),
]


def require_requests(module: AnsibleModule) -> None:
    """Fail the module with Ansible's usual sentence when requests is not installed."""
    if REQUESTS_IMPORT_ERROR:
        from ansible.module_utils.basic import missing_required_lib

        module.fail_json(msg=missing_required_lib("requests >= 2.31"), exception=REQUESTS_IMPORT_ERROR)


def http_session(
    *,
    verify: bool | str,
    retries: int = 0,
    deadline: float = 120.0,
    client_cert: tuple[str, str] | None = None,
) -> requests.Session:
    """A session that does what the task says and nothing else.

    The environment is left out (trust_env), because a ~/.netrc entry would replace our Authorization header and
    REQUESTS_CA_BUNDLE would win over ca_path.

    Args:
        verify: the CA file to verify servers with, True for the bundle of certifi, False for no verification.
        retries: how often GET, PUT and DELETE are repeated on connection errors and on 429, 502, 503 and 504.
        deadline: seconds for all attempts of one request together.
        client_cert: paths of the client certificate and of its key.
    """
    session = requests.Session()
    session.trust_env = False
    session.verify = verify
    session.cert = client_cert
    if verify is False:
        import urllib3

        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    adapter = HTTPAdapter(
        max_retries=_BoundedRetry(
            total=retries,
            backoff_factor=0.5,
            backoff_jitter=0.5,
            backoff_max=20,
            status_forcelist=RETRIED_STATUSES,
            allowed_methods=RETRIED_METHODS,
            raise_on_status=False,
            deadline=deadline,
        )
    )
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def verification(options: t.Mapping[str, t.Any]) -> bool | str:
    """What to verify servers with, as http_session wants it, from the options ca_path and validate_certs.

    Raises:
        InputError: the CA file cannot be read.
    """
    return (_existing_file("ca_path", options["ca_path"] or "") or True) if options["validate_certs"] else False


def transport_error(exc: Exception, tried: str) -> TransportError:
    """What a failed exchange means, in our words. The text of exc is used only where it cannot hold a secret.

    Args:
        exc: an exception of requests (or an OSError of reading a certificate file).
        tried: the sentence that says what was attempted.
    """
    reason: t.Any = exc.args[0] if exc.args else exc
    reason = getattr(reason, "reason", reason)  # urllib3's MaxRetryError keeps the last failure there
    text = f"{reason} {exc}".lower()
    if isinstance(reason, NameResolutionError) or "name resolution" in text or "getaddrinfo" in text:
        outcome, advice = "The host name could not be resolved.", "Check the host name and the DNS of this machine."
    elif isinstance(reason, NewConnectionError):  # a subclass of the next one
        outcome = "The connection was refused." if "refused" in text else "No connection could be made."
        advice = "Check host and port, and that the Qlik Sense services run."
    elif isinstance(reason, ConnectTimeoutError) or isinstance(exc, requests.exceptions.ConnectTimeout):
        outcome = "There was no answer to the connection attempt."
        advice = "Check host and port, and that the firewall lets this machine through."
    elif "certificate verify failed" in text:
        outcome, advice = _verification_failure(text)
    elif "alert" in text or "sslv3" in text or "certificate required" in text or "eof occurred" in text:
        # In TLS 1.3 the refusal can get lost: then only the end of the connection is seen.
        outcome = "The server ended the TLS handshake, as it does when it refuses the client certificate or misses one."
        advice = (
            "Give the pair that the QMC of this very site exported (client.pem and client_key.pem), and check the port."
        )
    elif "key values mismatch" in text or "key_values_mismatch" in text:
        outcome, advice = "The client key does not belong to the client certificate.", "Give the two files of one pair."
    elif "wrong version number" in text or "unknown protocol" in text or "record layer" in text:
        outcome, advice = "The server does not speak TLS on this port.", "Check the port."
    elif isinstance(exc, requests.exceptions.SSLError) or "pem lib" in text:
        outcome = "The TLS handshake failed."
        advice = "Check that the certificate files are PEM, belong together and belong to this site."
    elif isinstance(exc, requests.exceptions.Timeout) or "timed out" in text:
        outcome = "The connection stood, but no answer came within the read timeout."
        advice = "A proxy that was idle can need 20 seconds; raise the timeout, or look at the server."
    else:
        outcome = f"The connection was lost ({type(exc).__name__})."
        advice = "Run the task again; if it happens each time, check the client certificate and the server's log."
    return TransportError(tried, outcome, advice)


def _verification_failure(text: str) -> tuple[str, str]:
    if "hostname mismatch" in text or "not valid for" in text or "doesn't match" in text:
        return (
            "The server's certificate is valid, but not for this host name.",
            "Use a host name that the certificate carries (for Qlik's own certificates the machine name as installed).",
        )
    if "expired" in text:
        return "The server's certificate has expired.", "Renew it on the server."
    detail = text.split("certificate verify failed:", 1)[-1].split("(", 1)[0].strip(" .:'\"")
    return (
        f"The server's certificate is not trusted ({detail})."
        if detail
        else "The server's certificate is not trusted.",
        "Give the CA that issued it (for Qlik's own certificates root.pem, exported in the QMC) as ca_path.",
    )


class Answer(t.NamedTuple):
    """A successful answer of the repository.

    Attributes:
        status: the HTTP status, 200 to 299.
        body: the parsed JSON, None when there was none.
    """

    status: int
    body: t.Any


class Connection:
    """One session to the repository service of one site, for one task.

    Args:
        options: the values of the options above, already validated by AnsibleModule.

    Raises:
        InputError: an option cannot be right.
    """

    def __init__(self, options: t.Mapping[str, t.Any]) -> None:
        self.by_jwt = options["auth_method"] == "jwt"
        prefix = (options.get("virtual_proxy_prefix") or "").strip("/").lower()
        host = _host_name(options["host"])
        port = options.get("port") or (443 if self.by_jwt else 4242)
        self.signs_in_through = prefix if self.by_jwt else None
        self.base = f"https://{host}:{port}" + (f"/{prefix}" if self.by_jwt else "")
        self._timeout = (options["connect_timeout"], options["read_timeout"])
        self._token: str | None = options.get("token") if self.by_jwt else None
        for _option, method, needed in REQUIRED_IF:  # AnsibleModule lets an explicit null pass
            for name in needed:
                if method == options["auth_method"] and not options.get(name):
                    raise InputError("Tried to sign in.", f"The option '{name}' is empty.", f"{method} needs it.")
        client_cert = None
        if not self.by_jwt:
            client_cert = (
                _existing_file("client_cert", options["client_cert"]),
                _existing_file("client_key", options["client_key"]),
            )
        self._session = http_session(
            verify=verification(options),
            retries=options["retries"],
            deadline=options["retry_deadline"],
            client_cert=client_cert,
        )
        # Qlik help, "Using Xrfkey headers": the same 16 characters of 0-9a-zA-Z as query parameter and as header.
        self._xrfkey = os.urandom(8).hex()
        self._session.headers.update({"X-Qlik-Xrfkey": self._xrfkey, "Accept": "application/json"})
        if self._token is not None:
            self._session.headers["Authorization"] = f"Bearer {self._token.strip()}"
        else:
            self._session.headers["X-Qlik-User"] = _user_header(options["user"])

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
        tried = f"Tried to {purpose} ({method} {self.base}/qrs/{path})."
        try:
            response = self._session.request(
                method,
                f"{self.base}/qrs/{path}",
                params={**(query or {}), "xrfkey": self._xrfkey},
                json=body,
                timeout=self._timeout,
                allow_redirects=False,
            )
        except (requests.exceptions.RequestException, OSError) as exc:
            error = transport_error(exc, tried)
            error.uncertain = method != "GET"
            raise error from None
        if 200 <= response.status_code < 300:
            return Answer(response.status_code, self._json(response, tried))
        raise self._refusal(response, tried)

    def close(self) -> None:
        """Leave. A JWT session is logged out, because Qlik allows a user five at a time."""
        if self.by_jwt and self._session.cookies:
            # Should it fail, the session ends by itself after its inactivity timeout.
            with contextlib.suppress(requests.exceptions.RequestException):
                self._session.delete(f"{self.base}/qps/user", timeout=self._timeout, allow_redirects=False)
        self._session.close()

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

    def _refusal(self, response: requests.Response, tried: str) -> AnswerError:
        status, text = response.status_code, self._excerpt(response)
        outcome = f"The server answered {status} {response.reason or ''}".rstrip() + (f": {text}." if text else ".")
        if status == 409:
            conflict = ConflictError(tried, outcome, "Run the task again.", status=status)
            # A repeated request may have collided with its own first attempt, whose answer was lost.
            conflict.uncertain = bool(getattr(getattr(response.raw, "retries", None), "history", ()))
            return conflict
        error = AnswerError(tried, outcome, self._advice(status, response), status=status)
        error.uncertain = status in RETRIED_STATUSES or status == 500
        return error

    def _advice(self, status: int, response: requests.Response) -> str:
        if 300 <= status < 400:
            return (
                "A redirect means that nobody is signed in: check the virtual proxy prefix, and that it is a JWT one."
            )
        if status == 401:
            return (
                "Check that the token is not expired, is signed with the key of that virtual proxy's certificate and "
                "carries its two claims."
                if self.by_jwt
                else "Check that the client certificate is the one which the QMC of this site exported."
            )
        if status == 403:
            return (
                "Check that the user exists and has the RootAdmin role (or rights on VirtualProxyConfig and "
                "ProxyService), and that the client certificate is of this site."
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
        text = " ".join(response.text.strip().strip('"').split())[:200].rstrip(" .")
        return text.replace(self._token, "***") if self._token else text


def _kind(response: requests.Response) -> str:
    return "an HTML page" if "<" in response.text[:200] else "something that is not JSON"


def _host_name(host: str) -> str:
    if not host or any(character in host for character in "/ ?#@\t\n"):
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


def _existing_file(option: str, path: str) -> str:
    # os.path, because pathlib is dear to import
    if path and not (os.path.isfile(path) and os.access(path, os.R_OK)):  # noqa: PTH113
        raise InputError(
            f"Tried to read the file of the option '{option}'.",
            f"{path} does not exist, is not a file or is not readable.",
            "Give a PEM file that the user who runs this task can read.",
        )
    return path


def _user_header(user: str) -> str:
    directory, _separator, name = user.partition("\\")
    if not (directory and name) or any(character in user for character in ";\r\n"):
        raise InputError(
            "Tried to tell the repository who is asking.",
            f"The option 'user' is {user!r}, which is not of the form DIRECTORY\\user.",
            r"Give for instance INTERNAL\sa_api.",
        )
    return f"UserDirectory={directory}; UserId={name}"
