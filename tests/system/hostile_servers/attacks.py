# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The attacks on each client: name, kind, and what the server sends."""

from __future__ import annotations

import gzip
import zlib

from wire import (
    Act,
    Attack,
    always,
    drip,
    flood,
    full,
    head,
    inside,
    nested,
    with_healthy,
    zeros,
)

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = head("Content-Type: application/json", "Transfer-Encoding: chunked")
JSON = "Content-Type: application/json"
_LATE = ("read timeout", "answer is too long", "not valid HTTP")
_LONG = ("too long", "longer than", "larger than", "read timeout", "not valid HTTP", "not valid", "lost")
_GZIP, _ZLIB, _DEFLATE = 31, 15, -15


def _slow() -> list[Attack]:
    answers = {
        "status line drips": drip(b"", b"H"),
        "header line drips": drip(OK + b"X-A: ", b"a"),
        "header lines drip": drip(OK, b"X-A: b\r\n"),
        "100 Continue drips": drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        "body drips": drip(head(JSON, "Content-Length: 1000000"), b" "),
        "body without a length drips": drip(head(JSON), b" "),
        "chunk size drips": drip(CHUNKED, b"0"),
        "chunks drip": drip(CHUNKED, b"1\r\n \r\n"),
        "trailer lines drip": drip(CHUNKED + b"0\r\n", b"X-A: b\r\n"),
        "compressed body drips": drip(head(JSON, "Content-Encoding: gzip"), gzip.compress(b"")),
        "silent": always(Act.SILENCE),
        "silent in the status line": always(b"HTTP/1.1 2", Act.SILENCE),
        "silent in the header": always(OK + b"X-A", Act.SILENCE),
        "silent after the header": always(head(JSON, "Content-Length: 10"), Act.SILENCE),
        "silent in the body": always(head(JSON, "Content-Length: 10") + b"[", Act.SILENCE),
    }
    before_tls = [Attack("silent before TLS", "slow", always(Act.SILENCE), at="accept", words=("timeout", "no answer"))]
    return before_tls + [Attack(name, "slow", answer, words=_LATE) for name, answer in answers.items()]


