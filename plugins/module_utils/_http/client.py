# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""The HTTP client of this collection for the repository, the proxies, their own API and the URLs of key sets."""

from __future__ import annotations

import contextlib
import http.client
import json
import typing as t
import urllib.parse

from .. import _identifiers
from .._errors import AnswerError, ConflictError
from .._text import Sanitizer
from .limits import IMPORT_ERROR, RETRIED_STATUSES, deadline, pool_manager, read, retry
from .parsing import LimitError, parse
from .server_texts import header_size, known_cause, page_text, size_cause

with contextlib.suppress(ImportError):  # reported by require_libraries
    import urllib3

if t.TYPE_CHECKING:
    from http.cookiejar import CookieJar

    from ansible.module_utils.basic import AnsibleModule

REQUIRED = "urllib3 >= 2.6.3 and certifi"
SIZE_LIMIT = 24 * 1024 * 1024
"""Maximum size of a decompressed body in bytes. 500 virtual proxies that are linked to 12 proxies need 22 MB."""

_BEGINNING = 4096  # bytes
_PORTS = {"http": 80, "https": 443}


def require_libraries(module: AnsibleModule) -> None:
    """Fail the module with Ansible's usual message if a library is missing or too old."""
    if IMPORT_ERROR:
        from ansible.module_utils.basic import missing_required_lib

        module.fail_json(msg=missing_required_lib(REQUIRED), exception=IMPORT_ERROR)


class Request(t.NamedTuple):
    """A request.

    Attributes:
        method: GET, POST, PUT or DELETE.
        url: the URL.
        query: query parameters to add.
        headers: headers in addition to those of the client.
        cookies: cookies in addition to those of the client.
        body: sent as JSON unless it is None.
        shown: method and URL for messages, if the URL contains a secret.
    """

    method: str
    url: str
    query: t.Mapping[str, str] = {}
    headers: t.Mapping[str, str] = {}
    cookies: t.Mapping[str, str] | None = None
    body: t.Any = None
    shown: str = ""

    @property
    def context(self) -> str:
        """Return method and URL without the query, which may contain a ticket or an API key."""
        return self.shown or f"{self.method} {self.url.partition('?')[0]}"


