# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import typing as t

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.sensible.qlik.plugins.filter.promoted import FilterModule, promoted
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy.model import Options

PORTAL: Options = {
    "id": "3b0c",
    "prefix": "portal",
    "authentication_method": "jwt",
    "certificate": {"subject": "CN=dev"},
    "jwt_public_key_certificate": "PEM of dev",
    "session_cookie_header_name": "X-Qlik-Session-portal",
    "session_inactivity_timeout": 30,
    "websocket_cross_origin_white_list": ["dev.example.com"],
    "load_balancing_server_nodes": ["Central", "Dev2"],
    "proxies": ["Dev2"],
}


def only(**rules: t.Any) -> Options:
    [result] = promoted([PORTAL], **rules)
    return result


def test_all_settings_are_promoted_without_rules() -> None:
    before = copy.deepcopy(PORTAL)
    assert only() == {name: value for name, value in PORTAL.items() if name not in ("id", "certificate")}
    assert before == PORTAL


@pytest.mark.parametrize(
    ("nodes", "engines", "proxies"),
    [
        ({}, ["Central", "Dev2"], ["Dev2"]),
        ({"dev2": "Rim1"}, ["Central", "Rim1"], ["Rim1"]),
        ({"Dev2": ["Rim1", "Rim2"]}, ["Central", "Rim1", "Rim2"], ["Rim1", "Rim2"]),
        ({"Dev2": "Central"}, ["Central"], ["Central"]),
        ({"Dev2": []}, ["Central"], []),
        ({"Central": "Main", "*": ["Rim1", "Rim2"]}, ["Main", "Rim1", "Rim2"], ["Rim1", "Rim2"]),
    ],
)
def test_nodes_are_replaced_by_rule(nodes: dict[str, t.Any], engines: list[str], proxies: list[str]) -> None:
    result = only(nodes=nodes)
    assert (result["load_balancing_server_nodes"], result["proxies"]) == (engines, proxies)


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        ("The portal [replaces portal 1b4e28ba]", "The portal"),
        ("The portal [replaced 2026-11-28T10:00:00Z]", "The portal"),
        ("[replaces portal 1b4e28ba] [replaced 2026-11-28T10:00:00Z]", ""),
        ("The portal [replaces the old one]", "The portal [replaces the old one]"),
        ("The portal [replaces the old one] of sales", "The portal [replaces the old one] of sales"),
        ("", ""),
        (None, None),
    ],
)
def test_notes_of_a_rotation_are_not_promoted(description: str | None, expected: str | None) -> None:
    [result] = promoted([PORTAL | {"description": description}])
    assert result["description"] == expected


@pytest.mark.parametrize(
    ("virtual_proxies", "rules", "message"),
    [
        ({"virtual_proxies": []}, {}, "promoted requires a list of virtual proxies"),
        ("portal", {}, "promoted requires a list of virtual proxies"),
        ([{"description": "x"}], {}, "promoted requires a list of virtual proxies"),
        ([PORTAL], {"nodes": "Central"}, "^nodes must be a dictionary.$"),
        ([PORTAL], {"overrides": ["x"]}, "^overrides must be a dictionary.$"),
    ],
)
def test_input_of_another_type_is_refused(virtual_proxies: t.Any, rules: dict[str, t.Any], message: str) -> None:
    with pytest.raises(AnsibleFilterError, match=message):
        promoted(virtual_proxies, **rules)


def test_kept_settings_are_omitted() -> None:
    result = only(keep=["jwt_public_key_certificate", "host_allow_list"])
    assert not {"jwt_public_key_certificate", "websocket_cross_origin_white_list"} & set(result)