def _endless() -> list[Attack]:
    answers = {
        "endless status line": flood(b"HTTP/1.1 200 ", b"a"),
        "endless header line": flood(OK + b"X-A: ", b"a"),
        "endless header lines": flood(OK, b"X-A: b\r\n"),
        "endless 100 Continue": flood(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        "endless header of 100 Continue": flood(b"HTTP/1.1 100 Continue\r\n", b"X-A: b\r\n"),
        "endless body": flood(head(JSON), b"[" + b" " * 65535),
        "endless body of an endless length": flood(head(JSON, f"Content-Length: {10**15}"), b"0,"),
        "endless chunks": flood(CHUNKED, b"10000\r\n" + b" " * 65536 + b"\r\n"),
        "endless chunk of an endless length": flood(CHUNKED + b"7fffffffffffffff\r\n", b"a"),
        "endless small chunks": flood(CHUNKED, b"1\r\n \r\n"),
        "endless chunk extension": flood(CHUNKED + b"1;", b"a"),
        "endless chunk extensions": flood(CHUNKED, b"1;" + b"a" * 60000 + b"\r\n \r\n"),
        "endless chunk size": flood(CHUNKED, b"0"),
        "endless trailer line": flood(CHUNKED + b"0\r\nX-A: ", b"a"),
        "endless trailer lines": flood(CHUNKED + b"0\r\n", b"X-A: b\r\n"),
        "endless empty gzip members": flood(head(JSON, "Content-Encoding: gzip"), gzip.compress(b"")),
    }
    page = Attack("endless page", "endless", flood(head("Content-Type: text/html", status="400 Bad"), b"<p>"))
    return [page, *(Attack(name, "endless", answer, words=_LONG) for name, answer in answers.items())]


def _deep() -> list[Attack]:
    many = gzip.compress(b"[" + b"[]," * 5_000_000 + b"[]]", 1)
    objects = gzip.compress(b"[" + b'{"a":0},' * 2_500_000 + b"{}]", 1)
    names = b'[{"a":0' + b"".join(b',"%x":0' % number for number in range(1_000_000)) + b"}]"
    compressed = "Content-Encoding: gzip"
    answers = {
        "500,000 arrays": always(full(b"[" * 500_000)),
        "500,000 objects": always(full(b'{"a":' * 500_000)),
        "500,000 arrays in each other": always(full(b"[" * 500_000 + b"]" * 500_000)),
        "900 arrays in a value": inside(nested(900)),
        "400 arrays in a value": inside(nested(400)),
        "5,000,000 empty arrays": always(full(many, compressed)),
        "2,500,000 objects": always(full(objects, compressed)),
        "1,000,000 names": always(full(gzip.compress(names, 1), compressed)),
        "integer of 1,000,000 digits": inside(b'"a": ' + b"9" * 1_000_000),
        "fraction of 5,000,000 digits": inside(b'"a": 0.' + b"1" * 5_000_000),
        "number beyond all": inside(b'"a": 1e999999, "sessionInactivityTimeout": 1e999999'),
        "string of 20 MB": always(full(gzip.compress(b'["' + b"a" * 20_000_000 + b'"]', 1), compressed)),
        "string of 20 MB with an emoji": always(
            full(gzip.compress(b'["' + b"a" * 20_000_000 + "\U0001f600".encode() + b'"]', 1), compressed)
        ),
        "string of 20 MB with half of an emoji": always(
            full(gzip.compress(b'["' + b"a" * 20_000_000 + b'\\ud83d\\ude00\\ud83d"]', 1), compressed)
        ),
        "NaN": inside(b'"a": NaN, "sessionInactivityTimeout": NaN'),
        "-Infinity": inside(b'"sessionInactivityTimeout": -Infinity'),
        "duplicate names": inside(b'"id": "other", "id": 7, "prefix": []'),
        "half of a surrogate pair": inside(b'"description": "\\ud800"'),
        "not UTF-8": always(full(b'[{"id": "\xff\xfe"}]')),
        "UTF-32 without its end": always(full(b"\xff\xfe\x00\x00[\x00\x00")),
        **{f"{value} at the top": always(full(value.encode())) for value in ("7", "true", "null", '"text"', "[[]]")},
        **{f"{value} at the top": always(full(value.encode())) for value in ("[]", "{}", "[null]", '[{"id": null}]')},
        "wrong types": inside(b'"id": {}, "SessionId": [], "UserId": {}, "Ticket": 7, "keys": 7, "kty": []'),
    }
    return [Attack(name, "deep", answer) for name, answer in answers.items()]


def _compressed() -> list[Attack]:
    inner = zeros(1000, wbits=_GZIP)
    twice = gzip.compress(inner)
    broken = ("cannot be decoded", "not JSON", "instead of JSON", "Lost", "lost", "answer", "form", "contains no")
    answers = {
        "gzip bomb": always(full(inner, "Content-Encoding: gzip")),
        "gzip bomb in chunks": always(
            head(JSON, "Transfer-Encoding: chunked", "Content-Encoding: gzip"), b"%x\r\n%s\r\n" % (len(inner), inner)
        ),
        "zlib bomb": always(full(zeros(1000, wbits=_ZLIB), "Content-Encoding: deflate")),
        "deflate bomb": always(full(zeros(1000, wbits=_DEFLATE), "Content-Encoding: deflate")),
        "gzip bomb in gzip": always(full(twice, "Content-Encoding: gzip, gzip")),
        "gzip bomb in two headers": always(full(twice, "Content-Encoding: gzip", "Content-Encoding: gzip")),
        "gzip bomb in gzip in gzip": always(full(gzip.compress(twice), "Content-Encoding: gzip, gzip, gzip")),
        "twenty layers": always(full(b"a", "Content-Encoding: " + ", ".join(["gzip"] * 20))),
        "brotli": always(full(b"\x1b\x00\x00", "Content-Encoding: br")),
        "zstd": always(full(b"(\xb5/\xfd\x00", "Content-Encoding: zstd")),
        "unknown encoding": with_healthy(JSON, "Content-Length: LENGTH", "Content-Encoding: x-\x1b[2J"),
        "text as gzip": with_healthy(JSON, "Content-Length: LENGTH", "Content-Encoding: gzip"),
        "text as deflate": with_healthy(JSON, "Content-Length: LENGTH", "Content-Encoding: deflate"),
        "gzip as text": always(full(gzip.compress(b"[]"))),
        "cut gzip": always(full(gzip.compress(b"[" * 1000)[:20], "Content-Encoding: gzip")),
        "empty gzip": always(full(b"", "Content-Encoding: gzip")),
        "compressed transfer": always(
            head(JSON, "Transfer-Encoding: gzip, chunked") + b"%x\r\n%s\r\n0\r\n\r\n" % (30, zlib.compress(b"a" * 30))
        ),
    }
    return [Attack(name, "compressed", answer, words=broken) for name, answer in answers.items()]


ATTACKS = [*_slow(), *_endless(), *_deep(), *_compressed()]
