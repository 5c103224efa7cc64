# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import os
import subprocess
import sys
import traceback
import typing as t
from pathlib import Path
from unittest.mock import Mock

import pytest
from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.sensible.qlik.plugins.module_utils._errors import InputError
from ansible_collections.sensible.qlik.plugins.module_utils._keys import private_key as _private_key
from ansible_collections.sensible.qlik.tests.unit.plugins import key_sets

PASSPHRASE = "correct horse battery staple"
PKCS1, PKCS8 = PrivateFormat.TraditionalOpenSSL, PrivateFormat.PKCS8
KEY = rsa.generate_private_key(65537, 2048)


def pem_of(key: t.Any, form: PrivateFormat = PKCS8, *, passphrase: str = "") -> str:
    encryption: KeySerializationEncryption = NoEncryption()
    if passphrase:
        encryption = BestAvailableEncryption(passphrase.encode())
    return key.private_bytes(Encoding.PEM, form, encryption).decode()


def message_of(exc: BaseException) -> str:
    """Everything of an error that Ansible could show: the message, the traceback, and those of its causes."""
    return "".join(traceback.format_exception(exc))


def assert_silent_about(secret_pem: str, message: str) -> None:
    for line in secret_pem.splitlines():
        if "-----" not in line and len(line) >= 8:
            for start in range(0, len(line) - 8, 8):
                assert line[start : start + 8] not in message
    assert (base64.b64encode(secret_pem.encode()).decode()[40:56] or PASSPHRASE) not in message
    assert PASSPHRASE not in message


GOOD: dict[str, tuple[str, str | None]] = {
    "PKCS#8": (pem_of(KEY), None),
    "PKCS#1": (pem_of(KEY, PKCS1), None),
    "PKCS#8, encrypted": (pem_of(KEY, passphrase=PASSPHRASE), PASSPHRASE),
    "PKCS#1, encrypted": (pem_of(KEY, PKCS1, passphrase=PASSPHRASE), PASSPHRASE),
    "CRLF": (pem_of(KEY).replace("\n", "\r\n"), None),
    "byte order mark, no final newline": ("\ufeff" + pem_of(KEY).rstrip(), None),
    "not encrypted, with a passphrase": (pem_of(KEY), PASSPHRASE),
    "not encrypted, with an empty passphrase": (pem_of(KEY), ""),
    "with its public half": (
        KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode() + pem_of(KEY),
        None,
    ),
}


@pytest.mark.parametrize("case", GOOD)
def test_all_formats_give_the_same_key(case: str) -> None:
    pem, passphrase = GOOD[case]

    key = _private_key.load_private_key(pem, passphrase=passphrase)

    assert key.private_numbers() == KEY.private_numbers()


def test_a_key_is_loaded_once_per_process() -> None:
    assert _private_key.load_private_key(pem_of(KEY)) is _private_key.load_private_key(pem_of(KEY))


def test_a_wrong_passphrase_fails_after_a_right_one() -> None:
    pem = pem_of(KEY, passphrase=PASSPHRASE)
    _private_key.load_private_key(pem, passphrase=PASSPHRASE)

    with pytest.raises(InputError, match="passphrase is wrong"):
        _private_key.load_private_key(pem, passphrase="another")


def without_a_line(pem: str) -> str:
    lines = pem.splitlines()
    return "\n".join(lines[:9] + lines[10:])


