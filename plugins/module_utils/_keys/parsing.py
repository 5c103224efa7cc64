# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""Calls of the parsers of cryptography with untrusted input."""

from __future__ import annotations

import typing as t

Result = t.TypeVar("Result")

# DER of 1.2.840.113549.1.1, without its last number: 1 is a key for all algorithms, 10 a key for RSASSA-PSS only.
_RSA = bytes.fromhex("2a864886f70d0101")
# Texts of OpenSSL, and of cryptography for ciphers of encrypted keys.
_UNSUPPORTED = ("digital envelope routines", "unknown key encryption algorithm", "unknown cipher")
PSS = "is restricted to RSASSA-PSS (PS256, PS384, PS512), and Qlik Sense accepts RS256, RS384 and RS512 only."


def attempt(parse: t.Callable[..., Result], *arguments: t.Any, **options: t.Any) -> Result | None:
    """Return the result of a parser, None if it refuses its input.

    The parsers raise ValueError, TypeError, OverflowError, UnsupportedAlgorithm, InternalError and x509.InvalidVersion,
    which have no base class but Exception. Their texts may quote the input.
    """
    try:
        return parse(*arguments, **options)
    except Exception:
        return None


def is_unsupported(exc: Exception) -> bool:
    """Return True if the libraries of this machine refuse an algorithm, as in FIPS mode, and not the input."""
    # By names, because cryptography is expensive to import. The text of InternalError contains the errors of OpenSSL.
    refused = type(exc).__name__ in ("UnsupportedAlgorithm", "UnsupportedDigestmodError", "InternalError")
    return refused or any(mark in str(exc).lower() for mark in _UNSUPPORTED)


def is_pss(der: bytes, modulus: int) -> bool:
    """Return True if an RSA key is restricted to RSASSA-PSS, which cryptography does not report.

    Args:
        der: of the certificate or of the private key.
        modulus: of the key. The last algorithm before it is that of the key or one of its parameters.
    """
    before = der.partition(modulus.to_bytes((modulus.bit_length() + 7) // 8, "big"))[0]
    _before, found, rest = before.rpartition(_RSA)
    return bool(found) and rest[:1] != b"\x01"
