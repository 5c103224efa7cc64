# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import contextlib
import json
import time
import typing as t
from unittest import mock

import jwt
import pytest
from ansible.errors import AnsibleFilterError
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.sensible.qlik.plugins.filter import jwt_claims as plugin
from ansible_collections.sensible.qlik.tests.unit.plugins import key_sets
from ansible_collections.sensible.qlik.tests.unit.plugins.key_sets import key, key_set

NOW = int(time.time())
USER = {"userId": "anna", "userDirectory": "ACME"}
PEM = key_sets.pem(key_sets.certificate(key()))
JWKS = key_set(key_sets.auth0(key(), "k1"))
OTHER_PEM = key_sets.pem(key_sets.certificate(key(1)))


def token(number: int = 0, *, algorithm: str = "RS256", kid: str | None = None, **claims: t.Any) -> str:
    headers = {"kid": kid} if kid is not None else None
    claims = {**USER, "iat": NOW - 60, "exp": NOW + 600, **claims}
    return jwt.encode({k: v for k, v in claims.items() if v is not None}, key(number), algorithm, headers)


def raw(header: t.Any, claims: t.Any) -> str:
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, claims)]
    return ".".join([*parts, "A" * 342])


def evaluate(text: t.Any, **options: t.Any) -> dict[str, t.Any]:
    [(name, function)] = plugin.FilterModule().filters().items()
    assert name == "jwt_claims"
    with mock.patch.object(plugin.time, "time", return_value=NOW):  # however long the tests before it take
        result: dict[str, t.Any] = function(text, **options)
    if isinstance(text, str) and text.count(".") == 2 and len(text.split(".")[2]) > 10:
        shown = json.dumps(result)
        assert all(part not in shown for part in text.split("."))
    return result


def test_claims_and_header_are_returned() -> None:
    result = evaluate(token(kid="k1", nbf=NOW - 60))
    left = result.pop("seconds_left")

    assert 590 < left <= 600
    assert result == {
        "header": {"alg": "RS256", "kid": "k1", "typ": "JWT"},
        "claims": {**USER, "iat": NOW - 60, "nbf": NOW - 60, "exp": NOW + 600},
        "times": {
            "iat": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(NOW - 60)),
            "nbf": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(NOW - 60)),
            "exp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(NOW + 600)),
        },
        "expired": False,
        "verified": None,
        "verified_by": None,
        "accepted": True,
        "reasons": [],
        "warnings": [],
    }


def test_all_results_are_documented() -> None:
    import yaml

    [documented] = yaml.safe_load(plugin.RETURN).values()

    assert list(evaluate(token())) == list(documented["contains"])
    assert set(yaml.safe_load(plugin.DOCUMENTATION)["options"]) == {"_input", *plugin._OPTIONS}


def test_times_decide_acceptance_with_leeway() -> None:
    expired = evaluate(token(exp=NOW - 300))
    within = evaluate(token(exp=NOW - 30))
    strict = evaluate(token(exp=NOW - 30), leeway=0)
    early = evaluate(token(nbf=NOW + 300))
    endless = evaluate(token(exp=None))

    assert (expired["expired"], expired["accepted"]) == (True, False)
    assert expired["seconds_left"] <= -300
    assert expired["reasons"] == ["The token expired 5 minutes ago."]
    assert (within["expired"], within["accepted"]) == (True, True)
    assert (strict["expired"], strict["accepted"]) == (True, False)
    assert "becomes valid in" in early["reasons"][0]
    assert (endless["expired"], endless["seconds_left"], endless["times"]["exp"]) == (False, None, None)
    assert endless["accepted"]
    assert "has no exp" in endless["warnings"][0]


@pytest.mark.parametrize("value", ["soon", True, [1], 1e300, 10**400, float("nan"), 9e14])
def test_times_out_of_range_are_returned_as_null(value: t.Any) -> None:
    result = evaluate(raw({"alg": "RS256"}, {"exp": value}))

    assert result["times"]["exp"] is None
    assert result["accepted"] == (value == 9e14)


def test_certificate_verifies_its_tokens_only() -> None:
    right, wrong = evaluate(token(), certificate=PEM), evaluate(token(), certificate=OTHER_PEM)

    assert (right["verified"], right["accepted"]) == (True, True)
    assert (wrong["verified"], wrong["accepted"]) == (False, False)
    assert "does not match the certificate" in wrong["reasons"][0]


