# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure one task for all virtual proxies of a site: requests, memory, CPU compared with one and with a loop, clients.

The other clients do the same work as a user would write it: read, compare, create missing ones and link them. They need
Node.js, and CLIENTS_DIRECTORY or a temporary directory to be installed in. Needs ANSIBLE_COLLECTIONS_PATH.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import shutil
import statistics
import sys
import tempfile
import typing as t
from pathlib import Path

import requests
from pairs import Cost, cost_of, measure

from qlik_sense_simulator.testing import RunningSite

HERE = Path(__file__).parent
XRFKEY = "0123456789abcdef"
ENVIRONMENT = {
    **os.environ,
    "ANSIBLE_LOCALHOST_WARNING": "false",
    "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
    "ANSIBLE_LIBRARY": str(HERE / "library"),
}
Entry = dict[str, t.Any]


class Site:
    """A simulated site, its request log, and the connection options.

    Args:
        running: the simulator.
    """

    def __init__(self, running: RunningSite) -> None:
        self.ready, self.pki = running.ready, running.pki
        self.nodes = [node["name"] for node in running.ready["nodes"]]
        files = {"client_cert": "client", "client_key": "client_key", "ca_path": "root"}
        port = int(self.ready["qrs_url"].rpartition(":")[2])
        self.connection: dict[str, t.Any] = {"host": "localhost", "port": port}
        self.connection |= {name: str(self.pki / f"{file}.pem") for name, file in files.items()}
        self._seen = 0

    def entries(self, number: int) -> list[Entry]:
        """So many virtual proxies, each linked to every proxy."""
        certificate = (self.pki / "server.pem").read_text()
        common = {"jwt_public_key_certificate": certificate, "load_balancing_server_nodes": self.nodes[:1]}
        return [{"prefix": f"p{one:03}", **common, "proxies": self.nodes} for one in range(number)]

    def counted(self) -> str:
        """Return the requests since the last call."""
        options = self.connection
        answer = requests.get(
            f"{self.ready['qrs_url']}/simulator/requests",
            cert=(str(options["client_cert"]), str(options["client_key"])),
            verify=str(options["ca_path"]),
            timeout=60,
        )
        journal = answer.json()["requests"]
        new, self._seen = journal[self._seen :], len(journal)
        writes = sum(entry["method"] != "GET" for entry in new)
        connections = len({entry["connection"] for entry in new})
        return f"{len(new):>4} requests, {writes:>3} writes, {connections:>3} connection(s)"


class Playbooks:
    """Playbooks of few tasks against a site.

    Args:
        directory: for the playbooks.
        site: the site.
    """

    def __init__(self, directory: Path, site: Site) -> None:
        self._directory = directory
        self._defaults = {"group/sensible.qlik.qlik": site.connection}

    def play(self, *tasks: dict[str, t.Any]) -> Cost:
        path = self._directory / "play.yml"
        variables = {"ansible_python_interpreter": sys.executable}
        play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "vars": variables}
        path.write_text(json.dumps([{**play, "module_defaults": self._defaults, "tasks": list(tasks)}]))
        return cost_of([str(Path(sys.executable).with_name("ansible-playbook")), str(path)], environment=ENVIRONMENT)

    def bulk(self, entries: list[Entry], **options: t.Any) -> Cost:
        return self.play({"sensible.qlik.jwt_virtual_proxies": {"virtual_proxies": entries, **options}})

    def carry(self, entries: list[Entry]) -> Cost:
        """Return a task with the same arguments and results that does nothing: the time of Ansible alone."""
        return self.play({"carry": {"virtual_proxies": entries}})

    def loop(self, entries: list[Entry]) -> Cost:
        return self.play({"sensible.qlik.jwt_virtual_proxy": "{{ item }}", "loop": entries})


