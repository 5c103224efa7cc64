# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run playbooks on two simulated sites of an inventory, with faults."""

from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import typing as t

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa

from qlik_sense_simulator.testing import RunningSite

INSIDE = pathlib.Path(__file__).parents[1] / "crash_recovery" / "inside"
TIMEOUT = 300
"""Seconds after which a playbook counts as hanging."""

Values = dict[str, t.Any]


class Site:
    """A simulated site that is a host of the inventory.

    Args:
        directory: for its files.
    """

    def __init__(self, directory: pathlib.Path) -> None:
        self._directory = directory
        self._start()
        self.pki = self._running.pki

    def _start(self) -> None:
        self._running = RunningSite(self._directory, {"switches": {"reload_seconds": 0}})
        self.nodes: list[Values] = self._running.ready["nodes"]
        self._url: str = self._running.ready["qrs_url"]

    def move(self) -> None:
        """Stop the site and start it at other addresses: its repository and its proxies have other ports then."""
        self._running.stop()
        self._start()

    def stop(self) -> None:
        self._running.stop()

    def addresses(self) -> Values:
        """Return the variables of the inventory that hold addresses."""
        return {
            "qlik_host": "localhost",
            "qlik_port": int(self._url.rpartition(":")[2]),
            "qlik_proxy_urls": {node["name"]: node["proxy_url"] for node in self.nodes},
            "qlik_qps_urls": {node["name"]: node["qps_url"] for node in self.nodes},
        }

    def _request(self, method: str, path: str, **arguments: t.Any) -> t.Any:
        key = "0123456789abcdef"
        answer = requests.request(
            method,
            f"{self._url}{path}",
            params={"xrfkey": key},
            headers={"X-Qlik-Xrfkey": key, "X-Qlik-User": "UserDirectory=INTERNAL; UserId=sa_api"},
            cert=(str(self.pki / "client.pem"), str(self.pki / "client_key.pem")),
            verify=str(self.pki / "root.pem"),
            timeout=30,
            **arguments,
        )
        answer.raise_for_status()
        return answer.json()

    def writes(self) -> int:
        """Return how many requests have changed the site, or were to change it."""
        journal = self._request("GET", "/simulator/requests")["requests"]
        return sum(entry["port"] == "qrs" and entry["method"] != "GET" for entry in journal)

    def change(self, kind: str, known_as: str, **fields: t.Any) -> None:
        """Change an entity as an administrator would at the QMC.

        Args:
            kind: of the entity, such as virtualproxyconfig.
            known_as: its prefix, or its name.
            fields: the new values.
        """
        entities = self._request("GET", f"/qrs/{kind}/full")
        [entity] = [one for one in entities if known_as in (one.get("prefix"), one.get("name"))]
        self._request("PUT", f"/qrs/{kind}/{entity['id']}", json=entity | fields)

    def virtual_proxies(self) -> dict[str, Values]:
        """Return the virtual proxies for tokens by prefix."""
        found = self._request("GET", "/qrs/virtualproxyconfig/full")
        return {one["prefix"]: one for one in found if one["authenticationMethod"] == 4}

    def links(self) -> dict[str, set[str]]:
        """Return the prefixes that are linked to the proxy of each node."""
        proxies = self._request("GET", "/qrs/proxyservice/full")
        return {
            one["serverNodeConfiguration"]["name"]: {link["prefix"] for link in one["settings"]["virtualProxies"]}
            - {""}
            for one in proxies
        }

    def state(self) -> Values:
        """Return the state that must be the same after a restoration."""
        return {
            "links": self.links(),
            "virtual_proxies": {
                prefix: {name: one[name] for name in ("id", "description", "sessionInactivityTimeout")}
                for prefix, one in self.virtual_proxies().items()
            },
        }

    def opens(self, prefix: str, key: pathlib.Path) -> bool:
        """Return True if a new token of the key opens the hub on each proxy."""
        now = int(time.time())
        claims = {"userId": f"user{time.monotonic_ns()}", "userDirectory": "USERS", "iat": now - 30, "exp": now + 600}
        headers = {"Authorization": f"Bearer {jwt.encode(claims, key.read_bytes(), algorithm='RS256')}"}
        return all(
            requests.get(
                f"{node['proxy_url']}/{prefix}/hub/", headers=headers, verify=str(self.pki / "root.pem"), timeout=30
            ).ok
            for node in self.nodes
        )


class Run(t.NamedTuple):
    """The result of a playbook.

    Attributes:
        status: the exit status, negative if a signal ended it.
        text: the output on one line.
    """

    status: int
    text: str


