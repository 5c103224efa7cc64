# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Validation of a JSON Web Token for a virtual proxy. Pure: takes an entity and a token, returns identity or refusal.

The reasons are INVENTED texts: of the refusals of a real proxy, only the one for a missing header is published. No
reason contains a part of the token.
"""

from __future__ import annotations

import datetime
import functools
import typing as t

import jwt
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ..behaviors import Switches
from ..pki import AUTHORITY
from .identity import Identity, Refusal, is_text

# EVIDENCE(A; Qlik help "JWT authentication", Nov 2022 to May 2025): RS256, RS384 and RS512 are accepted, nothing else
ALGORITHMS = ("RS256", "RS384", "RS512")
_RESERVED = frozenset(("iss", "sub", "aud", "exp", "nbf", "iat", "jti"))

# The order matters: the first class that matches an exception gives the reason.
_REASONS: tuple[tuple[type[jwt.PyJWTError], str], ...] = (
    (jwt.ExpiredSignatureError, "The token has expired."),
    (jwt.ImmatureSignatureError, "The token is not valid yet."),
    (jwt.InvalidAudienceError, "The token is for another audience."),
    (jwt.MissingRequiredClaimError, "The token is for another audience."),
    (jwt.InvalidAlgorithmError, "The signature algorithm is not supported."),
    (jwt.InvalidSignatureError, "The signature of the token is not valid."),
    (jwt.PyJWTError, "The token is malformed."),
)


def judge_authorization(header: str, virtual_proxy: t.Mapping[str, t.Any], *, switches: Switches) -> Identity | Refusal:
    """Validate the token in an Authorization header, see `judge_token`."""
    scheme, _blank, token = header.strip().partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        # INVENTED(switch=none): a header of another scheme is refused as a bad token is
        return Refusal("Expected a bearer token in the authentication header.")
    return judge_token(token.strip(), virtual_proxy, switches=switches)


def judge_token(token: str, virtual_proxy: t.Mapping[str, t.Any], *, switches: Switches) -> Identity | Refusal:
    """Validate a token for a virtual proxy.

    Args:
        token: the compact form, without "Bearer".
        virtual_proxy: a full VirtualProxyConfig entity.
        switches: leeway, future iat, audience, bracket constant and the certificate's rules.

    Returns:
        The identity with its mapped attributes, or why the token is refused.
    """
    if token.count(".") == 4:
        # EVIDENCE(A; Qlik help, server security authentication solutions, JWT): encrypted tokens are not supported
        return Refusal("Encrypted tokens are not supported.")
    key = _public_key(virtual_proxy.get("jwtPublicKeyCertificate") or "", switches)
    if isinstance(key, Refusal):
        return key
    # EVIDENCE(B; qs-jwt documentation, qlik-repo-api typings): an audience on the virtual proxy must be met by `aud`
    # INVENTED(switch=enforce_audience): `aud` is ignored where the virtual proxy has no audience
    audience = (virtual_proxy.get("jwtAudience") or None) if switches.enforce_audience else None
    try:
        claims = jwt.decode(
            token,
            key,
            algorithms=list(ALGORITHMS),
            audience=audience,
            # INVENTED(switch=leeway_seconds): there is no clock tolerance
            leeway=switches.leeway_seconds,
            options={
                # EVIDENCE(A; NPrinting help "JWT authentication", same text family): `exp` and `nbf` count, the other
                # registered claims do not
                "verify_exp": True,
                "verify_nbf": True,
                # INVENTED(switch=refuse_future_iat): an `iat` in the future does not count
                "verify_iat": switches.refuse_future_iat,
                "verify_aud": audience is not None,
                "verify_iss": False,
                "verify_sub": False,
                "verify_jti": False,
            },
        )
    except jwt.PyJWTError as error:
        return Refusal(next(reason for kind, reason in _REASONS if isinstance(error, kind)))
    except (ValueError, OverflowError, RecursionError):
        # Dates out of range and deeply nested JSON raise other exceptions than PyJWTError.
        return Refusal("The token is malformed.")
    return _identity(claims, virtual_proxy, switches=switches)


@functools.lru_cache(maxsize=64)
def _public_key(pem: str, switches: Switches) -> rsa.RSAPublicKey | Refusal:
    """Return the key with which a virtual proxy verifies tokens."""
    # INVENTED(switch=none): a certificate that cannot be read refuses every token
    unusable = Refusal("The virtual proxy has no usable certificate.")
    try:
        if "BEGIN PUBLIC KEY" in pem:
            # INVENTED(switch=accept_bare_public_key): a bare public key is no certificate
            if not switches.accept_bare_public_key:
                return unusable
            key: object = serialization.load_pem_public_key(pem.encode())
        else:
            # INVENTED(switch=refuse_several_certificates): of several certificates the first one counts
            if switches.refuse_several_certificates and pem.count("-----BEGIN CERTIFICATE-----") > 1:
                return unusable
            certificate = x509.load_pem_x509_certificate(pem.encode())
            key = certificate.public_key()
            # INVENTED(switch=refuse_foreign_issuer): who issued the certificate does not matter
            if switches.refuse_foreign_issuer and certificate.issuer not in (certificate.subject, AUTHORITY):
                return Refusal("The certificate of the virtual proxy is not trusted.")
            now = datetime.datetime.now(tz=datetime.UTC)
            # INVENTED(switch=refuse_expired_certificate): the certificate's own dates do not count
            if switches.refuse_expired_certificate and not (
                certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc
            ):
                return Refusal("The certificate of the virtual proxy has expired.")
    except (ValueError, TypeError, x509.InvalidVersion, UnsupportedAlgorithm):
        return unusable
    # EVIDENCE(A; gopherciser documentation): elliptic curves are not supported on client-managed Qlik Sense
    if not isinstance(key, rsa.RSAPublicKey):
        return unusable
    # INVENTED(switch=refuse_short_keys): keys of any length work; enigma.js examples have 1024 bits
    return unusable if switches.refuse_short_keys and key.key_size < 2048 else key


def _identity(
    claims: t.Mapping[str, t.Any], virtual_proxy: t.Mapping[str, t.Any], *, switches: Switches
) -> Identity | Refusal:
    """Return the identity in the claims, by the attribute names of the virtual proxy."""
    id_attribute = virtual_proxy.get("jwtAttributeUserId") or ""
    directory_attribute = (virtual_proxy.get("jwtAttributeUserDirectory") or "").strip()
    # EVIDENCE(A; Qlik support article ta-p/1716226): the names of the claims for user and directory must not be
    # reserved words of tokens
    # INVENTED(switch=reserved_claims_work): which words are reserved, and that nothing happens if they are used
    if not switches.reserved_claims_work and _RESERVED & {id_attribute, directory_attribute}:
        return Refusal("A reserved claim cannot name the user.")
    read = _reader(claims, switches)
    user_id = _text(read(id_attribute))
    is_constant = len(directory_attribute) > 2 and directory_attribute[0] + directory_attribute[-1] == "[]"
    if switches.bracket_constant and is_constant:
        # INVENTED(switch=bracket_constant): a directory attribute in brackets is a constant, as documented for SAML and
        # header attributes
        user_directory: str | None = directory_attribute[1:-1]
    else:
        user_directory = _text(read(directory_attribute))
    if user_id is None:
        return Refusal("The user id attribute is missing in the token.")
    if user_directory is None:
        return Refusal("The user directory attribute is missing in the token.")
    attributes: list[tuple[str, str]] = []
    for item in virtual_proxy.get("jwtAttributeMap") or ():
        # EVIDENCE(A; Qlik support article ta-p/1715208): mapped attributes live in the session only
        # EVIDENCE(A; Qlik help, header X-Qlik-Security): each value of a list becomes one attribute of its own
        values = _values(read(item["jwtAttribute"]))
        # INVENTED(switch=missing_mandatory_attribute): a mandatory attribute that is missing refuses the login
        if item.get("isMandatory") and not values and switches.missing_mandatory_attribute == "refuse":
            return Refusal("A mandatory attribute is missing in the token.")
        attributes.extend((item["senseAttribute"], value) for value in values)
    return Identity(user_directory=user_directory, user_id=user_id, attributes=tuple(attributes), by_token=True)


def _reader(claims: t.Mapping[str, t.Any], switches: Switches) -> t.Callable[[str], t.Any]:
    """Return a function that returns the value of a claim by its name."""
    # EVIDENCE(B; qlik-sense-mcp docs/AUTH_JWT.md): claim names are case-sensitive
    # INVENTED(switch=case_sensitive_claims): names of claims are case-sensitive; two reports are not much
    if switches.case_sensitive_claims:
        return claims.get
    folded = {name.casefold(): value for name, value in claims.items()}
    return lambda name: folded.get(name.casefold())


def _text(value: object) -> str | None:
    """Return a string that is not empty, or None for other values."""
    # INVENTED(switch=none): a number, a list or an empty string names no user
    return value.strip() if is_text(value) and value.strip() else None


def _values(claim: object) -> list[str]:
    """Return the values of a mapped claim. Objects and null have none."""
    values = claim if isinstance(claim, list) else [claim]
    words = {True: "true", False: "false"}
    return [
        words[value] if isinstance(value, bool) else str(value)
        for value in values
        if isinstance(value, (int, float)) or (is_text(value) and value)
    ]
