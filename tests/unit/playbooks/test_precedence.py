# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Variables of roles can be set in the inventory, in a play or with -e, because no playbook or role overrides them."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml

COLLECTION = Path(__file__).parents[3]
# The file that the operator gives for this run alone.
COMPUTED = {"roll_back": {"promotion_snapshot"}}
PREFIXES = ("qlik_", "promote_", "roll_back_", "ansible_", "inventory_")


def options() -> set[str]:
    """Return the variables of all roles."""
    specs = [yaml.safe_load(file.read_text()) for file in COLLECTION.glob("roles/*/meta/argument_specs.yml")]
    return {name for spec in specs for entry in spec["argument_specs"].values() for name in entry.get("options") or {}}


def set_names(value: t.Any) -> t.Iterator[str]:
    """Return the names of the variables that a play and its tasks set."""
    if isinstance(value, list):
        for one in value:
            yield from set_names(one)
    elif isinstance(value, dict):
        yield from value.get("vars") or {}
        for name, one in value.items():
            if name in ("tasks", "pre_tasks", "post_tasks", "block", "rescue", "always"):
                yield from set_names(one)


@pytest.mark.parametrize("playbook", sorted(COLLECTION.glob("playbooks/*.yml")), ids=lambda file: file.stem)
def test_playbooks_set_no_variable_of_a_role(playbook: Path) -> None:
    names = set(set_names(yaml.safe_load(playbook.read_text())))
    assert names & options() == COMPUTED.get(playbook.stem, set())


@pytest.mark.parametrize("role", sorted(COLLECTION.glob("roles/*")), ids=lambda directory: directory.name)
def test_constants_of_roles_are_private(role: Path) -> None:
    for file in role.glob("vars/*.yml"):
        assert [name for name in yaml.safe_load(file.read_text()) if not name.startswith("__")] == []


def test_names_without_a_prefix_are_not_read() -> None:
    lines = (COLLECTION / "tests" / "public_names.txt").read_text().splitlines()
    read = [line.split()[-1] for line in lines if line.startswith("playbook ") and line.split()[2:3] == ["variable"]]
    roles = tuple(f"{directory.name}_" for directory in COLLECTION.glob("roles/*"))
    assert "qlik_host" in read
    assert [name for name in read if not name.startswith(PREFIXES + roles)] == []
