# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""What Qlik Sense accepts of JOSE (RFC 7515 to RFC 7519), and its base64url. Needs only the standard library."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import typing as t

# Qlik help, "JWT authentication" (May 2025): the signature algorithms a virtual proxy supports.
ALGORITHMS = ("RS256", "RS384", "RS512")
MINIMUM_BITS = 2048
"""Of an RSA key. The limit is ours."""
# Claims that RFC 7519 gives a meaning. Qlik's support article on JWT says that reserved words cannot name an
# attribute, without listing them; "sub" is reported to work as the user id, hence it is only warned about.
RESERVED_CLAIMS = ("iss", "aud", "exp", "nbf", "iat", "jti")
REGISTERED_CLAIMS = ("sub", *RESERVED_CLAIMS)


def base64url_decode(part: str) -> bytes:
    """Return the bytes that base64url without padding stands for.

    Raises:
        ValueError: it is anything else.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]*", part):
        raise ValueError
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def base64url_encode(data: bytes) -> str:
    """Return bytes as base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def thumbprint_of(members: t.Mapping[str, str]) -> str:
    """Return the name of a key after RFC 7638: SHA-256 over its required members as canonical JSON, in base64url."""
    text = json.dumps(members, separators=(",", ":"), sort_keys=True)
    return base64url_encode(hashlib.sha256(text.encode()).digest())
