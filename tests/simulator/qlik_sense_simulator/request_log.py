# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The request log, for tests that count requests, writes and connections."""

from __future__ import annotations

import collections
import re
import typing as t

from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTROL_PATH = "/simulator"
_LIMIT = 100_000
# These values authenticate their owner, so they are not logged.
_SECRETS = re.compile(r"(?i)\b(qlikticket|qlik-csrf-token)=[^&]*")
_SESSION_PATH = re.compile(r"(?i)(/qps/(?:[^/]+/)?session/)[^/]+")  # a session's identifier is the value of its cookie


class RequestLog:
    """The requests in the order of their arrival. The log holds the last hundred thousand."""

    def __init__(self) -> None:
        self._entries: collections.deque[dict[str, t.Any]] = collections.deque(maxlen=_LIMIT)

    def entries(self) -> list[dict[str, t.Any]]:
        """Return copies of the entries, oldest first.

        Each has port, method, path and query (as received), connection (numbered over all ports) and status, which
        is None while the request is being answered and when the connection ended without an answer.
        """
        return [dict(entry) for entry in self._entries]

    def recording(self, app: ASGIApp) -> ASGIApp:
        """Return the application with its requests logged. The simulator's own paths are omitted."""

        async def recorded(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] not in ("http", "websocket") or is_control(scope):
                await app(scope, receive, send)
                return
            raw: bytes = scope.get("raw_path") or scope["path"].encode()
            entry: dict[str, t.Any] = {
                "port": scope["state"]["port"],
                "method": scope.get("method", "WEBSOCKET"),
                "path": _SESSION_PATH.sub(r"\1***", raw.decode("latin-1")),
                "query": _SECRETS.sub(r"\1=***", scope["query_string"].decode("latin-1")),
                "status": None,
                "connection": scope["state"]["connection"],
            }
            self._entries.append(entry)

            async def send_and_note(message: Message) -> None:
                if message["type"] in ("http.response.start", "websocket.http.response.start"):
                    entry["status"] = message["status"]
                elif message["type"] == "websocket.accept":
                    entry["status"] = 101
                elif message["type"] == "websocket.close" and entry["status"] is None:
                    entry["status"] = 403
                await send(message)

            await app(scope, receive, send_and_note)

        return recorded


def is_control(scope: Scope) -> bool:
    """Return True if a request is for the simulator itself and not for the simulated site."""
    path: str = scope["path"].lower()
    return scope["state"]["port"] == "qrs" and (path == CONTROL_PATH or path.startswith(f"{CONTROL_PATH}/"))
