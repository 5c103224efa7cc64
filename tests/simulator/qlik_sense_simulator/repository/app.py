# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The application behind the repository's port: it calls the endpoint of a request and builds the response."""

from __future__ import annotations

import json
import typing as t

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from .. import addresses
from ..fault_injection import FaultPlan
from ..request_log import RequestLog, is_control
from ..site import Site
from . import documents, synthetic
from .access import Caller, check_xrfkey, identify
from .bodies import LARGEST_BODY, parse
from .catalog import NODE, SELECTION
from .content import license_document
from .control import Control
from .entities import Endpoints
from .queries import Query
from .refusals import RefusedError
from .schema import EntityType
from .selections import select, selected_ids
from .store import Store


def repository_app(site: Site, store: Store, log: RequestLog, *, faults: FaultPlan | None = None) -> ASGIApp:
    """Return the ASGI application behind the repository's port.

    A proxy passes requests on to it with scope["state"]["via_proxy"] and the user in scope["state"]["identity"], as
    (user directory, user id).

    Args:
        site: release, switches and nodes.
        store: the entities.
        log: the requests for GET /simulator/requests.
        faults: the plan that PUT /simulator/faults changes.
    """
    return _Repository(site=site, store=store, control=Control(store, log, faults or FaultPlan(site.faults)))


