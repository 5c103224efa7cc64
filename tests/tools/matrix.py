# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run make targets with several releases of ansible-core, and print a table of the results at the end.

Usage: matrix.py --make MAKE --venv PATH --stage PATH --entries 'CORE:PYTHON ...' [--lanes NUMBER] TARGET...

CORE is a release of ansible-core such as 2.16, or "stable" or "pre" for the newest one without or with pre-releases.
PYTHON is a version such as 3.11, or the path of an interpreter. Each entry has its own virtual environment and its own
copy of the tree. An entry that cannot run has failed.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from steps import Outcome, leave_outer_make, run_step

NOT_RUN = "not run"


class EntryError(Exception):
    """An entry of the matrix cannot run."""


def requirement(core: str) -> str:
    """Return what pip installs for a release of ansible-core: the package "ansible", which brings community.crypto.

    The two are numbered in step: ansible 9 has ansible-core 2.16, ansible 10 has 2.17.

    Raises:
        EntryError: the release is not one of 2.N, stable and pre.
    """
    if core == "stable":
        return "--upgrade ansible"
    if core == "pre":
        return "--upgrade --pre ansible"
    if found := re.fullmatch(r"2\.(\d+)", core):
        return f"ansible=={int(found[1]) - 7}.*"
    raise EntryError(f"{core!r} is not a release of ansible-core; use 2.N, stable or pre.")


def candidates(version: str) -> Iterator[str]:
    """Yield the interpreters that may have a version: a path, a command on the search path, pyenv's versions."""
    if os.sep in version:
        yield version
        return
    if command := shutil.which(f"python{version}"):
        yield command
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from map(str, sorted(pyenv.glob(f"versions/{version}*/bin/python{version}"), reverse=True))


def find_python(version: str) -> str:
    """Return an interpreter that runs. A command on the search path need not: pyenv's shims refuse other versions.

    Raises:
        EntryError: there is none.
    """
    for python in candidates(version):
        try:
            subprocess.run([python, "-c", "import ensurepip, venv"], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return python
    raise EntryError(f"Python {version} was not found. Install it, or name the entries to run in MATRIX.")


@dataclasses.dataclass
class Entry:
    """One column of the table.

    Attributes:
        core: the release of ansible-core as given, and once installed its full version.
        python: the version of Python as given, and once the environment is made its full version.
        outcomes: by target.
        reason: why it could not run.
    """

    core: str
    python: str
    outcomes: dict[str, Outcome] = dataclasses.field(default_factory=dict)
    reason: str = ""

    def failed(self) -> bool:
        return bool(self.reason) or any(outcome.code for outcome in self.outcomes.values())


def parse(text: str) -> Entry:
    core, separator, python = text.partition(":")
    if not separator or not core or not python:
        sys.exit(f"The entry {text!r} of MATRIX is not of the form CORE:PYTHON, such as 2.16:3.11.")
    return Entry(core, python)


def prepare(entry: Entry, make: str, venv: str, stage: str) -> list[str]:
    """Make the virtual environment and the copy of an entry, and note its true versions.

    Returns:
        The variables for make's command line.

    Raises:
        EntryError: there is no such release or no such Python, or installing failed.
    """
    name = re.sub(r"[^\w.]+", "-", f"{entry.core}-{entry.python}")
    packages = requirement(entry.core)
    variables = [
        f"ANSIBLE={packages}",
        f"PYTHON={find_python(entry.python)}",
        f"VENV={venv}-{name}",
        f"STAGE={stage}-{name}",
    ]
    python = f"{venv}-{name}/bin/python"
    # The second brings a release that is newer than an environment which exists already.
    for command in (
        [make, "--no-print-directory", *variables, "dev", "stage"],
        [python, "-m", "pip", "install", "--quiet", "--no-compile", *packages.split()],
    ):
        # What is on the search path belongs to the environment that runs this script.
        if subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode:
            raise EntryError("The virtual environment could not be made; the output above says why.")
    show = "import platform; from ansible.release import __version__; print(__version__, platform.python_version())"
    shown = subprocess.run([python, "-c", show], check=True, capture_output=True, text=True).stdout
    entry.core, entry.python = shown.split()
    return variables


def run_entry(entry: Entry, options: argparse.Namespace) -> None:
    """Run the targets of one entry, and print the output of the failed ones."""
    print(f"\n==== ansible-core {entry.core}, Python {entry.python}", flush=True)
    try:
        variables = prepare(entry, options.make, options.venv, options.stage)
    except EntryError as error:
        entry.reason = str(error)
        print(f"Not run: {error}", flush=True)
        return
    print(f"This is ansible-core {entry.core} with Python {entry.python}.", flush=True)
    results = Path(variables[-1].partition("=")[2]) / "results"
    shutil.rmtree(results, ignore_errors=True)
    pool = ThreadPoolExecutor(options.lanes)
    try:
        steps = [pool.submit(run_step, options.make, target, results, variables) for target in options.targets]
        for step in as_completed(steps):
            outcome = step.result()
            entry.outcomes[outcome.target] = outcome
            if outcome.code:
                print(f"\n{outcome.log.read_text(errors='replace')}", end="")
            print(f"---- {outcome.target}: {cell(entry, outcome.target)} in {outcome.seconds:.0f} s", flush=True)
    finally:
        pool.shutdown(cancel_futures=True)


def skipped(outcome: Outcome) -> list[str]:
    """Return the reasons for which a target left something out."""
    return [line for line in outcome.log.read_text(errors="replace").splitlines() if line.startswith("Skipped: ")]


def cell(entry: Entry, target: str) -> str:
    """Return the text of one cell of the table."""
    if not (outcome := entry.outcomes.get(target)):
        return NOT_RUN
    if outcome.code:
        return "FAILED"
    # A target without JUnit files counts as one test, which says nothing.
    return f"{outcome.count.passed} passed" if outcome.count.passed > 1 else "passed"


def table(entries: list[Entry], targets: list[str]) -> str:
    """Return the table of all results: a line for each target, a column for each entry."""
    rows = [
        ["ansible-core", *(entry.core for entry in entries)],
        ["Python", *(entry.python for entry in entries)],
        *([target, *(cell(entry, target) for entry in entries)] for target in targets),
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--make", required=True)
    parser.add_argument("--venv", required=True, help="beginning of the names of the virtual environments")
    parser.add_argument(
        "--stage", required=True, help="beginning of the names of the directories for copies and results"
    )
    parser.add_argument("--entries", required=True, help="CORE:PYTHON, separated by blanks")
    parser.add_argument("--lanes", type=int, default=1, help="number of targets that run at a time")
    parser.add_argument("targets", nargs="+")
    options = parser.parse_args()
    leave_outer_make()
    entries = [parse(text) for text in options.entries.split()]
    if not entries:
        sys.exit("MATRIX names no entry.")
    for entry in entries:
        run_entry(entry, options)
    print(f"\n{table(entries, options.targets)}\n")
    for entry in entries:
        for target, outcome in entry.outcomes.items():
            for line in skipped(outcome):
                print(f"ansible-core {entry.core}, {target}: {line}")
        if entry.reason:
            print(f"ansible-core {entry.core}, Python {entry.python} did not run: {entry.reason}")
    failed = [entry for entry in entries if entry.failed()]
    print(f"{len(entries) - len(failed)} passed, {len(failed)} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:  # the steps got it, too
        sys.exit(130)
