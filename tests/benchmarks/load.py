# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Simulated users: they log in with a token, send requests with the session cookie, and log out. Loopback only."""

from __future__ import annotations

import collections
import dataclasses
import itertools
import threading
import time
import typing as t
import urllib.parse
from pathlib import Path

import jwt
import requests

REQUESTS_A_VISIT = 10  # one login, the rest on the cookie, the last of them the logout
TOKEN_SECONDS = 120
_TIMEOUT = 60.0
_MARGIN = 0.5  # seconds around a window that still belong to it: probes are not continuous


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The outcome of one request.

    Args:
        began: seconds on the monotonic clock.
        ended: likewise.
        kind: login, cookie or logout.
        problem: the problem of the answer, empty for none.
        cookie: name of the session cookie that a login got.
        visit: when the session began, on the same clock.
    """

    began: float
    ended: float
    kind: str
    problem: str
    cookie: str
    visit: float


class Issuer:
    """Signer of tokens with the key that a symbolic link points to, as a portal would be.

    Args:
        link: path of the private key, which is read for each token.
    """

    def __init__(self, link: Path) -> None:
        self._link = link

    def token(self, user: str) -> str:
        """Return a token for a user of the directory LOAD."""
        now = int(time.time())
        claims = {"userId": user, "userDirectory": "LOAD", "iat": now - 30, "nbf": now - 30, "exp": now + TOKEN_SECONDS}
        return jwt.encode(claims, self._link.read_bytes(), algorithm="RS256")


class Load:
    """A number of users, each in a thread.

    A token is as old as a whole session when it is used, so that tokens of the old key are also sent after the switch.
    Each request has its own connection, because only a browser repeats a request on a connection that just closed.

    Args:
        url: of the public path, with a slash at the end.
        issuer: of the tokens.
        ca: certificates to verify the server with.
        users: number of users.
        rate: requests a second, all together.
        limit: seconds, and requests, after which it ends in any case.
    """

    def __init__(
        self, *, url: str, issuer: Issuer, ca: Path, users: int, rate: float, limit: tuple[float, int]
    ) -> None:
        if urllib.parse.urlsplit(url).hostname not in ("localhost", "127.0.0.1"):
            raise ValueError("The load is for loopback only.")
        self.outcomes: list[Outcome] = []
        self._url = url
        self._issuer = issuer
        self._ca = ca
        self._pause = users / rate
        self._limit = limit
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(number,)) for number in range(users)]
        self._started = 0.0

    def __enter__(self) -> t.Self:
        self._started = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _work(self, number: int) -> None:
        user = f"user{number}"
        token = self._issuer.token(user)
        self._wait(number * self._pause / len(self._threads))
        while not self._over.is_set():
            following = self._issuer.token(user)
            self._visit(user, token)
            token = following

    def _visit(self, user: str, token: str) -> None:
        visit = time.monotonic()
        with requests.Session() as session:
            session.trust_env = False
            session.verify = str(self._ca)
            session.headers["Connection"] = "close"
            for number in itertools.count(1):
                due = time.monotonic() + self._pause
                kind = "login" if number == 1 else "logout" if number == REQUESTS_A_VISIT else "cookie"
                began = time.monotonic()
                problem = self._request(session, kind, user, token)
                cookies = [cookie.name for cookie in session.cookies if cookie.name.startswith("X-Qlik-Session")]
                self.outcomes.append(Outcome(began, time.monotonic(), kind, problem, "".join(cookies[:1]), visit))
                if time.monotonic() - self._started > self._limit[0] or len(self.outcomes) >= self._limit[1]:
                    self._over.set()
                self._wait(due - time.monotonic())
                if problem or kind == "logout" or self._over.is_set():
                    return  # who was thrown out comes back with the next token

    def _request(self, session: requests.Session, kind: str, user: str, token: str) -> str:
        """Send one request; what was wrong with the answer, empty for nothing."""
        try:
            if kind == "login":
                header = {"Authorization": f"Bearer {token}"}
                answer = session.get(f"{self._url}hub/", headers=header, timeout=_TIMEOUT)
                right = answer.status_code == 200 and "html" in answer.headers.get("Content-Type", "")
            elif kind == "logout":
                answer = session.delete(f"{self._url}qps/user", timeout=_TIMEOUT)
                right = answer.status_code in (200, 204)
            else:
                answer = session.get(f"{self._url}qps/user", timeout=_TIMEOUT)
                right = answer.status_code == 200 and answer.json().get("userId") == user
        except (requests.RequestException, ValueError) as error:
            return type(error).__name__
        return "" if right else "not signed in" if answer.status_code == 200 else str(answer.status_code)

    def _wait(self, seconds: float) -> None:
        self._over.wait(max(0.0, seconds))


class Watch:
    """Recorder of the times without an answer of each proxy, with direct requests that are not measured.

    Args:
        proxies: base URLs.
        ca: certificates to verify them with.
    """

    def __init__(self, proxies: t.Sequence[str], ca: Path) -> None:
        self.windows: list[tuple[float, float]] = []
        self._ca = ca
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._look, args=(proxy,)) for proxy in proxies]

    def __enter__(self) -> t.Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _look(self, proxy: str) -> None:
        with requests.Session() as session:
            session.trust_env = False
            session.verify = str(self._ca)
            last_answer = time.monotonic()
            away = False
            while not self._over.wait(0.05):
                try:
                    gone = session.get(f"{proxy}/", allow_redirects=False, timeout=_TIMEOUT).status_code == 503
                except requests.RequestException:
                    gone = True
                if away and not gone:
                    self.windows.append((last_answer, time.monotonic()))
                if not gone:
                    last_answer = time.monotonic()
                away = gone

    def covers(self, began: float, ended: float) -> bool:
        """Return True if a proxy did not answer at some time in between."""
        return any(began < end + _MARGIN and ended > start - _MARGIN for start, end in self.windows)


@dataclasses.dataclass(frozen=True)
class Figures:
    """The results of a load.

    Args:
        requests: number of requests.
        rate: requests per second.
        failed: failed requests while all proxies answered.
        in_windows: failed requests while a proxy did not answer.
        lost: sessions lost on a proxy that had not answered.
        problems: problems of the failed requests, with their counts.
        logins: by name of the session cookie.
    """

    requests: int
    rate: float
    failed: int
    in_windows: int
    lost: int
    problems: dict[str, int]
    logins: dict[str, int]


def figures(outcomes: t.Sequence[Outcome], watch: Watch | None = None) -> Figures:
    """Return the results of a load."""
    wrong = [one for one in outcomes if one.problem]
    inside = [one for one in wrong if watch and watch.covers(one.began, one.ended)]
    rest = [one for one in wrong if one not in inside]
    lost = [one for one in rest if one.kind != "login" and watch and watch.covers(one.visit, one.ended)]
    failed = [one for one in rest if one not in lost]
    seconds = max(one.ended for one in outcomes) - min(one.began for one in outcomes)
    return Figures(
        requests=len(outcomes),
        rate=len(outcomes) / seconds,
        failed=len(failed),
        in_windows=len(inside),
        lost=len(lost),
        problems=dict(collections.Counter(f"{one.kind}: {one.problem}" for one in failed)),
        logins=dict(collections.Counter(one.cookie for one in outcomes if one.kind == "login" and not one.problem)),
    )
