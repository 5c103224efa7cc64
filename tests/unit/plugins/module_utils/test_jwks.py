# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import typing as t

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.sensible.qlik.plugins.module_utils._errors import InputError
from ansible_collections.sensible.qlik.plugins.module_utils._keys import jwks as _jwks
from ansible_collections.sensible.qlik.plugins.module_utils._keys.certificate import fingerprint
from ansible_collections.sensible.qlik.tests.unit.plugins import key_sets
from ansible_collections.sensible.qlik.tests.unit.plugins.key_sets import key, key_set

# RFC 7638, 3.1: the example and its thumbprint.
RFC7638 = {
    "kty": "RSA",
    "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3"
    "oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6q"
    "MQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzK"
    "nqDKgw",
    "e": "AQAB",
    "alg": "RS256",
    "kid": "2011-04-29",
}


def read_one(jwk: t.Any) -> _jwks.Key:
    [result] = _jwks.read(key_set(jwk))
    return result


def test_thumbprint_equals_the_example_in_rfc_7638() -> None:
    one = read_one(RFC7638)

    assert (one.kid, one.thumbprint) == ("2011-04-29", "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")
    assert one.reasons == []


@pytest.mark.parametrize("provider", ["okta", "auth0", "keycloak", "entra"])
def test_signing_key_of_each_provider_is_usable(provider: str) -> None:
    one = read_one(getattr(key_sets, provider)(key(), "k1"))

    assert (one.kid, one.use, one.reasons, one.warnings) == ("k1", "sig", [], [])
    assert one.public_key == key().public_key()
    assert one.algorithms == (["RS256", "RS384", "RS512"] if provider == "entra" else ["RS256"])
    assert (one.certificate is None) == (provider == "okta")


def test_certificate_of_the_provider_is_kept() -> None:
    one = read_one(key_sets.keycloak(key(), "k1"))

    assert one.certificate == key_sets.pem(key_sets.certificate(key()))


