# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.sensible.qlik.plugins.filter.output_directory import FilterModule, output_directory


@pytest.mark.parametrize(
    ("inventory_dir", "sources", "host", "expected"),
    [
        ("/etc/qlik", ["/etc/qlik/sites.yml"], "prod", "/etc/qlik/keys/prod"),
        ("/etc/qlik", ["/etc/qlik/sites.yml"], "", "/etc/qlik/keys"),
        ("/etc/qlik/inventory", ["/etc/qlik/inventory"], "prod", "/etc/qlik/keys/prod"),
        ("/etc/qlik/inventory/eu", ["/etc/qlik/inventory"], "prod", "/etc/qlik/keys/prod"),
        ("/etc/qlik/inventory", ["/etc/qlik/inventory-2", "/a/b.yml"], "prod", "/etc/qlik/inventory/keys/prod"),
        ("/etc/qlik", ["/etc/qlik/sites.yml"], "../../root", "/etc/qlik/keys/__.._root"),
        ("/etc/qlik", ["/etc/qlik/sites.yml"], "..", "/etc/qlik/keys/_"),
        ("/etc/qlik", ["/etc/qlik/sites.yml"], "a b/ü", "/etc/qlik/keys/a_b_ü"),
        (None, ["host,"], "prod", ""),
        ("", [], "prod", ""),
    ],
)
def test_directory_is_beside_the_inventory(inventory_dir: t.Any, sources: list[str], host: str, expected: str) -> None:
    assert FilterModule().filters()["output_directory"](inventory_dir, sources, "keys", host) == expected


def test_an_existing_directory_is_used_again(tmp_path: Path) -> None:
    """Runs with -i inventory/sites.yml and with -i inventory find the same files."""
    inventory = tmp_path / "inventory"
    assert output_directory(str(inventory), [str(inventory)], "keys") == str(tmp_path / "keys")
    (inventory / "keys").mkdir(parents=True)
    assert output_directory(str(inventory), [str(inventory)], "keys") == str(inventory / "keys")


def test_sources_must_be_a_list() -> None:
    with pytest.raises(AnsibleFilterError, match="requires a list of inventory sources"):
        output_directory("/etc/qlik", None, "keys")
