# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run make targets one after another, all of them, and say what came of it in one last line.

Usage: steps.py --make MAKE --results DIRECTORY [--beside TARGET] TARGET...

A target may leave JUnit files in the directory that RESULTS names: then each case counts. One that leaves none counts
as one. What it leaves in a summary.txt is said again before the last line. A target that takes long and uses one
processor can run beside the others; what it says comes at the end.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
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


class Step:
    """A make target that runs from here on.

    Args:
        make: the program.
        target: what to make.
        results: a directory for all results; this one's are in a directory of its own.
        quiet: keep the output for later.
    """

    def __init__(self, make: str, target: str, results: Path, *, quiet: bool = False) -> None:
        self._target = target
        self._results = results / target.replace("/", "-")
        self._results.mkdir(parents=True)
        self._log = self._results / "output.log" if quiet else None
        self._started = time.time()
        if not quiet:
            self._announce()
        with contextlib.ExitStack() as stack:
            output = stack.enter_context(self._log.open("wb")) if self._log else None
            self._process = subprocess.Popen(
                [make, "--no-print-directory", "STAGED=yes", target],
                env=os.environ | {"RESULTS": str(self._results.absolute())},
                stdout=output,
                stderr=subprocess.STDOUT if output else None,
            )

    def _announce(self) -> None:
        print(f"\n==== {self._target}", flush=True)

    def finish(self) -> Count:
        """Wait for its end, and count."""
        code = self._process.wait()
        seconds = time.time() - self._started
        if self._log:
            # It may have ended long ago; its last words say when.
            seconds = max(0.0, self._log.stat().st_mtime - self._started)
            self._announce()
            print(self._log.read_text(errors="replace"), end="")
        count = count_cases(sorted(self._results.glob("*.xml")))
        if code and not count.failed:
            count.failed = 1
        elif not code and not count.passed:
            count.passed = 1
        print(f"---- {self._target}: {'FAILED' if code else 'passed'} in {seconds:.0f} s", flush=True)
        return count


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--make", required=True)
    parser.add_argument("--results", type=Path, required=True, help="replaced")
    parser.add_argument("--beside", metavar="TARGET")
    parser.add_argument("targets", nargs="+")
    options = parser.parse_args()
    shutil.rmtree(options.results, ignore_errors=True)
    # Not a part of the outer make: no shared job slots, no inherited flags.
    for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL"):
        os.environ.pop(name, None)
    started = time.monotonic()
    counts = {}
    beside = Step(options.make, options.beside, options.results, quiet=True) if options.beside else None
    for target in options.targets:
        counts[target] = Step(options.make, target, options.results).finish()
    if beside:
        counts[options.beside] = beside.finish()
    total = sum(counts.values(), start=Count())
    failed = [target for target, count in counts.items() if count.failed]
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