def counts_and_ratios(directory: Path) -> None:
    """Measure a site of two nodes."""
    with RunningSite(directory / "site") as running:
        site = Site(running)
        playbooks = Playbooks(directory, site)
        print("Counted by a site of two nodes")
        for number in (1, 20, 100, 500):
            playbooks.bulk([{"prefix": one["prefix"], "state": "absent"} for one in site.entries(number)])
            site.counted()
            for title in ("create and link", "nothing to change"):
                playbooks.bulk(site.entries(number))
                print(f"  {number:>3}, {title:<18} {site.counted()}")
        one, hundred, all_of_them = site.entries(1), site.entries(100), site.entries(500)
        title = "Nothing to change among 500 against 1, whole playbooks"
        ratio = measure(lambda: playbooks.bulk(all_of_them), lambda: playbooks.bulk(one))
        print(ratio.report(title, goal=1.15))
        ratio = measure(lambda: playbooks.carry(all_of_them), lambda: playbooks.carry(one))
        print(ratio.report("  of which Ansible alone: 500 against 1 of a module that does nothing", goal=1.15))
        ten = site.entries(10)
        title = "Nothing to change among 100 in one task against a loop of 10 single tasks, whole playbooks"
        ratio = measure(lambda: playbooks.bulk(hundred), lambda: playbooks.loop(ten))
        empty = [playbooks.play() for _run in range(3)]
        start = min(cost.cpu for cost in empty)
        middle = statistics.median(bulk.cpu / (start + 10 * (loop.cpu - start)) for bulk, loop in ratio.pairs)
        print(ratio.report(title, goal=0.5))
        verdict = "met" if middle <= 0.05 else "missed"
        print(f"  against a loop of 100, extrapolated from those 10: {middle:.3f}, goal <= 0.05: {verdict}")


def memory(directory: Path) -> None:
    """Measure the largest site that is supported: 500 virtual proxies, each linked to 12 proxies."""
    nodes = [{"name": "Central", "host_name": "localhost", "is_central": True}]
    nodes += [{"name": f"Rim{one}", "host_name": f"rim{one}.example.com"} for one in range(1, 12)]
    with RunningSite(directory / "large", {"nodes": nodes}) as running:
        site = Site(running)
        entries = site.entries(500)
        Playbooks(directory, site).bulk(entries)
        print(f"500 virtual proxies on 12 proxies\n  create and link        {site.counted()}")
        for check in ("jwt_virtual_proxies", "virtual_proxy_info"):
            options = {"virtual_proxies": entries} if check == "jwt_virtual_proxies" else {}
            arguments = directory / f"{check}.json"
            arguments.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": {**site.connection, **options}}))
            command = [sys.executable, "-m", f"ansible_collections.sensible.qlik.plugins.modules.{check}", arguments]
            path = os.environ["ANSIBLE_COLLECTIONS_PATH"].partition(os.pathsep)[0]
            cost = cost_of([str(one) for one in command], environment={**ENVIRONMENT, "PYTHONPATH": path})
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
            print(f"  {check:<22} {site.counted()}, {cost.wall:.1f} s, largest process so far {peak} MB")


def others(directory: Path) -> None:
    """Measure the same work with third-party clients, including the start of their processes."""
    if not shutil.which("node"):
        print("Other clients: not tried, there is no Node.js on this machine")
        return
    sys.path.insert(0, str(HERE.parent / "system/third_party_clients"))
    clients: t.Any = importlib.import_module("clients")
    chosen = os.environ.get("CLIENTS_DIRECTORY")
    modules: Path = clients.install_npm_packages(Path(chosen) if chosen else directory / "npm")
    print("The same work by others: create so many, link them to two proxies; then the same again")
    for number in (1, 20, 100):
        for name in ("sensible.qlik", "qrs-interact", "qlik-repo-api"):
            with RunningSite(directory / f"{name}{number}") as running:
                site = Site(running)
                playbooks = Playbooks(directory, site)
                work = {**site.connection, "pki": str(site.pki), "entries": site.entries(number)}
                for title in ("create and link", "nothing to change"):
                    if name == "sensible.qlik":
                        cost = playbooks.bulk(site.entries(number))
                    else:
                        file = directory / "work.json"
                        file.write_text(json.dumps(work))
                        command = ["node", str(HERE / "others.mjs"), name, str(file)]
                        cost = cost_of(command, environment={**ENVIRONMENT, "NODE_PATH": str(modules)})
                    print(f"  {number:>3} {name:<14} {title:<18} {cost.wall:6.2f} s, {site.counted()}")


def main() -> None:
    with tempfile.TemporaryDirectory() as text:
        directory = Path(text)
        counts_and_ratios(directory)
        memory(directory)
        others(directory)


if __name__ == "__main__":
    main()
