# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import yaml

from ansible_collections.sensible.qlik.plugins.module_utils._repository import site as _site
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy.model import camel_case
from ansible_collections.sensible.qlik.plugins.modules import site_info


def test_each_value_is_documented() -> None:
    def entity(*kinds: dict[str, type]) -> dict[str, t.Any]:
        return {camel_case(name): kind() for one in kinds for name, kind in one.items()}

    labels: dict[str, t.Any] = {"tags": [], "customProperties": []}
    site = _site.in_words(
        entity(_site._RELEASE),
        [{**entity(_site._NODE), **labels, "roles": [], "serviceCluster": None}],
        [{**labels, "id": "p", "settings": entity(_site._PROXY_SETTINGS)}],
    )
    documented = yaml.safe_load(site_info.RETURN)
    assert set(documented["release"]["contains"]) == set(site.release)
    assert set(documented["nodes"]["contains"]) == set(site.nodes[0])
    assert set(documented["proxies"]["contains"]) == set(site.proxies[0])
