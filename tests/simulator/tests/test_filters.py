# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter grammar: all forms of literals, all errors, and generated text."""

from __future__ import annotations

import string
import time
import typing as t

import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from repository_client import Client

CLIENT = Client()
NODE = CLIENT.get("servernodeconfiguration", filter="name eq 'Central'")[0]
TAG = CLIENT.get("tag", filter="name eq 'ansible'")[0]


def await_next_millisecond() -> None:
    """Wait until a new entity gets another date than the one before."""
    before = time.time_ns() // 1_000_000
    while time.time_ns() // 1_000_000 == before:
        time.sleep(0.0002)


await_next_millisecond()
JWT = CLIENT.create_virtual_proxy(
    "jwt",
    description="O'Neill's \\ (test) and more",
    authenticationMethod=4,
    loadBalancingServerNodes=[{"id": NODE["id"]}],
    tags=[{"id": TAG["id"]}],
    websocketCrossOriginWhiteList=["one.example.com", "Two.example.com"],
    customProperties=[
        {
            "value": "Test",
            "definition": {"id": CLIENT.get("custompropertydefinition", filter="name eq 'Environment'")[0]["id"]},
        }
    ],
)
await_next_millisecond()
OTHER = CLIENT.create_virtual_proxy("other", description="Schöne Grüße = 1 + 1, ok?", sessionInactivityTimeout=999)
CLIENT.link(JWT)
VALUES = {
    "JWT.id": JWT["id"],
    "JWT.ID": JWT["id"].upper(),
    "JWT.createdDate": JWT["createdDate"],
    "JWT.modifiedDate": JWT["modifiedDate"],
    "OTHER.modifiedDate": OTHER["modifiedDate"],
    "NODE.id": NODE["id"],
}
"""What stands in filters; the names of tests must not change from run to run."""


def found(expression: str, path: str = "virtualproxyconfig") -> list[str]:
    """Return the prefixes (or names) of the entities that a filter matches."""
    return [entity.get("prefix", entity.get("name")) for entity in CLIENT.get(path, filter=filled(expression))]


