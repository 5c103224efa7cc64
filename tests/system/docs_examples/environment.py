# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the environment of the examples: three sites, two identity providers, a web server and a web proxy.

Usage: environment.py DIRECTORY

DIRECTORY/providers.json has the key set of each provider. It runs until its standard input ends; a line "reset" there
replaces the sites by new ones. After each start, a line "ready" means that DIRECTORY has network.json (see
network/sitecustomize.py) and pki, the certificates of all sites. The authority of their proxies is also that of the web
server.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import typing as t
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from qlik_sense_simulator.pki import Pki, ensure_pki
from qlik_sense_simulator.repository.seed import seed
from qlik_sense_simulator.repository.store import Store
from qlik_sense_simulator.server import serve
from qlik_sense_simulator.site import Site, parse_site

SITES = {
    "dev": {"Central": ["qlik-dev.example.com", "qlikdev.example.com"]},
    "test": {"Central": ["qlik-test.example.com", "qliktest.example.com"]},
    "prod": {
        "Central": ["qlik1.example.com", "qlik.example.com", "qlik1"],
        "Rim1": ["qlik2.example.com", "qlik2"],
        "Rim2": ["qlik3.example.com"],
    },
}
"""The names under which the nodes of each site are known, first the one that the site itself knows."""
PROVIDERS = {
    "keycloak.example.com": "keycloak",
    "login.acme.example.com": "auth0",
    "acme.okta.example": "okta",
    "login.microsoftonline.com": "entra",
}
OTHERS = ["www.example.com", "portal.example.com", "issuer.example.com"]
PROXY = "proxy.example.com"


def site(name: str, certificate: str) -> Site:
    """Return a site in the state before the documentation is followed."""
    nodes = SITES[name]
    jwt = {
        "authenticationMethod": 4,
        "jwtPublicKeyCertificate": certificate,
        "jwtAttributeUserId": "userId",
        "jwtAttributeUserDirectory": "userDirectory",
    }
    prefixes = ["portal", "embedded", *{"dev": ["portal-dev"], "test": [], "prod": ["admin", "jwt"]}[name]]
    default: dict[str, t.Any] = {"prefix": "", "sessionCookieHeaderName": "X-Qlik-Session"}
    others: list[dict[str, t.Any]] = [
        {
            "prefix": "internal",
            "authenticationMethod": 2,
            "headerAuthenticationHeaderName": "X-Qlik-Automation",
            "headerAuthenticationDynamicUserDirectory": "$ud\\\\$id",
        },
        {"prefix": "intranet", "authenticationMethod": 0},
        {
            **jwt,
            "prefix": "mashup",
            "jwtAudience": "qlik",
            "jwtAttributeMap": [{"jwtAttribute": "department", "senseAttribute": "department", "isMandatory": True}],
        },
    ]
    return parse_site(
        {
            "release": "november-2025" if name == "prod" else "may-2025",
            "nodes": [
                {"name": node, "host_name": names[0], "is_central": node == "Central"} for node, names in nodes.items()
            ],
            "users": [
                {
                    "user_directory": "ACME",
                    "user_id": "automation",
                    "roles": ["RootAdmin"],
                    "password": "An open secret",
                },
                {"user_directory": "ACME", "user_id": "portal", "roles": ["RootAdmin"]},
                {"user_directory": "ACME", "user_id": "inventory", "roles": ["AuditAdmin"]},
            ],
            "tags": ["portal", "embedded"],
            "custom_properties": [{"name": "environment", "choice_values": ["dev", "test", "prod"]}],
            "virtual_proxies": [
                {
                    "sessionCookieHeaderName": f"X-Qlik-Session-{one['prefix']}",
                    "websocketCrossOriginWhiteList": ["qlik.example.com"],
                    "loadBalancingServerNodes": list(nodes),
                    "proxies": list(nodes),
                    **one,
                }
                for one in [
                    default,
                    *({**jwt, "prefix": prefix, "tags": [] if name == "prod" else ["portal"]} for prefix in prefixes),
                    *(others if name == "prod" else []),
                ]
            ],
        }
    )