class Operator:
    """Runner of playbooks like cron: in the directory /, with a umask of 077 and few variables.

    Attributes:
        sites: dev and test, by name.
        hosts: the variables of each host in the inventory, which tests change.
        inventory: the directory of the inventory.
    """

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory
        self.sites = {name: Site(directory / name) for name in ("dev", "test")}
        self.inventory = directory / "desk" / "inventory"
        self.inventory.mkdir(parents=True)
        self.journal = directory / "journal"
        (directory / "home").mkdir()
        self.key = self.inventory / "portal_key.pem"
        self.hosts: dict[str, Values] = {}
        for name, site in self.sites.items():
            self.hosts[name] = site.addresses() | self._variables(site)

    def _variables(self, site: Site) -> Values:
        shutil.copy(site.pki / "server_key.pem", self.key.with_name(f"{site.pki.parent.name}_key.pem"))
        return {
            "qlik_ca_path": str(site.pki / "root.pem"),
            "qlik_proxy_ca_path": str(site.pki / "proxy_root.pem"),
            "qlik_client_cert": str(site.pki / "client.pem"),
            "qlik_client_key": str(site.pki / "client_key.pem"),
            "qlik_retries": 0,
            "qlik_jwt_private_key_path": str(self.key.with_name(f"{site.pki.parent.name}_key.pem")),
            "qlik_smoke_test_users": ["SMOKE\\test"],
            "qlik_virtual_proxies": [
                {
                    "prefix": "portal",
                    "description": "The portal",
                    "jwt_public_key_certificate": (site.pki / "server.pem").read_text(),
                    "session_inactivity_timeout": 20,
                    "load_balancing_server_nodes": ["Central", "Rim1"],
                    "proxies": ["Central", "Rim1"],
                }
            ],
            "smoke_test_wait": 10,
            "promotion_keep": ["jwt_public_key_certificate"],
            "promotion_overrides": {
                "*": {"jwt_public_key_certificate": (site.pki / "server.pem").read_text()},
            },
            "key_rotation_name": "portal",
            "key_rotation_overlap": 0,
            "key_rotation_wait": 10,
            "follow_jwks_prefix": "idp",
            "follow_jwks_path": str(self.inventory / "jwks.json"),
            "follow_jwks_wait": 10,
            "follow_jwks_ownca_path": str(site.pki / "root.pem"),
            "follow_jwks_ownca_privatekey_path": str(site.pki.parent / "root_key.pem"),
            "follow_jwks_map_path": str(self.inventory / "map" / "map.json"),
            "follow_jwks_virtual_proxy": {
                "load_balancing_server_nodes": ["Central"],
                "proxies": ["Central", "Rim1"],
            },
        }

    def write_key_set(self, *kids: str) -> None:
        """Write the keys of an identity provider."""
        keys = [
            jwt.algorithms.RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 2048).public_key(), as_dict=True)
            | {"kid": kid, "use": "sig"}
            for kid in kids
        ]
        (self.inventory / "jwks.json").write_text(json.dumps({"keys": keys}))

    def start(
        self,
        playbook: str,
        *arguments: str,
        at: tuple[str, int] = ("", 0),
        how: str = "KILL",
        full: t.Iterable[pathlib.Path] = (),
        read_only: t.Iterable[pathlib.Path] = (),
        journal: str = "journal",
    ) -> subprocess.Popen[str]:
        """Start a playbook.

        Args:
            playbook: its name.
            arguments: more for the command line.
            at: how the points begin that count, and the number of the one at which something happens, from 1.
            how: KILL, TERM, or by how many seconds the clock jumps.
            full: directories without space.
            read_only: directories that cannot be written to.
            journal: name of a file, one for each run at a time.
        """
        (self.inventory / "sites.yml").write_text(json.dumps({"qlik_sites": {"hosts": self.hosts}}))
        file = self.directory / journal
        file.write_text("")
        file.with_suffix(".jumped").unlink(missing_ok=True)
        command = [
            str(pathlib.Path(sys.executable).with_name("ansible-playbook")),
            f"sensible.qlik.{playbook}",
            "-i",
            str(self.inventory / "sites.yml"),
            *arguments,
        ]
        running = subprocess.Popen(
            command,
            cwd="/",
            umask=0o077,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.directory / "home"),
                "LC_ALL": "C.UTF-8",
                "ANSIBLE_COLLECTIONS_PATH": os.environ["ANSIBLE_COLLECTIONS_PATH"],
                "ANSIBLE_CALLBACK_PLUGINS": str(INSIDE / "callback"),
                "ANSIBLE_NOCOLOR": "1",
                "PYTHONPATH": str(INSIDE),
                "INJECT_JOURNAL": str(file),
                "INJECT_FILES": f"{self.inventory}/",
                "INJECT_ONLY": at[0],
                "INJECT_AT": str(at[1]),
                "INJECT_HOW": how,
                "INJECT_FULL": ":".join(map(str, full)),
                "INJECT_READ_ONLY": ":".join(map(str, read_only)),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        file.with_suffix(".pid").write_text(str(running.pid))
        return running

    def finish(self, running: subprocess.Popen[str]) -> Run:
        """Wait for the end of a playbook, and check its output for secrets and tracebacks."""
        try:
            output, _nothing = running.communicate(timeout=TIMEOUT)
        finally:
            running.kill()
        assert "Traceback" not in output, output
        assert "PRIVATE KEY" not in output
        assert not re.search(r"eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+", output)
        return Run(running.returncode, " ".join(output.split()))

    def run(self, playbook: str, *arguments: str, **options: t.Any) -> Run:
        """Run a playbook to its end. See start."""
        return self.finish(self.start(playbook, *arguments, **options))

    def points(self) -> list[str]:
        """Return the points that the last run reached."""
        return (self.directory / "journal").read_text().splitlines()


@pytest.fixture
def operator(tmp_path: pathlib.Path) -> t.Iterator[Operator]:
    before = set(pathlib.Path("/").iterdir())
    operator = Operator(tmp_path)
    try:
        yield operator
    finally:
        for site in operator.sites.values():
            site.stop()
    assert set(pathlib.Path("/").iterdir()) <= before
