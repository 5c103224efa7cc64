# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run all selected attacks at the same time, before the first test looks at a result."""

from __future__ import annotations

import concurrent.futures
import contextlib
import datetime
import functools
import json
import pathlib
import ssl
import time
import typing as t
from unittest import mock

import jwt
import pytest
from clients import CLIENTS, Client, arguments
from cryptography.hazmat.primitives import serialization
from processes import Processes, Run
from server import TICKET, HostileServer, Site, Trap
from wire import Attack

from qlik_sense_simulator import pki

CONNECT, SHORT, LONG = 2.0, 0.7, 20.0  # seconds: timeout of a connection, of an attack that only it ends, of others
MARGIN = 10.0  # seconds for all that is no waiting, on a busy machine
PASSWORD = "password-of-the-user"
_AT_ONCE = 8

Job = tuple[Attack | None, str]


class Outcome(t.NamedTuple):
    """A run against a server.

    Attributes:
        run: the run.
        wrote: True if the server carried out a write.
        attacked: number of attacked requests.
        secrets: texts that must not be in the output.
        trapped: True if another server got a connection.
    """

    run: Run
    wrote: bool
    attacked: int
    secrets: tuple[str, ...]
    trapped: bool


class Laboratory:
    """Runs jobs.

    Args:
        directory: for certificates and output.
    """

    def __init__(self, directory: pathlib.Path) -> None:
        self._pki = ours = pki.ensure_pki(directory / "pki", authority_key=directory / "ca.pem", host_names=[])
        theirs = pki.ensure_pki(directory / "theirs", authority_key=directory / "theirs.pem", host_names=[])
        authority = t.cast("pki._Pair", pki._load(ours.root, directory / "ca.pem"))
        self._certificate = ours.server.read_text()
        self._contexts = {
            "server": _context(ours.server, ours.server_key),
            "untrusted": _context(theirs.server, theirs.server_key),
        }
        for name, host, age in (("other host", "other.example.com", 1), ("expired", "127.0.0.1", 3660)):
            with mock.patch.object(pki, "_BACKDATED", datetime.timedelta(days=age)):
                pair = pki._issue(
                    authority, common_name=host, usage=[pki.ExtendedKeyUsageOID.SERVER_AUTH], host_names=[host]
                )
            pki._write_pair(pair, certificate=directory / f"{name}.pem", key=directory / f"{name}.key")
            self._contexts[name] = _context(directory / f"{name}.pem", directory / f"{name}.key")
        self._key = serialization.load_pem_private_key(ours.server_key.read_bytes(), password=None)
        now = int(time.time())
        claims = {"userDirectory": "ACME", "userId": "smoke", "iat": now, "exp": now + 3600}
        self._token = jwt.encode(claims, ours.server_key.read_text(), algorithm="RS256")
        self._key_set = json.dumps({"keys": [{"kty": "RSA", "kid": "1", "n": "AQAB", "e": "AQAB"}]})
        self._processes = Processes(directory)

    def run(self, job: Job) -> Outcome:
        """Run a client against its server."""
        attack, name = job
        is_slow = attack is not None and attack.is_slow
        outcome = self._run(attack, CLIENTS[name], SHORT if is_slow else LONG)
        if is_slow and not outcome.attacked:
            # The machine was too busy for the requests before the attacked one.
            outcome = self._run(attack, CLIENTS[name], 10 * SHORT)
        return outcome

    def _run(self, attack: Attack | None, client: Client, read_timeout: float) -> Outcome:
        site = Site(t.cast("t.Any", self._key).public_key(), self._key_set)
        trap = Trap()
        server = HostileServer(attack, client.target, site=site, contexts=self._contexts, trap=trap.port)
        limit = MARGIN + LONG
        if attack and attack.is_slow:
            # A websocket has one more second.
            limit = MARGIN + client.exchanges * (CONNECT + read_timeout + 1) + client.pauses
        try:
            run = self._processes.run(client.module, self._arguments(client, server.port, read_timeout), limit=limit)
        finally:
            server.close()
            trap.close()
        secrets = (self._token.rpartition(".")[2], TICKET, PASSWORD, "session-1", *server.secrets)
        return Outcome(run, site.wrote, server.attacked, secrets, bool(trap.connections))

    def _arguments(self, client: Client, port: int, read_timeout: float) -> dict[str, t.Any]:
        connection = {
            "host": "127.0.0.1",
            "port": port,
            "client_cert": str(self._pki.client),
            "client_key": str(self._pki.client_key),
            "ca_path": str(self._pki.root),
            "proxy_ca_path": str(self._pki.root),
            "connect_timeout": CONNECT,
            "read_timeout": read_timeout,
            "retries": 0,
        }
        values = {
            "URL": f"https://127.0.0.1:{port}",
            "PORT": port,
            "TOKEN": self._token,
            "PASSWORD": PASSWORD,
            "CERTIFICATE": self._certificate,
        }
        return arguments(client, values=values, connection=connection)

    def close(self) -> None:
        """End the processes."""
        self._processes.close()


def _context(certificate: pathlib.Path, key: pathlib.Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


@pytest.fixture(scope="session")
def outcomes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> t.Iterator[t.Callable[..., Outcome]]:
    """Yield a function that returns the outcome of a client with an attack, or with a healthy server."""
    selected = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
    jobs = [(one["attack"], one["client"]) for one in selected if "attack" in one]
    with contextlib.ExitStack() as stack:
        laboratory = stack.enter_context(contextlib.closing(Laboratory(tmp_path_factory.mktemp("hostile"))))
        pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor(_AT_ONCE))
        healthy = {name: pool.submit(laboratory.run, (None, name)) for name in CLIENTS}
        running = {(attack.name, client): pool.submit(laboratory.run, (attack, client)) for attack, client in jobs}

        @functools.cache
        def outcome(attack: str | None, client: str) -> Outcome:
            return (running[attack, client] if attack else healthy[client]).result()

        yield outcome
