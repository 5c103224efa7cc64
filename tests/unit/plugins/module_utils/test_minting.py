# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import datetime
import json
import re
import typing as t

import jwt
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.sensible.qlik.plugins.module_utils._errors import InputError
from ansible_collections.sensible.qlik.plugins.module_utils._keys.private_key import thumbprint
from ansible_collections.sensible.qlik.plugins.module_utils._tokens.mint import (
    Recipe,
    minter,
    plain,
    require_algorithm,
    seconds,
)

KEY = rsa.generate_private_key(65537, 2048)
NOW = 1_790_000_000
TIMES = {"iat": NOW - 60, "nbf": NOW - 60, "exp": NOW + 900}


def claims_of(user: t.Any, **options: t.Any) -> dict[str, t.Any]:
    return Recipe(**options).claims_of(user, now=NOW)


# ---- Durations


@given(
    number=st.integers(-1000, 1000),
    unit=st.sampled_from([("", 1), ("s", 1), ("m", 60), ("h", 3600), ("d", 86400), ("w", 604800)]),
    blanks=st.sampled_from(["", " ", "  "]),
    plus=st.booleans(),
)
def test_a_duration_is_a_number_and_a_unit(number: int, unit: tuple[str, int], blanks: str, plus: bool) -> None:
    text = f"{'+' if plus and number >= 0 else ''}{number}{blanks}{unit[0]}"

    assert seconds(text, option="expires_in") == number * unit[1]


@given(st.text(max_size=12))
def test_any_other_text_is_refused_and_not_repeated(text: str) -> None:
    if re.fullmatch(r"[+-]?[0-9]+\s*[smhdw]?", text.strip()):
        return

    with pytest.raises(InputError) as caught:
        seconds(text, option="expires_in")

    assert str(caught.value) == (
        "The value of expires_in is not a duration."
        " Give seconds, or a whole number with a unit: 90s, 15m, 48h, 365d or 52w."
    )


@pytest.mark.parametrize(
    "value", [True, 1.5, None, [], "", "15 minutes", "1h30m", "0x10", "1e3", "\u0661\u0665m", 10**10, "99999w"]
)
def test_invalid_durations_are_refused(value: t.Any) -> None:
    with pytest.raises(InputError, match="backdate is not a duration"):
        seconds(value, option="backdate")


def test_a_number_is_seconds() -> None:
    assert seconds(90, option="expires_in") == 90


# ---- Algorithms


def test_rs_algorithms_are_accepted() -> None:
    assert [require_algorithm(name) for name in ("RS256", "RS384", "RS512")] == ["RS256", "RS384", "RS512"]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("ES256", "does not accept the algorithm ES256"),
        ("PS512", "does not accept the algorithm PS512"),
        ("HS256", "does not accept the algorithm HS256"),
        ("EdDSA", "does not accept the algorithm EDDSA"),
        ("none", "does not accept the algorithm NONE"),
        ("RSA-OAEP-256", r"encrypted tokens \(JWE\)"),
        ("A256GCM", r"encrypted tokens \(JWE\)"),
        ("dir", r"encrypted tokens \(JWE\)"),
        ("rs256", "written in capitals"),
        ("my secret", "not the name of a signature algorithm"),
    ],
)
def test_other_algorithms_are_refused(name: t.Any, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence) as caught:
        require_algorithm(name)

    assert "my secret" not in str(caught.value)
    assert caught.value.hint == "Use RS256, RS384 or RS512, with an RSA key."


# ---- Claims


def test_default_claims_have_a_fixed_order() -> None:
    assert list(claims_of("CORP\\alice").items()) == [
        ("userId", "alice"),
        ("userDirectory", "CORP"),
        ("iat", NOW - 60),
        ("nbf", NOW - 60),
        ("exp", NOW + 900),
    ]


@pytest.mark.parametrize(
    ("user", "options", "expected"),
    [
        ("alice", {"user_directory": "CORP"}, {"userId": "alice", "userDirectory": "CORP"}),
        ("SALES\\alice", {"user_directory": "CORP"}, {"userId": "alice", "userDirectory": "SALES"}),
        ("CORP\\\\alice", {}, {"userId": "alice", "userDirectory": "CORP"}),
        ("alice smith", {"user_directory": "CORP"}, {"userId": "alice smith", "userDirectory": "CORP"}),
        ("CORP\\Zoë", {}, {"userId": "Zoë", "userDirectory": "CORP"}),
        ({"user": "CORP\\alice"}, {}, {"userId": "alice", "userDirectory": "CORP"}),
        ({"user": "alice", "user_directory": "B"}, {"user_directory": "A"}, {"userId": "alice", "userDirectory": "B"}),
        ({"user": "B\\alice", "user_directory": "b"}, {}, {"userId": "alice", "userDirectory": "B"}),
        ({"user_id": "alice"}, {"user_directory": "CORP"}, {"userId": "alice", "userDirectory": "CORP"}),
        (
            {"claims": {"userId": "alice", "userDirectory": "CORP", "age": 5}},
            {},
            {"userId": "alice", "userDirectory": "CORP", "age": 5},
        ),
        ("alice", {"jwt_attribute_user_directory": "[CORP]"}, {"userId": "alice"}),
        ("corp\\alice", {"jwt_attribute_user_directory": "[CORP]"}, {"userId": "alice"}),
        (
            "CORP\\alice",
            {"jwt_attribute_user_id": "uid", "jwt_attribute_user_directory": "dir"},
            {"uid": "alice", "dir": "CORP"},
        ),
        ("CORP\\alice", {"jwt_attribute_user_id": "sub"}, {"sub": "alice", "userDirectory": "CORP"}),
        (
            "CORP\\a@b",
            {"jwt_attribute_user_id": "email", "email": "a@b"},
            {"email": "a@b", "userDirectory": "CORP"},
        ),
    ],
)
def test_user_and_directory_are_claims(user: t.Any, options: dict[str, t.Any], expected: dict[str, t.Any]) -> None:
    assert claims_of(user, **options) == {**expected, **TIMES}


