# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""Decode a token and check whether a virtual proxy would accept it. Pure, no I/O. No text quotes a token."""

from __future__ import annotations

import datetime
import math
import typing as t

from .._keys import jwks as _jwks
from .._keys.jose import inspect_token
from .._virtual_proxy.model import VirtualProxy
from .verify import diagnose, fits, is_time, signature_reasons, token_warnings

_TIMES = ("iat", "nbf", "exp")
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def examine(
    token: str,
    *,
    virtual_proxy: VirtualProxy,
    judge_user: bool,
    keys: t.Sequence[_jwks.Key] | None,
    now: float,
    leeway: float,
) -> dict[str, t.Any]:
    """Decode a token and check it.

    Args:
        token: the token, without the word Bearer.
        virtual_proxy: its settings as far as they are known.
        judge_user: True if the claims for the user are required.
        keys: a provider's keys to verify with instead of the certificate of the virtual proxy.
        now: the clock of the server in seconds since 1970.
        leeway: seconds by which clocks may differ.

    Returns:
        The result of the filter jwt_claims.

    Raises:
        InputError: it is not a signed token.
    """
    content = inspect_token(token)
    reasons = diagnose(token, virtual_proxy.fields, now=now, leeway=leeway, judge_user=judge_user)
    verified = verified_by = None
    if keys is not None:
        key, reason = _signer(token, content["header"], keys)
        verified, verified_by = key is not None, key.kid if key else None
        # The reasons already contain an algorithm that is not accepted.
        reasons = [*([reason] if reason else []), *reasons]
    elif certificate := virtual_proxy.fields.get("jwt_public_key_certificate"):
        verified = not list(signature_reasons(token, certificate))
    claims = content["claims"]
    left = math.floor(claims["exp"] - now) if is_time(claims.get("exp")) else None
    return {
        "header": content["header"],
        "claims": claims,
        "times": {name: _date(claims.get(name)) for name in _TIMES},
        "expired": left is not None and left <= 0,
        "seconds_left": left,
        "verified": verified,
        "verified_by": verified_by,
        "accepted": not reasons,
        "reasons": reasons,
        "warnings": [*_warnings(claims), *token_warnings(claims, virtual_proxy)],
    }


def _signer(token: str, header: dict[str, t.Any], keys: t.Sequence[_jwks.Key]) -> tuple[_jwks.Key | None, str | None]:
    """Return the key that signed a token, or the reason why there is none, or neither if its algorithm is refused."""
    if list(signature_reasons(token, None)):
        return None, None
    kid = header.get("kid")
    named = [key for key in keys if key.kid == kid]
    if kid is not None and not named:
        return None, "The JWKS has no key with the kid of the token: the key was retired, or the JWKS is out of date."
    problems = []
    for key in named if kid is not None else keys:
        if key.public_key is None or key.reasons:
            problems.append(key.reasons[0])
        elif header["alg"] not in key.algorithms:
            problems.append(f"It is for {', '.join(key.algorithms)}, but the token is signed with {header['alg']}.")
        elif fits(token, key.public_key):
            return key, None
    if not keys:
        return None, "The JWKS is empty."
    if kid is None:
        return None, "The token has no kid, and no signing key of the JWKS verifies it: another key signed it."
    if len(problems) == len(named):
        return None, f"The key of the JWKS with the kid of the token cannot be used: {problems[0]}"
    return None, "The signature does not match the key of the JWKS with the kid of the token: it was altered or forged."


def _warnings(claims: dict[str, t.Any]) -> t.Iterator[str]:
    # The examples of enigma.js and of qlikwebisr/qs-jwt-examples send tokens without it to Sense on Windows.
    if claims.get("exp") is None:
        yield (
            "The token has no exp. Qlik Sense accepts it as long as the virtual proxy has the certificate of its key;"
            " set an expiry time."
        )


def _date(value: t.Any) -> str | None:
    """Return a time of a token in ISO 8601 and UTC, None if it is not a valid time."""
    if not is_time(value):
        return None
    try:
        return (_EPOCH + datetime.timedelta(seconds=math.floor(value))).isoformat().replace("+00:00", "Z")
    except OverflowError:
        return None
