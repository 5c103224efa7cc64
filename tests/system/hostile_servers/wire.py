# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What attacks are made of: requests, answers, and bytes that come slowly or never end."""

from __future__ import annotations

import enum
import itertools
import json
import time
import typing as t
import zlib

from ansible_collections.sensible.qlik.tests.unit.plugins.fake_proxy import Reply, Request

FLOOD = 160_000_000  # bytes of an endless answer, after which it is silent: more than a client may have in memory
_BLOCK = 65536


class Act(enum.Enum):
    """What a server does instead of sending bytes."""

    SILENCE = enum.auto()
    RESET = enum.auto()


class Exchange(t.NamedTuple):
    """An attacked request.

    Attributes:
        request: the request.
        reply: the answer of a healthy server.
        url: of the request, without its query.
        trap: the port of a server that must not get a connection.
        secret: a text that the client sent and that no output may contain.
    """

    request: Request
    reply: Reply
    url: str
    trap: int
    secret: str

    @property
    def body(self) -> bytes:
        """Return the body of a healthy answer."""
        return self.reply.body.encode()


Parts = t.Iterable[bytes | Act]
Answer = t.Callable[[Exchange], Parts]


class Attack(t.NamedTuple):
    """An attack.

    Attributes:
        name: identifies it.
        kind: slow, endless, deep, compressed, redirecting, escaping or lying.
        answer: what the server sends. The connection is closed at its end.
        at: "answer", or "accept" for attacks before TLS.
        frames: True for attacks on an open websocket.
        certificate: name of the certificate of the server.
        words: one of them is in the message of each client that fails.
    """

    name: str
    kind: str
    answer: Answer
    at: str = "answer"
    frames: bool = False
    certificate: str = "server"
    words: tuple[str, ...] = ()

    @property
    def is_slow(self) -> bool:
        """Return True if only the deadline ends it."""
        return self.kind in ("slow", "endless")


def head(*lines: str | bytes, status: str | bytes = "200 OK") -> bytes:
    """Return status line and header."""
    parts = [b"HTTP/1.1 " + _raw(status), *map(_raw, lines)]
    return b"\r\n".join(parts) + b"\r\n\r\n"


def full(body: bytes, *lines: str | bytes, status: str | bytes = "200 OK") -> bytes:
    """Return a whole answer with JSON."""
    return head("Content-Type: application/json", f"Content-Length: {len(body)}", *lines, status=status) + body


def wire(reply: Reply) -> bytes:
    """Return a healthy answer as bytes."""
    headers = [f"{name}: {value}" for name, value in reply.headers]
    if reply.status == 101:
        return head(*headers, status="101 Switching Protocols") + b"".join(reply.frames)
    kind = "application/json" if reply.body[:1] in ("{", "[") else "text/html"
    body = reply.body.encode()
    return head(f"Content-Type: {kind}", f"Content-Length: {len(body)}", *headers, status=f"{reply.status} X") + body


def _raw(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def always(*parts: bytes | Act) -> Answer:
    """Send the same bytes to each client."""
    return lambda _exchange: parts


def drip(before: bytes, part: bytes) -> Answer:
    """Send a part again and again, each time before a timeout of the socket."""

    def answer(_exchange: Exchange) -> Parts:
        yield before
        while True:
            yield part
            time.sleep(0.05)

    return answer


def flood(before: bytes, part: bytes) -> Answer:
    """Send a part again and again, as fast as the client reads."""
    block = part * max(1, _BLOCK // len(part))

    def answer(_exchange: Exchange) -> Parts:
        yield before
        yield from itertools.repeat(block, FLOOD // len(block))
        yield Act.SILENCE

    return answer


def zeros(megabytes: int, *, wbits: int) -> bytes:
    """Return compressed zeros without their end, in the format that zlib calls wbits."""
    compressor = zlib.compressobj(wbits=wbits)
    start = compressor.compress(b"[") + compressor.flush(zlib.Z_FULL_FLUSH)
    block = compressor.compress(b"0" * 1_000_000) + compressor.flush(zlib.Z_FULL_FLUSH)
    return start + block * megabytes


def inside(text: bytes) -> Answer:
    """Send the healthy JSON with more at the begin of its first object."""

    def answer(exchange: Exchange) -> Parts:
        before, brace, after = exchange.body.partition(b"{")
        yield full(before + brace + text + (b", " if after.strip()[:1] != b"}" else b"") + after if brace else text)

    return answer


def with_healthy(*lines: str, status: str = "200 OK", cut: int | None = None, more: bytes = b"") -> Answer:
    """Send the healthy body with another header.

    Args:
        lines: of the header; LENGTH is replaced by the true length.
        status: status and reason.
        cut: end of the part of the body that is sent.
        more: sent after it.
    """

    def answer(exchange: Exchange) -> Parts:
        body = exchange.body
        yield head(*(line.replace("LENGTH", str(len(body))) for line in lines), status=status) + body[:cut] + more

    return answer


def redirect(location: str | bytes, *lines: str, status: str = "302 Found") -> Answer:
    """Redirect; URL, TRAP and SECRET are replaced."""

    def answer(exchange: Exchange) -> Parts:
        target = _filled(_raw(location), exchange)
        yield head(b"Location: " + target, "Content-Length: 0", *lines, status=status)

    return answer


def echo(pattern: bytes) -> Answer:
    """Send bytes in which SECRET and TRAP are replaced."""
    return lambda exchange: [_filled(pattern, exchange)]


def _filled(pattern: bytes, exchange: Exchange) -> bytes:
    values = {b"URL": exchange.url, b"TRAP": str(exchange.trap), b"SECRET": exchange.secret}
    for name, value in values.items():
        pattern = pattern.replace(name, value.encode())
    return pattern


def upgraded(*frames: bytes, then: Answer | None = None, headers: t.Mapping[str, str] | None = None) -> Answer:
    """Open a websocket, and send these frames and more.

    Args:
        frames: the frames.
        then: sends more.
        headers: replaced in the answer; empty values are removed.
    """

    def answer(exchange: Exchange) -> Parts:
        given = {**dict(exchange.reply.headers), **(headers or {})}
        yield head(*(f"{name}: {value}" for name, value in given.items() if value), status="101 Switching Protocols")
        yield from frames
        yield from then(exchange) if then else [Act.SILENCE]

    return answer


def nested(depth: int) -> bytes:
    """Return a JSON object with arrays in arrays."""
    return json.dumps("nested").encode() + b": " + b"[" * depth + b"]" * depth