def filled(expression: str) -> str:
    """Return a filter with the values of this run."""
    for name, value in VALUES.items():
        expression = expression.replace(name, value)
    return expression


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        # strings, in any case
        ("prefix eq 'jwt'", ["jwt"]),
        ("prefix eq 'JWT'", ["jwt"]),
        ("Prefix EQ 'jwt'", ["jwt"]),
        ("prefix eq ''", [""]),
        ("prefix ne 'jwt'", ["", "other"]),
        ("description sw 'o'", ["jwt"]),
        ("description ew 'MORE'", ["jwt"]),
        ("description so 'grüsse'", ["other"]),
        ("description so 'GRÜSSE'", ["other"]),
        ("description so 'nothing of the kind'", []),
        ("description eq 'Schöne Grüße = 1 + 1, ok?'", ["other"]),
        (r"description so 'O\'Neill'", ["jwt"]),
        (r"description so '\\ ('", ["jwt"]),
        (r"description so '\ ('", ["jwt"]),
        ("prefix eq'jwt'", ["jwt"]),
        ("  prefix   eq\t'jwt'  ", ["jwt"]),
        # GUIDs, bare and quoted
        ("id eq JWT.id", ["jwt"]),
        ("id eq 'JWT.ID'", ["jwt"]),
        ("id ne JWT.id", ["", "other"]),
        # booleans
        ("defaultVirtualProxy eq true", [""]),
        ("defaultVirtualProxy eq True", [""]),
        ("defaultVirtualProxy eq FALSE", ["jwt", "other"]),
        ("defaultVirtualProxy ne false", [""]),
        # numbers and enums
        ("sessionInactivityTimeout gt 30", ["other"]),
        ("sessionInactivityTimeout ge 999", ["other"]),
        ("sessionInactivityTimeout lt 31", ["", "jwt"]),
        ("sessionInactivityTimeout le -1", []),
        ("authenticationMethod eq 4", ["jwt"]),
        ("authenticationMethod eq JWT", ["jwt"]),
        ("authenticationMethod eq 'jwt'", ["jwt"]),
        ("authenticationMethod ne Ticket", ["jwt"]),
        ("authenticationMethod gt 3", ["jwt"]),
        # dates
        ("modifiedDate ge 'JWT.modifiedDate' and modifiedDate le 'OTHER.modifiedDate'", ["jwt", "other"]),
        ("createdDate gt '2012-05-09 12:00:00'", ["", "jwt", "other"]),
        ("createdDate lt 2012-05-09T12:00:00.000Z", []),
        ("createdDate eq JWT.createdDate", ["jwt"]),
        # groups, and their precedence
        ("(prefix eq 'jwt')", ["jwt"]),
        ("((prefix eq 'jwt') or (prefix eq 'other'))", ["jwt", "other"]),
        ("prefix eq 'jwt' or prefix eq 'other' and prefix eq 'none'", ["jwt"]),
        ("(prefix eq 'jwt' or prefix eq 'other') and prefix eq 'none'", []),
        ("prefix eq 'jwt' OR prefix eq 'other'", ["jwt", "other"]),
        ("description so ' and ' and prefix so 'w'", ["jwt"]),
        # paths, also to fields of the full format only
        ("tags.name eq 'ansible'", ["jwt"]),
        ("loadBalancingServerNodes.isCentral eq true", ["", "jwt"]),
        ("loadBalancingServerNodes.id eq NODE.id", ["", "jwt"]),
        ("customProperties.value eq 'test'", ["jwt"]),
        ("customProperties.definition.name eq 'Environment'", ["jwt"]),
        ("modifiedByUserName eq 'internal\\sa_api'", ["jwt", "other"]),
        # lists
        ("websocketCrossOriginWhiteList eq 'two.example.com'", ["jwt"]),
        ("websocketCrossOriginWhiteList sw 'one'", ["jwt"]),
        # null
        ("prefix eq null", []),
        ("prefix ne null", ["", "jwt", "other"]),
    ],
)
def test_filter_matches_virtual_proxies(expression: str, expected: list[str]) -> None:
    assert found(expression) == expected
    assert CLIENT.get("virtualproxyconfig/count", filter=filled(expression)) == {"value": len(expected)}


@pytest.mark.parametrize(
    ("path", "expression", "expected"),
    [
        ("servernodeconfiguration", "isCentral eq true", ["Central"]),
        ("servernodeconfiguration", "hostname eq 'LOCALHOST'", ["Central"]),
        ("servernodeconfiguration", "roles.definition eq LicenceMaintenance", ["Central"]),
        ("servernodeconfiguration", "serviceCluster.name eq 'ServiceCluster'", ["Central", "Rim1"]),
        ("custompropertydefinition", "choiceValues eq 'Platform'", ["Owner"]),
        ("custompropertydefinition", "objectTypes eq 'VirtualProxyConfig' and name eq 'owner'", ["Owner"]),
        ("user", "userid eq 'anna' and userDirectory eq 'example'", ["Anna Example"]),
        ("user", "roles eq 'AuditAdmin'", ["Otto Auditor"]),
    ],
)
def test_filter_matches_other_entities(path: str, expression: str, expected: list[str]) -> None:
    assert found(expression, path) == expected


@pytest.mark.parametrize(
    "expression",
    [
        "serverNodeConfiguration.id eq NODE.id",
        "serverNodeConfiguration.hostName eq 'localhost'",
        "serverNodeConfiguration.hostName so 'ocal'",
        "settings.virtualProxies.prefix eq 'jwt'",
        "settings.virtualProxies.id eq 'JWT.id'",
        "settings.listenPort eq 443 and serverNodeConfiguration.isCentral eq true",
        "settings.logVerbosity.logVerbosityAudit ge 4 and serverNodeConfiguration.name eq 'Central'",
    ],
)
def test_filter_follows_paths_of_a_proxy_service(expression: str) -> None:
    [proxy] = CLIENT.get("proxyservice/full", filter=filled(expression))
    assert proxy["serverNodeConfiguration"]["name"] == "Central"


