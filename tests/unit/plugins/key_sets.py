# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Key sets as identity providers publish them, with keys that are created for each run."""

from __future__ import annotations

import base64
import datetime
import functools
import hashlib
import typing as t

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

Jwk = dict[str, t.Any]

NOW = datetime.datetime.now(datetime.UTC).replace(microsecond=0)


def key(number: int = 0, *, bits: int = 2048) -> rsa.RSAPrivateKey:
    """Return the same key for the same number."""
    return _made(number, bits)


@functools.cache
def _made(number: int, bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int) -> str:
    return base64url(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def certificate(
    private: rsa.RSAPrivateKey, name: str = "acme", *, days: int = 3000, ca: bool = False
) -> x509.Certificate:
    subject = x509.Name.from_rfc4514_string(f"CN={name}")
    start, end = NOW - datetime.timedelta(days=100), NOW + datetime.timedelta(days=days, hours=1)
    builder = x509.CertificateBuilder(subject, subject, private.public_key(), 4711, start, end)
    if ca:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return builder.sign(private, hashes.SHA256())


def pem(one: x509.Certificate) -> str:
    return one.public_bytes(Encoding.PEM).decode()


def restricted_to_pss(one: x509.Certificate) -> str:
    """Return the certificate as PEM, with its key restricted to RSASSA-PSS and an invalid signature.

    No library writes such a certificate.
    """
    public = one.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    text = base64.encodebytes(one.public_bytes(Encoding.DER).replace(public, pss(public))).decode()
    return f"-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n"


def pss(der: bytes) -> bytes:
    """Return a key as DER with the algorithm RSASSA-PSS in place of the one for all of RSA. The length is unchanged."""
    every, only = bytes.fromhex("300d06092a864886f70d0101010500"), bytes.fromhex("300d06092a864886f70d01010a3000")
    assert every in der
    return der.replace(every, only)


def pss_private_pem(private: rsa.RSAPrivateKey) -> str:
    """Return a private key for RSASSA-PSS only."""
    text = base64.encodebytes(pss(private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))).decode()
    return "-----BEGIN {0}-----\n{1}-----END {0}-----\n".format("PRIVATE KEY", text)


def private_pem(private: rsa.RSAPrivateKey) -> str:
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def numbers(private: rsa.RSAPrivateKey) -> Jwk:
    public = private.public_key().public_numbers()
    return {"kty": "RSA", "n": number(public.n), "e": number(public.e)}


def private_numbers(private: rsa.RSAPrivateKey) -> Jwk:
    inner = private.private_numbers()
    return {"d": number(inner.d), "p": number(inner.p), "q": number(inner.q)}


def x5c(one: x509.Certificate) -> Jwk:
    der = one.public_bytes(Encoding.DER)
    return {
        "x5c": [base64.b64encode(der).decode()],
        "x5t": base64url(hashlib.sha1(der).digest()),
    }


def okta(private: rsa.RSAPrivateKey, kid: str) -> Jwk:
    """Okta, "Key rotation": no certificate."""
    return {**numbers(private), "alg": "RS256", "kid": kid, "use": "sig"}


def auth0(private: rsa.RSAPrivateKey, kid: str) -> Jwk:
    """Auth0, "JSON Web Key Sets"."""
    return {**okta(private, kid), **x5c(certificate(private, "acme.eu.auth0.com"))}


def keycloak(private: rsa.RSAPrivateKey, kid: str) -> Jwk:
    one = certificate(private)
    thumbprint = base64url(hashlib.sha256(one.public_bytes(Encoding.DER)).digest())
    return {**okta(private, kid), **x5c(one), "x5t#S256": thumbprint}


def keycloak_encryption(private: rsa.RSAPrivateKey, kid: str) -> Jwk:
    return {**keycloak(private, kid), "use": "enc", "alg": "RSA-OAEP"}


def entra(private: rsa.RSAPrivateKey, kid: str) -> Jwk:
    """Entra ID: no algorithm, and a member of its own."""
    one = certificate(private, "accounts.accesscontrol.windows.net")
    issuer = "https://login.microsoftonline.com/{tenantid}/v2.0"
    return {**numbers(private), "kid": kid, "use": "sig", "issuer": issuer, **x5c(one)}


def elliptic(kid: str) -> Jwk:
    return {"kty": "EC", "crv": "P-256", "x": number(2**250 + 1), "y": number(2**250 + 3), "kid": kid, "use": "sig"}


def key_set(*keys: t.Any) -> dict[str, t.Any]:
    return {"keys": list(keys)}


def public_pem(private: rsa.RSAPrivateKey) -> str:
    """Firebase publishes public keys as PEM by kid besides certificates."""
    return private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
