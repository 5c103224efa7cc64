# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test `make release` in a copy of the tree, and the check of a tag."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
VERSION = yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"]
CHANGES = ("Breaking Changes", "Minor Changes", "Bugfixes", "Security Fixes")


def public_names(root: Path) -> set[str]:
    """Return the full names of modules, plugins, roles and playbooks."""
    files = [*root.glob("plugins/[!m]*/*.py"), *root.glob("plugins/modules/*.py"), *root.glob("playbooks/*.yml")]
    names = {file.stem for file in files if file.parent.name != "doc_fragments"}
    return {f"sensible.qlik.{name}" for name in names | {path.name for path in root.glob("roles/*")}}


def listed_names(root: Path) -> set[str]:
    """Return the full names in CHANGELOG.md, which escapes dots and underscores."""
    text = (root / "CHANGELOG.md").read_text().replace("\\", "")
    return set(re.findall(r"^\* (sensible\.qlik\.\w+) - \S", text, re.MULTILINE))


def copy_tree(directory: Path) -> Path:
    """Copy the tree into a directory, with the virtual environment that is used here."""
    tree = directory / "tree"
    subprocess.run([sys.executable, str(ROOT / "tests/tools/stage.py"), str(tree)], cwd=ROOT, check=True)
    (tree / ".venv").symlink_to(Path(sys.prefix))
    # .gitignore names a directory.
    (tree / ".git/info/exclude").write_text(".venv\n")
    return tree


def release(tree: Path) -> dict[str, str]:
    """Run `make release` without an update of the virtual environment, and return the files that it has written."""
    kept = (name for name in os.environ if not name.startswith(("MAKE", "MFLAGS", "STAGED")))
    environment = {name: os.environ[name] for name in kept}
    old = [word for name in ("made-in", "made-for-tests") for word in ("-o", f".venv/{name}")]
    again = "AGAIN=--update-existing --date 2026-11-01"
    done = subprocess.run(
        ["make", *old, "release", again], cwd=tree, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    paths = [tree / "CHANGELOG.md", *sorted((tree / "changelogs").rglob("*.yaml"))]
    return {str(path.relative_to(tree)): path.read_text() for path in paths}


def test_changelog_lists_each_public_name() -> None:
    assert len(public_names(ROOT)) >= 30
    assert listed_names(ROOT) == public_names(ROOT)


def test_release_is_complete_and_reproducible(tmp_path: Path) -> None:
    tree = copy_tree(tmp_path)
    (tree / "changelogs/fragments/new.yml").write_text("bugfixes:\n  - A change of what no user has had.\n")
    written = release(tree)
    assert sorted(written) == ["CHANGELOG.md", "changelogs/changelog.yaml", "changelogs/config.yaml"]
    assert listed_names(tree) == public_names(ROOT)
    assert [change for change in CHANGES if change in written["CHANGELOG.md"]] == []
    assert list((tree / "changelogs/fragments").glob("*.yml")) == []
    assert release(tree) == written


@pytest.mark.parametrize(
    ("tag", "fragment", "message"),
    [
        (VERSION, "", ""),
        (f"v{VERSION}", "", f"The tag is v{VERSION}, but the version in galaxy.yml is {VERSION}.\n"),
        (VERSION, "new.yml", "changelogs/fragments has 1 fragments that are in no release. Run make release.\n"),
    ],
    ids=["same version", "prefix", "fragment"],
)
def test_tag_must_agree_with_version_and_changelog(tag: str, fragment: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "changelogs/fragments").mkdir(parents=True)
    for name in ("galaxy.yml", "changelogs/changelog.yaml"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    if fragment:
        (tmp_path / "changelogs/fragments" / fragment).touch()
    command = [sys.executable, str(ROOT / "tests/tools/release.py"), "--tag", tag]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (int(bool(message)), message)
