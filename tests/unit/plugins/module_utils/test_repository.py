# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from ansible_collections.sensible.qlik.plugins.module_utils._errors import (
    AnswerError,
    ConflictError,
    InputError,
    QlikError,
    TransportError,
)
from ansible_collections.sensible.qlik.plugins.module_utils._repository import site
from ansible_collections.sensible.qlik.plugins.module_utils._repository.reconcile import Outcome
from ansible_collections.sensible.qlik.plugins.module_utils._repository.reconcile import reconcile as _reconcile
from ansible_collections.sensible.qlik.plugins.module_utils._repository.snapshot import Repository
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy import convert
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy.convert import from_options, to_result
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy.model import VirtualProxy
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy.plan import Rules, make_plan, purge_targets
from ansible_collections.sensible.qlik.tests.unit.plugins.fake_repository import FakeRepository


def reconcile(
    repository: FakeRepository, *declared: dict[str, t.Any], check_mode: bool = False, **rules: t.Any
) -> Outcome:
    site = Repository(t.cast("t.Any", repository))
    return _reconcile(site, [from_options(one)[0] for one in declared], Rules(**rules), check_mode=check_mode)


def results(outcome: Outcome) -> list[dict[str, t.Any]]:
    return [to_result(one) for one in outcome.virtual_proxies]


def fields(virtual_proxy: VirtualProxy | None) -> dict[str, t.Any]:
    return virtual_proxy.fields if virtual_proxy else {}


@pytest.fixture
def portal(pem: str) -> dict[str, t.Any]:
    return {
        "prefix": "portal",
        "jwt_public_key_certificate": pem,
        "load_balancing_server_nodes": ["central"],
        "proxies": ["Central", "rim1.example.com"],
    }


def test_create_then_link_then_change_nothing(repository: FakeRepository, portal: dict[str, t.Any]) -> None:
    first = reconcile(repository, portal)
    assert first.changed
    assert repository.requests == [
        ("GET", "virtualproxyconfig/full"),
        ("GET", "proxyservice/full"),
        ("POST", "virtualproxyconfig"),
        ("PUT", "proxyservice/proxy0"),
        ("PUT", "proxyservice/proxy1"),
    ]
    assert repository.links("Central") == ["", "portal"]
    assert repository.links("Rim1") == ["", "portal"]
    [options] = results(first)
    assert options["session_cookie_header_name"] == "X-Qlik-Session-portal"
    assert options["jwt_attribute_user_id"] == "userId"
    assert options["proxies"] == ["Central", "Rim1"]
    assert options["load_balancing_server_nodes"] == ["Central"]
    repository.requests.clear()
    second = reconcile(repository, portal)
    assert not second.changed
    assert len(repository.requests) == 2
    assert results(second) == results(first)


@pytest.mark.parametrize(
    ("current", "declared", "restore", "expected"),
    [
        ("Portal [replaces old 0f5f9a1c]", "Portal", False, "Portal [replaces old 0f5f9a1c]"),
        ("[replaces old]", "Portal", False, "Portal [replaces old]"),
        ("Portal [replaces old]", "", False, "[replaces old]"),
        ("Portal [replaces old]", "Portal [replaced 2026-11-28T10:00:00Z]", False, None),
        ("Portal [replaces old]", "Portal", True, "Portal"),
        ("Portal (2)", "Portal", False, "Portal"),
    ],
)
def test_declared_description_keeps_the_notes_of_a_rotation(
    repository: FakeRepository,
    portal: dict[str, t.Any],
    current: str,
    declared: str,
    restore: bool,
    expected: str | None,
) -> None:
    reconcile(repository, {**portal, "description": current})
    outcome = reconcile(repository, {"prefix": "portal", "description": declared}, restore=restore)
    expected = declared if expected is None else expected
    assert results(outcome)[0]["description"] == expected
    assert outcome.changed is (current != expected)


def test_a_result_as_input_changes_nothing(repository: FakeRepository, portal: dict[str, t.Any]) -> None:
    portal |= {
        "tags": ["PORTAL"],
        "custom_properties": {"stage": "prod"},
        "same_site_attribute_https": "none",
        "jwt_attribute_map": [{"jwt_attribute": "g", "sense_attribute": "group", "is_mandatory": True}],
    }
    [result] = results(reconcile(repository, portal))
    repository.requests.clear()
    again = reconcile(repository, result)
    assert not again.changed
    assert len(repository.requests) == 2


def test_check_mode_predicts_the_real_diff_and_writes_nothing(
    repository: FakeRepository, portal: dict[str, t.Any]
) -> None:
    predicted = reconcile(repository, portal, check_mode=True)
    assert repository.writes == []
    real = reconcile(repository, portal)
    assert predicted.changes == real.changes
    assert predicted.writes == real.writes
    assert predicted.changed is real.changed is True