class _Repository:
    def __init__(self, *, site: Site, store: Store, control: Control) -> None:
        self._site = site
        self._store = store
        self._control = control

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        try:
            answer = await self._answer(request)
        except RefusedError as refusal:
            answer = self._refusal(refusal)
        except ClientDisconnect:
            return
        await answer(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        # EVIDENCE(A; Qlik help, connecting with certificates; B; many clients): paths may be in any case, and end with
        # a slash
        # INVENTED(switch=none): doubled slashes count once
        try:
            segments = [segment.lower() for segment in addresses.segments(request.scope)]
        except addresses.BadRequestError:
            raise RefusedError(400, "Bad Request") from None
        if is_control(request.scope) and not request.scope["state"].get("via_proxy"):
            identify(request.scope, request.headers, self._store)
            return await self._control.answer(request)
        # EVIDENCE(B; qlik_rest_sdk issue 15): prefixes of virtual proxies lead nowhere on the repository's own port:
        # 404
        if not segments or segments[0] != "qrs":
            raise RefusedError(404, "Not Found")
        query = Query(request.scope["query_string"])
        check_xrfkey(query, request.headers)
        caller = identify(request.scope, request.headers, self._store)
        query.check()
        if len(segments) > 1 and segments[1] == "about":
            return self._about(request.method, segments[2:], query)
        if segments[1:2] == ["selection"]:
            return await self._selection(request, segments[2:], caller, query)
        if (request.method, *segments[1:]) == ("GET", "datacollection", "settings"):
            # EVIDENCE(A; gopherciser): any user may read datacollection/settings
            # INVENTED(switch=none): the content of datacollection/settings
            return _json({"enabled": False})
        return await self._entity(request, segments[1:], caller, query)

    async def _entity(self, request: Request, segments: list[str], caller: Caller, query: Query) -> Response:
        """Return the response for a path of an entity."""
        document = license_document("/".join(segments))
        if document is not None and request.method in ("GET", "HEAD"):
            return _json(document)
        kind, rest = documents.find_type(segments)
        endpoints = self._endpoints(kind, caller, query)
        methods = t.cast("frozenset[str]", kind.methods)
        switches = self._site.switches
        method = "GET" if request.method == "HEAD" else request.method
        match method, rest:
            case "GET", []:
                return _json(endpoints.search(full=False))
            case "GET", ["full"]:
                return _json(endpoints.search(full=True))
            case "GET", ["count"]:
                return _json(endpoints.count())
            case "GET", ["local"] if kind.local:
                return _json(endpoints.local())
            case "GET", [entity_id]:
                return _json(endpoints.one(entity_id))
            case "POST", ["table"]:
                # INVENTED(switch=none): POST `table` is 201
                return _json(endpoints.table(await _body(request)), 201)
            # EVIDENCE(B; qlik-utils, generated from about/api/description): nodes have `previewcreateprivilege`, too,
            # and proxy services have not
            case "POST", ["previewcreateprivilege"] if "POST" in methods or kind is NODE:
                return _json(endpoints.may_create(await _body(request)))
            case "POST", ["previewprivileges"]:
                # EVIDENCE(A; QRS API reference, post /userdirectory/previewprivileges): POST `previewprivileges` is 201
                return _json(endpoints.preview_privileges(await _body(request)), 201)
            case "POST", [] if "POST" in methods:
                # EVIDENCE(B; qrs-interact): a POST that succeeds is 200, 201 or 204
                # INVENTED(switch=create_status): it is 201
                return _json(endpoints.create(await _body(request)), int(switches.create_status))
            case "POST", ["many"] if "POST" in methods:
                return _json(endpoints.create_many(await _body(request)), int(switches.create_status))
            case "PUT", [entity_id] if "PUT" in methods:
                entity = endpoints.update(entity_id, await _body(request))
                # EVIDENCE(A; Qlik help "Update"): a PUT answers with the updated entity
                # INVENTED(switch=update_status): it is 200
                return Response(status_code=204) if switches.update_status == "204" else _json(entity)
            case "DELETE", [entity_id] if "DELETE" in methods:
                endpoints.delete(entity_id)
                # EVIDENCE(B; qrs-interact): DELETE is 204 without a body
                return Response(status_code=204)
            case _, [] | [_]:
                # INVENTED(switch=missing_route): a method that an existing path does not have is 405
                raise RefusedError(int(switches.missing_route), "Method Not Allowed")
        raise RefusedError(404, "Not Found")

    def _endpoints(
        self, kind: EntityType, caller: Caller, query: Query, *, only: frozenset[str] | None = None
    ) -> Endpoints:
        local_node = self._store.node_id(self._site.central.name)
        return Endpoints(kind=kind, store=self._store, caller=caller, query=query, local_node=local_node, only=only)

    async def _selection(self, request: Request, segments: list[str], caller: Caller, query: Query) -> Response:
        """Return the response for a path below /selection, apart from the content of a selection."""
        selections = self._endpoints(SELECTION, caller, query)
        method = "GET" if request.method == "HEAD" else request.method
        # EVIDENCE(B; qlik-utils, generated from about/api/description): selections have GET, POST, PUT and DELETE, and
        # what is selected has `full`, `count`, `table` and `synthetic`
        # EVIDENCE(A; QRS API reference, post /selection and put /selection/{id}): POST of a selection is 201, PUT is
        # 200, both with the whole selection
        match method, segments:
            case "GET", []:
                return _json(selections.search(full=True))
            case "POST", []:
                return _json(selections.create(await _body(request)), 201)
            case "GET", [selection_id]:
                return _json(selections.one(selection_id))
            case "PUT", [selection_id]:
                return _json(selections.update(selection_id, await _body(request)))
            case "DELETE", [selection_id]:
                selections.delete(selection_id)
                return Response(status_code=204)
            case "POST", [_] | ["app" | "license", _]:
                kind, _nothing = documents.find_type(segments)
                # EVIDENCE(B; public scripts): the body of POST selection/{type} does not count
                return _json(selections.create(select(self._endpoints(kind, caller, query))), 201)
            case _, [selection_id, _name, *_rest]:
                kind, rest = documents.find_type(segments[1:])
                only = selected_ids(selections.one(selection_id), kind)
                return await self._selected(request, rest, self._endpoints(kind, caller, query, only=only))
        raise RefusedError(int(self._site.switches.missing_route), "Method Not Allowed")

    async def _selected(self, request: Request, rest: list[str], endpoints: Endpoints) -> Response:
        """Return the content of a selection, by type: /selection/{id}/{type}."""
        methods = t.cast("frozenset[str]", endpoints.kind.methods)
        method = "GET" if request.method == "HEAD" else request.method
        match method, rest:
            case "GET", [] | ["full"]:
                return _json(endpoints.search(full=bool(rest)))
            case "GET", ["count"]:
                return _json(endpoints.count())
            case "POST", ["table"]:
                return _json(endpoints.table(await _body(request)), 201)
            case "GET", ["synthetic"]:
                return _json(synthetic.read(endpoints))
            case "PUT", ["synthetic"]:
                synthetic.write(endpoints, await _body(request))
                # EVIDENCE(B; public scripts that test for it; A; QRS API reference, put synthetic): PUT of a synthetic
                # entity is 204 without a body
                return Response(status_code=204)
            case "DELETE", [] if "DELETE" in methods:
                endpoints.delete_all()
                # EVIDENCE(A; QRS API reference, delete /selection/{id}/app/object): DELETE of what is selected is 204
                return Response(status_code=204)
            case _, [] | ["full" | "count" | "table" | "synthetic"]:
                raise RefusedError(int(self._site.switches.missing_route), "Method Not Allowed")
        raise RefusedError(404, "Not Found")

    def _about(self, method: str, rest: list[str], query: Query) -> Response:
        """Return the public information about the repository."""
        if method not in ("GET", "HEAD"):
            raise RefusedError(int(self._site.switches.missing_route), "Method Not Allowed")
        release = self._site.release
        match rest:
            case []:
                return _json(documents.about(release))
            case ["api", "enums"]:
                return _json(documents.enums(release))
            case ["api", "relations"]:
                return _json(documents.relations(release))
            case ["api", "description"]:
                return _json(
                    documents.description(release, extended=query.is_true("extended"), method=query.get("method"))
                )
            case ["api", "default"]:
                return _json({kind.name: documents.default(kind, self._store) for kind in documents.PUBLIC.values()})
            case ["api", "default", *names]:
                return _json(documents.default(documents.find_type(names)[0], self._store))
            case ["openapi"] | ["openapi", "main"] if release.has("openapi"):
                return _json(documents.openapi(release))
        raise RefusedError(404, "Not Found")

    def _refusal(self, refusal: RefusedError) -> Response:
        # INVENTED(switch=error_body): the body of a refusal is plain text; what clients print looks like it
        match self._site.switches.error_body:
            case "json_string":
                return _json(refusal.text, refusal.status)
            case "json_object":
                return _json({"message": refusal.text}, refusal.status)
        return PlainTextResponse(refusal.text, refusal.status)


async def _body(request: Request) -> t.Any:
    """Return the JSON value in the body of a request.

    Raises:
        RefusedError: it is not JSON, or too large.
    """
    content = bytearray()
    async for piece in request.stream():
        content += piece
        if len(content) > LARGEST_BODY:
            # INVENTED(switch=none): a body that is too large is 413
            raise RefusedError(413, "The request body is too large.")
    return parse(bytes(content))


def _json(content: t.Any, status: int = 200) -> Response:
    # INVENTED(switch=none): JSON comes with a charset in its Content-Type, and without blanks
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return Response(text, status, media_type="application/json; charset=utf-8")
