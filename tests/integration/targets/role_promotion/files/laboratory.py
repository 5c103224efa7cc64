# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run playbooks on the simulated sites of an inventory, as a user does."""

from __future__ import annotations

import json
import os
import re
import subprocess
import typing as t
from pathlib import Path

import requests
import yaml

from qlik_sense_simulator.testing import RunningSite, RunningSites

Values = dict[str, t.Any]

# What only says who saved something when, and where; each site listens on ports of its own.
_CIRCUMSTANCES = {"id", "createdDate", "modifiedDate", "modifiedByUserName", "schemaPath", "impactSecurityAccess"}
# Each process of simulated sites has ports and an authority of its own.
_CIRCUMSTANCES |= {"listenPort", "restListenPort", "sslBrowserCertificateThumbprint"}

# As on most production sites: the proxies have certificates of another authority than the repository.
_TWO_AUTHORITIES: Values = {"proxy_authority": "other"}


class State(t.NamedTuple):
    """The virtual proxies in the database of a site.

    Attributes:
        virtual_proxies: by prefix, each field of each.
        links: prefixes by the name of the proxy's node.
        others: everything else in the proxies' settings, by node.
    """

    virtual_proxies: dict[str, Values]
    links: dict[str, set[str]]
    others: dict[str, Values]


class Site:
    """A simulated site that is a host of an inventory.

    Args:
        addresses: its addresses, as the simulator returns them.
        pki: the directory of its PEM files.
    """

    def __init__(self, addresses: Values, pki: Path) -> None:
        self.pki = pki
        self._addresses = addresses
        self._url = addresses["qrs_url"]
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = str(self.pki / "root.pem")
        self._session.cert = (str(self.pki / "client.pem"), str(self.pki / "client_key.pem"))

    def variables(self) -> Values:
        """Return its variables in the inventory. No request is repeated."""
        return {
            "qlik_host": "localhost",
            "qlik_port": int(self._url.rpartition(":")[2]),
            "qlik_ca_path": str(self.pki / "root.pem"),
            "qlik_proxy_ca_path": str(self.pki / "proxy_root.pem"),
            "qlik_client_cert": str(self.pki / "client.pem"),
            "qlik_client_key": str(self.pki / "client_key.pem"),
            "qlik_retries": 0,
            "qlik_read_timeout": 20,
            "qlik_proxy_urls": [node["proxy_url"] for node in self._addresses["nodes"]],
            "qlik_jwt_private_key_path": str(self.pki / "server_key.pem"),
            "qlik_smoke_test_users": ["SMOKE\\test"],
            "smoke_test_wait": 30,
        }

    @property
    def certificate(self) -> str:
        return (self.pki / "server.pem").read_text()

    def requests(self) -> list[tuple[str, str]]:
        """Return method and path of all requests to the repository so far."""
        journal = self._get("requests")["requests"]
        return [(entry["method"], entry["path"]) for entry in journal if entry["port"] == "qrs"]

    def writes(self) -> int:
        return sum(method != "GET" for method, _path in self.requests())

    def set_field(self, prefix: str, /, **fields: t.Any) -> None:
        """Change a virtual proxy, as a user of the QMC would."""
        self._change("VirtualProxyConfig", "prefix", prefix, fields)

    def rename_node(self, name: str, new: str) -> None:
        self._change("ServerNodeConfiguration", "name", name, {"name": new})

    def _change(self, kind: str, field: str, value: str, fields: Values) -> None:
        key = "0123456789abcdef"
        headers = {"X-Qlik-Xrfkey": key, "X-Qlik-User": "UserDirectory=INTERNAL;UserId=sa_api"}
        [entity] = [one for one in self._get("database")[kind] if one[field] == value]
        url = f"{self._url}/qrs/{kind.lower()}/{entity['id']}?xrfkey={key}"
        self._session.put(url, json={**entity, **fields}, headers=headers, timeout=30).raise_for_status()

    def set_faults(self, *faults: Values) -> None:
        answer = self._session.put(f"{self._url}/simulator/faults", json=list(faults), timeout=30)
        answer.raise_for_status()

    def state(self) -> State:
        database = self._get("database")
        prefixes = {one["id"]: one["prefix"] for one in database["VirtualProxyConfig"]}
        proxies = {one["serverNodeConfiguration"]["name"]: one["settings"] for one in database["ProxyService"]}
        return State(
            {one["prefix"]: _essence(one) for one in database["VirtualProxyConfig"]},
            {node: {prefixes[link["id"]] for link in one["virtualProxies"]} for node, one in proxies.items()},
            {node: _essence({**one, "virtualProxies": None}) for node, one in proxies.items()},
        )

    def _get(self, path: str) -> Values:
        answer = self._session.get(f"{self._url}/simulator/{path}", timeout=30)
        answer.raise_for_status()
        content: Values = answer.json()
        return content


