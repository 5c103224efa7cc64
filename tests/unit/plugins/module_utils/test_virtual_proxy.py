# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.sensible.qlik.plugins.module_utils._errors import InputError
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy import convert
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy.convert import (
    comparison_key,
    from_options,
    to_diff,
    to_result,
)
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy.model import (
    FIELDS,
    QRS_NAMES,
    SPEC,
    VirtualProxy,
    argument_spec,
)
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy.settings_warnings import warnings_of
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy.validate import require_valid
from ansible_collections.sensible.qlik.tests.unit.plugins.conftest import make_certificate


def read(**entity: t.Any) -> VirtualProxy:
    [virtual_proxy] = convert.virtual_proxies([{"id": "1", **entity}])
    return virtual_proxy


@pytest.mark.parametrize(
    ("option", "field"),
    [
        ("session_cookie_header_name", "sessionCookieHeaderName"),
        ("jwt_attribute_user_id", "jwtAttributeUserId"),
        ("websocket_cross_origin_white_list", "websocketCrossOriginWhiteList"),
        ("has_secure_attribute_https", "hasSecureAttributeHttps"),
        ("load_balancing_module_base_uri", "loadBalancingModuleBaseUri"),
        ("authentication_module_redirect_uri", "authenticationModuleRedirectUri"),
        ("enable_engine_health_check_data", "enableEngineHealthCheckData"),
        ("jwt_public_key_certificate", "jwtPublicKeyCertificate"),
    ],
)
def test_option_names_are_field_names(option: str, field: str) -> None:
    assert QRS_NAMES[option] == field


def test_options_without_a_field_are_listed() -> None:
    assert set(SPEC) - set(FIELDS) == {"state", "proxies", "allow_non_jwt", "id", "certificate"}


def test_each_list_has_options_that_change_single_entries() -> None:
    spec = argument_spec()
    assert sorted(set(spec) - set(SPEC)) == [
        "host_allow_list_add",
        "host_allow_list_remove",
        "jwt_attribute_map_add",
        "jwt_attribute_map_remove",
        "load_balancing_server_nodes_add",
        "load_balancing_server_nodes_remove",
        "proxies_add",
        "proxies_remove",
        "tags_add",
        "tags_remove",
    ]
    assert spec["jwt_attribute_map_add"] == {
        "type": "list",
        "elements": "dict",
        "options": {
            "jwt_attribute": {"type": "str", "required": True},
            "sense_attribute": {"type": "str", "required": True},
            # No default: an entry that is there keeps it.
            "is_mandatory": {"type": "bool", "required": False},
        },
    }
    assert spec["host_allow_list_add"] == {"type": "list", "elements": "str"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tags": [], "tags_add": []}, "Both tags and tags_add are given."),
        ({"proxies": ["a"], "proxies_add": ["b"], "proxies_remove": ["c"]}, "Both proxies and proxies_add are given."),
        ({"websocket_cross_origin_white_list": ["a"], "host_allow_list_remove": ["a"]}, "Both websocket_cross_origin"),
        # As a module returns the arguments of a task that has the alias.
        (
            {"host_allow_list": [], "websocket_cross_origin_white_list": [], "host_allow_list_remove": ["a"]},
            "Both host_allow_list and host_allow_list_remove are given.",
        ),
    ],
)
def test_a_list_is_given_as_a_whole_or_entry_by_entry(options: dict[str, t.Any], words: str) -> None:
    with pytest.raises(InputError) as caught:
        from_options({"prefix": "portal", **options})
    assert caught.value.message.startswith(words)


def test_unchanged_values_are_not_validated() -> None:
    row = {"jwt_attribute": "aud", "sense_attribute": "x", "is_mandatory": False}
    held = {"websocket_cross_origin_white_list": ["x example"], "jwt_attribute_map": [row]}
    require_valid(held, held)
    with pytest.raises(InputError, match="'y example', which is not a host name"):
        require_valid({"websocket_cross_origin_white_list": ["x example", "y example"]}, held)


