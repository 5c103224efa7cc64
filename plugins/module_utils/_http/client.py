# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""The HTTP client of this collection: for the repository, the proxies, their own API and the addresses of key sets."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import re
import typing as t
import urllib.parse

from .. import _identifiers
from .._errors import AnswerError, ConflictError
from .._text import Sanitizer
from .deadline import stop
from .failures import RETRIED_STATUSES, transport_error
from .limits import IMPORT_ERROR, LimitedAdapter

with contextlib.suppress(ImportError):  # reported by require_requests
    import requests

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

REQUIRED = "requests >= 2.31 and urllib3 >= 2.6.3"
SIZE_LIMIT = 64 * 1024 * 1024
"""Bytes of a body, decompressed. Ten thousand virtual proxies have half of that."""

_BEGINNING = 4096  # bytes
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def require_requests(module: AnsibleModule) -> None:
    """Fail the module with Ansible's usual sentence when a library is missing or too old."""
    if IMPORT_ERROR:
        from ansible.module_utils.basic import missing_required_lib

        module.fail_json(msg=missing_required_lib(REQUIRED), exception=IMPORT_ERROR)


@dataclasses.dataclass(frozen=True)
class Request:
    """What to send.

    Attributes:
        method: GET, POST, PUT or DELETE.
        url: where to.
        query: query parameters to add.
        headers: of this request, in addition to those of the client.
        cookies: likewise.
        body: sent as JSON unless it is None.
        auth: as requests takes it.
        shown: method and URL as messages show them, where the URL itself holds a secret.
    """

    method: str
    url: str
    query: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    headers: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    cookies: t.Mapping[str, str] | None = None
    body: t.Any = None
    auth: t.Any = None
    shown: str = ""

    @property
    def context(self) -> str:
        """Method and URL, without a query, which may hold a ticket or an API key."""
        return self.shown or f"{self.method} {self.url.partition('?')[0]}"


@dataclasses.dataclass(frozen=True)
class Response:
    """What came back. Nothing in it is sanitized but what its errors say.

    Attributes:
        request: what it answers.
        status: the HTTP status.
        reason: the words beside it.
        headers: case-insensitive; getlist returns the values of one that came several times.
        body: decompressed.
        truncated: whether the body was longer than the limit.
        repeated: whether an earlier attempt of the same request failed.
        sanitize: of the client.
    """

    request: Request
    status: int
    reason: str
    headers: t.Any
    body: bytes
    truncated: bool
    repeated: bool
    sanitize: Sanitizer

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", errors="replace")

    @property
    def beginning(self) -> bytes:
        """The body as far as messages may need it."""
        return self.body[:_BEGINNING].lstrip()

    @property
    def is_html(self) -> bool:
        """Whether the body is a page."""
        return "html" in self.headers.get("Content-Type", "").lower() or self.beginning[:1] == b"<"

    @property
    def is_redirect(self) -> bool:
        """Whether it leads to another address."""
        return self.status in (301, 302, 303, 307, 308) and "Location" in self.headers

    def json(self) -> t.Any:
        """Return the parsed body, None if it is empty.

        Raises:
            AnswerError: it is not JSON, is nested too deeply, or longer than the limit.
        """
        if self.status == 204 or not self.body:
            return None
        message = f"The answer is longer than {len(self.body)} bytes."
        if not self.truncated:
            try:
                content = json.loads(self.body)
                # Half of a pair, which no other text may hold.
                halves = _SURROGATE.search(self.body)
                return (
                    json.loads(json.dumps(content, ensure_ascii=False).encode("utf-8", "replace"))
                    if halves
                    else content
                )
            except (ValueError, RecursionError):
                kind = "an HTML page" if self.is_html else "something that is not JSON"
                message = f"The answer was {self.status} with {kind} where JSON was expected."
        raise self.error(message, "Check host, port and prefix: this looks like a login page or another web server.")

    def redirect_target(self) -> str:
        """Return the address of a redirect, "" if it is none.

        Raises:
            AnswerError: it is broken, or on another host.
        """
        if not self.is_redirect:
            return ""
        try:
            target = urllib.parse.urljoin(self.request.url, self.headers["Location"])
            parts, ours = urllib.parse.urlsplit(target), urllib.parse.urlsplit(self.request.url)
            port = parts.port
        except ValueError:
            port = 0
        message = "The server redirects to an address that cannot be read."
        if port != 0 and target.isprintable():
            if (parts.scheme, parts.hostname) == (ours.scheme, ours.hostname):
                return target
            place = self.sanitize(f"{parts.scheme}://{parts.hostname or ''}")
            message = f"The server redirects to {place}, which is not the host asked."
        raise self.error(
            message, "Check the virtual proxy prefix and its authentication method, or give that host name."
        )

    def error(self, message: str, hint: str) -> AnswerError:
        """Return an error about this answer."""
        kind = ConflictError if self.status == 409 else AnswerError
        return kind(message, hint, context=self.request.context, status=self.status)

    def refusal(self, hint: str) -> AnswerError:
        """Return the error for an answer that is not a success.

        Args:
            hint: what to do about it.
        """
        # The form of such a body is not documented, so it is opaque.
        said = self.beginning.decode("utf-8", errors="replace").strip().strip('"')
        text = "an HTML page" if self.is_html else self.sanitize(said).rstrip(" .")
        words = f"{self.status} {self.sanitize(self.reason)}".rstrip()
        message = f"The server answered {words}: {text}." if text else f"The server answered {words}."
        error = self.error(message, "Run the task again." if self.status == 409 else hint)
        error.uncertain = self.repeated if self.status == 409 else self.status in (*RETRIED_STATUSES, 500)
        return error


