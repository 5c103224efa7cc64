# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""The limits of a request that urllib3 does not have: a deadline, a size limit and a time limit for retries.

Other modules retry more than a request: hosts.py tries the next host of the repository, reconcile.py plans and sends a
write again, and runner.py repeats login checks until a site has applied a change.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import traceback
import typing as t

from .deadline import Deadline, current, start

try:
    import certifi
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
    from urllib3.exceptions import DecodeError, InvalidHeader, SSLError
    from urllib3.poolmanager import PoolManager, ProxyManager
    from urllib3.util.response import assert_header_parsing
    from urllib3.util.retry import Retry
except ImportError:
    IMPORT_ERROR: str | None = traceback.format_exc()
    # No object of the classes below is created then.
    HTTPConnection = HTTPSConnection = HTTPConnectionPool = HTTPSConnectionPool = Retry = object  # type: ignore[misc, assignment]
else:
    # Earlier releases also decompress without a limit.
    IMPORT_ERROR = None if hasattr(Retry, "DEFAULT_RETRY_AFTER_MAX") else "urllib3 is older than 2.6.3."

RETRIED_STATUSES = (429, 502, 503, 504)
"""Statuses after which the same request may succeed later."""

# Without POST, because the entity may have been created although the answer was lost. The caller must read it back.
_RETRIED_METHODS = frozenset({"GET", "PUT", "DELETE"})
_LONGEST_PAUSE = 20  # seconds between two attempts, unless the server requests another pause
_LONGEST_LINE = 65536  # bytes, as for the lines of a header in the standard library
# Others are never requested, and some of their decoders have no limit.
_ENCODINGS = frozenset({"", "identity", "gzip", "x-gzip", "deflate"})


class _TimedRetry(Retry):
    """urllib3's Retry with a time limit, which never repeats a POST that the server may have read."""

    def _is_read_error(self, err: Exception) -> bool:
        return super()._is_read_error(err) or isinstance(err, SSLError)

    def increment(self, *args: t.Any, **kwargs: t.Any) -> t.Self:
        again = super().increment(*args, **kwargs)
        if kwargs.get("response") is not None:
            kwargs["response"].close()  # urllib3 2.6.3 would read a body of any size before it repeats the request
        return again

    def is_exhausted(self) -> bool:
        return super().is_exhausted() or not current().seconds_to_retry()

    def get_retry_after(self, response: t.Any) -> float | None:
        try:
            seconds = super().get_retry_after(response)
        except (InvalidHeader, ValueError):
            return None
        return seconds and min(seconds, current().seconds_to_retry())

    def sleep(self, response: t.Any = None) -> None:
        current().pause()
        super().sleep(response)


class _Lines(io.BufferedReader):
    """Reader of an answer that refuses long lines, because urllib3 2.6.3 reads lines between chunks without a limit."""

    def readline(self, _size: int | None = -1, /) -> bytes:
        line = super().readline(_LONGEST_LINE + 1)
        if len(line) > _LONGEST_LINE:
            raise http.client.LineTooLong("answer")
        return line


class _Answer(http.client.HTTPResponse):
    """Answer of limited lines whose header is valid. For others, urllib3 would log the URL, and a part is missing."""

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self.fp = _Lines(self.fp.detach())

    def begin(self) -> None:
        super().begin()
        assert_header_parsing(self.msg)


class _Watched:
    """Connection that is watched by the deadline of its request."""

    response_class: t.Any = _Answer

    def connect(self) -> None:
        current().watch(self, connecting=True)
        super().connect()  # type: ignore[misc]
        current().watch(self)

    def request(self, *args: t.Any, **kwargs: t.Any) -> None:
        current().watch(self)
        super().request(*args, **kwargs)  # type: ignore[misc]


class _Connection(_Watched, HTTPConnection):
    pass


class _TLSConnection(_Watched, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


_POOLS: t.Any = {"http": _Pool, "https": _TLSPool}


def pool_manager(verify: bool | str, http_proxy: str | None, **options: t.Any) -> PoolManager:
    """Return urllib3's client with connections that are watched by the deadline of a request.

    Args:
        verify: the CA file to verify servers with, True for the bundle of certifi, False for no verification.
        http_proxy: URL of the web proxy to use.
        options: of a connection pool.
    """
    options["cert_reqs"] = "CERT_NONE" if verify is False else "CERT_REQUIRED"
    options["ca_certs"] = certifi.where() if verify is True else verify or None
    manager = ProxyManager(http_proxy, **options) if http_proxy else PoolManager(**options)
    manager.pool_classes_by_scheme = _POOLS
    return manager


def retry(retries: int, retry_deadline: float) -> Retry:
    """Return the rule for repetitions.

    Args:
        retries: how often GET, PUT and DELETE are repeated on connection errors and on RETRIED_STATUSES.
        retry_deadline: seconds after which a request is not repeated.
    """
    return _TimedRetry(
        total=retries,
        backoff_factor=0.5,
        backoff_jitter=0.5,
        backoff_max=_LONGEST_PAUSE,
        retry_after_max=max(1, int(retry_deadline)),
        status_forcelist=RETRIED_STATUSES,
        allowed_methods=_RETRIED_METHODS,
        raise_on_status=False,
    )


@contextlib.contextmanager
def deadline(timeout: tuple[float, float], retry_deadline: float, *, reconnect: bool) -> t.Iterator[Deadline]:
    """Raise TimeoutError if the exchange inside is not complete in time. The arguments are as for Deadline."""
    watch = Deadline(*timeout, retry_deadline, reconnect=reconnect)
    start(watch)
    try:
        yield watch
    except Exception:
        if not watch.expired:
            raise
    finally:
        watch.close()
    if watch.expired:
        raise TimeoutError("timed out")


def read(answer: t.Any, size_limit: int) -> tuple[bytes, bool]:
    """Return the decompressed body of an answer of urllib3 as far as the limit, and True if it is longer.

    Raises:
        DecodeError: it has another encoding than those that were requested.
    """
    # Layers of compression multiply what a server can send, and are never requested either.
    if answer.headers.get("Content-Encoding", "").strip().lower() not in _ENCODINGS:
        answer.close()
        raise DecodeError
    body = io.BytesIO()  # without a second copy in memory
    for chunk in answer.stream(65536, decode_content=True):
        left = size_limit - body.tell()
        body.write(chunk[:left])
        if len(chunk) > left:
            answer.close()
            return body.getvalue(), True
    return body.getvalue(), False
