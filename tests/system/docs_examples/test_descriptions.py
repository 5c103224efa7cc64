# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The description of each option has the unit of a number, and what happens if the option is not set."""

from __future__ import annotations

import re
import typing as t

from documents import COLLECTION, Option, examples, options

UNIT = re.compile(r"\b(seconds|minutes|days|bytes|number|port)\b", re.IGNORECASE)
UNSET = re.compile(
    r"\b(default|required|not (set|managed|needed)|neither|instead of|no effect|empty|exactly one|without (it|this)|"
    r"not given)\b",
    re.IGNORECASE,
)
ANSIBLE = ("cache_connection", "keyed_groups.key", "keyed_groups.parent_group")
"""Options that an inventory plugin has from ansible-core."""


def incomplete(rule: re.Pattern[str], concerns: t.Callable[[Option], bool]) -> list[str]:
    """Return the options whose description does not follow a rule."""
    return [
        str(option)
        for option in options()
        if concerns(option) and not rule.search(option.text) and not str(option).endswith(ANSIBLE)
    ]


def test_a_number_has_a_unit() -> None:
    assert incomplete(UNIT, lambda option: option.type in ("int", "float")) == []


def test_an_option_without_a_default_describes_what_happens_without_it() -> None:
    assert incomplete(UNSET, lambda option: not option.required and option.default is None) == []


def test_environment_variables_in_the_documentation_exist() -> None:
    public = (COLLECTION / "tests/public_names.txt").read_text()
    known = set(re.findall(r"^environment (QLIK_SENSE_\w+)", public, re.MULTILINE))
    used = {name for example in examples() for name in re.findall(r"\bQLIK_SENSE_\w+", example.text)}
    assert used - known == set()
