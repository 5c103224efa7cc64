# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure the start of a simulator, its memory, and its requests per second.

A start lasts from the command until every port listens: once in an empty directory, where certificates and entities
are created, and then in one that has them. Memory is the resident set of a site without requests so far, on Linux
only. Requests go one after the other over one connection, as a client sends them.
"""

from __future__ import annotations

import statistics
import tempfile
import time
import typing as t
from pathlib import Path

import requests

from qlik_sense_simulator.testing import RunningSite

START_GOAL = 2.0  # seconds
MEMORY_GOAL = 150  # megabytes
STARTS = 5
XRFKEY = "0123456789abcdef"
# Seconds for each kind of request.
DURATION = 3.0


def started(directory: Path) -> float:
    """Return the seconds until a site is ready, and stop it."""
    begin = time.perf_counter()
    with RunningSite(directory):
        return time.perf_counter() - begin


def start_up(directory: Path) -> None:
    """Print how long starts take."""
    first = [started(directory / f"first {number}") for number in range(STARTS)]
    again = [started(directory / f"first {number}") for number in range(STARTS)]
    for title, seconds in (("in an empty directory", first), ("again in the same directory", again)):
        middle = statistics.median(seconds)
        report = f"median {middle:.2f} s, {min(seconds):.2f} to {max(seconds):.2f} s, goal {START_GOAL:.0f} s"
        print(f"  start {title:<29} {report}: {'met' if middle < START_GOAL else 'missed'}")


def memory(pid: int) -> None:
    """Print how much memory a process has."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        print("  memory: not known here, there is no /proc")
        return
    kilobytes = {line.split(":")[0]: line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")}
    megabytes = int(kilobytes["VmRSS"]) / 1024
    print(
        f"  {'memory at rest':<35} {megabytes:.0f} MB, goal {MEMORY_GOAL} MB: "
        f"{'met' if megabytes < MEMORY_GOAL else 'missed'}"
    )


class Client:
    """One connection to a repository."""

    def __init__(self, site: RunningSite) -> None:
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = str(site.pki / "root.pem")
        self._session.cert = (str(site.pki / "client.pem"), str(site.pki / "client_key.pem"))
        self._session.headers["X-Qlik-Xrfkey"] = XRFKEY
        self._url = f"{site.ready['qrs_url']}/qrs/"

    def call(self, method: str, path: str, content: t.Any = None) -> t.Any:
        """Return the JSON of a response."""
        query = {"xrfkey": XRFKEY}
        answer = self._session.request(method, self._url + path, params=query, json=content, timeout=60)
        answer.raise_for_status()
        return answer.json()


def rate(title: str, request: t.Callable[[], object]) -> None:
    """Print how many requests are answered in a second."""
    request()
    begin, count = time.perf_counter(), 0
    while time.perf_counter() < begin + DURATION:
        request()
        count += 1
    print(f"  {title:<35} {count / (time.perf_counter() - begin):.0f} requests per second")


def throughput(site: RunningSite) -> None:
    """Print the rates of the requests that modules make."""
    client = Client(site)
    body = {"authenticationMethod": 4, "jwtPublicKeyCertificate": (site.pki / "server.pem").read_text()}
    for number in range(50):
        prefix = f"jwt-{number}"
        client.call(
            "POST", "virtualproxyconfig", {**body, "prefix": prefix, "sessionCookieHeaderName": f"X-Qlik-{prefix}"}
        )
    entity = client.call("GET", "virtualproxyconfig/full?filter=prefix eq 'jwt-0'")[0]
    path = f"virtualproxyconfig/{entity['id']}"

    def put() -> None:
        entity.update(client.call("PUT", path, entity))

    rate("GET virtualproxyconfig/{id}", lambda: client.call("GET", path))
    rate("GET ?filter=prefix eq '...'", lambda: client.call("GET", "virtualproxyconfig?filter=prefix eq 'jwt-7'"))
    rate("GET virtualproxyconfig/full, 51 in it", lambda: client.call("GET", "virtualproxyconfig/full"))
    rate("PUT virtualproxyconfig/{id}", put)


def main() -> None:
    with tempfile.TemporaryDirectory() as text:
        directory = Path(text)
        print("The simulator with its default site: two nodes, five ports")
        start_up(directory)
        with RunningSite(directory / "site") as site:
            memory(site.ready["pid"])
            throughput(site)


if __name__ == "__main__":
    main()
