# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The attacks that lie: redirects, texts for terminals, contradictions, and frames of websockets."""

from __future__ import annotations

import base64
import itertools
import json

from attacks import CHUNKED, JSON
from wire import (
    FLOOD,
    Act,
    Answer,
    Attack,
    Exchange,
    Parts,
    always,
    drip,
    echo,
    flood,
    full,
    head,
    inside,
    redirect,
    upgraded,
    with_healthy,
)

from ansible_collections.sensible.qlik.tests.unit.plugins.fake_proxy import frame, notification


def _redirecting() -> list[Attack]:
    answers = {
        "to another host": redirect("https://127.0.0.2:TRAP/"),
        "to another host without a scheme": redirect("//127.0.0.2:TRAP/"),
        "to another host behind our name": redirect("https://127.0.0.1@127.0.0.2:TRAP/"),
        "to another host behind a backslash": redirect("https:\\\\127.0.0.2:TRAP\\@127.0.0.1/"),
        "to another port": redirect("https://127.0.0.1:TRAP/portal/qrs/about"),
        "to http": redirect("http://127.0.0.1:TRAP/"),
        "to a file": redirect("file:///etc/passwd"),
        "to data": redirect("data:application/json,[]"),
        "to itself": redirect("URL"),
        "to ever new addresses": redirect("URL?again=again"),
        "with 307": redirect("https://127.0.0.2:TRAP/", status="307 Temporary Redirect"),
        "with 308 to itself": redirect("URL", status="308 Permanent Redirect"),
        "with two targets": redirect("URL", "Location: https://127.0.0.2:9/"),
        "without a target": always(head("Content-Length: 0", status="302 Found")),
        "to an empty target": redirect(""),
        "to a broken address": redirect("http://["),
        "to a broken port": redirect("https://127.0.0.1:99999/"),
        "to bytes": redirect(b"https://\xff\xfe\x00/\x1b[2J"),
        "to a secret": redirect("https://SECRET.example.com/SECRET"),
        "to 60,000 characters": redirect("URL?" + "a" * 60_000),
        "by a header of 200": with_healthy(JSON, "Content-Length: LENGTH", "Refresh: 0; url=https://127.0.0.2:9/"),
        "with 300": redirect("https://127.0.0.2:TRAP/", status="300 Multiple Choices"),
        "with 305": redirect("https://127.0.0.2:TRAP/", status="305 Use Proxy"),
    }
    return [Attack(f"redirect {name}", "redirecting", answer) for name, answer in answers.items()]


