# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each option stands in an example."""

from __future__ import annotations

from documents import examples, options
from uses import used

WITHOUT: dict[str, str] = {}
"""Options without an example, and why."""


def test_each_option_has_an_example() -> None:
    uses = set().union(*map(used, examples()))
    exemplified = {
        option.text
        for option in options()
        if any((option.owner, (*option.path[:-1], name)) in uses for name in option.names)
    }
    # The same option of several plugins needs one example, not one with each of them.
    missing = sorted(str(option) for option in options() if option.text not in exemplified)
    assert missing == sorted(WITHOUT)
