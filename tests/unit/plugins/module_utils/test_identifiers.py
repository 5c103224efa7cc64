# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.sensible.qlik.plugins.module_utils import _identifiers
from ansible_collections.sensible.qlik.plugins.module_utils._errors import InputError

ACCEPTED: list[tuple[t.Callable[..., t.Any], str, t.Any]] = [
    (_identifiers.prefix, "Portal-2.a_b~c", "portal-2.a_b~c"),
    (_identifiers.cookie_name, "X-Qlik-Session-portal", "X-Qlik-Session-portal"),
    (_identifiers.claim_name, "sub", "sub"),
    (_identifiers.claim_name, "[ACME]", "[ACME]"),
    (_identifiers.key_id, "my key/2026", "my key/2026"),
    (_identifiers.host, "qlik1.example.com", "qlik1.example.com"),
    (_identifiers.host, "QLIK_1", "QLIK_1"),
    (_identifiers.host, "müller.example", "müller.example"),
    (_identifiers.host, "qlik.example.com.", "qlik.example.com."),
    (_identifiers.host, "10.0.0.1", "10.0.0.1"),
    (_identifiers.host, "fd00::1", "[fd00::1]"),
    (_identifiers.host, "[fd00::1]", "[fd00::1]"),
    (_identifiers.user, "ACME\\a;b", ("ACME", "a;b")),
    (_identifiers.user, "ACME\\Jörg Müller", ("ACME", "Jörg Müller")),
    (_identifiers.header_name, "X-User", "X-User"),
    (_identifiers.header_value, "a b;c=d", "a b;c=d"),
    (_identifiers.base_url, " qlik1.example.com ", "https://qlik1.example.com"),
    (_identifiers.base_url, "http://QLIK1:8080/", "http://qlik1:8080"),
    (_identifiers.base_url, "https://[fd00::1]:8443", "https://[fd00::1]:8443"),
]
REFUSED: list[tuple[t.Callable[..., t.Any], str, str]] = [
    (_identifiers.prefix, "", "is empty, which is the default virtual proxy"),
    (_identifiers.prefix, "/jwt", "is '/jwt', which contains '/'; only letters"),
    (_identifiers.prefix, "a%6A", "which contains '%'"),
    (_identifiers.prefix, "a b", "which contains blanks"),
    (_identifiers.prefix, "jwt\n", "which contains control characters"),
    (_identifiers.prefix, "..", "which contains only dots"),
    (_identifiers.prefix, "QRS", "a path of Qlik Sense itself"),
    (_identifiers.cookie_name, "a b", "which is not a cookie name"),
    (_identifiers.cookie_name, "", "which is not a cookie name"),
    (_identifiers.claim_name, " ", "is empty"),
    (_identifiers.claim_name, "exp", "is the claim 'exp', which is reserved"),
    (_identifiers.key_id, "x\n", "control characters"),
    (_identifiers.key_id, "", "is empty"),
    (_identifiers.host, "a..b", "is 'a..b', which is not a host name"),
    (_identifiers.host, "a" * 300, "which is not a host name"),
    (_identifiers.host, ".".join(["a" * 60] * 5), "which is not a host name"),
    (_identifiers.host, "ü" * 60, "which is not a host name"),
    (_identifiers.host, "", "which is not a host name"),
    (_identifiers.host, "-oProxyCommand=x", "which is not a host name"),
    (_identifiers.host, "https://qlik1", "which is not a host name"),
    (_identifiers.host, "qlik1/x", "which is not a host name"),
    (_identifiers.host, "qlik1\r\nX", "which is not a host name"),
    (_identifiers.host, "1::2::3", "which is not a host name"),
    (_identifiers.host, "qlik1:4242", "is 'qlik1:4242', which contains a port"),
    (_identifiers.host, "anna:pass-word@qlik1", "contains a user name or a password"),
    (_identifiers.user, "anna", "which is not of the form DIRECTORY\\user"),
    (_identifiers.user, "ACME\\", "which is not of the form"),
    (_identifiers.user, "ACME\\a\r\nX: y", "which is not of the form"),
    (_identifiers.header_name, "X User", "which is not the name of a header"),
    (_identifiers.header_value, "pass-word\r\nX: y", "cannot be sent in a header"),
    (_identifiers.header_value, "é", "cannot be sent in a header"),
    (_identifiers.header_value, " a", "begins or ends with a blank"),
    (_identifiers.base_url, "https://anna:pass-word@qlik1", "is not the base URL of a proxy"),
    (_identifiers.base_url, "https://a..b", "is not the base URL of a proxy"),
    (_identifiers.base_url, "https://qlik1/portal", "is not the base URL of a proxy"),
    (_identifiers.base_url, "ftp://qlik1", "is not the base URL of a proxy"),
    (_identifiers.base_url, "https://qlik1:port", "is not the base URL of a proxy"),
]


@pytest.mark.parametrize(("validator", "value", "expected"), ACCEPTED)
def test_identifiers_are_normalized(validator: t.Callable[..., t.Any], value: str, expected: t.Any) -> None:
    assert validator(value, "the_option") == expected
    assert _identifiers.is_valid(lambda one: validator(one, "the_option"), value)


@pytest.mark.parametrize(("validator", "value", "problem"), REFUSED)
def test_invalid_identifiers_are_refused_with_the_option_name(
    validator: t.Callable[..., t.Any], value: str, problem: str
) -> None:
    with pytest.raises(InputError) as error:
        validator(value, "the_option")
    assert "the_option" in error.value.message
    assert problem in error.value.message
    assert "pass-word" not in str(error.value)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 300


@pytest.mark.parametrize(
    "path", ["jwt", "JWT", "/jwt/", " jwt ", "./jwt", "jwt/.", "x/../jwt", "x/..\\jwt", "jwt/hub/.."]
)
@pytest.mark.parametrize("end", ["", "/hub", "?x", "#x"])
@pytest.mark.parametrize("letter", ["j", "%6A", "%256a"])
def test_paths_are_resolved_as_servers_do(path: str, end: str, letter: str) -> None:
    path = path.replace("j", letter) + end
    assert _identifiers.leads_to(path, "jwt")
    assert not _identifiers.leads_to(path, "jw")
    assert not _identifiers.leads_to(path, "portal")


@pytest.mark.parametrize("path", [None, "", "jwt2", "x/jwt", "..", "jwt/.."])
def test_other_paths_are_different(path: str | None) -> None:
    assert not _identifiers.leads_to(path, "jwt")
