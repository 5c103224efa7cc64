# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""Reasons why a virtual proxy would refuse a token. Pure, no I/O. No text quotes a token."""

from __future__ import annotations

import re
import time
import typing as t

from .._errors import InputError, QlikError
from .._keys import certificate as _certificate
from .._keys.jose import ALGORITHMS, base64url_decode, inspect_token, require_whole_token
from .._text import sanitize

if t.TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    from .._virtual_proxy.model import VirtualProxy

_END_OF_TIME = 1e15  # seconds; excludes numbers without a date, such as infinity
_MILLISECONDS = 1e11  # seconds until the year 5138, and milliseconds since 1973
_SECONDS = "A token has seconds since 1970 (RFC 7519)."
_CONSTANT = re.compile(r"\[(.+)\]")


def constant_directory(attribute: str) -> str | None:
    """Return the fixed directory if the attribute is one in brackets, such as "[CORP]", None for a claim name."""
    match = _CONSTANT.fullmatch(attribute)
    return match[1] if match else None


def diagnose(
    token: str,
    virtual_proxy: t.Mapping[str, t.Any],
    *,
    now: float | None = None,
    leeway: float = 60,
    judge_user: bool = True,
) -> list[str]:
    """Return the reasons why a virtual proxy with these settings would refuse a token.

    Args:
        token: the token, without the word Bearer.
        virtual_proxy: settings with the names of the module's options. A missing setting is not checked, except that
            the default names of the claims are C(userId) and C(userDirectory).
        now: the clock of the server in seconds since 1970, by default the clock of this machine.
        leeway: seconds by which clocks may differ. Qlik publishes no figure for its tolerance; with 0, any
            difference is a reason.
        judge_user: True if the claims for the user are required.

    Returns:
        One sentence per reason, in descending order of importance; empty if the token should be accepted.
    """
    try:
        content = inspect_token(token)
    except InputError as exc:
        return [exc.message]
    claims = content["claims"]
    return [
        *signature_reasons(token, virtual_proxy.get("jwt_public_key_certificate")),
        *_time_reasons(claims, time.time() if now is None else now, leeway),
        *(_identity_reasons(claims, virtual_proxy) if judge_user else ()),
        *_audience_reasons(claims, virtual_proxy.get("jwt_audience")),
        *_attribute_reasons(claims, virtual_proxy.get("jwt_attribute_map") or ()),
    ]


def signature_reasons(token: str, certificate: str | None) -> t.Iterator[str]:
    """Return the reasons of diagnose for algorithm and signature, which without a certificate need only be complete.

    Raises:
        InputError: it is not a signed token.
    """
    algorithm = inspect_token(token)["header"].get("alg")
    if algorithm not in ALGORITHMS:
        yield f"The token is signed with {str(algorithm)[:20]}; Qlik Sense accepts {', '.join(ALGORITHMS)} only."
        return
    if "crit" in inspect_token(token)["header"]:
        yield "The token requires an extension (crit) that Qlik Sense does not know, so it must be refused (RFC 7515)."
        return
    try:
        require_whole_token(token)
    except InputError as exc:
        yield exc.message
        return
    if not certificate:
        return
    try:
        key = _certificate.rsa_public_key(certificate)
    except QlikError as exc:
        yield f"The certificate of the virtual proxy cannot be used: {exc.message}"
        return
    if not fits(token, key):
        yield (
            "The signature does not match the certificate of the virtual proxy"
            f" (SHA-256 {_certificate.fingerprint(certificate)}): the token was signed with another key, or altered."
        )


def fits(token: str, key: RSAPublicKey) -> bool:
    """Return True if a token was signed with one of ALGORITHMS and the private key of a public key.

    Raises:
        InputError: it is not a signed token.
    """
    algorithm = inspect_token(token)["header"].get("alg")
    if algorithm not in ALGORITHMS:
        return False

    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

    content, _dot, signature = token.rpartition(".")
    try:
        key.verify(base64url_decode(signature), content.encode(), PKCS1v15(), getattr(hashes, f"SHA{algorithm[2:]}")())
    except (InvalidSignature, ValueError):
        return False
    return True


def _time_reasons(claims: dict[str, t.Any], now: float, leeway: float) -> t.Iterator[str]:
    for name in ("exp", "nbf", "iat"):
        value = claims.get(name)
        if value is None:
            continue
        if not is_time(value):
            yield f"The claim {name} is not a number of seconds since 1970."
        elif name != "exp" and value > _MILLISECONDS:
            yield f"The claim {name} is in milliseconds, so it is in the future. {_SECONDS}"
        elif name == "exp" and value <= now - leeway:
            yield f"The token expired {_duration(now - value)} ago."
        elif name == "nbf" and value > now + leeway:
            yield f"The token becomes valid in {_duration(value - now)}; check the clocks of issuer and server."
        elif name == "iat" and value > now + leeway:
            yield f"The token was issued {_duration(value - now)} in the future; check the clocks of issuer and server."


