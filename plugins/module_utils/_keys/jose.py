# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""The parts of JOSE (RFC 7515 to RFC 7519) that Qlik Sense accepts. Needs only the standard library."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import typing as t

from .._errors import InputError

# Qlik help, "JWT authentication" (May 2025): the signature algorithms a virtual proxy supports.
ALGORITHMS = ("RS256", "RS384", "RS512")
MINIMUM_BITS = 2048
"""Minimum size of an RSA key. The limit is a decision of this collection."""
_SHORTEST_SIGNATURE = 128  # bytes, of a key with 1024 bits

_HINT = "Give one signed token."
# Beginnings of texts that programs and templates produce instead of a token, and how they are called.
_NO_TOKENS = {
    r"[\"'`]": "is in quotes.",
    r"\[object \w+\]": "is the text of an object of JavaScript, not its value.",
    r"(undefined|null|None|true|false|NaN)$": "is the text of an empty value.",
    r"\{\{": "is a template that was not resolved.",
    r"[\[{]": "is JSON or a list, not the token in it.",
    r"\S+\s": "contains a blank or a line break.",
}


def base64url_decode(part: str) -> bytes:
    """Return the decoded bytes of base64url without padding.

    Raises:
        ValueError: it is not base64url.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]*", part):
        raise ValueError
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def base64url_encode(data: bytes) -> str:
    """Return bytes as base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def thumbprint_of(members: t.Mapping[str, str]) -> str:
    """Return the thumbprint of a key (RFC 7638): SHA-256 of its required members as canonical JSON, in base64url."""
    text = json.dumps(members, separators=(",", ":"), sort_keys=True)
    return base64url_encode(hashlib.sha256(text.encode()).digest())


class Content(t.TypedDict):
    """Header and claims of a token, both unverified."""

    header: dict[str, t.Any]
    claims: dict[str, t.Any]


def inspect_token(token: str) -> Content:
    """Return header and claims of a token without any verification.

    Raises:
        InputError: it is not a signed token.
    """
    if not token:
        raise InputError("The token is empty.", hint=_HINT)
    if token.lower().startswith("bearer"):
        raise InputError("The token begins with the word Bearer.", hint="Give only the token.")
    for pattern, problem in _NO_TOKENS.items():
        if re.match(pattern, token):
            raise InputError(f"The token {problem}", hint=_HINT)
    parts = token.split(".")
    if len(parts) == 5:
        raise InputError(
            "The token has five parts, so it is encrypted (JWE). Qlik Sense does not accept encrypted tokens.",
            hint="Only sign it; TLS already encrypts it in transit.",
        )
    if len(parts) != 3:
        raise InputError(f"A JWT has three parts separated by dots; this one has {len(parts)}.", hint=_HINT)
    header, claims = _json_object(parts[0], "header"), _json_object(parts[1], "claims")
    return {"header": header, "claims": claims}


def require_whole_token(token: str) -> None:
    """Raise if a text is certain not to be a token that a virtual proxy accepts, so that it need not be sent.

    Raises:
        InputError: as inspect_token, or the signature is missing or cut off.
    """
    inspect_token(token)
    try:
        signature = base64url_decode(token.rpartition(".")[2])
    except ValueError:
        signature = b""
    if len(signature) < _SHORTEST_SIGNATURE:
        problem = f"is cut off after {len(signature)} bytes" if signature else "is missing or not base64url"
        raise InputError(f"The signature of the token {problem}.", hint="Give the whole token, up to its end.")


def _json_object(part: str, what: str) -> dict[str, t.Any]:
    try:
        result = json.loads(base64url_decode(part).decode("utf-8"))  # RFC 7519, 3; json would also accept UTF-16
    except (ValueError, RecursionError):  # their texts quote the token
        result = None
    if not isinstance(result, dict):
        raise InputError(f"The {what} of the token cannot be read as a JSON object in base64url.", hint=_HINT)
    return result
