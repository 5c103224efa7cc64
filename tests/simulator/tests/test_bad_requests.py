# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Malformed requests over sockets, to each kind of port: a 4xx status or a closed connection, in a short time.

No request may leave a traceback in the simulator's log, or prevent the next request from being served.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import pathlib
import secrets
import socket
import ssl
import typing as t
import urllib.parse

import pytest
import requests
import signing
from running import XRFKEY, Simulator

from qlik_sense_simulator import connections, server
from qlik_sense_simulator.pki import ensure_pki
from qlik_sense_simulator.repository.seed import seed
from qlik_sense_simulator.repository.store import Store
from qlik_sense_simulator.site import Site

PORTS = ("qrs", "proxy", "qps")
_TIMEOUT = 60.0


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Simulator]:
    proxy = {
        "prefix": "jwt",
        "sessionCookieHeaderName": "X-Qlik-Session-jwt",
        "authenticationMethod": 4,
        "jwtAttributeUserId": "userId",
        "jwtAttributeUserDirectory": "userDirectory",
        "jwtPublicKeyCertificate": signing.certificate(),
        "loadBalancingServerNodes": ["Central"],
        "proxies": ["Central"],
    }
    directory = tmp_path_factory.mktemp("bad") / "site"
    with Simulator(directory, {"release": "may-2024", "virtual_proxies": [proxy]}) as simulator:
        yield simulator


@pytest.fixture(autouse=True)
def _unharmed(site: Simulator) -> t.Iterator[None]:
    """Check after each test that the site still works and that its log has no other error."""
    yield
    assert site.qrs("GET", "about").status_code == 200
    log = site.log.read_text()
    assert "Traceback" not in log
    assert "ERROR" not in log


def token() -> str:
    return signing.token(userDirectory="EXAMPLE", userId="admin")


class Caller:
    """A connection to one port that is past authentication and then sends malformed data."""

    def __init__(self, site: Simulator, port: str) -> None:
        node = site.ready["nodes"][0]
        url = urllib.parse.urlsplit(site.ready["qrs_url"] if port == "qrs" else node[f"{port}_url"])
        self.path = {"qrs": "/qrs/tag", "proxy": "/jwt/qrs/tag", "qps": "/qps/ticket"}[port]
        self.host = url.netloc
        context = ssl.create_default_context(cafile=site.pki / ("proxy_root.pem" if port == "proxy" else "root.pem"))
        context.load_cert_chain(site.pki / "client.pem", site.pki / "client_key.pem")
        plain = socket.create_connection(("127.0.0.1", t.cast("int", url.port)), timeout=_TIMEOUT)
        self.socket = context.wrap_socket(plain, server_hostname="localhost")

    def head(self, *lines: str, method: str = "POST", path: str | None = None, version: str = "1.1") -> bytes:
        """Return the head of a valid request with some changes."""
        start = f"{method} {self.path if path is None else path}?xrfkey={XRFKEY} HTTP/{version}"
        usual = [f"Host: {self.host}", f"X-Qlik-Xrfkey: {XRFKEY}", f"Authorization: Bearer {token()}"]
        return "\r\n".join([start, *usual, *lines, "\r\n"]).encode("latin-1")

    def exchange(self, data: bytes) -> bytes:
        """Send data, and return what arrives until the other side closes the connection."""
        received = b""
        with self.socket, contextlib.suppress(ConnectionError, ssl.SSLError):
            self.socket.sendall(data)
            while piece := self.socket.recv(65536):
                received += piece
        return received

    def status(self, data: bytes) -> int:
        """Return the status of the only response."""
        answer = self.exchange(data)
        assert answer.startswith(b"HTTP/1.1 "), answer
        return int(answer[9:12])


@pytest.fixture(params=PORTS)
def caller(site: Simulator, request: pytest.FixtureRequest) -> Caller:
    return Caller(site, request.param)


CLOSE = "Connection: close"


def body(caller: Caller, content: bytes, *lines: str) -> bytes:
    return caller.head(CLOSE, f"Content-Length: {len(content)}", *lines) + content


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b'{"name": "cut',
        b'"\xff\xfe"',
        b'{"name": "\xed\xa0\x80"}',
        b"\x00",
        b"null",
        b"[[]]",
        b'{"name": NaN}',
        b'{"name": 5, "UserDirectory": {}, "UserId": []}',
        b'{"name": "\\ud800", "UserDirectory": "\\ud800", "UserId": "a"}',
        b"[" * 1_000_000,
        b'{"name":' * 100_000,
        b'{"name": ' + b"9" * 100_000 + b"}",
        base64.b64decode("H4sIAAAAAAAAA6uuBQBDv6ajAgAAAA=="),  # {}, by gzip
    ],
    ids=lambda content: repr(content[:20]),
)
def test_malformed_body_is_refused(caller: Caller, content: bytes) -> None:
    assert caller.status(body(caller, content)) == 400


