# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""A client of one virtual proxy on one proxy, with or without a token. Its answers contain no secrets."""

from __future__ import annotations

import email.utils
import time
import typing as t
import urllib.parse

from .._errors import AnswerError
from .._http.client import HttpClient, Request, Response
from .._http.server_texts import page_text
from .._text import Sanitizer
from . import websocket as _websocket
from .cookie import Cookie
from .diagnosis import Answer, is_login_page
from .handshake import CSRF_PATH, Handshake

_HOPS = 5
_LARGEST_BODY = 256 * 1024  # bytes; the largest page known, Qlik's 400 page, has 88 KB
LONGEST_HEADER = 4096  # characters


class ProxySession:
    """Client that stores cookies like a browser, and sends a token only on request.

    Args:
        base: URL of the virtual proxy, without a trailing slash.
        verify: as for HttpClient.
        timeout: seconds for the connection and for an answer.
        sanitize: sanitizer for texts of answers.
        headers: names of the headers to copy from answers.
        http_proxy: as for HttpClient.
        clock: seconds of a monotonic clock.
    """

    def __init__(
        self,
        base: str,
        *,
        verify: bool | str,
        timeout: tuple[float, float],
        sanitize: Sanitizer,
        headers: t.Iterable[str] = (),
        http_proxy: str | None = None,
        clock: t.Callable[[], float] = time.monotonic,
    ) -> None:
        self.base = base
        self._http = HttpClient(
            verify=verify,
            ca_option="proxy_ca_path",
            timeout=timeout,
            size_limit=_LARGEST_BODY,
            http_proxy=http_proxy,
            sanitize=sanitize,
        )
        self._http_proxy = http_proxy
        self._http.headers["User-Agent"] = "sensible.qlik login_check"
        self._verify = verify
        self._timeout = timeout
        self._sanitize = sanitize
        self._headers = frozenset(name.lower() for name in (*headers, "WWW-Authenticate"))
        self._clock = clock

    def get(self, path: str, *, token: str | None = None) -> Answer:
        """Return the answer for a page below the prefix. Redirects below the prefix are followed.

        Raises:
            TransportError: there was no answer.
        """
        return self._request("GET", path, token=token)

    def who_am_i(
        self, *, token: str | None = None, cookies: dict[str, str] | None = None, host: str | None = None
    ) -> Answer:
        """Request the current user from the proxy. It answers 200 also without a user (Qlik help, "Proxy Service API").

        Args:
            token: sent as bearer token.
            cookies: sent in addition to the stored cookies.
            host: sent as Host header.

        Raises:
            TransportError: there was no answer.
        """
        target = urllib.parse.quote(f"{self.base}/hub/", safe="")
        return self._request("GET", f"qps/user?targetUri={target}", token=token, cookies=cookies, host=host)

    def log_out(self, cookies: dict[str, str] | None = None) -> Answer:
        """End all sessions of the user on this virtual proxy, and discard the cookies.

        Args:
            cookies: the cookies of the session, by default the stored ones.

        Raises:
            TransportError: there was no answer.
        """
        cookies = self.take_cookies() if cookies is None else cookies
        answer = self._request("DELETE", "qps/user", cookies=cookies)
        if answer.refused:  # releases since November 2024 have a csrf token; it is not documented if it is needed here
            _answer, csrf_token = self._csrf_token(cookies)
            if csrf_token:
                answer = self._request("DELETE", "qps/user", cookies=cookies, csrf_token=csrf_token)
        self._http.cookies.clear()
        return answer

    def open_websocket(self, *, token: str) -> Handshake:
        """Open a websocket in the session and read the first messages.

        Since November 2024 it requires the session cookie, a csrf token in the query and an Origin (Qlik article
        ta-p/2509211), and may be refused with a token in the Authorization header. Earlier releases have no csrf token.
        There the header is sent as by Qlik's own clients (qlik-oss/gopherciser).

        Args:
            token: the bearer token for earlier releases.

        Raises:
            TransportError: there was no answer.
        """
        started = self._clock()
        answer, csrf_token = self._csrf_token(None)
        if not csrf_token and answer.status != 404:
            milliseconds = round((self._clock() - started) * 1000)
            size = answer.header_bytes
            return Handshake(answer.status, milliseconds, text=answer.text, path=CSRF_PATH, header_bytes=size)
        headers = {} if csrf_token else {"Authorization": f"Bearer {token}"}
        headers["Cookie"] = self._http.cookie_header(f"{self.base}/")
        return _websocket.greet(
            self.base,
            headers=headers,
            csrf_token=csrf_token,
            verify=self._verify,
            timeout=self._timeout,
            sanitize=self._sanitize,
            http_proxy=self._http_proxy,
            clock=self._clock,
        )

    def take_cookies(self) -> dict[str, str]:
        """Return the stored cookies and discard them."""
        cookies = self.cookies
        self._http.cookies.clear()
        return cookies

    @property
    def cookies(self) -> dict[str, str]:
        """Return the stored cookies."""
        return {cookie.name: cookie.value or "" for cookie in self._http.cookies}

    @property
    def has_cookies(self) -> bool:
        """Return True if there is a stored cookie."""
        return bool(self._http.cookies)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _request(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        cookies: dict[str, str] | None = None,
        csrf_token: str | None = None,
        host: str | None = None,
    ) -> Answer:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if host:
            headers["Host"] = host
        if csrf_token:
            headers["qlik-csrf-token"] = csrf_token
        started = self._clock()
        url, set_cookies = f"{self.base}/{path}", []
        for hop in range(_HOPS + 1):
            response = self._exchange(method, url, headers=headers, cookies=cookies)
            set_cookies += self._set_cookies(response)
            target = _redirect_target(response)
            if not target or method != "GET" or not self._is_inside(target) or hop == _HOPS:
                break
            url = target
        milliseconds = round((self._clock() - started) * 1000)
        return self._answer(response, ms=milliseconds, location=target, cookies=tuple(set_cookies))

    def _exchange(self, method: str, url: str, *, headers: dict[str, str], cookies: dict[str, str] | None) -> Response:
        return self._http.send(Request(method, url, headers=headers, cookies=cookies))

    def _csrf_token(self, cookies: dict[str, str] | None) -> tuple[Answer, str]:
        """Request a csrf token, and return the answer and the token or ""."""
        response = self._exchange("GET", f"{self.base}/{CSRF_PATH}", headers={}, cookies=cookies)
        token = response.headers.get("qlik-csrf-token", "")
        self._sanitize.add([token])
        return self._answer(response, ms=0, location="", cookies=()), token

    def _set_cookies(self, response: Response) -> list[Cookie]:
        cookies = []
        for header in response.headers.getlist("Set-Cookie"):
            pair, *attributes = header.split(";")
            name, _equals, value = pair.partition("=")
            self._sanitize.add([value.strip()])
            named = {
                key.strip().lower(): self._sanitize(text, 80)
                for key, _equals, text in (attribute.partition("=") for attribute in attributes)
            }
            cookies.append(
                Cookie(
                    name=self._sanitize(name, 80),
                    secure="secure" in named,
                    http_only="httponly" in named,
                    same_site=named.get("samesite", ""),
                    domain=named.get("domain", ""),
                    path=named.get("path", ""),
                )
            )
        return cookies

    def _is_inside(self, url: str) -> bool:
        """Return True if a URL belongs to the virtual proxy and is not a login page. The token is sent to no other."""
        try:
            ours, theirs = urllib.parse.urlsplit(self.base), urllib.parse.urlsplit(url)
        except ValueError:
            return False
        below = f"{theirs.path.lower()}/".startswith(f"{ours.path.lower()}/")
        return ours.scheme == theirs.scheme and ours.netloc == theirs.netloc and below and not is_login_page(url)

    def _answer(self, response: Response, *, ms: int, location: str, cookies: tuple[Cookie, ...]) -> Answer:
        text = response.text.strip()
        data: t.Any = None
        if text.startswith("<"):
            kind, text = "HTML", page_text(text)
        elif text.startswith(("{", "[")):
            kind = "JSON"
            try:
                data = response.json()
            except AnswerError:
                kind = "broken JSON"
        else:
            kind = "text" if text else "nothing"
        return Answer(
            status=response.status,
            ms=ms,
            kind=kind,
            text=self._sanitize(text).rstrip(" ."),
            data=self._user_of(data) if isinstance(data, dict) else {},
            location=self._sanitize(location.partition("?")[0].partition("#")[0]),
            cookies=cookies,
            headers={
                name: [self._sanitize(value, LONGEST_HEADER) for value in response.headers.getlist(name)]
                for name in self._headers
            },
            header_bytes=response.header_bytes,
            date=_server_time(response.headers.get("Date")),
        )

    def _user_of(self, data: dict[str, t.Any]) -> dict[str, str]:
        """Return the user in a JSON object, without its other values."""
        names = ("userDirectory", "userId")
        return {name: self._sanitize(str(data[name]), 255, is_user=True) for name in names if data.get(name)}


def _redirect_target(response: Response) -> str:
    """Return the target of a redirect, "" if it is not a redirect. It may be not valid or on another host."""
    if not response.is_redirect:
        return ""
    try:
        return response.redirect_target()
    except AnswerError:
        return str(response.headers["Location"])


def _server_time(date: str | None) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(date or "").timestamp()
    except (ValueError, TypeError, LookupError, OverflowError):
        return None
