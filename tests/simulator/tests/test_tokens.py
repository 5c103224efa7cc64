# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Validation of tokens: all reasons to accept and to refuse one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import typing as t
import warnings

import pytest
from signing import certificate, ec_key, public_key, rsa_key, token

from qlik_sense_simulator.behaviors import Switches
from qlik_sense_simulator.proxy.identity import Identity, Refusal
from qlik_sense_simulator.proxy.tokens import judge_authorization, judge_token


def virtual_proxy(**fields: t.Any) -> dict[str, t.Any]:
    return {
        "jwtAttributeUserId": "userId",
        "jwtAttributeUserDirectory": "userDirectory",
        "jwtPublicKeyCertificate": certificate(),
        "jwtAudience": "",
        "jwtAttributeMap": [],
        **fields,
    }


def mapped(name: str, sense: str, *, mandatory: bool = False) -> dict[str, t.Any]:
    return {"jwtAttribute": name, "senseAttribute": sense, "isMandatory": mandatory}


def judge(text: str, *, switches: Switches | None = None, **fields: t.Any) -> Identity | Refusal:
    return judge_token(text, virtual_proxy(**fields), switches=switches or Switches())


ADA = Identity(user_directory="LAB", user_id="ada")


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512"])
def test_rsa_signatures_are_accepted(algorithm: str) -> None:
    assert judge(token(algorithm=algorithm)) == ADA


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(token(algorithm="PS256"), id="PS256"),
        pytest.param(token(algorithm="ES256", key=ec_key()), id="ES256"),
        pytest.param(token(algorithm="HS256", key="a secret that is long enough for it"), id="HS256"),
        pytest.param(token(algorithm="none"), id="none"),
    ],
)
def test_other_signatures_are_refused(text: str) -> None:
    assert judge(text) == Refusal("The signature algorithm is not supported.")


def test_certificate_as_shared_secret_is_refused() -> None:
    pem = certificate()

    def part(value: dict[str, t.Any]) -> bytes:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")

    signed = part({"alg": "HS256", "typ": "JWT"}) + b"." + part({"userId": "ada", "userDirectory": "LAB"})
    signature = base64.urlsafe_b64encode(hmac.new(pem.encode(), signed, hashlib.sha256).digest()).rstrip(b"=")
    assert isinstance(judge((signed + b"." + signature).decode(), jwtPublicKeyCertificate=pem), Refusal)


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        pytest.param({"exp": int(time.time()) - 120}, "The token has expired.", id="expired"),
        pytest.param({"nbf": int(time.time()) + 86_400}, "The token is not valid yet.", id="not yet valid"),
        pytest.param({"exp": "soon"}, "The token is malformed.", id="exp is no date"),
        pytest.param({"userId": None}, "The user id attribute is missing in the token.", id="no user id"),
        pytest.param({"userId": ""}, "The user id attribute is missing in the token.", id="empty user id"),
        pytest.param({"userId": " "}, "The user id attribute is missing in the token.", id="blank user id"),
        pytest.param({"userId": 7}, "The user id attribute is missing in the token.", id="numeric user id"),
        pytest.param({"userId": "\ud800"}, "The user id attribute is missing in the token.", id="half a character"),
        pytest.param({"userId": None, "userid": "ada"}, "The user id attribute is missing in the token.", id="case"),
        pytest.param(
            {"userDirectory": None}, "The user directory attribute is missing in the token.", id="no user directory"
        ),
        pytest.param(
            {"userDirectory": ["LAB"]}, "The user directory attribute is missing in the token.", id="list as directory"
        ),
    ],
)
def test_invalid_claims_are_refused(claims: dict[str, t.Any], reason: str) -> None:
    assert judge(token(**claims)) == Refusal(reason)


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"exp": None, "nbf": None}, id="no dates at all"),
        pytest.param({"iat": int(time.time()) + 600}, id="iat in the future"),
        pytest.param({"aud": "another service"}, id="an audience that is not required"),
        pytest.param({"iss": "any issuer"}, id="an issuer"),
        pytest.param({"sub": 5, "jti": 6}, id="numeric sub and jti"),
    ],
)
def test_unchecked_claims_are_accepted(claims: dict[str, t.Any]) -> None:
    assert judge(token(**claims)) == ADA


