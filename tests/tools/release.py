# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write the changelog of the version in galaxy.yml from the fragments and from the documentation.

Usage: release.py [--tag TAG | OPTION...], in a directory ansible_collections/sensible/qlik. The options are those of
`antsibull-changelog release`. With --tag, check that the tag, galaxy.yml and the changelog have the same version, and
that no fragment is left.

The first release lists what the collection has. Fragments describe changes since an earlier release, so they are
discarded as long as there is none. antsibull-changelog does not find playbooks: they are added with the first sentence
of their first comment.
"""

from __future__ import annotations

import re
import subprocess
import sys
import typing as t
from pathlib import Path

import yaml

CHANGELOG = Path("changelogs/changelog.yaml")
FRAGMENTS = Path("changelogs/fragments")
CACHE = Path("changelogs/.plugin-cache.yaml")
EMPTY: dict[str, t.Any] = {"ancestor": None, "releases": {}}
SENTENCE = re.compile(r"^---\n# ((?:[^:.]|\n#)+)[:.]", re.MULTILINE)


def read(path: Path) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", yaml.safe_load(path.read_text()))


def write(path: Path, content: dict[str, t.Any]) -> None:
    path.write_text("---\n" + yaml.safe_dump(content, sort_keys=False))


def fragments() -> list[Path]:
    return sorted(FRAGMENTS.glob("*.y*ml"))


def playbooks() -> dict[str, str]:
    """Return the description of each playbook by its name."""
    found = {}
    for path in sorted(Path("playbooks").glob("*.yml")):
        sentence = SENTENCE.search(path.read_text())
        if not sentence:
            sys.exit(f"{path} must begin with a comment that describes the playbook in a sentence.")
        found[path.stem] = sentence[1].replace("\n#", "") + "."
    return found


def prepare(version: str) -> None:
    """Write the fragment with the playbooks that are in no release. For the first release, begin anew."""
    changelog = read(CHANGELOG)
    fragment: dict[str, t.Any] = {}
    if list(changelog["releases"]) == [version]:
        fragment["release_summary"] = changelog["releases"][version]["changes"]["release_summary"]
        changelog = EMPTY
        write(CHANGELOG, changelog)
        for path in fragments():
            path.unlink()
    lists = [release.get("objects", {}).get("playbook", []) for release in changelog["releases"].values()]
    known = {entry["name"] for entries in lists for entry in entries}
    if new := {name: text for name, text in playbooks().items() if name not in known}:
        fragment["add object.playbook"] = [{"name": name, "description": text} for name, text in new.items()]
    if fragment:
        FRAGMENTS.mkdir(exist_ok=True)
        write(FRAGMENTS / f"{version}.yml", fragment)


def problems(tag: str, version: str) -> list[str]:
    """Return what must be corrected before the tag is published."""
    found = []
    if tag != version:
        found.append(f"The tag is {tag}, but the version in galaxy.yml is {version}.")
    if version not in read(CHANGELOG)["releases"]:
        found.append(f"The changelog has no release {version}. Run make release.")
    if fragments():
        found.append(f"{FRAGMENTS} has {len(fragments())} fragments that are in no release. Run make release.")
    return found


def main(arguments: list[str]) -> int:
    version = read(Path("galaxy.yml"))["version"]
    if arguments[:1] == ["--tag"]:
        found = problems(arguments[1], version)
        print(*found, sep="\n", end="\n" if found else "")
        return bool(found)
    prepare(version)
    subprocess.run(["antsibull-changelog", "release", "--reload-plugins", *arguments], check=True)
    CACHE.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