class HttpClient:
    """Sends requests to one server, within limits.

    The environment is left out (trust_env), because a ~/.netrc entry would replace our Authorization header, and
    REQUESTS_CA_BUNDLE would win over verify. Redirects are not followed.

    Args:
        verify: the CA file to verify servers with, True for the bundle of certifi, False for no verification.
        ca_option: name of the option with that file, for messages.
        timeout: seconds for a connection, and for everything after it until the last byte of the answer.
        client_cert: paths of the client certificate and of its key.
        retries: how often GET, PUT and DELETE are repeated on connection errors and on 429, 502, 503 and 504.
        retry_deadline: seconds after which a request is not repeated.
        size_limit: bytes of a body.
        http_proxy: URL of the web proxy to go through.
        sanitize: makes text of the server fit to be shown.

    Attributes:
        headers: sent with each request.
        cookies: those kept.
    """

    def __init__(
        self,
        *,
        verify: bool | str,
        ca_option: str,
        timeout: tuple[float, float],
        client_cert: tuple[str, str] | None = None,
        retries: int = 0,
        retry_deadline: float = 120.0,
        size_limit: int = SIZE_LIMIT,
        http_proxy: str | None = None,
        sanitize: Sanitizer | None = None,
    ) -> None:
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = verify
        self._session.cert = client_cert
        if http_proxy:
            self._session.proxies = dict.fromkeys(("https", "http"), _identifiers.web_proxy(http_proxy))
        if verify is False:
            import urllib3

            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        # requests reads the body of a redirect that it does not follow, and raises what its parser raises.
        self._session.get_redirect_target = lambda resp: None  # type: ignore[method-assign] # noqa: ARG005
        adapter = LimitedAdapter(retries=retries, retry_deadline=retry_deadline, size_limit=size_limit)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)
        # The options have these names wherever there is such a client.
        self._timeout = (
            _identifiers.seconds(timeout[0], "connect_timeout"),
            _identifiers.seconds(timeout[1], "read_timeout"),
        )
        self._size_limit = size_limit
        self._ca_option = ca_option
        self.headers = self._session.headers
        self.cookies = self._session.cookies
        self.sanitize = sanitize or Sanitizer()

    def send(self, request: Request) -> Response:
        """Send a request, and return whatever the answer is.

        Raises:
            TransportError: there was no answer. uncertain is true if the server may have acted nevertheless.
        """
        try:
            answer = self._session.request(
                request.method,
                request.url,
                params=request.query,
                headers=request.headers,
                cookies=request.cookies,  # type: ignore[arg-type]
                json=request.body,
                timeout=self._timeout,
                allow_redirects=False,
                stream=True,
                auth=request.auth,
            )
            body = answer.content
        except (OSError, ValueError, http.client.HTTPException, RecursionError) as exc:  # requests' own are OSErrors
            error = transport_error(exc, request.context, ca_option=self._ca_option)
            error.uncertain = request.method != "GET"
            raise error from None
        finally:
            stop()  # also where a handshake gave up before it read the answer
        return Response(
            request=request,
            status=answer.status_code,
            reason=str(answer.reason or ""),
            headers=answer.raw.headers,
            body=body[: self._size_limit],
            truncated=len(body) > self._size_limit,
            # A repeated request may have collided with its own first attempt, whose answer was lost.
            repeated=bool(getattr(answer.raw.retries, "history", ())),
            sanitize=self.sanitize,
        )

    def close(self) -> None:
        """Close the connections."""
        self._session.close()