def test_body_of_ten_megabytes_is_refused(caller: Caller) -> None:
    answer = caller.exchange(body(caller, b'{"name": "' + b"x" * 10_000_000 + b'"}'))
    # The connection ends before all data is sent, so the client may or may not read the response.
    assert answer[:12] in (b"", b"HTTP/1.1 400", b"HTTP/1.1 413")


@pytest.mark.parametrize(
    ("lines", "content"),
    [
        (["Content-Length: -2"], b"{}"),
        (["Content-Length: two"], b"{}"),
        (["Content-Length: 99999999999999999999999"], b"{}"),
        (["Content-Length: 2", "Content-Length: 3"], b"{} "),
        (["Content-Length: 2", "Transfer-Encoding: chunked"], b"2\r\n{}\r\n0\r\n\r\n"),
        (["Transfer-Encoding: gzip"], b"{}"),
        (["Transfer-Encoding: chunked"], b"two\r\n{}\r\n0\r\n\r\n"),
        (["Transfer-Encoding: chunked"], b"FFFFFFFFFFFFFFFFFF\r\n{}\r\n0\r\n\r\n"),
        (["Transfer-Encoding: chunked"], b"2\r\n{}}}}}}\r\n0\r\n\r\n"),
        (["X-Null: a\0b", "Content-Length: 2"], b"{}"),
        (["No colon", "Content-Length: 2"], b"{}"),
        ([f"X-Large: {'x' * 70_000}", "Content-Length: 2"], b"{}"),
        ([*(f"X-Many-{number}: {'x' * 100}" for number in range(1_000)), "Content-Length: 2"], b"{}"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_contradictory_head_is_refused(caller: Caller, lines: list[str], content: bytes) -> None:
    assert caller.status(caller.head(CLOSE, *lines) + content) == 400


@pytest.mark.parametrize(
    "content", [b"\x00\xff\x01\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET\r\n\r\n", b"\r\n:\r\n"]
)
def test_malformed_request_line_is_refused(caller: Caller, content: bytes) -> None:
    assert caller.status(content) == 400


@pytest.mark.parametrize("method", ["FOO", "get", "P OST"])
def test_unknown_method_is_refused(caller: Caller, method: str) -> None:
    assert caller.status(caller.head(CLOSE, method=method)) == 400


@pytest.mark.parametrize("method", ["PATCH", "TRACE", "DELETE", "PROPFIND"])
def test_unsupported_method_is_refused(caller: Caller, method: str) -> None:
    assert caller.status(caller.head(CLOSE, method=method)) in (404, 405)


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "{}/../../../etc/passwd",
        "{}/%2e%2e/%2E%2E/x",
        "{}/..%2f..%2fx",
        "{}/..\\..\\x",
        "{}/%5c..%5cx",
        "{}/%00",
        "{}/a%0d%0ab",
        "{}/%c0%ae%c0%ae/x",
        "{}/%ff",
        "{}/%zz",
        "{}/%u0041",
        "{}/./x",
        "{}/" + "x" * 10_000,
        "{}/" + "/".join("x" * 1_000),
        "{}/\xff",
    ],
    ids=lambda path: path[:24],
)
def test_unsafe_path_is_refused(caller: Caller, path: str) -> None:
    assert caller.status(caller.head(CLOSE, method="GET", path=path.format(caller.path))) in (400, 404, 414)


def test_incomplete_body_does_no_harm(caller: Caller) -> None:
    caller.socket.sendall(caller.head("Content-Length: 50") + b"{}")
    caller.socket.unwrap().close()


def test_garbage_after_a_request_is_refused(caller: Caller) -> None:
    answer = caller.exchange(caller.head("Content-Length: 2") + b"{}" + b"and more\r\n\r\n")
    assert b"Invalid HTTP request received." in answer


def test_connection_without_tls_is_closed(site: Simulator) -> None:
    for url in (site.ready["qrs_url"], *(site.ready["nodes"][0][f"{name}_url"] for name in ("proxy", "qps"))):
        with socket.create_connection(("127.0.0.1", t.cast("int", urllib.parse.urlsplit(url).port))) as plain:
            plain.settimeout(_TIMEOUT)
            plain.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            with contextlib.suppress(ConnectionError):
                assert plain.recv(1) in (b"", b"\x15")  # a TLS alert


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer",
        "Bearer \xff",
        "Bearer a.b.c",
        "Bearer " + "." * 5_000,
        "Bearer bnVsbA.bnVsbA.bnVsbA",  # null
        "Bearer W10.W10.W10",  # []
        "Bearer " + base64.urlsafe_b64encode(b"[" * 4_000).decode().rstrip("=") + ".e30.e30",
        "Bearer eyJhbGciOlsiUlMyNTYiXX0.e30.e30",  # {"alg":["RS256"]}
        "Negotiate TlRMTVNTUAAB",
        "Basic \xff:",
    ],
    ids=lambda value: value[:30],
)
def test_malformed_token_is_refused(site: Simulator, authorization: str) -> None:
    caller = Caller(site, "proxy")
    lines = [f"Host: {caller.host}", f"Authorization: {authorization}", CLOSE, "\r\n"]
    assert caller.status("\r\n".join(["GET /jwt/hub/ HTTP/1.1", *lines]).encode("latin-1")) == 401


