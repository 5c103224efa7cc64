# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.
#
# Ansible compiles this file again for every module task, and most tasks only compare two fingerprints. Therefore
# cryptography is imported only where a certificate is read.

from __future__ import annotations

import base64
import functools
import hashlib
import re
import typing as t

from .._content import blocks, holds_private_key, labels, unreadable
from .._errors import InputError, MissingLibraryError
from .._text import printable
from .jose import MINIMUM_BITS
from .parsing import PSS, attempt, is_pss

if t.TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

SOON = 30  # days; certificates that expire earlier are warned about

_RSA_WANTED = "Create an RSA key pair and give its certificate."
_WANTED = "Give one RSA certificate as PEM text, from the line BEGIN CERTIFICATE to the line END CERTIFICATE"
_MARKS = re.compile(r"-----(?:BEGIN|END) [^-\n]*-----")


class Certificate(t.TypedDict):
    """Properties of a certificate for results, diffs and reports.

    Names are RFC 4514 strings, dates are in UTC ("2027-01-01T00:00:00Z"). days_left is negative if it has expired.
    key_size is in bits, and None for a key without a size.
    """

    subject: str
    issuer: str
    not_before: str
    not_after: str
    days_left: int
    fingerprint_sha256: str
    key_size: int | None


# The virtual proxies of a site often share a certificate, and each is read several times. Errors are not cached.
@functools.cache
def der_of(pem: str) -> bytes:
    """Return the DER of the one certificate in a PEM text.

    A byte order mark, CRLF, lines joined by blanks and text around the block do not matter.

    Raises:
        InputError: there is no certificate, more than one, or another PEM block such as a private key.
    """
    names = labels(pem)
    refuse_private_key(pem)
    for name in names:
        if name != "CERTIFICATE":
            raise InputError(f"The text contains a {name.lower()}, not only a certificate.", hint=f"{_WANTED}.")
    if len(names) > 1:
        raise InputError(
            f"The text contains {len(names)} certificates; a virtual proxy accepts one.",
            hint="Give only the certificate of the signing key, without the chain.",
        )
    if not names:
        raise InputError(unreadable(pem) or "The text contains no certificate.", hint=f"{_WANTED}.")
    complete = blocks(pem)
    if not complete:
        raise InputError("The text has no line END CERTIFICATE.", hint=f"{_WANTED}.")
    der = complete[0].der
    if not der:
        raise InputError(
            "The text between the BEGIN and END lines is not base64.",
            hint=f"{_WANTED}, with real line breaks and not the two characters \\n.",
        )
    return der


def is_private_key(text: str) -> bool:
    """Return True if the text contains a private key of any type, also one without its BEGIN line."""
    return holds_private_key(text)


def is_public(text: str) -> bool:
    """Return True if a text can be shown: it contains nothing but public PEM blocks, or is a certificate in base64."""
    if is_private_key(text):
        return False
    outside, position = [], 0
    for block in blocks(text):
        begin = text.index(block.body, position)
        outside.append(text[position:begin])
        position = begin + len(block.body)
    outside.append(text[position:])
    return not _MARKS.sub("", "".join(outside)).strip() or bool(not labels(text) and readable(text))


def refuse_private_key(text: str) -> None:
    """Raise if the text contains a private key of any type.

    Raises:
        InputError: the text contains one.
    """
    if is_private_key(text):
        raise InputError(
            "The text contains a private key.",
            hint=f"{_WANTED}; a private key must never reach the Qlik repository. Nothing was sent.",
        )


def readable(text: str) -> list[Certificate]:
    """Return the properties of each certificate in a text that may contain anything else, such as a chain or a key.

    Raises:
        MissingLibraryError: the library cryptography is missing.
    """
    bodies = [block.body for block in blocks(text) if block.label.endswith("CERTIFICATE")]
    if not labels(text) and text.strip().startswith("MII"):
        bodies = [text]
    found = []
    for body in bodies:
        try:
            found.append(inspect(f"-----BEGIN CERTIFICATE-----{body}-----END CERTIFICATE-----"))
        except InputError:
            continue
    return found


def pem_of(pem: str) -> str:
    """Return the certificate in normalized form: lines of 64 characters, LF, a final newline, no text around it.

    Raises:
        InputError: as der_of.
    """
    text = base64.b64encode(der_of(pem)).decode("ascii")
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])


def fingerprint(pem: str | None) -> str | None:
    """Return the SHA-256 of the certificate's DER in lower-case hex, None if the text is not a single certificate."""
    try:
        return hashlib.sha256(der_of(pem or "")).hexdigest()
    except InputError:
        return None