def test_an_entity_is_read_as_options() -> None:
    entity = {
        "id": "1",
        "prefix": "jwt",
        "sameSiteAttributeHttps": 2,
        "anonymousAccessMode": 0,
        "sessionCookieDomain": None,
        "websocketCrossOriginWhiteList": None,
        "hasSecureAttributeHttp": None,
        "loadBalancingServerNodes": [{"id": "n2", "name": "rim"}, {"id": "n1", "name": "Central"}],
        "tags": [{"id": "t", "name": "portal"}],
        "customProperties": [
            {"value": "b", "definition": {"name": "Stage"}},
            {"value": "a", "definition": {"name": "Stage"}},
        ],
        "jwtAttributeMap": [{"id": "x", "jwtAttribute": "groups", "senseAttribute": "group", "isMandatory": True}],
        "samlEntityId": "not ours",
    }
    assert read(**entity).fields == {
        "prefix": "jwt",
        "same_site_attribute_https": "lax",
        "anonymous_access_mode": "no_anonymous_user",
        "session_cookie_domain": "",
        "websocket_cross_origin_white_list": [],
        "has_secure_attribute_http": False,
        "load_balancing_server_nodes": ["Central", "rim"],
        "tags": ["portal"],
        "custom_properties": {"Stage": ["a", "b"]},
        "jwt_attribute_map": [{"jwt_attribute": "groups", "sense_attribute": "group", "is_mandatory": True}],
    }


def test_unknown_enumeration_values_are_kept_as_numbers() -> None:
    assert read(loadBalancingAlgorithm=7).fields["load_balancing_algorithm"] == 7


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("tags", ["b", "A"], ["a", "B"]),
        ("websocket_cross_origin_white_list", ["x.example", "x.example"], ["X.example"]),
        ("additional_response_headers", "A: 1\r\nB: 2\r\n", "A: 1\nB: 2"),
        ("custom_properties", {"Stage": ["b", "a"], "Empty": []}, {"stage": ["a", "b"]}),
        ("prefix", "JWT", "jwt"),
    ],
)
def test_same_meaning_compares_equal(name: str, one: t.Any, other: t.Any) -> None:
    assert comparison_key(name, one) == comparison_key(name, other)


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("jwt_attribute_user_id", "userId", "userid"),
        ("tags", ["a"], ["a", "b"]),
        ("additional_response_headers", "A: 1", "A: 2"),
        ("custom_properties", {"Stage": ["a"]}, {"Stage": ["a", "b"]}),
    ],
)
def test_different_meaning_compares_different(name: str, one: t.Any, other: t.Any) -> None:
    assert comparison_key(name, one) != comparison_key(name, other)


def test_certificates_compare_by_content(pem: str, other_pem: str) -> None:
    name = "jwt_public_key_certificate"
    for variant in (pem.replace("\n", "\r\n"), "\ufeff" + pem, pem.replace("\n", " "), pem.strip()):
        assert comparison_key(name, variant) == comparison_key(name, pem)
    assert comparison_key(name, pem) != comparison_key(name, other_pem)
    assert comparison_key(name, "no certificate") == "no certificate"


def test_options_that_are_not_given_are_not_managed() -> None:
    declared, warnings = from_options({"prefix": "jwt", "description": None, "tags": [], "password": "secret"})
    assert declared == VirtualProxy({"prefix": "jwt", "authentication_method": "jwt", "tags": []})
    assert declared.fields == {"prefix": "jwt", "authentication_method": "jwt", "tags": []}
    assert warnings == []


def test_upper_case_is_lowered_with_a_warning() -> None:
    declared, [warning] = from_options({"prefix": "JWT"})
    assert declared.fields["prefix"] == "jwt"
    assert "'JWT'" in warning
    assert "lower case" in warning


def test_custom_properties_take_a_value_or_a_list() -> None:
    declared, _warnings = from_options({"prefix": "jwt", "custom_properties": {"Stage": "prod", "Floor": [1, 2]}})
    assert declared.fields["custom_properties"] == {"Stage": ["prod"], "Floor": ["1", "2"]}


@pytest.mark.parametrize(
    ("days", "warning"),
    [
        (-3, "The JWT certificate of the virtual proxy 'jwt' has expired ("),
        (10, "The JWT certificate of the virtual proxy 'jwt' expires in 9 days ("),
        (40, None),
    ],
)
def test_the_expiry_of_the_certificate_causes_a_warning(days: int, warning: str | None) -> None:
    virtual_proxy = VirtualProxy({"prefix": "jwt", "jwt_public_key_certificate": make_certificate("portal", days=days)})
    assert to_result(virtual_proxy)["certificate"]["subject"] == "CN=portal"
    assert [text.startswith(str(warning)) for text in warnings_of(virtual_proxy)] == ([True] if warning else [])


