# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""Prove logins: which requests are sent to a proxy, in which order, and what has to come back."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import functools
import time
import typing as t
import urllib.parse

from .._keys.jose import inspect_token
from .._text import Sanitizer
from .._tokens import negative as _forgery
from .._virtual_proxy.model import VirtualProxy
from . import cookie as _cookie
from . import diagnosis as _diagnosis
from . import response_headers as _answer_headers
from . import websocket as _websocket
from .diagnosis import Answer, same_user, shown
from .handshake import greeting_fault
from .proxy_session import LONGEST_HEADER, NoAnswerError, ProxySession

if t.TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

# Qlik allows a user five parallel sessions (Qlik Community, "5 parallel sessions"); one is left for a human being.
SESSIONS_AT_ONCE = 4

FIRST_PAUSE = 1.0  # seconds between two attempts; grows by half each time
LONGEST_PAUSE = 10.0

# Tokens that have to be refused and that only the caller can mint: the check, and what they would have to be.
GIVEN_TOKENS = {
    "expired_token": "expired token",
    "wrong_audience_token": "token for another audience",
    "incomplete_token": "token without the mandatory attributes",
    "other_key_token": "token of another key",
}
# Checks that can be left out.
OPTIONAL_CHECKS = (
    "no_token",
    "identity",
    "cookie",
    "cookie_flags",
    "response_headers",
    "host_allow_list",
    "websocket",
    "forged_token",
    "wrong_key_token",
    *GIVEN_TOKENS,
    "not_linked",
)

# A name that nobody has (RFC 2606).
_STRANGE_HOST = "not-on-the-host-allow-list.invalid"


class Check(t.TypedDict):
    """Outcome of one check, as the module returns it."""

    name: str
    status: t.Literal["passed", "failed", "skipped"]
    expected: str
    actual: str
    status_code: int | None
    ms: int | None
    diagnosis: str | None


class UntestableError(Exception):
    """A check cannot tell anything here. The message says why."""


class Verdict(t.NamedTuple):
    """What a check found.

    Attributes:
        expected: what should have come back.
        answer: what did, if something was asked.
        fault: why that is wrong and what to do; "" if it is right.
        actual: what did come back in words, if the answer's own words do not say it.
    """

    expected: str
    answer: Answer | None
    fault: str = ""
    actual: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Login:
    """One login at one proxy.

    Attributes:
        proxy: base URL of the proxy, without a trailing slash.
        prefix: of the virtual proxy.
        token: to sign in with.
        to_be_refused: tokens of the same user that have to be refused, by their check (GIVEN_TOKENS).
        user: directory and id of the user it has to sign in; "" where that is not known.
        virtual_proxy: settings of the virtual proxy as far as they are known.
        linked: whether the virtual proxy is linked to this proxy. If not, the only thing to prove is that it is not.
    """

    proxy: str
    prefix: str
    token: str
    to_be_refused: t.Mapping[str, str]
    user: tuple[str, str]
    virtual_proxy: VirtualProxy
    linked: bool = True


@dataclasses.dataclass(frozen=True, kw_only=True)
class Manner:
    """How to go about it.

    Attributes:
        verify: as for HttpClient.
        timeout: seconds for a connection and for an answer.
        wait: seconds to keep trying, for all logins together; 0 tries once.
        threads: how many logins are proved at the same time.
        stranger_key: a throw-away RSA key for tokens that have to be refused.
        skip: names of checks to leave out, of OPTIONAL_CHECKS.
        clock: monotonic seconds.
        wall_clock: seconds since 1970.
        sleep: waits some seconds.
    """

    verify: bool | str
    timeout: tuple[float, float]
    wait: float
    threads: int
    stranger_key: RSAPrivateKey
    skip: frozenset[str] = frozenset()
    clock: t.Callable[[], float] = time.monotonic
    wall_clock: t.Callable[[], float] = time.time
    sleep: t.Callable[[float], None] = time.sleep


