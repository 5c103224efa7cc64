# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keys, certificates and tokens, created for each run."""

from __future__ import annotations

import datetime
import functools
import time
import typing as t

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@functools.cache
def rsa_key(name: str = "ours", *, bits: int = 2048) -> rsa.RSAPrivateKey:
    """Return an RSA key, one per name."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@functools.cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    """Return an elliptic curve key."""
    return ec.generate_private_key(ec.SECP256R1())


def certificate(key: PrivateKey | None = None, *, days: int = 30, issuer: str = "signing") -> str:
    """Return a certificate as PEM, self-signed unless the names differ; with negative days it expired that long ago."""
    key = key or rsa_key()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "signing")])
    end = datetime.datetime.now(tz=datetime.UTC) + datetime.timedelta(days=days)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - datetime.timedelta(days=365))
        .not_valid_after(end)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
        .decode()
    )


def public_key(key: PrivateKey | None = None) -> str:
    """Return a bare public key as PEM."""
    return (
        (key or rsa_key())
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def token(*, key: PrivateKey | str | None = None, algorithm: str = "RS256", **claims: t.Any) -> str:
    """Return a token for LAB\\ada that is valid for a minute, with other claims as given; None leaves a claim out."""
    now = int(time.time())
    payload = {"userId": "ada", "userDirectory": "LAB", "nbf": now - 30, "exp": now + 60, **claims}
    payload = {name: value for name, value in payload.items() if value is not None}
    signing_key = None if algorithm == "none" else key or rsa_key()
    return jwt.encode(payload, t.cast("t.Any", signing_key), algorithm=algorithm)