@pytest.mark.parametrize(
    "expression",
    [
        "prefix",
        "prefix eq",
        "eq 'jwt'",
        "prefix eq jwt",
        'prefix eq "jwt"',
        "prefix eq 'it''s'",
        "prefix eq 'jwt",
        "prefix eq 'jwt\\'",
        "prefix = 'jwt'",
        "prefix eq 'jwt' and",
        "prefix eq 'jwt' 'jwt'",
        "prefix eq 'jwt') or (prefix eq ''",
        "(prefix eq 'jwt'",
        "not prefix eq 'jwt'",
        "prefix like 'jwt'",
        "contains(prefix, 'jwt')",
        "prefix gt 'jwt'",
        "sessionInactivityTimeout sw 3",
        "sessionInactivityTimeout eq '30'",
        "sessionInactivityTimeout eq 3.5",
        "sessionInactivityTimeout eq 99999999999999999999",
        "id eq 'nonsense'",
        "id gt 00000000-0000-0000-0000-000000000000",
        "defaultVirtualProxy eq 'true'",
        "defaultVirtualProxy eq 1",
        "authenticationMethod eq Kerberos",
        "createdDate eq 'yesterday'",
        "createdDate sw '2026'",
        "nosuch eq 'jwt'",
        "tags eq 'ansible'",
        "tags.nosuch eq 'ansible'",
        "prefix.name eq 'ansible'",
        "privileges eq 'read'",
        "schemaPath eq 'VirtualProxyConfig'",
        "prefix gt null",
        ".prefix eq 'jwt'",
        "prefix. eq 'jwt'",
        "tags.name.id.name.id.name.id.name.id eq 'a'",
        "(" * 51 + "prefix eq 'jwt'" + ")" * 51,
        "(" * 10_000,
        "prefix eq 'jwt' \0",
        "prefix eq \N{LEFT SINGLE QUOTATION MARK}jwt\N{RIGHT SINGLE QUOTATION MARK}",
    ],
)
def test_malformed_filter_is_refused(expression: str) -> None:
    answer = CLIENT.call("GET", "virtualproxyconfig", filter=expression)
    assert (answer.status, answer.text) == (400, f"Cannot parse the expression: {expression}")


@pytest.mark.parametrize("expression", ["()", "( )", "(())", "prefix eq 'jwt' and ()"])
def test_empty_group_is_an_invalid_expression(expression: str) -> None:
    answer = CLIENT.call("GET", "virtualproxyconfig", filter=expression)
    assert (answer.status, answer.text) == (400, "Invalid expression")


def test_many_adjacent_groups_are_accepted() -> None:
    assert found(" or ".join(["(prefix eq 'jwt')"] * 500)) == ["jwt"]
    assert found("(" * 50 + "prefix eq 'jwt'" + ")" * 50) == ["jwt"]


def test_filter_syntax_depends_on_switches() -> None:
    client = Client({"switches": {"custom_property_filter": "400", "null_in_filter": "400"}})
    assert client.call("GET", "virtualproxyconfig", filter="@Environment eq 'Test'").status == 400
    assert client.call("GET", "virtualproxyconfig", filter="prefix eq null").status == 400


NODE = {"location": "north", "role": "engine"}


