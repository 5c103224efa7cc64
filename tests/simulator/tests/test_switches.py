# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The switches in a site file."""

from __future__ import annotations

import re

import pytest

from qlik_sense_simulator.behaviors import Switches
from qlik_sense_simulator.site import SiteError, parse_site


def switches(**values: object) -> Switches:
    """Return the switches that are read from a site file with these values."""
    return parse_site({"switches": values}).switches


def test_numbers_and_false_become_words() -> None:
    found = switches(unknown_prefix=404, host_allow_list=False, reload_seconds=2, record_limit=2.0)
    assert (found.unknown_prefix, found.host_allow_list) == ("404", "off")
    assert (found.reload_seconds, found.record_limit) == (2.0, 2)
    assert switches() == Switches()


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("unknown_prefix", 418, "one of 400, 403, 404, 302, not '418'"),
        ("unknown_prefix", None, "one of 400, 403, 404, 302, not None"),
        ("unknown_prefix", True, "one of 400, 403, 404, 302, not True"),
        ("hub_redirect", "yes", "true or false, not 'yes'"),
        ("hub_redirect", 1, "true or false, not 1"),
        ("reload_seconds", -1, "a number >= 0.0, not -1"),
        ("reload_seconds", "soon", "a number, not 'soon'"),
        ("reload_seconds", True, "a number, not True"),
        ("reload_seconds", float("nan"), "a number >= 0.0, not nan"),
        ("reload_seconds", float("inf"), "a number <= "),
        ("record_limit", -1, "an integer >= 0, not -1"),
        ("record_limit", float("inf"), "an integer, not inf"),
    ],
)
def test_value_that_is_not_allowed_is_refused(name: str, value: object, allowed: str) -> None:
    with pytest.raises(SiteError, match=re.escape(f"switches.{name} should be {allowed}")):
        switches(**{name: value})
