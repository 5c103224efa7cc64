# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Promotions that could not be completed leave an unfinished snapshot, and later runs continue with it."""

from __future__ import annotations

import re
import signal
import time
from pathlib import Path

import pytest
from laboratory import Laboratory, State, Values
from walk import PLAYBOOK, Promotion, Reference, add_targets, kill_tree, promote

pytestmark = pytest.mark.slow
REFUSE: Values = {"method": "PUT", "path": "/proxyservice/", "action": "status", "status": 400, "body": "No."}
BOTH = ["embedded", "portal"]


def leave_unfinished(laboratory: Laboratory, reference: Reference, *hosts: str) -> None:
    """Promote to sites, and leave each between the old state and the new one."""
    writes = [request for request in enumerate(reference.requests["target"], 1) if request[1][0] != "GET"]
    number = next(index for index, (method, path) in writes if method == "PUT" and "proxyservice" in path)
    # The links are refused, and then the site is gone: as if the run had been killed there.
    gone = {"action": "drop_before", "nth": number + 1, "times": 0}
    add_targets(laboratory, {name: [REFUSE, gone] for name in hosts})
    for name, promotion in promote(laboratory, *hosts).items():
        assert "could NOT be restored" in promotion.message
        assert laboratory.unfinished(name) == [BOTH]
        assert "embedded" in set_faults(laboratory, name).virtual_proxies


@pytest.fixture(scope="module")
def second(laboratory: Laboratory, reference: Reference) -> dict[str, Promotion]:
    """Return the results of a second promotion to each site, after one that was not completed."""
    hosts = ("finishes", "renamed", "other", "removed")
    leave_unfinished(laboratory, reference, *hosts)
    directory = laboratory.directory / "promotion_snapshots"
    (directory / "finishes-20200101T000000Z-empty.yml").touch()
    foreign = snapshot(laboratory, "other").read_text().replace("site: other", "site: finishes")
    (directory / "finishes-20200101T000000Z-foreign.yml").write_text(foreign)
    for name in ("renamed", "other"):
        set_faults(laboratory, name, REFUSE)
    laboratory.sites["renamed"].rename_node("Central", "Main")
    laboratory.hosts["renamed"]["promotion_nodes"] = {"Dev2": "Rim1", "Central": "Main"}
    laboratory.hosts["other"] |= {"walk_tags": [], "promotion_prefixes": ["trial"]}
    file = snapshot(laboratory, "removed")
    file.write_text(re.sub(r"(  proxies:\n  - Central\n)", r"\1  - Rim7\n", file.read_text(), count=1))
    # The clock of this machine was set back in between.
    return promote(laboratory, *hosts, more=["-e", "__promotion_time=20010101T000000Z"])


def set_faults(laboratory: Laboratory, name: str, *faults: Values) -> State:
    laboratory.sites[name].set_faults(*faults)
    return laboratory.sites[name].state()


def snapshot(laboratory: Laboratory, name: str) -> Path:
    """Return the snapshot of the first run."""
    [file] = (laboratory.directory / "promotion_snapshots").glob(f"{name}-20[2-9]*-????????.yml")
    return file


def test_next_run_completes_the_promotion(
    laboratory: Laboratory, reference: Reference, second: dict[str, Promotion]
) -> None:
    promotion = second["finishes"]
    assert not promotion.failed, promotion.message
    assert laboratory.sites["finishes"].state() == reference.new
    [warning] = promotion.warnings
    assert f"The promotion of dev to finishes with the snapshot {snapshot(laboratory, 'finishes')} was inter" in warning
    assert "Unfinished: embedded, portal. This promotion completes it." in warning
    # The one in the middle is of another site, with the same name in another inventory.
    assert laboratory.unfinished("finishes") == [[], BOTH, []]


def test_a_node_that_was_renamed_is_found_by_its_id(
    laboratory: Laboratory, reference: Reference, second: dict[str, Promotion]
) -> None:
    assert "Everything was restored and compared with the snapshot (" in second["renamed"].message
    laboratory.sites["renamed"].rename_node("Main", "Central")
    assert laboratory.sites["renamed"].state() == reference.old


def test_other_virtual_proxies_are_unchanged(
    laboratory: Laboratory, reference: Reference, second: dict[str, Promotion]
) -> None:
    promotion = second["other"]
    assert "trial deleted" in promotion.message
    assert f"-e roll_back_snapshot={snapshot(laboratory, 'other')}" in promotion.warnings[0]
    assert "This promotion does not change it." in promotion.warnings[0]
    assert "embedded" in laboratory.sites["other"].state().virtual_proxies
    assert laboratory.unfinished("other") == [[], BOTH]
    done = laboratory.run("sensible.qlik.roll_back", "-e", f"roll_back_snapshot={snapshot(laboratory, 'other')}")
    assert done.code == 0, done.output
    assert laboratory.sites["other"].state() == reference.old
    assert laboratory.unfinished("other") == [[], []]


