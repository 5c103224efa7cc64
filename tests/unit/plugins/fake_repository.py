# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import itertools
import re
import typing as t

from ansible_collections.sensible.qlik.plugins.module_utils._errors import AnswerError, ConflictError, TransportError
from ansible_collections.sensible.qlik.plugins.module_utils._http.qrs import Answer

Entity = dict[str, t.Any]


class FakeRepository:
    """A repository in memory with two nodes, behind the request method of the client, without HTTP.

    It counts writes and fails at selected ones: failures maps the number of a write (from 1) to "conflict", "lost"
    (carried out, no answer), "dropped" (not carried out, no answer) or an HTTP status. A list without a filter ends at
    record_limit.
    """

    signs_in_through: str | None = None
    base = "https://qlik.example.com:4242"

    def __init__(self) -> None:
        self.requests: list[tuple[str, str]] = []
        self.failures: dict[int, str | int] = {}
        self.before_write: t.Callable[[int], None] = lambda number: None
        self._ids = itertools.count(1)
        self._writes = 0
        self.nodes: list[Entity] = [
            {"id": f"node{number}", "name": name, "hostName": f"{name.lower()}.example.com"}
            for number, name in enumerate(("Central", "Rim1", "Engines"))
        ]
        self.tags: list[Entity] = [{"id": "tag1", "name": "portal"}, {"id": "tag2", "name": "Managed"}]
        self.definitions: list[Entity] = [
            {"id": "cp1", "name": "Stage", "choiceValues": ["dev", "prod"], "objectTypes": ["VirtualProxyConfig"]},
            {"id": "cp2", "name": "Floor", "choiceValues": ["1"], "objectTypes": ["App"]},
        ]
        self.record_limit: int | None = None
        self.openapi: t.Any = None  # the document, None for a release that has none
        self.virtual_proxies: dict[str, Entity] = {}
        default = self.add("", authenticationMethod=0, sessionCookieHeaderName="X-Qlik-Session")
        self.proxies: dict[str, Entity] = {
            f"proxy{number}": {
                "id": f"proxy{number}",
                "modifiedDate": "2026-01-01T00:00:00.000Z",
                "modifiedByUserName": "INTERNAL\\sa_repository",
                "serverNodeConfiguration": self.nodes[number],
                "settings": {"listenPort": 443, "virtualProxies": [{"id": default["id"]}]},
            }
            for number in range(2)
        }

    def add(self, prefix: str, **fields: t.Any) -> Entity:
        identity = f"vp{next(self._ids)}"
        entity = {
            "id": identity,
            "modifiedDate": "2026-01-01T00:00:00.000Z",
            "modifiedByUserName": "ACME\\anna",
            "prefix": prefix,
            "description": prefix,
            "authenticationMethod": 4,
            "sessionCookieHeaderName": f"X-Qlik-Session-{prefix}",
            "sessionInactivityTimeout": 30,
            "anonymousAccessMode": 0,
            "jwtAttributeUserId": "userId",
            "jwtAttributeUserDirectory": "userDirectory",
            "jwtPublicKeyCertificate": "",
            "jwtAttributeMap": [],
            "websocketCrossOriginWhiteList": [],
            "loadBalancingServerNodes": [],
            "additionalResponseHeaders": "",
            "hasSecureAttributeHttps": True,
            "sameSiteAttributeHttps": 0,
            "samlEntityId": "kept",
            "tags": [],
            "customProperties": [],
            **fields,
        }
        self.virtual_proxies[identity] = entity
        return entity

    @property
    def writes(self) -> list[tuple[str, str]]:
        return [request for request in self.requests if request[0] != "GET"]

    def links(self, node: str) -> list[str]:
        """Prefixes that the proxy of a node has, in order."""
        [proxy] = [proxy for proxy in self.proxies.values() if proxy["serverNodeConfiguration"]["name"] == node]
        return [self.virtual_proxies[link["id"]]["prefix"] for link in proxy["settings"]["virtualProxies"]]

    def request(
        self, method: str, path: str, *, query: t.Mapping[str, str] | None = None, body: t.Any = None
    ) -> Answer:
        self.requests.append((method, path))
        if method == "GET":
            return Answer(200, copy.deepcopy(self._read(path, query)))
        self._writes += 1
        self.before_write(self._writes)
        context = f"{method} {self.base}/qrs/{path}"
        failure = self.failures.get(self._writes)
        if failure == "dropped":
            raise self._uncertain(TransportError("The connection was lost.", "Try again.", context=context))
        if failure == "conflict":
            raise ConflictError("The server answered 409 Conflict.", "Run the task again.", context=context, status=409)
        if isinstance(failure, int):
            raise AnswerError(f"The server answered {failure}.", "Look at the log.", context=context, status=failure)
        result = self._write(method, path, copy.deepcopy(body))
        if failure == "lost":
            raise self._uncertain(TransportError("The connection was lost.", "Try again.", context=context))
        return Answer(200, copy.deepcopy(result))

    def close(self) -> None:
        """Nothing to close."""

    @staticmethod
    def _uncertain(error: TransportError) -> TransportError:
        error.uncertain = True
        return error

    def _read(self, path: str, query: t.Mapping[str, str] | None) -> t.Any:
        if path == "virtualproxyconfig/full":
            wanted = re.findall(r"(\w+) eq '((?:[^'\\]|\\.)*)'", (query or {}).get("filter", ""))
            if not wanted:
                return list(self.virtual_proxies.values())[: self.record_limit]
            return [
                entity
                for entity in self.virtual_proxies.values()
                if any(str(entity[name]).lower() == re.sub(r"\\(.)", r"\1", value).lower() for name, value in wanted)
            ]
        if path == "virtualproxyconfig/count":
            return {"value": len(self.virtual_proxies)}
        if path == "proxyservice/full":
            return [self._expanded(proxy) for proxy in self.proxies.values()]
        if path == "about/openapi/main" and self.openapi is None:
            raise AnswerError(
                "The server answered 404 Not Found.", "Check the port.", context=f"GET {path}", status=404
            )
        if path in ("tag", "custompropertydefinition/full"):
            entities = self.tags if path == "tag" else self.definitions
            if not query:
                return entities[: self.record_limit]
            wanted = re.findall(r"name eq '((?:[^'\\]|\\.)*)'", query["filter"])
            names = [re.sub(r"\\(.)", r"\1", name).casefold() for name in wanted]
            return [entity for entity in entities if entity["name"].casefold() in names]
        return {
            "about/openapi/main": self.openapi,
            "servernodeconfiguration": self.nodes,
            "servernodeconfiguration/full": self.nodes,
            "about": {"buildVersion": "26.31.3.0"},
        }[path]

    def _expanded(self, proxy: Entity) -> Entity:
        links = [
            {name: value for name, value in self.virtual_proxies[link["id"]].items() if name != "customProperties"}
            for link in proxy["settings"]["virtualProxies"]
        ]
        return {**proxy, "settings": {**proxy["settings"], "virtualProxies": links}}

    def _write(self, method: str, path: str, body: t.Any) -> t.Any:
        kind, _separator, identity = path.partition("/")
        if method == "DELETE":
            for proxy in self.proxies.values():
                assert identity not in [link["id"] for link in proxy["settings"]["virtualProxies"]], "unlink first"
            del self.virtual_proxies[identity]
            return None
        if kind == "proxyservice":
            assert set(body) == set(self.proxies[identity]), "a put carries the whole entity"
            assert all(set(link) == {"id"} for link in body["settings"]["virtualProxies"])
            self.proxies[identity] = body
            return self._expanded(body)
        for name, source in (("loadBalancingServerNodes", self.nodes), ("tags", self.tags)):
            if name in body:
                body[name] = [next(item for item in source if item["id"] == ref["id"]) for ref in body[name]]
        for item in body.get("customProperties", ()):
            item["definition"] = next(one for one in self.definitions if one["id"] == item["definition"]["id"])
        if method == "POST":
            assert body["prefix"] not in [entity["prefix"] for entity in self.virtual_proxies.values()]
            return self.add(**body)
        assert set(body) >= set(self.virtual_proxies[identity]), "a put carries the whole entity"
        self.virtual_proxies[identity] = body
        return body
