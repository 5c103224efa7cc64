# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each request of a promotion goes wrong once, each on a site of its own.

No request is repeated by the connection, so that faults reach the role which a retry would hide.
"""

from __future__ import annotations

import collections
import itertools
import json
import os
import signal
import subprocess
import time
import typing as t
from pathlib import Path

import pytest
from descriptions import SOURCE, TARGET
from laboratory import Laboratory, State, Values

PLAYBOOK = str(Path(__file__).with_name("walk.yml"))
# Seconds: how long a slow answer takes, and how long it is waited for. Other answers are waited for longer.
SLOW, PATIENCE = 5, 4
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
# What putting back has to do to a virtual proxy, by what the failed write said of it.
UNDOING = {
    "created": {"deleted"},
    "updated": {"updated"},
    "incomplete": {"updated", "deleted"},
    "pending": {"unchanged"},
    "unchanged": {"unchanged"},
    "failed": {"updated", "deleted", "unchanged"},
}


class End(t.NamedTuple):
    """What came of a promotion to one site.

    Attributes:
        failed: whether it failed.
        said: its last words.
        written: the result of the task that writes, None if it was not reached.
        put_back: likewise of the task that puts back.
    """

    failed: bool
    said: str
    written: Values | None
    put_back: Values | None


class World(t.NamedTuple):
    """The two ends of a promotion, the requests to both sites in between, and the outcomes when nothing goes wrong."""

    old: State
    new: State
    requests: dict[str, list[tuple[str, str]]]
    outcomes: dict[str, str]


def promote(laboratory: Laboratory, *hosts: str) -> dict[str, End]:
    """Promote to these hosts at the same time."""
    arguments = ["-e", f"walk_hosts={','.join(hosts)}", "--forks", "6"]
    text = laboratory.run(PLAYBOOK, *arguments, ANSIBLE_STDOUT_CALLBACK="ansible.posix.json").text
    content = json.JSONDecoder().raw_decode(text, text.index('{\n    "custom_stats"'))[0]
    results: dict[str, dict[str, Values]] = {host: {} for host in hosts}
    for task in content["plays"][0]["tasks"]:
        for host, result in task["hosts"].items():
            if not result.get("skipped"):
                results[host][task["task"]["name"].rpartition(" : ")[2]] = result

    def find(host: str, beginning: str) -> Values | None:
        # Ansible repeats the name with the first host.
        return next((one for name, one in results[host].items() if name.startswith(beginning)), None)

    return {
        host: End(
            content["stats"][host]["failures"] > 0,
            str(list(results[host].values())[-1].get("msg")),
            find(host, "Write to "),
            find(host, "Restore what was there on "),
        )
        for host in hosts
    }


def outcomes(result: Values) -> dict[str, str]:
    return {entry["prefix"]: entry["outcome"] for entry in result["outcomes"]}


def add_targets(laboratory: Laboratory, faults: t.Mapping[str, t.Sequence[Values]]) -> None:
    """Add a target for each list of faults, called so.

    The faults are the target's; where the name begins with source, they are those of a source of its own.
    """
    sites: dict[str, Values] = {}
    for name, some in faults.items():
        plan = [{"port": "qrs", **fault} for fault in some]
        if name.startswith("source"):
            sites |= {name: TARGET, f"from-{name}": {**SOURCE, "faults": plan}}
        else:
            sites[name] = {**TARGET, "faults": plan}
    laboratory.add_all(sites)
    for name, some in faults.items():
        host = laboratory.hosts[name]
        host["promotion_nodes"] = {"Dev2": "Rim1"}
        # Nobody logs in, and so all of them get the same.
        host["promotion_overrides"] = {"*": {"jwt_public_key_certificate": laboratory.sites["dev"].certificate}}
        if name.startswith("source"):
            host["walk_source"] = f"from-{name}"
        if any(fault["action"] == "delay" for fault in some):
            laboratory.hosts[host.get("walk_source", name)]["qlik_read_timeout"] = PATIENCE


@pytest.fixture(scope="module")
def world(laboratory: Laboratory) -> World:
    laboratory.add_all({"dev": SOURCE})
    add_targets(laboratory, {"clean": []})
    clean = laboratory.sites["clean"]
    old = clean.state()
    end = promote(laboratory, "clean")["clean"]
    assert not end.failed, end.said
    assert end.written
    requests = {"source": laboratory.sites["dev"].requests(), "target": clean.requests()}
    return World(old, clean.state(), requests, outcomes(end.written))


def check_between(state: State, world: World) -> None:
    """Insist that each virtual proxy and each link is the old one or the new one, and all else is untouched."""
    for prefix in {*world.old.virtual_proxies, *world.new.virtual_proxies, *state.virtual_proxies}:
        ends = (world.old.virtual_proxies.get(prefix), world.new.virtual_proxies.get(prefix))
        assert state.virtual_proxies.get(prefix) in ends
    for node, linked in state.links.items():
        assert world.old.links[node] <= linked <= world.new.links[node]
    assert state.others == world.old.others


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
    assert end.put_back
    if end.put_back.get("failed"):
        assert "could NOT be restored" in end.said
        return "left between"
    assert state == world.old
    assert end.put_back["changed"] is end.written["changed"]
    words = "Everything was restored and compared with the snapshot" if end.written["changed"] else "Nothing had been written"
    assert words in end.said
    undone = outcomes(end.put_back)
    for prefix, outcome in outcomes(end.written).items():
        assert undone[prefix] in UNDOING[outcome]
    return words.lower()


def cases(requests: t.Mapping[str, list[tuple[str, str]]]) -> dict[str, list[Values]]:
    """The faults of each target: each write has every fault, and each read has one of them in turn.

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
def test_each_request_goes_wrong_once(laboratory: Laboratory, world: World) -> None:
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
    assert ends.keys() >= {"done", "not begun", "nothing had been written", "everything was restored and compared with the snapshot"}

    # Where the site is exactly as before, the next run is the one without a fault; one of each kind shows it.
    unfinished = [*ends["left between"], *(names[0] for words, names in ends.items() if words != "left between")]
    for name, end in promote(laboratory, *unfinished).items():
        assert not end.failed, (name, end.said)
        assert laboratory.sites[name].state() == world.new, name