def test_attributes_of_a_user_are_claims() -> None:
    claims = claims_of(
        "CORP\\alice",
        name="Alice",
        email="alice@example.com",
        groups=["sales", "CN=Board,OU=Groups"],
        groups_claim="group",
        claims={"region": "north", "levels": [1, 2.5, None, {"x": True}], "iss": "https://issuer"},
        audience="qlik",
    )

    assert claims == {
        "userId": "alice",
        "userDirectory": "CORP",
        "region": "north",
        "levels": [1, 2.5, None, {"x": True}],
        "iss": "https://issuer",
        "name": "Alice",
        "email": "alice@example.com",
        "aud": "qlik",
        "group": ["sales", "CN=Board,OU=Groups"],
        **TIMES,
    }


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"groups": "CN=Board,OU=Groups"}, {"groups": ["CN=Board,OU=Groups"]}),
        ({"groups": []}, {}),
        ({"name": "", "email": "", "groups": "", "audience": ""}, {}),
        ({"audience": ["a", "b"]}, {"aud": ["a", "b"]}),
        ({"audience": ["a"]}, {"aud": "a"}),
    ],
)
def test_a_claim_has_one_several_or_no_values(options: dict[str, t.Any], expected: dict[str, t.Any]) -> None:
    assert claims_of("C\\a", **options) == {"userId": "a", "userDirectory": "C", **expected, **TIMES}


def test_options_of_a_user_precede_common_options() -> None:
    recipe = Recipe(user_directory="CORP", name="Default", expires_in="1h", claims={"region": "north", "level": 1})

    special = recipe.claims_of(
        {"user_id": "bob", "name": "Bob", "expires_in": "5m", "backdate": 0, "claims": {"level": 2}, "email": None},
        now=NOW,
    )

    assert special == {
        "userId": "bob", "userDirectory": "CORP", "region": "north", "level": 2, "name": "Bob",
        "iat": NOW, "nbf": NOW, "exp": NOW + 300,
    }  # fmt: skip
    assert recipe.claims_of("alice", now=NOW) == {
        "userId": "alice", "userDirectory": "CORP", "region": "north", "level": 1, "name": "Default",
        "iat": NOW - 60, "nbf": NOW - 60, "exp": NOW + 3600,
    }  # fmt: skip


@given(expires_in=st.integers(-(10**7), 10**7), backdate=st.integers(-(10**7), 10**7))
def test_times_are_in_order(expires_in: int, backdate: int) -> None:
    claims = claims_of("C\\a", expires_in=expires_in, backdate=backdate)

    assert claims["iat"] <= claims["nbf"] < claims["exp"]
    assert claims["iat"] <= NOW
    assert (claims["exp"] > NOW) or expires_in <= 0
    if expires_in > 0:
        assert claims["nbf"] == NOW - backdate
        assert claims["exp"] == max(NOW, claims["nbf"]) + expires_in
    elif backdate >= 0:
        assert claims["exp"] == NOW + expires_in


