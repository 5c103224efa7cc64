# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.
#
# No message quotes an input, and exceptions of the parsers are dropped (from None), because ansible-core 2.19 and
# later append the text of every cause to the message for the user.

from __future__ import annotations

import functools
import typing as t

from .._content import Block, labels, private_keys, unreadable
from .._errors import InputError, MissingLibraryError
from .jose import MINIMUM_BITS, base64url_encode, thumbprint_of
from .parsing import PSS, is_pss, is_unsupported

if t.TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

_WANTED = "Give the RSA private key that belongs to the virtual proxy's certificate, as PEM (PKCS#8 or PKCS#1)."
# PBES2 with AES. All other encryptions of keys depend on MD5, DES, RC2 or RC4 (RFC 8018, RFC 3565).
_PBES2, _AES = bytes.fromhex("2a864886f70d01050d"), bytes.fromhex("6086480165030401")
_RSA_WANTED = "Create an RSA key pair, and set its certificate on the virtual proxy."


def is_encrypted(pem: str) -> bool:
    """Return True if a PEM private key needs a passphrase."""
    return any(block.is_encrypted for block in private_keys(pem))


@functools.lru_cache(maxsize=16)
def load_private_key(
    pem: str,
    *,
    passphrase: str | None = None,
    option: str = "private_key",
    minimum_bits: int = MINIMUM_BITS,
) -> RSAPrivateKey:
    """Load and validate an RSA private key, once per process and text. It takes as long as 100 to 150 signatures.

    Args:
        pem: one private key; certificates beside it are ignored. Line endings do not matter.
        passphrase: of an encrypted key; ignored for a key that is not encrypted. An empty one counts as missing.
        option: name of the option for the key. The name of the option for the passphrase has _passphrase appended.
        minimum_bits: minimum size of the key.

    Raises:
        InputError: it is not an RSA private key, too short, damaged, or the passphrase is missing or wrong.
        MissingLibraryError: the library cryptography is missing.
    """
    block = _one_block(pem)
    key = _parse(block, passphrase, option)

    from cryptography.hazmat.primitives.asymmetric import rsa

    if not isinstance(key, rsa.RSAPrivateKey):
        kind = type(key).__name__.replace("PrivateKey", "")
        raise InputError(
            f"The private key is of the type {kind}. Qlik Sense accepts only tokens that are signed with RSA keys.",
            hint=_RSA_WANTED,
        )
    # The purpose of an encrypted key is not visible, and cryptography does not report it.
    if not block.is_encrypted and is_pss(block.der, key.public_key().public_numbers().n):
        raise InputError(f"The private key {PSS}", hint=_RSA_WANTED)
    if key.key_size < minimum_bits:
        raise InputError(
            f"The private key has {key.key_size} bits, fewer than {minimum_bits}.",
            hint=f"Create an RSA key pair of at least {minimum_bits} bits, and set its certificate on the virtual "
            "proxy.",
        )
    return key


def without_passphrase(pem: str, passphrase: str | None, *, option: str) -> str:
    """Return a private key of any type as PEM without a passphrase.

    Args:
        pem: one private key.
        passphrase: of the key.
        option: as for load_private_key.

    Raises:
        InputError: there is no key or more than one, it is damaged, or the passphrase is missing or wrong.
        MissingLibraryError: the library cryptography is missing.
    """
    key = _parse(_one_block(pem), passphrase, option)

    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return t.cast("str", key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii"))


def _one_block(pem: str) -> Block:
    found = private_keys(pem)
    if len(found) > 1:
        raise InputError(f"There are {len(found)} private keys in the text.", hint=_WANTED)
    if not found:
        raise InputError(_instead_of_a_key(pem), hint=_WANTED)
    if "\\n" in found[0].body:
        raise InputError(
            "The private key has the two characters \\n instead of line breaks.",
            hint="Give the key with real line breaks.",
        )
    return found[0]


def _instead_of_a_key(text: str) -> str:
    """Return a sentence about the content of a text without a complete private key."""
    names = labels(text)
    if any("PRIVATE KEY" in name for name in names):
        return "The private key has no END line."
    if names:
        return f"This is a {names[0].lower()}, not a private key."
    return unreadable(text) or "The text contains no private key in PEM format."


def _parse(block: Block, passphrase: str | None, option: str) -> t.Any:
    if block.is_encrypted and not passphrase:
        raise InputError("The private key is encrypted, and no passphrase is given.", hint=f"Give {option}_passphrase.")
    try:
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError as exc:
        raise MissingLibraryError("cryptography") from exc
    password = passphrase.encode() if passphrase and block.is_encrypted else None
    try:
        return load_pem_private_key(block.text.encode(), password=password)
    except Exception as exc:  # see parsing.attempt
        unsupported = is_unsupported(exc)
    if password:
        raise _not_decrypted(block, option, unsupported=unsupported)
    raise InputError(
        "The private key is damaged or of a type that is not supported.",
        hint="Check it with: openssl pkey -check -noout -in FILE",
    )


def _not_decrypted(block: Block, option: str, *, unsupported: bool) -> InputError:
    machine = "this machine does not support its encryption, or forbids it as in FIPS mode"
    anew = "encrypt the key with AES where it can be read: openssl pkcs8 -topk8 -v2 aes-256-cbc -in FILE -out NEW_FILE"
    if unsupported:
        causes, hint = machine, f"On another machine, {anew}"
    elif _PBES2 in block.der and _AES in block.der:
        causes = "the passphrase is wrong, or the key is damaged"
        hint = f"Check {option}_passphrase, for example with: openssl pkey -noout -in FILE"
    else:  # cryptography reports an algorithm that OpenSSL lacks as a wrong passphrase.
        causes = f"the passphrase is wrong, the key is damaged, or {machine}"
        hint = f"If {option}_passphrase is right, {anew}"
    return InputError(f"The private key cannot be decrypted: {causes}.", hint=hint)


def thumbprint(key: RSAPrivateKey | RSAPublicKey) -> str:
    """Return the thumbprint (RFC 7638) of the public key."""
    public = key if hasattr(key, "public_numbers") else key.public_key()
    numbers = public.public_numbers()
    return thumbprint_of({"e": _base64url(numbers.e), "kty": "RSA", "n": _base64url(numbers.n)})


def _base64url(number: int) -> str:
    return base64url_encode(number.to_bytes((number.bit_length() + 7) // 8, "big"))