def prove(logins: t.Sequence[Login], manner: Manner) -> list[Endpoint]:
    """Prove all logins, in parallel, and log out of every session whatever happens.

    A logout ends all sessions of that user on that virtual proxy, also those of the other logins here. So the logins
    are proved in waves of at most SESSIONS_AT_ONCE per user, and a wave logs out when all its other checks are through.

    Raises:
        InputError: a token cannot be read; nothing was sent.
    """
    give_up_at = manner.clock() + manner.wait
    endpoints = [Endpoint(login, manner, give_up_at=give_up_at) for login in logins]
    with concurrent.futures.ThreadPoolExecutor(max_workers=max(1, manner.threads)) as pool:
        for wave in _waves(endpoints):
            try:
                list(pool.map(Endpoint.examine, wave))
            finally:
                list(pool.map(Endpoint.leave, wave))
    return endpoints


def _waves(endpoints: t.Sequence[Endpoint]) -> list[list[Endpoint]]:
    waves: list[list[Endpoint]] = []
    seen: dict[tuple[str, str], int] = {}
    for endpoint in endpoints:
        if not endpoint.login.linked:  # no session, if all is well
            if not waves:
                waves.append([])
            waves[0].append(endpoint)
            continue
        directory, user_id = endpoint.login.user
        user = (directory.casefold(), user_id.casefold())
        number = seen.get(user, 0) // SESSIONS_AT_ONCE
        seen[user] = seen.get(user, 0) + 1
        if number == len(waves):
            waves.append([])
        waves[number].append(endpoint)
    return waves


