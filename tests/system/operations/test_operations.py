# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each playbook with each fault: the next run finishes, or it stops and reports the current state.

One fault for each playbook is in `make test-all`; the whole table is in `make test-nightly`.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import re
import typing as t

import pytest
from conftest import Operator, Run


@dataclasses.dataclass(frozen=True)
class Job:
    """A playbook as an operator runs it.

    Attributes:
        playbook: its name.
        arguments: for the command line.
        prepare: brings the sites into the state before the run, and returns the argument of check.
        check: raises if the outcome is not as expected.
        half: the point at half of the run. See Operator.start.
        directories: names of the directories for its files, beside the inventory.
        site: the name of the site that it changes.
    """

    playbook: str
    prepare: t.Callable[[Operator], t.Any]
    check: t.Callable[[Operator, t.Any], None]
    half: tuple[str, int]
    arguments: tuple[str, ...] = ("--limit", "dev")
    directories: tuple[str, ...] = ()
    site: str = "dev"

    def run(self, operator: Operator, **options: t.Any) -> Run:
        return operator.run(self.playbook, *self.arguments, *self.more(operator), **options)

    def more(self, operator: Operator) -> list[str]:
        if self.playbook != "roll_back":
            return []
        [snapshot] = operator.inventory.glob("promotion_snapshots/*.yml")
        return ["-e", f"roll_back_snapshot={snapshot}"]

    def paths(self, operator: Operator) -> list[pathlib.Path]:
        return [operator.inventory / name for name in self.directories]


def ok(run: Run) -> None:
    assert run.status == 0, run.text


def declare(operator: Operator) -> None:
    ok(operator.run("provision", "--limit", "dev"))


def check_declared(operator: Operator, _before: t.Any) -> None:
    site = operator.sites["dev"]
    assert site.virtual_proxies()["portal"]["sessionInactivityTimeout"] == 20
    assert all("portal" in prefixes for prefixes in site.links().values())
    assert site.opens("portal", operator.inventory / "dev_key.pem")


def check_report(file: str) -> t.Callable[[Operator, t.Any], None]:
    def check(operator: Operator, _before: t.Any) -> None:
        assert json.loads((operator.inventory / file).read_text())["passed"] is True

    return check


def declare_two_stages(operator: Operator) -> t.Any:
    """Give dev a changed virtual proxy and a new one; return the state of test."""
    (portal,) = operator.hosts["dev"]["qlik_virtual_proxies"]
    operator.hosts["dev"]["qlik_virtual_proxies"] = [portal, portal | {"prefix": "extra", "description": "New"}]
    operator.hosts["test"]["qlik_virtual_proxies"][0]["session_inactivity_timeout"] = 5
    ok(operator.run("provision"))
    return operator.sites["test"].state()


def check_promoted(operator: Operator, _before: t.Any) -> None:
    dev, test = (operator.sites[name].state() for name in ("dev", "test"))
    for state in (dev, test):
        for one in state["virtual_proxies"].values():
            del one["id"]
    assert test == dev
    assert operator.sites["test"].opens("extra", operator.inventory / "test_key.pem")


def promote(operator: Operator) -> t.Any:
    before = declare_two_stages(operator)
    ok(operator.run("promote", *PROMOTE))
    return before


def check_rolled_back(operator: Operator, before: t.Any) -> None:
    assert operator.sites["test"].state() == before


def check_rotated(operator: Operator, _before: t.Any) -> None:
    site = operator.sites["dev"]
    [prefix] = site.virtual_proxies()
    assert prefix.startswith("portal-")
    key = operator.inventory / "key_rotation" / "dev" / f"{prefix}_key.pem"
    assert key.stat().st_mode & 0o777 == 0o600
    assert site.opens(prefix, key)
    assert not site.opens(prefix, operator.inventory / "dev_key.pem")


def check_cut(operator: Operator, _before: t.Any) -> None:
    site = operator.sites["dev"]
    assert list(site.virtual_proxies()) == ["portal"]
    key = operator.inventory / "key_rotation" / "dev" / "portal_key.pem"
    assert key.stat().st_mode & 0o777 == 0o600
    assert site.opens("portal", key)
    assert not site.opens("portal", operator.inventory / "dev_key.pem")


def provide(operator: Operator) -> None:
    operator.write_key_set("a", "b")
    (operator.inventory / "map").mkdir()


def check_followed(operator: Operator, _before: t.Any) -> None:
    slots = operator.sites["dev"].virtual_proxies()
    assert len(slots) == 2
    assert set(slots) == set(operator.sites["dev"].links()["Rim1"])
    assert set(json.loads((operator.inventory / "map" / "map.json").read_text())) == {"a", "b"}


