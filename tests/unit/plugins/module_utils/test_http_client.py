# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import gzip
import http.client
import io
import itertools
import socket
import threading
import time
import types
import typing as t
from unittest import mock

import pytest
from urllib3.exceptions import SSLError

from ansible_collections.sensible.qlik.plugins.module_utils._errors import AnswerError, TransportError
from ansible_collections.sensible.qlik.plugins.module_utils._http import limits
from ansible_collections.sensible.qlik.plugins.module_utils._http.client import HttpClient, Request, Response
from ansible_collections.sensible.qlik.plugins.module_utils._http.deadline import Deadline
from ansible_collections.sensible.qlik.plugins.module_utils._text import Sanitizer

OK = b"HTTP/1.1 200 OK\r\n"
BODY = OK + b"Content-Type: application/json\r\n"
Parts = t.Iterable[bytes]
TOO_LARGE = "The answer has more data than fit into 120 MB of memory."
TOO_DEEP = "The answer has more than 100 levels of objects and lists."


class Server:
    """A server that sends the given answers in order, each on its own connection, and records the requests."""

    def __init__(self, *answers: t.Callable[[], Parts]) -> None:
        self.requests: list[bytes] = []
        self.sent = 0
        self._answers = list(answers)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        for answer in self._answers:
            with contextlib.suppress(OSError):
                connection, _address = self._listener.accept()
                with connection:
                    self.requests.append(connection.recv(65536))
                    for part in answer():
                        connection.sendall(part)
                        self.sent += len(part)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


@pytest.fixture
def serve() -> t.Iterator[t.Callable[..., Server]]:
    servers = []

    def start(*answers: t.Callable[[], Parts] | Parts) -> Server:
        servers.append(Server(*(answer if callable(answer) else lambda answer=answer: answer for answer in answers)))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def get(server: Server, **options: t.Any) -> Response:
    usual: dict[str, t.Any] = {"verify": True, "ca_option": "ca_path", "timeout": (5.0, 5.0)}
    with contextlib.closing(HttpClient(**{**usual, **options})) as client:
        return client.send(Request("GET", f"{server.url}/x"))


def dripping(*before: bytes, part: bytes) -> t.Callable[[], Parts]:
    """Return an answer of some bytes, then the same part repeatedly, more often than the timeout of a socket."""

    def answer() -> Parts:
        yield from before
        for _number in itertools.count():
            yield part
            time.sleep(0.02)

    return answer