def test_what_cannot_be_put_back_is_said_and_the_snapshot_does_it_later(laboratory: Laboratory, world: World) -> None:
    # The links are refused, and then the site is gone.
    refuse = {"method": "PUT", "path": "/proxyservice/", **FAULTS["refused"]}
    number = next(
        index
        for index, (method, path) in enumerate(world.requests["target"], 1)
        if method == "PUT" and "proxyservice" in path
    )
    add_targets(laboratory, {"down": [refuse, {"action": "drop_before", "nth": number + 1, "times": 0}]})
    end = promote(laboratory, "down")["down"]
    laboratory.sites["down"].set_faults()
    assert "could NOT be restored" in end.said
    snapshot = laboratory.snapshots()[-1]
    assert f"snapshot={snapshot}" in end.said
    between = laboratory.sites["down"].state()
    assert between not in (world.old, world.new)
    check_between(between, world)

    done = laboratory.run("sensible.qlik.roll_back", "-e", f"roll_back_snapshot={snapshot}")
    assert done.code == 0, done.output
    assert laboratory.sites["down"].state() == world.old


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
    first = laboratory.snapshots()[-1]
    site.set_faults()

    end = promote(laboratory, "killed")["killed"]
    assert not end.failed, end.said
    assert site.state() == world.new

    done = laboratory.run("sensible.qlik.roll_back", "-e", f"roll_back_snapshot={first}")
    assert done.code == 0, done.output
    assert site.state() == world.old


def kill_family(process: subprocess.Popen[str]) -> None:
    """End a process and what it has started, which Ansible puts into sessions of their own."""
    family = [process.pid]
    for pid in family:
        listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
        family += [int(child) for child in listed.stdout.split()]
    for pid in family:
        os.kill(pid, signal.SIGKILL)