PROMOTE = ("-e", "promote_source=dev", "-e", "promote_target=test")
JOBS = {
    "provision": Job("provision", lambda _operator: None, check_declared, ("write P", 2)),
    "smoke_test": Job(
        "smoke_test",
        declare,
        check_report("smoke_test_report/dev/smoke_test.json"),
        ("task Write the reports", 1),
        directories=("smoke_test_report",),
    ),
    "drift": Job(
        "drift",
        declare,
        check_report("drift_report/drift.json"),
        ("task Write the reports", 1),
        directories=("drift_report",),
    ),
    "promote": Job(
        "promote",
        declare_two_stages,
        check_promoted,
        ("write P", 2),
        PROMOTE,
        ("promotion_snapshots", "smoke_test_report"),
        "test",
    ),
    "roll_back": Job("roll_back", promote, check_rolled_back, ("write P", 2), (), ("promotion_snapshots",), "test"),
    "rotate_keys": Job("rotate_keys", declare, check_rotated, ("write P", 2), directories=("key_rotation",)),
    "rotate_keys in place": Job(
        "rotate_keys",
        declare,
        check_cut,
        ("task Check that tokens can be minted", 1),
        ("--limit", "dev", "-e", "key_rotation_mode=in_place"),
        ("key_rotation",),
    ),
    "follow_jwks": Job("follow_jwks", provide, check_followed, ("write P", 2), directories=("map",)),
}

# What the next run reports that cannot finish yet, as a regular expression; where there is none, it finishes.
STOPS: dict[tuple[str, str], str] = {
    ("provision", "node renamed"): "no node .*Rim1.*Rim2",
    ("provision", "central node moved"): "connection was refused",
    ("provision", "virtual proxy renamed"): "session cookie X-Qlik-Session-portal is already .*'renamed'",
    ("smoke_test", "central node moved"): "connection was refused",
    ("smoke_test", "virtual proxy renamed"): "does not know the prefix 'portal'",
    ("drift", "node renamed"): "dev: could not be compared.*Rim1.*Rim2",
    ("drift", "central node moved"): "dev: could not be compared.*connection was refused",
    ("drift", "virtual proxy renamed"): "dev: could not be compared.*'renamed'",
    ("promote", "node renamed"): "no node 'Rim1'.*known are: Central, Rim2",
    ("promote", "central node moved"): "connection was refused",
    ("promote", "virtual proxy renamed"): "session cookie X-Qlik-Session-portal is already .*'renamed'",
    ("roll_back", "central node moved"): "test could NOT be restored.*connection was refused.*Nothing was written",
    ("rotate_keys", "node renamed"): "linked to the proxy of 'Rim2'.*URLs for: Central, Rim1.*portal-2 is published",
    ("rotate_keys", "central node moved"): "connection was refused",
    ("rotate_keys in place", "node renamed"): "linked to the proxy of 'Rim2'.*portal already has the new certificate",
    ("rotate_keys in place", "central node moved"): "connection was refused",
    ("rotate_keys in place", "virtual proxy renamed"): "no JWT virtual proxy .* portal.*found are: renamed",
    ("follow_jwks", "node renamed"): "no proxy 'Rim1'.*known are: Central, Rim2",
    ("follow_jwks", "central node moved"): "connection was refused",
    ("follow_jwks", "virtual proxy renamed"): "session cookie X-Qlik-Session-idp-.* is already .*'renamed'",
}
# The exit status and the output of a run that cannot write its files.
NO_SPACE: dict[str, tuple[int, str]] = {
    "provision": (0, "changed="),
    "smoke_test": (0, "Warning: The reports could not be written to .*smoke_test_report.*{0}"),
    "drift": (0, "Warning: The reports could not be written to .*drift_report.*{0}"),
    "promote": (2, "was not started and nothing was written, because the snapshot could not be written to .*{0}"),
    # The promotion was completed, so that there is nothing left to mark in its snapshot.
    "roll_back": (0, "Restored and compared with the snapshot"),
    "rotate_keys": (2, "No pair was created in .*{0}.*Nothing was changed"),
    "rotate_keys in place": (2, "No pair was created in .*{0}.*Nothing was changed"),
    "follow_jwks": (2, "{0}"),
}
# Their last step writes the file, so that the site has the new state then. The next run writes the file.
WRITES_BEFORE = {"provision", "smoke_test", "drift", "roll_back", "follow_jwks"}
# The output of one of two runs at once that does not finish.
CONFLICT: dict[str, str] = dict.fromkeys(
    ["promote", "rotate_keys", "rotate_keys in place"], "[Aa]nother (promotion|run) .*in the meantime"
)
# The output of a run in whose middle the clock is set back.
CLOCK: dict[str, str] = dict.fromkeys(
    ["promote", "rotate_keys", "rotate_keys in place"], "clock is 3[56]\\d\\d seconds ahead of this machine's"
)

FAULTS = ["kill", "term", "no space", "read only", "two at once", "node renamed", "central node moved"]
FAULTS += ["virtual proxy renamed", "clock set back"]
# The one that is not only for the nightly tests.
QUICK = {
    "provision": "kill",
    "smoke_test": "no space",
    "drift": "read only",
    "promote": "kill",
    "roll_back": "node renamed",
    "rotate_keys": "virtual proxy renamed",
    "rotate_keys in place": "kill",
    "follow_jwks": "two at once",
}