def _escaping() -> list[Attack]:
    html, bad = "Content-Type: text/html", "400 Bad Request"
    lie = b"certificate verify failed: SECRET ("
    answers = {
        "escapes in the reason": always(full(b"{}", status=b"500 \x1b[2J\x1b]0;owned\x07\x9b1mBad")),
        "escapes in the body": always(full(b"\x1b[31m\xc2\x9b2J\x07\x08\x7f", status=bad)),
        "escapes in JSON": inside(
            b'"message": "\\u001b[2J", "description": "\\u001b[2J\\u202e\\n", "UserId": "\\u001b"'
        ),
        "bidirectional text": always(full("\u202edenied\u2066\u200f\ufeff".encode(), status=bad)),
        "line breaks in the body": always(
            full(b"no\r\nok: [localhost] => changed\x0b\x0c\x85\xe2\x80\xa8!", status=bad)
        ),
        "folded header": always(head("X-A: b", " c\x1b[2J", "Content-Length: 0", status=bad)),
        "carriage return in the header": always(head(b"X-A: b\rX-B: c", "Content-Length: 0", status=bad)),
        "null in the header": always(head(b"X-A: \x00\x1b", b"X-\x00: b", "Content-Length: 0", status=bad)),
        "header line without a colon": echo(head("X SECRET", JSON, "Content-Length: 2", status=bad) + b"{}"),
        "header that begins with a blank": echo(head(" SECRET: a", JSON, "Content-Length: 2", status=bad) + b"{}"),
        "secret in the reason": echo(full(b"", status="500 SECRET")),
        "secret in the body": echo(head(JSON, status=bad) + b"you sent SECRET"),
        "secret in a long body": echo(head(JSON, status=bad) + b"a" * 150 + b" SECRET"),
        "secret in JSON": echo(head(JSON, status=bad) + b'{"message": "SECRET", "\\u001b": ["SECRET"]}'),
        "secret in the header": echo(head("X-A: SECRET", "WWW-Authenticate: SECRET", status="401 SECRET")),
        "secret in the status line": echo(b"HTTP/1.1 " + lie + b"\r\n\r\n"),
        "secret in the protocol": echo(lie + b" hostname mismatch\r\n\r\n"),
        "secret in the encoding": echo(head(b"Content-Encoding: gzip, " + lie, "Content-Length: 2") + b"{}"),
        "secret in a chunk size": echo(CHUNKED + lie + b"\r\n"),
        "secret in the length": echo(head(b"Content-Length: " + lie) + b"{}"),
        "escapes in a cookie": with_healthy(
            JSON,
            "Content-Length: LENGTH",
            "Set-Cookie: \x1b[2J=\x1b[3J; Path=\x1b; SameSite=\x1b[4J",
            "Set-Cookie: =;;=",
        ),
        "cookie of the year 99999": with_healthy(
            JSON, "Content-Length: LENGTH", "Set-Cookie: a=b; expires=Sun, 01-Jan-99999 00:00:00 GMT"
        ),
        "cookie of a long age": with_healthy(JSON, "Content-Length: LENGTH", f"Set-Cookie: a=b; Max-Age={'9' * 5000}"),
        "cookie of 60,000 characters": with_healthy(JSON, "Content-Length: LENGTH", f"Set-Cookie: a={'b' * 60000}"),
        "broken cookies of another kind": with_healthy(JSON, "Content-Length: LENGTH", 'Set-Cookie2: a="\\; =; "'),
        "date beyond all": always(head("Date: Mon, 01 Jan 2024 00:00:00 +99999999999999", html, status="401 No")),
        "page of open tags": always(full(b"<html>" + b"<" * 250_000, html, status=bad)),
        "page of open scripts": always(full(b"<html>" + b"<script " * 31_000, html, status=bad)),
        "page with a long number": always(full(b"<p>&#" + b"9" * 6000 + b";</p>", html, status=bad)),
        "page of ampersands": always(full(b"<p>" + b"&" * 250_000, html, status=bad)),
        "text like a token": always(full(b"eyJ" * 80_000, status=bad)),
    }
    return [Attack(name, "escaping", answer) for name, answer in answers.items()]