@pytest.mark.parametrize("claims", [{"exp": "x"}, {"exp": [1]}, {"exp": 10**400, "nbf": {}}, {"userId": "\ud800"}])
def test_token_with_unusual_claims_is_refused(site: Simulator, claims: dict[str, t.Any]) -> None:
    headers = {"Authorization": f"Bearer {signing.token(**claims)}"}
    url = f"{site.ready['nodes'][0]['proxy_url']}/jwt/hub/"
    assert requests.get(url, headers=headers, verify=site.session.verify, timeout=_TIMEOUT).status_code == 401


class TestWebsockets:
    def upgraded(self, site: Simulator) -> Caller:
        caller = Caller(site, "proxy")
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        lines = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}"]
        caller.socket.sendall(caller.head(*lines, method="GET", path="/jwt/app/engineData"))
        assert caller.socket.recv(12) == b"HTTP/1.1 101"
        return caller

    @pytest.mark.parametrize(
        "frames",
        [
            b"\xff" * 200,
            b"\x81\x03abc",  # not masked
            b"\x81\x82\0\0\0\0\xff\xfe",  # text that is not UTF-8
            b"\x81\xff" + b"\xff" * 12,  # longer than the memory
            b"\x89\xfe\x00\xc8" + b"\0" * 204,  # a ping that is too long
            b"\x88\x81\0\0\0\0\0",  # a close frame of one byte
            b"\x80\x80\0\0\0\0",  # a continuation of no message
        ],
        ids=lambda frames: repr(frames[:4]),
    )
    def test_malformed_frame_closes_the_websocket(self, site: Simulator, frames: bytes) -> None:
        # The test would not end if the connection stayed open.
        self.upgraded(site).exchange(frames)

    def test_aborted_websocket_does_no_harm(self, site: Simulator) -> None:
        self.upgraded(site).socket.close()

    @pytest.mark.parametrize(
        "lines",
        [
            ["Connection: Upgrade", "Upgrade: websocket"],
            ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 8", "Sec-WebSocket-Key: eA=="],
        ],
    )
    @pytest.mark.parametrize("port", PORTS)
    def test_malformed_upgrade_is_refused(self, site: Simulator, port: str, lines: list[str]) -> None:
        caller = Caller(site, port)
        assert 400 <= caller.status(caller.head(*lines, method="GET", path="/jwt/app/engineData")) < 500


@pytest.mark.parametrize("lines", [["X-Slow: "], ["Content-Length: 50", "", "{"]])
def test_incomplete_request_is_disconnected(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, lines: list[str]
) -> None:
    monkeypatch.setattr(connections, "_REQUEST_SECONDS", 0.2)

    async def session() -> None:
        site = Site()
        pki = ensure_pki(tmp_path / "pki", authority_key=tmp_path / "root_key.pem", host_names=["localhost"])
        store = Store(tmp_path / "repository.sqlite", release=site.release, switches=site.switches)
        with contextlib.closing(store):
            seed(site, store)
            ready = tmp_path / "ready.json"
            running = asyncio.create_task(server.serve(site, store=store, pki=pki, ready=ready))
            while not ready.exists():
                await asyncio.sleep(0.01)
            context = ssl.create_default_context(cafile=tmp_path / "pki" / "proxy_root.pem")
            reader, writer = await asyncio.open_connection("localhost", site.nodes[0].proxy_port, ssl=context)
            head = f"POST /hub/ HTTP/1.1\r\nHost: localhost:{site.nodes[0].proxy_port}\r\n"
            writer.write((head + "\r\n".join(lines)).encode())
            with contextlib.suppress(ConnectionError):
                while await asyncio.wait_for(reader.read(65536), _TIMEOUT):
                    pass
            writer.close()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    asyncio.run(session())