class Response(t.NamedTuple):
    """An answer. Only the texts of its errors are sanitized.

    Attributes:
        request: the request.
        status: the HTTP status.
        reason: the reason phrase.
        headers: case-insensitive; getlist returns all values of a header.
        body: the decompressed body.
        truncated: True if the body was longer than the limit.
        repeated: True if an earlier attempt of the same request failed.
        sanitize: the sanitizer of the client.
        certificate: the certificate of the server in DER, None if it is not known.
        header_bytes: size of the headers of the request.
    """

    request: Request
    status: int
    reason: str
    headers: t.Any
    body: bytes
    truncated: bool
    repeated: bool
    sanitize: Sanitizer
    certificate: bytes | None = None
    header_bytes: int = 0

    @property
    def text(self) -> str:
        """Return the body as text."""
        return self.body.decode("utf-8", errors="replace")

    @property
    def beginning(self) -> bytes:
        """Return the part of the body that messages may need."""
        return self.body[:_BEGINNING].lstrip()

    @property
    def is_html(self) -> bool:
        """Return True if the body is an HTML page."""
        return "html" in self.headers.get("Content-Type", "").lower() or self.beginning[:1] == b"<"

    @property
    def is_redirect(self) -> bool:
        """Return True if it is a redirect."""
        return self.status in (301, 302, 303, 307, 308) and "Location" in self.headers

    def json(self) -> t.Any:
        """Return the parsed body, None if it is empty.

        Raises:
            AnswerError: it is not JSON, is nested too deeply, or is longer than the limit.
        """
        if self.status == 204 or not self.body:
            return None
        message = f"The answer is longer than {len(self.body)} bytes."
        hint = "Check host, port and prefix: this looks like a login page or another web server."
        too_large = "Check host and port. This collection does not support sites of this size."
        if self.truncated and self.beginning[:1] in (b"[", b"{"):
            hint = too_large
        if not self.truncated:
            try:
                return parse(self.body)
            except LimitError as exc:
                message, hint = str(exc), too_large
            except (ValueError, RecursionError):
                kind = "an HTML page" if self.is_html else "something that is not JSON"
                message = f"The answer was {self.status} with {kind} instead of JSON."
        raise self.error(message, hint)

    def redirect_target(self, *, any_port: bool = False) -> str:
        """Return the target of a redirect, "" if it is not a redirect.

        Args:
            any_port: True if another port of the same host is accepted.

        Raises:
            AnswerError: the target is not valid, or on another host or port.
        """
        if not self.is_redirect:
            return ""
        try:
            target = urllib.parse.urljoin(self.request.url, self.headers["Location"])
            parts, ours = urllib.parse.urlsplit(target), urllib.parse.urlsplit(self.request.url)
            port, our_port = (one.port or _PORTS.get(one.scheme) for one in (parts, ours))
        except ValueError:
            port = 0
        message = "The server redirects to an address that is not valid."
        if port != 0 and target.isprintable():
            same_host = (parts.scheme, parts.hostname) == (ours.scheme, ours.hostname)
            if same_host and (any_port or port == our_port):
                return target
            place = self.sanitize(f"{parts.scheme}://{parts.hostname or ''}")
            message = f"The server redirects to {place}, which is not the host of the request."
            if same_host:
                message = f"The server redirects to port {port} of the same host, which is another server."
        raise self.error(
            message, "Check the virtual proxy prefix and its authentication method, or use that host name."
        )

    def error(self, message: str, hint: str) -> AnswerError:
        """Return an error for this answer."""
        kind = ConflictError if self.status == 409 else AnswerError
        return kind(message, hint, context=self.request.context, status=self.status)

    def refusal(self, hint: str) -> AnswerError:
        """Return the error for an answer that is not a success.

        Args:
            hint: the remedy.
        """
        # The format of such a body is not documented.
        said = self.beginning.decode("utf-8", errors="replace").strip().strip('"')
        text = self.sanitize(page_text(said) if self.is_html else said).rstrip(" .")
        size = self.header_bytes
        hint = known_cause(self.status, text, header_bytes=size) or size_cause(self.status, size) or hint
        if self.is_html:
            text = f"an HTML page: {text}" if text else "an HTML page"
        words = f"{self.status} {self.sanitize(self.reason)}".rstrip()
        message = f"The server answered {words}: {text}." if text else f"The server answered {words}."
        error = self.error(message, "Run the task again." if self.status == 409 else hint)
        # A redirect, or the status of an answer that is not the last one, says nothing about a write.
        is_refusal = 400 <= self.status < 500 and self.status not in RETRIED_STATUSES
        error.uncertain = self.repeated if self.status == 409 else not is_refusal
        return error


def _as_standard_request(url: str) -> t.Any:
    """Return a request for the cookie jar of the standard library."""
    from urllib.request import Request as StandardRequest

    return StandardRequest(url)  # noqa: S310 -- nothing is opened with it


