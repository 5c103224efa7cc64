# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine's own port: websockets and the health check, for clients with a certificate and without a proxy."""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from .. import addresses
from ..repository.access import identify
from ..repository.refusals import RefusedError
from . import hub_api
from .engine import Engine, notification
from .identity import Identity
from .websocket import UNSUPPORTED, find_target

if t.TYPE_CHECKING:
    from ..repository.store import Store
    from ..site import Site


@dataclasses.dataclass(frozen=True, kw_only=True)
class EnginePort:
    """The ASGI application behind a node's engine port.

    Args:
        site: its release.
        store: its users.
    """

    site: Site
    store: Store

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] not in ("http", "websocket"):
            return
        try:
            identity = self._identity(HTTPConnection(scope))
            segments = addresses.segments(scope)
        except (RefusedError, addresses.BadRequestError) as error:
            status = error.status if isinstance(error, RefusedError) else 400
            await PlainTextResponse(str(error), status)(scope, receive, send)
            return
        if scope["type"] == "websocket" and find_target(segments):
            await self._talk(WebSocket(scope, receive, send), Engine(self.site, identity))
            return
        answer: Response | None = None
        # EVIDENCE(A; Qlik help, HealthCheckStatus): the port serves healthcheck without a prefix
        if scope["type"] == "http" and [one.lower() for one in segments][-1:] == ["healthcheck"]:
            answer = hub_api.answer("engine/healthcheck", identity=identity, user={}, site=self.site)
        await (answer or PlainTextResponse("Not Found", 404))(scope, receive, send)

    def _identity(self, connection: HTTPConnection) -> Identity:
        # EVIDENCE(A; @qlik/api 2.19, authType pfx; enigma.js, examples with certificates): with a client certificate,
        # the header X-Qlik-User names the user
        # INVENTED(switch=none): it is read as at the repository
        caller = identify(connection.scope, connection.headers, self.store)
        user_directory, _backslash, user_id = caller.name.partition("\\")
        return Identity(user_directory=user_directory, user_id=user_id)

    async def _talk(self, socket: WebSocket, engine: Engine) -> None:
        # EVIDENCE(A; Qlik help, "Messages from proxy to clients"): OnAuthenticationInformation is a message of the
        # proxy
        # INVENTED(switch=none): the engine begins with OnConnected, and each websocket has a session of its own
        await socket.accept()
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):  # the client closed the connection
            await socket.send_text(notification("OnConnected", qSessionState="SESSION_CREATED"))
            while True:
                message = await socket.receive()
                if message["type"] == "websocket.disconnect":
                    return
                if message.get("text") is None:
                    await socket.close(UNSUPPORTED)
                    return
                await socket.send_text(engine.answer(message["text"]))
