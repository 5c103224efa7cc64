# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""One deadline for a whole exchange. The timeouts of sockets are no deadlines, because they restart with each byte."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import typing as t

_running = threading.local()  # its attribute deadline belongs to the request that this thread is sending


class Deadline:
    """Deadline that ends an exchange, even if the server is still sending.

    A thread shuts down the socket when the time has passed, and the thread that reads gets an error.

    Args:
        connect_timeout: seconds for a connection, after which read_timeout starts.
        read_timeout: seconds for the exchange on an established connection.
        retry_deadline: seconds after which a request is not repeated.
        reconnect: True if an attempt to connect is repeated.

    Attributes:
        expired: True if the last exchange was ended.
        connecting: True if the last connection was not established yet.
    """

    def __init__(
        self, connect_timeout: float, read_timeout: float, retry_deadline: float = 0.0, *, reconnect: bool = True
    ) -> None:
        self.expired = False
        self.connecting = False
        self._reconnect = reconnect
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._retry_until = time.monotonic() + retry_deadline
        self._end: float | None = None
        self._connection: t.Any = None
        self._socket: t.Any = None
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None

    def watch(self, connection: t.Any, *, connecting: bool = False) -> None:
        """Start the deadline.

        Args:
            connection: has the attribute sock.
            connecting: True if the connection is not established yet.
        """
        seconds = self._read_timeout + (self._connect_timeout if connecting else 0.0)
        with self._wake:
            self.expired, self._end, self.connecting = False, time.monotonic() + seconds, connecting
            # The connection has no socket anymore while the last answer on it is read.
            self._connection, self._socket = connection, connection.sock
            self._wake.notify()
        if self._thread is None:
            self._thread = threading.Thread(target=self._wait, daemon=True)
            self._thread.start()

    def pause(self) -> None:
        """Stop the deadline until the next call of watch."""
        with self._wake:
            self._end = None

    def seconds_to_retry(self) -> float:
        """Return the remaining seconds for repetitions."""
        if self.connecting and not self._reconnect:
            return 0.0
        return max(0.0, self._retry_until - time.monotonic())

    def _wait(self) -> None:
        with self._wake:
            while self._connection is not None:
                left = None if self._end is None else self._end - time.monotonic()
                if left is not None and left <= 0:
                    self.expired = True
                    # The method of SSLSocket would first end TLS, which another thread is using.
                    with contextlib.suppress(OSError, AttributeError, TypeError):
                        stream = self._socket or self._connection.sock
                        # Through a web proxy, urllib3 wraps the socket for TLS within TLS.
                        socket.socket.shutdown(getattr(stream, "socket", stream), socket.SHUT_RDWR)
                    left = 0.05  # a connection that is being established has no socket yet
                self._wake.wait(left)

    def close(self) -> None:
        """Stop watching."""
        with self._wake:
            self._connection = None
            self._wake.notify()


def start(deadline: Deadline) -> None:
    """Set the deadline of the next request of this thread."""
    _running.deadline = deadline


def current() -> Deadline:
    """Return the deadline of the request that this thread is sending."""
    return t.cast("Deadline", _running.deadline)
