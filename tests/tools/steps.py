# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run make targets, all of them, a few at a time, and print one summary at the end.

Usage: steps.py --make MAKE --results DIRECTORY [--lanes NUMBER] [NAME=VALUE...] TARGET...

Variables are for make's command line. A target may leave JUnit files in the directory that the variable RESULTS names:
then each case counts, and it has failed if none was executed. A target that leaves none counts as one. It may also
leave skipped.txt, with a line for each test that it skipped ("name: reason"), and summary.txt, which the summary
repeats. The output of a target that failed is printed at its end; that of the others is in output.log.

A skipped test is named in the summary. With REQUIRE_ALL=1 in the environment it fails, unless skips.txt allows it.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import os
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

ALLOWED = Path(__file__).parents[1] / "skips.txt"
MOST_ALLOWED = 10
SLOWEST = 5
NOTHING_TO_CHECK = "No tests applicable."
"""What ansible-test reports where the collection has no file of a kind, such as PowerShell."""


@dataclasses.dataclass
class Count:
    """Numbers of test cases, and what was skipped, each with its reason."""

    passed: int = 0
    failed: int = 0
    skipped: list[str] = dataclasses.field(default_factory=list)

    def __add__(self, other: Count) -> Count:
        return Count(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def __str__(self) -> str:
        skipped = f", {len(self.skipped)} skipped" if self.skipped else ""
        return f"{self.passed} passed" + (f", {self.failed} failed" if self.failed else "") + skipped


def count_cases(directory: Path) -> Count:
    """Count the test cases that a target reports in files of a directory."""
    count = Count()
    for file in sorted(directory.glob("*.xml")):
        for case in ET.parse(file).getroot().iter("testcase"):
            skipped = case.find("skipped")
            if case.find("failure") is not None or case.find("error") is not None:
                count.failed += 1
            elif skipped is not None:
                reason = skipped.get("message") or skipped.text or ""
                if reason != NOTHING_TO_CHECK:
                    count.skipped.append(f"{case.get('classname')}.{case.get('name')}: {reason}")
            else:
                count.passed += 1
    file = directory / "skipped.txt"
    if file.exists():
        count.skipped += file.read_text().splitlines()
    return count


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The result of a make target.

    Attributes:
        target: its name.
        log: the file with its output.
        seconds: of wall time.
        cpu_seconds: of CPU time, user and system.
        code: its exit status.
        count: of its test cases.
    """

    target: str
    log: Path
    seconds: float
    cpu_seconds: float
    code: int
    count: Count


def print_line(line: str) -> None:
    """Print a line in one piece: steps of several lanes print at the same time."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def run_step(make: str, target: str, results: Path, variables: Sequence[str] = ()) -> Outcome:
    """Make a target to its end.

    Args:
        make: the program.
        target: what to make.
        results: a directory for all results; the target gets a directory in it.
        variables: NAME=VALUE for make's command line.
    """
    own = results / target.replace("/", "-")
    own.mkdir(parents=True)
    log = own / "output.log"
    print_line(f".... {target} begins")
    started = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [make, "--no-print-directory", "STAGED=yes", *variables, target],
            env=os.environ | {"RESULTS": str(own.absolute())},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        _pid, status, usage = os.wait4(process.pid, 0)
    code = process.returncode = os.waitstatus_to_exitcode(status)
    reports = any(own.glob("*.xml"))
    count = count_cases(own)
    if not code and reports and not count.passed + count.failed:
        with log.open("a") as output:
            output.write("No test was executed.\n")
        code = 1
    if code and not count.failed:
        count.failed = 1
    elif not code and not count.passed:
        count.passed = 1
    return Outcome(target, log, time.monotonic() - started, usage.ru_utime + usage.ru_stime, code, count)


def leave_outer_make() -> None:
    """Drop what a make would inherit from the one around it: job slots, flags and variables of its command line."""
    for name in ("MAKEFLAGS", "MAKEOVERRIDES", "MFLAGS", "MAKELEVEL"):
        os.environ.pop(name, None)


def print_outcome(outcome: Outcome) -> None:
    """Print how a target ended, and its output if it failed."""
    if outcome.code:
        print(f"\n==== {outcome.target}\n{outcome.log.read_text(errors='replace')}", end="")
    verdict = "FAILED" if outcome.code else "passed"
    print_line(f"---- {outcome.target}: {verdict} in {outcome.seconds:.0f} s ({outcome.count})")


def read_allowed(text: str) -> list[re.Pattern[str]]:
    """Return the patterns of skips that are allowed: a line each, after a comment with the reason.

    Raises:
        ValueError: there are too many, or one has no reason.
    """
    patterns = []
    reason = False
    for line in text.splitlines():
        if line.startswith("#") or not line.strip():
            reason = line.startswith("#")
            continue
        if not reason:
            raise ValueError(f"There is no comment with a reason above {line!r}.")
        patterns.append(re.compile(line))
        reason = False
    if len(patterns) > MOST_ALLOWED:
        raise ValueError(f"{len(patterns)} skips are allowed; {MOST_ALLOWED} is the most.")
    return patterns


def summarize(outcomes: Sequence[Outcome], seconds: float, cpu_seconds: float) -> list[str]:
    """Return the lines of the summary, without the last one."""
    lines = ["", f"{'step':24} {'wall s':>7} {'CPU s':>7}  tests"]
    lines += [
        f"{one.target:24} {one.seconds:7.0f} {one.cpu_seconds:7.0f}  {'FAILED: ' if one.code else ''}{one.count}"
        for one in outcomes
    ]
    slowest = sorted(outcomes, key=lambda one: one.seconds, reverse=True)[:SLOWEST]
    lines += ["", f"Slowest: {', '.join(f'{one.target} {one.seconds:.0f} s' for one in slowest)}."]
    lines.append(f"All steps: {seconds:.0f} s wall time, {cpu_seconds:.0f} s CPU time.")
    skipped = collections.Counter(line for one in outcomes for line in one.count.skipped)
    if skipped:
        lines.append(f"{skipped.total()} tests were skipped:")
        lines += [f"  {line}" + (f" ({number} times)" if number > 1 else "") for line, number in skipped.items()]
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--make", required=True)
    parser.add_argument("--results", type=Path, required=True, help="replaced")
    parser.add_argument("--lanes", type=int, default=1, help="how many targets at a time; begun in the order given")
    parser.add_argument("targets", nargs="+", help="and variables for make")
    options = parser.parse_args()
    variables = [word for word in options.targets if "=" in word]
    targets = [word for word in options.targets if "=" not in word]
    shutil.rmtree(options.results, ignore_errors=True)
    leave_outer_make()
    allowed = read_allowed(ALLOWED.read_text())
    started = time.monotonic()
    outcomes = {}
    pool = ThreadPoolExecutor(options.lanes)
    try:
        steps = [pool.submit(run_step, options.make, target, options.results, variables) for target in targets]
        for step in as_completed(steps):
            outcome = step.result()
            outcomes[outcome.target] = outcome
            print_outcome(outcome)
    finally:
        pool.shutdown(cancel_futures=True)
    ordered = [outcomes[target] for target in targets]
    for file in sorted(options.results.glob("*/summary.txt")):
        print(f"\n{file.parent.name}:\n{file.read_text()}", end="")
    cpu_seconds = sum(one.cpu_seconds for one in ordered)
    print("\n".join(summarize(ordered, time.monotonic() - started, cpu_seconds)))
    total = sum((one.count for one in ordered), start=Count())
    failed = [one.target for one in ordered if one.count.failed]
    if failed:
        print(f"Failed: {', '.join(failed)}. One step alone: make <step>")
    if os.environ.get("REQUIRE_ALL") == "1":
        refused = [line for line in total.skipped if not any(pattern.search(line) for pattern in allowed)]
        if refused:
            print(
                f"REQUIRE_ALL: {len(refused)} skipped tests count as failed, since {ALLOWED.name} does not list them:"
            )
            print("\n".join(f"  {line}" for line in refused))
            total.failed += len(refused)
    print(f"{total.passed} passed, {total.failed} failed", flush=True)
    return 1 if total.failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:  # the steps got it, too
        sys.exit(130)
