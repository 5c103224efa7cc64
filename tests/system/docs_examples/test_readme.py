# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""README.md has the form that Automation Hub asks for, lists everything that is included, and its links work."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from documents import COLLECTION, NAMESPACE, documented

README = (COLLECTION / "README.md").read_text()
GALAXY = yaml.safe_load((COLLECTION / "galaxy.yml").read_text())
PAGES: str = GALAXY["documentation"]
SOURCES = f"{GALAXY['repository']}/blob/main/"
LINKS = re.findall(r"\]\(([^)]+)\)", README)
HEADINGS = [
    "Description",
    "Requirements",
    "Installation",
    "Use cases",
    "Testing",
    "Contributing",
    "Support",
    "Release notes",
    "Related information",
    "License information",
]


def page_of(name: str, kind: str) -> str:
    return f"{PAGES}{name.removeprefix(NAMESPACE)}_{kind}.html"


INCLUDED = {page_of(name, kind) for kind, answers in documented().items() for name in answers}
GUIDES = {f"{PAGES}docsite/{file.stem}.html" for file in COLLECTION.glob("docs/docsite/rst/*.rst")}


def test_headings_are_those_of_automation_hub() -> None:
    assert re.findall(r"(?m)^##+ (.*)", README) == HEADINGS
    assert README.count("\n") < 220


def test_everything_that_is_included_has_a_link() -> None:
    assert sorted(INCLUDED - set(LINKS)) == []


@pytest.mark.parametrize("playbook", sorted(COLLECTION.glob("playbooks/*.yml")), ids=lambda file: file.stem)
def test_playbooks_are_listed(playbook: Path) -> None:
    assert re.search(rf"playbooks? .*[`[]{playbook.stem}[`\]]", README)


@pytest.mark.parametrize("link", LINKS)
def test_links_lead_to_pages_and_files_that_exist(link: str) -> None:
    """Links are complete, because Ansible Galaxy shows README.md, but not the files beside it."""
    if link.startswith(PAGES):
        assert link in INCLUDED | GUIDES | {PAGES}
    elif link.startswith(GALAXY["repository"]):
        assert link == GALAXY["issues"] or (COLLECTION / link.removeprefix(SOURCES)).exists()
    else:
        assert link.startswith("https://")


def test_links_do_not_lead_to_sources_of_the_documentation() -> None:
    assert ".rst" not in README
