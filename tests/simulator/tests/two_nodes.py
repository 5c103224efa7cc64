# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A two-node site in memory: both proxies and their APIs as real applications, the repository as a stand-in."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import typing as t
import urllib.parse
import uuid

from signing import certificate
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from qlik_sense_simulator.proxy import proxy_app
from qlik_sense_simulator.qps import qps_app
from qlik_sense_simulator.sessions import SessionTable, TicketTable
from qlik_sense_simulator.switches import Switches


class Clock:
    """Seconds, as many as the test says."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclasses.dataclass(frozen=True)
class Release:
    """A release with all features, or without the csrf token."""

    name: str = "November 2025"
    build_version: str = "31.62.0.0"
    csrf: bool = True

    def has(self, feature: str) -> bool:
        return feature != "csrf" or self.csrf


@dataclasses.dataclass(frozen=True)
class Node:
    """A node of the site."""

    name: str
    host_name: str
    is_central: bool
    qps_port: int = 4243


@dataclasses.dataclass
class MemoryStore:
    """As much of the store as the proxies need."""

    virtual_proxies: dict[str, dict[str, t.Any]] = dataclasses.field(default_factory=dict)
    links: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    users: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)
    callbacks: list[t.Callable[[], None]] = dataclasses.field(default_factory=list)

    def linked_virtual_proxies(self, node_name: str) -> list[dict[str, t.Any]]:
        return [dict(self.virtual_proxies[vp_id]) for vp_id in self.links.get(node_name, [])]

    def node_id(self, node_name: str) -> str:
        return f"id of {node_name}"

    def rows(self, kind: str) -> list[dict[str, t.Any]]:
        settings = {"maxHeaderSizeBytes": 16384, "maxHeaderLines": 100}
        return [{"serverNodeConfiguration": f"id of {name}", "settings": settings} for name in self.links]

    def find_user(self, user_directory: str, user_id: str) -> dict[str, t.Any] | None:
        wanted = (user_directory.casefold(), user_id.casefold())
        found = (u for u in self.users if (u["userDirectory"].casefold(), u["userId"].casefold()) == wanted)
        return next(found, None)

    def touch_user(self, user_directory: str, user_id: str) -> None:
        self.users.append({"userDirectory": user_directory, "userId": user_id, "name": user_id, "inactive": False})

    def on_save(self, callback: t.Callable[[], None]) -> None:
        self.callbacks.append(callback)

    def saved(self) -> None:
        for callback in self.callbacks:
            callback()


async def repository(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with what it was told."""
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
    """The connection, as far as an application may touch it."""

    def abort(self) -> None:
        raise AbortedError


class WithState:
    """What the server puts into every request."""

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
    """What came back."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """The first header of that name."""
        return next((value for key, value in self.headers if key == name), None)

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> t.Any:
        return json.loads(self.body)


class Browser:
    """Calls an application with exactly the bytes it is given, and keeps cookies."""

    def __init__(self, app: ASGIApp, *, scheme: str = "https", host: str = "localhost") -> None:
        self.app = app
        self.scheme = scheme
        self.host = host
        self.cookies: dict[str, str] = {}

    def get(self, target: str, **headers: str) -> Answer:
        """GET; headers as keywords, with _ for -."""
        return self.send("GET", target, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def send(
        self, method: str, target: str, *, headers: t.Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        """Any request. The target is sent as it is; a Host header given replaces ours."""
        path, _, query = target.partition("?")
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
                key, _, rest = value.partition("=")
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
    """Central and Rim1, a default virtual proxy on both, and whatever the test adds."""

    def __init__(self, *, csrf: bool = True, **switches: t.Any) -> None:
        self.clock = Clock()
        self.switches = Switches(**switches)
        self.release = Release(csrf=csrf)
        self.nodes = [Node("Central", "central.lab", True), Node("Rim1", "rim1.lab", False)]
        self.central = self.nodes[0]
        self.store = MemoryStore()
        self.add(prefix="", cookie="X-Qlik-Session", authenticationMethod=0, defaultVirtualProxy=True)
        self.apps: dict[str, ASGIApp] = {}
        for node in self.nodes:
            sessions = SessionTable(switches=self.switches, clock=self.clock)
            tickets = TicketTable(clock=self.clock)
            common: dict[str, t.Any] = {
                "site": self, "store": self.store, "node": node, "sessions": sessions, "tickets": tickets
            }  # fmt: skip
            self.apps[node.name] = WithState(proxy_app(**common, repository=repository, clock=self.clock))
            self.apps[f"qps:{node.name}"] = WithState(qps_app(**common))

    def add(self, *, prefix: str, cookie: str, nodes: t.Iterable[str] = ("Central", "Rim1"), **fields: t.Any) -> str:
        """Save a virtual proxy (JWT, unless the fields say otherwise) and its links."""
        vp_id = str(uuid.uuid4())
        self.store.virtual_proxies[vp_id] = {
            "id": vp_id,
            "prefix": prefix,
            "description": f"Virtual proxy {prefix}",
            "sessionCookieHeaderName": cookie,
            "sessionInactivityTimeout": 30,
            "authenticationMethod": 4,
            "jwtAttributeUserId": "userId",
            "jwtAttributeUserDirectory": "userDirectory",
            "jwtPublicKeyCertificate": certificate(),
            "jwtAttributeMap": [],
            "websocketCrossOriginWhiteList": [],
            "hasSecureAttributeHttps": True,
            "hasSecureAttributeHttp": False,
            "sameSiteAttributeHttps": 0,
            "sameSiteAttributeHttp": 0,
            "additionalResponseHeaders": "",
            "anonymousAccessMode": 0,
            **fields,
        }
        for name in nodes:
            self.store.links.setdefault(name, []).append(vp_id)
        self.store.saved()
        return vp_id

    def change(self, vp_id: str, **fields: t.Any) -> None:
        """Save other settings."""
        self.store.virtual_proxies[vp_id].update(fields)
        self.store.saved()

    def browser(self, app: str = "Central", *, scheme: str = "https", host: str = "localhost") -> Browser:
        """A client with a cookie jar of its own, on a proxy ("Central") or its API ("qps:Central")."""
        return Browser(self.apps[app], scheme=scheme, host=host)