class Endpoint:
    """One login at one proxy while it is being proved.

    Attributes:
        login: which.
        checks: outcomes of the last round; the logout follows at the end.
        seconds_waited: how long it took until the last round began.
        response_ms: milliseconds until the hub page was there; None if it never was.
    """

    def __init__(self, login: Login, manner: Manner, *, give_up_at: float) -> None:
        self.login = login
        self.checks: list[Check] = []
        self.seconds_waited = 0.0
        self.response_ms: int | None = None
        self._manner = manner
        self._give_up_at = give_up_at
        self._signed_in = login.user  # until the proxy names somebody else, which is a failed check of its own
        self._cookies: dict[str, _cookie.Cookie] = {}  # of our session, as set; by name
        self._strays: list[dict[str, str]] = []  # sessions that a proxy opened although it should have refused
        self._hopeless = False
        redact = Sanitizer(_tokens(login), private=_said_about_user(login))
        declared = _answer_headers.declared_headers(login.virtual_proxy)
        # Redacted like the answer, or the two could not be compared.
        self._declared_headers = [(name, redact(value, LONGEST_HEADER)) for name, value in declared]
        self._answered_headers: t.Mapping[str, t.Sequence[str]] = {}
        new_session = functools.partial(
            ProxySession,
            f"{login.proxy}/{login.prefix}",
            verify=manner.verify,
            timeout=manner.timeout,
            redact=redact,
            headers=[name for name, _value in declared],
            clock=manner.clock,
        )
        self._user = new_session()  # has the token, and gets the session
        self._stranger = new_session()  # must not get one

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return all(check["status"] != "failed" for check in self.checks)

    def examine(self) -> None:
        """Run all checks but the logout until they pass, waiting cannot help, or the time is over."""
        started, pause = self._manner.clock(), FIRST_PAUSE
        while True:
            self.seconds_waited = self._manner.clock() - started
            self._hopeless = False
            self._examine_once()
            left = self._give_up_at - self._manner.clock()
            if self.passed or self._hopeless or left <= 0:
                return
            self._start_afresh()
            self._manner.sleep(min(pause, left))
            pause = min(pause * 1.5, LONGEST_PAUSE)

    def leave(self) -> None:
        """Log out, which is a check as well, and close all connections."""
        try:
            if self.login.linked or self._user.has_cookies:
                self.checks.append(self._perform("logout", self._log_out))
            for cookies in self._strays:
                with contextlib.suppress(NoAnswerError):
                    self._stranger.log_out(cookies)
        finally:
            self._user.close()
            self._stranger.close()

    def _examine_once(self) -> None:
        if not self.login.linked:
            self.checks = [self._perform("not_linked", self._stay_out)]
            return
        login = self._perform("login", self._log_in)
        others: dict[str, t.Callable[[], Verdict]] = {
            "no_token": lambda: self._must_be_refused("no_token", None),
            "identity": self._identify,
            "cookie": self._come_back_with_cookie,
            "cookie_flags": self._compare_cookie,
            "response_headers": self._compare_headers,
            "host_allow_list": self._try_hosts,
            "websocket": self._open_websocket,
            "forged_token": lambda: self._must_be_refused(
                "forged_token", _forgery.forged(self.login.token, self._user_claim)
            ),
            "wrong_key_token": lambda: self._must_be_refused(
                "wrong_key_token", _forgery.signed_with(self._manner.stranger_key, self.login.token)
            ),
            **{name: functools.partial(self._try_given_token, name) for name in GIVEN_TOKENS},
        }
        if login["status"] == "failed":
            # A refusal of everything would prove nothing about the rest. Only an open door would still be news.
            refused = login["status_code"] in (200, 301, 302, 303, 307, 308, 401, 403)
            others = {name: check if name == "no_token" and refused else _not_tried for name, check in others.items()}
        others |= dict.fromkeys(self._manner.skip & others.keys(), _left_out)
        self.checks = [login, *(self._perform(name, check) for name, check in others.items())]

    def _start_afresh(self) -> None:
        """Leave a session whose cookie was made by settings that are out of date; otherwise the session is kept."""
        failed = {check["name"] for check in self.checks if check["status"] == "failed"}
        if failed & {"cookie", "cookie_flags"}:
            self._cookies.clear()
            with contextlib.suppress(NoAnswerError):
                self._user.log_out()

    def _perform(self, name: str, check: t.Callable[[], Verdict]) -> Check:
        try:
            verdict = check()
        except UntestableError as reason:
            return _check(name, "skipped", actual=str(reason))
        except NoAnswerError as error:
            self._hopeless = self._hopeless or error.lasting
            return _check(name, "failed", expected="an answer", actual=error.outcome, diagnosis=error.advice)
        return _check(
            name,
            "failed" if verdict.fault else "passed",
            expected=verdict.expected,
            actual=verdict.actual or str(verdict.answer),
            status_code=verdict.answer and verdict.answer.status,
            ms=verdict.answer and verdict.answer.ms,
            diagnosis=verdict.fault or None,
        )

    # --- The checks

    def _log_in(self) -> Verdict:
        answer = self._user.get("hub/", token=self.login.token)
        self._remember(answer)
        self._answered_headers = answer.headers
        if answer.status == 200 and answer.kind == "HTML":
            self.response_ms = answer.ms
            return Verdict("200 with HTML", answer)
        local_time = self._manner.wall_clock()
        reasons: list[str] = []
        if answer.refused:
            find = functools.partial(
                _diagnosis.token_reasons, self.login.token, self.login.virtual_proxy, now=answer.date or local_time
            )
            self._hopeless = bool(find()) or _diagnosis.is_blocked_user(answer)
            reasons = find(leeway=0)
        fault = _diagnosis.failed_login(
            answer,
            prefix=self.login.prefix,
            host=self._host,
            virtual_proxy=self.login.virtual_proxy,
            reasons=reasons,
            local_time=local_time,
        )
        return Verdict("200 with HTML", answer, fault)

    def _remember(self, answer: Answer) -> None:
        self._cookies.update({cookie.name: cookie for cookie in answer.cookies})

    def _identify(self) -> Verdict:
        answer = self._user.who_am_i(token=self.login.token)
        self._remember(answer)
        self._signed_in = answer.user
        expected = self.login.user
        fault = ""
        if not same_user(answer.user, expected):
            fault = _diagnosis.wrong_identity(answer, expected=expected, virtual_proxy=self.login.virtual_proxy)
        actual = shown(answer.user) if answer.kind == "JSON" else ""
        return Verdict(shown(expected), answer, fault, actual)

    def _come_back_with_cookie(self) -> Verdict:
        if not self._user.has_cookies:
            answer = Answer(status=200, ms=0)
            return Verdict("a session cookie", answer, _cookie.no_usable_cookie(list(self._cookies.values())), "none")
        page = self._user.get("hub/")
        expected = f"200 with HTML, as {shown(self._signed_in)}"
        if page.status != 200 or page.kind != "HTML":
            return Verdict(expected, page, _cookie.COOKIE_REFUSED)
        who = self._user.who_am_i()
        if not same_user(who.user, self._signed_in):
            return Verdict(expected, who, _cookie.COOKIE_REFUSED, f"200 with HTML, as {shown(who.user)}")
        return Verdict(expected, page._replace(ms=page.ms + who.ms), actual=f"200 with HTML, as {shown(who.user)}")

    def _compare_cookie(self) -> Verdict:
        expected, actual, faults = _cookie.cookie_faults(
            list(self._cookies.values()),
            https=self.login.proxy.startswith("https:"),
            virtual_proxy=self.login.virtual_proxy,
        )
        return Verdict(expected, None, _cookie.cookie_advice(faults), actual)

    def _compare_headers(self) -> Verdict:
        if not self._declared_headers:
            raise UntestableError("no additional_response_headers are known")
        faults = _answer_headers.header_faults(self._declared_headers, self._answered_headers)
        expected = "; ".join(f"{name}: {value}" for name, value in self._declared_headers)
        return Verdict(expected, None, _answer_headers.header_advice(faults), "; ".join(faults) or "all of them")

    def _try_hosts(self) -> Verdict:
        """The names on the host allow list lead to our session, and another name does not.

        Qlik help, "Virtual proxies": all host names by which the virtual proxy is used have to be on the list. What
        answers others is reported as 400 or 403 (qlik-sense-mcp, docs/AUTH_JWT.md; Qlik Community).
        """
        hosts = self.login.virtual_proxy.fields.get("websocket_cross_origin_white_list")
        if hosts is None:
            raise UntestableError("no host allow list is known")
        if not self._user.has_cookies:
            raise UntestableError("there is no session cookie to try it with")
        expected = ", ".join([*hosts, "no other name"])
        for host in hosts:
            answer = self._as_known_by(host)
            if not same_user(answer.user, self._signed_in):
                return Verdict(expected, answer, _diagnosis.host_is_refused(host), f"{answer} for {host}")
        answer = self._as_known_by(_STRANGE_HOST)
        if same_user(answer.user, self._signed_in):
            return Verdict(expected, answer, _diagnosis.HOST_ACCEPTED, f"{answer} for {_STRANGE_HOST}")
        if answer.status >= 500 or answer.status == 429:
            return Verdict(expected, answer, _diagnosis.not_a_refusal(answer), f"{answer} for {_STRANGE_HOST}")
        return Verdict(expected, answer, actual=f"all of them; {answer.status} for another name")

    def _as_known_by(self, host: str) -> Answer:
        """For whom the proxy takes us with the cookies of our session and another host name."""
        try:
            return self._stranger.who_am_i(cookies=self._user.cookies, host=host)
        finally:
            if self._stranger.has_cookies:
                self._strays.append(self._stranger.take_cookies())

    def _open_websocket(self) -> Verdict:
        if not _websocket.AVAILABLE:
            raise UntestableError("the Python package websocket-client is not installed")
        if not self._user.has_cookies:
            raise UntestableError("there is no session cookie to open it with")
        greeting = self._user.open_websocket(token=self.login.token)
        fault = greeting_fault(
            greeting, expected=self._signed_in, host=self._host, virtual_proxy=self.login.virtual_proxy
        )
        answer = Answer(status=greeting.status, ms=greeting.ms)
        return Verdict(f"OnConnected, as {shown(self._signed_in)}", answer, fault, str(greeting))

    def _must_be_refused(self, name: str, token: str | None) -> Verdict:
        answer = self._stranger.get("hub/", token=token)
        try:
            return self._refusal(name, token, answer)
        finally:
            if self._stranger.has_cookies:
                self._strays.append(self._stranger.take_cookies())

    def _refusal(self, name: str, token: str | None, answer: Answer) -> Verdict:
        anonymous = _diagnosis.allows_anonymous(self.login.virtual_proxy)
        expected = "200 as an anonymous user" if anonymous and not token else "401"
        if answer.refused and (token or not anonymous):
            return Verdict(expected, answer)
        if answer.status != 200:
            fault = _diagnosis.ANONYMOUS_REFUSED if answer.refused else _diagnosis.not_a_refusal(answer)
            return Verdict(expected, answer, fault)
        # Where everybody may come in, a bad token may do so too, but not as somebody.
        user = self._stranger.who_am_i(token=token).user
        claims = inspect_token(token)["claims"] if token else {}
        claimed = _diagnosis.expected_user(claims, self.login.virtual_proxy)
        actual = f"200 with {answer.kind}, as {shown(user)}"
        if same_user(user, self.login.user) or same_user(user, claimed):
            return Verdict(expected, answer, _diagnosis.accepted_although(name), actual)
        if anonymous:
            return Verdict(expected, answer, actual=actual)
        fault = _diagnosis.ANONYMOUS_ACCEPTED if _diagnosis.is_anonymous(user) else _diagnosis.OPEN_PAGE
        return Verdict(expected, answer, fault, actual)

    def _try_given_token(self, name: str) -> Verdict:
        if name not in self.login.to_be_refused:
            raise UntestableError(f"no {GIVEN_TOKENS[name]} was given")
        return self._must_be_refused(name, self.login.to_be_refused[name])

    def _stay_out(self) -> Verdict:
        answer = self._user.get("hub/", token=self.login.token)
        return Verdict("400, 404 or a redirect to a login", answer, _diagnosis.still_linked(answer))

    def _log_out(self) -> Verdict:
        if not self._user.has_cookies:
            raise UntestableError("there was no session")
        cookies = self._user.take_cookies()
        answer = self._user.log_out(cookies)
        after = self._user.who_am_i(cookies=cookies)
        expected = "200 or 204, and the cookie is worth nothing any more"
        if same_user(after.user, self._signed_in):
            return Verdict(expected, answer, _diagnosis.STILL_SIGNED_IN, f"{answer}; the cookie is still accepted")
        # 401 or 403: the logout of another login of the same user was faster and ended this session as well.
        if answer.status not in (200, 204) and not answer.refused:
            return Verdict(expected, answer, _diagnosis.not_a_refusal(answer))
        return Verdict(expected, answer, actual=f"{answer.status}, and the cookie is refused")

    @property
    def _host(self) -> str:
        return urllib.parse.urlsplit(self.login.proxy).hostname or ""

    @property
    def _user_claim(self) -> str:
        return self.login.virtual_proxy.user_id_claim


