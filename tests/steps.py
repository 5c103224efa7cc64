# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run make targets one after another, all of them, and say what came of it in one last line.

Usage: steps.py --make MAKE --results DIRECTORY TARGET...

A target may leave JUnit files in DIRECTORY: then each case counts. A target that leaves none counts as one.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
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

    def __iadd__(self, other: Count) -> Count:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        return self


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


def run_step(make: str, target: str, results: Path) -> Count:
    """Run one make target with its output going where ours goes."""
    for old in results.glob("*.xml"):
        old.unlink()
    print(f"\n==== {target}", flush=True)
    started = time.monotonic()
    code = subprocess.run([make, "--no-print-directory", "STAGED=yes", target], check=False).returncode
    count = count_cases(sorted(results.glob("*.xml")))
    if code and not count.failed:
        count.failed = 1
    elif not code and not count.passed:
        count.passed = 1
    print(f"---- {target}: {'FAILED' if code else 'passed'} in {time.monotonic() - started:.0f} s", flush=True)
    return count


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--make", required=True)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("targets", nargs="+")
    options = parser.parse_args()
    options.results.mkdir(parents=True, exist_ok=True)
    # Not a part of the outer make: no shared job slots, no inherited flags.
    for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL"):
        os.environ.pop(name, None)
    started = time.monotonic()
    total = Count()
    failed_steps = []
    for target in options.targets:
        count = run_step(options.make, target, options.results)
        total += count
        if count.failed:
            failed_steps.append(target)
    print(f"\nAll steps took {time.monotonic() - started:.0f} s; {total.skipped} tests were skipped.")
    if failed_steps:
        print(f"Failed: {', '.join(failed_steps)}. One step alone: make <step>")
    print(f"{total.passed} passed, {total.failed} failed", flush=True)
    return 1 if failed_steps else 0


if __name__ == "__main__":
    sys.exit(main())
