# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A two-node site in memory: both proxies and their APIs as applications, the repository as a stub."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import typing as t
import urllib.parse

from signing import certificate
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from qlik_sense_simulator.behaviors import Switches
from qlik_sense_simulator.proxy.app import proxy_app
from qlik_sense_simulator.proxy.qps import qps_app
from qlik_sense_simulator.proxy.sessions import SessionTable, TicketTable
from qlik_sense_simulator.repository.bodies import Merger
from qlik_sense_simulator.repository.catalog import VIRTUAL_PROXY
from qlik_sense_simulator.repository.seed import seed
from qlik_sense_simulator.repository.store import Change, Store
from qlik_sense_simulator.site import Node, Site


class Clock:
    """A clock with the time that a test sets, in seconds."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def repository(scope: Scope, receive: Receive, send: Send) -> None:
    """Respond with the received request."""
    request = Request(scope, receive)
    state = scope["state"]
    content = {
        "path": request.url.path,
        "query": request.url.query,
        "identity": list(state["identity"]),
        "via_proxy": state["via_proxy"],
        "client_certificate": state["client_certificate"],
        "headers": dict(request.headers),
        "body": (await request.body()).decode(),
    }
    await JSONResponse(content)(scope, receive, send)


class AbortedError(Exception):
    """The connection was closed."""


class Transport:
    """The part of the connection that applications use."""

    def abort(self) -> None:
        raise AbortedError


class WithState:
    """Adds the state that the server adds to each request."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"] = {
            "connection": 1,
            "port": "proxy",
            "client_certificate": {"subject": "from the client"},
            "transport": Transport(),
        }
        await self.app(scope, receive, send)


@dataclasses.dataclass(frozen=True)
class Answer:
    """A response."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the first header of a name."""
        return next((value for key, value in self.headers if key == name), None)

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> t.Any:
        return json.loads(self.body)


class Browser:
    """Calls an application byte for byte, and stores cookies."""

    def __init__(self, app: ASGIApp, *, scheme: str = "https", host: str = "localhost") -> None:
        self.app = app
        self.scheme = scheme
        self.host = host
        self.cookies: dict[str, str] = {}

    def get(self, target: str, **headers: str) -> Answer:
        """Send a GET; headers are keywords, with _ for -."""
        return self.send("GET", target, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def send(
        self, method: str, target: str, *, headers: t.Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        """Send a request. The target is sent unchanged. A given Host header replaces the default."""
        path, _mark, query = target.partition("?")
        sent = {"host": self.host, **{name.lower(): value for name, value in (headers or {}).items()}}
        if self.cookies and "cookie" not in sent:
            sent["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": self.scheme,
            "path": urllib.parse.unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in sent.items()],
            "client": ("127.0.0.1", 50000),
            "server": ("127.0.0.1", 443),
        }
        answer = asyncio.run(self._call(scope, body))
        for name, value in answer.headers:
            if name == "set-cookie":
                key, _equals, rest = value.partition("=")
                self.cookies[key] = rest.partition(";")[0]
        return answer

    async def _call(self, scope: dict[str, t.Any], body: bytes) -> Answer:
        messages: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            messages.append(message)

        await self.app(scope, receive, send)
        start, *rest = messages
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"]]
        return Answer(start["status"], headers, b"".join(message["body"] for message in rest))


class TwoNodes:
    """Central and Rim1, with a default virtual proxy on both."""

    def __init__(self, *, release: str = "november-2025", **switches: t.Any) -> None:
        self.clock = Clock()
        self.site = Site(
            release_name=release,
            nodes=[
                Node(name="Central", host_name="central.lab", is_central=True, qps_port=4243),
                Node(name="Rim1", host_name="rim1.lab", qps_port=4243),
            ],
            users=[],
            switches=Switches(**switches),
        )
        self.store = Store(":memory:", release=self.site.release, switches=self.site.switches)
        seed(self.site, self.store)
        self.apps: dict[str, ASGIApp] = {}
        for node in self.site.nodes:
            sessions = SessionTable(self.site.switches, clock=self.clock)
            tickets = TicketTable(clock=self.clock)
            shared: dict[str, t.Any] = {"sessions": sessions, "tickets": tickets}
            proxy = proxy_app(
                site=self.site, store=self.store, node=node, repository=repository, clock=self.clock, **shared
            )
            self.apps[node.name] = WithState(proxy)
            self.apps[f"qps:{node.name}"] = WithState(qps_app(site=self.site, store=self.store, node=node, **shared))

    def add(self, *, prefix: str, cookie: str, nodes: t.Iterable[str] = ("Central", "Rim1"), **fields: t.Any) -> str:
        """Save a virtual proxy (JWT unless the fields differ) and its links, without the rules for bodies."""
        body = {
            "prefix": prefix,
            "description": f"Virtual proxy {prefix}",
            "sessionCookieHeaderName": cookie,
            "authenticationMethod": 4,
            "jwtAttributeUserId": "userId",
            "jwtAttributeUserDirectory": "userDirectory",
            "jwtPublicKeyCertificate": certificate(),
        }
        row = {**Merger(self.store, user="LAB\\admin").merge(VIRTUAL_PROXY, body), **fields}
        changes = [Change("VirtualProxyConfig", row["id"], row)]
        node_ids = [self.store.node_id(name) for name in nodes]
        for proxy in self.store.rows("ProxyService"):
            if proxy["serverNodeConfiguration"] in node_ids:
                linked = [*proxy["settings"]["virtualProxies"], row["id"]]
                settings = {**proxy["settings"], "virtualProxies": linked}
                changes.append(Change("ProxyService", proxy["id"], {**proxy, "settings": settings}))
        self.store.save(changes)
        return t.cast("str", row["id"])

    def change(self, vp_id: str, **fields: t.Any) -> None:
        """Save other settings of a virtual proxy."""
        self._save("VirtualProxyConfig", vp_id, fields)

    def add_user(self, user_id: str, **fields: t.Any) -> str:
        """Save a user of the directory LAB."""
        user = self.store.touch_user("LAB", user_id)
        self.change_user(user["id"], **fields)
        return t.cast("str", user["id"])

    def change_user(self, entity_id: str, **fields: t.Any) -> None:
        """Save other properties of a user."""
        self._save("User", entity_id, fields)

    def _save(self, kind: str, entity_id: str, fields: dict[str, t.Any]) -> None:
        row = self.store.row(kind, entity_id)
        assert row is not None
        self.store.save([Change(kind, entity_id, {**row, **fields})])

    @property
    def users(self) -> list[tuple[str, str]]:
        """Return directory and id of the users that signed in, without the service accounts."""
        rows = self.store.rows("User")
        return [(row["userDirectory"], row["userId"]) for row in rows if row["userDirectory"] != "INTERNAL"]

    def browser(self, app: str = "Central", *, scheme: str = "https", host: str = "localhost") -> Browser:
        """Return a client with its own cookies, on a proxy ("Central") or its API ("qps:Central")."""
        return Browser(self.apps[app], scheme=scheme, host=host)
