# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each request of a promotion goes wrong once, each on a site of its own.

Every read has one of the faults, in turn; every write is refused, has its answer lost, and has one of the others. No
request is repeated by the connection, so that faults reach the role which a retry would hide. With PROMOTION_WALK=all
in the environment every request has every fault.
"""

from __future__ import annotations

import itertools
import os
import re
import signal
import subprocess
import time
import typing as t
from pathlib import Path

import pytest
from descriptions import SOURCE, TARGET
from laboratory import Laboratory, State, Values

PLAYBOOK = str(Path(__file__).with_name("walk.yml"))
FAULTS: dict[str, Values] = {
    "refused": {"action": "status", "status": 400, "body": "No."},
    "lost": {"action": "drop_after"},
    "dropped": {"action": "drop_before"},
    "conflict": {"action": "status", "status": 409},
    "busy": {"action": "status", "status": 429, "headers": {"Retry-After": "1"}},
    "unavailable": {"action": "status", "status": 503},
    "truncated": {"action": "truncate"},
    "page": {"action": "status", "status": 200, "content_type": "text/html", "body": "<html>Sign in</html>"},
    "slow": {"action": "delay", "seconds": 30},  # the laboratory waits for 20
}


class World(t.NamedTuple):
    """The two ends of a promotion, and the requests between them."""

    pristine: Path
    old: State
    new: State
    requests: list[tuple[str, str]]


def promote(laboratory: Laboratory, *hosts: str) -> tuple[int, dict[str, str]]:
    """Promote to these hosts; the exit code, and by host what was said in the end."""
    done = laboratory.run(PLAYBOOK, "-e", f"walk_hosts={','.join(hosts)}", "--forks", "4")
    said = {}
    for host in hosts:
        last = done.output.rpartition(f"[{host}]")[2]
        said[host] = re.split(r"TASK \[|\[ERROR\]|\[WARNING\]|PLAY RECAP", last)[0]
    return done.code, said


def add_target(laboratory: Laboratory, name: str, pristine: Path) -> None:
    site = laboratory.add(name, TARGET, like=pristine)
    laboratory.hosts[name]["promotion_nodes"] = {"Dev2": "Rim1"}
    laboratory.hosts[name]["promotion_overrides"] = {"*": {"jwt_public_key_certificate": site.certificate}}


@pytest.fixture(scope="module")
def world(laboratory: Laboratory) -> World:
    laboratory.add("dev", SOURCE)
    site = laboratory.add("pristine", TARGET)
    old = site.state()
    site.simulator.stop()
    pristine = laboratory.directory / "pristine"
    add_target(laboratory, "clean", pristine)
    code, said = promote(laboratory, "clean")
    assert code == 0, said
    clean = laboratory.sites["clean"]
    return World(pristine, old, clean.state(), clean.requests())


def cases(requests: list[tuple[str, str]]) -> dict[str, Values]:
    """The fault of each site, by its name."""
    everything = os.environ.get("PROMOTION_WALK") == "all"
    for_reads = itertools.cycle(name for name in FAULTS if name != "conflict")
    others = itertools.cycle(list(FAULTS)[2:])
    plan: dict[str, Values] = {}
    for number, (method, path) in enumerate(requests, 1):
        if everything:
            names = list(FAULTS)
        else:
            names = [next(for_reads)] if method == "GET" else ["refused", "lost", next(others)]
        kind = path.split("/")[2]
        plan |= {f"{number:02}-{method.lower()}-{kind}-{name}": {**FAULTS[name], "nth": number} for name in names}
    return plan


def is_between(state: State, world: World) -> bool:
    """Whether each virtual proxy and each link is the old one or the new one, and all else is untouched."""
    for prefix in {*world.old.virtual_proxies, *world.new.virtual_proxies, *state.virtual_proxies}:
        ends = (world.old.virtual_proxies.get(prefix), world.new.virtual_proxies.get(prefix))
        if state.virtual_proxies.get(prefix) not in ends:
            return False
    links = all(world.old.links[node] <= linked <= world.new.links[node] for node, linked in state.links.items())
    return links and state.others == world.old.others


def test_each_request_goes_wrong_once(laboratory: Laboratory, world: World) -> None:
    faults = cases(world.requests)
    for name, fault in faults.items():
        add_target(laboratory, name, world.pristine)
        laboratory.sites[name].set_faults({"port": "qrs", **fault})

    _code, said = promote(laboratory, *faults)

    ends = {}
    for name in faults:
        state = laboratory.sites[name].state()
        assert is_between(state, world), (name, said[name])
        if "wrote nothing" in said[name] or "was put back" in said[name] or "Nothing had been written" in said[name]:
            assert state == world.old, (name, said[name])
            ends[name] = "put back" if "was put back" in said[name] else "nothing written"
        elif "Promotion of dev" in said[name] and "FAILED" not in said[name]:
            assert state == world.new, (name, said[name])
            ends[name] = "done"
        elif "NOT be put back" in said[name]:
            ends[name] = "left between"
        else:
            # It ended before the first write.
            assert state == world.old, (name, said[name])
            ends[name] = "nothing written"
        print(f"{name}: {ends[name]}")
        laboratory.sites[name].set_faults()
    reached = set(ends.values())
    assert reached == {"done", "put back", "nothing written"}

    unfinished = [name for name, end in ends.items() if end != "done"]
    code, said = promote(laboratory, *unfinished)
    assert code == 0, said
    for name in unfinished:
        assert laboratory.sites[name].state() == world.new, (name, said[name])


def test_a_source_that_answers_nonsense_stops_it(laboratory: Laboratory, world: World) -> None:
    add_target(laboratory, "target", world.pristine)
    laboratory.sites["dev"].set_faults({"port": "qrs", "path": "proxyservice", **FAULTS["truncated"]})
    code, said = promote(laboratory, "target")
    laboratory.sites["dev"].set_faults()
    assert code == 2, said
    assert laboratory.sites["target"].requests() == []


def test_what_cannot_be_put_back_is_said_and_the_snapshot_does_it_later(laboratory: Laboratory, world: World) -> None:
    add_target(laboratory, "down", world.pristine)
    # The links are refused, and then the site is gone.
    refuse = {"port": "qrs", "method": "PUT", "path": "/proxyservice/", **FAULTS["refused"]}
    number = next(
        index for index, (method, path) in enumerate(world.requests, 1) if "PUT" in method and "service" in path
    )
    gone = {"port": "qrs", "action": "drop_before", "nth": number + 1, "times": 0}
    laboratory.sites["down"].set_faults(refuse, gone)
    code, said = promote(laboratory, "down")
    laboratory.sites["down"].set_faults()
    assert code == 2
    assert "could NOT be put back" in said["down"], said
    snapshot = laboratory.snapshots()[-1]
    assert f"snapshot={snapshot}" in said["down"]
    between = laboratory.sites["down"].state()
    assert between not in (world.old, world.new)
    assert is_between(between, world)

    done = laboratory.run("sensible.qlik.roll_back", "-e", f"snapshot={snapshot}")
    assert done.code == 0, done.output
    assert laboratory.sites["down"].state() == world.old


def test_a_run_that_is_killed_is_finished_by_the_next(laboratory: Laboratory, world: World) -> None:
    add_target(laboratory, "killed", world.pristine)
    site = laboratory.sites["killed"]
    hang = {"port": "qrs", "method": "PUT", "path": "/proxyservice/", "action": "drop_before", "seconds": 0}
    site.set_faults({**hang, "action": "delay", "seconds": 15})
    with laboratory.begin(PLAYBOOK, "-e", "walk_hosts=killed") as process:
        while "embedded" not in site.state().virtual_proxies:
            assert process.poll() is None
            time.sleep(0.1)
        kill_family(process)
        process.communicate()
    assert is_between(site.state(), world)
    assert site.state() != world.new
    first = laboratory.snapshots()[-1]
    site.set_faults()

    code, said = promote(laboratory, "killed")
    assert code == 0, said
    assert site.state() == world.new

    done = laboratory.run("sensible.qlik.roll_back", "-e", f"snapshot={first}")
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
