# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What users get: the tarball of the collection, and the collection installed from it.

The environment variable PACKAGE names the directory with dist/*.tar.gz and installed/, both made by `make package`.
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


def plugins() -> list[tuple[str, str]]:
    """Kind (as ansible-doc says it) and full name of each plugin that is installed."""
    return [
        (kind, f"sensible.qlik.{file.stem}")
        for folder, kind in KINDS.items()
        for file in sorted((INSTALLED / "plugins" / folder).glob("*.py"))
    ]


def run(*command: str, directory: Path) -> str:
    """Run one of Ansible's commands with nothing but the installed collection in reach; its output."""
    environment = os.environ | {"ANSIBLE_COLLECTIONS_PATH": str(PACKAGE / "installed")}
    done = subprocess.run(command, env=environment, cwd=directory, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def names() -> list[str]:
    """The files in the tarball."""
    with tarfile.open(TARBALL) as tarball:
        return [member.name for member in tarball.getmembers() if member.isfile()]


@pytest.mark.parametrize("name", NEEDED)
def test_holds_what_users_need(names: list[str], name: str) -> None:
    assert name in names


def test_holds_nothing_else(names: list[str]) -> None:
    assert {name.split("/")[0] for name in names} <= TOP_LEVEL


def test_holds_no_leftovers(names: list[str]) -> None:
    unwanted = {".pem", ".key", ".pyc", ".tar.gz", ".retry", ".log"}
    assert [name for name in names if Path(name).suffix in unwanted or "/." in f"/{name}"] == []


@pytest.mark.parametrize(("kind", "name"), plugins())
def test_plugin_is_documented(kind: str, name: str, tmp_path: Path) -> None:
    documented = json.loads(run("ansible-doc", "--json", "--type", kind, name, directory=tmp_path))
    assert documented[name]["doc"]["short_description"]
    assert documented[name]["examples"]


@pytest.mark.parametrize("playbook", sorted(file.stem for file in (INSTALLED / "playbooks").glob("*.yml")))
def test_playbook_is_found_by_name(playbook: str, tmp_path: Path) -> None:
    run("ansible-playbook", "--syntax-check", f"sensible.qlik.{playbook}", directory=tmp_path)


@pytest.mark.parametrize("role", sorted(directory.name for directory in (INSTALLED / "roles").glob("*")))
def test_role_is_documented(role: str, tmp_path: Path) -> None:
    documented = json.loads(run("ansible-doc", "--json", "--type", "role", f"sensible.qlik.{role}", directory=tmp_path))
    assert documented[f"sensible.qlik.{role}"]["entry_points"]["main"]["short_description"]