def _not_tried() -> t.NoReturn:
    raise UntestableError("not tried, because the login itself failed")


def _left_out() -> t.NoReturn:
    raise UntestableError("left out, as told to")


def _check(
    name: str,
    status: t.Literal["passed", "failed", "skipped"],
    *,
    expected: str = "",
    actual: str = "",
    status_code: int | None = None,
    ms: int | None = None,
    diagnosis: str | None = None,
) -> Check:
    return {
        "name": name,
        "status": status,
        "expected": expected,
        "actual": actual,
        "status_code": status_code,
        "ms": ms,
        "diagnosis": diagnosis,
    }


def _tokens(login: Login) -> list[str]:
    """The tokens and their longer parts."""
    tokens = [login.token, *login.to_be_refused.values()]
    return tokens + [part for token in tokens for part in token.split(".") if len(part) > 16]


def _said_about_user(login: Login) -> list[str]:
    """What the claims of the token tell beyond the user's name."""
    known = "\\".join(login.user).casefold()
    said: list[str] = []
    todo: list[t.Any] = [inspect_token(login.token)["claims"]]
    while todo:
        value = todo.pop()
        if isinstance(value, dict):
            todo += value.values()
        elif isinstance(value, list):
            todo += value
        elif isinstance(value, str) and value.casefold() not in known:
            said.append(value)
    return said
