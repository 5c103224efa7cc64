# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two writers change the same proxies at the same time, and no change is lost."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import pathlib
import subprocess
import typing as t
from concurrent.futures import ThreadPoolExecutor

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from conftest import BreakableSite

from ansible_collections.sensible.qlik.plugins.module_utils._argspec import connection_argument_spec
from ansible_collections.sensible.qlik.plugins.module_utils._errors import ConflictError
from ansible_collections.sensible.qlik.plugins.module_utils._repository.reconcile import reconcile
from ansible_collections.sensible.qlik.plugins.module_utils._repository.snapshot import repository
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy.convert import from_options
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy.plan import Rules

ROUNDS = 12
"""Of the playbooks: each of them declares its targets at least twice."""
NODES = ("Central", "Rim1")
# The targets that each writer declares in turn; tests combine all of both.
TARGETS: dict[str, list[t.Sequence[str] | None]] = {
    "one": [NODES, ["Rim1"], ["Central"], NODES, None],
    "two": [["Central"], NODES, None],
}
# The first write waits until both have read the links, so that the links that one of them has read are outdated.
HOLD_FIRST_WRITE = {
    "method": "PUT",
    "path": "/proxyservice/",
    "action": "hold",
    "until_method": "GET",
    "until_path": "/proxyservice/full",
    "until_count": 2,
    "seconds": 30,
}
PLAYBOOK = pathlib.Path(__file__).with_name("writers.yml")


def declaration(site: BreakableSite, prefix: str, nodes: t.Sequence[str] | None) -> dict[str, t.Any]:
    """Return a virtual proxy that is linked to the proxies of these nodes only; None removes it."""
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
    """A writer that links its own virtual proxy to changing proxies, and sometimes creates or removes it.

    Args:
        site: the site.
        prefix: of its own virtual proxy.
    """

    def __init__(self, site: BreakableSite, prefix: str) -> None:
        self.prefix = prefix
        self._site = site
        self._options = ArgumentSpecValidator(connection_argument_spec()).validate(site.connection).validated_parameters

    def write(self, nodes: t.Sequence[str] | None) -> None:
        """Link to the proxies of these nodes and to no others; None removes it.

        Raises:
            ConflictError: the other one was faster, twice in a row. The site is still in order.
        """
        self.declare(declaration(self._site, self.prefix, nodes))

    def declare(self, declared: dict[str, t.Any]) -> None:
        """Declare a virtual proxy.

        Raises:
            ConflictError: as above.
        """
        with repository(self._options) as site:
            reconcile(site, [from_options(declared)[0]], Rules())


@pytest.mark.parametrize("second", TARGETS["two"], ids=str)
@pytest.mark.parametrize("first", TARGETS["one"], ids=str)
def test_simultaneous_writers_lose_no_changes(
    site: BreakableSite, first: t.Sequence[str] | None, second: t.Sequence[str] | None
) -> None:
    required = dict(zip(TARGETS, (first, second), strict=True))
    # The opposite of each target, so that both write to both proxies.
    before = {prefix: [name for name in NODES if name not in (nodes or ())] for prefix, nodes in required.items()}
    site.reset({"kept": NODES, **before})
    site.break_(HOLD_FIRST_WRITE)
    conflicts = site.conflicts()
    writers = {prefix: Writer(site, prefix) for prefix in TARGETS}
    with ThreadPoolExecutor(2) as pool:
        attempts = {prefix: pool.submit(writer.write, required[prefix]) for prefix, writer in writers.items()}
    for prefix, attempt in attempts.items():
        try:
            attempt.result()
        except ConflictError:
            writers[prefix].write(required[prefix])  # what a user does: run it again
    assert linked(site) == expected(required)
    assert site.conflicts() > conflicts