def test_an_update_changes_only_the_named_fields(repository: FakeRepository) -> None:
    entity = repository.add("jwt", websocketCrossOriginWhiteList=["a.example"], sameSiteAttributeHttps=2)
    outcome = reconcile(repository, {"prefix": "jwt", "session_inactivity_timeout": 5})
    assert repository.writes == [("PUT", f"virtualproxyconfig/{entity['id']}")]
    stored = repository.virtual_proxies[entity["id"]]
    assert stored == {**entity, "sessionInactivityTimeout": 5}
    [change] = outcome.changes
    differing = {name for name in fields(change.after) if fields(change.after)[name] != fields(change.before)[name]}
    assert differing == {"session_inactivity_timeout"}


def test_unchanged_attribute_rows_keep_their_ids(repository: FakeRepository) -> None:
    row = {"id": "row", "jwtAttribute": "a", "senseAttribute": "A", "isMandatory": False}
    entity = repository.add("jwt", jwtAttributeMap=[row])
    both = [
        {"jwt_attribute": "a", "sense_attribute": "A", "is_mandatory": False},
        {"jwt_attribute": "b", "sense_attribute": "B", "is_mandatory": True},
    ]
    reconcile(repository, {"prefix": "jwt", "jwt_attribute_map": both})
    kept, new = repository.virtual_proxies[entity["id"]]["jwtAttributeMap"]
    assert kept == row
    assert new == {"jwtAttribute": "b", "senseAttribute": "B", "isMandatory": True}


def test_empty_lists_are_written_and_missing_ones_ignored(repository: FakeRepository) -> None:
    entity = repository.add("jwt", tags=[repository.tags[0]], websocketCrossOriginWhiteList=["a.example"])
    reconcile(repository, {"prefix": "jwt", "tags": []})
    stored = repository.virtual_proxies[entity["id"]]
    assert stored["tags"] == []
    assert stored["websocketCrossOriginWhiteList"] == ["a.example"]


def test_links_of_other_virtual_proxies_are_kept(repository: FakeRepository, portal: dict[str, t.Any]) -> None:
    other = repository.add("other")
    repository.proxies["proxy0"]["settings"]["virtualProxies"].append({"id": other["id"]})
    reconcile(repository, portal)
    assert repository.links("Central") == ["", "other", "portal"]
    reconcile(repository, {**portal, "proxies": ["Rim1"]})
    assert repository.links("Central") == ["", "other"]
    assert repository.links("Rim1") == ["", "portal"]


def test_absent_unlinks_and_deletes_once(repository: FakeRepository, portal: dict[str, t.Any]) -> None:
    reconcile(repository, portal)
    repository.requests.clear()
    gone = reconcile(repository, {"prefix": "portal", "state": "absent"})
    assert [method for method, _path in repository.writes] == ["PUT", "PUT", "DELETE"]
    assert results(gone) == [{}]
    assert gone.changes[0].after is None
    assert not reconcile(repository, {"prefix": "portal", "state": "absent"}).changed


def test_each_proxy_is_written_once(repository: FakeRepository, portal: dict[str, t.Any]) -> None:
    declared = [{**portal, "prefix": f"p{number}"} for number in range(5)]
    reconcile(repository, *declared)
    assert len(repository.requests) == 2 + 5 + 2
    repository.requests.clear()
    assert not reconcile(repository, *declared).changed
    assert len(repository.requests) == 2


def test_a_node_without_a_proxy_costs_one_request_more(repository: FakeRepository, portal: dict[str, t.Any]) -> None:
    reconcile(repository, {**portal, "load_balancing_server_nodes": ["engines.example.com"]})
    assert ("GET", "servernodeconfiguration") in repository.requests
    repository.requests.clear()
    assert not reconcile(repository, {**portal, "load_balancing_server_nodes": ["Engines"]}).changed
    assert len(repository.requests) == 2


@pytest.mark.parametrize(
    ("options", "words", "advice"),
    [
        ({"load_balancing_server_nodes": ["Nowhere"]}, "no node 'Nowhere'", "Central, Engines, Rim1"),
        ({"proxies": ["Engines"]}, "no proxy 'Engines'", "Central, Rim1"),
        ({"tags": ["nope"]}, "no tag 'nope'", "Managed, portal"),
        ({"custom_properties": {"Nope": "x"}}, "'Nope'", "Stage"),
        ({"custom_properties": {"Floor": "1"}}, "'Floor'", "Stage"),
        ({"custom_properties": {"Stage": "moon"}}, "no value 'moon'", "dev, prod"),
        ({"jwt_audience": "qlik"}, "build 26.31.3.0) does not have: jwt_audience", "upgrade"),
        ({"session_cookie_header_name": "x-qlik-session"}, "default virtual proxy", "X-Qlik-Session-portal"),
    ],
)
@pytest.mark.parametrize("check_mode", [True, False])
def test_unknown_names_are_refused_before_the_first_write(
    repository: FakeRepository,
    portal: dict[str, t.Any],
    options: dict[str, t.Any],
    words: str,
    advice: str,
    check_mode: bool,
) -> None:
    with pytest.raises(InputError) as caught:
        reconcile(repository, {**portal, **options}, check_mode=check_mode)
    assert words in caught.value.message
    assert advice in caught.value.hint
    assert repository.writes == []