def inspect(pem: str) -> Certificate:
    """Return the properties of a certificate of any key type, also if it has expired.

    Raises:
        InputError: as der_of, or the content is not a certificate.
        MissingLibraryError: the library cryptography is missing.
    """
    return _summary(der_of(pem)).copy()


def require_rsa(pem: str, *, minimum_bits: int = MINIMUM_BITS) -> Certificate:
    """Return the properties of a certificate, and raise if a JWT virtual proxy cannot use it.

    Qlik accepts only RS256, RS384 and RS512 (Qlik help, "JWT authentication"). The minimum size in bits is a decision
    of this collection.

    Raises:
        InputError: as inspect, or the key has another type or is shorter.
        MissingLibraryError: the library cryptography is missing.
    """
    key = rsa_public_key(pem)
    if key.key_size < minimum_bits:
        raise InputError(
            f"The RSA key of the certificate has {key.key_size} bits, fewer than {minimum_bits}.",
            hint=f"Create an RSA key pair of at least {minimum_bits} bits and give its certificate.",
        )
    return inspect(pem)


def rsa_public_key(pem: str, *, allow_pss: bool = False) -> RSAPublicKey:
    """Return the public key of a certificate.

    Args:
        pem: the certificate.
        allow_pss: True if the key may be for RSASSA-PSS only.

    Raises:
        InputError: as inspect, or the key has another type or is for RSASSA-PSS only.
        MissingLibraryError: the library cryptography is missing.
    """
    der = der_of(pem)
    key = _public_key(_load(der))

    from cryptography.hazmat.primitives.asymmetric import rsa

    if isinstance(key, rsa.RSAPublicKey):
        if not allow_pss and is_pss(der, key.public_numbers().n):
            raise InputError(f"The key of the certificate {PSS}", hint=_RSA_WANTED)
        return key
    kind = type(key).__name__.replace("PublicKey", "") if key else "unknown"
    raise InputError(
        f"The key of the certificate is of the type {kind}. Qlik Sense verifies tokens only with RSA keys.",
        hint=_RSA_WANTED,
    )


def require_matching_key(pem: str, private_key: RSAPrivateKey) -> None:
    """Raise if a certificate does not belong to a private key.

    Raises:
        InputError: as rsa_public_key, or the two do not belong together.
        MissingLibraryError: the library cryptography is missing.
    """
    if rsa_public_key(pem) != private_key.public_key():
        raise InputError(
            f"The private key does not belong to the certificate with the SHA-256 fingerprint {fingerprint(pem)}.",
            hint="Give the key of the certificate, or set the certificate of the key on the virtual proxy.",
        )


def _load(der: bytes) -> x509.Certificate:
    try:
        from cryptography import x509
    except ImportError as exc:
        raise MissingLibraryError("cryptography") from exc
    certificate = attempt(x509.load_der_x509_certificate, der)
    if certificate is None:
        raise InputError("The block is base64, but its content is not a certificate.", hint=f"{_WANTED}.")
    return certificate


def _public_key(certificate: x509.Certificate) -> t.Any:
    return attempt(certificate.public_key)


@functools.cache
def _summary(der: bytes) -> Certificate:
    summary = attempt(_summarize, _load(der), der)
    if summary is None:  # names and dates are parsed only now
        raise InputError("Names or dates of the certificate cannot be read.", hint="Create a new certificate.")
    return summary


def _summarize(certificate: x509.Certificate, der: bytes) -> Certificate:
    import datetime

    expires = certificate.not_valid_after_utc
    return {
        "subject": printable(certificate.subject.rfc4514_string()),
        "issuer": printable(certificate.issuer.rfc4514_string()),
        "not_before": certificate.not_valid_before_utc.isoformat().replace("+00:00", "Z"),
        "not_after": expires.isoformat().replace("+00:00", "Z"),
        "days_left": (expires - datetime.datetime.now(datetime.UTC)).days,
        "fingerprint_sha256": hashlib.sha256(der).hexdigest(),
        "key_size": getattr(_public_key(certificate), "key_size", None),
    }


def expiry_warning(name: str, certificate: t.Mapping[str, t.Any]) -> str | None:
    """Return a sentence about a certificate that expires soon or has expired, None for other certificates.

    Args:
        name: the subject of the sentence.
        certificate: its properties not_after and days_left are used.
    """
    if certificate["days_left"] >= SOON:
        return None
    verb = "has expired" if certificate["days_left"] < 0 else f"expires in {certificate['days_left']} days"
    return f"{name} {verb} ({certificate['not_after']})."