def _essence(value: t.Any) -> t.Any:
    """Return a value without ids and dates, and with sorted lists."""
    if isinstance(value, dict):
        return {name: _essence(one) for name, one in value.items() if name not in _CIRCUMSTANCES}
    if isinstance(value, list):
        return sorted((_essence(one) for one in value), key=lambda one: json.dumps(one, sort_keys=True))
    return value


class Run(t.NamedTuple):
    """The result of a playbook."""

    code: int
    text: str

    @property
    def output(self) -> str:
        """Return the text without its line breaks."""
        return " ".join(self.text.split())


class Laboratory:
    """Sites and a directory to run playbooks in.

    Attributes:
        sites: by the name of the host.
        hosts: the variables of each host, which tests change.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.sites: dict[str, Site] = {}
        self.hosts: dict[str, Values] = {}
        self._simulators: list[RunningSite | RunningSites] = []

    def add(self, name: str, description: Values) -> Site:
        """Start a site with keys of its own."""
        simulator = RunningSite(self.directory / name, _TWO_AUTHORITIES | description)
        self._simulators.append(simulator)
        self._note(name, simulator.ready, simulator.pki)
        return self.sites[name]

    def add_all(self, descriptions: t.Mapping[str, Values]) -> None:
        """Start sites that share their keys. They can be many."""
        sites = {name: _TWO_AUTHORITIES | description for name, description in descriptions.items()}
        simulator = RunningSites(self.directory / f"sites{len(self._simulators)}", sites)
        self._simulators.append(simulator)
        for name, addresses in simulator.sites.items():
            self._note(name, addresses, simulator.pki)

    def _note(self, name: str, addresses: Values, pki: Path) -> None:
        self.sites[name] = site = Site(addresses, pki)
        self.hosts[name] = site.variables()

    def stop(self) -> None:
        for simulator in self._simulators:
            simulator.stop()

    def begin(self, playbook: str, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        """Start a playbook, with these variables in its environment."""
        inventory = self.directory / "inventory.json"
        inventory.write_text(json.dumps({"qlik_sites": {"hosts": self.hosts}}))
        environment = {
            **os.environ,
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_NOCOLOR": "true",
            "PWD": "/",  # files lie beside the inventory, whatever the shell says
            **variables,
        }
        return subprocess.Popen(
            ["ansible-playbook", playbook, "-i", str(inventory), *arguments],
            cwd=self.directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, playbook: str, *arguments: str, **variables: str) -> Run:
        """Run a playbook to its end, and check that its output contains no secret."""
        process = self.begin(playbook, *arguments, **variables)
        output, _nothing = process.communicate()
        self.check_secrets(output)
        return Run(process.returncode, output)

    def check_secrets(self, text: str) -> None:
        """Insist that there is no key, not even a line of one, and no token in the text."""
        assert "PRIVATE KEY" not in text
        assert not re.search(r"eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+", text)
        for pki in {site.pki for site in self.sites.values()}:
            for key in ("client_key.pem", "server_key.pem"):
                for line in (pki / key).read_text().splitlines()[1:-1]:
                    assert line not in text

    def snapshots(self) -> list[Path]:
        """Return the snapshot files, oldest first. Check that they contain no secret."""
        files = sorted((self.directory / "promotion_snapshots").glob("*"), key=lambda file: file.stat().st_mtime_ns)
        for file in files:
            self.check_secrets(file.read_text())
        return files

    def unfinished(self, host: str) -> list[list[str]]:
        """Return the unfinished prefixes of each snapshot of a host, in the order of the file names."""
        files = sorted((self.directory / "promotion_snapshots").glob(f"{host}-*.yml"))
        return [yaml.safe_load(file.read_text())["unfinished"] for file in files if file.stat().st_size]