PROPERTIES = {"VirtualProxyConfig": {"properties": {"jwtAudience": {"type": "string"}}}}


@pytest.mark.parametrize("openapi", [{"components": {"schemas": PROPERTIES}}, {"definitions": PROPERTIES}])
def test_fields_that_were_never_set_may_be_missing(
    repository: FakeRepository, portal: dict[str, t.Any], openapi: t.Any
) -> None:
    repository.openapi = openapi
    reconcile(repository, portal)
    repository.requests.clear()
    assert not reconcile(repository, {**portal, "jwt_audience": ""}).changed
    reads = ["virtualproxyconfig/full", "proxyservice/full", "about/openapi/main"]
    assert repository.requests == [("GET", path) for path in reads]
    options = {**portal, "jwt_audience": "qlik"}
    predicted = reconcile(repository, options, check_mode=True)
    done = reconcile(repository, options)
    assert predicted.changes == done.changes
    assert fields(done.changes[0].before)["jwt_audience"] == ""
    assert results(done)[0]["jwt_audience"] == "qlik"
    repository.requests.clear()
    assert not reconcile(repository, options).changed
    assert repository.requests == [("GET", path) for path in reads[:2]]


@pytest.mark.parametrize("openapi", [[], {}, {"components": None}, {"components": {"schemas": {"App": {}}}}])
def test_an_unusable_api_description_is_ignored(
    repository: FakeRepository, portal: dict[str, t.Any], openapi: t.Any
) -> None:
    repository.openapi = openapi
    with pytest.raises(InputError, match="does not have: jwt_audience"):
        reconcile(repository, {**portal, "jwt_audience": "qlik"})


def test_names_are_found_in_truncated_lists(repository: FakeRepository, portal: dict[str, t.Any]) -> None:
    repository.record_limit = 1
    repository.tags.append({"id": "tag3", "name": "it's \\ odd"})
    repository.definitions.reverse()
    options = {**portal, "tags": ["PORTAL", "Managed", "it's \\ odd"], "custom_properties": {"stage": ["dev"]}}
    done = reconcile(repository, options)
    assert results(done)[0]["tags"] == ["it's \\ odd", "Managed", "portal"]
    assert results(done)[0]["custom_properties"] == {"Stage": ["dev"]}
    with pytest.raises(InputError, match="no tag 'nope'"):
        reconcile(repository, {**portal, "tags": ["nope"]})


def test_a_cookie_name_of_another_virtual_proxy_is_refused(
    repository: FakeRepository, portal: dict[str, t.Any]
) -> None:
    repository.add("other", sessionCookieHeaderName="X-Shared")
    with pytest.raises(InputError, match="already that of the virtual proxy 'other'") as caught:
        reconcile(repository, {**portal, "session_cookie_header_name": "x-shared"})
    assert caught.value.hint == "Set another session_cookie_header_name, such as X-Qlik-Session-portal."


def test_renamed_virtual_proxies_are_recognized_by_cookie(repository: FakeRepository, portal: dict[str, t.Any]) -> None:
    repository.add("renamed", sessionCookieHeaderName="X-Qlik-Session-portal")
    with pytest.raises(InputError, match="already that of the virtual proxy 'renamed'") as caught:
        reconcile(repository, portal)
    assert caught.value.hint == (
        "If 'renamed' was 'portal' before, rename it back. "
        "Otherwise: Set another session_cookie_header_name, such as X-Qlik-Session-portal-2."
    )


def test_ambiguous_node_name_is_refused(repository: FakeRepository, portal: dict[str, t.Any]) -> None:
    repository.nodes[1]["name"] = "Central"
    with pytest.raises(InputError, match="matches more than one"):
        reconcile(repository, portal)
    assert reconcile(
        repository, {**portal, "proxies": ["rim1.example.com"]} | {"load_balancing_server_nodes": []}
    ).changed


def test_a_new_virtual_proxy_needs_a_certificate(repository: FakeRepository) -> None:
    with pytest.raises(InputError, match="jwt_public_key_certificate"):
        reconcile(repository, {"prefix": "portal"})
    assert repository.writes == []


def test_change_of_authentication_method_is_protected(repository: FakeRepository, pem: str) -> None:
    entity = repository.add("saml", authenticationMethod=3)
    for declared in ({"prefix": "saml", "jwt_public_key_certificate": pem}, {"prefix": "saml", "state": "absent"}):
        with pytest.raises(InputError, match="authentication method is not JWT"):
            reconcile(repository, declared)
    assert repository.writes == []
    with pytest.raises(InputError, match="no jwt_public_key_certificate"):
        reconcile(repository, {"prefix": "saml", "allow_non_jwt": True})
    assert repository.writes == []
    entity |= {"jwtAttributeUserId": "", "jwtAttributeUserDirectory": "directory"}
    [change] = reconcile(
        repository, {"prefix": "saml", "jwt_public_key_certificate": pem, "allow_non_jwt": True}
    ).changes
    assert (fields(change.before)["authentication_method"], fields(change.after)["authentication_method"]) == (
        "saml",
        "jwt",
    )
    converted = repository.virtual_proxies[entity["id"]]
    assert converted["authenticationMethod"] == 4
    assert converted["jwtAttributeUserId"] == "userId"
    assert converted["jwtAttributeUserDirectory"] == "directory"
    assert converted["description"] == "saml"


