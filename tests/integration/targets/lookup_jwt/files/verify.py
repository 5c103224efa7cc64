# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Verify tokens (a JSON list on stdin) against a certificate, and print their claims, without the times, as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

key = x509.load_pem_x509_certificate(Path(sys.argv[1]).read_bytes()).public_key()
if not isinstance(key, RSAPublicKey):
    sys.exit("The certificate has no RSA key.")
result = []
for token in json.load(sys.stdin):
    claims = jwt.decode(token, key, algorithms=["RS256", "RS384", "RS512"], options={"require": ["exp", "nbf", "iat"]})
    result.append({name: value for name, value in claims.items() if name not in ("exp", "nbf", "iat")})
print(json.dumps(result))
