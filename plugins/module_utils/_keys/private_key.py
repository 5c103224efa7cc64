# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.
#
# Nothing in here quotes what it was given, and exceptions of the parsers are dropped (from None): ansible-core 2.19
# and later append the text of every cause to the message that the user sees.

from __future__ import annotations

import base64
import functools
import hashlib
import json
import re
import typing as t

from .._errors import InputError, MissingLibraryError

if t.TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

MINIMUM_BITS = 2048

_TRIED = "Load the private key."
_WANTED = "Give the RSA private key that belongs to the virtual proxy's certificate, as PEM (PKCS#8 or PKCS#1)."
_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]*PRIVATE KEY)-----.*?-----END \1-----", re.DOTALL)
_BEGIN = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----")


def is_encrypted(pem: str) -> bool:
    """Whether a PEM private key asks for a passphrase, in either of the two usual forms."""
    return "BEGIN ENCRYPTED PRIVATE KEY" in pem or "Proc-Type: 4,ENCRYPTED" in pem


@functools.lru_cache(maxsize=16)
def load_private_key(
    pem: str, *, passphrase: str | None = None, validate: bool = False, minimum_bits: int = MINIMUM_BITS
) -> RSAPrivateKey:
    """Load an RSA private key, once per process and text.

    OpenSSL's test that the primes are primes takes as long as 150 signatures. By default the key instead proves itself
    by one signature that its own public half accepts, which is enough for a key of one's own.

    Args:
        pem: one private key; certificates beside it are ignored. Line ends do not matter.
        passphrase: of an encrypted key; ignored for one that is not encrypted. Empty counts as none.
        validate: do the full test.
        minimum_bits: refuse shorter keys.

    Raises:
        InputError: not an RSA private key, too short, damaged, or the passphrase is missing or wrong.
        MissingLibraryError: the library cryptography is missing.
    """
    block = _private_key_block(pem)
    if is_encrypted(block) and not passphrase:
        raise InputError(_TRIED, "It is encrypted and there is no passphrase.", "Give private_key_passphrase.")
    key = _parse(block, passphrase if is_encrypted(block) else None, validate)

    from cryptography.hazmat.primitives.asymmetric import rsa

    if not isinstance(key, rsa.RSAPrivateKey):
        kind = type(key).__name__.replace("PrivateKey", "")
        raise InputError(
            _TRIED,
            f"It is a key of the kind {kind}, and Qlik Sense takes tokens signed with RSA keys only.",
            "Make an RSA key pair, and put its certificate on the virtual proxy.",
        )
    if key.key_size < minimum_bits:
        raise InputError(
            _TRIED,
            f"It has {key.key_size} bits, fewer than {minimum_bits}.",
            f"Make an RSA key pair of at least {minimum_bits} bits, and put its certificate on the virtual proxy.",
        )
    _require_own_signature(key)
    return key


def _private_key_block(pem: str) -> str:
    blocks = [match[0] for match in _BLOCK.finditer(pem)]
    if len(blocks) > 1:
        raise InputError(_TRIED, f"There are {len(blocks)} private keys in it.", _WANTED)
    if not blocks:
        raise InputError(_TRIED, _instead_of_a_key(pem), _WANTED)
    if "BEGIN OPENSSH PRIVATE KEY" in blocks[0]:
        raise InputError(
            _TRIED, "It is in OpenSSH's own format.", "Convert a copy of it with: ssh-keygen -p -m PKCS8 -f COPY"
        )
    if "\\n" in blocks[0]:
        raise InputError(
            _TRIED, "It has the two characters \\n where lines should end.", "Give the key with real line breaks."
        )
    return blocks[0]


def _instead_of_a_key(text: str) -> str:
    """Say what a text without a complete private key is."""
    labels = _BEGIN.findall(text)
    if any("PRIVATE KEY" in label for label in labels):
        return "It stops before its END line."
    if labels:
        return f"This is a {labels[0].lower()}, not a private key."
    if not text.strip():
        return "There is nothing in it."
    if text.startswith("$ANSIBLE_VAULT"):
        return (
            "It is encrypted with Ansible Vault; lookup('ansible.builtin.file', path) decrypts for private_key_content."
        )
    if any(ord(character) < 9 or "\ud800" <= character <= "\udfff" or character == "\ufffd" for character in text):
        return "This is binary data, such as a DER or PFX file."
    return "There is no PEM private key in it."


def _parse(block: str, passphrase: str | None, validate: bool) -> t.Any:
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError as exc:
        raise MissingLibraryError(_TRIED, "cryptography") from exc
    try:
        return load_pem_private_key(
            block.encode(),
            password=passphrase.encode() if passphrase else None,
            unsafe_skip_rsa_key_validation=not validate,
        )
    except (ValueError, TypeError, UnsupportedAlgorithm):
        pass
    if passphrase:
        raise InputError(
            _TRIED,
            "It cannot be decrypted: the passphrase is wrong, or the key is damaged.",
            "Check private_key_passphrase, for example with: openssl pkey -noout -in FILE",
        )
    raise InputError(
        _TRIED,
        "It is damaged or of a kind that is not supported.",
        "Check it with: openssl pkey -check -noout -in FILE",
    )


def _require_own_signature(key: RSAPrivateKey) -> None:
    from cryptography.exceptions import InternalError, InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

    try:
        signature = key.sign(b"sensible.qlik", PKCS1v15(), hashes.SHA256())
        key.public_key().verify(signature, b"sensible.qlik", PKCS1v15(), hashes.SHA256())
        return
    except (InternalError, InvalidSignature, ValueError):
        pass
    raise InputError(
        _TRIED,
        "Its parts do not fit together: its public half refuses what it signs.",
        "Take an undamaged copy of the key; this one was altered.",
    )


def thumbprint(key: RSAPrivateKey | RSAPublicKey) -> str:
    """The key's name after RFC 7638: SHA-256 over its public numbers as canonical JSON, in base64url."""
    public = key if hasattr(key, "public_numbers") else key.public_key()
    numbers = public.public_numbers()
    members = {"e": _base64url_number(numbers.e), "kty": "RSA", "n": _base64url_number(numbers.n)}
    return _base64url(hashlib.sha256(json.dumps(members, separators=(",", ":"), sort_keys=True).encode()).digest())


def _base64url_number(number: int) -> str:
    return _base64url(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