def test_foreign_key_is_refused() -> None:
    assert judge(token(key=rsa_key("theirs"))) == Refusal("The signature of the token is not valid.")


def test_changed_claims_are_refused() -> None:
    head, _payload, signature = token().split(".")
    other = token(userId="eve").split(".")[1]
    assert judge(f"{head}.{other}.{signature}") == Refusal("The signature of the token is not valid.")


@pytest.mark.parametrize(
    "text", ["", "x", "a.b", "a.b.c", "....", "\x00", "ä.ö.ü", "e30.e30.", "." * 100_000, "é" * 70_000]
)
def test_text_that_is_not_a_token_is_refused(text: str) -> None:
    assert isinstance(judge(text), Refusal)


def test_deeply_nested_claims_are_refused() -> None:
    nested = base64.urlsafe_b64encode(b"[" * 200_000).decode().rstrip("=")
    assert isinstance(judge(f"{nested}.{nested}.{nested}"), Refusal)


def test_dates_out_of_range_are_handled() -> None:
    assert judge(token(exp=10**30)) == ADA
    assert isinstance(judge(token(exp=-(10**30))), Refusal)


def test_encrypted_token_is_refused() -> None:
    assert judge("a.b.c.d.e") == Refusal("Encrypted tokens are not supported.")


@pytest.mark.parametrize("aud", ["us", ["them", "us"]])
def test_required_audience_is_accepted(aud: str | list[str]) -> None:
    assert judge(token(aud=aud), jwtAudience="us") == ADA


@pytest.mark.parametrize("aud", [None, "them"])
def test_missing_or_wrong_audience_is_refused(aud: str | None) -> None:
    assert judge(token(aud=aud), jwtAudience="us") == Refusal("The token is for another audience.")
    assert judge(token(aud=aud), jwtAudience="us", switches=Switches(enforce_audience=False)) == ADA


def test_mapped_attributes_keep_order_and_duplicates() -> None:
    verdict = judge(
        token(group=["Sales", "Ops", ""], level=3, vip=True, secret="not mapped", nothing=None),
        jwtAttributeMap=[mapped("vip", "vip"), mapped("group", "group"), mapped("level", "lvl"), mapped("gone", "x")],
    )
    assert isinstance(verdict, Identity)
    assert verdict.attributes == (("vip", "true"), ("group", "Sales"), ("group", "Ops"), ("lvl", "3"))


@pytest.mark.parametrize("value", [None, "", [], {"a": 1}])
def test_mandatory_attribute_without_value_is_refused(value: object) -> None:
    verdict = judge(token(group=value), jwtAttributeMap=[mapped("group", "group", mandatory=True)])
    assert verdict == Refusal("A mandatory attribute is missing in the token.")


def test_missing_mandatory_attribute_is_ignored_by_switch() -> None:
    fields = {"jwtAttributeMap": [mapped("group", "group", mandatory=True)]}
    assert judge(token(), switches=Switches(missing_mandatory_attribute="ignore"), **fields) == ADA


def test_directory_in_brackets_is_a_constant() -> None:
    verdict = judge(token(userDirectory=None), jwtAttributeUserDirectory="[LAB]")
    assert verdict == ADA
    assert isinstance(
        judge(token(), jwtAttributeUserDirectory="[LAB]", switches=Switches(bracket_constant=False)), Refusal
    )


def test_case_of_claim_names_depends_on_switch() -> None:
    fields: dict[str, t.Any] = {
        "jwtAttributeUserId": "UserID",
        "jwtAttributeMap": [mapped("GROUPS", "group", mandatory=True)],
    }
    text = token(groups=["ops"])
    assert isinstance(judge(text, **fields), Refusal)
    verdict = judge(text, switches=Switches(case_sensitive_claims=False), **fields)
    assert isinstance(verdict, Identity)
    assert (verdict.user_id, verdict.attributes) == ("ada", (("group", "ops"),))