def cells(*faults: str) -> list[t.Any]:
    """Return a parameter for each job and fault of these."""
    return [
        pytest.param(name, fault, marks=pytest.mark.slow if QUICK[name] == fault else pytest.mark.nightly)
        for name in JOBS
        for fault in faults
    ]


def test_each_fault_is_in_the_table() -> None:
    assert {QUICK[name] for name in JOBS} <= set(FAULTS)
    assert {name for name, _fault in STOPS} | set(NO_SPACE) | set(CONFLICT) | set(CLOCK) <= set(JOBS)


def finish(job: Job, name: str, fault: str, operator: Operator, repair: t.Callable[[], None]) -> None:
    """Run a job again; if it stops, make the change that its message requests, and run it once more."""
    run = job.run(operator)
    if (name, fault) in STOPS:
        assert run.status == 2, run.text
        assert_found(STOPS[name, fault], run)
        repair()
        run = job.run(operator)
    ok(run)


def assert_found(pattern: str, run: Run) -> None:
    assert re.search(pattern, run.text), run.text


@pytest.mark.parametrize(("name", "fault"), cells("kill", "term"))
def test_next_run_completes_after_each_stop(name: str, fault: str, operator: Operator) -> None:
    job = JOBS[name]
    before = job.prepare(operator)
    run = job.run(operator, at=job.half, how=fault.upper())
    assert run.status == -9 if fault == "kill" else run.status != 0, run.text
    ok(job.run(operator))
    job.check(operator, before)


@pytest.mark.parametrize(("name", "fault"), cells("no space", "read only"))
def test_unwritable_files_are_reported_and_written_later(name: str, fault: str, operator: Operator) -> None:
    job = JOBS[name]
    before = job.prepare(operator)
    writes = operator.sites[job.site].writes()
    paths = job.paths(operator)
    run = job.run(operator, **{"full" if fault == "no space" else "read_only": paths})
    status, output = NO_SPACE[name]
    assert run.status == status, run.text
    reason = "No space left on device" if fault == "no space" else "Read-only file system"
    assert_found(output.format(reason), run)
    if name not in WRITES_BEFORE:
        assert operator.sites[job.site].writes() == writes
    ok(job.run(operator))
    job.check(operator, before)


@pytest.mark.parametrize(("name", "fault"), cells("two at once"))
def test_simultaneous_runs_finish_or_report_a_conflict(name: str, fault: str, operator: Operator) -> None:
    job = JOBS[name]
    before = job.prepare(operator)
    arguments = [*job.arguments, *job.more(operator)]
    both = [operator.start(job.playbook, *arguments, journal=f"journal{number}") for number in (1, 2)]
    runs = [operator.finish(one) for one in both]
    for run in runs:
        if run.status:
            assert_found(CONFLICT.get(name, "a run without a conflict"), run)
    if name not in ("rotate_keys", "rotate_keys in place") or any(run.status for run in runs):
        ok(job.run(operator))
    job.check(operator, before)


@pytest.mark.parametrize(("name", "fault"), cells("node renamed", "central node moved", "virtual proxy renamed"))
def test_next_run_accepts_a_site_changed_in_between(name: str, fault: str, operator: Operator) -> None:
    job = JOBS[name]
    before = job.prepare(operator)
    run = job.run(operator, at=job.half)
    assert run.status == -9, run.text
    site = operator.sites[job.site]
    prefix = next(iter(site.virtual_proxies()))

    def repair() -> None:
        if fault == "central node moved":
            operator.hosts[job.site] |= site.addresses()
        elif fault == "node renamed":
            site.change("servernodeconfiguration", "Rim2", name="Rim1")
        else:
            site.change("virtualproxyconfig", "renamed", prefix=prefix)

    if fault == "central node moved":
        site.move()
    elif fault == "node renamed":
        site.change("servernodeconfiguration", "Rim1", name="Rim2")
    else:
        site.change("virtualproxyconfig", prefix, prefix="renamed")
    finish(job, name, fault, operator, repair)
    if (name, fault) == ("roll_back", "virtual proxy renamed"):  # it is found by its id, and its prefix is kept
        site.change("virtualproxyconfig", "renamed", prefix=prefix)
    if fault != "node renamed" or (name, fault) in STOPS:
        job.check(operator, before)


@pytest.mark.parametrize(("name", "fault"), cells("clock set back"))
def test_clock_set_back_is_tolerated_or_reported(name: str, fault: str, operator: Operator) -> None:
    job = JOBS[name]
    before = job.prepare(operator)
    run = job.run(operator, at=job.half, how="-3600")
    if run.status:
        assert_found(CLOCK[name], run)
        ok(job.run(operator))
    job.check(operator, before)
