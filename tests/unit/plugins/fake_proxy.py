# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import ssl
import threading
import time
import typing as t
import urllib.parse

import jwt

HUB = "<!DOCTYPE html><html><head><title>Qlik Sense Hub</title></head><body>hub</body></html>"
INCORRECT = (
    "<html><head><style>b{}</style></head><body><h1>Error 400</h1>The http request header is incorrect.</body></html>"
)
CSRF_TOKEN = "csrf-token-of-the-session"
HEADER_MISSING = "Could not authenticate the request: Expected an authentication header."


class Request(t.NamedTuple):
    method: str
    path: str  # below the prefix, without query
    token: str
    cookies: dict[str, str]
    headers: t.Mapping[str, str]
    query: str = ""
    connection: int = 0


class Reply(t.NamedTuple):
    status: int
    body: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    frames: tuple[bytes, ...] = ()  # after 101, as they go over the wire


def frame(content: t.Any, *, opcode: int = 1) -> bytes:
    """Return a websocket frame: text, JSON, or bytes for other kinds (RFC 6455, section 5.2)."""
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    length = bytes([len(data)]) if len(data) < 126 else b"\x7e" + len(data).to_bytes(2, "big")
    return bytes([0x80 | opcode]) + length + data


def notification(method: str, **params: t.Any) -> bytes:
    """Return a notification of proxy or engine."""
    return frame({"jsonrpc": "2.0", "method": method, "params": params})


class FakeProxy:
    """One virtual proxy on a loopback port, with login and logout only.

    Tests change the attributes, or set the function answer, whose result replaces that of the proxy unless it is None.
    The simulator reproduces a real proxy in detail.

    Attributes:
        key: public key that verifies tokens.
        cookie: name of the session cookie; attributes: what follows its value.
        hosts: accepted host names; headers: of each answer.
        sessions: users of the open sessions by cookie value.
        most_sessions: maximum number of simultaneous sessions of one user.
        requests: the received requests, oldest first.
    """

    def __init__(self, key: t.Any, *, prefix: str = "portal", tls: ssl.SSLContext | None = None) -> None:
        self.key = key
        self.prefix = prefix
        self.cookie = f"X-Qlik-Session-{prefix}-HTTP"
        self.attributes = "Path=/; HttpOnly"
        self.user_claims = ("userDirectory", "userId")
        self.hosts: tuple[str, ...] = ("127.0.0.1", "portal.example.com")
        self.headers: tuple[tuple[str, str], ...] = (
            ("X-Frame-Options", "DENY"),
            ("Content-Security-Policy", "frame-ancestors https://a.example"),
        )
        self.answer: t.Callable[[Request], Reply | None] = lambda request: None
        self.sessions: dict[str, tuple[str, str]] = {}
        self.most_sessions = 0
        self.requests: list[Request] = []
        self._lock = threading.Lock()
        self._created = 0
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> t.Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def reply(self, request: Request) -> Reply:
        with self._lock:
            self.requests.append(request)
            own = self.answer(request)
            return own or self._usual(request)

    def _usual(self, request: Request) -> Reply:
        user = self.sessions.get(request.cookies.get(self.cookie, ""))
        headers: tuple[tuple[str, str], ...] = ()
        if request.token:
            claimed = self._user_of(request.token)
            if claimed is None:
                return Reply(401, "Could not authenticate the request: no.")
            if user != claimed:
                user, headers = claimed, (self._new_session(claimed),)
        if request.path == "qps/user" and request.method == "GET":
            known = {"userDirectory": user[0], "userId": user[1]} if user else {"loginUri": "https://x/login"}
            return Reply(200, json.dumps(known), headers)
        if user is None:
            return Reply(401, HEADER_MISSING)
        if request.path == "qps/user":
            self.sessions = {value: other for value, other in self.sessions.items() if other != user}
            return Reply(200)
        if request.path == "qps/csrftoken":
            return Reply(204, "", (*headers, ("qlik-csrf-token", CSRF_TOKEN)))
        if request.path == "app/engineData":
            return self.upgraded(
                request, self.introduced(user), notification("OnConnected", qSessionState="SESSION_CREATED")
            )
        if request.path == "hub":
            return Reply(302, "", (*headers, ("Location", f"/{self.prefix}/hub/")))
        return Reply(200, HUB, headers)

    @staticmethod
    def introduced(user: tuple[str, str]) -> bytes:
        """Return the description of the user of a session."""
        known = {"userDirectory": user[0], "userId": user[1], "logoutUri": "https://x/logout"}
        return notification("OnAuthenticationInformation", mustAuthenticate=False, **known)

    @staticmethod
    def upgraded(request: Request, *frames: bytes) -> Reply:
        """Return the answer that opens a websocket (RFC 6455, section 4.2.2), and what is sent on it."""
        key = request.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        headers = (("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept))
        return Reply(101, "", headers, frames)

    def _user_of(self, token: str) -> tuple[str, str] | None:
        try:
            claims = jwt.decode(token, self.key, algorithms=["RS256", "RS384", "RS512"])
            return claims[self.user_claims[0]], claims[self.user_claims[1]]
        except (jwt.PyJWTError, KeyError):
            return None

    def _new_session(self, user: tuple[str, str]) -> tuple[str, str]:
        self._created += 1
        value = f"session-{self._created}-of-{time.monotonic_ns()}"
        self.sessions[value] = user
        self.most_sessions = max(self.most_sessions, list(self.sessions.values()).count(user))
        return "Set-Cookie", f"{self.cookie}={value}; {self.attributes}"

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 1 << 16  # one packet per answer, instead of one for the headers that waits for its receipt

            def handle_any(self) -> None:
                address = urllib.parse.urlsplit(self.path)
                path = address.path.strip("/")
                cookies = dict(
                    pair.strip().split("=", 1) for pair in self.headers.get("Cookie", "").split(";") if "=" in pair
                )
                token = self.headers.get("Authorization", "").removeprefix("Bearer ")
                below = path.removeprefix(f"{proxy.prefix}/")
                if below == "hub" and self.path.endswith("/"):
                    below = "hub/"
                request = Request(
                    self.command, below, token, cookies, dict(self.headers), address.query, self.client_address[1]
                )
                known = path != below and self.headers.get("Host", "").partition(":")[0] in proxy.hosts
                reply = proxy.reply(request) if known else Reply(400, INCORRECT)
                body = reply.body.encode()
                self.send_response(reply.status)
                for name, value in (*reply.headers, *proxy.headers):
                    self.send_header(name, value)
                if reply.status == 101:
                    self._be_websocket(reply.frames)
                    return
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def _be_websocket(self, frames: t.Iterable[bytes]) -> None:
                self.close_connection = True
                self.end_headers()
                for content in frames:
                    self.wfile.write(content)
                self.wfile.flush()
                # The other side ends it: it has heard enough.
                while self.connection.recv(4096):
                    pass

            do_GET = do_DELETE = handle_any  # noqa: N815 -- names of http.server

            def log_message(self, *args: object) -> None:
                pass

        return Handler
