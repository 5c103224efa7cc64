# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report of `make matrix`, with a substitute for make and for the virtual environments."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "tools/matrix.py"
# The environment that it "makes" has ansible-core 2.16.1; its last argument is the target.
MAKE = """#!/bin/sh
for argument; do
  case $argument in VENV=*) venv=${argument#VENV=};; esac
  target=$argument
done
case $target in
  stage)
    mkdir -p "$venv/bin"
    printf '#!/bin/sh\\necho 2.16.1 3.11.7\\n' > "$venv/bin/python"
    chmod +x "$venv/bin/python";;
  bad) echo the reason; exit 1;;
  fine) echo Skipped: a test of no use;;
esac
"""


def run_matrix(directory: Path, entries: str, *targets: str) -> tuple[int, str]:
    """Return exit status and output."""
    make = directory / "make"
    make.write_text(MAKE)
    make.chmod(0o755)
    paths = ["--venv", str(directory / "venv"), "--stage", str(directory / "stage")]
    command = [sys.executable, str(SCRIPT), "--make", str(make), *paths, "--entries", entries, *targets]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def table(output: str) -> list[list[str]]:
    """Return the cells of the table, which is between empty lines near the end."""
    return [line.split() for line in output.split("\n\n")[-2].splitlines()]


def test_passed_steps_are_listed_with_their_release(tmp_path: Path) -> None:
    status, output = run_matrix(tmp_path, f"2.16:{sys.executable}", "good", "fine")
    assert status == 0, output
    assert table(output) == [["ansible-core", "2.16.1"], ["Python", "3.11.7"], ["good", "passed"], ["fine", "passed"]]
    assert output.endswith("\nansible-core 2.16.1, fine: Skipped: a test of no use\n1 passed, 0 failed\n")


def test_failed_step_is_reported_and_others_run(tmp_path: Path) -> None:
    status, output = run_matrix(tmp_path, f"2.16:{sys.executable}", "good", "bad", "fine")
    assert status == 1
    assert table(output)[2:] == [["good", "passed"], ["bad", "FAILED"], ["fine", "passed"]]
    assert "the reason" in output
    assert output.endswith("\n0 passed, 1 failed\n")


def test_an_entry_without_its_python_has_failed(tmp_path: Path) -> None:
    status, output = run_matrix(tmp_path, f"2.18:3.99 pre:{sys.executable}", "good")
    assert status == 1
    assert table(output) == [
        ["ansible-core", "2.18", "2.16.1"],
        ["Python", "3.99", "3.11.7"],
        ["good", "not", "run", "passed"],
    ]
    assert "ansible-core 2.18, Python 3.99 did not run: Python 3.99 was not found." in output


def test_an_interpreter_that_does_not_start_is_not_used(tmp_path: Path) -> None:
    shim = tmp_path / "python3.11"
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    status, output = run_matrix(tmp_path, f"2.18:{shim}", "good")
    assert status == 1
    assert "was not found" in output


def test_malformed_entry_is_refused(tmp_path: Path) -> None:
    for entries, message in (
        ("2.18", "not of the form CORE:PYTHON"),
        ("", "no entry"),
        ("9:3.11", "not a release of ansible-core"),
    ):
        status, output = run_matrix(tmp_path, entries, "good")
        assert status == 1
        assert message in output
