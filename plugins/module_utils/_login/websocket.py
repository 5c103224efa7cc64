# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""Open a websocket to the engine, read until the result is known, and close it."""

from __future__ import annotations

import contextlib
import functools
import json
import socket
import time
import types
import typing as t
import urllib.parse

from .._http.deadline import Deadline
from .._http.failures import NOT_UPGRADED, transport_error
from .._http.server_texts import header_size, page_text
from .._http.stream import open_stream
from .handshake import DECISIVE, Handshake


class _NoCookies:
    """Cookie jar that keeps nothing."""

    def add(self, _cookie: str | None) -> None:
        """Discard a cookie."""

    def get(self, _host: str | None) -> str:
        """Return the cookies for a host, which are none."""
        return ""


try:
    import websocket
except ImportError:
    AVAILABLE = False
else:
    # There is another package of that name, which is a server.
    AVAILABLE = hasattr(websocket, "WebSocketBadStatusException")
    if AVAILABLE:
        # The library keeps cookies of all connections of the process, and sends them to other users and servers.
        websocket._handshake.CookieJar = t.cast("t.Any", _NoCookies())

# enigma.js: the path for clients without an app. The request is cheap for the engine, and is sent because a proxy may
# send its first message only after it has received one (Qlik help, "Messages from proxy to clients").
_PATH = "app/engineData"
_QUESTION = json.dumps({"jsonrpc": "2.0", "id": 1, "handle": -1, "method": "ProductVersion", "params": []})
# The headers that the library adds, with a key of the usual length.
_UPGRADE = {"Upgrade": "websocket", "Connection": "Upgrade"}
_UPGRADE |= {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "=" * 24}
_SHOWN = 80  # characters of a name that a server sends
_MOST_BYTES = 1_000_000  # of a whole exchange; usual are a few thousand
_MOST_AT_ONCE = 65536  # bytes; the library may ask for as many as a server announces

Sanitize = t.Callable[..., str]


