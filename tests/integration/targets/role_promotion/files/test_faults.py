# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each request of a promotion fails once, each on its own site.

The connection does not repeat requests, because a retry would hide the faults from the role.
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
from walk import PLAYBOOK, SLOW, Promotion, Reference, add_targets, check_between, kill_tree, outcomes, promote

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
# Possible outcomes of a restoration for a virtual proxy, by the outcome of the failed write.
ROLLBACK_OUTCOMES = {
    "created": {"deleted"},
    "updated": {"updated"},
    "incomplete": {"updated", "deleted"},
    "pending": {"unchanged"},
    "unchanged": {"unchanged"},
    "failed": {"updated", "deleted", "unchanged"},
}


def check_promotion(promotion: Promotion, state: State, writes: int, reference: Reference) -> str:
    """Check that the message of a run is true, and return its outcome in words."""
    check_between(state, reference)
    if not promotion.failed:
        assert state == reference.new
        assert promotion.written
        assert promotion.written["changed"] is True
        assert outcomes(promotion.written) == reference.outcomes
        return "done"
    if promotion.written is None:
        assert state == reference.old
        assert writes == 0
        return "not begun"
    assert "Promotion of " in promotion.message
    if promotion.restored is None:
        assert "Nothing was written." in promotion.message
        assert state == reference.old
        assert writes == 0
        return "nothing was written"
    if promotion.restored.get("failed"):
        assert "could NOT be restored" in promotion.message
        return "left between"
    assert state == reference.old
    assert promotion.restored["changed"] is promotion.written["changed"]
    words = (
        "Everything was restored and compared with the snapshot"
        if promotion.written["changed"]
        else "Nothing was written"
    )
    assert words in promotion.message
    undone = outcomes(promotion.restored)
    for prefix, outcome in outcomes(promotion.written).items():
        assert undone[prefix] in ROLLBACK_OUTCOMES[outcome]
    return words.lower()


def cases(requests: t.Mapping[str, list[tuple[str, str]]]) -> dict[str, list[Values]]:
    """Return the faults of each target: all faults for each write, and one of them in turn for each read.

    Any fault of a read stops the run before its first write. `make test-nightly` applies every fault to each read, too.
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
def test_each_fault_leaves_a_consistent_site(laboratory: Laboratory, reference: Reference) -> None:
    faults = cases(reference.requests)
    add_targets(laboratory, faults)
    promotions = promote(laboratory, *faults)

    by_outcome: dict[str, list[str]] = collections.defaultdict(list)
    wrong = []
    for name, promotion in promotions.items():
        site = laboratory.sites[name]
        try:
            by_outcome[check_promotion(promotion, site.state(), site.writes(), reference)].append(name)
            assert promotion.written or "-get-" in name
        except AssertionError as error:
            wrong.append(f"{name}: {promotion.message}\n{str(error)[:500]}")
    for words, names in sorted(by_outcome.items()):
        print(f"{len(names)} {words}: {', '.join(names)}")
    assert not wrong, "\n".join(wrong)
    assert by_outcome.keys() >= {
        "done",
        "not begun",
        "nothing was written",
        "everything was restored and compared with the snapshot",
    }

    # Where the site is exactly as before, the next run is the one without a fault; one of each kind shows it.
    unfinished = [
        *by_outcome["left between"],
        *(names[0] for words, names in by_outcome.items() if words != "left between"),
    ]
    for name, promotion in promote(laboratory, *unfinished).items():
        assert not promotion.failed, (name, promotion.message)
        assert laboratory.sites[name].state() == reference.new, name


def test_failed_restores_are_reported_and_done_by_a_later_run(laboratory: Laboratory, reference: Reference) -> None:
    # The links are refused, and then the site is gone.
    refuse = {"method": "PUT", "path": "/proxyservice/", **FAULTS["refused"]}
    number = next(
        index
        for index, (method, path) in enumerate(reference.requests["target"], 1)
        if method == "PUT" and "proxyservice" in path
    )
    add_targets(laboratory, {"down": [refuse, {"action": "drop_before", "nth": number + 1, "times": 0}]})
    site = laboratory.sites["down"]
    promotion = promote(laboratory, "down")["down"]
    assert "could NOT be restored" in promotion.message
    snapshot = laboratory.snapshots()[-1]
    assert f"roll_back_snapshot={snapshot}" in promotion.message
    assert laboratory.unfinished("down") == [["embedded", "portal"]]

    # What is there now is half done. The next run fails as well, and the clock was set back before it.
    site.set_faults(refuse)
    between = site.state()
    assert between not in (reference.old, reference.new)
    check_between(between, reference)
    promotion = promote(laboratory, "down", more=["-e", "__promotion_time=20010101T000000Z"])["down"]
    assert f"The promotion of dev to down with the snapshot {snapshot} was interrupted" in promotion.warnings[0]
    assert "Everything was restored and compared with the snapshot (" in promotion.message
    assert site.state() == reference.old
    assert laboratory.unfinished("down") == [[], []]
    later = min((laboratory.directory / "promotion_snapshots").glob("down-*.yml"))
    entries = {entry["prefix"]: entry for entry in yaml.safe_load(later.read_text())["virtual_proxies"]}
    assert entries["embedded"] == {"prefix": "embedded", "state": "absent"}
    assert entries["portal"]["session_inactivity_timeout"] == 45

    done = laboratory.run("sensible.qlik.roll_back", "-e", f"roll_back_snapshot={snapshot}")
    assert done.code == 0, done.output
    assert "nothing had to be written: portal unchanged, embedded unchanged." in done.output


def test_next_run_completes_a_killed_run(laboratory: Laboratory, reference: Reference) -> None:
    hang = {"method": "PUT", "path": "/proxyservice/", "action": "delay", "seconds": 15}
    add_targets(laboratory, {"killed": [hang]})
    site = laboratory.sites["killed"]
    with laboratory.begin(PLAYBOOK, "-e", "walk_hosts=killed") as process:
        while "embedded" not in site.state().virtual_proxies:
            assert process.poll() is None
            time.sleep(0.1)
        kill_tree(process)
        process.communicate()
    check_between(site.state(), reference)
    assert site.state() != reference.new
    assert laboratory.unfinished("killed") == [["embedded", "portal"]]
    first = laboratory.snapshots()[-1]
    site.set_faults()

    promotion = promote(laboratory, "killed")["killed"]
    assert not promotion.failed, promotion.message
    assert site.state() == reference.new
    assert laboratory.unfinished("killed") == [[], []]

    done = laboratory.run("sensible.qlik.roll_back", "-e", f"roll_back_snapshot={first}")
    assert done.code == 0, done.output
    assert site.state() == reference.old
