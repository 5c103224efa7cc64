# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The proxy's own REST API (QPS): sessions, users and tickets, on a port of its own with client certificates."""

from __future__ import annotations

import json
import re
import typing as t

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from .. import addresses
from ..behaviors import Switches
from . import pages
from .configuration import VirtualProxy
from .identity import Identity, is_text
from .sessions import Session, SessionTable, TicketTable

if t.TYPE_CHECKING:
    from ..repository.store import Store
    from ..site import Node, Site

_XRFKEY = re.compile(r"[0-9A-Za-z]{16}")
# EVIDENCE(B; captured exchanges with the repository and the proxy API): a wrong xrfkey is 403, with the text that the
# repository has for it
XSRF_FAILED = "XSRF prevention check failed. Possible XSRF discovered."
_LARGEST_BODY = 1024 * 1024


class _BodyError(ValueError):
    """A request body that is not a valid session or ticket. The message is sent to the caller."""


def qps_app(*, site: Site, store: Store, node: Node, sessions: SessionTable, tickets: TicketTable) -> ASGIApp:
    """Return the ASGI application behind a node's QPS port.

    Args:
        site: for its switches.
        store: the virtual proxies and their links.
        node: whose proxy this is.
        sessions: the sessions of this node's proxy.
        tickets: the tickets of this node's proxy.
    """
    return _ProxyApi(switches=site.switches, store=store, node=node, sessions=sessions, tickets=tickets)


class _ProxyApi:
    def __init__(
        self, *, switches: Switches, store: Store, node: Node, sessions: SessionTable, tickets: TicketTable
    ) -> None:
        self._created = int(switches.qps_created_status)
        self._token_session_attributes = switches.token_session_attributes
        self._store = store
        self._node = node
        self._sessions = sessions
        self._tickets = tickets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] == "http":
            try:
                response = await self._answer(Request(scope, receive))
            except ClientDisconnect:
                return
            await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        try:
            segments = addresses.segments(request.scope)
        except addresses.BadRequestError:
            return pages.bad_syntax()
        # EVIDENCE(B; captured exchange with port 4243): the xrfkey rule of the repository holds on port 4243, too
        keys = [value for name, value in request.query_params.multi_items() if name.lower() == "xrfkey"]
        if len(keys) != 1 or not _XRFKEY.fullmatch(keys[0]) or keys[0] != request.headers.get("x-qlik-xrfkey"):
            return PlainTextResponse(XSRF_FAILED, 403)
        virtual_proxy, rest = self._route(segments)
        if virtual_proxy is None:
            # INVENTED(switch=none): a virtual proxy that is unknown, or not linked to this proxy, is 404
            return PlainTextResponse("Not Found", 404)
        try:
            match (request.method, *rest):
                case ("POST", "ticket"):
                    return self._add_ticket(virtual_proxy, await _body(request))
                case ("GET", "session"):
                    return JSONResponse(
                        [self._shown(session) for session in self._sessions.of_virtual_proxy(virtual_proxy["id"])]
                    )
                case ("POST", "session"):
                    return self._add_session(virtual_proxy, await _body(request))
                case ("GET" | "DELETE", "session", session_id):
                    return self._session(virtual_proxy, session_id, end=request.method == "DELETE")
                case ("GET" | "DELETE", "user", directory, user_id):
                    identity = Identity(user_directory=directory, user_id=user_id)
                    return self._user(virtual_proxy, identity, end=request.method == "DELETE")
        except _BodyError as error:
            # INVENTED(switch=none): a wrong body is 400
            return PlainTextResponse(str(error), 400)
        return PlainTextResponse("Not Found", 404)

    def _route(self, segments: list[str]) -> tuple[VirtualProxy | None, list[str]]:
        """Return the virtual proxy and the rest of a path /qps/{virtual proxy/}..."""
        if not segments or segments[0].lower() != "qps":
            return None, []
        linked = {
            (entity.get("prefix") or "").strip("/").lower(): entity
            for entity in self._store.linked_virtual_proxies(self._node.name)
        }
        # The request itself has one to three segments. The segments before them are the prefix.
        for length in range(len(segments) - 1, 0, -1):
            resource = segments[length].lower()
            prefix = "/".join(segments[1:length]).lower()
            if resource in ("session", "ticket", "user") and prefix in linked:
                return linked[prefix], [resource, *segments[length + 1 :]]
        return None, []

    def _add_ticket(self, virtual_proxy: VirtualProxy, body: t.Mapping[str, t.Any]) -> Response:
        identity = _identity(body)
        target_id = body.get("targetid")
        target = self._tickets.target(target_id) if isinstance(target_id, str) else None
        # EVIDENCE(A; Qlik help "Add ticket"): POST ticket answers with what was posted, and with Ticket and TargetUri
        # INVENTED(switch=qps_created_status): POST ticket is 201
        # INVENTED(switch=none): the TargetUri of an unknown TargetId is null
        content = {
            **_named(identity),
            "Ticket": self._tickets.issue(virtual_proxy_id=virtual_proxy["id"], identity=identity),
            "TargetUri": target,
        }
        return JSONResponse(content, self._created)

    def _add_session(self, virtual_proxy: VirtualProxy, body: t.Mapping[str, t.Any]) -> Response:
        identity = _identity(body)
        session_id = body.get("sessionid")
        # EVIDENCE(A; Qlik help "Add session"): the caller of POST session chooses the session id
        if not isinstance(session_id, str) or not re.fullmatch(r"[!-+\--:<-\[\]-~]+", session_id):
            raise _BodyError("SessionId must be text that fits into a cookie.")
        session = self._sessions.open(virtual_proxy=virtual_proxy, identity=identity, session_id=session_id)
        if session is None:
            return PlainTextResponse(pages.TOO_MANY_SESSIONS, 403)
        # INVENTED(switch=qps_created_status): POST session is 201
        return JSONResponse(self._shown(session), self._created)

    def _session(self, virtual_proxy: VirtualProxy, session_id: str, *, end: bool) -> Response:
        # EVIDENCE(B; qlik-utils): GET and DELETE of a session answer with it
        session = self._sessions.find(session_id, virtual_proxy_id=virtual_proxy["id"], use=False)
        if session is None:
            # INVENTED(switch=none): a session that does not exist (any more) is 404
            return PlainTextResponse("Not Found", 404)
        if end:
            self._sessions.close([session])
        return JSONResponse(self._shown(session))

    def _user(self, virtual_proxy: VirtualProxy, identity: Identity, *, end: bool) -> Response:
        # EVIDENCE(A; Qlik help "Delete user"): DELETE user ends the user's sessions and answers with a list of them
        found = self._sessions.of_virtual_proxy(virtual_proxy["id"], identity=identity)
        if end:
            self._sessions.close(found)
        return JSONResponse([self._shown(session) for session in found])

    def _shown(self, session: Session) -> dict[str, t.Any]:
        """Return a session in the format of this API."""
        shown = {**_named(session.identity), "SessionId": session.session_id}
        # INVENTED(switch=token_session_attributes): sessions that a token opened are listed with their attributes, as
        # the help shows it for sessions and tickets of this API
        if session.identity.by_token and self._token_session_attributes != "listed":
            shown["Attributes"] = []
            if self._token_session_attributes == "absent":
                del shown["Attributes"]
        return shown


