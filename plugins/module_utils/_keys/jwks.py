# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""Convert a JSON Web Key Set (RFC 7517) to a list of keys, each checked for its use by Qlik Sense. Pure, no I/O.

A problem with one key does not affect the others. The only member of a key that is quoted is its kid.
"""

from __future__ import annotations

import dataclasses
import json
import typing as t
from collections.abc import Mapping

from .._errors import InputError, MissingLibraryError
from . import certificate as _certificate
from .jose import ALGORITHMS, MINIMUM_BITS, base64url_decode, thumbprint_of
from .parsing import PSS, attempt, is_pss
from .pem_set import UNREADABLE, entries_of
from .private_key import thumbprint

if t.TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

_WANTED = 'Give the provider\'s key set as it publishes it, JSON of the form {"keys": [...]}'
# RFC 7518, 6: members of a private key, and "k", which is a symmetric key.
_PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
# RFC 7638 and RFC 8037: the members for the thumbprint of a key of another type than RSA.
_NAMING = {"EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x")}
_LONGEST_KID = 256
_URL_SAFE = str.maketrans("+/", "-_")
OTHER_KEY = "The certificate in its x5c belongs to another key than its n and e, so it is ignored."
_MOST_BITS = 16384  # OpenSSL does not verify with longer keys


@dataclasses.dataclass
class Key:
    """One entry of a key set.

    Attributes:
        kid: its name, otherwise its thumbprint, otherwise "".
        thumbprint: its thumbprint (RFC 7638), None if it cannot be computed.
        kind: its "kty", None if it has none.
        use: its "use", None if it has none.
        algorithms: its signature algorithms. For an RSA key without "alg", those of Qlik Sense.
        public_key: the key, None if it is not a valid RSA key.
        certificate: the first of its "x5c" as PEM, None if there is none or it is not a certificate of this key.
        reasons: reasons why Qlik Sense cannot verify tokens with it, one sentence each.
        warnings: other unexpected properties, one sentence each.
    """

    kid: str = ""
    thumbprint: str | None = None
    kind: str | None = None
    use: str | None = None
    algorithms: list[str] = dataclasses.field(default_factory=list)
    public_key: RSAPublicKey | None = None
    certificate: str | None = None
    reasons: list[str] = dataclasses.field(default_factory=list)
    warnings: list[str] = dataclasses.field(default_factory=list)

    @property
    def short_name(self) -> str:
        """Return its name, shortened for messages."""
        return self.kid if len(self.kid) <= 64 else f"{self.kid[:60]}..."


def parse(jwks: t.Any) -> list[t.Any]:
    """Return the raw entries of a key set.

    Args:
        jwks: JSON text, or its parsed content. A dictionary of PEM texts by kid, as Google and Firebase publish it, is
            a key set as well.

    Raises:
        InputError: it is not a key set.
    """
    if isinstance(jwks, str):
        jwks = _parsed(jwks)
    if not isinstance(jwks, Mapping):
        raise InputError("The key set is not a JSON object.", hint=f"{_WANTED}.")
    if not {"keys", "kty"} & jwks.keys() and any(isinstance(one, str) and "-----BEGIN" in one for one in jwks.values()):
        return entries_of(jwks)
    entries = jwks.get("keys")
    if isinstance(entries, (list, tuple)):
        return list(entries)
    if "keys" in jwks:
        raise InputError("The member keys of the key set is not a list.", hint=f"{_WANTED}.")
    if isinstance(jwks.get("jwks_uri"), str):
        raise InputError(
            "This is the provider's configuration, not its key set.", hint="Give the jwks_uri of this configuration."
        )
    if "kty" in jwks:
        raise InputError("This is a single key, not a key set.", hint=f"{_WANTED}, with this key in the list.")
    raise InputError("The key set has no member keys.", hint=f"{_WANTED}.")


def _parsed(text: str) -> t.Any:
    try:
        return json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):  # their texts quote the input
        pass
    if not text.strip():
        message = "The key set is empty text."
    elif "-----BEGIN" in text:
        message = "The key set is PEM, not JSON."
    elif text.lstrip().startswith("<"):
        message = "The key set is an HTML or XML page, not JSON."
    else:
        message = "The key set is not JSON."
    raise InputError(message, hint=f"{_WANTED}.")


def holds_private_key(entries: t.Iterable[t.Any]) -> bool:
    """Return True if an entry contains a private or symmetric key, which must never be published."""
    return any(isinstance(entry, Mapping) and any(name in entry for name in _PRIVATE) for entry in entries)


def read(jwks: t.Any) -> list[Key]:
    """Return the keys of a key set, sorted by kid and thumbprint. The order of the provider has no meaning.

    Args:
        jwks: as for parse.

    Raises:
        InputError: it is not a key set.
        MissingLibraryError: the library cryptography is missing.
    """
    keys = sorted(map(_key, parse(jwks)), key=_rank)
    _mark_duplicates(keys)
    return keys


def _rank(key: Key) -> tuple[t.Any, ...]:
    """Return the sort key: by names, and the entry with a certificate first if there are several for one key."""
    rest = (key.use or "", key.algorithms, key.reasons, key.warnings)
    return (key.kid, key.thumbprint or "", key.certificate is None, key.certificate or "", rest)


def _mark_duplicates(keys: list[Key]) -> None:
    """Mark all but the first entry with the same kid and key as not usable, so that the order has no influence."""
    seen: dict[tuple[str, str | None], Key] = {}
    for key in [key for key in keys if key.public_key is not None and not key.reasons]:
        if (key.kid, key.thumbprint) in seen:
            key.reasons.append("The key is listed more than once; the other entry is used.")
            continue
        for other in seen.values():
            if other.kid == key.kid:
                text = "Another key has the same kid, so the kid of a token does not determine the key that signed it."
            elif other.thumbprint == key.thumbprint:
                text = "The same key is listed under another kid as well."
            else:
                continue
            for one in (other, key):
                if text not in one.warnings:
                    one.warnings.append(text)
        seen[key.kid, key.thumbprint] = key


def _key(entry: t.Any) -> Key:
    key = Key()
    if not isinstance(entry, Mapping):
        key.reasons.append("It is not a JSON object.")
        return key
    if holds_private_key([entry]):
        key.reasons.append(
            "It contains its private key, so every reader can sign tokens. Make the provider revoke the key."
        )
    key.kind, key.use = _text(entry, "kty", key.reasons), _text(entry, "use", key.reasons)
    if key.kind == "RSA":
        _read_numbers(key, entry)
    elif key.kind is not None:
        key.thumbprint = _thumbprint(entry, _NAMING.get(key.kind, ()))
        key.reasons.append(f"It is of the type {key.kind[:20]}, and Qlik Sense verifies tokens with RSA keys only.")
    elif entry.get("kty") is None and "d" not in entry:
        key.reasons.append(UNREADABLE if entry.get("pem") == UNREADABLE else "It has no kty, so its type is unknown.")
    _judge_purpose(key, entry)
    _name(key, entry)
    if key.public_key is not None and entry.get("x5c") is not None:
        _read_x5c(key, entry["x5c"])
    return key


def _text(entry: Mapping[t.Any, t.Any], name: str, reasons: list[str]) -> str | None:
    value = entry.get(name)
    if value is None:
        return None
    if isinstance(value, str) and value.isprintable():
        return str(value)
    reasons.append(f"Its {name} is not text.")
    return None


def _read_numbers(key: Key, entry: Mapping[t.Any, t.Any]) -> None:
    numbers = {name: _number(entry.get(name)) for name in ("n", "e")}
    for name, number in numbers.items():
        if number is None:
            problem = "is not a number in base64url" if name in entry else "is missing"
            key.reasons.append(f"The {name} of the RSA key {problem}.")
    n, e = numbers["n"], numbers["e"]
    if n is None or e is None:
        return
    try:
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
    except ImportError as exc:
        raise MissingLibraryError("cryptography") from exc
    if n % 2 and n.bit_length() <= _MOST_BITS:
        key.public_key = attempt(RSAPublicNumbers(e, n).public_key)
    if key.public_key is None:
        key.reasons.append("Its n and e are not valid for an RSA key.")
        return
    key.thumbprint = thumbprint(key.public_key)
    if key.public_key.key_size < MINIMUM_BITS:
        key.reasons.append(f"The key has {key.public_key.key_size} bits, fewer than {MINIMUM_BITS}.")


def _number(value: t.Any) -> int | None:
    """Return a number. RFC 7518 requires base64url without padding and leading zeros, but deviations are accepted."""
    try:
        data = base64url_decode(value.rstrip("=").translate(_URL_SAFE)) if isinstance(value, str) else b""
    except ValueError:
        return None
    return int.from_bytes(data, "big") or None


def _thumbprint(entry: Mapping[t.Any, t.Any], names: t.Sequence[str]) -> str | None:
    members = {name: entry.get(name) for name in names}
    if not members or not all(isinstance(value, str) for value in members.values()):
        return None
    return thumbprint_of(t.cast("dict[str, str]", members))


def _judge_purpose(key: Key, entry: Mapping[t.Any, t.Any]) -> None:
    """Check the purpose of a key (RFC 7517, 4.2 to 4.4). A member that is absent allows all purposes."""
    if key.use not in (None, "sig"):
        purpose = "for encryption" if key.use == "enc" else "not for signatures"
        key.reasons.append(f"The key is {purpose} (use: {str(key.use)[:20]}).")
    operations = entry.get("key_ops")
    if operations is not None and not (isinstance(operations, (list, tuple)) and "verify" in operations):
        key.reasons.append("The key is not for verifying signatures (key_ops).")
    algorithm = _text(entry, "alg", key.reasons)
    if algorithm is not None:
        key.algorithms = [algorithm]
    elif entry.get("alg") is None and key.public_key is not None and key.use in (None, "sig"):
        key.algorithms = list(ALGORITHMS)
    if algorithm is not None and algorithm not in ALGORITHMS and key.use in (None, "sig") and key.kind == "RSA":
        key.reasons.append(f"The key is for {algorithm[:20]}. Qlik Sense accepts only {', '.join(ALGORITHMS)}.")


def _name(key: Key, entry: Mapping[t.Any, t.Any]) -> None:
    kid = entry.get("kid")
    if isinstance(kid, str) and kid.isprintable() and 0 < len(kid) <= _LONGEST_KID:
        key.kid = str(kid)
        return
    key.kid = key.thumbprint or ""
    if kid is not None:
        key.reasons.append(f"Its kid is not a printable text of 1 to {_LONGEST_KID} characters.")


def _read_x5c(key: Key, chain: t.Any) -> None:
    """Read the certificate of the key. RFC 7517, 4.7: DER in plain base64; the first one must be for the same key."""
    first = chain[0] if isinstance(chain, (list, tuple)) and chain else None
    try:
        pem = _certificate.pem_of(
            f"-----BEGIN CERTIFICATE-----{first if isinstance(first, str) else ''}-----END CERTIFICATE-----"
        )
        public_key = _certificate.rsa_public_key(pem, allow_pss=True)
        _certificate.inspect(pem)
    except InputError:
        key.warnings.append("Its x5c does not begin with a certificate of an RSA key, so it is ignored.")
        return
    if public_key == key.public_key:
        key.certificate = pem
        if is_pss(_certificate.der_of(pem), public_key.public_numbers().n):
            key.reasons.append(f"The key {PSS}")
    else:
        key.warnings.append(OTHER_KEY)