BAD: dict[str, tuple[str, str | None, str]] = {
    "encrypted PKCS#8 without passphrase": (pem_of(KEY, passphrase=PASSPHRASE), None, "no passphrase is given"),
    "encrypted PKCS#1 without passphrase": (pem_of(KEY, PKCS1, passphrase=PASSPHRASE), None, "no passphrase is given"),
    "encrypted PKCS#8, empty passphrase": (pem_of(KEY, passphrase=PASSPHRASE), "", "no passphrase is given"),
    "encrypted PKCS#8, wrong passphrase": (pem_of(KEY, passphrase="it"), PASSPHRASE, "the passphrase is wrong"),
    "encrypted PKCS#1, wrong passphrase": (pem_of(KEY, PKCS1, passphrase="it"), PASSPHRASE, "the passphrase is wrong"),
    "EC": (pem_of(ec.generate_private_key(ec.SECP256R1())), None, "of the type EC"),
    "EC, traditional": (pem_of(ec.generate_private_key(ec.SECP256R1()), PKCS1), None, "of the type EC"),
    "Ed25519": (pem_of(ed25519.Ed25519PrivateKey.generate()), None, "of the type Ed25519"),
    "for RSASSA-PSS only": (key_sets.pss_private_pem(KEY), None, "The private key is restricted to RSASSA-PSS"),
    "1024 bits": (pem_of(rsa.generate_private_key(65537, 1024)), None, "1024 bits, fewer than 2048"),
    "two keys": (pem_of(KEY) + pem_of(KEY, PKCS1), None, "2 private keys"),
    "cut off": (pem_of(KEY)[:600], None, "has no END line"),
    "a line missing": (without_a_line(pem_of(KEY)), None, "damaged"),
    "escaped newlines": (pem_of(KEY).replace("\n", "\\n"), None, r"two characters \\n"),
    "public key": (
        KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
        None,
        "is a public key, not a private key",
    ),
    "certificate": (
        "-----BEGIN CERTIFICATE-----\nTUlJ\n-----END CERTIFICATE-----",
        None,
        "is a certificate, not a priv",
    ),
    "DER": (
        KEY.private_bytes(Encoding.DER, PKCS8, NoEncryption()).decode("utf-8", "replace"),
        None,
        "binary data",
    ),
    "base64 alone": ("".join(pem_of(KEY).splitlines()[1:-1]), None, "base64 without its BEGIN"),
    "words": ("/etc/ssl/key.pem", None, "This is the name of a file"),
    "nothing": ("\n", None, "The text is empty"),
}


@pytest.mark.parametrize("case", BAD)
def test_invalid_keys_are_refused_and_not_quoted(case: str) -> None:
    pem, passphrase, sentence = BAD[case]

    with pytest.raises(InputError, match=sentence) as caught:
        _private_key.load_private_key(pem, passphrase=passphrase)

    assert_silent_about(pem, message_of(caught.value))


def test_shorter_keys_are_accepted_on_request() -> None:
    short = rsa.generate_private_key(65537, 1024)

    assert _private_key.load_private_key(pem_of(short), minimum_bits=1024).key_size == 1024


def altered(key: rsa.RSAPrivateKey) -> str:
    """Return the key as PEM with one of its public numbers changed. No library writes such a key."""
    der = key.private_bytes(Encoding.DER, PKCS1, NoEncryption())
    modulus = key.public_key().public_numbers().n
    changed = der.replace(modulus.to_bytes(256, "big"), (modulus ^ (1 << 500)).to_bytes(256, "big"))
    assert changed != der
    text = base64.encodebytes(changed).decode()
    return f"-----BEGIN RSA PRIVATE KEY-----\n{text}-----END RSA PRIVATE KEY-----\n"


def test_a_key_whose_halves_differ_is_refused() -> None:
    pem = altered(KEY)

    with pytest.raises(InputError, match="damaged") as caught:
        _private_key.load_private_key(pem)

    assert_silent_about(pem, message_of(caught.value))


@settings(max_examples=150, deadline=None)
@given(position=st.integers(28, 1670), character=st.sampled_from("AQgw09/+=- \n\\é"), cut=st.integers(0, 60))
def test_damaged_keys_work_or_give_a_clean_error(position: int, character: str, cut: int) -> None:
    original = pem_of(KEY)
    damaged = original[:position] + character + original[position + cut :]

    try:
        key = _private_key.load_private_key(damaged)
    except InputError as exc:
        assert_silent_about(original, message_of(exc))
    else:
        assert key.public_key() == KEY.public_key()


def test_thumbprint_equals_the_example_in_rfc_7638() -> None:
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3okn"
        "jhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6q"
        "MQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJ"
        "zKnqDKgw"
    )
    number = int.from_bytes(base64.urlsafe_b64decode(modulus + "=="), "big")

    public = rsa.RSAPublicNumbers(65537, number).public_key()

    assert _private_key.thumbprint(public) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_thumbprint_is_that_of_the_public_half() -> None:
    assert _private_key.thumbprint(KEY) == _private_key.thumbprint(KEY.public_key())


