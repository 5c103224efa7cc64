# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each request of a promotion goes wrong once, each on a site of its own.

No request is repeated by the connection, so that faults reach the role which a retry would hide.
"""

from __future__ import annotations

import collections
import itertools
import os
import time
import typing as t

import pytest
import yaml
from laboratory import Laboratory, State, Values
from walk import PLAYBOOK, SLOW, End, World, add_targets, check_between, kill_family, outcomes, promote

FAULTS: dict[str, Values] = {
    "refused": {"action": "status", "status": 400, "body": "No."},
    "lost": {"action": "drop_after"},
    "dropped": {"action": "drop_before"},
    "conflict": {"action": "status", "status": 409},
    "busy": {"action": "status", "status": 429, "headers": {"Retry-After": "1"}},
    "unavailable": {"action": "status", "status": 503},
    "truncated": {"action": "truncate"},
    "page": {"action": "status", "status": 200, "content_type": "text/html", "body": "<html>Sign in</html>"},
    "slow": {"action": "delay", "seconds": SLOW},
}
# What a restoration has to do to a virtual proxy, by what the failed write said of it.
UNDOING = {
    "created": {"deleted"},
    "updated": {"updated"},
    "incomplete": {"updated", "deleted"},
    "pending": {"unchanged"},
    "unchanged": {"unchanged"},
    "failed": {"updated", "deleted", "unchanged"},
}


def check_end(end: End, state: State, writes: int, world: World) -> str:
    """Insist that what was said is true, and return what it comes to."""
    check_between(state, world)
    if not end.failed:
        assert state == world.new
        assert end.written
        assert end.written["changed"] is True
        assert outcomes(end.written) == world.outcomes
        return "done"
    if end.written is None:
        assert state == world.old
        assert writes == 0
        return "not begun"
    assert "Promotion of " in end.said
    if end.restored is None:
        assert "Nothing was written." in end.said
        assert state == world.old
        assert writes == 0
        return "nothing was written"
    if end.restored.get("failed"):
        assert "could NOT be restored" in end.said
        return "left between"
    assert state == world.old
    assert end.restored["changed"] is end.written["changed"]
    words = (
        "Everything was restored and compared with the snapshot" if end.written["changed"] else "Nothing was written"
    )
    assert words in end.said
    undone = outcomes(end.restored)
    for prefix, outcome in outcomes(end.written).items():
        assert undone[prefix] in UNDOING[outcome]
    return words.lower()


def cases(requests: t.Mapping[str, list[tuple[str, str]]]) -> dict[str, list[Values]]:
    """Return the faults of each target: all faults for each write, and one of them in turn for each read.

    What stops a read stops the run before its first write, whatever it was. Still, `make test-nightly` gives every
    fault to each read, too.
    """
    everything = os.environ.get("NIGHTLY") == "yes"
    in_turn = itertools.cycle(FAULTS)
    found: dict[str, list[Values]] = {}
    for place, some in requests.items():
        for number, (method, path) in enumerate(some, 1):
            for name in FAULTS if everything or method != "GET" else [next(in_turn)]:
                case = f"{place}-{number:02}-{method.lower()}-{path.split('/')[2]}-{name}"
                found[case] = [{"nth": number, **FAULTS[name]}]
    return found


@pytest.mark.slow
def test_each_fault_leaves_a_consistent_site(laboratory: Laboratory, world: World) -> None:
    faults = cases(world.requests)
    add_targets(laboratory, faults)
    ended = promote(laboratory, *faults)

    ends: dict[str, list[str]] = collections.defaultdict(list)
    wrong = []
    for name, end in ended.items():
        site = laboratory.sites[name]
        try:
            ends[check_end(end, site.state(), site.writes(), world)].append(name)
            assert end.written or "-get-" in name
        except AssertionError as error:
            wrong.append(f"{name}: {end.said}\n{str(error)[:500]}")
    for words, names in sorted(ends.items()):
        print(f"{len(names)} {words}: {', '.join(names)}")
    assert not wrong, "\n".join(wrong)
    assert ends.keys() >= {
        "done",
        "not begun",
        "nothing was written",
        "everything was restored and compared with the snapshot",
    }

    # Where the site is exactly as before, the next run is the one without a fault; one of each kind shows it.
    unfinished = [*ends["left between"], *(names[0] for words, names in ends.items() if words != "left between")]
    for name, end in promote(laboratory, *unfinished).items():
        assert not end.failed, (name, end.said)
        assert laboratory.sites[name].state() == world.new, name


def test_failed_restores_are_reported_and_done_by_a_later_run(laboratory: Laboratory, world: World) -> None:
    # The links are refused, and then the site is gone.
    refuse = {"method": "PUT", "path": "/proxyservice/", **FAULTS["refused"]}
    number = next(
        index
        for index, (method, path) in enumerate(world.requests["target"], 1)
        if method == "PUT" and "proxyservice" in path
    )
    add_targets(laboratory, {"down": [refuse, {"action": "drop_before", "nth": number + 1, "times": 0}]})
    site = laboratory.sites["down"]
    end = promote(laboratory, "down")["down"]
    assert "could NOT be restored" in end.said
    snapshot = laboratory.snapshots()[-1]
    assert f"roll_back_snapshot={snapshot}" in end.said
    assert laboratory.unfinished("down") == [["embedded", "portal"]]

    # What is there now is half done. The next run fails as well, and the clock was set back before it.
    site.set_faults(refuse)
    between = site.state()
    assert between not in (world.old, world.new)
    check_between(between, world)
    end = promote(laboratory, "down", more=["-e", "__promotion_time=20010101T000000Z"])["down"]
    assert f"The promotion of dev to down with the snapshot {snapshot} was interrupted" in end.warned[0]
    assert "Everything was restored and compared with the snapshot (" in end.said
    assert site.state() == world.old
    assert laboratory.unfinished("down") == [[], []]
    later = min((laboratory.directory / "promotion_snapshots").glob("down-*.yml"))
    entries = {entry["prefix"]: entry for entry in yaml.safe_load(later.read_text())["virtual_proxies"]}
    assert entries["embedded"] == {"prefix": "embedded", "state": "absent"}
    assert entries["portal"]["session_inactivity_timeout"] == 45

    done = laboratory.run("sensible.qlik.roll_back", "-e", f"roll_back_snapshot={snapshot}")
    assert done.code == 0, done.output
    assert "nothing had to be written: portal unchanged, embedded unchanged." in done.output


def test_a_run_that_is_killed_is_finished_by_the_next(laboratory: Laboratory, world: World) -> None:
    hang = {"method": "PUT", "path": "/proxyservice/", "action": "delay", "seconds": 15}
    add_targets(laboratory, {"killed": [hang]})
    site = laboratory.sites["killed"]
    with laboratory.begin(PLAYBOOK, "-e", "walk_hosts=killed") as process:
        while "embedded" not in site.state().virtual_proxies:
            assert process.poll() is None
            time.sleep(0.1)
        kill_family(process)
        process.communicate()
    check_between(site.state(), world)
    assert site.state() != world.new
    assert laboratory.unfinished("killed") == [["embedded", "portal"]]
    first = laboratory.snapshots()[-1]
    site.set_faults()

    end = promote(laboratory, "killed")["killed"]
    assert not end.failed, end.said
    assert site.state() == world.new
    assert laboratory.unfinished("killed") == [[], []]

    done = laboratory.run("sensible.qlik.roll_back", "-e", f"roll_back_snapshot={first}")
    assert done.code == 0, done.output
    assert site.state() == world.old
