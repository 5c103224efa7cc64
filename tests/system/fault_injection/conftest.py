# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Provide one simulated site that can be reset and that fails on request."""

from __future__ import annotations

import pathlib
import time
import typing as t

import pytest
import requests

from qlik_sense_simulator.testing import RunningSite

XRFKEY = "0123456789abcdef"
Document = dict[str, t.Any]
SITE = {
    "nodes": [
        {"name": "Central", "host_name": "localhost", "is_central": True},
        {"name": "Rim1", "host_name": "127.0.0.1"},
    ],
    "users": [{"user_directory": "ACME", "user_id": "admin", "roles": ["RootAdmin"]}],
    "tags": ["portal"],
}
# What changes by itself with each write, or is only a name for a row.
_VOLATILE = {"id", "createdDate", "modifiedDate", "modifiedByUserName"}


class BreakableSite:
    """A running site, with access that does not use the modules.

    Args:
        running: the simulator.
    """

    def __init__(self, running: RunningSite) -> None:
        self.pki = running.pki
        self.qrs_url: str = running.ready["qrs_url"]
        self.proxy_port = int(running.ready["nodes"][0]["proxy_url"].rpartition(":")[2])
        self._slow, self._start = False, 0
        self.certificate = (running.pki / "server.pem").read_text()
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = str(running.pki / "root.pem")
        self._session.cert = (str(running.pki / "client.pem"), str(running.pki / "client_key.pem"))
        self._session.headers["X-Qlik-Xrfkey"] = XRFKEY

    @property
    def connection(self) -> dict[str, t.Any]:
        """Return the connection options for the repository."""
        return {
            "host": "localhost",
            "port": int(self.qrs_url.rpartition(":")[2]),
            "client_cert": str(self.pki / "client.pem"),
            "client_key": str(self.pki / "client_key.pem"),
            "ca_path": str(self.pki / "root.pem"),
            "proxy_ca_path": str(self.pki / "proxy_root.pem"),
        }

    def call(self, method: str, path: str, body: t.Any = None) -> t.Any:
        """Ask the repository, or the simulator."""
        answer = self._session.request(
            method, f"{self.qrs_url}/{path}", params={"xrfkey": XRFKEY}, json=body, timeout=30
        )
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def break_(self, *faults: dict[str, t.Any]) -> None:
        """Replace all faults of the site by these."""
        self._slow = any(fault["action"] == "delay" for fault in faults)
        self._start = len(self._journal())
        self.call("PUT", "simulator/faults", list(faults))

    def requests(self) -> list[tuple[str, str]]:
        """Return method and path of all requests to the repository so far."""
        return [(entry["method"], entry["path"]) for entry in self._journal() if entry["port"] == "qrs"]

    def conflicts(self) -> int:
        """Return the number of writes that got a 409 so far."""
        return sum(entry["status"] == 409 for entry in self._journal())

    def _journal(self) -> list[dict[str, t.Any]]:
        journal: list[dict[str, t.Any]] = self.call("GET", "simulator/requests")["requests"]
        return journal

    def settle(self) -> None:
        """Wait until no request is running: a slow request continues after its client has disconnected."""
        deadline = time.monotonic() + 10
        while any(entry["status"] is None for entry in self._journal()[self._start :]) and self._slow:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def document(self) -> Document:
        """Return the entities of the site by prefix and by node, without fields that each save changes."""
        database = self.call("GET", "simulator/database")
        prefixes = {entity["id"]: entity["prefix"] for entity in database["VirtualProxyConfig"]}
        proxies = {}
        for proxy in database["ProxyService"]:
            linked = sorted(prefixes[link["id"]] for link in proxy["settings"]["virtualProxies"])
            proxies[proxy["serverNodeConfiguration"]["name"]] = {
                **_lasting(proxy["settings"]),
                "virtualProxies": linked,
            }
        return {
            "virtual_proxies": {
                entity["prefix"]: {
                    **_lasting(entity),
                    "tags": sorted(tag["name"] for tag in entity["tags"]),
                    "loadBalancingServerNodes": sorted(node["name"] for node in entity["loadBalancingServerNodes"]),
                }
                for entity in database["VirtualProxyConfig"]
            },
            "proxies": proxies,
        }

    def reset(self, virtual_proxies: t.Mapping[str, t.Sequence[str]]) -> None:
        """Nothing but these JWT virtual proxies and the default one, linked to the proxies of these nodes."""
        self.break_()
        ids = {"": ""}
        for entity in self.call("GET", "qrs/virtualproxyconfig"):
            if entity["prefix"]:
                self.call("DELETE", f"qrs/virtualproxyconfig/{entity['id']}")
            else:
                ids[""] = entity["id"]
        [tag] = self.call("GET", "qrs/tag")
        for prefix in virtual_proxies:
            body = {
                "prefix": prefix,
                "description": prefix,
                "authenticationMethod": 4,
                "sessionCookieHeaderName": f"X-Qlik-Session-{prefix}",
                "jwtAttributeUserId": "userId",
                "jwtAttributeUserDirectory": "userDirectory",
                "jwtPublicKeyCertificate": self.certificate,
                "tags": [tag],
            }
            ids[prefix] = self.call("POST", "qrs/virtualproxyconfig", body)["id"]
        for proxy in self.call("GET", "qrs/proxyservice/full"):
            name = proxy["serverNodeConfiguration"]["name"]
            linked = ["", *(prefix for prefix, nodes in virtual_proxies.items() if name in nodes)]
            proxy["settings"]["virtualProxies"] = [{"id": ids[prefix]} for prefix in linked]
            self.call("PUT", f"qrs/proxyservice/{proxy['id']}", proxy)


def _lasting(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {name: _lasting(one) for name, one in value.items() if name not in _VOLATILE}
    return [_lasting(one) for one in value] if isinstance(value, list) else value


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[BreakableSite]:
    """Yield a running site with two nodes."""
    directory: pathlib.Path = tmp_path_factory.mktemp("faults") / "site"
    with RunningSite(directory, SITE) as running:
        yield BreakableSite(running)
        assert "Traceback" not in running.log.read_text()