@pytest.mark.parametrize(
    ("user", "options", "sentence"),
    [
        ("alice", {}, "No user directory is given"),
        ({}, {"user_directory": "C"}, "No user id is given"),
        ({"user_directory": "C"}, {}, "No user id is given"),
        ("", {"user_directory": "C"}, "The user id is empty"),
        ("CORP\\", {}, "The user id is empty"),
        ("\\alice", {}, "The user directory is empty"),
        ("alice", {"user_directory": ""}, "The user_directory is empty"),
        ("CORP\\\\\\alice", {}, "an additional backslash"),
        ("CORP\\alice\\", {}, "an additional backslash"),
        ({"user_id": "CORP\\alice"}, {"user_directory": "C"}, "an additional backslash"),
        ("CORP\talice", {"user_directory": "C"}, "a control character"),
        ("CORP\\alice ", {}, "a blank at its beginning or end"),
        ("CORP\\ali\u202ece", {}, "a control character"),
        (1001, {"user_directory": "C"}, "The user is a number"),
        (None, {"user_directory": "C"}, "The user is null"),
        (True, {"user_directory": "C"}, "The user is a boolean"),
        ({"user_id": 1001}, {"user_directory": "C"}, "The user id is a number"),
        ({"user": "C\\a", "user_id": "a"}, {}, "both user and user_id"),
        ({"user": "C\\a", "user_directory": "D"}, {}, "two different user directories"),
        ({"user": "C\\a", "roles": []}, {}, "unknown fields: roles"),
        ({"user": "C\\a", "algorithm": "RS512"}, {}, "unknown fields: algorithm"),
        ({"user": "C\\a", "claims": []}, {"claims": {"a": 1}}, "claims is not a dictionary"),
        ({"user": "C\\a", "expires_in": "soon"}, {}, "expires_in is not a duration"),
        ("D\\a", {"jwt_attribute_user_directory": "[C]"}, "differs from the fixed directory of the virtual proxy"),
        ("C\\a", {"claims": {"userId": "b"}}, "two different values for the claim userId"),
        ("C\\a", {"claims": {"name": "b"}, "name": "c"}, "two different values for the claim name"),
        ("C\\a", {"claims": {"exp": 1}}, "The claim exp cannot be set in claims. Set expires_in"),
        ("C\\a", {"claims": {"aud": "x"}}, "The claim aud cannot be set in claims. Set audience"),
        ("C\\a", {"claims": {"iss": 5}}, "The claim iss is a number"),
        ("C\\a", {"claims": {1: 5}}, "name of a claim is a number"),
        ("C\\a", {"claims": {"day": datetime.date(2026, 1, 1)}}, "contain a date that is not a JSON value"),
        ("C\\a", {"claims": {"x": float("nan")}}, "contain a number that is not a JSON value"),
        ("C\\a", {"claims": "x"}, "claims is not a dictionary"),
        ("C\\a", {"groups": [1]}, "The groups is a number"),
        ("C\\a", {"name": 5}, "The name is a number"),
        ("C\\a", {"email": ["a@b", "c@d"]}, "The email is a list"),
        ({"user": "C\\a", "_common": {}}, {}, "unknown fields: _common"),
        ("C\\a", {"jwt_attribute_user_id": "exp"}, "jwt_attribute_user_id is the claim"),
        ("C\\a", {"jwt_attribute_user_directory": "iss"}, "jwt_attribute_user_directory is the claim"),
        ("C\\a", {"groups_claim": "aud"}, "groups_claim is the claim"),
        ("C\\a", {"jwt_attribute_user_id": " "}, "jwt_attribute_user_id is empty"),
        ("C\\a", {"jwt_attribute_user_id": "x", "jwt_attribute_user_directory": "x"}, "have the same name"),
    ],
)  # fmt: skip
def test_invalid_claims_are_refused(user: t.Any, options: dict[str, t.Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        claims_of(user, **options)


def test_a_secret_in_place_of_a_name_is_not_quoted() -> None:
    for user in ("hunter-2\n", {"hunter-2": 1}, {"user": "C\\hunter-2\n"}, {"user_id": "hunter-2 "}):
        with pytest.raises(InputError) as caught:
            claims_of(user)
        assert "hunter-2" not in str(caught.value)


class Text(str):
    """A subclass of str, as ansible-core 2.19 and later use."""


def test_subclasses_become_plain_json_types() -> None:
    result = plain({Text("a"): [Text("b"), (1, 2)]})

    assert result == {"a": ["b", [1, 2]]}
    assert [key.__class__ for key in (*result, *result["a"])] == [str, str, list]


# ---- Tokens


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512"])
def test_tokens_are_accepted_by_other_libraries(algorithm: str) -> None:
    claims = {"userId": "Zoë", "userDirectory": "CORP", "groups": ["a"]}

    token = minter(KEY, algorithm=algorithm)(claims)

    assert jwt.decode(token, KEY.public_key(), algorithms=[algorithm]) == claims
    assert jwt.get_unverified_header(token) == {"alg": algorithm, "typ": "JWT", "kid": thumbprint(KEY)}
    content, _dot, signature = token.rpartition(".")
    digest = {"RS256": hashes.SHA256(), "RS384": hashes.SHA384(), "RS512": hashes.SHA512()}[algorithm]
    KEY.public_key().verify(base64.urlsafe_b64decode(signature + "=="), content.encode(), PKCS1v15(), digest)


def test_invalid_utf_8_is_accepted_in_claims() -> None:
    claims = {"userId": "Zoë", "n": [1, {"x": None}], "name": "not \udcff UTF-8"}

    payload = minter(KEY)(claims).split(".")[1]

    assert json.loads(base64.urlsafe_b64decode(payload + "==")) == claims


@pytest.mark.parametrize(("key_id", "expected"), [(None, {}), ("", {}), ("my key", {"kid": "my key"})])
def test_key_id_is_set_or_omitted(key_id: str | None, expected: dict[str, str]) -> None:
    token = minter(KEY, key_id=key_id)({})

    header = json.loads(base64.urlsafe_b64decode(token.partition(".")[0] + "=="))
    assert header == {"alg": "RS256", "typ": "JWT", **expected}


def test_a_minter_refuses_other_algorithms() -> None:
    with pytest.raises(InputError, match="ES256"):
        minter(KEY, algorithm="ES256")
