# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure the module jwt_virtual_proxy: requests, connections and writes, counted by a simulated site, and CPU.

The CPU of a whole playbook whose one task changes nothing is compared with that of a playbook whose one task is a GET
by ansible.builtin.uri with the same client certificate. Needs ANSIBLE_COLLECTIONS_PATH.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import typing as t
from pathlib import Path

import requests
from pairs import Cost, cost_of, measure

from qlik_sense_simulator.testing import RunningSite

GOAL = 1.05
XRFKEY = "0123456789abcdef"
ENVIRONMENT = {**os.environ, "ANSIBLE_LOCALHOST_WARNING": "false", "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false"}


class Bench:
    """A site, and playbooks of one task against it."""

    def __init__(self, directory: Path, site: RunningSite) -> None:
        self.directory = directory
        self.qrs_url = site.ready["qrs_url"]
        self.nodes = [node["name"] for node in site.ready["nodes"]]
        files = {"client_cert": "client", "client_key": "client_key", "ca_path": "root"}
        self.tls = {option: str(site.pki / f"{name}.pem") for option, name in files.items()}
        self.options = {
            **self.tls,
            "host": "localhost",
            "port": int(self.qrs_url.rpartition(":")[2]),
            "prefix": "jwt",
            "jwt_public_key_certificate": (site.pki / "server.pem").read_text(),
            "load_balancing_server_nodes": self.nodes,
            "proxies": self.nodes,
        }
        self._journal_read = 0

    def play(self, task: dict[str, t.Any]) -> Cost:
        """Return the time of a playbook with this one task."""
        path = self.directory / f"{next(iter(task))}.yml"
        variables = {"ansible_python_interpreter": sys.executable}
        play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "vars": variables, "tasks": [task]}
        path.write_text(json.dumps([play]))
        return cost_of([str(Path(sys.executable).with_name("ansible-playbook")), str(path)], environment=ENVIRONMENT)

    def virtual_proxy(self, **changes: t.Any) -> Cost:
        return self.play({"sensible.qlik.jwt_virtual_proxy": {**self.options, **changes}})

    def uri(self) -> Cost:
        url = f"{self.qrs_url}/qrs/about?xrfkey={XRFKEY}"
        return self.play({"ansible.builtin.uri": {"url": url, "headers": {"X-Qlik-Xrfkey": XRFKEY}, **self.tls}})

    def count(self, title: str, **changes: t.Any) -> None:
        """Run the module once and print what the site saw of it."""
        self.virtual_proxy(**changes)
        url = f"{self.qrs_url}/simulator/requests"
        certificate = (self.tls["client_cert"], self.tls["client_key"])
        journal = requests.get(url, cert=certificate, verify=self.tls["ca_path"], timeout=30).json()["requests"]
        new, self._journal_read = journal[self._journal_read :], len(journal)
        writes = sum(entry["method"] != "GET" for entry in new)
        connections = len({entry["connection"] for entry in new})
        print(f"  {title:<24} {len(new):>2} requests, {writes:>2} writes, {connections} connection(s)")


def main() -> None:
    with tempfile.TemporaryDirectory() as text, RunningSite(Path(text) / "site") as site:
        bench = Bench(Path(text), site)
        print(f"Counted by a site of {len(bench.nodes)} nodes")
        bench.count("create and link")
        bench.count("nothing to change")
        bench.count("update", session_inactivity_timeout=25)
        bench.count("unlink and delete", state="absent")
        bench.virtual_proxy()
        title = "A task that changes nothing against one GET by ansible.builtin.uri, whole playbooks"
        print(measure(bench.virtual_proxy, bench.uri).report(title, goal=GOAL))


if __name__ == "__main__":
    main()
