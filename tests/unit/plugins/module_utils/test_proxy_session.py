# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time

import pytest

from ansible_collections.sensible.qlik.plugins.module_utils._login import proxy_session


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<html><head><title>x</title></head><body>a<b>c</b>&amp;d</body>", "a c &d"),
        ("a<SCRIPT src='x'>if (1 < 2) {</style>}</Script >b<header>c</header>", "a b c"),
        ("a<style>x", "a"),
        ("1 < 2 &#" + "9" * 5000 + "; &#65;", "1 < 2 ; A"),
        ("<p>a</p", "a</p"),
    ],
)
def test_the_text_of_a_page(page: str, text: str) -> None:
    assert " ".join(proxy_session._text_of_page(page).split()) == text


@pytest.mark.parametrize("part", ["<", "<script ", "<style></", "&", "</head"])
def test_open_tags_take_no_time(part: str) -> None:
    page = part * (250_000 // len(part))
    started = time.process_time()
    proxy_session._text_of_page(page)
    assert time.process_time() - started < 1


@pytest.mark.parametrize("date", ["", "x", "Mon, 01 Jan 2024 00:00:00 +99999999999999", "Mon, 99 Jan 2024 00:00:00 +0"])
def test_a_date_that_is_not_valid(date: str) -> None:
    assert proxy_session._server_time(date) is None
