# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Create portal_key.pem, portal.pem, other.pem, and jwks.json with both keys, named by their thumbprints."""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jwt.algorithms import RSAAlgorithm

directory = Path(sys.argv[1])
now = datetime.datetime.now(datetime.UTC)
jwks: list[Any] = []
for name in ("portal", "other"):
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name.from_rfc4514_string(f"CN={name}")
    serial, end = x509.random_serial_number(), now + datetime.timedelta(days=1)
    certificate = x509.CertificateBuilder(subject, subject, key.public_key(), serial, now, end).sign(
        key, hashes.SHA256()
    )
    (directory / f"{name}.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    if name == "portal":
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (directory / "portal_key.pem").write_bytes(private)
    members = json.loads(RSAAlgorithm.to_jwk(key.public_key()))
    named = json.dumps({part: members[part] for part in ("e", "kty", "n")}, separators=(",", ":"))
    kid = base64.urlsafe_b64encode(hashlib.sha256(named.encode()).digest()).rstrip(b"=").decode()
    jwks.append({**members, "kid": kid, "use": "sig", "alg": "RS256"})
(directory / "jwks.json").write_text(json.dumps({"keys": jwks}))
