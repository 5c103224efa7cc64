# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Create key.pem, encrypted.pem (its passphrase is the second argument), certificate.pem and other.pem."""

from __future__ import annotations

import datetime
import os
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

os.umask(0o077)
directory, passphrase = Path(sys.argv[1]), sys.argv[2]
key, other = rsa.generate_private_key(65537, 2048), rsa.generate_private_key(65537, 2048)

name = x509.Name.from_rfc4514_string("CN=lookup_jwt")
now = datetime.datetime.now(datetime.UTC)
serial = x509.random_serial_number()
builder = x509.CertificateBuilder(name, name, key.public_key(), serial, now, now + datetime.timedelta(days=1))
certificate = builder.sign(key, hashes.SHA256())

encrypted = BestAvailableEncryption(passphrase.encode())
(directory / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
(directory / "encrypted.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encrypted))
(directory / "other.pem").write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
(directory / "certificate.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
