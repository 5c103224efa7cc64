# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run make targets, all of them, a few at a time, and say what came of it in one last line.

Usage: steps.py --make MAKE --results DIRECTORY [--lanes NUMBER] TARGET...

A target may leave JUnit files in the directory that RESULTS names: then each case counts. One that leaves none counts
as one. What it leaves in a summary.txt is said again before the last line. What a target says comes at its end, in one
piece; until then it is in its output.log.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path


@dataclasses.dataclass
class Count:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)


def count_cases(files: list[Path]) -> Count:
    """The test cases in JUnit files."""
    count = Count()
    for file in files:
        for case in ET.parse(file).getroot().iter("testcase"):
            if case.find("failure") is not None or case.find("error") is not None:
                count.failed += 1
            elif case.find("skipped") is not None:
                count.skipped += 1
            else:
                count.passed += 1
    return count


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of a make target.

    Attributes:
        target: which.
        log: the file with what it said.
        seconds: how long it took.
        code: its exit status.
        count: of its test cases.
    """

    target: str
    log: Path
    seconds: float
    code: int
    count: Count


def run_step(make: str, target: str, results: Path, variables: Sequence[str] = ()) -> Outcome:
    """Make a target to its end.

    Args:
        make: the program.
        target: what to make.
        results: a directory for all results; this one's are in a directory of its own.
        variables: NAME=VALUE for make's command line.
    """
    own = results / target.replace("/", "-")
    own.mkdir(parents=True)
    log = own / "output.log"
    print(f".... {target} begins", flush=True)
    started = time.monotonic()
    with log.open("wb") as output:
        code = subprocess.run(
            [make, "--no-print-directory", "STAGED=yes", *variables, target],
            env=os.environ | {"RESULTS": str(own.absolute())},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    count = count_cases(sorted(own.glob("*.xml")))
    if code and not count.failed:
        count.failed = 1
    elif not code and not count.passed:
        count.passed = 1
    return Outcome(target, log, time.monotonic() - started, code, count)


def leave_outer_make() -> None:
    """Drop what a make would inherit from the one around it: job slots, flags and variables of its command line."""
    for name in ("MAKEFLAGS", "MAKEOVERRIDES", "MFLAGS", "MAKELEVEL"):
        os.environ.pop(name, None)


def tell(outcome: Outcome) -> None:
    """Print what a target said, and how it ended."""
    print(f"\n==== {outcome.target}\n{outcome.log.read_text(errors='replace')}", end="")
    verdict = "FAILED" if outcome.code else "passed"
    print(f"---- {outcome.target}: {verdict} in {outcome.seconds:.0f} s\n", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--make", required=True)
    parser.add_argument("--results", type=Path, required=True, help="replaced")
    parser.add_argument("--lanes", type=int, default=1, help="so many targets at a time; begun in the order given")
    parser.add_argument("targets", nargs="+")
    options = parser.parse_args()
    shutil.rmtree(options.results, ignore_errors=True)
    leave_outer_make()
    started = time.monotonic()
    counts = {}
    pool = ThreadPoolExecutor(options.lanes)
    try:
        steps = [pool.submit(run_step, options.make, target, options.results) for target in options.targets]
        for step in as_completed(steps):
            outcome = step.result()
            counts[outcome.target] = outcome.count
            tell(outcome)
    finally:
        pool.shutdown(cancel_futures=True)
    total = sum(counts.values(), start=Count())
    failed = [target for target in options.targets if counts[target].failed]
    for file in sorted(options.results.glob("*/summary.txt")):
        print(f"\n{file.parent.name}:\n{file.read_text()}", end="")
    print(f"\nAll steps took {time.monotonic() - started:.0f} s; {total.skipped} tests were skipped.")
    if failed:
        print(f"Failed: {', '.join(failed)}. One step alone: make <step>")
    print(f"{total.passed} passed, {total.failed} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:  # the steps got it, too
        sys.exit(130)
