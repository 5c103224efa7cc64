# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""Key sets of the form {kid: PEM}, as Google and Firebase publish them besides their JWKS. Pure, no I/O."""

from __future__ import annotations

import base64
import typing as t

from .._content import blocks, holds_private_key
from .._errors import MissingLibraryError
from .jose import base64url_encode
from .parsing import attempt

UNREADABLE = "Its text is not a complete certificate or public key in PEM format; it may be cut off."


def entries_of(texts: t.Mapping[str, t.Any]) -> list[t.Any]:
    """Return the entries of a JWKS for certificates or public keys as PEM, by kid. Private keys are not read.

    Raises:
        MissingLibraryError: the library cryptography is missing.
    """
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
        from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key
    except ImportError as exc:
        raise MissingLibraryError("cryptography") from exc
    entries = []
    for kid, value in texts.items():
        entry: dict[str, t.Any] = {"kid": str(kid)}
        text = value if isinstance(value, str) else ""
        block = next(iter(blocks(text)), None)
        key: t.Any = None
        if holds_private_key(text):
            entry["d"] = ""  # marks it as private; the key itself is not read
        elif block and block.label.endswith("CERTIFICATE"):
            certificate = attempt(x509.load_der_x509_certificate, block.der)
            key = certificate and attempt(certificate.public_key)
            entry["x5c"] = [base64.b64encode(block.der).decode()]
        elif block and block.label == "PUBLIC KEY":
            key = attempt(load_der_public_key, block.der)
        elif block:
            key = attempt(load_pem_public_key, block.text.encode())
        if isinstance(key, RSAPublicKey):
            numbers = key.public_numbers()
            entry |= {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}
        elif key is None:
            entry["pem"] = UNREADABLE
        else:
            entry["kty"] = type(key).__name__.replace("PublicKey", "").replace("EllipticCurve", "EC")
        entries.append(entry)
    return entries


def _number(value: int) -> str:
    return base64url_encode(value.to_bytes((value.bit_length() + 7) // 8, "big"))