SIGNING = key_sets.okta(key(), "k1")
WITHOUT = {name: {k: v for k, v in SIGNING.items() if k != name} for name in SIGNING}
PSS = key_sets.restricted_to_pss(key_sets.certificate(key()))
# What an entry is, and its reason; the reason is the only one unless it begins with "+".
UNUSABLE: dict[str, tuple[t.Any, str]] = {
    "not an object": ("k1", "not a JSON object"),
    "null": (None, "not a JSON object"),
    "an empty object": ({}, "has no kty"),
    "without kty": (WITHOUT["kty"], "has no kty"),
    "kty is null": ({**SIGNING, "kty": None}, "has no kty"),
    "kty is a number": ({**SIGNING, "kty": 1}, "kty is not text"),
    "EC": (key_sets.elliptic("k1"), "type EC"),
    "OKP": ({"kty": "OKP", "crv": "Ed25519", "x": "AAAA", "kid": "k1"}, "type OKP"),
    "symmetric": ({"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQ", "kid": "k1"}, "+private key"),
    "private": ({**SIGNING, **key_sets.private_numbers(key())}, "private key"),
    "for encryption": (key_sets.keycloak_encryption(key(), "k1"), "for encryption"),
    "another use": ({**SIGNING, "use": "tls"}, "not for signatures"),
    "use is a list": ({**SIGNING, "use": ["sig"]}, "use is not text"),
    "PS256": ({**SIGNING, "alg": "PS256"}, "is for PS256"),
    "RSA-OAEP without use": ({**WITHOUT["use"], "alg": "RSA-OAEP"}, "is for RSA-OAEP"),
    "alg is a number": ({**SIGNING, "alg": 256}, "alg is not text"),
    "other operations": ({**SIGNING, "key_ops": ["encrypt"]}, "key_ops"),
    "operations are no list": ({**SIGNING, "key_ops": "verify"}, "key_ops"),
    "PSS": (
        {**SIGNING, "x5c": ["".join(PSS.splitlines()[1:-1])]},
        "The key is restricted to RSASSA-PSS (PS256, PS384, PS5",
    ),
    "short": (key_sets.okta(key(bits=1024), "k1"), "1024 bits"),
    "n is missing": (WITHOUT["n"], "The n of the RSA key is missing"),
    "e is missing": (WITHOUT["e"], "The e of the RSA key is missing"),
    "n is not base64url": ({**SIGNING, "n": "!!!"}, "The n of the RSA key is not a number"),
    "n has an impossible length": ({**SIGNING, "n": "AAAAA"}, "The n of the RSA key is not a number"),
    "n is empty": ({**SIGNING, "n": ""}, "The n of the RSA key is not a number"),
    "n is a number": ({**SIGNING, "n": 12345}, "The n of the RSA key is not a number"),
    "n is even": ({**SIGNING, "n": key_sets.number(2**2047)}, "not valid for an RSA key"),
    "n is tiny": ({**SIGNING, "n": "Aw"}, "not valid for an RSA key"),
    "n is huge": ({**SIGNING, "n": key_sets.number(2**20000 + 1)}, "not valid for an RSA key"),
    "e is even": ({**SIGNING, "e": "Ag"}, "not valid for an RSA key"),
    "e is one": ({**SIGNING, "e": "AQ"}, "not valid for an RSA key"),
    "kid is a number": ({**SIGNING, "kid": 7}, "kid is not a printable text"),
    "kid has a line end": ({**SIGNING, "kid": "a\nb"}, "kid is not a printable text"),
    "kid is half a character": ({**SIGNING, "kid": "\ud800"}, "kid is not a printable text"),
    "kid is endless": ({**SIGNING, "kid": "k" * 257}, "kid is not a printable text"),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_unusable_keys_are_reported_and_others_are_used(case: str) -> None:
    entry, reason = UNUSABLE[case]
    good = key_sets.auth0(key(1), "good")

    keys = {one.kid: one for one in _jwks.read(key_set(entry, good))}

    assert keys.pop("good").reasons == []
    [bad] = keys.values()
    assert any(reason.lstrip("+") in sentence for sentence in bad.reasons)
    assert reason.startswith("+") or len(bad.reasons) == 1


def _of_version_6() -> str:
    der = base64.b64decode(key_sets.x5c(key_sets.certificate(key()))["x5c"][0])
    return base64.b64encode(der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x05")).decode()


UNUSABLE_CERTIFICATES: dict[str, tuple[t.Any, str]] = {
    "x5c is no list": ({**SIGNING, "x5c": "MIIC"}, "does not begin with a certificate"),
    "x5c is empty": ({**SIGNING, "x5c": []}, "does not begin with a certificate"),
    "x5c is not text": ({**SIGNING, "x5c": [["a"]]}, "does not begin with a certificate"),
    "x5c is no base64": ({**SIGNING, "x5c": ["%%%"]}, "does not begin with a certificate"),
    "x5c is no certificate": ({**SIGNING, "x5c": ["c29tZXRoaW5n"]}, "does not begin with a certificate"),
    "x5c is PEM": ({**SIGNING, "x5c": [key_sets.pem(key_sets.certificate(key()))]}, "does not begin with"),
    "x5c of an unknown version": ({**SIGNING, "x5c": [_of_version_6()]}, "does not begin with a certificate"),
    "x5c of another key": ({**SIGNING, **key_sets.x5c(key_sets.certificate(key(1)))}, "belongs to another key"),
}


def test_bad_certificate_does_not_hide_other_keys() -> None:
    document = key_set(*(entry for entry, _warning in UNUSABLE_CERTIFICATES.values()), key_sets.auth0(key(1), "good"))

    keys = _jwks.read(document)

    assert len(keys) == len(UNUSABLE_CERTIFICATES) + 1
    assert [one.certificate is not None for one in keys if one.kid == "good"] == [True]


@pytest.mark.parametrize("case", UNUSABLE_CERTIFICATES)
def test_a_certificate_of_another_key_is_ignored(case: str) -> None:
    entry, warning = UNUSABLE_CERTIFICATES[case]

    one = read_one(entry)

    assert (one.certificate, one.reasons) == (None, [])
    assert [warning in sentence for sentence in one.warnings] == [True]


@pytest.mark.parametrize("name", ["use", "alg", "kid"])
def test_optional_members_may_be_missing(name: str) -> None:
    one = read_one(WITHOUT[name])

    assert one.reasons == []
    assert one.kid == (one.thumbprint if name == "kid" else "k1")


def test_padding_and_leading_zeros_change_nothing() -> None:
    n = key().public_key().public_numbers().n
    padded = {**SIGNING, "n": key_sets.base64url(b"\0" + n.to_bytes(256, "big")), "e": "AAEAAQ=="}

    assert read_one(padded) == read_one(SIGNING)


def test_numbers_in_plain_base64_are_read() -> None:
    plain = {**SIGNING, "n": SIGNING["n"].replace("-", "+").replace("_", "/")}

    assert plain["n"] != SIGNING["n"]
    assert read_one(plain) == read_one(SIGNING)


NO_KEY_SET: dict[str, tuple[t.Any, str]] = {
    "nothing": ("", "empty text"),
    "None": (None, "not a JSON object"),
    "a page": ("<!DOCTYPE html><html>", "HTML or XML page"),
    "PEM": ("-----BEGIN CERTIFICATE-----", "The key set is PEM"),
    "cut off": ('{"keys": [{"kty": "RSA"', "The key set is not JSON"),
    "too deep": ("[" * 100_000, "The key set is not JSON"),
    "a list": ([], "not a JSON object"),
    "a text": ('"keys"', "not a JSON object"),
    "no keys": ({}, "no member keys"),
    "keys is an object": ({"keys": {}}, "not a list"),
    "keys is null": ('{"keys": null}', "not a list"),
    "a single key": (SIGNING, "a single key"),
    "the configuration": ({"issuer": "x", "jwks_uri": "https://x/keys"}, "configuration"),
}


@pytest.mark.parametrize("case", NO_KEY_SET)
def test_other_documents_are_refused(case: str) -> None:
    document, sentence = NO_KEY_SET[case]

    with pytest.raises(InputError, match=sentence):
        _jwks.read(document)


def test_a_byte_order_mark_is_accepted() -> None:
    assert _jwks.read("\ufeff" + json.dumps(key_set(SIGNING))) == [read_one(SIGNING)]


def test_results_do_not_depend_on_the_order_of_keys() -> None:
    entries = [
        key_sets.okta(key(), "b"),
        key_sets.keycloak(key(), "b"),
        key_sets.auth0(key(1), "a"),
        key_sets.elliptic("c"),
        "rubbish",
    ]
    first = _jwks.read(key_set(*entries))

    assert [one.kid for one in first] == ["", "a", "b", "b", "c"]
    for order in itertools.permutations(entries):
        assert _jwks.read(key_set(*order)) == first


def test_duplicate_entries_are_used_once() -> None:
    first, second = _jwks.read(key_set(key_sets.okta(key(), "k"), key_sets.keycloak(key(), "k")))

    assert first.reasons == []
    assert first.certificate is not None
    assert second.reasons == ["The key is listed more than once; the other entry is used."]


def test_duplicate_kids_cause_warnings() -> None:
    same_kid = _jwks.read(key_set(key_sets.okta(key(), "k"), key_sets.okta(key(1), "k")))
    same_key = _jwks.read(key_set(key_sets.okta(key(), "k"), key_sets.okta(key(), "l")))
    other_kind = _jwks.read(key_set(key_sets.okta(key(), "k"), key_sets.elliptic("k")))

    for keys, warning in ((same_kid, "Another key has the same kid"), (same_key, "under another kid")):
        for one in keys:
            assert one.reasons == []
            assert [warning in sentence for sentence in one.warnings] == [True]
    assert all(one.warnings == [] for one in other_kind)


def test_private_keys_are_reported_and_not_returned() -> None:
    private = key_sets.private_numbers(key())
    document = key_set({**SIGNING, **private})

    assert _jwks.holds_private_key(_jwks.parse(document))
    assert not _jwks.holds_private_key(_jwks.parse(key_set(SIGNING)))
    for value in private.values():
        assert value not in repr(_jwks.read(document))


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
TEXTS = st.sampled_from(["RSA", "EC", "oct", "sig", "enc", "RS256", "AQAB", SIGNING["n"], "!", ""])
MEMBERS = st.sampled_from(["kty", "n", "e", "use", "alg", "kid", "key_ops", "x5c", "d", "crv", "x", "y"])
ENTRIES = st.dictionaries(MEMBERS, TEXTS | ANY_JSON, max_size=9).map(lambda some: {**SIGNING, **some}) | ANY_JSON


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ENTRIES, max_size=4), st.randoms(use_true_random=False))
def test_each_generated_entry_is_usable_or_has_a_reason(entries: list[t.Any], random: t.Any) -> None:
    keys = _jwks.read(key_set(*entries))

    assert len(keys) == len(entries)
    for one in keys:
        assert one.reasons or (one.public_key is not None and one.kid and one.thumbprint and one.algorithms)
        assert one.certificate is None or fingerprint(one.certificate)
    random.shuffle(entries)
    assert _jwks.read(json.dumps(key_set(*entries))) == keys