def test_missing_node_stops_the_run_before_the_first_write(
    laboratory: Laboratory, reference: Reference, second: dict[str, Promotion]
) -> None:
    assert "was not started" in second["removed"].message
    assert "no longer has these nodes: 'Rim7' (portal)." in second["removed"].message
    assert "-e promotion_skip_missing_nodes=true" in second["removed"].message
    assert laboratory.unfinished("removed") == [BOTH]
    path = snapshot(laboratory, "removed")
    writes = laboratory.sites["removed"].writes()
    refused = laboratory.run("sensible.qlik.roll_back", "-e", f"roll_back_snapshot={path}")
    assert refused.code == 2
    assert "Rim7" in refused.output
    assert "Nothing was written." in refused.output
    assert laboratory.sites["removed"].writes() == writes
    arguments = ["-e", f"roll_back_snapshot={path}", "-e", "promotion_skip_missing_nodes=true"]
    done = laboratory.run("sensible.qlik.roll_back", *arguments)
    assert done.code == 0, done.output
    assert "(portal). They are omitted." in done.output
    assert laboratory.sites["removed"].state() == reference.old


def test_renamed_virtual_proxies_are_rolled_back_by_id(
    laboratory: Laboratory, reference: Reference, second: dict[str, Promotion]
) -> None:
    site = laboratory.sites["finishes"]
    site.set_field("portal", prefix="portal-2")
    site.set_field("embedded", prefix="embedded-2")
    site.rename_node("Rim1", "Rim2")
    [later] = (laboratory.directory / "promotion_snapshots").glob("finishes-2001*.yml")  # it knows what was created
    done = laboratory.run("sensible.qlik.roll_back", "-e", f"roll_back_snapshot={later}")
    assert done.code == 0, done.output
    assert "portal-2 updated, embedded-2 deleted. The virtual proxy" in done.output
    site.set_field("portal-2", prefix="portal")
    site.rename_node("Rim2", "Rim1")
    assert site.state() == reference.old


@pytest.mark.parametrize(
    ("name", "faults", "reason"),
    [("taken", [], "is not complete."), ("taken-failed", [REFUSE], "failed: set the links")],
)
def test_nothing_is_restored_that_another_run_has_taken_over(
    laboratory: Laboratory, reference: Reference, name: str, faults: list[Values], reason: str
) -> None:
    index = next(index for index, (method, _path) in enumerate(reference.requests["target"], 1) if method != "GET")
    add_targets(laboratory, {name: [{"nth": index, "action": "delay", "seconds": 3}, *faults]})
    site = laboratory.sites[name]
    with laboratory.begin(PLAYBOOK, "-e", f"walk_hosts={name}") as process:
        while len(site.requests()) < index - 1:
            assert process.poll() is None
            time.sleep(0.1)
        # As another run does that finds it unfinished.
        file = snapshot(laboratory, name)
        file.write_text(re.sub("(?m)^unfinished: .*", "unfinished: []", file.read_text()))
        output = " ".join(process.communicate()[0].split())
    assert process.returncode == 2, output
    assert f"Promotion of dev to {name} {reason}" in output
    assert f"Another promotion or a rollback of embedded, portal on {name} began in the meantime." in output
    assert "restored and compared" not in output
    assert "embedded" in site.state().virtual_proxies


@pytest.mark.nightly
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["KILL", "TERM"])
def test_next_run_restores_or_finishes_after_each_kill(
    laboratory: Laboratory, reference: Reference, number: signal.Signals
) -> None:
    writes = [index for index, (method, _path) in enumerate(reference.requests["target"], 1) if method != "GET"]
    for index in writes:
        name = f"{number.name.lower()}-{index}"
        add_targets(laboratory, {name: [{"nth": index, "action": "delay", "seconds": 15}]})
        site = laboratory.sites[name]
        with laboratory.begin(PLAYBOOK, "-e", f"walk_hosts={name}") as process:
            while len(site.requests()) < index - 1:
                assert process.poll() is None
                time.sleep(0.1)
            kill_tree(process, number)
            process.communicate()
        assert laboratory.unfinished(name) == [BOTH]
        set_faults(laboratory, name, REFUSE)
        promotion = promote(laboratory, name)[name]
        assert promotion.failed
        assert promotion.warnings
        assert site.state() == reference.old, promotion.message
        promotion = promote(laboratory, name)[name]
        assert not promotion.failed, promotion.message
        assert site.state() == reference.new
        assert laboratory.unfinished(name) == [[], [], []]
