# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import datetime
import os
import sys
import time
import traceback
import typing as t
import warnings
from pathlib import Path

import jwt
import pytest
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import lookup_loader
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from ansible_collections.sensible.qlik.plugins.lookup import jwt as plugin
from ansible_collections.sensible.qlik.plugins.module_utils import _content, _files
from ansible_collections.sensible.qlik.plugins.module_utils._keys import certificate as _certificate
from ansible_collections.sensible.qlik.plugins.module_utils._keys import private_key as _private_key
from ansible_collections.sensible.qlik.tests.unit.plugins import key_sets

KEY = rsa.generate_private_key(65537, 2048)
OTHER_KEY = rsa.generate_private_key(65537, 2048)
PASSPHRASE = "correct horse battery staple"
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
ENCRYPTED = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PASSPHRASE.encode())).decode()


def certificate_of(key: rsa.RSAPrivateKey, *, days: int = 30) -> str:
    name = x509.Name([])
    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=100)
    end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), start, end)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


CERTIFICATE = certificate_of(KEY)


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Remove variables of the user's environment, and change to an empty directory."""
    for name in [name for name in os.environ if name.startswith("QLIK_SENSE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def warned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    messages: list[str] = []
    monkeypatch.setattr(plugin.display, "warning", messages.append)
    return messages


def look_up(
    *terms: t.Any, base: Path | None = None, variables: dict[str, t.Any] | None = None, **kwargs: t.Any
) -> t.Any:
    loader = DataLoader()
    if base:
        loader.set_basedir(str(base))
    instance = lookup_loader.get("sensible.qlik.jwt", loader=loader, templar=None)
    return instance.run(list(terms), variables=variables or {}, **kwargs)


def mint(*terms: t.Any, **kwargs: t.Any) -> t.Any:
    return look_up(*terms, private_key_content=PEM, **kwargs)


def claims_of(token: str, key: rsa.RSAPrivateKey = KEY) -> dict[str, t.Any]:
    options: t.Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False}
    return jwt.decode(token, key.public_key(), algorithms=["RS256", "RS384", "RS512"], options=options)


def error_of(*terms: t.Any, **kwargs: t.Any) -> str:
    with pytest.raises(AnsibleError) as caught:
        look_up(*terms, **kwargs)
    return str(caught.value)


def spy_on_parse(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record each parsing of a key from now on."""
    parsed = []
    original = _private_key._parse

    def parse(block: _content.Block, passphrase: str | None, option: str) -> t.Any:
        parsed.append(block.label)
        return original(block, passphrase, option)

    monkeypatch.setattr(_private_key, "_parse", parse)
    return parsed


# ---- Tokens


def test_token_has_the_default_claims() -> None:
    before = int(time.time())
    (token,) = mint("CORP\\alice")
    after = int(time.time())

    claims = jwt.decode(token, KEY.public_key(), algorithms=["RS256"])
    issued = claims["iat"] + 60
    assert before <= issued <= after
    assert claims == {
        "userId": "alice", "userDirectory": "CORP", "iat": issued - 60, "nbf": issued - 60, "exp": issued + 900,
    }  # fmt: skip
    assert jwt.get_unverified_header(token) == {"alg": "RS256", "typ": "JWT", "kid": _private_key.thumbprint(KEY)}


def test_all_options_reach_the_token() -> None:
    (token,) = mint(
        "alice",
        algorithm="RS512",
        user_directory="CORP",
        jwt_attribute_user_id="uid",
        jwt_attribute_user_directory="dir",
        name="Alice",
        email="a@example.com",
        groups="CN=Board,OU=Groups",
        claims={"level": 3},
        audience=["qlik", "other"],
        key_id="blue",
        expires_in=60,
        backdate="1h",
    )

    claims = claims_of(token)
    assert claims.pop("exp") - claims.pop("nbf") == 3660
    claims.pop("iat")
    assert claims == {
        "uid": "alice",
        "dir": "CORP",
        "name": "Alice",
        "email": "a@example.com",
        "groups": ["CN=Board,OU=Groups"],
        "level": 3,
        "aud": ["qlik", "other"],
    }
    assert jwt.get_unverified_header(token) == {"alg": "RS512", "typ": "JWT", "kid": "blue"}


def test_lists_are_flattened_in_order() -> None:
    tokens = mint(["a", ["b", {"user": "D\\c"}]], "d", [], user_directory="C")

    assert [(claims_of(token)["userDirectory"], claims_of(token)["userId"]) for token in tokens] == [
        ("C", "a"), ("C", "b"), ("D", "c"), ("C", "d"),
    ]  # fmt: skip
    assert mint([]) == []


def test_omitted_options_add_no_claims() -> None:
    user = {"user": "C\\a", "name": "__omit__", "email": "a@example.com"}

    (token,) = mint(user, variables={"omit": "__omit__"}, audience="__omit__", algorithm="__omit__")

    assert claims_of(token).keys() == {"userId", "userDirectory", "email", "iat", "nbf", "exp"}


def test_wantlist_is_accepted() -> None:
    assert [claims_of(token)["userId"] for token in mint(["C\\a", "C\\b"], wantlist=True)] == ["a", "b"]


def test_a_thousand_tokens_load_the_key_once(monkeypatch: pytest.MonkeyPatch) -> None:
    _private_key.load_private_key.cache_clear()
    loaded = spy_on_parse(monkeypatch)

    tokens = mint([f"user{number}" for number in range(500)], user_directory="C")
    tokens += [mint(f"C\\user{number}")[0] for number in range(500, 1000)]

    assert [claims_of(token)["userId"] for token in tokens] == [f"user{number}" for number in range(1000)]
    assert loaded == ["PRIVATE KEY"]


@pytest.mark.parametrize("key_id", ["none", ""])
def test_empty_key_id_adds_no_kid(key_id: str) -> None:
    assert jwt.get_unverified_header(mint("C\\a", key_id=key_id)[0]) == {"alg": "RS256", "typ": "JWT"}


def test_negative_durations_make_invalid_tokens() -> None:
    expired, early = mint({"user": "C\\a", "expires_in": "-5m"}, {"user": "C\\a", "backdate": "-5m"})

    with pytest.raises(jwt.ExpiredSignatureError):
        jwt.decode(expired, KEY.public_key(), algorithms=["RS256"], leeway=290)
    with pytest.raises(jwt.ImmatureSignatureError):
        jwt.decode(early, KEY.public_key(), algorithms=["RS256"], leeway=290)


# ---- Tokens for a virtual proxy

DOCUMENT: dict[str, t.Any] = {
    "prefix": "portal",
    "jwt_public_key_certificate": CERTIFICATE,
    "jwt_attribute_user_id": "uid",
    "jwt_attribute_user_directory": "[C]",
    "jwt_audience": "qlik",
    "jwt_attribute_map": [
        {"jwt_attribute": "roles", "sense_attribute": "Group", "is_mandatory": True},
        {"jwt_attribute": "unit", "sense_attribute": "unit", "is_mandatory": True},
        {"jwt_attribute": "region", "sense_attribute": "region", "is_mandatory": False},
        {"jwt_attribute": "uid", "sense_attribute": "account", "is_mandatory": True},
    ],
}
OTHER_PEM = OTHER_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def test_virtual_proxy_defines_claim_names_and_audience() -> None:
    (token,) = mint("a", virtual_proxy=DOCUMENT, groups=["sales"], claims={"unit": "north"})

    claims = claims_of(token)
    assert {name: claims[name] for name in claims.keys() - {"iat", "nbf", "exp"}} == {
        "uid": "a", "aud": "qlik", "roles": ["sales"], "unit": "north",
    }  # fmt: skip


def test_options_precede_the_virtual_proxy() -> None:
    (token,) = mint(
        "C\\a",
        virtual_proxy={**DOCUMENT, "jwt_attribute_map": None},
        jwt_attribute_user_id="id",
        jwt_attribute_user_directory="directory",
        audience="other",
        groups=["sales"],
    )

    claims = claims_of(token)
    assert {name: claims[name] for name in claims.keys() - {"iat", "nbf", "exp"}} == {
        "id": "a", "directory": "C", "aud": "other", "groups": ["sales"],
    }  # fmt: skip


@pytest.mark.parametrize("document", [None, {}, {"prefix": "x", "jwt_audience": "", "jwt_public_key_certificate": ""}])
def test_virtual_proxy_without_settings_gives_default_claims(document: t.Any) -> None:
    (token,) = mint("C\\a", virtual_proxy=document, groups=["sales"])

    assert claims_of(token).keys() == {"userId", "userDirectory", "groups", "iat", "nbf", "exp"}


def test_each_user_is_asked_for_mandatory_claims() -> None:
    message = error_of(
        {"user": "a", "groups": ["x"], "claims": {"unit": "north"}},
        {"user": "b", "claims": {"Unit": "north"}},
        private_key_content=PEM,
        virtual_proxy=DOCUMENT,
    )

    assert message == (
        "User 2 of 2: The virtual proxy refuses tokens without roles, unit."
        " Give mandatory claims with claims, name, email or groups."
    )


def test_logins_contain_the_negative_tokens(warned: list[str]) -> None:
    before = int(time.time())
    (login,) = mint(
        "a",
        virtual_proxy=DOCUMENT,
        groups=["sales"],
        claims={"unit": "north", "region": "eu"},
        as_logins=True,
        other_private_key_content=OTHER_PEM,
        expires_in="1h",
    )

    assert login.pop("virtual_proxy") == DOCUMENT
    good = claims_of(login["token"])
    assert good.pop("exp") - good.pop("nbf") == 3660
    assert good == {
        "uid": "a", "aud": "qlik", "roles": ["sales"], "unit": "north", "region": "eu", "iat": good["iat"],
    }  # fmt: skip
    tokens = {name: claims_of(one, OTHER_KEY if name == "other_key_token" else KEY) for name, one in login.items()}
    times = tokens["token"]["iat"], tokens["token"]["nbf"], tokens["token"]["exp"]
    assert tokens == {
        "token": tokens["token"],
        "expired_token": {**tokens["token"], **{name: tokens["expired_token"][name] for name in ("iat", "nbf", "exp")}},
        "wrong_audience_token": {**tokens["token"], "aud": "not qlik"},
        "incomplete_token": {name: tokens["token"][name] for name in ("uid", "aud", "region", "iat", "nbf", "exp")},
        "other_key_token": tokens["token"],
    }
    expired = tokens["expired_token"]
    assert before - 300 <= expired["exp"] <= before - 290
    assert {time - expired[name] for name, time in zip(("iat", "nbf", "exp"), times, strict=True)} == {3900}
    assert jwt.get_unverified_header(login["other_key_token"])["kid"] == _private_key.thumbprint(OTHER_KEY)
    assert warned == []


def test_logins_omit_tokens_that_cannot_be_tested() -> None:
    (first, second) = mint(["a", "b"], user_directory="C", virtual_proxy={"prefix": "portal"}, as_logins=True)

    assert first.keys() == second.keys() == {"virtual_proxy", "token", "expired_token"}
    assert claims_of(second["token"])["userId"] == "b"


def test_foreign_certificate_is_accepted_in_logins_only() -> None:
    document = {"prefix": "portal", "jwt_public_key_certificate": UNFIT}

    assert len(mint("C\\a", virtual_proxy=document, as_logins=True)) == 1
    assert "does not belong to the certificate" in error_of("C\\a", private_key_content=PEM, virtual_proxy=document)


@pytest.mark.parametrize(
    ("passphrase", "given"),
    [
        (PASSPHRASE, {}),
        (PASSPHRASE, {"other_private_key_passphrase": ""}),
        ("another", {"other_private_key_passphrase": "another"}),
    ],
)
def test_encrypted_other_key_signs_the_other_key_token(
    tmp_path: Path, passphrase: str, given: dict[str, t.Any]
) -> None:
    encryption = BestAvailableEncryption(passphrase.encode())
    (tmp_path / "other.pem").write_bytes(OTHER_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))

    (login,) = look_up(
        "C\\a",
        private_key_content=ENCRYPTED,
        private_key_passphrase=PASSPHRASE,
        other_private_key_path="other.pem",
        **given,
        virtual_proxy={"prefix": "portal"},
        as_logins=True,
    )

    assert claims_of(login["other_key_token"], OTHER_KEY)["userId"] == "a"


# ---- Where the key comes from


def test_key_file_is_found_in_each_search_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "play" / "files").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "home").mkdir()
    (tmp_path / "play" / "beside.pem").write_text(PEM)
    (tmp_path / "play" / "files" / "in_files.pem").write_text(PEM)
    (tmp_path / "elsewhere" / "current.pem").write_text(PEM)
    (tmp_path / "home" / "home.pem").write_text(PEM)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KEYS", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "elsewhere")

    for path in (
        "beside.pem",
        "in_files.pem",
        "current.pem",
        "~/home.pem",
        "$KEYS/home.pem",
        str(tmp_path / "play" / "beside.pem"),
    ):
        (token,) = look_up("C\\a", private_key_path=path, base=tmp_path / "play")
        assert claims_of(token)["userId"] == "a", path


def test_replaced_key_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_text(PEM)
    first = look_up("C\\a", private_key_path=str(path))[0]
    path.write_bytes(OTHER_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    second = look_up("C\\a", private_key_path=str(path))[0]

    assert claims_of(first)["userId"] == claims_of(second, OTHER_KEY)["userId"] == "a"


def test_aliases_and_environment_variables_are_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key.pem").write_text(ENCRYPTED)
    expected = "a"

    cases: tuple[dict[str, t.Any], ...] = (
        {"privatekey_path": str(tmp_path / "key.pem"), "privatekey_passphrase": PASSPHRASE},
        {"privatekey_content": ENCRYPTED, "privatekey_passphrase": PASSPHRASE},
    )
    for options in cases:
        assert claims_of(look_up("C\\a", **options)[0])["userId"] == expected

    monkeypatch.setenv("QLIK_SENSE_JWT_PRIVATE_KEY_PATH", str(tmp_path / "key.pem"))
    monkeypatch.setenv("QLIK_SENSE_JWT_PRIVATE_KEY_PASSPHRASE", PASSPHRASE)
    assert claims_of(look_up("C\\a")[0])["userId"] == expected


def test_task_options_precede_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QLIK_SENSE_JWT_PRIVATE_KEY_PATH", str(tmp_path / "missing.pem"))
    (tmp_path / "key.pem").write_text(PEM)

    assert claims_of(mint("C\\a")[0])["userId"] == "a"
    assert claims_of(look_up("C\\a", private_key_path=str(tmp_path / "key.pem"))[0])["userId"] == "a"


def test_matching_certificate_causes_no_warning(warned: list[str]) -> None:
    assert len(mint("C\\a", virtual_proxy={"jwt_public_key_certificate": CERTIFICATE})) == 1
    assert warned == []


# ---- Warnings


def test_unusual_settings_cause_warnings(warned: list[str]) -> None:
    expired = certificate_of(KEY, days=-5)
    mint("C\\a", virtual_proxy={"jwt_public_key_certificate": expired})
    assert (
        warned.pop() == f"The certificate of the private key expired at {_certificate.inspect(expired)['not_after']}."
    )
    mint("C\\a", private_key_passphrase=PASSPHRASE)
    assert warned.pop() == "The private key is not encrypted; its passphrase was not needed."
    mint("C\\a", jwt_attribute_user_id="sub")
    assert warned.pop().startswith("The claim sub is reserved for the token itself")
    mint(["C\\a", {"user": "C\\b", "groups": [f"group-{number}" for number in range(600)]}])
    assert "the Authorization header is 1" in warned.pop()
    assert warned == []


@pytest.mark.parametrize(("mode", "count"), [(0o600, 0), (0o666, 1)])
def test_key_readable_by_others_causes_a_warning(mode: int, count: int, tmp_path: Path, warned: list[str]) -> None:
    (tmp_path / "key.pem").write_text(PEM)
    (tmp_path / "key.pem").chmod(mode)

    look_up("C\\a", private_key_path="key.pem")

    assert [text.partition(" in ")[0] for text in warned] == [
        "private_key_path: other users may read or write the private key"
    ] * count


def test_key_in_utf_16_is_read(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text(PEM, encoding="utf-16")

    assert claims_of(look_up("C\\a", private_key_path="key.pem")[0])["userId"] == "a"


def test_warnings_of_libraries_are_suppressed(monkeypatch: pytest.MonkeyPatch) -> None:
    original = plugin.minter

    def noisy(*args: t.Any, **options: t.Any) -> t.Any:
        warnings.warn("Something about keys", UserWarning, stacklevel=1)
        return original(*args, **options)

    monkeypatch.setattr(plugin, "minter", noisy)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(mint("C\\a")) == 1


# ---- Refusals

SHORT = rsa.generate_private_key(65537, 1024).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
UNFIT = certificate_of(OTHER_KEY)
RESTRICTED = key_sets.restricted_to_pss(x509.load_pem_x509_certificate(CERTIFICATE.encode()))
REFUSALS: dict[str, tuple[dict[str, t.Any], str]] = {
    "no key": ({}, "No private key was given. Give private_key_path or private_key_content, or set QLIK_S"),
    "empty path": ({"private_key_path": ""}, "No private key was given."),
    "two keys": ({"private_key_content": PEM, "private_key_path": "/x"}, "private_key_path and private_key_con"),
    "two keys, by other names": ({"privatekey_content": PEM, "privatekey_path": "/x"}, "private_key_path and"),
    "missing file": ({"private_key_path": "missing.pem"}, "There is no file missing.pem in "),
    "directory": ({"private_key_path": "/"}, "/ is a directory."),
    "no home": ({"private_key_path": "~no-such-user/x"}, "private_key_path contains text, not a path"),
    "null byte": ({"private_key_path": "a\0b"}, "private_key_path contains text, not a path"),
    "key as path": ({"private_key_path": PEM}, "private_key_path contains PEM text, not a path. Give the path"),
    "path as key": ({"private_key_content": "/etc/key.pem"}, "This is the name of a file, not its content"),
    "certificate as key": ({"private_key_content": CERTIFICATE}, "is a certificate, not a private key"),
    "number as key": ({"private_key_content": 123}, "private_key_content is a number, not text"),
    "list as key": ({"private_key_content": [PEM]}, "private_key_content is a list, not text"),
    "dictionary as path": ({"private_key_path": {"x": PEM}}, "private_key_path is a dictionary, not text"),
    "number as passphrase": (
        {"private_key_content": ENCRYPTED, "private_key_passphrase": 1234},
        "private_key_passphrase is a number, not text",
    ),
    "list as algorithm": ({"private_key_content": PEM, "algorithm": [PEM]}, "algorithm is a list, not text"),
    "encrypted": ({"private_key_content": ENCRYPTED}, "encrypted, and no passphrase is given"),
    "wrong passphrase": (
        {"private_key_content": ENCRYPTED, "private_key_passphrase": PASSPHRASE[1:]},
        "the passphrase is wrong",
    ),
    "for RSASSA-PSS only": ({"private_key_content": key_sets.pss_private_pem(KEY)}, "key is restricted to RSASSA"),
    "certificate for RSASSA-PSS only": (
        {"private_key_content": PEM, "virtual_proxy": {"jwt_public_key_certificate": RESTRICTED}},
        "The key of the certificate is restricted to RSASSA-PSS",
    ),
    "short": ({"private_key_content": SHORT}, "1024 bits, fewer than 2048"),
    "another certificate": (
        {"private_key_content": PEM, "virtual_proxy": {"jwt_public_key_certificate": UNFIT}},
        "does not belong to the certificate",
    ),
    "key as audience": ({"private_key_content": PEM, "audience": PEM}, "audience contains a private key"),
    "key as group": ({"private_key_content": PEM, "groups": ["a", PEM]}, "groups contains a private key"),
    "key as claim": ({"private_key_content": PEM, "claims": {"a": {"b": PEM}}}, "claims contains a private key"),
    "other algorithm": ({"private_key_content": PEM, "algorithm": "HS256"}, "does not accept the algorithm HS256"),
    "encrypted token": ({"private_key_content": PEM, "algorithm": "RSA-OAEP"}, "encrypted tokens (JWE)"),
    "key as algorithm": ({"private_key_content": PEM, "algorithm": PEM}, "not the name of a signature algorithm"),
    "unknown option": ({"private_key_content": PEM, "lifetime": 5}, "no option lifetime. The options are algorithm, a"),
    "key as duration": ({"private_key_content": PEM, "expires_in": PEM}, "expires_in contains a private key"),
    "key as directory": ({"private_key_content": PEM, "user_directory": PEM}, "user_directory contains a private"),
    "number as directory": ({"private_key_content": PEM, "user_directory": 5}, "is a number"),
    "number as name": ({"private_key_content": PEM, "name": 5}, "is a number"),
    "reserved claim": ({"private_key_content": PEM, "jwt_attribute_user_id": "exp"}, "reserved for the token itself"),
    "times as claims": ({"private_key_content": PEM, "claims": {"exp": 5}}, "Set expires_in"),
    "key as claims": ({"private_key_content": PEM, "claims": PEM}, "claims contains a private key"),
    "no virtual proxy": ({"private_key_content": PEM, "virtual_proxy": "portal"}, "virtual_proxy is not a dictionary"),
    "another authentication": (
        {"private_key_content": PEM, "virtual_proxy": {"authentication_method": "ticket"}},
        "does not accept tokens, because its authentication_method is not jwt",
    ),
    "another directory": (
        {"private_key_content": PEM, "virtual_proxy": {"jwt_attribute_user_directory": "[D]"}},
        "The user directory differs from the fixed directory of the virtual proxy",
    ),
    "reserved claim of the document": (
        {"private_key_content": PEM, "virtual_proxy": {"jwt_attribute_user_id": "exp"}},
        "reserved for the token itself",
    ),
    "number as audience of the document": (
        {"private_key_content": PEM, "virtual_proxy": {"jwt_audience": 5}},
        "The jwt_audience of the virtual proxy is a number, not text",
    ),
    "number as certificate of the document": (
        {"private_key_content": PEM, "virtual_proxy": {"jwt_public_key_certificate": 5}},
        "The certificate of the virtual proxy is a number, not text",
    ),
    "key in the document": (
        {"private_key_content": PEM, "virtual_proxy": {"jwt_public_key_certificate": PEM}},
        "virtual_proxy contains a private key",
    ),
    "other key without logins": (
        {"private_key_content": PEM, "other_private_key_content": OTHER_PEM},
        "Another private key needs as_logins. Set as_logins=true",
    ),
    "the same key twice": (
        {"private_key_content": PEM, "other_private_key_content": PEM, "as_logins": True},
        "The other private key is the same as the private key",
    ),
    "two other keys": (
        {"private_key_content": PEM, "other_private_key_content": PEM, "other_private_key_path": "/x"},
        "other_private_key_path and other_private_key_content",
    ),
    "list as flag": ({"private_key_content": PEM, "as_logins": [1]}, "as_logins is a list, not text"),
    "list as claims": ({"private_key_content": PEM, "claims": ["x"]}, "claims is not a dictionary"),
}  # fmt: skip


def pieces_of(secret: str) -> list[str]:
    """Return the texts that must not appear: parts of the lines of a secret, and of its base64."""
    lines = [line for line in secret.splitlines() if "-----" not in line]
    encoded = base64.b64encode(secret.encode()).decode()
    return [
        *(line[:12] for line in lines if len(line) >= 12),
        *(line[-12:] for line in lines if len(line) >= 12),
        encoded[60:76],
    ]


@pytest.mark.parametrize("case", REFUSALS)
def test_invalid_options_are_refused_without_secrets(case: str) -> None:
    options, sentence = REFUSALS[case]

    with pytest.raises(AnsibleError) as caught:
        look_up("C\\alice", **options)

    assert sentence in str(caught.value)
    everything = "".join(traceback.format_exception(caught.value))
    for secret in (PEM, OTHER_PEM, ENCRYPTED, SHORT):
        for piece in pieces_of(secret):
            assert piece not in everything
    assert PASSPHRASE[1:] not in everything


@pytest.mark.parametrize("term", [PEM, {PEM: 1}, {"user": PEM}, {"user_id": PEM}, {"user": "C\\a", "expires_in": PEM}])
def test_key_in_place_of_a_user_is_not_quoted(term: t.Any) -> None:
    message = error_of("C\\a", term, private_key_content=PEM)

    assert message.startswith("User 2 of 2: ")
    for piece in pieces_of(PEM):
        assert piece not in message


def test_unreadable_file_is_reported_with_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key.pem").write_text(PEM)

    really_open = os.open

    def refuse(path: str, *args: t.Any) -> t.Any:
        if str(path).endswith("key.pem"):
            raise PermissionError(13, "Permission denied")
        return really_open(path, *args)

    monkeypatch.setattr(_files.os, "open", refuse)  # mode 0000 would not stop root
    message = error_of("C\\a", private_key_path=str(tmp_path / "key.pem"))

    assert "private_key_path" in message
    assert f"The file {tmp_path / 'key.pem'} is not readable for this user." in message


def test_der_file_is_refused_with_a_command(tmp_path: Path) -> None:
    (tmp_path / "key.der").write_bytes(KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))

    message = error_of("C\\a", private_key_path="key.der")
    assert "key.der contains a DER private key. Convert it with: openssl pkey -inform DER -in " in message


def test_vault_file_is_refused_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("$ANSIBLE_VAULT;1.1;AES256\n3339\n")

    message = error_of("C\\a", private_key_path="key.pem")

    assert "key.pem is encrypted with Ansible Vault." in message
    assert "private_key_content: \"{{ lookup('ansible.builtin.unvault', " in message
    assert "3339" not in message


@pytest.mark.parametrize(
    ("module", "name"), [("cryptography.hazmat.primitives.serialization", "cryptography"), ("jwt", "PyJWT")]
)
def test_missing_library_is_reported_by_name(module: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _private_key.load_private_key.cache_clear()
    monkeypatch.setitem(sys.modules, module, None)

    message = error_of("C\\a", private_key_content=PEM)

    assert f"The Python library {name} is missing for {sys.executable}." in message


def test_secrets_are_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    registered: list[str] = []
    monkeypatch.setattr(plugin._text, "register_secrets", registered.extend)
    tokens = look_up(["a", "b"], user_directory="X", private_key_content=ENCRYPTED, private_key_passphrase=PASSPHRASE)
    assert list(filter(None, registered)) == [ENCRYPTED, PASSPHRASE, *tokens]


def test_all_tokens_of_logins_are_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    registered: list[str] = []
    monkeypatch.setattr(plugin._text, "register_secrets", registered.extend)

    [login] = mint("C\\a", virtual_proxy={"prefix": "x"}, as_logins=True, other_private_key_content=OTHER_PEM)

    assert {PEM, OTHER_PEM, login["token"], login["expired_token"], login["other_key_token"]} <= set(registered)


def test_tokens_are_masked_where_core_supports_it() -> None:
    core = pytest.importorskip("ansible.module_utils.secrets", reason="ansible-core 2.22 introduced it")
    [token] = look_up("X\\a", private_key_content=ENCRYPTED, private_key_passphrase=PASSPHRASE)
    assert (
        core.mask_secrets(f"Bearer {token}, {ENCRYPTED.strip()}, {PASSPHRASE}.")
        == "Bearer $REDACTED$, $REDACTED$, $REDACTED$."
    )


def test_a_wrong_passphrase_is_registered_before_anything_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    registered: list[str] = []
    monkeypatch.setattr(plugin._text, "register_secrets", registered.extend)
    with pytest.raises(AnsibleError):
        look_up("X\\a", private_key_content=ENCRYPTED, private_key_passphrase="wrong-passphrase")
    assert "wrong-passphrase" in registered
