# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes wrong on the way, by plan: lost connections, lost answers, errors, delays."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import re
import typing as t

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .answers import disconnect
from .journal import is_control

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


class FaultPlan:
    """The faults of a site, with what they have counted so far.

    Args:
        faults: in the order in which they get their chance; the first that is due hits.
    """

    def __init__(self, faults: t.Sequence[Fault] = ()) -> None:
        self._counts: list[list[t.Any]] = []
        self.replace(faults)

    def replace(self, faults: t.Sequence[Fault]) -> None:
        """Another plan; every count starts again."""
        self._counts = [[fault, 0] for fault in faults]
        self._arrived = {id(fault): 0 for fault in faults}
        self._waiting = {id(fault): asyncio.Event() for fault in faults}

    def due(self, scope: Scope) -> Fault | None:
        """Count a request, and say what happens to it."""
        hit: Fault | None = None
        for entry in self._counts:
            fault: Fault = entry[0]
            if fault.waits_for(scope):
                self._arrived[id(fault)] += 1
                if self._arrived[id(fault)] >= fault.until_count:
                    self._waiting[id(fault)].set()
            if fault.matches(scope):
                entry[1] += 1
                if hit is None and entry[1] >= fault.nth and (not fault.times or entry[1] < fault.nth + fault.times):
                    hit = fault
        return hit

    def applied(self, app: ASGIApp) -> ASGIApp:
        """The same application, with things going wrong. Requests for the simulator itself are spared."""

        async def faulty(scope: Scope, receive: Receive, send: Send) -> None:
            fault = None if scope["type"] != "http" or is_control(scope) else self.due(scope)
            if fault is None:
                await app(scope, receive, send)
            elif fault.action == "hold":
                waiting = self._waiting[id(fault)]
                received = await _received(receive)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(waiting.wait(), fault.seconds)
                await app(scope, _again(received, receive), send)
            else:
                await _happen(fault, app, scope, receive, send)

        return faulty


async def _happen(fault: Fault, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Carry out one fault on one request."""
    match fault.action:
        case "drop_before":
            await disconnect(scope, receive, send)
        case "drop_after":

            async def unsent(_message: Message) -> None:
                return None

            await app(scope, receive, unsent)
            await disconnect(scope, receive, send)
        case "truncate":
            await app(scope, receive, _cut(send))
            # What was written has to get out before the connection ends: closed, not aborted.
            scope["state"]["transport"].close()
        case "status":
            headers = [(b"content-type", fault.content_type.encode()), (b"content-length", _length(fault.body))]
            headers += [(name.lower().encode(), value.encode()) for name, value in fault.headers.items()]
            await send({"type": "http.response.start", "status": fault.status, "headers": headers})
            await send({"type": "http.response.body", "body": fault.body.encode()})
        case "delay":
            received = await _received(receive)
            await asyncio.sleep(fault.seconds)
            await app(scope, _again(received, receive), send)


async def _received(receive: Receive) -> list[Message]:
    """The request's body: it has arrived, also when the caller does not wait for the answer."""
    messages = [await receive()]
    while messages[-1].get("more_body"):
        messages.append(await receive())
    return messages


def _again(messages: list[Message], receive: Receive) -> Receive:
    async def again() -> Message:
        return messages.pop(0) if messages else await receive()

    return again


def _length(body: str) -> bytes:
    return str(len(body.encode())).encode()


def _cut(send: Send) -> Send:
    """Sends the head and half of the first piece of the body, and nothing else."""
    done = False

    async def cut(message: Message) -> None:
        nonlocal done
        if message["type"] == "http.response.start":
            await send(message)
        elif not done:
            done = True
            body: bytes = message.get("body", b"")
            await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})

    return cut