def test_foreign_issuer_depends_on_switch() -> None:
    strict = Switches(refuse_foreign_issuer=True)
    issued = {name: certificate(issuer=name) for name in ("simulated-site-CA", "Another CA")}
    assert judge(token(), switches=strict) == ADA
    assert judge(token(), jwtPublicKeyCertificate=issued["simulated-site-CA"], switches=strict) == ADA
    assert judge(token(), jwtPublicKeyCertificate=issued["Another CA"]) == ADA
    assert isinstance(judge(token(), jwtPublicKeyCertificate=issued["Another CA"], switches=strict), Refusal)


def test_leeway_and_future_iat_depend_on_switches() -> None:
    late = token(exp=int(time.time()) - 20)
    assert isinstance(judge(late), Refusal)
    assert judge(late, switches=Switches(leeway_seconds=60)) == ADA
    early = token(iat=int(time.time()) + 100)
    assert judge(early, switches=Switches(refuse_future_iat=True)) == Refusal("The token is not valid yet.")


@pytest.mark.parametrize(
    "pem",
    [
        pytest.param("", id="none"),
        pytest.param(None, id="null"),
        pytest.param("not a certificate", id="text"),
        pytest.param("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", id="broken"),
        pytest.param(public_key(), id="bare public key"),
        pytest.param(certificate(ec_key()), id="elliptic curve"),
    ],
)
def test_unusable_certificate_refuses_tokens(pem: str | None) -> None:
    assert judge(token(), jwtPublicKeyCertificate=pem) == Refusal("The virtual proxy has no usable certificate.")


@pytest.mark.parametrize(
    "change", [lambda pem: pem.replace("\n", "\r\n"), lambda pem: pem.replace("\n", " "), str.strip]
)
def test_certificate_with_any_line_ending_works(change: t.Callable[[str], str]) -> None:
    assert judge(token(), jwtPublicKeyCertificate=change(certificate())) == ADA


def test_certificate_rules_depend_on_switches() -> None:
    assert judge(token(), jwtPublicKeyCertificate=public_key(), switches=Switches(accept_bare_public_key=True)) == ADA
    old = certificate(days=-1)
    assert judge(token(), jwtPublicKeyCertificate=old) == ADA
    strict = Switches(refuse_expired_certificate=True)
    assert judge(token(), jwtPublicKeyCertificate=old, switches=strict) == Refusal(
        "The certificate of the virtual proxy has expired."
    )


@pytest.mark.parametrize("scheme", ["Bearer", "BEARER", "bearer"])
def test_scheme_is_case_insensitive(scheme: str) -> None:
    assert judge_authorization(f"{scheme}  {token()}", virtual_proxy(), switches=Switches()) == ADA


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YTpi", token()])
def test_other_authorization_headers_are_refused(header: str) -> None:
    verdict = judge_authorization(header, virtual_proxy(), switches=Switches())
    assert verdict == Refusal("Expected a bearer token in the authentication header.")


def test_several_certificates_depend_on_switch() -> None:
    both = certificate() + certificate(rsa_key("other"))
    assert judge(token(), jwtPublicKeyCertificate=both) == ADA
    unusable = Refusal("The virtual proxy has no usable certificate.")
    assert judge(token(), jwtPublicKeyCertificate=both, switches=Switches(refuse_several_certificates=True)) == unusable
    short = rsa_key("short", bits=1024)
    with warnings.catch_warnings():
        # Newer PyJWT warns of such a key on either side.
        warnings.simplefilter("ignore")
        text, pem = token(key=short), certificate(short)
        assert judge(text, jwtPublicKeyCertificate=pem) == ADA
    assert judge(text, jwtPublicKeyCertificate=pem, switches=Switches(refuse_short_keys=True)) == unusable


def test_reserved_claims_depend_on_switch() -> None:
    assert judge(token(sub="ada", userId=None), jwtAttributeUserId="sub") == ADA
    verdict = judge(token(sub="ada"), jwtAttributeUserId="sub", switches=Switches(reserved_claims_work=False))
    assert verdict == Refusal("A reserved claim cannot name the user.")


def test_reason_has_no_part_of_the_token() -> None:
    text = token(key=rsa_key("theirs"), userId="mallory")
    verdict = judge(text)
    assert isinstance(verdict, Refusal)
    assert not any(part in verdict.reason for part in (*text.split("."), "mallory"))
