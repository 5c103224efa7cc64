# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""The state that the checks of one login share: its two sessions on the proxy and data from the answers."""

from __future__ import annotations

import contextlib
import functools
import typing as t
import urllib.parse

from .._errors import TransportError
from .._text import Sanitizer
from . import response_headers as _headers
from .proxy_session import LONGEST_HEADER, ProxySession

if t.TYPE_CHECKING:
    from .cookie import Cookie
    from .diagnosis import Answer
    from .models import Login, RunOptions


class LoginState:
    """State of one login on one proxy during its checks.

    Attributes:
        login: the login.
        options: the options of the run.
        session: sends the token, and has the session of the user.
        unauthenticated: must not get a session.
        new_session: opens another session with separate connections, which the caller must close.
        signed_in: the user of the session, as far as the proxy has reported it.
        cookies: the cookies of the session, by name.
        declared_headers: names and values of the additional response headers.
        answered_headers: these headers in the answer to the login.
        response_ms: hub response time in milliseconds, None if the hub did not open.
        permanent_failure: True if a retry cannot succeed.
        sanitize: sanitizer for texts of answers.
    """

    def __init__(self, login: Login, options: RunOptions) -> None:
        self.login = login
        self.options = options
        self.signed_in = login.user  # until the proxy reports another user, which is a failed check
        self.cookies: dict[str, Cookie] = {}
        self.answered_headers: t.Mapping[str, t.Sequence[str]] = {}
        self.response_ms: int | None = None
        self.permanent_failure = False
        self._unexpected: list[dict[str, str]] = []  # sessions of requests that the proxy should have refused
        self.sanitize = sanitize = Sanitizer(login.secrets, private=login.private_values)
        declared = _headers.declared_headers(login.virtual_proxy)
        # Sanitized like the answer, so that they can be compared.
        self.declared_headers = [(name, sanitize(value, LONGEST_HEADER)) for name, value in declared]
        new_session = functools.partial(
            ProxySession,
            f"{login.proxy}/{login.prefix}",
            verify=options.verify,
            timeout=options.timeout,
            sanitize=sanitize,
            headers=[name for name, _value in declared],
            http_proxy=options.http_proxy,
            clock=options.clock,
        )
        self.new_session = new_session
        self.session = new_session()
        self.unauthenticated = new_session()

    @property
    def host(self) -> str:
        """Return the host name that requests are sent to."""
        return urllib.parse.urlsplit(self.login.proxy).hostname or ""

    def remember(self, answer: Answer) -> None:
        """Store the cookies that an answer set."""
        self.cookies.update({cookie.name: cookie for cookie in answer.cookies})

    @contextlib.contextmanager
    def refusal_expected(self) -> t.Iterator[ProxySession]:
        """Yield the session that must not be signed in. If the proxy signs it in, it is logged out later."""
        try:
            yield self.unauthenticated
        finally:
            if self.unauthenticated.has_cookies:
                self._unexpected.append(self.unauthenticated.take_cookies())

    def renew_session(self) -> None:
        """End the session, because its cookie was created with outdated settings."""
        self.cookies.clear()
        with contextlib.suppress(TransportError):
            self.session.log_out()

    def close(self) -> None:
        """End the unexpected sessions, and close all connections."""
        try:
            for cookies in self._unexpected:
                with contextlib.suppress(TransportError):
                    self.unauthenticated.log_out(cookies)
        finally:
            self.session.close()
            self.unauthenticated.close()
