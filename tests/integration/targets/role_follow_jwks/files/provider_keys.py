# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Create the keys of an identity provider.

Usage: provider_keys.py DIRECTORY KID...

DIRECTORY gets KID.pem, the private key of each. Prints {PROVIDER: {KID: JWK}} as JSON, the same keys as keycloak,
auth0, entra and okta publish them.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

NOW = datetime.datetime.now(datetime.UTC)


def number(value: int) -> str:
    return base64url(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def shapes_of(kid: str, public: rsa.RSAPublicNumbers, der: bytes) -> dict[str, dict[str, object]]:
    """Return a key as each provider publishes it. Sources of the formats: tests/unit/plugins/key_sets.py."""
    bare: dict[str, object] = {"kid": kid, "kty": "RSA", "use": "sig", "n": number(public.n), "e": number(public.e)}
    certified: dict[str, object] = {
        "x5c": [base64.b64encode(der).decode()],
        "x5t": base64url(hashlib.sha1(der).digest()),
    }
    okta: dict[str, object] = {**bare, "alg": "RS256"}
    return {
        "okta": okta,
        "auth0": {**okta, **certified},
        "keycloak": {**okta, **certified, "x5t#S256": base64url(hashlib.sha256(der).digest())},
        "entra": {**bare, **certified, "issuer": "https://login.microsoftonline.com/{tenantid}/v2.0"},
    }


def main(directory: Path, kids: list[str]) -> None:
    published: dict[str, dict[str, object]] = {}
    for kid in kids:
        key = rsa.generate_private_key(65537, 2048)
        file = directory / f"{kid}.pem"
        file.touch(0o600)
        file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        public = key.public_key().public_numbers()
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, kid)])
        serial, end = x509.random_serial_number(), NOW + datetime.timedelta(days=400)
        certificate = x509.CertificateBuilder(name, name, key.public_key(), serial, NOW, end).sign(key, hashes.SHA256())
        der = certificate.public_bytes(Encoding.DER)
        for provider, jwk in shapes_of(kid, public, der).items():
            published.setdefault(provider, {})[kid] = jwk
    print(json.dumps(published))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
