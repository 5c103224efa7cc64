# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.vars.manager import VariableManager

SITES = Path(__file__).parents[3] / "playbooks" / "inventory" / "sites.yml"
EIGHT = {
    "qlik_host",
    "qlik_nodes",
    "qlik_ca_path",
    "qlik_client_cert",
    "qlik_client_key",
    "qlik_virtual_proxies",
    "qlik_jwt_private_key_path",
    "qlik_smoke_test_users",
}


@pytest.mark.parametrize("site", ["dev", "test", "prod"])
def test_a_site_of_the_example_inventory_needs_eight_variables(site: str) -> None:
    loader = DataLoader()
    inventory = InventoryManager(loader=loader, sources=[str(SITES)])
    variables = VariableManager(loader=loader, inventory=inventory).get_vars(host=inventory.get_host(site))
    own = {name for name in variables if not name.startswith(("ansible_", "inventory_", "promotion_"))}
    assert own - {"groups", "group_names", "omit", "playbook_dir"} == EIGHT