@pytest.mark.parametrize(
    "answer",
    [
        dripping(part=b"H"),
        dripping(OK, part=b"X-A: b\r\nX"),
        dripping(OK + b"X-", part=b"a"),
        dripping(part=b"HTTP/1.1 100 Continue\r\n\r\n"),
        dripping(OK + b"Content-Length: 1000000\r\n\r\n", part=b"a"),
        dripping(OK + b"\r\n", part=b"a"),
        dripping(OK + b"Transfer-Encoding: chunked\r\n\r\n", part=b"0"),
        dripping(OK + b"Transfer-Encoding: chunked\r\n\r\n", part=b"1\r\na\r\n"),
        dripping(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", part=b"X-Trailer: a\r\n"),
    ],
    ids=["status", "headers", "header", "continue", "body", "body-to-the-end", "chunk-size", "chunks", "trailers"],
)
def test_slow_answer_is_ended_at_the_deadline(serve: t.Callable[..., Server], answer: t.Callable[[], Parts]) -> None:
    with pytest.raises(TransportError) as caught:
        get(serve(answer), timeout=(5.0, 0.3))
    # http.client takes no more than 100 headers and may be there before the deadline.
    assert "within the read timeout" in caught.value.message or "too long" in caught.value.message


def test_a_slow_answer_within_the_deadline_is_complete(serve: t.Callable[..., Server]) -> None:
    def slow() -> Parts:
        for byte in OK + b"Content-Length: 2\r\n\r\n{}":
            yield bytes([byte])

    assert get(serve(slow), timeout=(5.0, 5.0)).json() == {}


def test_each_attempt_has_its_own_deadline(serve: t.Callable[..., Server]) -> None:
    server = serve(dripping(part=b"H"), [OK + b"Content-Length: 2\r\n\r\n{}"])
    assert get(server, timeout=(5.0, 0.3), retries=1).json() == {}
    assert len(server.requests) == 2


def test_pauses_between_attempts_do_not_count_as_answer_time(serve: t.Callable[..., Server]) -> None:
    busy = b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    server = serve([busy], [OK + b"Content-Length: 2\r\n\r\n{}"])
    assert get(server, timeout=(5.0, 0.3), retries=1).json() == {}


def endless(part: bytes) -> t.Callable[[], Parts]:
    def answer() -> Parts:
        yield OK + b"\r\n"
        yield from itertools.repeat(part)

    return answer


def test_no_more_than_the_limit_is_read(serve: t.Callable[..., Server]) -> None:
    response = get(serve(endless(b"a" * 65536)), size_limit=1000)
    assert response.truncated
    assert len(response.body) == 1000
    with pytest.raises(AnswerError) as caught:
        response.json()
    assert caught.value.message == "The answer is longer than 1000 bytes."


def test_a_compressed_answer_is_read_as_far_as_the_limit(serve: t.Callable[..., Server]) -> None:
    data = gzip.compress(b"0" * 50_000_000, 1)
    head = OK + f"Content-Encoding: gzip\r\nContent-Length: {len(data)}\r\n\r\n".encode()
    response = get(serve([head, data]), size_limit=100_000)
    assert response.truncated
    assert response.body == b"0" * 100_000


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ([OK + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"], "The compressed answer cannot be decoded"),
        ([OK + b"Content-Encoding: gzip, gzip\r\nContent-Length: 0\r\n\r\n"], "cannot be decoded"),
        ([OK + b"Content-Encoding: br\r\nContent-Length: 0\r\n\r\n"], "cannot be decoded"),
        ([OK + b"X-A: b\r\n" * 101 + b"\r\n"], "The header or a line of the answer is too long"),
        ([OK + b"X-A: " + b"b" * 70000 + b"\r\n\r\n"], "The header or a line of the answer is too long"),
        ([OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"1" * 70000], "The header or a line of the answer is too long"),
        ([b"gibberish\r\n\r\n"], "The answer is not valid HTTP"),
        ([OK + b"X-A: b\r\nX\r\nContent-Length: 0\r\n\r\n"], "The answer is not valid HTTP"),
        ([OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}"], "The answer is not valid HTTP"),
        ([OK + b"Content-Length: 10\r\n\r\nabc"], "The connection was lost"),
        ([OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"], "The answer is not valid HTTP"),
        ([], "The connection was lost"),
    ],
)
def test_malformed_answers_are_transport_errors(serve: t.Callable[..., Server], answer: Parts, outcome: str) -> None:
    with pytest.raises(TransportError) as caught:
        get(serve(answer))
    assert outcome in caught.value.message
    assert "Error" not in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 LIE\r\n\r\n",
        b"LIE\r\n\r\n",
        OK + b"Content-Encoding: gzip, LIE\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\nLIE\r\n",
    ],
)
def test_a_server_does_not_choose_the_message(serve: t.Callable[..., Server], answer: bytes) -> None:
    with pytest.raises(TransportError) as caught:
        get(serve([answer.replace(b"LIE", b"certificate verify failed: my secret (")]))
    assert "certificate" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_lines_without_a_length_are_limited() -> None:
    """urllib3 2.6.3 reads lines between chunks like this."""
    with pytest.raises(http.client.LineTooLong):
        limits._Lines(t.cast("io.RawIOBase", io.BytesIO(b"1" * 70000))).readline()


@pytest.mark.parametrize(("status", "uncertain"), [(103, True), (302, True), (304, True), (400, False), (503, True)])
def test_only_refusals_are_certain(serve: t.Callable[..., Server], status: int, uncertain: bool) -> None:
    response = get(serve([f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode()]))
    assert response.refusal("Look.").uncertain is uncertain


@pytest.mark.parametrize(
    "location",
    [b"http://[", b"http://a:b/", b"//[::1", b"http://\xff\xfe/", b"https://other.example.com/", b"ftp://127.0.0.1/"],
)
def test_redirects_to_other_hosts_are_not_followed(serve: t.Callable[..., Server], location: bytes) -> None:
    server = serve([b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\nContent-Length: 0\r\n\r\n"])
    response = get(server)
    assert response.status == 302
    with pytest.raises(AnswerError, match="The server redirects to"):
        response.redirect_target()
    assert len(server.requests) == 1


@pytest.mark.parametrize(("location", "path"), [(b"/y", "/y"), (b"y?a=b", "/y?a=b"), (b"", "/x")])
def test_redirect_on_the_same_host_has_a_target(serve: t.Callable[..., Server], location: bytes, path: str) -> None:
    server = serve([b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\nContent-Length: 0\r\n\r\n"])
    assert get(server).redirect_target() == f"{server.url}{path}"


def test_redirect_to_another_port_is_refused(serve: t.Callable[..., Server]) -> None:
    response = get(serve([b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"]))
    assert response.redirect_target(any_port=True) == "http://127.0.0.1:1/"
    with pytest.raises(AnswerError) as caught:
        response.redirect_target()
    assert caught.value.message == "The server redirects to port 1 of the same host, which is another server."


def test_redirect_to_the_usual_port_is_allowed(serve: t.Callable[..., Server]) -> None:
    response = get(serve([b"HTTP/1.1 302 Found\r\nLocation: https://a.example/\r\nContent-Length: 0\r\n\r\n"]))
    moved = response._replace(request=Request("GET", "https://a.example:443/x"))
    assert moved.redirect_target() == "https://a.example/"


@pytest.mark.parametrize("body", [b"[" * 100_000, b"{]", b"\xff", b'"\xed\xa0\x80', b"[NaN]", b"[-Infinity]"])
def test_body_that_is_not_json_is_refused(serve: t.Callable[..., Server], body: bytes) -> None:
    response = get(serve([BODY + f"Content-Length: {len(body)}\r\n\r\n".encode(), body]))
    with pytest.raises(AnswerError) as caught:
        response.json()
    assert "with something that is not JSON instead of JSON" in caught.value.message


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"[" * 3_000_000, TOO_LARGE),
        (b"[" * 101 + b"]" * 101, TOO_DEEP),
        (b'{"":' * 100 + b"[0]" + b"}" * 100, TOO_DEEP),
        (b"[0" + b",[]" * 1_500_000 + b"]", TOO_LARGE),
        (b'["' + b"a" * 15_000_000 + "\U0001f600".encode() + b'"]', TOO_LARGE),
        (b'["' + b"a" * 8_000_000 + b'\\ud83d"]', TOO_LARGE),
    ],
)  # fmt: skip
def test_json_is_limited(serve: t.Callable[..., Server], body: bytes, message: str) -> None:
    response = get(serve([BODY + f"Content-Length: {len(body)}\r\n\r\n".encode(), body]))
    with pytest.raises(AnswerError) as caught:
        response.json()
    assert caught.value.message == message


@pytest.mark.parametrize("body", [b"[" * 100 + b"]" * 100, b'["' + b"a" * 20_000_000 + b'"]'])
def test_json_within_the_limits(serve: t.Callable[..., Server], body: bytes) -> None:
    assert get(serve([BODY + f"Content-Length: {len(body)}\r\n\r\n".encode(), body])).json()


def test_half_of_a_surrogate_pair_is_replaced(serve: t.Callable[..., Server]) -> None:
    body = b'{"a": "x\\ud800", "b": "\\ud83d\\ude00"}'
    response = get(serve([BODY + f"Content-Length: {len(body)}\r\n\r\n".encode(), body]))
    assert response.json() == {"a": "x?", "b": "\U0001f600"}


def test_a_broken_retry_after_is_ignored(serve: t.Callable[..., Server]) -> None:
    busy = b"HTTP/1.1 503 Busy\r\nRetry-After: Mon, 99 Foo\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    server = serve([busy], [OK + b"Content-Length: 2\r\n\r\n{}"])
    assert get(server, retries=1).json() == {}


def test_refusals_show_the_beginning_of_a_long_body(serve: t.Callable[..., Server]) -> None:
    response = get(serve([b"HTTP/1.1 400 Bad\r\n\r\n", b" a" * 1_000_000]))
    assert len(str(response.refusal("Look."))) < 300


def test_a_socket_below_tls_within_tls_is_shut_down() -> None:
    one, other = socket.socketpair()
    with one, other, contextlib.closing(Deadline(1.0, 0.1)) as deadline:
        deadline.watch(types.SimpleNamespace(sock=types.SimpleNamespace(socket=one)))
        other.settimeout(5)
        assert other.recv(1) == b""
    assert deadline.expired


def test_a_body_that_is_nested_too_deeply_is_not_sent() -> None:
    body: list[t.Any] = []
    for _depth in range(100_000):
        body = [body]
    client = HttpClient(verify=True, ca_option="ca_path", timeout=(1.0, 1.0))
    with pytest.raises(TransportError) as caught:
        client.send(Request("PUT", "http://127.0.0.1:1/", body=body))
    assert caught.value.uncertain


def test_texts_of_a_server_are_made_printable(serve: t.Callable[..., Server]) -> None:
    token = "eyJhbGciOiJSUzI1NiJ9.eyJhIjoxfQ.c2ln"
    body = f"\x1b[31m\x9b0m no {token} and secret".encode()
    head = b"HTTP/1.1 400 Bad\x1b[2J \x9bRequest\r\nContent-Length: "
    response = get(serve([head + str(len(body)).encode() + b"\r\n\r\n", body]), sanitize=Sanitizer(["secret"]))
    error = response.refusal("Look.")
    assert str(error).isprintable()
    assert str(error).endswith("no *** and ***. Look.")


def test_threads_of_deadlines_end(serve: t.Callable[..., Server]) -> None:
    server = serve(*[[OK + b"Content-Length: 2\r\nConnection: close\r\n\r\n{}"]] * 5)
    for _number in range(5):
        get(server)
    threads = [thread for thread in threading.enumerate() if thread.name.endswith("(_wait)")]
    for thread in threads:
        thread.join(5)
    assert not any(thread.is_alive() for thread in threads)


def test_a_post_is_not_repeated_after_an_error_of_tls() -> None:
    """The server may have read it."""
    with pytest.raises(SSLError):
        limits.retry(2, 60.0).increment("POST", "/x", error=SSLError("bad record"))


def test_an_answer_before_a_repetition_is_not_read() -> None:
    """urllib3 2.6.3 reads all of it otherwise."""
    answer = mock.Mock(status=503, headers={})
    answer.get_redirect_location.return_value = False
    with limits.deadline((5.0, 5.0), 60.0, reconnect=False):
        limits.retry(2, 60.0).increment("GET", "/x", response=answer)
    answer.close.assert_called_once_with()
