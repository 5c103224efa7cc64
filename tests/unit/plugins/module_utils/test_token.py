# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import datetime
import json
import subprocess
import sys
import typing as t

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.sensible.qlik.plugins.module_utils._errors import InputError
from ansible_collections.sensible.qlik.plugins.module_utils._keys import certificate as _certificate
from ansible_collections.sensible.qlik.plugins.module_utils._keys.jose import inspect_token
from ansible_collections.sensible.qlik.plugins.module_utils._tokens.verify import diagnose, mapping_warnings
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy.model import VirtualProxy

KEY = rsa.generate_private_key(65537, 2048)
NOW = 1_790_000_000
CLAIMS = {"userId": "alice", "userDirectory": "CORP", "iat": NOW - 60, "nbf": NOW - 60, "exp": NOW + 900}


def certificate_of(key: t.Any) -> str:
    name = x509.Name([])
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), start, start)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


CERTIFICATE = certificate_of(KEY)


def token_of(claims: dict[str, t.Any], algorithm: str = "RS256") -> str:
    return jwt.encode(claims, KEY, algorithm)


def unsigned(header: t.Any, claims: t.Any) -> str:
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, claims)]
    return ".".join([*parts, "A" * 342])


def without(name: str, **more: t.Any) -> dict[str, t.Any]:
    return {**{key: value for key, value in CLAIMS.items() if key != name}, **more}


def test_header_and_claims_are_shown_unverified() -> None:
    token = token_of(CLAIMS, "RS512")[:-4] + "AAAA"

    assert inspect_token(token) == {"header": {"alg": "RS512", "typ": "JWT"}, "claims": CLAIMS}


NO_TOKENS = {
    "": "The token is empty",
    "a.b": "three parts separated by dots; this one has 2",
    "a.b.c.d.e": "five parts, so it is encrypted",
    "Bearer " + token_of(CLAIMS): "begins with the word Bearer",
    "bearer": "begins with the word Bearer",
    unsigned([1], {}): "The header of the token cannot be read",
    unsigned({}, "text"): "The claims of the token cannot be read",
    "!!.e30.AAAA": "The header",
    "_v97AH0A.e30.AAAA": "The header",  # UTF-16
    "77u_e30.e30.AAAA": "The header",  # a byte order mark
    "e30.e3.AAAA": "The claims",
    "e30.é.AAAA": "The claims",
    "e30.e30.AAAA\n.": "contains a blank or a line break",
    f"'{token_of(CLAIMS)}'": "is in quotes",
    "[object Object]": "is the text of an object of JavaScript",
    "undefined": "is the text of an empty value",
    "{{ token }}": "is a template that was not resolved",
    '{"access_token": "x"}': "is JSON or a list",
}


@pytest.mark.parametrize("token", NO_TOKENS)
def test_other_texts_are_refused(token: str) -> None:
    with pytest.raises(InputError, match=NO_TOKENS[token]):
        inspect_token(token)
    assert len(diagnose(token, {})) == 1


@given(st.text(alphabet=".eyJAB0_-=é\n", max_size=40))
def test_any_invalid_text_has_a_reason(text: str) -> None:
    reasons = diagnose(text, {"jwt_public_key_certificate": CERTIFICATE}, now=NOW)

    assert reasons
    assert all(reason.endswith((".", "?")) for reason in reasons)


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512"])
@pytest.mark.parametrize(
    "virtual_proxy",
    [
        {},
        {"jwt_public_key_certificate": CERTIFICATE},
        {
            "jwt_public_key_certificate": CERTIFICATE.replace("\n", "\r\n"),
            "jwt_audience": "",
            "jwt_attribute_map": None,
        },
        {"jwt_attribute_user_id": "userId", "jwt_attribute_user_directory": "[CORP]", "jwt_attribute_map": []},
        {"jwt_attribute_map": [{"jwt_attribute": "groups", "sense_attribute": "group", "is_mandatory": False}]},
    ],
)
def test_a_valid_token_is_accepted(algorithm: str, virtual_proxy: dict[str, t.Any]) -> None:
    assert diagnose(token_of(CLAIMS, algorithm), virtual_proxy, now=NOW) == []


