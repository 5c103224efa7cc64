# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import socketserver
import threading
import typing as t

import pytest

from ansible_collections.sensible.qlik.plugins.module_utils._errors import InputError
from ansible_collections.sensible.qlik.plugins.module_utils._http.stream import open_stream, server_certificate
from ansible_collections.sensible.qlik.plugins.module_utils._identifiers import web_proxy


@pytest.fixture
def dripping() -> t.Iterator[str]:
    """Yield the URL of a web proxy that sends a header byte by byte until the client disconnects."""
    ended = threading.Event()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                self.request.sendall(b"HTTP/1.1 200 OK\r\nX: ")
                while not ended.wait(0.05):
                    self.request.sendall(b"x")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        ended.set()
        server.shutdown()


def test_a_byte_by_byte_web_proxy_ends_at_the_deadline(dripping: str) -> None:
    with pytest.raises(TimeoutError):
        open_stream("https://qlik.invalid", verify=False, timeout=(0.2, 0.2), http_proxy=dripping)
    assert server_certificate("https://qlik.invalid", timeout=(0.2, 0.2), http_proxy=dripping) is None


@pytest.mark.parametrize(
    "given",
    ["proxy.example.com:3128", "https://proxy.example.com", "http://", "http://u:hidden@a", "http://a?b", "http://a:"],
)
def test_invalid_web_proxies_are_refused_and_not_quoted(given: str) -> None:
    with pytest.raises(InputError) as error:
        web_proxy(given)
    assert "not the URL of a web proxy" in str(error.value)
    assert "hidden" not in str(error.value)


def test_blanks_around_a_web_proxy_are_removed() -> None:
    assert web_proxy(" http://Proxy.example.com:3128/ ") == "http://Proxy.example.com:3128"
