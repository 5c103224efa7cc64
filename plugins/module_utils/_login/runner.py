# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""Run the checks of logins in parallel, repeat them until they pass, and always log out."""

from __future__ import annotations

import concurrent.futures
import typing as t

from .._errors import TransportError
from .._http.stream import server_certificate
from .checks import CHECKS, Check
from .models import CheckResult, Login, Outcome, RunOptions, SkipCheck
from .state import LoginState

# Qlik allows a user five parallel sessions (Qlik Community, "5 parallel sessions"). One is reserved for other clients.
SESSIONS_AT_ONCE = 4

FIRST_PAUSE = 1.0  # seconds between two attempts; multiplied by 1.5 each time
LONGEST_PAUSE = 10.0

_FIRST, *_OTHERS, _LAST = (check for check in CHECKS if check.linked)
_UNLINKED = [check for check in CHECKS if not check.linked]


def run_logins(logins: t.Sequence[Login], options: RunOptions) -> list[LoginRun]:
    """Check all logins in parallel, and always log out of every session.

    A logout ends all sessions of that user on that virtual proxy, also those of other logins in this run. Therefore the
    logins are checked in waves of at most SESSIONS_AT_ONCE per user, and a wave logs out after all its other checks.

    Raises:
        InputError: a token cannot be read. Nothing was sent.
    """
    give_up_at = options.clock() + options.wait
    runs = [LoginRun(login, options, give_up_at=give_up_at) for login in logins]
    with concurrent.futures.ThreadPoolExecutor(max_workers=max(1, options.threads)) as pool:
        for wave in _waves(runs):
            try:
                list(pool.map(LoginRun.check, wave))
            finally:
                list(pool.map(LoginRun.finish, wave))
        proxies = list(dict.fromkeys(run.login.proxy for run in runs))
        shown = pool.map(
            lambda proxy: server_certificate(proxy, timeout=options.timeout, http_proxy=options.http_proxy), proxies
        )
        certificates = dict(zip(proxies, shown, strict=True))
    for run in runs:
        run.tls_certificate = certificates[run.login.proxy]
    return runs


def _waves(runs: t.Sequence[LoginRun]) -> list[list[LoginRun]]:
    waves: list[list[LoginRun]] = [[]]
    seen: dict[tuple[str, str], int] = {}
    for run in runs:
        directory, user_id = run.login.user
        user = (directory.casefold(), user_id.casefold())
        number = seen.get(user, 0) // SESSIONS_AT_ONCE if run.login.linked else 0  # an unlinked one opens no session
        seen[user] = seen.get(user, 0) + run.login.linked
        if number == len(waves):
            waves.append([])
        waves[number].append(run)
    return waves


class LoginRun:
    """The checks of one login at one proxy.

    Attributes:
        login: the login.
        results: results of the last round, and of the logout at the end.
        seconds_waited: seconds until the last round began.
        tls_certificate: the certificate that the proxy presents, in PEM format.
    """

    def __init__(self, login: Login, options: RunOptions, *, give_up_at: float) -> None:
        self.login = login
        self.results: list[CheckResult] = []
        self.seconds_waited = 0.0
        self.tls_certificate: str | None = None
        self._options = options
        self._give_up_at = give_up_at
        self._state = LoginState(login, options)

    @property
    def response_ms(self) -> int | None:
        """Return the hub response time in milliseconds, None if the hub did not open."""
        return self._state.response_ms

    @property
    def passed(self) -> bool:
        """Return True if no check failed."""
        return all(result.status != "failed" for result in self.results)

    def check(self) -> None:
        """Run all checks except the last until they pass, a failure is permanent, or the time is over."""
        started, pause = self._options.clock(), FIRST_PAUSE
        while True:
            self.seconds_waited = self._options.clock() - started
            self._state.permanent_failure = False
            self.results = self._round() if self.login.linked else [self._perform(check) for check in _UNLINKED]
            left = self._give_up_at - self._options.clock()
            if self.passed or self._state.permanent_failure or left <= 0:
                return
            if any(one.status == "failed" and one.name in _RENEWING for one in self.results):
                self._state.renew_session()
            self._options.sleep(min(pause, left))
            pause = min(pause * 1.5, LONGEST_PAUSE)

    def finish(self) -> None:
        """Run the last check, which logs out, and close all connections."""
        try:
            if self.login.linked or self._state.session.has_cookies:
                self.results.append(self._perform(_LAST))
        finally:
            self._state.close()

    def _round(self) -> list[CheckResult]:
        login = self._perform(_FIRST)
        # If the proxy refuses all requests, the other checks are not meaningful.
        refused = login.status_code in (200, 301, 302, 303, 307, 308, 401, 403)
        results = [login]
        for check in _OTHERS:
            if check.name in self._options.skip:
                results.append(_skipped(check, "listed in skip_checks"))
            elif login.status == "failed" and not (check.after_failed_login and refused):
                results.append(_skipped(check, "the login itself failed"))
            else:
                results.append(self._perform(check))
        return results

    def _perform(self, check: Check) -> CheckResult:
        try:
            outcome = check.function(self._state)
        except SkipCheck as reason:
            return _skipped(check, str(reason))
        except TransportError as error:
            self._state.permanent_failure = self._state.permanent_failure or error.lasting
            outcome = Outcome("an answer", error.message, error.hint)
        return CheckResult(
            name=check.name,
            title=check.title,
            status="failed" if outcome.fault else "passed",
            expected=outcome.expected,
            actual=outcome.actual,
            status_code=outcome.status_code,
            ms=outcome.ms,
            diagnosis=outcome.fault or None,
        )


_RENEWING = frozenset(check.name for check in CHECKS if check.renews_session)


def _skipped(check: Check, reason: str) -> CheckResult:
    return CheckResult(name=check.name, title=check.title, status="skipped", actual=reason)
