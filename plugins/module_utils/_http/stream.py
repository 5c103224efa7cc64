# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""Connections that HttpClient does not support: websockets, and to read the certificate of an untrusted server."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import typing as t
import urllib.parse

from .._identifiers import web_proxy
from .deadline import Deadline

with contextlib.suppress(ImportError):  # reported by client.require_libraries
    import certifi
    from urllib3.util.ssl_ import create_urllib3_context


def open_stream(
    url: str, *, verify: bool | str, timeout: tuple[float, float], http_proxy: str | None = None
) -> socket.socket:
    """Return a connection to the host of a URL, for https with TLS and the same verification as all other requests.

    Args:
        url: of a proxy.
        verify: as for HttpClient.
        timeout: seconds for the connection, and for each read after it. Their sum limits the time to establish the
            connection, including the answer of a web proxy.
        http_proxy: URL of the web proxy to use.

    Raises:
        OSError: the connection could not be established.
    """
    address = urllib.parse.urlsplit(url)
    host, port = address.hostname or "", address.port or (443 if address.scheme == "https" else 80)
    way = urllib.parse.urlsplit(web_proxy(http_proxy)) if http_proxy else None
    first = (host, port) if way is None else (way.hostname or "", way.port or 80)
    connection = (
        http.client.HTTPSConnection(*first, timeout=timeout[0], context=_context(verify))
        if address.scheme == "https"
        else http.client.HTTPConnection(*first, timeout=timeout[0])
    )
    if way is not None:
        connection.set_tunnel(host, port)
    # A web proxy can send its answer byte by byte.
    with contextlib.closing(Deadline(0.0, sum(timeout))) as deadline:
        deadline.watch(connection)
        try:
            connection.connect()
        except (http.client.HTTPException, OSError) as exc:
            connection.close()
            if deadline.expired:
                raise TimeoutError("timed out") from None
            if isinstance(exc, OSError):
                raise
            raise ConnectionError(str(exc)) from None
    stream = t.cast("socket.socket", connection.sock)
    stream.settimeout(timeout[1])
    return stream


def _context(verify: bool | str) -> ssl.SSLContext:
    context = create_urllib3_context()
    if verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(certifi.where() if verify is True else verify)
    return context


def server_certificate(url: str, *, timeout: tuple[float, float], http_proxy: str | None = None) -> str | None:
    """Return the certificate that a server presents, in PEM format and not verified, None if there is none.

    Args:
        url: as for open_stream.
        timeout: as for open_stream.
        http_proxy: as for open_stream.
    """
    if not url.startswith("https:"):
        return None
    try:
        with open_stream(url, verify=False, timeout=timeout, http_proxy=http_proxy) as stream:
            shown = t.cast("ssl.SSLSocket", stream).getpeercert(binary_form=True)
    except (OSError, ValueError):  # already reported by the checks
        return None
    return ssl.DER_cert_to_PEM_cert(shown) if shown else None
