# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A repository in memory, and a client that sends requests byte for byte."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import typing as t
import urllib.parse

from starlette.types import Message

from qlik_sense_simulator.repository.app import repository_app
from qlik_sense_simulator.repository.seed import seed
from qlik_sense_simulator.repository.store import Store
from qlik_sense_simulator.request_log import RequestLog
from qlik_sense_simulator.site import Site, parse_site

XRFKEY = "0123456789abcdef"
ADMINISTRATOR = "UserDirectory=INTERNAL;UserId=sa_api"


@dataclasses.dataclass(frozen=True)
class Answer:
    """A response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> t.Any:
        return json.loads(self.body)


class Client:
    """Calls the repository of a site.

    Args:
        site: the content of a site file.
        database: where the store keeps its rows.
    """

    def __init__(self, site: dict[str, t.Any] | None = None, *, database: str = ":memory:") -> None:
        self.site: Site = parse_site(site or {})
        self.store = Store(database, release=self.site.release, switches=self.site.switches)
        seed(self.site, self.store)
        self.app = repository_app(self.site, self.store, RequestLog())

    def send(
        self,
        method: str,
        path: str,
        *,
        query: str = "",
        body: bytes | list[bytes] = b"",
        headers: t.Mapping[str, str] | None = None,
        state: t.Mapping[str, t.Any] | None = None,
    ) -> Answer:
        """Send a request unchanged: the query string raw, the body in one or more chunks."""
        sent = {name.lower(): value for name, value in (headers or {}).items()}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "https",
            "path": urllib.parse.unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in sent.items()],
            "state": {"port": "qrs", "connection": 1, "client_certificate": {"subject": ()}, **(state or {})},
        }
        return asyncio.run(self._call(scope, [body] if isinstance(body, bytes) else body))

    def call(
        self, method: str, path: str, content: t.Any = None, /, *, user: str | None = ADMINISTRATOR, **query: str
    ) -> Answer:
        """Send a valid request: xrfkey, user, JSON body, encoded query. The path is below /qrs/."""
        headers = {"X-Qlik-Xrfkey": XRFKEY} | ({"X-Qlik-User": user} if user else {})
        return self.send(
            method,
            f"/qrs/{path}",
            query=urllib.parse.urlencode({"xrfkey": XRFKEY, **query}),
            body=b"" if content is None else json.dumps(content).encode(),
            headers=headers,
        )

    def get(self, path: str, /, **query: str) -> t.Any:
        """Return the JSON of a GET, which must succeed."""
        answer = self.call("GET", path, **query)
        assert answer.status == 200, answer
        return answer.json()

    def create(self, path: str, **content: t.Any) -> dict[str, t.Any]:
        """Create an entity by POST and return it."""
        answer = self.call("POST", path, content)
        assert answer.status in (200, 201), answer
        return t.cast("dict[str, t.Any]", answer.json())

    def create_virtual_proxy(self, prefix: str = "jwt", **content: t.Any) -> dict[str, t.Any]:
        """Create a virtual proxy with its required fields."""
        needed = {"prefix": prefix, "description": prefix, "sessionCookieHeaderName": f"X-Qlik-Session-{prefix}"}
        return self.create("virtualproxyconfig", **{**needed, **content})

    def put(self, path: str, entity: dict[str, t.Any], **changes: t.Any) -> Answer:
        """PUT an entity with changes."""
        return self.call("PUT", f"{path}/{entity['id']}", {**entity, **changes})

    def proxy(self, node: str = "Central") -> dict[str, t.Any]:
        """Return the proxy service of a node."""
        [proxy] = self.get("proxyservice/full", filter=f"serverNodeConfiguration.name eq '{node}'")
        return t.cast("dict[str, t.Any]", proxy)

    def link(self, *virtual_proxies: dict[str, t.Any], node: str = "Central") -> Answer:
        """Link virtual proxies to a node, in addition to those that are linked."""
        proxy = self.proxy(node)
        linked = [*proxy["settings"]["virtualProxies"], *({"id": one["id"]} for one in virtual_proxies)]
        return self.put("proxyservice", proxy, settings={**proxy["settings"], "virtualProxies": linked})

    async def _call(self, scope: dict[str, t.Any], pieces: list[bytes]) -> Answer:
        incoming: list[Message] = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
        incoming.append({"type": "http.request", "body": b"", "more_body": False})
        sent: list[Message] = []

        async def receive() -> Message:
            return incoming.pop(0)

        async def send(message: Message) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return Answer(sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent[1:]))
