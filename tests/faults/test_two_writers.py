# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two that write to the same proxies at the same time, again and again: nothing of either is lost."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import pathlib
import subprocess
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
# Each its own way through all that one can want; the two meet in all combinations.
WAYS: dict[str, list[t.Sequence[str] | None]] = {
    "one": [NODES, ["Rim1"], ["Central"], NODES, None],
    "two": [["Central"], NODES, None],
}
PLAYBOOK = pathlib.Path(__file__).with_name("writers.yml")


def declaration(site: BreakableSite, prefix: str, nodes: t.Sequence[str] | None) -> dict[str, t.Any]:
    """A virtual proxy that is linked to the proxies of these nodes and to no others; None removes it."""
    if nodes is None:
        return {"prefix": prefix, "state": "absent"}
    return {
        "prefix": prefix,
        "state": "present",
        "jwt_public_key_certificate": site.certificate,
        "load_balancing_server_nodes": ["Central"],
        "proxies": list(nodes),
    }


class Writer:
    """Links a virtual proxy of its own here and there, and sometimes creates or removes it.

    Args:
        site: where.
        prefix: of its own virtual proxy.
    """

    def __init__(self, site: BreakableSite, prefix: str) -> None:
        self.prefix = prefix
        self._site = site
        self._options = ArgumentSpecValidator(argument_spec()).validate(site.connection).validated_parameters

    def write(self, nodes: t.Sequence[str] | None) -> None:
        """Link to the proxies of these nodes and to no others; None removes it.

        Raises:
            ConflictError: the other one was faster, twice in a row. The site is still in order.
        """
        declared = declaration(self._site, self.prefix, nodes)
        connection = Connection(self._options)
        try:
            Repository(connection).reconcile([normalised(declared)[0]], Guards())
        finally:
            connection.close()


def test_nothing_is_lost_in_rounds_that_begin_together(site: BreakableSite) -> None:
    site.reset({"kept": NODES})
    writers = [Writer(site, prefix) for prefix in WAYS]
    ways = [itertools.cycle(way) for way in WAYS.values()]
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


def test_two_playbooks_lose_nothing(site: BreakableSite, tmp_path: pathlib.Path) -> None:
    site.reset({"kept": NODES})
    # A save takes a moment on a real site, too, and that is when the other one comes.
    site.break_({"method": "PUT", "path": "/proxyservice/", "times": 0, "action": "delay", "seconds": 0.1})
    met = site.conflicts()
    with contextlib.ExitStack() as stack:
        processes = {
            prefix: stack.enter_context(begin_playbook(site, prefix, tmp_path / f"{prefix}.json")) for prefix in WAYS
        }
        outputs = {prefix: process.communicate()[0] for prefix, process in processes.items()}
    met = site.conflicts() - met
    repeated = 0
    for prefix, way in WAYS.items():
        assert processes[prefix].returncode == 0, outputs[prefix]
        [play] = json.loads(outputs[prefix])["plays"]
        results = play["tasks"][0]["hosts"]["localhost"]["results"]
        assert len(results) == ROUNDS
        repeated += sum(result["attempts"] > 1 for result in results)
        # After the first time around, what is left to write in a round is what it differs in from the one before it:
        # other writes would say that something was lost in between.
        words: dict[int, list[str]] = {}
        for number, result in enumerate(results):
            if number >= len(way) and result["attempts"] == 1:
                assert result["changed"] is True
                assert sorted(result["writes"]) == words.setdefault(number % len(way), sorted(result["writes"]))
        assert len(words) == len(way)
    document = site.document()
    last = {prefix: way[(ROUNDS - 1) % len(way)] for prefix, way in WAYS.items()}
    for name in NODES:
        linked = [prefix for prefix, nodes in last.items() if name in (nodes or ())]
        assert document["proxies"][name]["virtualProxies"] == sorted(["", "kept", *linked])
    assert met, "They never met: this has shown nothing."
    print(f"{ROUNDS} rounds of two playbooks: {met} conflicts, {repeated} of them left to the user")


def begin_playbook(site: BreakableSite, prefix: str, variables: pathlib.Path) -> subprocess.Popen[str]:
    """Start a playbook that goes its way with a virtual proxy of this prefix, round by round."""
    rounds = [declaration(site, prefix, nodes) for nodes in itertools.islice(itertools.cycle(WAYS[prefix]), ROUNDS)]
    variables.write_text(json.dumps({"site_options": site.connection, "rounds": rounds}))
    return subprocess.Popen(
        ["ansible-playbook", "-i", "localhost,", "-c", "local", "-e", f"@{variables}", str(PLAYBOOK)],
        env=os.environ | {"ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json", "ANSIBLE_NOCOLOR": "true"},
        stdout=subprocess.PIPE,
        text=True,
    )
