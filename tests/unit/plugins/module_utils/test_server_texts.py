# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.sensible.qlik.plugins.module_utils._errors import InputError
from ansible_collections.sensible.qlik.plugins.module_utils._http.failures import transport_error
from ansible_collections.sensible.qlik.plugins.module_utils._http.server_texts import (
    header_size,
    known_cause,
    page_text,
)
from ansible_collections.sensible.qlik.plugins.module_utils._text import sentences

SIZE = "The headers of the request have 20316 bytes. Qlik Sense (HTTP.sys) accepts 16384 in total, and front ends often"


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (400, "Bad Request - Request Too Long HTTP Error 400. The size of the request headers is too long."),
        (400, "400 Request Header Or Cookie Too Large nginx"),
        (413, ""),
        (431, ""),
    ],
)
def test_the_size_of_long_headers_is_named(status: int, text: str) -> None:
    assert known_cause(status, text, header_bytes=20316).startswith(SIZE)


def test_the_size_of_long_headers_is_named_if_the_connection_is_lost() -> None:
    lost = ConnectionResetError(104, "Connection reset by peer")
    assert transport_error(lost, "GET https://a", ca_option="ca_path", header_bytes=20316).hint.startswith(SIZE)
    assert "bytes" not in transport_error(lost, "GET https://a", ca_option="ca_path", header_bytes=400).hint


def test_the_size_of_headers_is_that_of_the_request() -> None:
    sent = b"GET /jwt/hub/ HTTP/1.1\r\nHost: a.example\r\nA: 1\r\n\r\n"
    assert header_size("GET", "https://a.example/jwt/hub/", [("A", "1")]) == len(sent)


def test_a_page_without_text_has_its_title() -> None:
    assert page_text("<html><head><title>Sign &amp; in</title><style>a {") == "Sign & in"
    assert page_text("<html><head><title>Sign in</title></head></html>") == "Sign in"


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        (("It is incorrect", "The virtual proxy"), "It is incorrect. The virtual proxy"),
        (("Done.", "", "Run: make"), "Done. Run: make"),
        (("Really?", " Yes. "), "Really? Yes."),
        ((), ""),
    ],
)
def test_sentences_do_not_run_together(parts: tuple[str, ...], text: str) -> None:
    assert sentences(*parts) == text


def test_message_and_hint_do_not_run_together() -> None:
    assert str(InputError("The text of a server", "Check the log.")) == "The text of a server. Check the log."