class _BoundedStream:
    """Socket with a limit for received bytes, because the library stores messages of any length in memory.

    After the deadline it does not return what has already arrived: many small frames need much time.
    """

    def __init__(self, stream: socket.socket, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline
        self._left = _MOST_BYTES

    def recv(self, size: int) -> bytes:
        if self._deadline.expired:
            raise TimeoutError("timed out")
        data = self._stream.recv(min(size, _MOST_AT_ONCE))
        self._left -= len(data)
        if self._left < 0:
            raise ConnectionError("too much was sent")
        return data

    def __getattr__(self, name: str) -> t.Any:
        return getattr(self._stream, name)


def greet(
    base: str,
    *,
    headers: t.Mapping[str, str],
    csrf_token: str,
    verify: bool | str,
    timeout: tuple[float, float],
    sanitize: Sanitize,
    http_proxy: str | None = None,
    clock: t.Callable[[], float] = time.monotonic,
) -> Handshake:
    """Open a websocket below a virtual proxy in the same way as a page of it, and return the result.

    Args:
        base: URL of the virtual proxy, without a trailing slash.
        headers: Cookie, and Authorization for releases before November 2024.
        csrf_token: for the query; "" on releases without it.
        verify: as for HttpClient.
        timeout: seconds for the connection, and for the exchange after it.
        sanitize: sanitizer for texts of the server.
        http_proxy: as for HttpClient.
        clock: monotonic seconds.

    Raises:
        TransportError: there was no connection, or it was lost before the answer.
    """
    address = urllib.parse.urlsplit(base)
    query = f"?{urllib.parse.urlencode({'qlik-csrf-token': csrf_token})}" if csrf_token else ""
    url = f"{'wss' if address.scheme == 'https' else 'ws'}://{address.netloc}{address.path}/{_PATH}{query}"
    started, give_up_at = clock(), clock() + sum(timeout)
    connection = websocket.WebSocket()
    milliseconds = functools.partial(_milliseconds_since, started, clock)
    sent = {"Origin": f"{address.scheme}://{address.netloc}", **_UPGRADE, **headers}
    handshake = Handshake(101, protected=bool(csrf_token), header_bytes=header_size("GET", url, sent.items()))
    try:
        # The connection is opened here, so that neither a web proxy of the environment nor other CAs are used.
        with (
            contextlib.closing(open_stream(base, verify=verify, timeout=timeout, http_proxy=http_proxy)) as stream,
            contextlib.closing(Deadline(0.0, sum(timeout) + 1.0)) as deadline,  # for answers that arrive byte by byte
        ):
            deadline.watch(types.SimpleNamespace(sock=stream))
            try:
                connection.connect(
                    url,
                    socket=_BoundedStream(stream, deadline),
                    host=address.netloc,
                    origin=sent["Origin"],
                    header=[f"{name}: {value}" for name, value in headers.items()],
                    redirect_limit=0,
                )
            except (websocket.WebSocketException, OSError, ValueError, LookupError) as error:
                status, body = _refusal(connection, error, timed_out=deadline.expired)
                return handshake._replace(status=status, ms=milliseconds(), text=_shown_body(body, sanitize))
            try:
                connection.send(_QUESTION)
                handshake = _listen(connection, give_up_at=give_up_at, sanitize=sanitize, clock=clock)
                with contextlib.suppress(OSError):
                    connection.send_close()
            except (websocket.WebSocketException, OSError):
                handshake = Handshake(101, message="the connection was lost")
    except OSError as exc:
        context, size = f"GET {base}", handshake.header_bytes
        raise transport_error(exc, context, ca_option="proxy_ca_path", header_bytes=size) from None
    return handshake._replace(ms=milliseconds(), protected=bool(csrf_token))


def _refusal(connection: websocket.WebSocket, error: Exception, *, timed_out: bool) -> tuple[int, bytes]:
    """Return status and body of a refused upgrade.

    Raises:
        OSError: there was no answer.
    """
    if isinstance(error, websocket.WebSocketBadStatusException):
        return error.status_code, error.resp_body or b""
    if timed_out or isinstance(error, websocket.WebSocketTimeoutException):
        raise TimeoutError("timed out") from None
    status = getattr(connection.handshake_response, "status", None)
    if status is not None:
        return status, b""
    is_lost = isinstance(error, OSError | websocket.WebSocketConnectionClosedException)
    raise ConnectionError("lost" if is_lost else NOT_UPGRADED) from None


def _shown_body(body: bytes, sanitize: Sanitize) -> str:
    text = body[:2000].decode("utf-8", errors="replace")
    return sanitize(page_text(text) if text.lstrip().startswith("<") else text).rstrip(" .")


def _milliseconds_since(started: float, clock: t.Callable[[], float]) -> int:
    return round((clock() - started) * 1000)


def _listen(
    connection: websocket.WebSocket, *, give_up_at: float, sanitize: Sanitize, clock: t.Callable[[], float]
) -> Handshake:
    """Read until a decisive message, the end of the connection or the end of the time."""
    handshake = Handshake(101, message="silence")
    while clock() < give_up_at:
        connection.settimeout(max(0.01, give_up_at - clock()))
        try:
            opcode, data = connection.recv_data()
        except websocket.WebSocketTimeoutException:
            break
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            return handshake._replace(message=f"closed ({int.from_bytes(data[:2], 'big') or 'without a reason'})")
        handshake, decided = _read_message(handshake, data, sanitize)
        if decided:
            break
    return handshake


def _read_message(handshake: Handshake, data: bytes, sanitize: Sanitize) -> tuple[Handshake, bool]:
    """Return the state after another message, and True if the message is decisive."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        return handshake, False
    if not isinstance(content, dict):
        return handshake, False
    method, params = content.get("method"), content.get("params")
    params = params if isinstance(params, dict) else {}
    if method == "OnAuthenticationInformation":
        name = functools.partial(sanitize, limit=255, is_user=True)
        user = (name(str(params.get("userDirectory") or "")), name(str(params.get("userId") or "")))
        must = params.get("mustAuthenticate") is True
        return handshake._replace(
            user=user, must_authenticate=must, message=method if must else handshake.message
        ), must
    if method == "OnConnected":
        return handshake._replace(message=method, state=sanitize(str(params.get("qSessionState") or ""), _SHOWN)), True
    if method in DECISIVE:
        return handshake._replace(message=method, text=sanitize(str(params.get("message") or ""), _SHOWN)), True
    # An answer of the engine is sufficient without an OnConnected.
    if content.get("id") == 1:
        return handshake._replace(message="an answer of the engine"), True
    return handshake, False
