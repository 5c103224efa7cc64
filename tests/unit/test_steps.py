# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report of `make test`, with a substitute for make: a skipped test never counts as passed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "tools/steps.py"
# Its last argument is the target, and names the cases that the target reports.
MAKE = """#!/bin/sh
for target; do :; done
case $target in
  plain) exit 0;;
  broken) echo the reason; exit 1;;
  lines) echo 'sanity pylint: no connection' > "$RESULTS/skipped.txt"; exit 0;;
esac
{
  echo '<testsuite>'
  case $target in *good*) echo '<testcase classname="a" name="good"/>';; esac
  case $target in *wrong*) echo '<testcase classname="a" name="wrong"><failure/></testcase>';; esac
  case $target in *skip*) echo '<testcase classname="a" name="skip"><skipped message="no node"/></testcase>';; esac
  case $target in
    *allowed*) echo '<testcase classname="a" name="b"><skipped message="ansible-core 2.22 introduced it"/></testcase>';;
    *nothing*) echo '<testcase classname="a" name="n"><skipped>No tests applicable.</skipped></testcase>';;
  esac
  echo '</testsuite>'
} > "$RESULTS/cases.xml"
case $target in *wrong*) echo the trouble; exit 1;; esac
"""


def run_steps(directory: Path, *targets: str, require_all: bool = False) -> tuple[int, list[str]]:
    """Return exit status and lines of the output."""
    make = directory / "make"
    make.write_text(MAKE)
    make.chmod(0o755)
    command = [sys.executable, str(SCRIPT), "--make", str(make), "--results", str(directory / "results"), *targets]
    environment = {name: value for name, value in os.environ.items() if name != "REQUIRE_ALL"}
    environment |= {"REQUIRE_ALL": "1"} if require_all else {}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


def test_passed_steps_are_counted(tmp_path: Path) -> None:
    status, lines = run_steps(tmp_path, "NAME=value", "good", "plain")
    assert status == 0
    assert lines[-1] == "2 passed, 0 failed"
    assert "skipped" not in "".join(lines)
    assert "---- good: passed in 0 s (1 passed)" in lines


def test_output_is_printed_where_something_failed(tmp_path: Path) -> None:
    status, lines = run_steps(tmp_path, "good", "good-wrong", "broken")
    assert status == 1
    assert {"the trouble", "the reason"} <= set(lines)
    assert lines[-2:] == ["Failed: good-wrong, broken. One step alone: make <step>", "2 passed, 2 failed"]


def test_skipped_tests_are_listed_with_their_reasons(tmp_path: Path) -> None:
    status, lines = run_steps(tmp_path, "good-skip", "lines", "good-nothing")
    assert status == 0
    assert lines[-4:] == [
        "2 tests were skipped:",
        "  a.skip: no node",
        "  sanity pylint: no connection",
        "3 passed, 0 failed",
    ]


@pytest.mark.parametrize("target", ["skip", "nothing", "none"])
def test_a_step_without_an_executed_test_fails(target: str, tmp_path: Path) -> None:
    status, lines = run_steps(tmp_path, target)
    assert status == 1
    assert "No test was executed." in lines
    assert lines[-1] == "0 passed, 1 failed"


@pytest.mark.parametrize(("target", "failed"), [("good-skip", 1), ("lines", 1), ("good-allowed", 0)])
def test_skips_fail_where_all_is_required(target: str, failed: int, tmp_path: Path) -> None:
    status, lines = run_steps(tmp_path, target, require_all=True)
    assert status == failed
    assert lines[-1] == f"1 passed, {failed} failed"
