# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run an identity provider's key server on localhost, with keys that are created when it starts.

Usage: provider.py DIRECTORY

DIRECTORY gets tls.pem (for ca_path) and requests.log, one status per line. GET /keys answers with three keys: one as
Okta publishes it, one as Keycloak does, and Keycloak's for encryption. DIRECTORY gets them as keys.json, too. It prints
its process id and its port as JSON and continues in the background.
"""

from __future__ import annotations

import base64
import datetime
import http.server
import json
import os
import ssl
import sys
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

NOW = datetime.datetime.now(datetime.UTC)


def certificate(key: rsa.RSAPrivateKey, name: str) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    serial, end = x509.random_serial_number(), NOW + datetime.timedelta(days=400)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), serial, NOW, end)
    return builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False).sign(key, hashes.SHA256())


def number(value: int) -> str:
    data = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwk(kid: str, *, published: bool, **more: str) -> dict[str, Any]:
    key = rsa.generate_private_key(65537, 2048)
    public = key.public_key().public_numbers()
    chain = [base64.b64encode(certificate(key, "acme").public_bytes(Encoding.DER)).decode()]
    x5c = {"x5c": chain} if published else {}
    return {"kid": kid, "kty": "RSA", "n": number(public.n), "e": number(public.e), "use": "sig", **x5c, **more}


def make_handler(directory: Path) -> type[http.server.BaseHTTPRequestHandler]:
    keys = [
        jwk("keycloak-enc", published=True, use="enc", alg="RSA-OAEP"),
        jwk("okta-1", published=False, alg="RS256"),
        jwk("keycloak-1", published=True, alg="RS256"),
    ]
    body = json.dumps({"keys": keys}).encode()
    (directory / "keys.json").write_bytes(body)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status = 200 if self.path == "/keys" else 404
            with (directory / "requests.log").open("a") as log:
                log.write(f"{status}\n")
            self.send_response(status)
            self.send_header("Content-Length", str(len(body) if status == 200 else 0))
            self.end_headers()
            if status == 200:
                self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    return Handler


def main(directory: Path) -> None:
    key = rsa.generate_private_key(65537, 2048)
    pem, key_pem = directory / "tls.pem", directory / "tls_key.pem"
    pem.write_bytes(certificate(key, "localhost").public_bytes(Encoding.PEM))
    key_pem.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key_pem)
    server = http.server.ThreadingHTTPServer(("localhost", 0), make_handler(directory))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    # The server listens already, so that readers of the port need not wait.
    if pid := os.fork():
        print(json.dumps({"pid": pid, "port": server.server_port}))
        return
    os.setsid()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    server.serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