def test_virtual_proxy_of_the_connection_is_protected(repository: FakeRepository) -> None:
    repository.add("admin")
    change = {"prefix": "admin", "session_inactivity_timeout": 1}
    with pytest.raises(InputError, match="This connection"):
        reconcile(repository, change, signs_in_through="admin")
    assert not reconcile(repository, {"prefix": "admin"}, signs_in_through="admin").changed
    assert reconcile(repository, change, signs_in_through="admin", allow_connection_virtual_proxy=True).changed


LOCKING_OUT: list[dict[str, t.Any]] = [
    {"prefix": "jwt", "session_inactivity_timeout": 1},
    {"prefix": "JWT", "proxies": []},
    {"prefix": "jwt", "state": "absent"},
]


@pytest.mark.parametrize("path", ["JWT", "./jwt", "jwt/.", "x/../jwt", "jwt/hub/..", "%6Awt", "jwt/hub"])
def test_other_spellings_of_the_prefix_are_protected(repository: FakeRepository, path: str) -> None:
    link = {"id": repository.add("jwt")["id"]}
    repository.proxies["proxy0"]["settings"]["virtualProxies"].append(link)
    for change in LOCKING_OUT:
        with pytest.raises(InputError, match="This connection"):
            reconcile(repository, change, signs_in_through=path)
    with pytest.raises(InputError, match="This connection"):
        reconcile(repository, signs_in_through=path, purge=True)
    assert repository.writes == []
    for change in LOCKING_OUT:
        assert reconcile(repository, change, signs_in_through="jwt2").changed


GROUP = {"jwt_attribute": "g", "sense_attribute": "group", "is_mandatory": False}
KEPT = {"jwt_attribute": "m", "sense_attribute": "mandatory", "is_mandatory": True}
MAIL = {"jwt_attribute": "m", "sense_attribute": "mail", "is_mandatory": True}


def shared(repository: FakeRepository) -> dict[str, t.Any]:
    """Add a virtual proxy whose lists have entries already, linked to the first proxy."""
    entity = repository.add(
        "shared",
        websocketCrossOriginWhiteList=["A.example", "b.example:443"],
        tags=[repository.tags[1]],
        loadBalancingServerNodes=[repository.nodes[0], repository.nodes[2]],
        jwtAttributeMap=[
            {"id": "row", "jwtAttribute": "g", "senseAttribute": "group", "isMandatory": False},
            {"id": "row2", "jwtAttribute": "m", "senseAttribute": "mandatory", "isMandatory": True},
        ],
    )
    repository.proxies["proxy0"]["settings"]["virtualProxies"].append({"id": entity["id"]})
    return entity


@pytest.mark.parametrize(
    ("changes", "whole"),
    [
        (
            {"host_allow_list_add": ["c.example"], "host_allow_list_remove": ["a.EXAMPLE", "nowhere.example"]},
            {"websocket_cross_origin_white_list": ["b.example:443", "c.example"]},
        ),
        ({"tags_add": ["PORTAL"], "tags_remove": ["nowhere"]}, {"tags": ["Managed", "portal"]}),
        ({"tags_remove": ["managed"]}, {"tags": []}),
        (
            {
                "load_balancing_server_nodes_add": ["rim1.example.com"],
                "load_balancing_server_nodes_remove": ["central.example.com", "Nowhere"],
            },
            {"load_balancing_server_nodes": ["Engines", "Rim1"]},
        ),
        ({"proxies_add": ["rim1"]}, {"proxies": ["Central", "Rim1"]}),
        ({"proxies_add": ["Rim1"], "proxies_remove": ["CENTRAL.example.com"]}, {"proxies": ["Rim1"]}),
        ({"jwt_attribute_map_add": [MAIL]}, {"jwt_attribute_map": [GROUP, KEPT, MAIL]}),
        (
            {"jwt_attribute_map_add": [{**GROUP, "is_mandatory": True}]},
            {"jwt_attribute_map": [{**GROUP, "is_mandatory": True}, KEPT]},
        ),
        (
            {"jwt_attribute_map_add": [{**GROUP, "sense_attribute": "team"}], "jwt_attribute_map_remove": [GROUP]},
            {"jwt_attribute_map": [KEPT, {**GROUP, "sense_attribute": "team"}]},
        ),
    ],
)
def test_single_entries_are_added_and_removed(
    repository: FakeRepository, changes: dict[str, t.Any], whole: dict[str, t.Any]
) -> None:
    shared(repository)
    [before] = results(reconcile(repository, {"prefix": "shared"}))
    declared = {"prefix": "shared", **changes}
    predicted = reconcile(repository, declared, check_mode=True)
    assert repository.writes == []
    done = reconcile(repository, declared)
    assert (predicted.changes, predicted.writes) == (done.changes, done.writes)
    [after] = results(done)
    assert after == before | whole
    repository.requests.clear()
    assert not reconcile(repository, declared).changed
    assert not reconcile(repository, after).changed
    assert repository.writes == []


