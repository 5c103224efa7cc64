# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The time to verify many logins, compared with the time to verify one.

Each answer of a simulated site is delayed, as those of a real one are. The login alone is compared with the slowest
single answer, and all checks with all checks of one login. A user may have five sessions at a time, so that the logins
of one user wait for each other, regardless of the number of threads. Needs ANSIBLE_COLLECTIONS_PATH.
"""

from __future__ import annotations

import argparse
import datetime
import functools
import os
import statistics
import tempfile
import time
import typing as t
from pathlib import Path

import jwt
from ansible.plugins.loader import init_plugin_loader
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from qlik_sense_simulator.testing import RunningSite

if t.TYPE_CHECKING:
    from ansible_collections.sensible.qlik.plugins.module_utils._login.models import Login

GOAL = 4.0
ROUNDS = 5
NODES = (("Central", "localhost"), ("Rim1", "127.0.0.1"))


class Measured(t.NamedTuple):
    """Medians of some rounds, in seconds.

    Attributes:
        wall: from the first to the last request of a run.
        answer: the slowest single answer.
        cpu: CPU time of this process; the site uses about as much, on the same machine.
    """

    wall: float
    answer: float
    cpu: float

    def line(self, title: str, reference: float, reference_name: str) -> str:
        """Return one line of the report."""
        ratio = f"{self.wall / reference:5.1f} x {reference_name} ({reference:.2f} s)"
        return f"  {title:<40} {self.wall:5.2f} s, {ratio}, CPU {self.cpu:.2f} s"


class Bench:
    """A site with slow answers, and logins to check."""

    def __init__(self, directory: Path, *, virtual_proxies: int, delay: float) -> None:
        from ansible_collections.sensible.qlik.plugins.module_utils._login import checks, models, runner
        from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy.model import VirtualProxy

        self._checks, self._models, self._runner = checks, models, runner
        self._settings = VirtualProxy
        self._key = rsa.generate_private_key(65537, 2048)
        self._foreign_key = rsa.generate_private_key(65537, 2048)
        self._prefixes = [f"vp{number}" for number in range(virtual_proxies)]
        self.site = RunningSite(directory, {
            "nodes": [{"name": name, "host_name": host, "is_central": name == "Central"} for name, host in NODES],
            "virtual_proxies": [self._virtual_proxy(prefix) for prefix in self._prefixes],
            "faults": [{"action": "delay", "seconds": delay, "times": 0}],
        })  # fmt: skip

    def _virtual_proxy(self, prefix: str) -> dict[str, t.Any]:
        nodes = [name for name, _host in NODES]
        return {
            "prefix": prefix,
            "sessionCookieHeaderName": f"X-Qlik-Session-{prefix}",
            "authenticationMethod": 4,
            "jwtAttributeUserId": "userId",
            "jwtAttributeUserDirectory": "userDirectory",
            "jwtPublicKeyCertificate": self._certificate(),
            "loadBalancingServerNodes": nodes,
            "proxies": nodes,
        }

    def _certificate(self) -> str:
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "bench")])
        now = datetime.datetime.now(datetime.UTC)
        builder = x509.CertificateBuilder(name, name, self._key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
        return builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()

    def logins(self, *, users: int) -> list[Login]:
        """Return one login for each virtual proxy of each node, of the given number of users in turn."""
        proxies = [node["proxy_url"] for node in self.site.ready["nodes"]]
        places = [(prefix, proxy) for prefix in self._prefixes for proxy in proxies]
        return [
            self._models.Login(
                proxy=proxy,
                prefix=prefix,
                token=self._token(f"user{number % users}", expires=300),
                negative_tokens={"expired_token": self._token(f"user{number % users}", expires=-300)},
                user=("BENCH", f"user{number % users}"),
                virtual_proxy=self._settings({"prefix": prefix}),
            )
            for number, (prefix, proxy) in enumerate(places)
        ]

    def _token(self, user: str, *, expires: int) -> str:
        now = int(time.time())
        claims = {"userDirectory": "BENCH", "userId": user, "iat": now - 600, "exp": now + expires}
        return jwt.encode(claims, self._key, algorithm="RS256")

    def measure(self, logins: list[Login], *, threads: int, everything: bool, rounds: int) -> Measured:
        """Verify logins several times, and return the medians."""
        found = [self._verify(logins, threads=threads, everything=everything) for _round in range(rounds)]
        return Measured(*(statistics.median(values) for values in zip(*found, strict=True)))

    def _verify(self, logins: list[Login], *, threads: int, everything: bool) -> Measured:
        """Verify logins once.

        Raises:
            RuntimeError: a login does not work, so that there is nothing to measure.
        """
        options = self._models.RunOptions(
            verify=str(self.site.pki / "proxy_root.pem"),
            timeout=(10, 30),
            wait=0,
            threads=threads,
            foreign_key=self._foreign_key,
            skip=frozenset() if everything else frozenset(self._checks.OPTIONAL),
        )
        started, used = time.perf_counter(), time.process_time()
        runs = self._runner.run_logins(logins, options)
        wall, cpu = time.perf_counter() - started, time.process_time() - used
        failed = [result for run in runs for result in run.results if result.status == "failed"]
        if failed:
            raise RuntimeError(f"{len(failed)} checks failed, the first: {failed[0]}")
        return Measured(wall, max(run.response_ms or 0 for run in runs) / 1000, cpu)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--virtual-proxies", type=int, default=25, help="on two nodes (default: %(default)s)")
    parser.add_argument("--delay", type=float, default=0.05, help="seconds of each answer (default: %(default)s)")
    parser.add_argument("--threads", type=int, nargs="+", default=[16, 64], help="(default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="the median counts (default: %(default)s)")
    arguments = parser.parse_args()
    init_plugin_loader(os.environ["ANSIBLE_COLLECTIONS_PATH"].split(":"))

    with tempfile.TemporaryDirectory() as text:
        bench = Bench(Path(text) / "site", virtual_proxies=arguments.virtual_proxies, delay=arguments.delay)

        with bench.site:
            many = bench.logins(users=2 * arguments.virtual_proxies)
            one = bench.logins(users=1)
            measure = functools.partial(bench.measure, rounds=arguments.rounds)
            load = os.getloadavg()[0]
            print(
                f"{len(many)} logins, each answer after {arguments.delay * 1000:.0f} ms; goal <= {GOAL:.0f} x; "
                f"{os.cpu_count()} CPUs, load {load:.1f}"
            )
            alone = measure(many[:1], threads=1, everything=True).wall
            for threads in arguments.threads:
                found = measure(many, threads=threads, everything=False)
                print(found.line(f"{threads} threads, login and logout only", found.answer, "the slowest answer"))
                found = measure(many, threads=threads, everything=True)
                print(found.line(f"{threads} threads, all checks", alone, "one login alone"))
            found = measure(one, threads=max(arguments.threads), everything=True)
            print(found.line("one user for all, all checks", alone, "one login alone"), flush=True)


if __name__ == "__main__":
    main()
