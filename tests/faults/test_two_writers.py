# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two that write to the same proxies at the same time, again and again: nothing of either is lost."""

from __future__ import annotations

import itertools
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from conftest import BreakableSite

from ansible_collections.sensible.qlik.plugins.module_utils._connection import Connection, argument_spec
from ansible_collections.sensible.qlik.plugins.module_utils._errors import ConflictError
from ansible_collections.sensible.qlik.plugins.module_utils._plan import Guards
from ansible_collections.sensible.qlik.plugins.module_utils._repository import Repository
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy import normalised

ROUNDS = 200
NODES = ("Central", "Rim1")


class Writer:
    """Links a virtual proxy of its own here and there, and sometimes creates or removes it.

    Args:
        site: where.
        prefix: of its own virtual proxy.
    """

    def __init__(self, site: BreakableSite, prefix: str) -> None:
        self.prefix = prefix
        self._certificate = site.certificate
        self._options = ArgumentSpecValidator(argument_spec()).validate(site.connection).validated_parameters

    def write(self, nodes: t.Sequence[str] | None) -> None:
        """Link to the proxies of these nodes and to no others; None removes it.

        Raises:
            ConflictError: the other one was faster, twice in a row. The site is still in order.
        """
        declared: dict[str, t.Any] = {"prefix": self.prefix, "state": "absent" if nodes is None else "present"}
        if nodes is not None:
            declared |= {
                "jwt_public_key_certificate": self._certificate,
                "load_balancing_server_nodes": ["Central"],
                "proxies": list(nodes),
            }
        connection = Connection(self._options)
        try:
            Repository(connection).reconcile([normalised(declared)[0]], Guards())
        finally:
            connection.close()


def test_nothing_is_lost(site: BreakableSite) -> None:
    site.reset({"kept": NODES})
    writers = [Writer(site, "one"), Writer(site, "two")]
    # Each its own way through all that one can want; the two meet in all combinations.
    ways = [itertools.cycle([NODES, ["Rim1"], ["Central"], NODES, None]), itertools.cycle([["Central"], NODES, None])]
    met, left = site.conflicts(), 0
    with ThreadPoolExecutor(2) as pool:
        for _round in range(ROUNDS):
            wanted = [next(way) for way in ways]
            attempts = [pool.submit(writer.write, nodes) for writer, nodes in zip(writers, wanted, strict=True)]
            for attempt, writer, nodes in zip(attempts, writers, wanted, strict=True):
                try:
                    attempt.result()
                except ConflictError:
                    left += 1
                    writer.write(nodes)  # what a user does: run it again
            document = site.document()
            linked = {name: settings["virtualProxies"] for name, settings in document["proxies"].items()}
            for name in NODES:
                expected = [
                    writer.prefix for writer, nodes in zip(writers, wanted, strict=True) if name in (nodes or ())
                ]
                assert linked[name] == sorted(["", "kept", *expected])
    met = site.conflicts() - met
    assert met, "They never met: this has shown nothing."
    print(f"{ROUNDS} rounds of two writers: {met} conflicts, {left} of them left to the user")
