# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The websockets of a proxy: who may open one, the first message, and the engine until the session ends."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import secrets
import typing as t

from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from .. import addresses
from . import pages
from .answers import below
from .configuration import VirtualProxy
from .cookies import set_cookie
from .engine import Engine, notification
from .identity import Identity
from .sessions import Session
from .signin import SignIn, Visit, missing_credentials, query_value

if t.TYPE_CHECKING:
    from ..site import Node, Site

# EVIDENCE(A; Qlik support article ta-p/2509211): the proxy's log begins with "Cross-Site Websocket Hijacking attack
# prevention check failed." where an upgrade fails so
HIJACKING = "Cross-Site Websocket Hijacking attack prevention check failed."
# EVIDENCE(A; Qlik help, "Messages from proxy to clients"): OnLicenseAccessDenied has the text "Access to the app is
# denied: No available access type"
NO_ACCESS_TYPE = "Access to the app is denied: No available access type"
_NORMAL, UNSUPPORTED, _AWAY = 1000, 1003, 1001


@dataclasses.dataclass(frozen=True, kw_only=True)
class Websockets:
    """The upgrade of a request, and the messages after it.

    Args:
        site: release and switches.
        node: whose proxy this is.
        sign_in: the authentication.
    """

    site: Site
    node: Node
    sign_in: SignIn
    _open: dict[tuple[str, ...], int] = dataclasses.field(default_factory=dict)

    def answer(
        self,
        connection: HTTPConnection,
        virtual_proxy: VirtualProxy,
        rest: t.Sequence[str],
        refuse: t.Callable[[Visit], ASGIApp],
    ) -> ASGIApp:
        """Handle a request to upgrade.

        Args:
            connection: the request.
            virtual_proxy: the virtual proxy of the request, whose host name is allowed.
            rest: the path below the prefix.
            refuse: returns the proxy's response to credentials that are refused.
        """
        target = find_target(rest)
        if target is None:
            # INVENTED(switch=none): paths that are served over HTTP are no websockets: 404
            return pages.message(404, title="Not found")
        if not self._origin_is_allowed(connection, virtual_proxy):
            return PlainTextResponse(HIJACKING, 403)
        visit = self._visit(connection, virtual_proxy)
        if visit is None:
            # EVIDENCE(A; Qlik support article ta-p/2509211): since November 2024 an upgrade without the csrf token
            # fails
            # EVIDENCE(B; qlik-sense-mcp): that is a 403, also for a token in a header instead of the query
            return PlainTextResponse(HIJACKING, 403)
        # INVENTED(switch=websocket_asks_to_sign_in): on older releases, a websocket without any sign-in opens and
        # reports that the user must sign in; the help does not name the conditions
        if visit.session is None and (visit.presented or not self.site.switches.websocket_asks_to_sign_in):
            return refuse(dataclasses.replace(visit, refusal=visit.refusal or missing_credentials(virtual_proxy)))

        async def talk(scope: Scope, receive: Receive, send: Send) -> None:
            await self._talk(WebSocket(scope, receive, send), virtual_proxy, visit, target)

        return talk

    def _origin_is_allowed(self, connection: HTTPConnection, virtual_proxy: VirtualProxy) -> bool:
        """Return True if the Origin is a host of this node or on the host allow list."""
        origin = connection.headers.get("origin")
        wanted = self.site.switches.websocket_origin
        if wanted == "ignored":
            return True
        if origin is None:
            # EVIDENCE(A; @qlik/api 2.19, windowscookie in Node.js; gopherciser): Qlik's own clients open websockets
            # without an Origin
            # INVENTED(switch=websocket_origin): none is required; according to qlik-sense-mcp it is since November 2024
            return wanted == "checked" or not self.site.release.has("csrf")
        try:
            scheme, _separator, host = origin.partition("://")
            name = addresses.host_name(host) if scheme.lower() in ("http", "https") else ""
        except addresses.BadRequestError:
            return False
        # EVIDENCE(C; Qlik Community td-p/2539417): the host allow list decides about the Origin
        # INVENTED(switch=none): it does so on earlier releases, too, as the name websocketCrossOriginWhiteList suggests
        return bool(name) and addresses.host_is_allowed(
            name,
            allow_list=virtual_proxy.get("websocketCrossOriginWhiteList") or (),
            own=addresses.own_names(self.node.host_name, self.site.switches),
            by_suffix=self.site.switches.host_allow_list_match == "suffix",
        )

    def _visit(self, connection: HTTPConnection, virtual_proxy: VirtualProxy) -> Visit | None:
        """Authenticate the request, or return None if the protection against hijacking refuses it."""
        if not self.site.release.has("csrf"):
            # EVIDENCE(A; gopherciser, enigma.js example): before November 2024 the Authorization header alone signs in
            # EVIDENCE(B; qlik-sense-mcp): a csrf token in the query is ignored there
            return self.sign_in.visit(connection, virtual_proxy)
        authorization = self.site.switches.websocket_authorization
        # INVENTED(switch=websocket_authorization): since then an Authorization header is ignored; users report a
        # refusal, and Qlik's own example sends it along
        if authorization == "refused" and "authorization" in connection.headers:
            return None
        token = query_value(connection.query_params, "qlik-csrf-token") or ""
        session = self.sign_in.session_of_cookie(connection, virtual_proxy)
        visit: Visit | None = Visit(session=session) if session else None
        if authorization == "allowed" and "authorization" in connection.headers:
            visit = self._visit_by_header(connection, virtual_proxy, token)
        if visit is None or visit.session is None:
            return visit
        return visit if secrets.compare_digest(token.encode(), visit.session.csrf_token.encode()) else None

    def _visit_by_header(self, connection: HTTPConnection, virtual_proxy: VirtualProxy, token: str) -> Visit | None:
        """Find the session of the user in the Authorization header. No session is created here."""
        # INVENTED(switch=websocket_authorization): what the header means next to the token, if it counts
        presented = self.sign_in.credentials(connection, virtual_proxy)
        if not isinstance(presented, Identity):
            return Visit(presented=True, refusal=presented) if presented else None
        sessions = self.sign_in.sessions.of_virtual_proxy(virtual_proxy["id"], identity=presented)
        return next((Visit(session=session) for session in sessions if session.csrf_token == token), None)

    async def _talk(
        self, socket: WebSocket, virtual_proxy: VirtualProxy, visit: Visit, target: tuple[str, ...]
    ) -> None:
        """Handle one websocket from its acceptance to its end."""
        await socket.receive()
        headers = []
        if visit.session and visit.created:
            cookie = set_cookie(
                virtual_proxy,
                value=visit.session.session_id,
                https=socket.url.scheme == "wss",
                http_suffix=self.sign_in.http_suffix,
            )
            headers = [(b"set-cookie", cookie.encode())] if cookie else []
        await socket.accept(headers=headers)
        early: str | None = None
        if self.site.switches.websocket_greeting == "first_message":
            # INVENTED(switch=websocket_greeting): OnAuthenticationInformation comes at once; according to the help it
            # may come only after the client's first message
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            early = message.get("text")
        base = f"{'https' if socket.url.scheme == 'wss' else 'http'}://{socket.headers['host']}"
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):  # the client closed the connection
            if visit.session is None:
                # EVIDENCE(A; Qlik help, "Messages from proxy to clients"): OnAuthenticationInformation has loginUri and
                # mustAuthenticate true without a session
                uri = base + below(virtual_proxy, "hub/")
                await socket.send_text(notification("OnAuthenticationInformation", loginUri=uri, mustAuthenticate=True))
                await socket.close(_NORMAL)
                return
            identity = visit.session.identity
            await socket.send_text(
                notification(
                    "OnAuthenticationInformation",
                    userId=identity.user_id,
                    userDirectory=identity.user_directory,
                    logoutUri=base + below(virtual_proxy, "qps/user"),
                    mustAuthenticate=False,
                )
            )
            refusal = self._refusal(visit.session, virtual_proxy)
            if refusal:
                await socket.send_text(refusal)
                await socket.close(_NORMAL)
                return
            await self._serve(socket, visit.session, target, early)

    def _refusal(self, session: Session, virtual_proxy: VirtualProxy) -> str:
        """Return the message for a signed-in user who is refused, in place of OnConnected, or an empty string."""
        by_state = self.site.switches.websocket_refusal == "session_state"
        if self.sign_in.sessions.exceeds_limit(session):
            # EVIDENCE(A; Qlik help, "Messages from proxy to clients"): too many sessions are refused by
            # OnMaxParallelSessionsExceeded
            # EVIDENCE(A; gopherciser): too many sessions are the session state SESSION_ERROR_LIMIT_EXCEEDED
            # INVENTED(switch=websocket_refusal): which of the two it is
            if by_state:
                return notification("OnConnected", qSessionState="SESSION_ERROR_LIMIT_EXCEEDED")
            return _fatal("OnMaxParallelSessionsExceeded", pages.TOO_MANY_SESSIONS)
        if not self.site.switches.access_pass:
            # INVENTED(switch=websocket_refusal): a missing license is reported by OnLicenseAccessDenied, and not the
            # session state SESSION_ERROR_NO_LICENSE
            if by_state:
                return notification("OnConnected", qSessionState="SESSION_ERROR_NO_LICENSE")
            return _fatal("OnLicenseAccessDenied", NO_ACCESS_TYPE)
        if not virtual_proxy.get("loadBalancingServerNodes"):
            # EVIDENCE(A; Qlik help "Editing a virtual proxy"): without a load balancing node there is no engine
            # INVENTED(switch=none): the text of OnNoEngineAvailable
            return _fatal("OnNoEngineAvailable", "No available engine.")
        return ""

    async def _serve(self, socket: WebSocket, session: Session, target: tuple[str, ...], early: str | None) -> None:
        """Pass messages to the engine until client, session or engine ends."""
        ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        engine, key = Engine(self.site, session.identity), (session.session_id, *target)

        def end(reason: str) -> None:
            if not ended.done():
                ended.set_result(reason)

        session.at_end.append(end)
        # EVIDENCE(A; gopherciser): OnConnected has the session state SESSION_CREATED or SESSION_ATTACHED
        # INVENTED(switch=none): attached is who opens the same app with the same identity while the first websocket is
        # open; engine sessions end with their websockets, regardless of ttl
        self._open[key] = self._open.get(key, 0) + 1
        try:
            state = "SESSION_ATTACHED" if self._open[key] > 1 else "SESSION_CREATED"
            await socket.send_text(notification("OnConnected", qSessionState=state))
            if early is not None:
                await socket.send_text(engine.answer(early))
            await self._pass_messages(socket, session, engine, ended)
        finally:
            session.at_end.remove(end)
            self._open[key] -= 1
            if not self._open[key]:
                del self._open[key]

    async def _pass_messages(
        self, socket: WebSocket, session: Session, engine: Engine, ended: asyncio.Future[str]
    ) -> None:
        while True:
            receiving = asyncio.ensure_future(socket.receive())
            waited: list[asyncio.Future[t.Any]] = [receiving, ended]
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            if receiving.done() and receiving.result()["type"] == "websocket.disconnect":
                return
            # This also ends sessions that timed out, and counts messages as activity.
            self.sign_in.sessions.find(session.session_id, virtual_proxy_id=session.virtual_proxy_id)
            if ended.done():
                receiving.cancel()
                # EVIDENCE(A; Qlik help, "Messages from proxy to clients"): the end of a session is reported by
                # OnSessionLoggedOut and similar messages
                await socket.send_text(_fatal(ended.result(), "The session has ended."))
                await socket.close(_AWAY)
                return
            text = receiving.result().get("text")
            if text is None:
                # INVENTED(switch=none): the engine speaks text only, and bytes end the websocket
                await socket.close(UNSUPPORTED)
                return
            await socket.send_text(engine.answer(text))


def find_target(rest: t.Sequence[str]) -> tuple[str, ...] | None:
    """Return the app and the identity in a path, or None if it does not lead to an engine."""
    # EVIDENCE(A; qlik-oss/enigma.js, SenseUtilities): a websocket's path is app/engineData or app/<id>, and then may
    # have identity/<text> and ttl/<seconds>
    if len(rest) < 2 or len(rest) % 2 or rest[0].lower() != "app":
        return None
    options = {name.lower(): value for name, value in zip(rest[2::2], rest[3::2], strict=True)}
    if set(options) - {"identity", "ttl"} or not options.get("ttl", "0").removeprefix("-").isdecimal():
        return None
    return rest[1].lower(), options.get("identity", "")


def _fatal(method: str, text: str) -> str:
    # INVENTED(switch=none): `severity` and `message` of the notifications, but for the sentences above
    return notification(method, severity="fatal", message=text)