class HttpClient:
    """HTTP client for one server, with limits. It does not follow redirects and ignores the environment.

    Args:
        verify: the CA file to verify servers with, True for the bundle of certifi, False for no verification.
        ca_option: name of the option with that file, for messages.
        timeout: seconds for a connection, and from then on until the last byte of the answer.
        client_cert: paths of the client certificate and of its key.
        retries: how often GET, PUT and DELETE are repeated on connection errors and on 429, 502, 503 and 504.
        retry_deadline: seconds after which a request is not repeated.
        size_limit: maximum size of a body in bytes.
        http_proxy: URL of the web proxy to use.
        sanitize: sanitizer for text of the server.

    Attributes:
        headers: sent with each request.
        cookies: the cookie jar.
        reconnect: True if an attempt to connect is repeated.
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
        self.headers = urllib3.HTTPHeaderDict(
            {"Accept": "*/*", "User-Agent": "sensible.qlik", "Accept-Encoding": "gzip, deflate"}
        )
        self.sanitize = sanitize or Sanitizer()
        self._jar: CookieJar | None = None
        # These are the names of the options in all modules.
        connect_timeout = _identifiers.seconds(timeout[0], "connect_timeout")
        self._timeout = connect_timeout, _identifiers.seconds(timeout[1], "read_timeout")
        self._retry_deadline = retry_deadline
        self._size_limit = size_limit
        self._ca_option = ca_option
        self._has_certificate = client_cert is not None
        self._header_bytes = 0
        self.reconnect = True
        if verify is False:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        cert_file, key_file = client_cert or (None, None)
        self._pools = pool_manager(
            verify,
            _identifiers.web_proxy(http_proxy) if http_proxy else None,
            cert_file=cert_file,
            key_file=key_file,
            timeout=urllib3.Timeout(connect=self._timeout[0], read=self._timeout[1]),
            retries=retry(retries, retry_deadline),
        )

    @property
    def cookies(self) -> CookieJar:
        """Return the cookie jar."""
        if self._jar is None:
            from http.cookiejar import CookieJar  # not needed for the repository's own port

            self._jar = CookieJar()
        return self._jar

    def cookie_header(self, url: str) -> str:
        """Return the value of the Cookie header for a URL, "" without cookies."""
        if not self._jar:
            return ""
        request = _as_standard_request(url)
        self._jar.add_cookie_header(request)
        return request.get_header("Cookie") or ""

    def _open(self, request: Request) -> t.Any:
        """Return the answer to a request before its body is read."""
        url = urllib.parse.urldefrag(request.url)[0]
        if request.query:
            url += f"{'&' if '?' in url else '?'}{urllib.parse.urlencode(request.query)}"
        headers = self.headers.copy()
        headers.update(request.headers)
        cookies = [f"{name}={value}" for name, value in (request.cookies or {}).items()]
        if cookies := [*filter(None, (headers.get("Cookie"), *cookies, self.cookie_header(request.url)))]:
            headers["Cookie"] = "; ".join(cookies)
        body = None
        if request.body is not None:
            body, headers["Content-Type"] = json.dumps(request.body, allow_nan=False), "application/json"
        self._header_bytes = header_size(request.method, url, headers.items())
        return self._pools.request(
            request.method, url, headers=headers, body=body, preload_content=False, redirect=False
        )

    def send(self, request: Request) -> Response:
        """Send a request, and return the answer with any status.

        Raises:
            TransportError: there was no answer. uncertain is True if the server may have carried out the request.
        """
        answer: t.Any = None
        watch: t.Any = None
        try:
            with deadline(self._timeout, self._retry_deadline, reconnect=self.reconnect) as watch:
                answer = self._open(request)
                stream: t.Any = getattr(answer.connection, "sock", None)
                certificate = stream.getpeercert(binary_form=True) if hasattr(stream, "getpeercert") else None
                body, truncated = read(answer, self._size_limit)
        except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, ValueError, RecursionError) as exc:
            # Imported only if needed, because it adds to the start-up time.
            from .failures import is_unanswered, transport_error

            error = transport_error(
                exc,
                request.context,
                ca_option=self._ca_option,
                has_certificate=self._has_certificate,
                header_bytes=self._header_bytes,
            )
            error.uncertain = request.method != "GET"
            error.unanswered = answer is None and is_unanswered(exc, connecting=watch is None or watch.connecting)
            raise error from None
        if "Set-Cookie" in answer.headers:
            self.cookies.extract_cookies(answer, _as_standard_request(request.url))
        return Response(
            request=request,
            status=answer.status,
            reason=str(answer.reason or ""),
            headers=answer.headers,
            body=body,
            truncated=truncated,
            # A repeated request may be in conflict with its own first attempt, whose answer was lost.
            repeated=bool(answer.retries and answer.retries.history),
            sanitize=self.sanitize,
            certificate=certificate,
            header_bytes=self._header_bytes,
        )

    def close(self) -> None:
        """Close the connections."""
        self._pools.clear()
