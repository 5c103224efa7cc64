# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run Apache with the configuration in the guide on rotation, in front of two nodes that return their requests."""

from __future__ import annotations

import collections.abc
import http.client
import http.server
import pathlib
import signal
import socket
import ssl
import subprocess
import threading
import time
import typing as t

import pytest

from ansible_collections.sensible.qlik.tests.unit.roles.rotation_templates import (
    APACHE_MODULES,
    NEW,
    OLD,
    found,
    make_certificate,
    render_example,
)

pytestmark = pytest.mark.skipif(
    found("apache2") is None, reason="there is no Apache here (Debian: apt install apache2-bin)"
)
Answer = tuple[int, dict[str, str], str]


class Node(http.server.BaseHTTPRequestHandler):
    """A proxy of a site that accepts the token and the session of the requested virtual proxy."""

    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        prefix = self.path.split("/")[1]
        session = f"X-Qlik-Session-{prefix}=s"
        signs_in = self.headers.get("Authorization") == f"Bearer {prefix}"
        body = f"{self.connection.getsockname()[1]} {self.command} {self.path} {self.headers['Host']}".encode()
        self.send_response(302 if self.path.endswith("/hub") else 200 if self._is_in(session) or signs_in else 401)
        if signs_in:
            self.send_header("Set-Cookie", f"{session}; Path=/; Secure")
        self.send_header("Location", f"https://{self.headers['Host']}/{prefix}/hub/")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)

    do_GET = do_HEAD = do_POST = answer  # noqa: N815 -- the names that http.server looks for

    def _is_in(self, session: str) -> bool:
        return session in self.headers.get("Cookie", "")

    def log_message(self, *_arguments: t.Any) -> None:
        """Say nothing."""


class Apache:
    """Apache in front of two nodes.

    Args:
        directory: for all files.
        name: host name in the certificate of the nodes.
    """

    def __init__(self, directory: pathlib.Path, *, name: str = "localhost") -> None:
        certificate, key = make_certificate(directory, name=name)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._nodes = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), Node) for _node in range(2)]
        for node in self._nodes:
            node.daemon_threads = True
            node.socket = context.wrap_socket(node.socket, server_side=True, do_handshake_on_connect=False)
            threading.Thread(target=node.serve_forever, daemon=True).start()
        text = render_example(
            "portal.conf.j2",
            [NEW, OLD],
            nodes=[f"https://localhost:{node.server_address[1]}" for node in self._nodes],
            ca_file=certificate,
        )
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        # With User, root can run it, too.
        head = f"""
            ServerRoot {directory}\nServerName localhost\nErrorLog log\nPidFile pid\nDefaultRuntimeDir {directory}
            User www-data\nGroup www-data\nListen 127.0.0.1:{self._port}
        """
        (directory / "conf").write_text(
            "\n".join([head, *APACHE_MODULES, f"<VirtualHost *:{self._port}>", text, "</VirtualHost>", ""])
        )
        command = [str(found("apache2")), "-f", str(directory / "conf"), "-D", "FOREGROUND"]
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self._process.poll() is None:
            with socket.socket() as probe:
                if not probe.connect_ex(("127.0.0.1", self._port)):
                    return
            time.sleep(0.05)
        self.stop()
        pytest.fail((directory / "log").read_text())

    def ask(self, path: str, *, method: str = "GET", host: str = "www.example.com", **headers: str) -> Answer:
        """Status, headers and body of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        connection.request(method, path, headers={"Host": host, **headers})
        answer = connection.getresponse()
        body = answer.read().decode()
        cookies = "; ".join(cookie.split(";")[0] for cookie in answer.headers.get_all("Set-Cookie") or [])
        connection.close()
        return answer.status, {**dict(answer.headers), "Cookie": cookies}, body

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()
        for node in self._nodes:
            node.shutdown()
            node.server_close()

    def stop_node(self, port: str) -> None:
        [node] = [node for node in self._nodes if str(node.server_address[1]) == port]
        node.shutdown()
        node.socket.close()


@pytest.fixture
def apache(tmp_path: pathlib.Path) -> collections.abc.Iterator[Apache]:
    apache = Apache(tmp_path)
    yield apache
    apache.stop()


def test_each_token_is_accepted_and_its_session_is_sticky(apache: Apache) -> None:
    for prefix in ("portal", "portal-2"):
        status, headers, body = apache.ask("/portal/a%2Fb/?x=%3F&y", Authorization=f"Bearer {prefix}")
        assert (status, body.split()[2]) == (200, f"/{prefix}/a%2Fb/?x=%3F&y")
        assert f"portal_route={prefix}:" in headers["Cookie"]
        node = body.split()[0]
        for method in ("GET", "POST"):
            for _again in range(4):
                status, _headers, body = apache.ask("/portal/qps/user", method=method, Cookie=headers["Cookie"])
                assert (status, body.split()[:3]) == (200, [node, method, f"/{prefix}/qps/user"])


def test_foreign_tokens_are_refused(apache: Apache) -> None:
    assert apache.ask("/portal/", Authorization="Bearer foreign")[0] == 401
    assert apache.ask("/portal.second", Authorization="Bearer portal")[0] == 404
    assert apache.ask("/portal/", Authorization="Bearer portal", host="elsewhere.example.com")[0] == 403
    # What has a body cannot be sent twice.
    assert apache.ask("/portal/", method="POST", Authorization="Bearer portal")[0] == 401


def test_an_ended_session_is_renewed(apache: Apache) -> None:
    status, headers, body = apache.ask("/portal/", Authorization="Bearer portal-2", Cookie="portal_route=portal:1")
    assert (status, body.split()[2]) == (200, "/portal-2/?")  # an empty query, where there was none
    assert "portal_route=portal-2:" in headers["Cookie"]


def test_redirects_stay_on_the_public_path(apache: Apache) -> None:
    assert apache.ask("/portal/hub")[1]["Location"] == "/portal/hub/"


def test_unreachable_node_is_skipped(apache: Apache) -> None:
    _status, headers, body = apache.ask("/portal/", Authorization="Bearer portal-2")
    apache.stop_node(body.split()[0])
    assert apache.ask("/portal/", Cookie=headers["Cookie"])[0] == 200


def test_a_certificate_for_another_name_is_not_trusted(tmp_path: pathlib.Path) -> None:
    apache = Apache(tmp_path, name="another")
    try:
        assert apache.ask("/portal/", Authorization="Bearer portal-2")[0] >= 500
    finally:
        apache.stop()
