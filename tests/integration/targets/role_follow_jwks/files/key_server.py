# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Publish a key set on localhost, as an identity provider does.

Usage: key_server.py DIRECTORY CERTIFICATE KEY

DIRECTORY has jwks.json, the published key set. If a file "broken" exists, the answer is an error page instead.
DIRECTORY gets requests.log, one status per line. It prints its process id and its port as JSON and continues in
the background.
"""

from __future__ import annotations

import http.server
import json
import os
import ssl
import sys
from pathlib import Path


def make_handler(directory: Path) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = 200, (directory / "jwks.json").read_bytes()
            if (directory / "broken").exists():
                status, body = 403, b"<html>Come back later.</html>"
            with (directory / "requests.log").open("a") as log:
                log.write(f"{status}\n")
            self.send_response(status)
            self.send_header("Content-Type", "text/html" if status == 403 else "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    return Handler


def main(directory: Path, certificate: str, key: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
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
    main(Path(sys.argv[1]), *sys.argv[2:])
