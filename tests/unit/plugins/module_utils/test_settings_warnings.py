# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.sensible.qlik.plugins.module_utils._errors import InputError
from ansible_collections.sensible.qlik.plugins.module_utils._keys.certificate import is_public
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy.convert import from_options
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy.model import VirtualProxy
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy.settings_warnings import warnings_of
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy.validate import require_valid

HOSTS = "websocket_cross_origin_white_list"
ORIGIN = "Access-Control-Allow-Origin"
CREDENTIALS = "Access-Control-Allow-Credentials"
USER, DIRECTORY = "jwt_attribute_user_id", "jwt_attribute_user_directory"


def row(claim: str, attribute: str) -> dict[str, t.Any]:
    return {"jwt_attribute": claim, "sense_attribute": attribute, "is_mandatory": False}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({HOSTS: ["a.example:443"]}, "The entry 'a.example:443' of the host allow list contains a port."),
        ({HOSTS: ["[::1]:443"]}, "contains a port."),
        ({HOSTS: ["https://a.example"]}, "contains a scheme."),
        ({HOSTS: ["https://a.example:8443/"]}, "contains a scheme and a slash and a port."),
        ({HOSTS: ["https://a.example/x"]}, "contains a scheme and a path."),
        ({HOSTS: ["*"]}, "contains a wildcard."),
        ({HOSTS: ["*.a.example"]}, "contains a wildcard."),
        ({HOSTS: [".a.example"]}, "contains a wildcard."),
        (
            {"same_site_attribute_https": "none", "has_secure_attribute_https": False},
            "same_site_attribute_https is none without has_secure_attribute_https. Browsers discard",
        ),
        (
            {"same_site_attribute_http": "none", "has_secure_attribute_http": False},
            "same_site_attribute_http is none without has_secure_attribute_http.",
        ),
        ({"session_cookie_domain": "https://a.example"}, "A domain has no scheme, port or path"),
        ({"additional_response_headers": f"{ORIGIN}: *\n{CREDENTIALS}: true"}, f"{ORIGIN} is * together with"),
        ({"additional_response_headers": f"{ORIGIN}: https://a.example/"}, "ends with a slash"),
        ({"additional_response_headers": f"{ORIGIN}: https://a.example/app"}, "contains a path"),
        ({"additional_response_headers": f"{ORIGIN}: a.example"}, "has no scheme"),
        ({"additional_response_headers": f"{ORIGIN}: https://a.example, https://b.example"}, "has several origins"),
        (
            {"additional_response_headers": f"{ORIGIN}: https://a.example\n{ORIGIN}: https://b.example"},
            "several origins",
        ),
        (
            {"additional_response_headers": f"{ORIGIN}: https://a.example, {CREDENTIALS}: true"},
            f"additional_response_headers has {CREDENTIALS} in the line of {ORIGIN}.",
        ),
        ({"additional_response_headers": f"{CREDENTIALS}: True"}, "Browsers accept only 'true'."),
        ({USER: "sub", DIRECTORY: "sub"}, "The claim sub is both the user id and the user directory."),
        ({USER: "user id"}, "jwt_attribute_user_id has the claim 'user id', which contains a blank."),
        ({"jwt_attribute_map": [row("groups ", "group")]}, "jwt_attribute_map has the claim 'groups ', which contains"),
        ({"jwt_attribute_map": [row("groups", "")]}, "maps the claim groups to an empty attribute."),
        (
            {"jwt_attribute_map": [row("groups", "user.environment.group")]},
            "user.environment.group. Security rules add user.environment. themselves. Set sense_attribute to group.",
        ),
    ],
)
def test_settings_that_may_not_work_cause_one_warning(settings: dict[str, t.Any], words: str) -> None:
    declared = from_options({"prefix": "jwt", **settings})[0]
    require_valid(declared.fields)
    [warning] = warnings_of(declared)
    assert words in warning
    assert warning.startswith("The virtual proxy 'jwt': ")


@pytest.mark.parametrize(
    "settings",
    [
        {HOSTS: ["a.example", "10.0.0.1", "::1", "[::1]", "host_1"]},
        {"same_site_attribute_https": "none", "has_secure_attribute_https": True},
        {"session_cookie_domain": ".example.com"},
        {"additional_response_headers": f"{ORIGIN}: https://a.example:8443\n{CREDENTIALS}: true\nVary: a, b"},
        {"additional_response_headers": "Content-Security-Policy: frame-ancestors https://a.example; img-src data: b:"},
        {"additional_response_headers": f"{ORIGIN}: *"},
        {USER: "userId", DIRECTORY: "[My Corp]", "jwt_attribute_map": [row("https://a.example/groups", "group")]},
    ],
)
def test_sound_settings_cause_no_warning(settings: dict[str, t.Any]) -> None:
    assert warnings_of(VirtualProxy({"prefix": "jwt", **settings})) == []


def test_a_stored_value_that_cannot_work_causes_a_warning() -> None:
    stored = VirtualProxy({"prefix": "jwt", USER: "exp", "additional_response_headers": "nonsense"})
    assert [one.partition(": ")[2] for one in warnings_of(stored)] == [
        "jwt_attribute_user_id is the claim 'exp', which is reserved for the token itself (RFC 7519).",
        "additional_response_headers contains the line 'nonsense', which is not a header.",
    ]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"A": "1", CREDENTIALS: True, "Max": 5}, f"A: 1\n{CREDENTIALS}: true\nMax: 5"),
        (["A: 1", {"B": "2"}], "A: 1\nB: 2"),
        ("A: 1\nB: 2\n", "A: 1\nB: 2\n"),
        ({}, ""),
        ([], ""),
    ],
)
def test_headers_in_other_forms_become_lines(given: t.Any, text: str) -> None:
    declared = from_options({"prefix": "jwt", "additional_response_headers": given})[0]
    assert declared.fields["additional_response_headers"] == text


@pytest.mark.parametrize("value", ["one\nX-Other: two", None, ["one"]])
def test_header_value_of_another_type_is_refused(value: t.Any) -> None:
    with pytest.raises(InputError, match="additional_response_headers has a value that is not text of one line"):
        from_options({"prefix": "jwt", "additional_response_headers": {"X-One": value}})


def test_text_beside_many_blocks_is_not_public() -> None:
    block = "-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----\n"
    assert is_public(block * 3)
    assert not is_public(f"{block}password: secret\n{block}")
