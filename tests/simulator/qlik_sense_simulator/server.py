# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ports of a site, all in one event loop: TLS, numbered connections, start and stop."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import itertools
import json
import os
import pathlib
import signal
import socket
import ssl
import typing as t

import uvicorn
from starlette.types import ASGIApp

from .clock import MovableClock
from .connections import Protocol
from .fault_injection import FaultPlan
from .pki import Pki, write_atomically
from .proxy.app import proxy_app
from .proxy.engine_port import EnginePort
from .proxy.qps import qps_app
from .proxy.sessions import SessionTable, TicketTable
from .repository.app import repository_app
from .repository.store import Change, Store
from .request_log import RequestLog
from .site import Site
from .tls import send_alerts

_LOOPBACK = "127.0.0.1"


class ServeError(Exception):
    """The site cannot be opened. The message is one line."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Port:
    """One listening port.

    Args:
        name: "qrs", "proxy:<node>", "qps:<node>" or "engine:<node>"; requests carry it in their state.
        app: the application.
        number: the TCP port, 0 for a free one.
        client_certificates: whether a client certificate is required, optional, or not requested.
        is_proxy: whether it is a proxy's port for users, which has the certificate of the proxies.
    """

    name: str
    app: ASGIApp
    number: int
    client_certificates: ssl.VerifyMode
    is_proxy: bool = False


class _Server(uvicorn.Server):
    """A server for one port. It leaves signals to `serve`, which handles them for all ports."""

    @contextlib.contextmanager
    def capture_signals(self) -> t.Iterator[None]:
        yield


def build_ports(site: Site, store: Store, log: RequestLog) -> list[Port]:
    """Return all ports of a site: that of the repository, and for each node those of its proxy."""
    faults, clock = FaultPlan(site.faults), MovableClock(site.clock_file)
    repository = repository_app(site, store, log, faults=faults)
    # EVIDENCE(B; Qlik-Cli-Windows issues 44 and 123, QlikSenseQMCUtility issue 34): without a client certificate there
    # is a TLS failure, or 403
    # INVENTED(switch=missing_client_certificate): which of the two it is
    with_certificate = ssl.CERT_OPTIONAL if site.switches.missing_client_certificate == "403" else ssl.CERT_REQUIRED
    ports = [Port(name="qrs", app=repository, number=site.qrs_port, client_certificates=with_certificate)]
    for node in site.nodes:
        sessions, tickets = SessionTable(site.switches, clock=clock), TicketTable(clock=clock)
        proxy = proxy_app(
            site=site,
            store=store,
            node=node,
            repository=repository,
            sessions=sessions,
            tickets=tickets,
            clock=clock,
        )
        qps = qps_app(site=site, store=store, node=node, sessions=sessions, tickets=tickets)
        ports += [
            Port(
                name=f"proxy:{node.name}",
                app=proxy,
                number=node.proxy_port,
                client_certificates=ssl.CERT_NONE,
                is_proxy=True,
            ),
            # EVIDENCE(A; Qlik help, QPS API): the proxy's own API requires client certificates, too
            Port(name=f"qps:{node.name}", app=qps, number=node.qps_port, client_certificates=ssl.CERT_REQUIRED),
        ]
        if node.engine_port is not None:
            engine = EnginePort(site=site, store=store)
            name = f"engine:{node.name}"
            ports.append(Port(name=name, app=engine, number=node.engine_port, client_certificates=ssl.CERT_REQUIRED))
    return [dataclasses.replace(port, app=log.recording(faults.applied(port.app))) for port in ports]


async def serve(site: Site, *, store: Store, pki: Pki, ready: pathlib.Path) -> None:
    """Open the ports of a site, write the ready file, and run until SIGTERM or SIGINT.

    Args:
        site: its ports are set as soon as they are known.
        store: its entities.
        pki: its certificates.
        ready: written when every port listens, removed at the end.

    Raises:
        ServeError: a port is taken.
    """
    send_alerts()
    ports = build_ports(site, store, RequestLog())
    sockets = _bind(ports)
    _note_ports(site, sockets)
    _store_settings(site, store, pki=pki)
    numbers = itertools.count(1)
    servers = [_server(port, pki=pki, numbers=numbers) for port in ports]
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, functools.partial(_stop, servers))
    tasks = [
        asyncio.create_task(server.serve([sockets[port.name]])) for server, port in zip(servers, ports, strict=True)
    ]
    try:
        while not all(server.started for server in servers):
            done, _pending = await asyncio.wait(tasks, timeout=0.005, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            if done:
                return
        content = json.dumps(ready_content(site), indent=2) + "\n"
        write_atomically(ready, content.encode(), mode=0o644)
        print(ready, flush=True)
        await asyncio.gather(*tasks)
    finally:
        ready.unlink(missing_ok=True)
        _stop(servers)
        await asyncio.gather(*tasks, return_exceptions=True)


def _stop(servers: t.Iterable[uvicorn.Server]) -> None:
    for server in servers:
        server.should_exit = True


def ready_content(site: Site) -> dict[str, t.Any]:
    """Return the content of the ready file. Its host names resolve to this machine and are in the certificate."""
    nodes = []
    for node in site.nodes:
        host = node.host_name if node.host_name in ("localhost", _LOOPBACK) else "localhost"
        nodes.append(
            {
                "name": node.name,
                "host_name": node.host_name,
                "is_central": node.is_central,
                "proxy_url": f"https://{host}:{node.proxy_port}",
                "qps_url": f"https://{host}:{node.qps_port}",
                **({"engine_url": f"https://{host}:{node.engine_port}"} if node.engine_port else {}),
            }
        )
    return {"pid": os.getpid(), "qrs_url": f"https://localhost:{site.qrs_port}", "nodes": nodes}


def _bind(ports: t.Sequence[Port]) -> dict[str, socket.socket]:
    """Return a bound socket for each port, on loopback only. Ports with a fixed number are bound first."""
    sockets: dict[str, socket.socket] = {}
    for port in sorted(ports, key=lambda one: not one.number):
        # With an explicit protocol, asyncio sets TCP_NODELAY. Without it, each response waits for the delayed ACK of
        # the peer.
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        if port.number:
            # After a restart, connections of the previous run may remain on the port. A free port has none.
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((_LOOPBACK, port.number))
            bound.listen()
        except OSError as error:
            for other in (bound, *sockets.values()):
                other.close()
            raise ServeError(f"Port {port.number} for {port.name} cannot be opened: {error.strerror}.") from error
        sockets[port.name] = bound
    return sockets


def _note_ports(site: Site, sockets: t.Mapping[str, socket.socket]) -> None:
    site.qrs_port = sockets["qrs"].getsockname()[1]
    for node in site.nodes:
        node.proxy_port = sockets[f"proxy:{node.name}"].getsockname()[1]
        node.qps_port = sockets[f"qps:{node.name}"].getsockname()[1]
        if node.engine_port is not None:
            node.engine_port = sockets[f"engine:{node.name}"].getsockname()[1]


def _store_settings(site: Site, store: Store, *, pki: Pki) -> None:
    """Store ports and certificate in the settings of the proxies."""
    # EVIDENCE(A; Qlik help, "Editing a proxy"): that is what the two ports mean
    # INVENTED(switch=none): values that a client wrote there are overwritten at the next start
    ports = {store.node_id(node.name): (node.proxy_port, node.qps_port) for node in site.nodes}
    changes = []
    for row in store.rows("ProxyService"):
        listen, rest = ports[row["serverNodeConfiguration"]]
        settings = {
            **row["settings"],
            "listenPort": listen,
            "restListenPort": rest,
            "sslBrowserCertificateThumbprint": pki.proxy_thumbprint,
        }
        changes.append(Change("ProxyService", row["id"], {**row, "settings": settings}))
    store.save(changes)


def _server(port: Port, *, pki: Pki, numbers: t.Iterator[int]) -> uvicorn.Server:
    protocol = type("Protocol", (Protocol,), {"port_name": port.name, "connection_numbers": numbers})
    certificate, key = pki.proxy_pair if port.is_proxy else (pki.server, pki.server_key)
    config = uvicorn.Config(
        port.app,
        http=protocol,
        ws="wsproto",
        loop="asyncio",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        # EVIDENCE(B; qlik-sense-mcp): the proxy does not relay pings, so none are sent
        ws_ping_interval=None,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=2,
        ssl_certfile=certificate,
        ssl_keyfile=key,
        ssl_ca_certs=str(pki.root),
        ssl_cert_reqs=port.client_certificates,
    )
    config.load()
    return _Server(config)
