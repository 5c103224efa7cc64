# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make the keys of an identity provider.

Usage: provider_keys.py DIRECTORY KID...

DIRECTORY gets KID.pem, the private key of each. Prints {"keycloak": {KID: JWK}, "okta": {KID: JWK}} as JSON: the same
keys as Keycloak publishes them, with a certificate, and as Okta does, without.
"""

from __future__ import annotations

import base64
import datetime
import json
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

NOW = datetime.datetime.now(datetime.UTC)


def number(value: int) -> str:
    data = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def main(directory: Path, kids: list[str]) -> None:
    shapes: dict[str, dict[str, object]] = {"keycloak": {}, "okta": {}}
    for kid in kids:
        key = rsa.generate_private_key(65537, 2048)
        file = directory / f"{kid}.pem"
        file.touch(0o600)
        file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        public = key.public_key().public_numbers()
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, kid)])
        serial, end = x509.random_serial_number(), NOW + datetime.timedelta(days=400)
        certificate = x509.CertificateBuilder(name, name, key.public_key(), serial, NOW, end).sign(key, hashes.SHA256())
        jwk = {"kid": kid, "kty": "RSA", "alg": "RS256", "use": "sig", "n": number(public.n), "e": number(public.e)}
        x5c = base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()
        shapes["okta"][kid], shapes["keycloak"][kid] = jwk, {**jwk, "x5c": [x5c]}
    print(json.dumps(shapes))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