def _lying() -> list[Attack]:
    ntlm = base64.b64encode(b"NTLMSSP\x00\x02\x00\x00\x00" + b"\xff" * 40).decode()
    length, none = "Content-Length: LENGTH", "Content-Length: 0"
    answers: dict[str, Answer] = {
        "length too short": with_healthy(JSON, "Content-Length: 1"),
        "length too long": with_healthy(JSON, "Content-Length: 1LENGTH"),
        "negative length": with_healthy(JSON, "Content-Length: -1"),
        "two lengths": with_healthy(JSON, length, "Content-Length: 1"),
        "two lengths in one header": with_healthy(JSON, "Content-Length: 1, LENGTH"),
        "length in words": with_healthy(JSON, "Content-Length: many"),
        "length beyond all": with_healthy(JSON, f"Content-Length: {'9' * 5000}"),
        "length and chunks": with_healthy(JSON, length, "Transfer-Encoding: chunked"),
        "204 with a body": with_healthy(JSON, length, status="204 No Content"),
        "205 with a body": with_healthy(JSON, length, status="205 Reset Content"),
        "206 of a part": with_healthy(JSON, length, "Content-Range: bytes 0-1/9", status="206 Partial Content"),
        "304": with_healthy(JSON, length, status="304 Not Modified"),
        "101 without a request": with_healthy(JSON, length, status="101 Switching Protocols"),
        "103 as the answer": with_healthy(JSON, length, status="103 Early Hints"),
        "status 999": with_healthy(JSON, length, status="999 X"),
        "status 20": with_healthy(JSON, length, status="20 OK"),
        "status -200": with_healthy(JSON, length, status="-200 OK"),
        "text as the type": with_healthy("Content-Type: text/plain", length),
        "page as the type": with_healthy("Content-Type: text/html", length),
        "type of escapes": with_healthy("Content-Type: \x1b[2J; charset=\x1b", length),
        "success without a body": always(head(JSON, none)),
        "201 without a body": always(head(JSON, none, status="201 Created")),
        "a page": always(full(b"<html>Log in</html>", "Content-Type: text/html")),
        "another entity": lambda exchange: [full(exchange.body.replace(b'"vp2"', b'"vp9"').replace(b"vp3", b"vp9"))],
        "another user": lambda exchange: [full(exchange.body.replace(b"ACME", b"OTHER"))],
        "busy for a year": always(head(none, "Retry-After: 31536000", status="503 Busy")),
        "busy until a date": always(head(none, "Retry-After: Fri, 01 Jan 9999 00:00:00 GMT", status="429 Busy")),
        "busy for -1 seconds": always(head(none, "Retry-After: -1", status="503 Busy")),
        "gateway timeout": always(head(none, status="504 Gateway Timeout")),
        "internal error": always(head(none, status="500 X")),
        "conflict": always(head(none, status="409 Conflict")),
        "NTLM challenge of garbage": always(head(none, f"WWW-Authenticate: NTLM {ntlm}", status="401 X")),
        "NTLM challenge that is not base64": always(head(none, "WWW-Authenticate: NTLM \xff=!", status="401 X")),
        "Negotiate challenge of garbage": always(head(none, "WWW-Authenticate: Negotiate YA==", status="401 X")),
        "authentication of a proxy": always(head(none, "Proxy-Authenticate: NTLM", status="407 X")),
        "reset": always(Act.RESET),
        "reset in the header": always(b"HTTP/1.1 200 OK\r\nX", Act.RESET),
        "reset in the body": always(head(JSON, "Content-Length: 10") + b"[", Act.RESET),
        "end at once": always(),
        "end in the header": always(b"HTTP/1.1 200 OK\r\nX-A: b"),
        "end in the body": with_healthy(JSON, length, cut=-1),
        "end in a body without a length": with_healthy(JSON, cut=-1),
        "end in the chunks": always(CHUNKED + b"5\r\n[0"),
        "negative chunk": always(CHUNKED + b"-5\r\n[]\r\n0\r\n\r\n"),
        "two answers": with_healthy(JSON, length, more=full(b"[7]")),
        "HTTP 0.9": always(b"[]"),
        "HTTP 9": always(b"HTTP/9.9 200 OK\r\n\r\n[]"),
        "HTTP 2": always(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + b"\x00" * 18),
        "another protocol": always(b"SSH-2.0-OpenSSH_9.6\r\n"),
        "1,000 header lines of one name": always(head(*["X-A: b"] * 99, *["Set-Cookie: a=b"] * 900)),
    }
    before_tls = {
        "HTTP before TLS": always(head(none, status="400 Bad")),
        "another protocol before TLS": always(b"SSH-2.0-OpenSSH_9.6\r\n"),
        "alert before TLS": always(b"\x15\x03\x03\x00\x02\x02\x28"),
        "end before TLS": always(),
        "reset before TLS": always(Act.RESET),
    }
    certificates = [
        Attack(f"certificate: {name}", "lying", always(), at="accept", certificate=name, words=("certificate",))
        for name in ("expired", "other host", "untrusted")
    ]
    return [
        *(Attack(name, "lying", answer) for name, answer in answers.items()),
        *(Attack(name, "lying", answer, at="accept") for name, answer in before_tls.items()),
        *certificates,
    ]


