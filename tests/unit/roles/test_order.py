# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists keep their order in roles and playbooks.

The filters union, difference, intersect and symmetric_difference of ansible-core make sets of texts, whose order
differs from process to process (seen on 2.16, 2.18, 2.19 and 2.21). The filter unique, + and reject keep the order.
"""

from __future__ import annotations

import pathlib
import re

import pytest

COLLECTION = pathlib.Path(__file__).parents[3]
UNORDERED = re.compile(r"\|\s*(?:ansible\.builtin\.)?(union|difference|intersect|symmetric_difference)\b")
FILES = [
    file.relative_to(COLLECTION)
    for folder in ("roles", "playbooks")
    for file in sorted((COLLECTION / folder).rglob("*"))
    if file.suffix in (".yml", ".j2")
]


@pytest.mark.parametrize("file", FILES, ids=str)
def test_no_role_uses_a_filter_without_order(file: pathlib.Path) -> None:
    assert UNORDERED.findall((COLLECTION / file).read_text()) == []


def test_filters_without_order_are_found() -> None:
    assert len(FILES) > 50
    assert UNORDERED.findall("{{ one\n  | difference(two) |union(three) }}") == ["difference", "union"]