@pytest.mark.parametrize(
    "changes",
    [
        {"host_allow_list_add": ["a.example"], "host_allow_list_remove": ["c.example"]},
        {"proxies_add": ["central.example.com"], "proxies_remove": ["Rim1", "Nowhere"]},
        {"load_balancing_server_nodes_add": ["Engines"], "load_balancing_server_nodes_remove": ["Rim1"]},
        {"tags_add": ["MANAGED"], "tags_remove": []},
        {"jwt_attribute_map_add": [GROUP], "jwt_attribute_map_remove": [MAIL]},
        {"jwt_attribute_map_add": [{**MAIL, "sense_attribute": "mandatory", "is_mandatory": None}]},
    ],
)
def test_entries_that_are_as_declared_cost_two_requests(repository: FakeRepository, changes: dict[str, t.Any]) -> None:
    shared(repository)
    assert not reconcile(repository, {"prefix": "shared", **changes}).changed
    assert len(repository.requests) == 2


def test_entries_are_added_to_a_new_virtual_proxy(repository: FakeRepository, pem: str) -> None:
    new = {"prefix": "new", "jwt_public_key_certificate": pem, "host_allow_list_remove": ["a.example"]}
    changes = {"tags_add": ["portal"], "proxies_add": ["rim1"], "load_balancing_server_nodes_add": ["engines"]}
    done = reconcile(repository, {**new, **changes, "jwt_attribute_map_add": [MAIL]})
    [result] = results(done)
    assert (result["tags"], result["proxies"], result["load_balancing_server_nodes"]) == (
        ["portal"],
        ["Rim1"],
        ["Engines"],
    )
    assert (result["jwt_attribute_map"], result["websocket_cross_origin_white_list"]) == ([MAIL], [])
    assert not done.warnings
    assert reconcile(repository, {"prefix": "new", "state": "absent", **changes}).writes[-1].startswith("delete")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tags_add": ["portal"], "tags_remove": ["Portal"]}, "Both tags_add and tags_remove contain: portal."),
        ({"proxies_add": ["Rim1"], "proxies_remove": ["rim1.example.com"]}, "Both proxies_add and proxies_remove"),
        # The site is asked for this node first.
        (
            {
                "load_balancing_server_nodes_add": ["Engines"],
                "load_balancing_server_nodes_remove": ["engines.example.com"],
            },
            "Both load_balancing_server_nodes_add",
        ),
        (
            {"jwt_attribute_map_add": [MAIL], "jwt_attribute_map_remove": [{**MAIL, "is_mandatory": False}]},
            "contain: {",
        ),
        ({"proxies_add": ["Nowhere"]}, "no proxy 'Nowhere'"),
        ({"load_balancing_server_nodes_add": ["Nowhere"]}, "no node 'Nowhere'"),
        ({"tags_add": ["nowhere"]}, "no tag 'nowhere'"),
        ({"host_allow_list_add": ["c example"]}, "contains the entry 'c example', which is not a host name"),
        ({"jwt_attribute_map_add": [{**MAIL, "jwt_attribute": "aud"}]}, "'aud', which is reserved"),
    ],
)
def test_conflicting_changes_are_refused(repository: FakeRepository, changes: dict[str, t.Any], words: str) -> None:
    repository.add("portal", tags=[repository.tags[0]])
    with pytest.raises(InputError) as caught:
        reconcile(repository, {"prefix": "portal", **changes})
    assert words in caught.value.message
    assert str(caught.value).startswith("Virtual proxy 'portal': ")
    assert repository.writes == []


def test_nodes_of_one_name_are_distinguished_by_host_name(repository: FakeRepository) -> None:
    repository.nodes[1]["name"] = "Central"
    entity = shared(repository)
    entity["loadBalancingServerNodes"] = repository.nodes[:2]
    with pytest.raises(InputError, match="matches more than one"):
        reconcile(repository, {"prefix": "shared", "proxies_remove": ["Central"]})
    # The nodes that stay are known by id, although their name is ambiguous.
    assert reconcile(repository, {"prefix": "shared", "proxies_add": ["rim1.example.com"]}).changed
    changes = {"proxies_remove": ["central.example.com"], "load_balancing_server_nodes_add": ["Engines"]}
    assert reconcile(repository, {"prefix": "shared", **changes}).changed
    assert [proxy["settings"]["virtualProxies"][1:] for proxy in repository.proxies.values()] == [
        [],
        [{"id": entity["id"]}],
    ]
    nodes = repository.virtual_proxies[entity["id"]]["loadBalancingServerNodes"]
    assert [node["id"] for node in nodes] == ["node0", "node1", "node2"]