@settings(max_examples=100, deadline=None)
@given(ANY_JSON | st.text())
def test_any_document_is_read_or_refused(document: t.Any) -> None:
    with contextlib.suppress(InputError):
        _jwks.read(document)


@pytest.mark.parametrize("text", [key_sets.pem(key_sets.certificate(key())), key_sets.public_pem(key())])
def test_a_dictionary_of_pem_texts_by_kid_is_a_key_set(text: str) -> None:
    for jwks in ({"k1": text}, json.dumps({"k1": text})):
        [one] = _jwks.read(jwks)
        assert (one.kid, one.reasons, one.warnings) == ("k1", [], [])
        assert one.public_key == key().public_key()
        assert one.certificate == (text if "CERTIFICATE" in text else None)


UNREADABLE = "Its text is not a complete certificate or public key in PEM format; it may be cut off."
PRIVATE = "It contains its private key, so every reader can sign tokens. Make the provider revoke the key."
PRIVATE_PEM = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("-----BEGIN CERTIFICATE-----\nMIIDazCC", UNREADABLE),
        ("-----BEGIN CERTIFICATE-----\nMIIDazCC\n-----END CERTIFICATE-----", UNREADABLE),
        ("-----BEGIN PUBLIC KEY-----\n%\n-----END PUBLIC KEY-----", UNREADABLE),
        ("MIIDazCC", UNREADABLE),
        (None, UNREADABLE),
        (PRIVATE_PEM, PRIVATE),
        (PRIVATE_PEM.partition("-----END")[0], PRIVATE),
        (PRIVATE_PEM.replace("PRIVATE", "ENCRYPTED PRIVATE"), PRIVATE),
        (key_sets.pem(key_sets.certificate(key())) + PRIVATE_PEM, PRIVATE),
    ],
)
def test_a_bad_text_does_not_hide_other_texts_by_kid(text: t.Any, reason: str) -> None:
    good = key_sets.pem(key_sets.certificate(key()))
    jwks = {"bad": text, "good": good}
    assert [(one.kid, one.reasons) for one in _jwks.read(jwks)] == [("bad", [reason]), ("good", [])]
    assert _jwks.holds_private_key(_jwks.parse(jwks)) == (reason == PRIVATE)
    assert "MII" not in str(_jwks.read(jwks)[0])
