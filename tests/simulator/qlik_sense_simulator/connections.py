# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTTP connections: limits of requests, the state of a request, and a connection closed without a response."""

from __future__ import annotations

import asyncio
import typing as t

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# INVENTED(switch=none): a head may have 64 KiB on any port; http.sys in front of a real site has a limit of this order,
# and proxies their own
_LARGEST_HEAD = 64 * 1024
# INVENTED(switch=none): a request that is not complete after two minutes loses its connection, as with http.sys
_REQUEST_SECONDS = 120.0
_CLOSE_SECONDS = 0.2


class _HeadTooLargeError(Exception):
    """Raised in the parser when the head of a request is too large."""


class Protocol(HttpToolsProtocol):
    """HTTP that adds connection number, port name, client certificate and transport to the state of each request."""

    port_name: t.ClassVar[str]
    connection_numbers: t.ClassVar[t.Iterator[int]]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {
            **self.app_state,
            "connection": next(self.connection_numbers),
            "port": self.port_name,
            "client_certificate": transport.get_extra_info("peercert") or None,
            "transport": transport,
        }
        self._in_head = False
        self._deadline: asyncio.TimerHandle | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        self._complete()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        # A header line without an end is not reported to `on_header`, so its size is limited here.
        if self._in_head:
            if self._head_received > _LARGEST_HEAD:
                self.send_400_response("Request header is too large.")
                return
            self._head_received += len(data)
        super().data_received(data)

    def on_message_begin(self) -> None:
        self._in_head = True
        self._head_received = self._head_size = 0
        self._complete()
        self._deadline = self.loop.call_later(_REQUEST_SECONDS, self.transport.abort)
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._grow(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._grow(len(name) + len(value) + 4)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._complete()
        super().on_message_complete()

    def shutdown(self) -> None:
        super().shutdown()
        # A client that does not read would delay the close of the connection.
        if self.transport.is_closing():
            self.loop.call_later(_CLOSE_SECONDS, self.transport.abort)

    def _complete(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()

    def _grow(self, size: int) -> None:
        self._head_size += size
        if self._head_size > _LARGEST_HEAD:
            # The parser raises it as its own error, which uvicorn answers with 400.
            raise _HeadTooLargeError


async def disconnect(scope: Scope, receive: Receive, _send: Send) -> None:
    """Close the connection without a response."""
    scope["state"]["transport"].abort()
    # If this returns earlier, the server takes it for an application that sent no response.
    while (await receive())["type"] not in ("http.disconnect", "websocket.disconnect"):
        pass
