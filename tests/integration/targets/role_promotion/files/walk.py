# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Promote to many sites at once, each with its own faults, and return the outcomes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import typing as t
from pathlib import Path

from descriptions import SOURCE, TARGET
from laboratory import Laboratory, State, Values

PLAYBOOK = str(Path(__file__).with_name("walk.yml"))
# Seconds: how long a slow answer takes, and how long it is waited for. Other answers are waited for longer.
SLOW, PATIENCE = 5, 4


class Promotion(t.NamedTuple):
    """The outcome of a promotion to one site.

    Attributes:
        failed: whether it failed.
        message: its last message.
        warnings: its messages about unfinished snapshots.
        written: the result of the task that writes, None if it was not reached.
        restored: the result of the task that restores, None if it was not reached.
    """

    failed: bool
    message: str
    warnings: list[str]
    written: Values | None
    restored: Values | None


class Reference(t.NamedTuple):
    """A promotion without faults: the states before and after it, the requests to both sites, and the outcomes."""

    old: State
    new: State
    requests: dict[str, list[tuple[str, str]]]
    outcomes: dict[str, str]


def promote(laboratory: Laboratory, *hosts: str, more: t.Sequence[str] = ()) -> dict[str, Promotion]:
    """Promote to these hosts at the same time, with more arguments."""
    arguments = ["-e", f"walk_hosts={','.join(hosts)}", "--forks", "6", *more]
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
        host: Promotion(
            content["stats"][host]["failures"] > 0,
            str(list(results[host].values())[-1].get("msg")),
            [one["msg"] for one in (find(host, "Report unfinished") or {}).get("results", ())],
            find(host, "Write to "),
            find(host, "Restore the previous state of "),
        )
        for host in hosts
    }


def outcomes(result: Values) -> dict[str, str]:
    return {entry["prefix"]: entry["outcome"] for entry in result["outcomes"]}


def add_targets(laboratory: Laboratory, faults: t.Mapping[str, t.Sequence[Values]]) -> None:
    """Add a target for each list of faults, with the given name.

    The faults are those of the target, or of a separate source if the name begins with "source".
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
        # No user logs in, and so all of them get the same.
        host["promotion_overrides"] = {"*": {"jwt_public_key_certificate": laboratory.sites["dev"].certificate}}
        if name.startswith("source"):
            host["walk_source"] = f"from-{name}"
        if any(fault["action"] == "delay" for fault in some):
            laboratory.hosts[host.get("walk_source", name)]["qlik_read_timeout"] = PATIENCE


def check_between(state: State, reference: Reference) -> None:
    """Check that each virtual proxy and each link is the old one or the new one, and everything else is unchanged."""
    for prefix in {*reference.old.virtual_proxies, *reference.new.virtual_proxies, *state.virtual_proxies}:
        allowed = (reference.old.virtual_proxies.get(prefix), reference.new.virtual_proxies.get(prefix))
        assert state.virtual_proxies.get(prefix) in allowed
    for node, linked in state.links.items():
        assert reference.old.links[node] <= linked <= reference.new.links[node]
    assert state.others == reference.old.others


def kill_tree(process: subprocess.Popen[str], number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to a process and its descendants, which Ansible starts in separate sessions."""
    pids = [process.pid]
    for pid in pids:
        listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
        pids += [int(child) for child in listed.stdout.split()]
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):  # it may end with the one before it
            os.kill(pid, number)
