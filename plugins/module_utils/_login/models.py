# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""Input and results of login checks. Pure, no I/O."""

from __future__ import annotations

import dataclasses
import time
import typing as t

from .._keys.jose import inspect_token
from .._virtual_proxy.model import VirtualProxy

if t.TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from .._http.qps import QpsClient


class SkipCheck(Exception):  # noqa: N818 -- an outcome, not an error
    """A check is skipped. The message is the reason."""


class Outcome(t.NamedTuple):
    """Outcome of a check.

    Attributes:
        expected: the expected answer.
        actual: the actual answer.
        fault: the diagnosis, "" if the check passed.
        status_code: HTTP status of the answer, if there was one.
        ms: response time in milliseconds, if there was an answer.
    """

    expected: str
    actual: str
    fault: str = ""
    status_code: int | None = None
    ms: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class CheckResult:
    """Result of one check, as the module returns it."""

    name: str
    title: str
    status: t.Literal["passed", "failed", "skipped"]
    expected: str = ""
    actual: str = ""
    status_code: int | None = None
    ms: int | None = None
    diagnosis: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Login:
    """One login at one proxy.

    Attributes:
        proxy: base URL of the proxy, without a trailing slash.
        prefix: of the virtual proxy.
        token: to sign in with.
        negative_tokens: tokens of the same user that must be refused, by the name of their check.
        user: directory and id of the expected user, "" if they are not known.
        virtual_proxy: settings of the virtual proxy as far as they are known.
        linked: True if the virtual proxy is linked to this proxy. If not, the only check is that it is unknown there.
    """

    proxy: str
    prefix: str
    token: str
    negative_tokens: t.Mapping[str, str]
    user: tuple[str, str]
    virtual_proxy: VirtualProxy
    linked: bool = True

    @property
    def claims(self) -> dict[str, t.Any]:
        """Return the claims of the token."""
        return inspect_token(self.token)["claims"]

    @property
    def secrets(self) -> list[str]:
        """Return the tokens and their longer parts."""
        tokens = [self.token, *self.negative_tokens.values()]
        return tokens + [part for token in tokens for part in token.split(".") if len(part) > 16]

    @property
    def private_values(self) -> list[str]:
        """Return the values in the claims of the token except the name of the user."""
        known = "\\".join(self.user).casefold()
        found: list[str] = []
        todo: list[t.Any] = [self.claims]
        while todo:
            value = todo.pop()
            if isinstance(value, dict):
                todo += value.values()
            elif isinstance(value, list):
                todo += value
            elif isinstance(value, str) and value.casefold() not in known:
                found.append(value)
        return found


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Options of a run.

    Attributes:
        verify: as for HttpClient.
        timeout: seconds for a connection and for an answer.
        wait: seconds to retry, for all logins together; 0 tries once.
        threads: number of logins that are checked at the same time.
        foreign_key: an RSA key that no virtual proxy knows, for tokens that must be refused.
        skip: names of checks to skip.
        http_proxy: as for HttpClient.
        session_apis: opens the APIs (QPS) that may know the sessions of a virtual proxy on a proxy, by its prefix and
            the base URL of the proxy. The caller must close them.
        no_session_apis: the reason if there are none.
        clock: monotonic seconds.
        wall_clock: seconds since 1970.
        sleep: waits a number of seconds.
    """

    verify: bool | str
    timeout: tuple[float, float]
    wait: float
    threads: int
    foreign_key: RSAPrivateKey
    skip: frozenset[str] = frozenset()
    http_proxy: str | None = None
    session_apis: t.Callable[[str, str], t.Sequence[QpsClient]] = lambda _prefix, _proxy: ()
    no_session_apis: str = "no qps_urls were given"
    clock: t.Callable[[], float] = time.monotonic
    wall_clock: t.Callable[[], float] = time.time
    sleep: t.Callable[[float], None] = time.sleep