def _pings(_exchange: Exchange) -> Parts:
    yield from itertools.repeat(frame(b"a" * 100, opcode=9) * 500, FLOOD // 50_000)
    yield Act.SILENCE


def _frames() -> list[Attack]:
    connected = notification("OnConnected", qSessionState="SESSION_CREATED")
    masked = bytes([connected[0], connected[1] | 0x80]) + b"\0\0\0\0" + connected[2:]
    params = {"userId": "a" * 900_000, "userDirectory": "\x1b[2J\u202e"}
    user = json.dumps({"method": "OnAuthenticationInformation", "params": params}).encode()
    garbage = {"Sec-WebSocket-Accept": "AAAAAAAAAAAAAAAAAAAAAAAAAAA="}
    answers = {
        "length of 2**62": upgraded(b"\x81\x7f" + (2**62).to_bytes(8, "big"), then=flood(b"", b"a")),
        "length of 2**64 - 1": upgraded(b"\x81\x7f" + b"\xff" * 8, then=flood(b"", b"a")),
        "length of 2**62 that drips": upgraded(b"\x81\x7f" + (2**62).to_bytes(8, "big"), then=drip(b"", b"a")),
        "masked frame": upgraded(masked),
        "endless fragments": upgraded(b"\x01\x01a", then=flood(b"", b"\x00\x01a")),
        "endless empty fragments": upgraded(b"\x01\x00", then=flood(b"", b"\x00\x00")),
        "dripping fragments": upgraded(b"\x01\x01a", then=drip(b"", b"\x00\x01a")),
        "fragment of nothing": upgraded(b"\x80\x01a"),
        "message within a message": upgraded(b"\x01\x01a", connected),
        "compressed frame": upgraded(b"\xc1\x05aaaaa"),
        "all reserved bits": upgraded(b"\xf1\x01a"),
        "reserved kind": upgraded(b"\x83\x01a"),
        "long ping": upgraded(b"\x89\x7e\x04\x00" + b"a" * 1024, connected),
        "fragmented ping": upgraded(b"\x09\x01a", connected),
        "long close": upgraded(b"\x88\x7e\x04\x00\x03\xe8" + b"a" * 1022),
        "close of one byte": upgraded(b"\x88\x01\x03"),
        "close with an unknown code": upgraded(frame(b"\xff\xff\x1b[2J", opcode=8)),
        "endless pings": upgraded(then=_pings),
        "dripping pings": upgraded(then=drip(b"", frame(b"a", opcode=9))),
        "dripping pongs": upgraded(then=drip(b"", frame(b"", opcode=10))),
        "dripping messages": upgraded(then=drip(b"", notification("OnSomething"))),
        "endless messages": upgraded(then=flood(b"", notification("OnSomething"))),
        "dripping frame": upgraded(b"\x81\x7e\x40\x00", then=drip(b"", b"[")),
        "silent": upgraded(),
        "end at once": upgraded(then=always()),
        "reset at once": upgraded(then=always(Act.RESET)),
        "text that is not UTF-8": upgraded(b"\x81\x02\xff\xfe", connected),
        "400,000 arrays": upgraded(_long(b"[" * 400_000), connected),
        "number of 100,000 digits": upgraded(_long(b"9" * 100_000), connected),
        "user of 900,000 characters": upgraded(_long(user), connected),
        "wrong accept": upgraded(connected, headers=garbage),
        "no accept": upgraded(connected, headers={"Sec-WebSocket-Accept": ""}),
        "accept that is not ASCII": upgraded(connected, headers={"Sec-WebSocket-Accept": "\xff\u202e"}),
        "no upgrade": upgraded(connected, headers={"Upgrade": ""}),
        "another protocol": upgraded(connected, headers={"Sec-WebSocket-Protocol": "evil"}),
        "compression that was not requested": upgraded(headers={"Sec-WebSocket-Extensions": "permessage-deflate"}),
        "refusal of an endless length": always(head(f"Content-Length: {10**18}", status="403 X") + b"a", Act.SILENCE),
        "refusal of a negative length": always(head("Content-Length: -1", status="403 X") + b"a"),
        "refusal of a length in words": always(head("Content-Length: many", status="403 X") + b"a"),
        "endless refusal": flood(head(f"Content-Length: {10**18}", status="403 X"), b"a"),
        "secret in a message": lambda exchange: upgraded(
            notification("OnAuthenticationInformation", userId=exchange.secret),
            notification("OnConnected", qSessionState=exchange.secret),
        )(exchange),
    }
    waiting = ("drip", "silent", "endless", "length of", "compression that")
    return [
        Attack(
            f"websocket: {name}", "endless" if any(map(name.__contains__, waiting)) else "lying", answer, frames=True
        )
        for name, answer in answers.items()
    ]


def _long(data: bytes) -> bytes:
    """Return a frame of text with a length of eight bytes."""
    return b"\x81\x7f" + len(data).to_bytes(8, "big") + data


LIES = [*_redirecting(), *_escaping(), *_lying(), *_frames()]