def test_nodes_hidden_from_the_user_are_kept(repository: FakeRepository) -> None:
    entity = shared(repository)
    # The full list, which is read for a node without a proxy, does not hold one that the virtual proxy has.
    repository.nodes.append({"id": "node3", "name": "More", "hostName": "more.example.com"})
    hidden = repository.nodes.pop(0)
    repository.requests.clear()
    assert reconcile(
        repository, {"prefix": "shared", "load_balancing_server_nodes_add": ["More"]}, check_mode=True
    ).changed
    assert ("GET", "servernodeconfiguration") in repository.requests
    repository.nodes.append(hidden)
    reconcile(repository, {"prefix": "shared", "load_balancing_server_nodes_add": ["More"]})
    nodes = repository.virtual_proxies[entity["id"]]["loadBalancingServerNodes"]
    assert [node["id"] for node in nodes] == ["node0", "node2", "node3"]


def test_single_entries_of_unreadable_lists_are_not_changed(repository: FakeRepository) -> None:
    shared(repository)["websocketCrossOriginWhiteList"] = "a.example"
    with pytest.raises(InputError, match="The list for host_allow_list_add cannot be read"):
        reconcile(repository, {"prefix": "shared", "host_allow_list_add": ["c.example"]})
    assert repository.writes == []


def test_a_conflict_keeps_what_others_added_and_removed(repository: FakeRepository) -> None:
    entity = shared(repository)
    hosts, rows = entity["websocketCrossOriginWhiteList"], entity["jwtAttributeMap"]

    def others(write: int) -> None:
        if write == 1:
            hosts[:] = ["b.example:443", "theirs.example"]
            rows.append({"id": "new", "jwtAttribute": "t", "senseAttribute": "theirs", "isMandatory": False})
            entity["tags"] = [repository.tags[0]]

    repository.before_write = others
    repository.failures = {1: "conflict"}
    changes = {"host_allow_list_add": ["ours.example"], "jwt_attribute_map_add": [MAIL], "tags_remove": ["portal"]}
    [result] = results(reconcile(repository, {"prefix": "shared", **changes}))
    assert result["websocket_cross_origin_white_list"] == ["b.example:443", "theirs.example", "ours.example"]
    assert [row["jwt_attribute"] for row in result["jwt_attribute_map"]] == ["g", "m", "t", "m"]
    assert result["tags"] == []


@pytest.mark.parametrize("changes", [{"host_allow_list_remove": ["a.example"]}, {"proxies_remove": ["Central"]}])
def test_single_entries_of_the_connection_are_protected(repository: FakeRepository, changes: dict[str, t.Any]) -> None:
    shared(repository)
    with pytest.raises(InputError, match="This connection"):
        reconcile(repository, {"prefix": "shared", **changes}, signs_in_through="shared")
    unknown = {name: ["nowhere.example"] for name in changes}
    assert not reconcile(repository, {"prefix": "shared", **unknown}, signs_in_through="shared").changed


ROW = {"jwt_attribute": "a", "sense_attribute": "", "is_mandatory": False}


def site_with_link(repository: FakeRepository) -> dict[str, t.Any]:
    """Create a virtual proxy that is linked to the first proxy, and return all entities that a test may change."""
    linked = repository.add(
        "odd", tags=[dict(repository.tags[0])], loadBalancingServerNodes=[dict(repository.nodes[0])]
    )
    row = {"id": "row", "jwtAttribute": "a", "senseAttribute": "A", "isMandatory": False}
    linked["jwtAttributeMap"] = [row]
    links = repository.proxies["proxy0"]["settings"]["virtualProxies"]
    links.append({"id": linked["id"]})
    return {"odd": linked, "row": row, "tag": linked["tags"][0], "default": repository.virtual_proxies["vp1"]}


@pytest.mark.parametrize(
    ("where", "field", "value", "option", "expected"),
    [
        ("odd", "sessionCookieHeaderName", None, "session_cookie_header_name", ""),
        ("odd", "sessionInactivityTimeout", None, "session_inactivity_timeout", None),
        ("odd", "websocketCrossOriginWhiteList", [None, "a"], "websocket_cross_origin_white_list", ["a"]),
        ("odd", "sameSiteAttributeHttps", "Lax", "same_site_attribute_https", None),
        ("odd", "sameSiteAttributeHttps", True, "same_site_attribute_https", None),
        ("odd", "description", 7, "description", ""),
        ("row", "senseAttribute", None, "jwt_attribute_map", [ROW]),
        ("tag", "name", None, "tags", ["tag1"]),
        ("tag", "id", 7, "tags", []),
        ("default", "prefix", None, "prefix", "odd"),
    ],
)  # fmt: skip
def test_unexpected_value_does_not_hide_others(
    repository: FakeRepository, pem: str, where: str, field: str, value: t.Any, option: str, expected: t.Any
) -> None:
    site_with_link(repository)[where][field] = value
    assert reconcile(
        repository, {"prefix": "portal", "jwt_public_key_certificate": pem, "proxies": ["Central"]}
    ).changed
    assert repository.links("Central") == [value if where == "default" else "", "odd", "portal"]
    [found] = results(reconcile(repository, {"prefix": "odd", "state": "present"}))
    assert found.get(option) == expected
    assert found["proxies"] == ["Central"]
    repository.requests.clear()
    assert not reconcile(repository, {name: one for name, one in found.items() if one is not None}).changed
    assert len(repository.requests) == 2