async def open_site(site: Site, pki: Pki, ready: Path) -> asyncio.Task[None]:
    store = Store(":memory:", release=site.release, switches=site.switches)
    seed(site, store)
    task = asyncio.create_task(serve(site, store=store, pki=pki, ready=ready))
    while not ready.exists():
        await asyncio.wait([task], timeout=0.02)
        if task.done():
            task.result()
    return task


async def open_sites(pki: Pki, directory: Path, ports: dict[str, dict[str, int]]) -> list[asyncio.Task[None]]:
    """Open all sites, and note their ports by host name and by the port that each has for users."""
    tasks = []
    for name, nodes in SITES.items():
        ready = directory / f"{name}.json"
        ready.unlink(missing_ok=True)
        opened = site(name, pki.server.read_text())
        tasks.append(await open_site(opened, pki, ready))
        for node, aliases in zip(opened.nodes, nodes.values(), strict=True):
            for alias in aliases:
                ports[alias] = {"4242": opened.qrs_port, "443": node.proxy_port, "4243": node.qps_port}
    return tasks


async def open_web(key_sets: dict[str, t.Any], pki: Pki) -> tuple[uvicorn.Server, asyncio.Task[None]]:
    """Start the web server for all other names: providers have a key set, other names a page."""

    async def answer(request: Request) -> Response:
        if provider := PROVIDERS.get(request.url.hostname or ""):
            return JSONResponse(key_sets[provider], headers={"Cache-Control": "max-age=300"})
        return Response("Well received.")

    app = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])])
    certificate, key = pki.proxy_pair
    config = uvicorn.Config(app, port=0, log_level="warning", ssl_certfile=certificate, ssl_keyfile=key)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.02)
    return server, task


async def open_proxy(ports: dict[str, dict[str, int]]) -> asyncio.Server:
    """Start a web proxy that resolves the names of this environment and connects (CONNECT) to them."""

    async def serve_client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError), contextlib.closing(writer):
            head = await reader.readuntil(b"\r\n\r\n")
            name, port = head.split()[1].decode().split(":")
            above, below = await asyncio.open_connection("127.0.0.1", ports[name][port])
            writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
            with contextlib.closing(below):
                await asyncio.gather(_pass_on(reader, below), _pass_on(above, writer))

    return await asyncio.start_server(serve_client, "127.0.0.1", 0)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.write_eof() if writer.can_write_eof() else writer.close()


async def main(directory: Path) -> None:
    names = [name for nodes in SITES.values() for some in nodes.values() for name in some]
    pki = ensure_pki(
        directory / "pki",
        authority_key=directory / "root_key.pem",
        host_names=[*names, *PROVIDERS, *OTHERS],
        proxy_authority="other",
    )
    ports: dict[str, dict[str, int]] = {}
    server, web = await open_web(json.loads((directory / "providers.json").read_text()), pki)
    web_port = server.servers[0].sockets[0].getsockname()[1]
    ports |= {name: {"443": web_port} for name in [*PROVIDERS, *OTHERS]}
    proxy = await open_proxy(ports)
    ports[PROXY] = {"3128": proxy.sockets[0].getsockname()[1]}
    command = "reset"
    while command:
        sites = await open_sites(pki, directory, ports)
        (directory / "network.json").write_text(json.dumps(ports))
        print("ready", flush=True)
        reading = asyncio.create_task(asyncio.to_thread(sys.stdin.readline))
        await asyncio.wait([reading, web, *sites], return_when=asyncio.FIRST_COMPLETED)
        command = reading.result() if reading.done() else ""
        for task in sites:
            task.cancel()
        await asyncio.gather(*sites, return_exceptions=True)
    web.cancel()
    await asyncio.gather(web, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