def test_precedence_is_prefix_override_then_keep_and_nodes() -> None:
    result = only(
        keep=["jwt_public_key_certificate"],
        nodes={"*": "Rim1"},
        overrides={
            "*": {"session_inactivity_timeout": 15, "jwt_public_key_certificate": "PEM of prod"},
            "Portal": {"session_inactivity_timeout": 5, "host_allow_list": ["example.com"], "proxies": ["Central"]},
            "other": {"session_inactivity_timeout": 1},
        },
    )
    assert result["session_inactivity_timeout"] == 5
    assert result["jwt_public_key_certificate"] == "PEM of prod"
    assert result["websocket_cross_origin_white_list"] == ["example.com"]
    assert "host_allow_list" not in result
    assert (result["load_balancing_server_nodes"], result["proxies"]) == (["Rim1"], ["Central"])


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({"overrides": {"*": {"proxies_add": ["Rim1", "dev2"]}}}, {"proxies": ["dev2", "Rim1"]}),
        ({"nodes": {"Dev2": "Rim1"}, "overrides": {"*": {"proxies_remove": ["RIM1", "Dev2"]}}}, {"proxies": []}),
        (
            {"overrides": {"*": {"host_allow_list": ["a.example"]}, "portal": {"host_allow_list_add": ["b.example"]}}},
            {"websocket_cross_origin_white_list": ["a.example", "b.example"]},
        ),
        (
            {"overrides": {"*": {"host_allow_list_add": ["a.example"]}, "portal": {"host_allow_list_add": []}}},
            {"websocket_cross_origin_white_list": ["dev.example.com"]},
        ),
        # The source holds no tags, or the target keeps its own: the module changes those of the target.
        ({"overrides": {"portal": {"tags_add": ["portal"]}}}, {"tags_add": ["portal"]}),
        (
            {"keep": ["host_allow_list"], "overrides": {"portal": {"host_allow_list_remove": ["dev.example.com"]}}},
            {"host_allow_list_remove": ["dev.example.com"]},
        ),
    ],
)
def test_overrides_change_single_entries(rules: dict[str, t.Any], expected: Options) -> None:
    without_rules = only(**{name: value for name, value in rules.items() if name != "overrides"})
    assert only(**rules) == without_rules | expected


@pytest.mark.parametrize(
    ("cookie", "renamed"),
    [
        ("X-Qlik-Session-portal-dev", "X-Qlik-Session-portal-test"),
        ("x-qlik-session-PORTAL-DEV", "x-qlik-session-portal-test"),
        ("MyCookie", "MyCookie"),
    ],
)
def test_suffix_is_replaced_in_prefix_and_cookie(cookie: str, renamed: str) -> None:
    on_source = [{**PORTAL, "prefix": "portal-dev", "session_cookie_header_name": cookie}, {**PORTAL, "prefix": "hr"}]
    [result] = promoted(
        on_source,
        source_suffix="-dev",
        target_suffix="-Test",
        overrides={"portal": {"description": "Tested"}},
    )
    assert result["prefix"] == "portal-test"
    assert result["session_cookie_header_name"] == renamed
    assert result["description"] == "Tested"


def test_prefix_is_omitted_on_request() -> None:
    assert promoted([PORTAL], without=["Portal"]) == []
    assert promoted([PORTAL], target_suffix="-test", without=["portal"]) != []


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"overrides": {"portal": {"session_inactivity_timeot": 1}}}, "Did you mean session_inactivity_timeout?"),
        ({"overrides": {"*": {"prefix": "other"}}}, "cannot be changed by a rule"),
        ({"overrides": {"*": {"session_cookie_domain": None}}}, r"overrides\['\*'\] has no value"),
        ({"overrides": {"*": ["session_cookie_domain"]}}, "options and their values"),
        ({"overrides": {"*": {"tags_ad": ["x"]}}}, "Did you mean tags_add?"),
        ({"overrides": {"*": {"tags_add": "portal"}}}, r"overrides\['\*'\] must have a list for tags_add"),
        ({"overrides": {"*": {"host_allow_list": "a.example.com"}}}, r"must have a list for host_allow_list"),
        ({"overrides": {"*": {"proxies_add": [1]}}}, "a value in proxies_add that is not a valid list entry"),
        (
            {"overrides": {"portal": {"host_allow_list": [], "host_allow_list_add": ["a.example.com"]}}},
            r"portal'\]: Both host_allow_list and host_allow_list_add are given",
        ),
        (
            {"overrides": {"*": {"proxies_add": ["Rim1"]}, "portal": {"proxies_remove": ["rim1"]}}},
            "Both proxies_add and proxies_remove contain: Rim1",
        ),
        ({"keep": ["tags_add"]}, "keep contains 'tags_add'"),
        ({"keep": ["certificates"]}, "keep contains 'certificates'"),
        ({"keep": ["id"]}, "cannot be changed by a rule"),
        ({"nodes": {"Central": None}}, r"nodes\['Central'\] must be"),
        ({"nodes": {"Central": [1]}}, r"nodes\['Central'\] must be"),
    ],
)
def test_invalid_rules_are_refused(rules: dict[str, t.Any], message: str) -> None:
    with pytest.raises(AnsibleFilterError, match=message):
        promoted([PORTAL], **rules)


def test_filter_is_registered_by_name() -> None:
    assert FilterModule().filters() == {"promoted": promoted}
