# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the tarball of the collection, and the collection installed from it.

The environment variable PACKAGE names the directory with dist/*.tar.gz and installed/, both made by `make packaging`.
"""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

PACKAGE = Path(os.environ["PACKAGE"])
(TARBALL,) = (PACKAGE / "dist").glob("*.tar.gz")
INSTALLED = PACKAGE / "installed" / "ansible_collections" / "sensible" / "qlik"

NEEDED = ["MANIFEST.json", "FILES.json", "README.md", "CHANGELOG.md", "LICENSE", "meta/runtime.yml"]
TOP_LEVEL = {
    *("MANIFEST.json", "FILES.json", "README.md", "CHANGELOG.md", "LICENSE", "LICENSES"),
    *("CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "SECURITY.md"),
    *("changelogs", "docs", "meta", "playbooks", "plugins", "roles"),
}
KINDS = {"modules": "module", "lookup": "lookup", "filter": "filter", "inventory": "inventory"}


def plugins(folder: str) -> list[str]:
    """Return the full names of the installed plugins of a directory."""
    return [f"sensible.qlik.{file.stem}" for file in sorted((INSTALLED / "plugins" / folder).glob("*.py"))]


def run(*command: str, directory: Path) -> str:
    """Run a command of Ansible with access to the installed collection only, and return its output."""
    environment = os.environ | {"ANSIBLE_COLLECTIONS_PATH": str(PACKAGE / "installed")}
    done = subprocess.run(command, env=environment, cwd=directory, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def names() -> list[str]:
    """Return the files in the tarball."""
    with tarfile.open(TARBALL) as tarball:
        return [member.name for member in tarball.getmembers() if member.isfile()]


@pytest.mark.parametrize("name", NEEDED)
def test_tarball_contains_the_files_for_users(names: list[str], name: str) -> None:
    assert name in names


def test_tarball_contains_no_other_files(names: list[str]) -> None:
    assert {name.split("/")[0] for name in names} <= TOP_LEVEL


def test_tarball_contains_no_leftovers(names: list[str]) -> None:
    unwanted = {".pem", ".key", ".pyc", ".tar.gz", ".retry", ".log"}
    assert [name for name in names if Path(name).suffix in unwanted or "/." in f"/{name}"] == []


@pytest.mark.parametrize(("folder", "kind"), KINDS.items())
def test_plugins_are_documented(folder: str, kind: str, tmp_path: Path) -> None:
    names = plugins(folder)
    assert names
    documented = json.loads(run("ansible-doc", "--json", "--type", kind, *names, directory=tmp_path))
    assert sorted(documented) == names
    for plugin in documented.values():
        assert plugin["doc"]["short_description"]
        assert plugin["examples"]


def test_playbooks_are_found_by_name(tmp_path: Path) -> None:
    names = [f"sensible.qlik.{file.stem}" for file in sorted((INSTALLED / "playbooks").glob("*.yml"))]
    assert names
    output = run("ansible-playbook", "--syntax-check", *names, directory=tmp_path)
    assert output.count("playbook: ") == len(names)


def test_roles_are_documented(tmp_path: Path) -> None:
    names = sorted(f"sensible.qlik.{directory.name}" for directory in (INSTALLED / "roles").glob("*"))
    assert names
    documented = json.loads(run("ansible-doc", "--json", "--type", "role", *names, directory=tmp_path))
    assert sorted(documented) == names
    for role in documented.values():
        assert role["entry_points"]["main"]["short_description"]