def test_all_settings_of_a_virtual_proxy_are_checked() -> None:
    virtual_proxy = {
        "prefix": "portal",
        "jwt_public_key_certificate": PEM,
        "jwt_attribute_user_id": "login",
        "jwt_attribute_user_directory": "[ACME]",
        "jwt_audience": "qlik",
        "jwt_attribute_map": [{"jwt_attribute": "groups", "sense_attribute": "group", "is_mandatory": True}],
    }
    good = evaluate(token(login="anna", groups=["a"], aud="qlik"), virtual_proxy=virtual_proxy)
    bad = evaluate(token(Login="anna"), virtual_proxy=virtual_proxy)
    other = evaluate(token(1, login="anna", groups=[], aud="me"), virtual_proxy=virtual_proxy, audience="me")
    both = evaluate(token(login="x", groups=[], aud="qlik"), virtual_proxy=virtual_proxy, certificate=OTHER_PEM)

    assert (good["verified"], good["reasons"]) == (True, [])
    assert bad["verified"]
    assert [reason.split(",")[0] for reason in bad["reasons"]] == [
        "The token lacks the claim login",
        "The token has no audience (aud)",
        "The token lacks the claim groups",
    ]
    assert "it has Login, but names are case-sensitive" in bad["reasons"][0]
    assert other["reasons"][1:] == []
    assert not both["verified"]


def test_unusable_mapped_claims_cause_warnings() -> None:
    entry = {"jwt_attribute": "groups", "sense_attribute": "group", "is_mandatory": False}

    result = evaluate(token(Groups=["a"]), virtual_proxy={"jwt_attribute_map": [entry]})

    assert result["accepted"]
    (warning,) = result["warnings"]
    assert warning.endswith(
        "mapped to the attribute group, is missing; the token has Groups, but names are case-sensitive."
    )


def test_key_set_verifies_by_kid() -> None:
    jwks = key_set(
        key_sets.keycloak_encryption(key(4), "encryption"),
        key_sets.okta(key(1), "k1"),
        {**key_sets.okta(key(0), "k0"), "alg": "RS512"},
        key_sets.okta(key(2), "k2"),
    )

    for number in (1, 2):
        result = evaluate(token(number, kid=f"k{number}"), jwks=jwks)
        assert (result["verified"], result["verified_by"], result["reasons"]) == (True, f"k{number}", [])
        assert evaluate(token(number), jwks=json.dumps(jwks))["verified_by"] == f"k{number}"
    for text, reason in (
        (token(1, kid="k9"), "has no key with the kid of the token"),
        (token(1, kid="k2"), "does not match the key of the JWKS with the kid"),
        (token(5), "no signing key of the JWKS verifies it"),
        (token(0, kid="k0"), "It is for RS512, but the token is signed with RS256."),
        (token(4, kid="encryption"), "cannot be used: The key is for encryption"),
        (token(4), "no signing key of the JWKS verifies it"),
    ):
        result = evaluate(text, jwks=jwks)
        assert (result["verified"], result["verified_by"], result["accepted"]) == (False, None, False)
        [sentence] = result["reasons"]
        assert reason in sentence
    assert evaluate(token(), jwks=key_set())["reasons"] == ["The JWKS is empty."]


def test_key_set_precedes_the_certificate_of_the_virtual_proxy() -> None:
    virtual_proxy = {"jwt_public_key_certificate": OTHER_PEM}
    jwks = key_set(key_sets.okta(key(), "k0"))

    assert evaluate(token(), virtual_proxy=virtual_proxy, jwks=jwks)["reasons"] == []


@pytest.mark.parametrize("algorithm", ["ES256", "HS256", "PS256", "none"])
def test_other_algorithms_are_reported_once(algorithm: str) -> None:
    if algorithm == "ES256":
        text = jwt.encode(USER, ec.generate_private_key(ec.SECP256R1()), algorithm)
    elif algorithm == "PS256":
        text = token(algorithm=algorithm)
    else:
        text = raw({"alg": algorithm}, USER)

    for options in ({}, {"certificate": PEM}, {"jwks": key_set(key_sets.okta(key(), "k"))}):
        result = evaluate(text, **options)
        assert result["verified"] is (False if options else None)
        [sentence] = result["reasons"]
        assert f"signed with {algorithm}" in sentence


