# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""Negative tokens, which a virtual proxy must refuse, derived from a token that it must accept. Pure, no I/O."""

from __future__ import annotations

import json
import typing as t

from .._keys.jose import base64url_encode, inspect_token

if t.TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from .._virtual_proxy.model import VirtualProxy

_EXPIRED_FOR = 300  # seconds; more than clocks should differ


Mint = t.Callable[[dict[str, t.Any]], str]


def login_tokens(
    claims: dict[str, t.Any], virtual_proxy: VirtualProxy, mint: Mint, mint_other: Mint | None = None, *, now: int
) -> dict[str, str]:
    """Return a token and the negative tokens derived from it, by the names of the options of login_check's logins.

    Args:
        claims: those of a token that the virtual proxy must accept, with iat, nbf and exp.
        virtual_proxy: its settings as far as they are known. Without an audience there is no token for another one,
            and without mandatory claims no incomplete token.
        mint: signs claims with the key of the virtual proxy.
        mint_other: signs claims with another key.
        now: seconds since 1970 UTC.
    """
    shift = claims["exp"] - (now - _EXPIRED_FOR)
    tokens = {
        "token": mint(claims),
        "expired_token": mint(claims | {name: claims[name] - shift for name in ("iat", "nbf", "exp")}),
    }
    if audience := virtual_proxy.fields.get("jwt_audience"):
        tokens["wrong_audience_token"] = mint({**claims, "aud": f"not {audience}"})
    user = {virtual_proxy.user_id_claim, virtual_proxy.user_directory_claim}
    if mandatory := set(virtual_proxy.mandatory_claims) - user:
        tokens["incomplete_token"] = mint({name: value for name, value in claims.items() if name not in mandatory})
    if mint_other:
        tokens["other_key_token"] = mint_other(claims)
    return tokens


def forged(token: str, user_claim: str) -> str:
    """Return the token with another user id and its old signature.

    Args:
        token: a signed token.
        user_claim: name of the claim with the user id.

    Raises:
        InputError: it is not a signed token.
    """
    claims = inspect_token(token)["claims"]
    claims[user_claim] = f"{claims.get(user_claim, '')}-forged"
    header, _payload, signature = token.split(".")
    return f"{header}.{base64url_encode(json.dumps(claims).encode())}.{signature}"


def new_foreign_key() -> RSAPrivateKey:
    """Return a new key that no virtual proxy knows. It is never stored."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def signed_with(key: RSAPrivateKey, token: str) -> str:
    """Return the token with the same header and claims, signed with another key.

    Raises:
        InputError: it is not a signed token.
    """
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

    algorithm = inspect_token(token)["header"].get("alg")
    digest = {"RS384": hashes.SHA384(), "RS512": hashes.SHA512()}.get(str(algorithm), hashes.SHA256())
    content, _dot, _signature = token.rpartition(".")
    return f"{content}.{base64url_encode(key.sign(content.encode(), PKCS1v15(), digest))}"