def token_warnings(claims: t.Mapping[str, t.Any], virtual_proxy: VirtualProxy) -> list[str]:
    """Return warnings about a token that may be accepted, one sentence each. Values of claims are never quoted.

    Args:
        claims: claims of the token.
        virtual_proxy: its settings as far as they are known.
    """
    found = []
    if is_time(claims.get("exp")) and claims["exp"] > _MILLISECONDS:
        found.append(f"The claim exp is in milliseconds, so the token does not expire in this millennium. {_SECONDS}")
    names = (virtual_proxy.user_directory_claim, virtual_proxy.user_id_claim)
    constant = constant_directory(names[0])
    directory, user_id = str((claims.get(names[0]) if constant is None else constant) or ""), claims.get(names[1])
    if directory and isinstance(user_id, str) and re.match(f"{re.escape(directory)}[\\\\/]", user_id, re.IGNORECASE):
        found.append(
            f"The claim {sanitize(names[1], 60)}, which is the user id, begins with the user directory. Qlik Sense "
            "takes it for a part of the name. Send the name alone."
        )
    return found + mapping_warnings(claims, virtual_proxy)


def is_time(value: t.Any) -> bool:
    """Return True if the value of a claim is a number of seconds with a valid date."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return -_END_OF_TIME < value < _END_OF_TIME


def _duration(seconds: float) -> str:
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} seconds"


def _identity_reasons(claims: dict[str, t.Any], virtual_proxy: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    wanted = (
        ("user id", virtual_proxy.get("jwt_attribute_user_id") or "userId"),
        ("user directory", virtual_proxy.get("jwt_attribute_user_directory") or "userDirectory"),
    )
    for what, name in wanted:
        if what == "user directory" and constant_directory(name) is not None:
            continue
        value = claims.get(name)
        if name not in claims:
            yield f"The token lacks the claim {name}, which is the {what}{_alike(claims, name)}."
        elif not isinstance(value, str):
            yield f"The claim {name}, which is the {what}, is not text."
        elif not value.strip():
            yield f"The claim {name}, which is the {what}, is empty."


def _alike(claims: dict[str, t.Any], name: str) -> str:
    """Return a note about a claim whose name differs in case (qlik-sense-mcp, AUTH_JWT.md; Community DOC-19383)."""
    other = _other_case(claims, name)
    return f"; it has {other}, but names are case-sensitive" if other else ""


def _other_case(claims: t.Mapping[str, t.Any], name: str) -> str:
    return next((sanitize(other, 40) for other in claims if other.lower() == name.lower()), "")


def _audience_reasons(claims: dict[str, t.Any], audience: str | None) -> t.Iterator[str]:
    if not audience:
        return
    given = claims.get("aud")
    if given is None:
        yield "The token has no audience (aud), but the virtual proxy requires one."
    elif audience not in (given if isinstance(given, list) else [given]):
        yield "The audience of the token (aud) is not the one of the virtual proxy."


def _attribute_reasons(claims: dict[str, t.Any], attributes: t.Iterable[t.Mapping[str, t.Any]]) -> t.Iterator[str]:
    for attribute in attributes:
        name = str(attribute.get("jwt_attribute") or "")
        if attribute.get("is_mandatory") and name and name not in claims:
            yield f"The token lacks the claim {name}, which the virtual proxy requires{_alike(claims, name)}."


def mapping_warnings(claims: t.Mapping[str, t.Any], virtual_proxy: VirtualProxy) -> list[str]:
    """Return the reasons why a user may get other attributes than the virtual proxy maps with an accepted token.

    A missing mandatory claim is not reported here, because diagnose returns it as a reason for a refusal.

    Args:
        claims: claims of the token.
        virtual_proxy: its settings as far as they are known.

    Returns:
        One sentence for each mapped claim with a problem. Values are never quoted.
    """
    found = []
    for entry in virtual_proxy.fields.get("jwt_attribute_map") or ():
        name, attribute = str(entry.get("jwt_attribute") or ""), sanitize(str(entry.get("sense_attribute")), 60)
        if name in claims:
            problem = _form_problem(claims[name])
        elif entry.get("is_mandatory") or not name:
            continue
        elif other := _other_case(claims, name):
            problem = f"is missing; the token has {other}, but names are case-sensitive"
        elif path := _nested(claims, name):
            problem = f"is missing; the token has {path}, and only claims at the top level are mapped"
        else:
            problem = "is missing"
        if problem:
            found.append(f"The claim {sanitize(name, 60)}, which is mapped to the attribute {attribute}, {problem}.")
    return list(dict.fromkeys(found))


def _form_problem(value: t.Any) -> str:
    """Return the problem with the value of a mapped claim, "" for none."""
    values = value if isinstance(value, list) else [value]
    if any(isinstance(one, (dict, list)) for one in values):
        return "contains an object or a list in a list instead of texts"
    if value is None:
        return "is null"
    # A distinguished name contains commas as well: CN=Board,OU=Groups.
    if isinstance(value, str) and re.search("[,;]", value) and not all("=" in part for part in re.split("[,;]", value)):
        return "is one text with commas or semicolons, which is one value; several values must be a list"
    return ""


def _nested(claims: t.Mapping[str, t.Any], name: str) -> str:
    """Return the path of a claim that is inside another one, such as Keycloak's realm_access.roles, "" if none is."""
    wanted = name.rsplit(".", 1)[-1]
    todo: list[tuple[tuple[str, ...], t.Mapping[str, t.Any]]] = [((), claims)]
    while todo:
        path, inside = todo.pop(0)
        for key, value in inside.items():
            if path and key == wanted:
                return sanitize(".".join([*path, key]), 60)
            if isinstance(value, dict):
                todo.append(((*path, key), value))
    return ""
