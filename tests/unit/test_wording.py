# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the check of phrases, task names and commit subjects."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[1] / "tools"
sys.path.insert(0, str(TOOLS))
wording = importlib.import_module("wording")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The check\nwants to be sure, and Nobody knows.", ["a.md:2: 'wants to be'", "a.md:2: 'Nobody'"]),
        ("It is put back as it should.", ["a.md:1: 'as it should'", "a.md:1: 'put back'"]),
        ("We see whether it works.", ["a.md:1: 'see whether'"]),
        ("Users see the page, and waterproof improves.", []),
        ("login_proved = nobody_else", []),
    ],
)
def test_phrases_are_found_as_whole_words(text: str, found: list[str]) -> None:
    assert sorted(line.rpartition(": write ")[0] for line in wording.findings("a.md", text)) == sorted(found)


def test_a_finding_names_the_replacement() -> None:
    assert list(wording.findings("docs/a.rst", "Restored by whoever.")) == [
        "docs/a.rst:1: 'whoever': write users, a user, no user"
    ]


@pytest.mark.parametrize(
    ("path", "text", "words"),
    [
        ("a.yml", "---\n- name: Create the key\n  hosts: all\n", []),
        ("a.yml", "- block:\n    - name: 'The key exists'\n", ["a.yml:2: 'The ...'"]),
        ("a.md", "  name: Testing it\n", ["a.md:1: 'Testing ...'"]),
        ("a.yml", "- name: Central\n- name: portal of users\n", []),
        ("a.j2", "- name: The key\n", []),
        (".github/workflows/ci.yml", "name: All tests\n", []),
    ],
)
def test_task_names_begin_with_a_verb(path: str, text: str, words: list[str]) -> None:
    found = [line.rpartition(": a task name")[0] for line in wording.findings(path, text)]
    assert found == words


@pytest.mark.parametrize(
    "subject",
    [
        "Add client key passphrase",
        "Embed the certificate",
        "Pass the token to the check",
        "Fix plan order in key_rotation",
        "Merge branch 'main'",
        'Revert "Add a lookup"',
        "fixup! Add a lookup",
        f"Add {'a' * 68}",
    ],
)
def test_imperative_subjects_are_accepted(subject: str) -> None:
    assert wording.subject_problem(subject) == ""


@pytest.mark.parametrize(
    ("subject", "problem"),
    [
        ("Added a lookup", "imperative"),
        ("Adding a lookup", "imperative"),
        ("Adds a lookup", "imperative"),
        ("add a lookup", "imperative"),
        ("Add a lookup.", "full stop"),
        ("Lookup", "imperative"),
        ("", "imperative"),
        (f"Add {'a' * 69}", "73 characters; 72 are allowed"),
    ],
)
def test_other_subjects_are_refused(subject: str, problem: str) -> None:
    assert problem in wording.subject_problem(subject)


@pytest.mark.parametrize(("subject", "status"), [("Add a lookup", 0), ("Added a lookup", 1)])
def test_only_the_first_line_of_a_message_is_checked(tmp_path: Path, subject: str, status: int) -> None:
    message = tmp_path / "message"
    message.write_text(f"{subject}\n\nThis was added.\n")
    command = [sys.executable, str(TOOLS / "wording.py"), "--commit-message", str(message)]
    assert subprocess.run(command, check=False, capture_output=True).returncode == status
