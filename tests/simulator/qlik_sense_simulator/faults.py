# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The faults of a site file: dropped connections, lost responses, errors and delays."""

from __future__ import annotations

import re
import typing as t

import msgspec
from starlette.types import Scope

Action = t.Literal["drop_before", "drop_after", "status", "truncate", "delay", "hold"]


_Count = t.Annotated[int, msgspec.Meta(ge=1)]
_HeaderText = t.Annotated[str, msgspec.Meta(pattern=r"\A[\x20-\x7e]*\Z")]


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A fault: which requests it matches, and what happens to them.

    Args:
        action: drop_before closes the connection before the request is handled; drop_after handles the request and
            closes the connection without a response; truncate closes it in the middle of the response; status responds
            with an error and does not handle the request; delay handles the request later; hold handles it once other
            requests have arrived.
        port: "qrs", "proxy:<node>" or "qps:<node>"; any if not given.
        method: any if not given.
        path: a regular expression that must match a part of the path as received (case ignored).
        nth: the first matching request that is affected, counted from 1.
        times: how many consecutive matching requests are affected; 0 for all of them.
        status: the status of the error.
        body: its body.
        content_type: its Content-Type.
        headers: its other headers.
        seconds: the length of the delay; with hold, the longest wait.
        until_method: the method of the requests that hold waits for; any if not given.
        until_path: a regular expression for their paths.
        until_count: how many of them must have arrived since the plan was set.
    """

    action: Action
    port: str | None = None
    method: str | None = None
    path: str = ""
    nth: _Count = 1
    times: t.Annotated[int, msgspec.Meta(ge=0)] = 1
    status: t.Annotated[int, msgspec.Meta(ge=200, le=599)] = 503
    body: str = ""
    content_type: t.Annotated[_HeaderText, msgspec.Meta(min_length=1)] = "text/plain; charset=utf-8"
    headers: dict[_HeaderText, _HeaderText] = msgspec.field(default_factory=dict)
    seconds: t.Annotated[float, msgspec.Meta(ge=0, le=3600)] = 0.0
    until_method: str | None = None
    until_path: str = ""
    until_count: _Count = 1

    def __post_init__(self) -> None:
        for name, pattern in (("path", self.path), ("until_path", self.until_path)):
            try:
                re.compile(pattern)
            except re.error:
                raise ValueError(f"{name} should be a regular expression, not {pattern!r}") from None

    def matches(self, scope: Scope) -> bool:
        """Return True if this fault counts a request."""
        return self.port in (None, scope["state"]["port"]) and _matches(scope, self.method, self.path)

    def waits_for(self, scope: Scope) -> bool:
        """Return True if hold waits for a request."""
        return self.action == "hold" and _matches(scope, self.until_method, self.until_path)


def _matches(scope: Scope, method: str | None, path: str) -> bool:
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return (method is None or method.upper() == scope["method"]) and re.search(
        path, raw.decode("latin-1"), re.IGNORECASE
    ) is not None
