# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two nodes behind a load balancer that forwards TCP connections."""

from __future__ import annotations

import itertools
import pathlib
import socket
import socketserver
import threading
import typing as t

import pytest
from test_web_proxy import Values, copy, play

from qlik_sense_simulator.testing import RunningSite

NODES = ("Central", "Rim1")


class Balancer(socketserver.ThreadingTCPServer):
    """Forwards each connection to the next node or, if it is sticky, all connections of a client to one node."""

    daemon_threads = True

    def __init__(self, ports: t.Sequence[int], *, sticky: bool) -> None:
        turns = itertools.cycle(ports)
        homes: dict[str, int] = {}
        self.port_of: t.Callable[[str], int] = (
            (lambda client: homes.setdefault(client, next(turns))) if sticky else (lambda _client: next(turns))
        )
        super().__init__(("127.0.0.1", 0), _Connection)
        self.url = f"https://localhost:{self.server_address[1]}"

    def __enter__(self) -> t.Self:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.shutdown()
        self.server_close()


class _Connection(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        port = t.cast("Balancer", self.server).port_of(self.client_address[0])
        with socket.create_connection(("127.0.0.1", port)) as node:
            back = threading.Thread(target=copy, args=(node, self.request), daemon=True)
            back.start()
            copy(self.request, node)
            back.join()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[RunningSite]:
    with RunningSite(tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.mark.parametrize("sticky", [True, False])
def test_sticky_sessions_are_required(site: RunningSite, tmp_path: pathlib.Path, *, sticky: bool) -> None:
    key = f"private_key_path='{site.pki}/server_key.pem'"
    token = f"{{{{ lookup('sensible.qlik.jwt', 'EXAMPLE\\\\anna', {key}) }}}}"
    portal = {
        "prefix": "portal",
        "jwt_public_key_certificate": (site.pki / "server.pem").read_text(),
        "has_secure_attribute_https": True,
        "host_allow_list": ["localhost"],
        "load_balancing_server_nodes": ["Central"],
        "proxies": list(NODES),
    }
    connection: Values = {
        "host": "localhost",
        "port": int(site.ready["qrs_url"].rpartition(":")[2]),
        "client_cert": str(site.pki / "client.pem"),
        "client_key": str(site.pki / "client_key.pem"),
        "ca_path": str(site.pki / "root.pem"),
        "proxy_ca_path": str(site.pki / "root.pem"),
    }
    nodes = {node["name"]: node["proxy_url"] for node in site.ready["nodes"] if node["name"] in NODES}
    check: Values = {
        "logins": [{"virtual_proxy": portal, "token": token}],
        "qps_urls": {node["name"]: node["qps_url"] for node in site.ready["nodes"] if node["name"] in NODES},
    }
    with Balancer([int(url.rpartition(":")[2]) for url in nodes.values()], sticky=sticky) as balancer:
        behind = {**check, "proxy_urls": dict.fromkeys(nodes, balancer.url), "wait": 0}
        status, output = play(
            tmp_path,
            connection,
            {"name": "Declare", "sensible.qlik.jwt_virtual_proxy": portal},
            {"name": "Await", "sensible.qlik.login_check": {**check, "proxy_urls": nodes, "wait": 20}},
            {"name": "Check", "sensible.qlik.login_check": behind, "register": "found"},
            {"name": "Show", "ansible.builtin.debug": {"var": "found.lines"}},
        )
    if sticky:
        assert status == 0, output
        assert f"portal on {balancer.url} as" in output
        assert "attributes, cookie, stickiness, cookie_flags" in output
    else:
        assert status == 2, output
        assert f"The check stickiness failed on {balancer.url}/portal as" in output
        assert "A load balancer sends the connections of one browser to different nodes" in output
