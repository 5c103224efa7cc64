# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Switches: what a site file may say."""

from __future__ import annotations

import re

import pytest

from qlik_sense_simulator.behaviors import SwitchError, Switches


def test_yaml_numbers_and_booleans_become_words() -> None:
    switches = Switches.from_mapping({"unknown_prefix": 404, "host_allow_list": False, "reload_seconds": 2})
    assert (switches.unknown_prefix, switches.host_allow_list, switches.reload_seconds) == ("404", "off", 2.0)
    assert Switches.from_mapping({}) == Switches()


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("unknown_prefix", 418, "400, 403, 404, 302"),
        ("unknown_prefix", None, "400, 403, 404, 302"),
        ("hub_redirect", "yes", "true, false"),
        ("hub_redirect", 1, "true, false"),
        ("reload_seconds", -1, "not negative"),
        ("reload_seconds", "soon", "not negative"),
        ("reload_seconds", True, "not negative"),
        ("reload_seconds", float("nan"), "not negative"),
        ("no_such_switch", True, "unknown_prefix"),
    ],
)
def test_unknown_names_and_values_are_refused_with_the_known_ones(name: str, value: object, hint: str) -> None:
    with pytest.raises(SwitchError, match=re.escape(hint)) as caught:
        Switches.from_mapping({name: value})
    assert name in str(caught.value)