REFUSED: dict[str, tuple[t.Any, dict[str, t.Any], str]] = {
    "nothing": ("", {}, "The token is empty."),
    "not text": (5, {}, "The token is a number, not text."),
    "null": (None, {}, "The token is null, not text."),
    "with Bearer": (f"Bearer {token()}", {}, "begins with the word Bearer"),
    "encrypted": ("a.b.c.d.e", {}, "encrypted (JWE)"),
    "not base64url": ("sec+ret.secret.c2ln", {}, "header of the token cannot be read"),
    "not JSON": (f"{token().split('.')[0]}.c2VjcmV0.c2ln", {}, "claims of the token cannot be read"),
    "an unknown option": (token(), {"certifcate": PEM}, "has no option certifcate"),
    "two things to verify with": (
        token(),
        {"certificate": PEM, "jwks": key_set()},
        "certificate and jwks are both set",
    ),
    "no certificate": (token(), {"certificate": "secret"}, "contains no certificate"),
    "a private key": (token(), {"certificate": key_sets.private_pem(key())}, "contains a private key"),
    "no key set": (token(), {"jwks": "secret"}, "The key set is not JSON"),
    "no virtual proxy": (token(), {"virtual_proxy": "portal"}, "virtual_proxy is not a dictionary"),
    "no attribute map": (
        token(),
        {"virtual_proxy": {"jwt_attribute_map": ["secret"]}},
        "jwt_attribute_map of the virtual proxy is not a list of dictionaries",
    ),
    "no audience": (token(), {"audience": 5}, "option audience is a number"),
    "no leeway": (token(), {"leeway": "60"}, "leeway is not a number"),
    "a negative leeway": (token(), {"leeway": -1}, "leeway is not a number"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_invalid_input_is_refused_and_not_quoted(case: str) -> None:
    text, options, sentence = REFUSED[case]

    with pytest.raises(AnsibleFilterError) as caught:
        evaluate(text, **options)

    message = str(caught.value)
    assert sentence in message
    assert "secret" not in message
    assert caught.value.__cause__ is None
    assert all(part not in message for part in str(text or "-").split(".") if len(part) > 5)


def test_blanks_and_empty_options_are_ignored() -> None:
    assert evaluate(f" {token()}\n", certificate=None, jwks=None, leeway=None)["accepted"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
CLAIMS = st.dictionaries(st.sampled_from(["exp", "nbf", "iat", "aud", "userId", "userDirectory", "x"]), JSON)
HEADERS = st.dictionaries(st.sampled_from(["alg", "kid", "typ"]), JSON | st.sampled_from(["RS256", "k1"]))


@settings(max_examples=100, deadline=None)
@given(HEADERS | JSON, CLAIMS | JSON)
def test_any_token_is_accepted_or_refused_without_an_exception(header: t.Any, claims: t.Any) -> None:
    for options in ({}, {"virtual_proxy": {"jwt_public_key_certificate": PEM, "jwt_audience": "qlik"}}):
        with contextlib.suppress(AnsibleFilterError):
            json.dumps(evaluate(raw(header, claims), jwks=key_set(key_sets.okta(key(), "k1")), **options))


@pytest.mark.parametrize(
    ("claims", "virtual_proxy", "words"),
    [
        ({"exp": (NOW + 600) * 1000}, {}, "The claim exp is in milliseconds"),
        ({"userId": "ACME\\anna"}, {}, "The claim userId, which is the user id, begins with the user directory."),
        (
            {"userId": "corp/anna", "userDirectory": None},
            {"jwt_attribute_user_directory": "[CORP]"},
            "begins with the user",
        ),
    ],
)
def test_accepted_tokens_can_have_a_warning(
    claims: dict[str, t.Any], virtual_proxy: dict[str, t.Any], words: str
) -> None:
    result = evaluate(token(**claims), virtual_proxy={"prefix": "jwt", **virtual_proxy})
    assert result["accepted"]
    [warning] = result["warnings"]
    assert words in warning


@pytest.mark.parametrize(
    ("signature", "reason"),
    [
        ("", "The signature of the token is missing or not base64url."),
        ("c2ln", "The signature of the token is cut off after 3 bytes."),
    ],
)
@pytest.mark.parametrize("options", [{}, {"virtual_proxy": {"prefix": "jwt"}}, {"certificate": PEM}, {"jwks": JWKS}])
def test_an_incomplete_signature_is_a_reason(signature: str, reason: str, options: dict[str, t.Any]) -> None:
    result = evaluate(f"{token().rpartition('.')[0]}.{signature}", **options)
    assert (result["reasons"], result["accepted"], bool(result["verified"])) == ([reason], False, False)


@pytest.mark.parametrize("name", ["nbf", "iat"])
def test_times_in_milliseconds_are_a_reason(name: str) -> None:
    [reason] = evaluate(raw({"alg": "RS256"}, {**USER, name: NOW * 1000}), virtual_proxy={"prefix": "jwt"})["reasons"]
    assert reason.startswith(f"The claim {name} is in milliseconds")


def test_file_name_as_the_certificate_is_named() -> None:
    with pytest.raises(AnsibleFilterError, match="certificate: This is the name of a file, not its content"):
        evaluate(token(), certificate="portal.pem")