def test_two_teams_can_change_lists_of_one_virtual_proxy(site: BreakableSite) -> None:
    site.reset({"shared": ["Central"]})
    row = {"sense_attribute": "group", "is_mandatory": False}
    teams: list[dict[str, t.Any]] = [
        {"host_allow_list_add": ["one.example"], "jwt_attribute_map_add": [{"jwt_attribute": "one", **row}]},
        {
            "host_allow_list_add": ["two.example"],
            "jwt_attribute_map_add": [{"jwt_attribute": "two", **row}],
            "load_balancing_server_nodes_add": ["Rim1"],
            "proxies_add": ["Rim1"],
            "tags_remove": ["portal"],
        },
    ]
    site.break_({**HOLD_FIRST_WRITE, "path": "/virtualproxyconfig/"})
    conflicts = site.conflicts()
    writer = Writer(site, "shared")
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda changes: writer.declare({"prefix": "shared", **changes}), teams))
    assert site.conflicts() > conflicts
    entity = site.document()["virtual_proxies"]["shared"]
    assert sorted(entity["websocketCrossOriginWhiteList"]) == ["one.example", "two.example"]
    assert sorted(row["jwtAttribute"] for row in entity["jwtAttributeMap"]) == ["one", "two"]
    assert (entity["loadBalancingServerNodes"], entity["tags"]) == (["Rim1"], [])
    assert linked(site) == {"Central": ["", "shared"], "Rim1": ["", "shared"]}


def test_simultaneous_playbooks_lose_no_changes(site: BreakableSite, tmp_path: pathlib.Path) -> None:
    site.reset({"kept": NODES, "one": ["Central"], "two": ["Rim1"]})
    # They meet at the beginning. A save takes a moment on a real site, too, and that is when the other one comes.
    slow = {"method": "PUT", "path": "/proxyservice/", "times": 0, "action": "delay", "seconds": 0.1}
    site.break_(HOLD_FIRST_WRITE, slow)
    conflicts = site.conflicts()
    with contextlib.ExitStack() as stack:
        processes = {
            prefix: stack.enter_context(begin_playbook(site, prefix, tmp_path / f"{prefix}.json")) for prefix in TARGETS
        }
        outputs = {prefix: process.communicate()[0] for prefix, process in processes.items()}
    assert site.conflicts() > conflicts
    for prefix, targets in TARGETS.items():
        assert processes[prefix].returncode == 0, outputs[prefix]
        [play] = json.loads(outputs[prefix])["plays"]
        results = play["tasks"][0]["hosts"]["localhost"]["results"]
        assert len(results) == ROUNDS
        # From the second cycle on, a round writes only its differences from the one before it. Other writes would mean
        # that a change was lost.
        words: dict[int, list[str]] = {}
        for number, result in enumerate(results):
            if number >= len(targets) and result["attempts"] == 1:
                assert result["changed"] is True
                assert sorted(result["writes"]) == words.setdefault(number % len(targets), sorted(result["writes"]))
        assert len(words) == len(targets)
    assert linked(site) == expected(
        {prefix: targets[(ROUNDS - 1) % len(targets)] for prefix, targets in TARGETS.items()}
    )


def linked(site: BreakableSite) -> dict[str, list[str]]:
    """Return the linked prefixes by the node of the proxy."""
    return {name: settings["virtualProxies"] for name, settings in site.document()["proxies"].items()}


def expected(required: t.Mapping[str, t.Sequence[str] | None]) -> dict[str, list[str]]:
    """Return the expected links by the node of the proxy."""
    return {
        name: sorted(["", "kept", *(prefix for prefix, nodes in required.items() if name in (nodes or ()))])
        for name in NODES
    }


def begin_playbook(site: BreakableSite, prefix: str, variables: pathlib.Path) -> subprocess.Popen[str]:
    """Start a playbook that declares the targets of a virtual proxy in turn, one in each round."""
    rounds = [declaration(site, prefix, nodes) for nodes in itertools.islice(itertools.cycle(TARGETS[prefix]), ROUNDS)]
    variables.write_text(json.dumps({"site_options": site.connection, "rounds": rounds}))
    return subprocess.Popen(
        ["ansible-playbook", "-i", "localhost,", "-c", "local", "-e", f"@{variables}", str(PLAYBOOK)],
        env=os.environ | {"ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json", "ANSIBLE_NOCOLOR": "true"},
        stdout=subprocess.PIPE,
        text=True,
    )