def test_null_prefix_means_the_default_virtual_proxy(repository: FakeRepository) -> None:
    [default] = convert.virtual_proxies([{"id": "vp1", "authenticationMethod": 4}])
    assert default.fields == {"prefix": "", "authentication_method": "jwt"}
    snapshot = convert.snapshot([dict(default.raw)], [repository._expanded(repository.proxies["proxy0"])])
    assert purge_targets(snapshot, [], Rules(purge=True)) == []


def test_guids_are_compared_without_their_case() -> None:
    node = {"id": "AAAA", "name": "Central"}
    portal = {"id": "ABCD", "prefix": "portal", "authenticationMethod": 4, "loadBalancingServerNodes": [node]}
    settings = {"virtualProxies": [{"id": "abcd"}, {"id": "EF01"}]}
    proxy = {"id": "0001", "serverNodeConfiguration": {"id": "aaaa", "name": "Central"}, "settings": settings}
    snapshot = convert.snapshot([portal], [proxy])
    assert snapshot.by_prefix["portal"].fields["proxies"] == ["Central"]
    assert [one.id for one in snapshot.known_nodes] == ["aaaa"]
    declared = [from_options({"prefix": "portal", "proxies": [], "state": state})[0] for state in ("present", "absent")]
    [unlink] = make_plan(snapshot, declared[:1], Rules()).writes
    assert unlink.body == {**proxy, "settings": {"virtualProxies": [{"id": "ef01"}]}}
    assert [write.path for write in make_plan(snapshot, declared[1:], Rules()).writes] == [
        "proxyservice/0001",
        "virtualproxyconfig/abcd",
    ]


@pytest.mark.parametrize(
    "settings",
    [
        None,
        7,
        {},
        {"virtualProxies": None},
        {"virtualProxies": "x"},
        {"virtualProxies": [{"id": 7}]},
        {"virtualProxies": [7]},
    ],
)
def test_a_list_of_links_that_cannot_be_read_is_never_written(settings: t.Any, pem: str) -> None:
    nodes = [{"id": f"n{number}", "name": f"Node{number}", "hostName": f"node{number}"} for number in range(2)]
    bodies = [settings, {"virtualProxies": []}]
    proxies = [
        {"id": f"p{number}", "serverNodeConfiguration": node, "settings": bodies[number]}
        for number, node in enumerate(nodes)
    ]
    snapshot = convert.snapshot([], proxies)
    snapshot = dataclasses.replace(snapshot, seen_fields=frozenset())
    new = {"prefix": "new", "jwt_public_key_certificate": pem}
    [declared, other] = [from_options({**new, "proxies": [name]})[0] for name in ("Node0", "Node1")]
    with pytest.raises(InputError, match="proxy 'Node0' cannot be read, so a write could lose links"):
        make_plan(snapshot, [declared], Rules())
    plan = make_plan(snapshot, [other], Rules())
    assert [write.path for write in plan.writes] == ["virtualproxyconfig", "proxyservice/p1"]
    assert "The list of virtual proxies of the proxy 'Node0' cannot be read and is not changed." in plan.warnings


