# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""The limits of a request that requests and urllib3 lack: one deadline, one size, one time for all repetitions."""

from __future__ import annotations

import contextlib
import functools
import traceback
import typing as t

from .deadline import Deadline, current, start
from .failures import RETRIED_STATUSES

try:
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
    from urllib3.exceptions import InvalidHeader
    from urllib3.util.retry import Retry
except ImportError:
    IMPORT_ERROR: str | None = traceback.format_exc()
    # No object of the classes below is made then.
    HTTPAdapter = HTTPConnection = HTTPSConnection = HTTPConnectionPool = HTTPSConnectionPool = Retry = object  # type: ignore[misc, assignment]
else:
    # Releases before it also decompress without a limit.
    IMPORT_ERROR = None if hasattr(Retry, "DEFAULT_RETRY_AFTER_MAX") else "urllib3 is older than 2.6.3."

# POST is missing on purpose: a lost answer may mean a created entity. The caller must read back first.
_RETRIED_METHODS = frozenset({"GET", "PUT", "DELETE"})
_LONGEST_PAUSE = 20  # seconds between two attempts, unless the server asks for another time


class _TimedRetry(Retry):
    """urllib3's Retry that also gives up after a time."""

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


class _Watched:
    """Lets the deadline of the request watch its connection."""

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


class LimitedAdapter(HTTPAdapter):
    """Sends requests and reads their answers within the limits.

    Args:
        retries: how often GET, PUT and DELETE are repeated on connection errors and on RETRIED_STATUSES.
        retry_deadline: seconds after which a request is not repeated.
        size_limit: bytes of a body, decompressed. A body that is longer is not read to its end.

    Attributes:
        reconnect: whether an attempt to connect is repeated.
    """

    def __init__(self, *, retries: int, retry_deadline: float, size_limit: int) -> None:
        self.reconnect = True
        self._retry_deadline = retry_deadline
        self._size_limit = size_limit
        super().__init__(
            max_retries=_TimedRetry(
                total=retries,
                backoff_factor=0.5,
                backoff_jitter=0.5,
                backoff_max=_LONGEST_PAUSE,
                retry_after_max=max(1, int(retry_deadline)),
                status_forcelist=RETRIED_STATUSES,
                allowed_methods=_RETRIED_METHODS,
                raise_on_status=False,
            )
        )

    def init_poolmanager(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: t.Any, **kwargs: t.Any) -> t.Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def send(self, request: t.Any, **kwargs: t.Any) -> t.Any:  # type: ignore[override]
        connect_timeout, read_timeout = kwargs["timeout"]
        deadline = Deadline(connect_timeout, read_timeout, self._retry_deadline, reconnect=self.reconnect)
        start(deadline)
        with _ending(deadline):
            response = super().send(request, **{**kwargs, "stream": True})
        # Read by the caller: requests-ntlm needs the socket of an answer that is not read yet.
        chunks = functools.partial(self._chunks, response, response.iter_content, deadline)
        response.iter_content = chunks  # type: ignore[method-assign]
        return response

    def _chunks(self, response: t.Any, chunks: t.Callable[..., t.Any], deadline: Deadline, *args: t.Any) -> t.Any:
        """Yield the body, until it is longer than the limit."""
        size = 0
        with _ending(deadline), contextlib.closing(deadline):
            for chunk in chunks(*args):
                yield chunk
                size += len(chunk)
                if size > self._size_limit:
                    response.close()
                    break


@contextlib.contextmanager
def _ending(deadline: Deadline) -> t.Iterator[None]:
    """Turn what comes of a socket that was shut down into an error that says why."""
    try:
        yield
    except Exception:
        deadline.close()
        if not deadline.expired:
            raise
    if deadline.expired:
        raise requests.exceptions.ReadTimeout("the answer was not complete in time")