async def _body(request: Request) -> dict[str, t.Any]:
    """Return the JSON object in a request, with its top-level names in lower case."""
    collected = bytearray()
    async for chunk in request.stream():
        collected += chunk
        if len(collected) > _LARGEST_BODY:
            raise _BodyError("The body is too large.")
    try:
        body = json.loads(collected)
    except (ValueError, RecursionError):
        raise _BodyError("The body is not JSON.") from None
    if not isinstance(body, dict):
        raise _BodyError("The body is not a JSON object.")
    # INVENTED(switch=none): names in a body may be in any case
    return {name.lower(): value for name, value in body.items()}


def _identity(body: t.Mapping[str, t.Any]) -> Identity:
    """Return the user in the body of a session or ticket."""
    # EVIDENCE(A; Qlik help "Add ticket"): blanks around directory and id are cut off; nothing but blanks, and
    # backslashes, are refused
    names = []
    for name in ("UserDirectory", "UserId"):
        value = body.get(name.lower())
        if not is_text(value) or not value.strip() or "\\" in value:
            raise _BodyError(f"{name} must be text without a backslash.")
        names.append(value.strip())
    # EVIDENCE(A; Qlik help "Add ticket"): Attributes is a list of objects with one name each; names may repeat, values
    # may be empty
    attributes: list[tuple[str, str]] = []
    for item in _list(body.get("attributes")):
        if not isinstance(item, dict) or not all(is_text(part) for pair in item.items() for part in pair):
            raise _BodyError("Attributes must be a list of objects with text values.")
        attributes.extend(item.items())
    return Identity(user_directory=names[0], user_id=names[1], attributes=tuple(attributes))


def _list(value: object) -> list[t.Any]:
    """Return a list, and an empty one for null."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise _BodyError("Attributes must be a list.")
    return value


def _named(identity: Identity) -> dict[str, t.Any]:
    """Return a user in the format of this API."""
    return {
        "UserDirectory": identity.user_directory,
        "UserId": identity.user_id,
        "Attributes": [{name: value} for name, value in identity.attributes],
    }