def test_accepted_writes_count_without_a_usable_answer(
    repository: FakeRepository, portal: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    add = repository.add
    monkeypatch.setattr(repository, "add", lambda prefix, **fields: {**add(prefix, **fields), "id": None})
    assert reconcile(repository, portal).changed
    assert repository.links("Rim1") == ["", "portal"]


def read_site(repository: FakeRepository) -> t.Any:
    return site.read_site(Repository(t.cast("t.Any", repository)))


def test_a_site_is_read_with_three_requests(repository: FakeRepository) -> None:
    found = read_site(repository)
    assert found.release == {"build_version": "26.31.3.0"}
    assert [node["name"] for node in found.nodes] == ["Central", "Engines", "Rim1"]
    assert [proxy["name"] for proxy in found.proxies] == ["Central", "Rim1"]
    assert repository.requests == [
        ("GET", "about"),
        ("GET", "servernodeconfiguration/full"),
        ("GET", "proxyservice/full"),
    ]


@pytest.mark.parametrize(("entities", "kind"), [("nodes", "node"), ("proxies", "proxy")])
def test_missing_rights_for_nodes_or_proxies_are_reported(repository: FakeRepository, entities: str, kind: str) -> None:
    getattr(repository, entities).clear()
    with pytest.raises(
        AnswerError, match=f"cannot read any {kind}, .* rights to read ServerNodeConfiguration and Proxy"
    ):
        read_site(repository)


def test_another_web_service_is_recognized(repository: FakeRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repository, "_read", lambda path, query: ["about"])
    with pytest.raises(AnswerError, match=r"GET https://.*/qrs/about: .* but not an object"):
        read_site(repository)


def test_missing_rights_are_not_reported_as_an_empty_site(repository: FakeRepository) -> None:
    repository.proxies.clear()
    with pytest.raises(AnswerError, match="cannot read any proxy"):
        reconcile(repository, {"prefix": "portal", "state": "absent"})


class TestFailedWrites:
    """Each of the three writes of a creation fails in each way, once and twice."""

    @pytest.mark.parametrize("number", [1, 2, 3])
    @pytest.mark.parametrize("failure", ["lost", "dropped"])
    def test_the_site_is_read_after_a_lost_answer(
        self, repository: FakeRepository, portal: dict[str, t.Any], number: int, failure: str
    ) -> None:
        repository.failures = {number: failure}
        outcome = reconcile(repository, portal)
        assert outcome.changed
        assert outcome.writes == [
            "create the virtual proxy 'portal'",
            "set the links of the proxy 'Central'",
            "set the links of the proxy 'Rim1'",
        ]
        assert repository.links("Rim1") == ["", "portal"]
        assert len(repository.writes) == (3 if failure == "lost" else 4)
        assert not reconcile(repository, portal).changed

    @pytest.mark.parametrize("number", [2, 3])
    def test_a_conflict_is_read_again_and_written_once_more(
        self, repository: FakeRepository, portal: dict[str, t.Any], number: int
    ) -> None:
        other = repository.add("other")

        def other_writer(write: int) -> None:
            if write == number:
                proxy = repository.proxies[f"proxy{number - 2}"]
                proxy["settings"]["virtualProxies"].append({"id": other["id"]})

        repository.before_write = other_writer
        repository.failures = {number: "conflict"}
        assert reconcile(repository, portal).changed
        assert repository.links(["Central", "Rim1"][number - 2]) == ["", "other", "portal"]

    def test_a_second_conflict_fails_and_names_the_user(
        self, repository: FakeRepository, portal: dict[str, t.Any]
    ) -> None:
        repository.failures = {2: "conflict", 3: "conflict"}
        with pytest.raises(ConflictError) as caught:
            reconcile(repository, portal)
        assert "INTERNAL\\sa_repository at 2026-01-01T00:00:00.000Z" in caught.value.message
        assert caught.value.done == ["create the virtual proxy 'portal'"]
        repository.failures = {}
        assert reconcile(repository, portal).changed  # the next run finishes it

    def test_a_second_lost_answer_succeeds_if_the_site_is_right(
        self, repository: FakeRepository, portal: dict[str, t.Any]
    ) -> None:
        repository.failures = {1: "lost", 3: "lost"}
        outcome = reconcile(repository, portal)
        assert outcome.changed
        assert len(outcome.writes) == 3

    def test_a_lost_write_fails_and_reports_completed_writes(
        self, repository: FakeRepository, portal: dict[str, t.Any]
    ) -> None:
        repository.failures = {2: "dropped", 3: "dropped"}
        with pytest.raises(TransportError) as caught:
            reconcile(repository, portal)
        assert caught.value.done == ["create the virtual proxy 'portal'"]
        assert "Done before that: create the virtual proxy 'portal'." in str(caught.value)

    def test_a_refused_write_is_not_repeated(self, repository: FakeRepository, portal: dict[str, t.Any]) -> None:
        repository.failures = {1: 400}
        with pytest.raises(AnswerError) as caught:
            reconcile(repository, portal)
        assert len(repository.writes) == 1
        assert caught.value.done == []

    def test_simultaneous_creation_succeeds_without_a_change(
        self, repository: FakeRepository, portal: dict[str, t.Any]
    ) -> None:
        del portal["proxies"]

        def other_writer(write: int) -> None:
            fields = {"jwtPublicKeyCertificate": portal["jwt_public_key_certificate"]}
            repository.add("portal", loadBalancingServerNodes=[repository.nodes[0]], **fields)

        repository.before_write = other_writer
        repository.failures = {1: 400}
        outcome = reconcile(repository, portal)
        assert not outcome.changed
        assert len(repository.writes) == 1

    def test_unreachable_site_after_a_lost_answer_fails(
        self, repository: FakeRepository, portal: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        repository.failures = {1: "dropped"}
        read = repository._read

        def dead(path: str, query: t.Any) -> t.Any:
            if repository.writes:
                raise TransportError("The connection was refused.", "Wait.")
            return read(path, query)

        monkeypatch.setattr(repository, "_read", dead)
        with pytest.raises(QlikError) as caught:
            reconcile(repository, portal)
        assert "The result could not be read." in str(caught.value)
        assert caught.value.done == []