def test_missing_names_have_defaults() -> None:
    virtual_proxy = VirtualProxy({"prefix": "jwt"})
    assert (virtual_proxy.user_id_claim, virtual_proxy.user_directory_claim) == ("userId", "userDirectory")
    assert (virtual_proxy.cookie_name, virtual_proxy.allowed_hosts) == ("X-Qlik-Session-jwt", [])
    assert read(jwtAttributeUserId="sub", websocketCrossOriginWhiteList=["a", None]).allowed_hosts == ["a"]
    assert read(jwtAttributeUserId="sub").user_id_claim == "sub"


def test_private_keys_are_neither_sent_nor_returned() -> None:
    key = "-----BEGIN RSA PRIVATE KEY-----\nbm90IGEga2V5\n-----END RSA PRIVATE KEY-----"
    with pytest.raises(InputError, match="contains a private key"):
        from_options({"prefix": "jwt", "jwt_public_key_certificate": key})
    assert to_result(read(jwtPublicKeyCertificate=key))["jwt_public_key_certificate"] is None


def test_certificate_is_sent_in_normalized_form(pem: str) -> None:
    for variant in (pem, pem.replace("\n", "\r\n"), "\ufeff" + pem, "Subject: x\n" + pem.replace("\n", " ")):
        declared, _warnings = from_options({"prefix": "jwt", "jwt_public_key_certificate": variant})
        assert declared.fields["jwt_public_key_certificate"] == pem


def test_the_claim_sub_causes_a_warning() -> None:
    _declared, [warning] = from_options({"prefix": "jwt", "jwt_attribute_user_id": "sub"})
    assert "'sub'" in warning


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ({"prefix": ""}, "default virtual proxy"),
        ({"prefix": "/jwt"}, "prefix is '/jwt', which contains '/'"),
        ({"prefix": "a b"}, "which contains blanks; only letters"),
        ({"prefix": "straße"}, "only letters, digits"),
        ({"prefix": "QRS"}, "path of Qlik Sense itself"),
        ({"prefix": "hub"}, "path of Qlik Sense itself"),
        ({"prefix": ".."}, "only dots"),
        ({"prefix": "jwt\n"}, "which contains control characters"),
        ({"prefix": "jwt", "jwt_attribute_user_id": "exp"}, "'exp', which is reserved"),
        ({"prefix": "jwt", "jwt_attribute_user_directory": ""}, "is empty"),
        (
            {
                "prefix": "jwt",
                "jwt_attribute_map": [{"jwt_attribute": "aud", "sense_attribute": "x", "is_mandatory": False}],
            },
            "'aud', which is reserved",
        ),
        ({"prefix": "jwt", "session_cookie_header_name": "a b"}, "not a cookie name"),
        ({"prefix": "jwt", "session_cookie_header_name": ""}, "not a cookie name"),
        ({"prefix": "jwt", "session_inactivity_timeout": 0}, "below 1"),
        ({"prefix": "jwt", "websocket_cross_origin_white_list": [""]}, "contains an empty entry, which is not"),
        ({"prefix": "jwt", "websocket_cross_origin_white_list": ["a b"]}, "contains the entry 'a b', which is not"),
        ({"prefix": "jwt", "websocket_cross_origin_white_list": ["x.example/app"]}, "not a host name"),
        ({"prefix": "jwt", "websocket_cross_origin_white_list": ["me@x.example"]}, "not a host name"),
        ({"prefix": "jwt", "jwt_public_key_certificate": "server.pem"}, "jwt_public_key_certificate: This is the name"),
        ({"prefix": "jwt", "additional_response_headers": [["A: 1"]]}, "neither text nor a list nor a dictionary"),
        ({"prefix": "jwt", "additional_response_headers": "A: 1\nnonsense"}, "'nonsense'"),
    ],
)
def test_bad_input_is_refused_with_a_hint(declared: dict[str, t.Any], words: str) -> None:
    with pytest.raises(InputError) as caught:
        require_valid(from_options(declared)[0].fields)
    assert words in caught.value.message
    assert caught.value.hint.endswith(".")


def test_a_diff_shows_a_certificate_in_one_line(pem: str) -> None:
    shown = to_diff(VirtualProxy({"prefix": "jwt", "jwt_public_key_certificate": pem}, id="1"))
    assert set(shown) == {"prefix", "jwt_public_key_certificate"}
    assert shown["jwt_public_key_certificate"].startswith("CN=portal, expires ")


def test_an_invalid_stored_certificate_has_no_description() -> None:
    assert to_result(VirtualProxy({"prefix": "x", "jwt_public_key_certificate": "nonsense"}))["certificate"] is None
    assert to_result(None) == to_diff(None) == {}
