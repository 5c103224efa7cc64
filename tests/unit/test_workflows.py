# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The workflows run what the Makefile names, and files name one repository, that of galaxy.yml."""

from __future__ import annotations

import re
import subprocess
import typing as t
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
GALAXY = yaml.safe_load((ROOT / "galaxy.yml").read_text())
REPOSITORY = re.compile(r"https://github\.com/[\w.-]+/sensible\.qlik(?:\.git\b)?")


def workflow(name: str) -> dict[str, t.Any]:
    """Return a workflow of .github/workflows."""
    return t.cast("dict[str, t.Any]", yaml.safe_load((ROOT / ".github/workflows" / name).read_text()))


def variable(name: str) -> list[str]:
    """Return the words of a variable of the Makefile."""
    found = re.search(rf"^{name} \??= (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert found
    return found[1].split()


def test_matrix_of_ci_has_each_slow_step_once() -> None:
    jobs = workflow("ci.yml")["jobs"]["more"]["strategy"]["matrix"]["steps"]
    assert sorted(" ".join(jobs).split()) == sorted(variable("SLOW"))


def test_integration_of_ci_has_the_entries_of_the_matrix() -> None:
    entries = workflow("ci.yml")["jobs"]["integration"]["strategy"]["matrix"]["include"]
    assert [f"{entry['core']}:{entry['python']}" for entry in entries] == variable("MATRIX")


def test_all_files_name_the_same_repository() -> None:
    base = GALAXY["repository"]
    listing = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.check_output(listing, text=True).split("\0")
    texts = [(ROOT / name).read_text(errors="replace") for name in names if name and (ROOT / name).is_file()]
    found = {url.removesuffix(".git") for text in texts for url in REPOSITORY.findall(text)}
    assert found == {base}
    assert (GALAXY["homepage"], GALAXY["issues"]) == (base, f"{base}/issues")
    links = yaml.safe_load((ROOT / "docs/docsite/links.yml").read_text())
    assert f"https://github.com/{links['edit_on_github']['repository']}" == base