@pytest.mark.parametrize(
    ("claims", "virtual_proxy", "reason"),
    [
        ({**CLAIMS, "exp": NOW - 61}, {}, "The token expired 61 seconds ago."),
        ({**CLAIMS, "exp": NOW - 600}, {}, "The token expired 10 minutes ago."),
        ({**CLAIMS, "exp": NOW - 86400 * 9}, {}, "The token expired 9 days ago."),
        ({**CLAIMS, "exp": "tomorrow"}, {}, "The claim exp is not a number of seconds since 1970."),
        (
            {**CLAIMS, "nbf": NOW + 300},
            {},
            "The token becomes valid in 5 minutes; check the clocks of issuer and server.",
        ),
        (
            {**CLAIMS, "iat": NOW + 90},
            {},
            "The token was issued 90 seconds in the future; check the clocks of issuer and server.",
        ),
        (without("userId"), {}, "The token lacks the claim userId, which is the user id."),
        (
            without("userId", userid="a"),
            {},
            "The token lacks the claim userId, which is the user id; it has userid, but names are case-sensitive.",
        ),
        (
            {**CLAIMS, "dir": "CORP"},
            {"jwt_attribute_user_directory": "Dir"},
            "The token lacks the claim Dir, which is the user directory; it has dir, but names are case-sensitive.",
        ),
        ({**CLAIMS, "userId": 7}, {}, "The claim userId, which is the user id, is not text."),
        ({**CLAIMS, "userDirectory": " "}, {}, "The claim userDirectory, which is the user directory, is empty."),
        (CLAIMS, {"jwt_audience": "qlik"}, "The token has no audience (aud), but the virtual proxy requires one."),
        (
            {**CLAIMS, "aud": ["a", "b"]},
            {"jwt_audience": "qlik"},
            "The audience of the token (aud) is not the one of the virtual proxy.",
        ),
        (
            CLAIMS,
            {"jwt_attribute_map": [{"jwt_attribute": "groups", "sense_attribute": "group", "is_mandatory": True}]},
            "The token lacks the claim groups, which the virtual proxy requires.",
        ),
        (
            {**CLAIMS, "Groups": []},
            {"jwt_attribute_map": [{"jwt_attribute": "groups", "sense_attribute": "group", "is_mandatory": True}]},
            (
                "The token lacks the claim groups, which the virtual proxy requires; "
                "it has Groups, but names are case-sensitive."
            ),
        ),
    ],
)
def test_each_reason_is_reported(claims: dict[str, t.Any], virtual_proxy: dict[str, t.Any], reason: str) -> None:
    settings = {"jwt_public_key_certificate": CERTIFICATE, **virtual_proxy}

    assert diagnose(token_of(claims), settings, now=NOW) == [reason]


@pytest.mark.parametrize("claims", [{**CLAIMS, "aud": "qlik"}, {**CLAIMS, "aud": ["other", "qlik"]}])
def test_an_audience_may_be_one_of_several(claims: dict[str, t.Any]) -> None:
    assert diagnose(token_of(claims), {"jwt_audience": "qlik"}, now=NOW) == []


@pytest.mark.parametrize(("leeway", "count"), [(0, 2), (29, 2), (31, 0), (60, 0)])
def test_clocks_may_differ_by_the_leeway(leeway: float, count: int) -> None:
    token = token_of({**CLAIMS, "exp": NOW - 30, "nbf": NOW + 30})

    assert len(diagnose(token, {}, now=NOW, leeway=leeway)) == count


def test_default_time_is_the_local_clock() -> None:
    assert diagnose(token_of({**CLAIMS, "exp": 1_000_000_000}), {})[0].startswith("The token expired")


def test_foreign_key_or_changed_token_is_refused() -> None:
    other = certificate_of(rsa.generate_private_key(65537, 2048))
    header, _claims, signature = token_of(CLAIMS).split(".")
    altered = ".".join([header, token_of({**CLAIMS, "userId": "admin"}).split(".")[1], signature])

    for token, certificate in (
        (token_of(CLAIMS), other),
        (altered, CERTIFICATE),
        (token_of(CLAIMS) + "A", CERTIFICATE),
    ):
        reasons = diagnose(token, {"jwt_public_key_certificate": certificate}, now=NOW)
        assert len(reasons) == 1
        assert "does not match the certificate" in reasons[0]
        assert str(_certificate.fingerprint(certificate)) in reasons[0]


@pytest.mark.parametrize("more", [{"crit": ["exp"]}, {"crit": ["b64"], "b64": False}])
def test_an_unknown_critical_extension_is_refused(more: dict[str, t.Any]) -> None:
    reasons = diagnose(unsigned({"alg": "RS256", **more}, CLAIMS), {}, now=NOW)

    assert len(reasons) == 1
    assert "requires an extension (crit)" in reasons[0]


