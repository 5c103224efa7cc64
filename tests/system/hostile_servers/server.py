# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server with TLS that answers as a healthy site, except to the attacked request."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import ssl
import struct
import threading
import typing as t
import urllib.parse

from cryptography.hazmat.primitives.asymmetric import rsa
from wire import Act, Attack, Exchange, Parts, wire

from ansible_collections.sensible.qlik.plugins.module_utils._errors import AnswerError
from ansible_collections.sensible.qlik.tests.unit.plugins.fake_proxy import FakeProxy, Reply, Request
from ansible_collections.sensible.qlik.tests.unit.plugins.fake_repository import FakeRepository

TICKET = "ticket-of-the-hostile-server"


class Site:
    """The healthy part: a repository, the API of a proxy, a proxy, and a key set.

    Attributes:
        wrote: True if a write was carried out.
    """

    def __init__(self, key: rsa.RSAPublicKey, key_set: str) -> None:
        self.wrote = False
        self._repository = FakeRepository()
        self._repository.add("portal")
        self._proxy = FakeProxy(key)
        self._proxy._server.server_close()
        self._sessions = [{"UserDirectory": "ACME", "UserId": "smoke", "SessionId": "session-1", "Attributes": []}]
        self._key_set = key_set

    def reply(self, request: Request, body: bytes) -> Reply:
        """Return the healthy answer."""
        area, _slash, path = request.path.partition("/")
        if area == "qrs":
            return self._qrs(request, path, body)
        if area == "keys":
            return Reply(200, self._key_set)
        if request.path == "qps/portal/session":
            return Reply(200, json.dumps(self._sessions))
        if request.path.startswith("qps/portal/session/"):
            self.wrote, self._sessions = True, []
            return Reply(200, "{}")
        if request.path.endswith("ticket"):
            return Reply(201, json.dumps({"Ticket": TICKET, "UserId": "smoke"}))
        if area == "portal":
            reply = self._proxy.reply(request._replace(path=path))
            return reply._replace(headers=(*reply.headers, *self._proxy.headers))
        return Reply(200, "{}")

    def _qrs(self, request: Request, path: str, body: bytes) -> Reply:
        query = dict(urllib.parse.parse_qsl(request.query))
        try:
            answer = self._repository.request(
                request.method, path, query=query, body=json.loads(body) if body else None
            )
        except AnswerError as error:
            return Reply(error.status)
        except KeyError:
            return Reply(404)
        self.wrote = self.wrote or request.method != "GET"
        cookie = (("Set-Cookie", "X-Qlik-Session=session-2; Path=/; Secure"),) if path == "about" else ()
        return Reply(answer.status, json.dumps(answer.body), cookie)


class HostileServer:
    """Attacks requests of one method to one path.

    Args:
        attack: the attack, None for a healthy server.
        target: method and path of the attacked requests, as a regular expression.
        site: the healthy part.
        contexts: TLS by the name of the certificate.
        trap: see Exchange.
    """

    def __init__(
        self, attack: Attack | None, target: str, *, site: Site, contexts: t.Mapping[str, ssl.SSLContext], trap: int
    ) -> None:
        self.site = site
        self.secrets: set[str] = set()
        self.attacked = 0
        self._attack = attack
        self._target = re.compile(target)
        self._context = contexts[attack.certificate if attack else "server"]
        self._trap = trap
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Close everything, also connections that are in use."""
        for one in (self._listener, *list(self._open)):
            with contextlib.suppress(OSError):
                socket.socket.shutdown(one, socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, _address = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        self._open.add(connection)
        with contextlib.suppress(OSError, ValueError), connection:
            if self._attack and self._attack.at == "accept" and self._attack.certificate == "server":
                self.attacked += 1
                self._send(connection, self._attack.answer(Exchange(Request("", "", "", {}, {}), Reply(0), "", 0, "")))
                return
            with self._context.wrap_socket(connection, server_side=True) as stream:
                self._open.add(stream)
                self._open.discard(connection)
                while self._exchange(stream):
                    pass
        self._open.discard(connection)

    def _exchange(self, stream: socket.socket) -> bool:
        """Answer one request, and return True if another one can follow."""
        received = b""
        while b"\r\n\r\n" not in received:
            data = stream.recv(65536)
            if not data:
                return False
            received += data
        top, _blank, body = received.partition(b"\r\n\r\n")
        line, *lines = top.decode("latin-1").split("\r\n")
        headers = dict(one.split(": ", 1) for one in lines)
        while len(body) < int(headers.get("Content-Length", 0)):
            body += stream.recv(65536)
        method, path, _version = line.split(" ")
        request = self._request(method, path, headers)
        is_attacked = self._attack is not None and self._attack.at == "answer"
        if self._attack and is_attacked and self._target.fullmatch(f"{method} /{request.path}"):
            self.attacked += 1
            self._send(stream, self._attack.answer(self._described(request, body)))
            return False
        with self._lock:
            reply = self.site.reply(request, body)
        stream.sendall(wire(reply))
        return reply.status != 101 or bool(stream.recv(65536))

    @staticmethod
    def _request(method: str, path: str, headers: dict[str, str]) -> Request:
        address = urllib.parse.urlsplit(path)
        cookies = dict(pair.strip().split("=", 1) for pair in headers.get("Cookie", "").split(";") if "=" in pair)
        token = headers.get("Authorization", "").removeprefix("Bearer ")
        slash = "/" if address.path == "/portal/hub/" else ""  # the page; without the slash it is a redirect to it
        return Request(method, address.path.strip("/") + slash, token, cookies, headers, address.query)

    def _described(self, request: Request, body: bytes) -> Exchange:
        """Return the exchange. A write is carried out, unless the attack is a status that says that it was not."""
        ticket = TICKET if TICKET in request.query else ""
        secret = request.token or ticket or next(iter(request.cookies.values()), "nothing")
        url = f"https://127.0.0.1:{self.port}/{request.path}"
        self.secrets |= {secret} if len(secret) > 10 else set()
        exchange = Exchange(request, Reply(200, "{}"), url, self._trap, secret)
        attack = t.cast("Attack", self._attack)
        first = next(iter(attack.answer(exchange)), b"") if request.method != "GET" else b""
        if isinstance(first, bytes) and re.match(rb"HTTP/1.1 4(?!29)", first):
            return exchange
        with self._lock:
            return exchange._replace(reply=self.site.reply(request, body))

    @staticmethod
    def _send(stream: socket.socket, parts: Parts) -> None:
        for part in parts:
            if part is Act.RESET:
                stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif part is Act.SILENCE:
                while stream.recv(65536):
                    pass
            else:
                stream.sendall(part)


class Trap:
    """A server that counts connections, of which there must be none."""

    def __init__(self) -> None:
        self.connections = 0
        self._listeners = [socket.create_server(("127.0.0.1", 0))]
        self.port = int(self._listeners[0].getsockname()[1])
        with contextlib.suppress(OSError):  # macOS has no such address
            self._listeners.append(socket.create_server(("127.0.0.2", self.port)))
        for listener in self._listeners:
            threading.Thread(target=self._count, args=[listener], daemon=True).start()

    def _count(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _address = listener.accept()
                connection.close()
                self.connections += 1

    def close(self) -> None:
        """Close the listeners."""
        for listener in self._listeners:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
