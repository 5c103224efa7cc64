# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes wrong on the way, by plan: lost connections, lost answers, errors, delays."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from starlette.types import Scope

Action = t.Literal["drop_before", "drop_after", "status", "truncate", "delay", "hold"]


class FaultError(ValueError):
    """A fault plan that makes no sense. The message says why and what is known."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that goes wrong.

    Args:
        action: drop_before closes the connection instead of doing anything; drop_after does everything and closes it
            instead of answering; truncate closes it in the middle of the answer; status answers with an error instead
            of doing anything; delay does everything, later; hold does everything once other requests have arrived.
        port: "qrs", "proxy:<node>" or "qps:<node>"; any when not given.
        method: any when not given.
        path: a regular expression that has to be found in the path as received (case ignored).
        nth: the first matching request that is hit, counted from 1.
        times: how many matching requests in a row are hit; 0 for all from there on.
        status: the status of the error.
        body: its body.
        content_type: its Content-Type.
        headers: its other headers.
        seconds: the length of the delay; with hold, how long it waits at most.
        until_method: the method of the requests that hold waits for; any when not given.
        until_path: a regular expression for their paths.
        until_count: how many of them have to have arrived since the plan was set.
    """

    action: Action
    port: str | None = None
    method: str | None = None
    path: str = ""
    nth: int = 1
    times: int = 1
    status: int = 503
    body: str = ""
    content_type: str = "text/plain; charset=utf-8"
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    seconds: float = 0.0
    until_method: str | None = None
    until_path: str = ""
    until_count: int = 1

    @classmethod
    def from_mapping(cls, values: object) -> Fault:
        """Check and take over what a site file or PUT /simulator/faults says.

        Raises:
            FaultError: for unknown names and values that are no use.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        if not isinstance(values, dict):
            raise FaultError(f"A fault takes a mapping of names to values, not {values!r}.")
        unknown = [str(name) for name in values if name not in known]
        if unknown:
            raise FaultError(f"Unknown in a fault: {', '.join(unknown)}. Known are: {', '.join(known)}.")
        if values.get("action") not in t.get_args(Action):
            raise FaultError(
                f"A fault's action cannot be {values.get('action')!r}. Known are: {', '.join(t.get_args(Action))}."
            )
        for name, check in _CHECKS.items():
            if name in values and not check(values[name]):
                raise FaultError(f"A fault's {name} cannot be {values[name]!r}.")
        return cls(**values)

    def matches(self, scope: Scope) -> bool:
        """Whether a request is of the kind that this fault counts."""
        return self.port in (None, scope["state"]["port"]) and _matches(scope, self.method, self.path)

    def waits_for(self, scope: Scope) -> bool:
        """Return True if a request is of the kind that hold waits for."""
        return self.action == "hold" and _matches(scope, self.until_method, self.until_path)


def _matches(scope: Scope, method: str | None, path: str) -> bool:
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return (method is None or method.upper() == scope["method"]) and re.search(
        path, raw.decode("latin-1"), re.IGNORECASE
    ) is not None


def _is_pattern(value: object) -> bool:
    try:
        re.compile(t.cast("str", value))
    except (re.error, TypeError):
        return False
    return isinstance(value, str)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_header_mapping(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(part, str) and re.fullmatch(r"[\x20-\x7e]*", part) for pair in value.items() for part in pair
    )


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_CHECKS: dict[str, t.Callable[[t.Any], bool]] = {
    "port": lambda value: value is None or _is_text(value),
    "method": lambda value: value is None or _is_text(value),
    "path": _is_pattern,
    "nth": lambda value: _is_integer(value) and value >= 1,
    "times": lambda value: _is_integer(value) and value >= 0,
    "status": lambda value: _is_integer(value) and 200 <= value <= 599,
    "body": _is_text,
    "content_type": lambda value: _is_text(value) and re.fullmatch(r"[\x20-\x7e]+", value) is not None,
    "headers": _is_header_mapping,
    "until_method": lambda value: value is None or _is_text(value),
    "until_path": _is_pattern,
    "until_count": lambda value: _is_integer(value) and value >= 1,
    "seconds": lambda value: (_is_integer(value) or isinstance(value, float)) and 0 <= value <= 3600,
}
