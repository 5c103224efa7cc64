# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.sensible.qlik.plugins.filter.promotion_request import FilterModule, promotion_request

SITES = ["dev", "test", "prod"]
USAGE = "Give -e promote_source=SITE -e promote_target=SITE, or -e promote_stages=SITE,SITE,SITE."


@pytest.mark.parametrize(
    ("variables", "targets"),
    [
        ({"promote_source": "dev", "promote_target": " test "}, {"test": {"source": "dev"}}),
        # The source can be promotion_source in the inventory.
        ({"promote_target": "test", "promote_tag": None}, {"test": {}}),
        (
            {"promote_stages": "dev, test,prod", "promote_prefixes": "portal,embedded", "promote_tag": "a, b"},
            {
                "test": {"source": "dev", "prefixes": ["portal", "embedded"], "tags": ["a, b"]},
                "prod": {"source": "test", "prefixes": ["portal", "embedded"], "tags": ["a, b"]},
            },
        ),
        (
            {"promote_stages": ["dev", "test", "prod"], "promote_approved": "prod", "promote_prefixes": []},
            {
                "test": {"source": "dev", "prefixes": [], "approved": False},
                "prod": {"source": "test", "prefixes": [], "approved": True},
            },
        ),
        ({"promote_target": "prod", "promote_approved": ""}, {"prod": {"approved": False}}),
    ],
)
def test_request_is_split_by_target(variables: dict[str, t.Any], targets: dict[str, t.Any]) -> None:
    found = FilterModule().filters()["promotion_request"](variables, SITES)
    assert found == {"problems": [], "targets": targets}
    assert list(found["targets"]) == list(targets)


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({}, USAGE),
        ({"promote_source": "dev"}, USAGE),
        (
            {"promote_source": "dev", "promote_target": "tset"},
            "promote_target has 'tset', which is not a site of the inventory; sites are dev, test, prod.",
        ),
        ({"promote_source": ["dev"], "promote_target": "test"}, "promote_source must be the name of one site."),
        ({"promote_source": "", "promote_target": "test"}, "promote_source is empty."),
        ({"promote_source": "test", "promote_target": "test"}, "promote_source and promote_target are both 'test'."),
        (
            {"promote_stages": "dev"},
            "promote_stages has only one site. The first one is the source, the others are targets.",
        ),
        ({"promote_stages": "dev,test,dev"}, "promote_stages has 'dev' twice."),
        (
            {"promote_stages": "dev,test", "promote_source": "dev"},
            f"promote_stages is given together with promote_source or promote_target. {USAGE}",
        ),
        ({"promote_target": "test", "promote_tag": " "}, "promote_tag is empty."),
        ({"promote_target": "test", "promote_prefixes": ""}, "promote_prefixes is empty."),
        (
            {"promote_target": "test", "promote_prefixes": {"portal": 1}},
            "promote_prefixes must be names, as a list or separated by commas.",
        ),
        (
            {"promote_target": "test", "promote_tag": [1]},
            "promote_tag must be names, as a list or separated by commas.",
        ),
        (
            {"promote_target": "test", "promote_approved": "prod"},
            "promote_approved has 'prod', which is not a target; targets are test.",
        ),
    ],
)
def test_problems_name_the_variable(variables: dict[str, t.Any], problem: str) -> None:
    assert promotion_request(variables, SITES) == {"problems": [problem], "targets": {}}


def test_invalid_prefix_is_reported_with_its_variable() -> None:
    [problem] = promotion_request({"promote_target": "test", "promote_prefixes": ["a/b"]}, SITES)["problems"]
    assert "promote_prefixes is 'a/b', which contains '/'" in problem


def test_missing_inventory_is_reported() -> None:
    [problem] = promotion_request({"promote_target": "test"}, [])["problems"]
    assert "sites are none: give one with -i INVENTORY" in problem


def test_the_input_must_be_a_dictionary() -> None:
    with pytest.raises(AnsibleFilterError, match="requires a dictionary"):
        promotion_request([], SITES)