@pytest.mark.parametrize("algorithm", ["HS256", "none", "ES256", "PS256", None, 5])
def test_other_algorithms_are_refused(algorithm: t.Any) -> None:
    reasons = diagnose(unsigned({"alg": algorithm}, CLAIMS), {"jwt_public_key_certificate": CERTIFICATE}, now=NOW)

    assert reasons == [f"The token is signed with {algorithm}; Qlik Sense accepts RS256, RS384, RS512 only."]


@pytest.mark.parametrize(
    ("certificate", "sentence"),
    [
        ("nonsense", "contains no certificate"),
        (certificate_of(ec.generate_private_key(ec.SECP256R1())), "of the type EC"),
    ],
)
def test_an_unusable_certificate_is_a_reason(certificate: str, sentence: str) -> None:
    (reason,) = diagnose(token_of(CLAIMS), {"jwt_public_key_certificate": certificate}, now=NOW)

    assert reason.startswith("The certificate of the virtual proxy cannot be used: ")
    assert sentence in reason


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**400, True, None, [1]])
def test_invalid_times_are_reasons(value: t.Any) -> None:
    reasons = diagnose(unsigned({"alg": "RS256"}, {**CLAIMS, "exp": value, "nbf": value}), {}, now=NOW)

    expected = [f"The claim {name} is not a number of seconds since 1970." for name in ("exp", "nbf")]
    assert reasons == ([] if value is None else expected)


def test_all_reasons_are_reported_together() -> None:
    token = token_of({"userid": "alice", "exp": NOW - 3600})

    assert len(diagnose(token, {"jwt_audience": "qlik"}, now=NOW)) == 4


@pytest.mark.parametrize(
    ("claims", "claim", "problem"),
    [
        ({"groups": ["a", "b"]}, "groups", ""),
        ({"groups": []}, "groups", ""),
        ({"groups": "a"}, "groups", ""),
        ({"groups": "CN=Board,OU=Groups"}, "groups", ""),
        (
            {"groups": "a, b"},
            "groups",
            "is one text with commas or semicolons, which is one value; several values must be a list.",
        ),
        (
            {"groups": "a;b"},
            "groups",
            "is one text with commas or semicolons, which is one value; several values must be a list.",
        ),
        ({"groups": None}, "groups", "is null."),
        ({"groups": {"a": 1}}, "groups", "contains an object or a list in a list instead of texts."),
        ({"groups": [{"name": "a"}]}, "groups", "contains an object or a list in a list instead of texts."),
        ({}, "groups", "is missing."),
        ({"Groups": ["a"]}, "groups", "is missing; the token has Groups, but names are case-sensitive."),
        (
            {"realm_access": {"roles": ["a"]}},
            "realm_access.roles",
            "is missing; the token has realm_access.roles, and only claims at the top level are mapped.",
        ),
        (
            {"exp": 5, "resource_access": {"qlik": {"roles": ["a"]}}},
            "roles",
            "is missing; the token has resource_access.qlik.roles, and only claims at the top level are mapped.",
        ),
    ],
)
def test_unusable_mapped_claims_cause_warnings(claims: dict[str, t.Any], claim: str, problem: str) -> None:
    entry = {"jwt_attribute": claim, "sense_attribute": "group", "is_mandatory": False}
    virtual_proxy = VirtualProxy({"jwt_attribute_map": [entry, entry]})

    sentence = f"The claim {claim}, which is mapped to the attribute group, {problem}"
    assert mapping_warnings(claims, virtual_proxy) == ([sentence] if problem else [])


def test_a_missing_mandatory_claim_is_a_reason() -> None:
    entry = {"jwt_attribute": "groups", "sense_attribute": "group", "is_mandatory": True}

    assert mapping_warnings({}, VirtualProxy({"jwt_attribute_map": [entry]})) == []
    assert mapping_warnings({}, VirtualProxy({})) == []


def test_reading_a_token_needs_no_library() -> None:
    script = (
        "import sys; from ansible_collections.sensible.qlik.plugins.module_utils._tokens import verify as _token\n"
        "assert not _token.diagnose(sys.stdin.read(), {}, now=1790000000)\n"
        "sys.exit(bool({'jwt', 'cryptography'} & set(sys.modules)))"
    )
    environment = {"PYTHONPATH": ":".join(sys.path)}
    subprocess.run([sys.executable, "-c", script], input=token_of(CLAIMS), text=True, check=True, env=environment)