def test_custom_properties_are_found_by_bare_words() -> None:
    """Nodes as in "@location eq north and @role eq engine" of public configurations for DSC."""
    properties = [{"name": name, "choice_values": [value]} for name, value in NODE.items()]
    client = Client({"custom_properties": properties})
    definitions = {one["name"]: {"id": one["id"]} for one in client.get("custompropertydefinition")}
    [node, _other] = client.get("servernodeconfiguration/full")
    values = [{"value": value, "definition": definitions[name]} for name, value in NODE.items()]
    body = {**node, "customProperties": values}
    assert client.call("PUT", f"servernodeconfiguration/{node['id']}", body).status == 200
    for expression, number in [
        ("@location eq north and @role eq engine", 1),
        ("@Location eq 'North' and @role eq 7", 0),
        ("@location eq south", 0),
    ]:
        assert client.get("servernodeconfiguration/count", filter=expression) == {"value": number}, expression


def test_custom_properties_in_filters_are_those_of_the_type() -> None:
    client = Client()
    [definition] = client.get("custompropertydefinition", filter="name eq 'Environment'")
    client.create_virtual_proxy(customProperties=[{"value": "Test", "definition": {"id": definition["id"]}}])
    assert client.get("virtualproxyconfig/count", filter="@environment eq 'test'") == {"value": 1}
    assert client.get("virtualproxyconfig/count", filter="@Owner eq 'test'") == {"value": 0}
    assert client.call("GET", "virtualproxyconfig", filter="@nosuch eq 'a'").status == 400
    assert client.call("GET", "tag", filter="@Environment eq 'a'").status == 400


def test_not_and_like_are_accepted_by_switch() -> None:
    client = Client({"switches": {"not_in_filter": "accept", "like_in_filter": "accept"}})
    for prefix in ("jwt", "portal", "notes"):
        client.create_virtual_proxy(prefix)
    for expression, expected in [
        ("not prefix eq 'jwt' and not (prefix sw 'n' or prefix eq '')", ["portal"]),
        ("not not prefix eq 'jwt'", ["jwt"]),
        ("prefix like '%Ot%s'", ["notes"]),
        ("prefix like '.'", []),
    ]:
        found = client.get("virtualproxyconfig", filter=expression)
        assert [entity["prefix"] for entity in found] == expected, expression
        assert Client().call("GET", "virtualproxyconfig", filter=expression).status == 400


FIELDS = st.sampled_from(["prefix", "id", "modifiedDate", "authenticationMethod", "tags.name", "defaultVirtualProxy"])
LITERALS = st.one_of(
    st.text(max_size=8).map(lambda text: "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"),
    st.integers().map(str),
    st.dates().map(str),
    st.uuids().map(str),
    st.sampled_from(["true", "JWT", "null", "()"]),
)
COMPARISONS = st.builds(
    "{} {} {}".format, FIELDS, st.sampled_from(["eq", "ne", "gt", "le", "sw", "so", "like"]), LITERALS
)
EXPRESSIONS = st.recursive(
    COMPARISONS | st.text(alphabet=string.printable, max_size=12),
    lambda inner: st.one_of(
        inner.map("({})".format), st.builds("{} {} {}".format, inner, st.sampled_from(["and", "or"]), inner)
    ),
    max_leaves=6,
)


@settings(max_examples=examples(150), deadline=None)
@given(EXPRESSIONS)
def test_any_text_gets_a_response(expression: str) -> None:
    answer = CLIENT.call("GET", "virtualproxyconfig", filter=expression)
    if answer.status == 200:
        assert {entity["prefix"] for entity in answer.json()} <= {"", "jwt", "other"}
    else:
        assert answer.status == 400
        assert answer.text.startswith(("Cannot parse the expression: ", "Invalid expression", "Missing parameter"))


@settings(max_examples=examples(100), deadline=None)
@given(st.text(max_size=20))
def test_any_string_can_be_quoted(text: str) -> None:
    quoted = text.replace("\\", "\\\\").replace("'", "\\'")
    entity: t.Any = CLIENT.get("virtualproxyconfig", filter=f"description eq '{quoted}' or prefix eq 'jwt'")
    assert [one["prefix"] for one in entity] == ["jwt"]
