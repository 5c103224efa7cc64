# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fault injection: apply the faults of a plan to the requests that they match."""

from __future__ import annotations

import asyncio
import contextlib
import typing as t

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .connections import disconnect
from .faults import Fault
from .request_log import is_control


class FaultPlan:
    """The faults of a site and the counts of their requests.

    Args:
        faults: in their order of precedence; the first that applies to a request is used.
    """

    def __init__(self, faults: t.Sequence[Fault] = ()) -> None:
        self._counts: list[list[t.Any]] = []
        self.replace(faults)

    def replace(self, faults: t.Sequence[Fault]) -> None:
        """Replace the plan and reset all counts."""
        self._counts = [[fault, 0] for fault in faults]
        self._arrived = {id(fault): 0 for fault in faults}
        self._waiting = {id(fault): asyncio.Event() for fault in faults}

    def due(self, scope: Scope) -> Fault | None:
        """Count a request and return the fault that applies to it."""
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
        """Return the application with faults injected. Requests below /simulator are exempt."""

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
    """Apply one fault to one request."""
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
            # close() and not abort(), so that the data that was written is sent.
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
    """Read the whole request body, so that it has arrived even if the caller does not wait for the response."""
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
    """Return a sender that sends the head and half of the first body chunk, and nothing else."""
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