UNSUPPORTED = "this machine does not support its encryption, or forbids it as in FIPS mode"
ENCRYPT_AGAIN = (
    "encrypt the key with AES where it can be read: openssl pkcs8 -topk8 -v2 aes-256-cbc -in FILE -out NEW_FILE"
)


@pytest.mark.parametrize(
    "refusal",
    [
        UnsupportedAlgorithm("DES-EDE3-CBC is not supported"),
        InternalError("Unknown OpenSSL error", []),
        ValueError("error:0308010C:digital envelope routines::unsupported"),
        ValueError("Unknown key encryption algorithm: 1.2.392.200011.61.1.1.1.4"),
        ValueError("Key encrypted with unknown cipher."),
    ],
)
def test_refused_decryption_is_reported_with_a_hint(monkeypatch: pytest.MonkeyPatch, refusal: Exception) -> None:
    monkeypatch.setattr(serialization, "load_pem_private_key", Mock(side_effect=refusal))
    with pytest.raises(InputError) as caught:
        _private_key.without_passphrase(pem_of(KEY, passphrase=PASSPHRASE), PASSPHRASE, option="client_key")
    assert caught.value.message == f"The private key cannot be decrypted: {UNSUPPORTED}."
    assert caught.value.hint == f"On another machine, {ENCRYPT_AGAIN}"


# An EC key, encrypted with PBE-SHA1-RC2-40 and the passphrase open-secret.
RC2 = """
-----BEGIN ENCRYPTED PRIVATE KEY-----
MIGxMBwGCiqGSIb3DQEMAQYwDgQIl9MlBI1oq5cCAggABIGQAOXrEkAuyUI/iA7/
l4UWINfY8/IqvtoMldUKpzaEKXDNuvQj3bUacW/RRTOy+YVEQUdpt0MfXCsfo6GB
T3SgRQaa6tOqE7dC+NF/+fQAJxOPBparAROyJG9hcEG+BHz+yhshY2xFAb0gW05Y
cw48sWaraKEr76wIj7TUsPlZ40Qlwkkuxe++GytDbHWU66k2
-----END ENCRYPTED PRIVATE KEY-----
"""
NO_ALGORITHMS = """
openssl_conf = all
[all]
alg_section = algorithms
[algorithms]
default_properties = fips=yes
"""


@pytest.mark.parametrize(
    ("pem", "environment", "outcome", "advice"),
    [
        (RC2, {}, "", ""),
        (
            RC2,
            {"CRYPTOGRAPHY_OPENSSL_NO_LEGACY": "1"},
            f"The private key cannot be decrypted: the passphrase is wrong, the key is damaged, or {UNSUPPORTED}.",
            f"If key_passphrase is right, {ENCRYPT_AGAIN}",
        ),
        (
            pem_of(KEY, passphrase="open-secret"),
            {"OPENSSL_CONF": NO_ALGORITHMS},
            f"The private key cannot be decrypted: {UNSUPPORTED}.",
            f"On another machine, {ENCRYPT_AGAIN}",
        ),
    ],
)
def test_missing_openssl_algorithms_are_reported(
    tmp_path: Path, pem: str, environment: dict[str, str], outcome: str, advice: str
) -> None:
    (tmp_path / "key.pem").write_text(pem)
    if content := environment.get("OPENSSL_CONF"):
        (tmp_path / "openssl.cnf").write_text(content)
        environment = {"OPENSSL_CONF": str(tmp_path / "openssl.cnf")}
    program = (
        f"import pathlib, {_private_key.__name__} as module\n"
        f"from {InputError.__module__} import InputError\n"
        f"try: module.without_passphrase(pathlib.Path('key.pem').read_text(), 'open-secret', option='key')\n"
        "except InputError as error: print(error.message, error.hint, sep='|')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=os.environ | environment | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == (f"{outcome}|{advice}" if outcome else "")
