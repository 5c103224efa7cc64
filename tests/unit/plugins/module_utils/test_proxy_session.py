# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.sensible.qlik.plugins.module_utils._http.server_texts import page_text
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
def test_text_of_a_page_has_no_tags_and_scripts(page: str, text: str) -> None:
    assert page_text(page) == text


@pytest.mark.parametrize("date", ["", "x", "Mon, 01 Jan 2024 00:00:00 +99999999999999", "Mon, 99 Jan 2024 00:00:00 +0"])
def test_date_that_is_not_valid_is_ignored(date: str) -> None:
    assert proxy_session._server_time(date) is None
