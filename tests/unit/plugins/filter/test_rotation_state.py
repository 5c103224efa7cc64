# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.sensible.qlik.plugins.filter.rotation_state import rotation_state


def one(prefix: str, description: str = "The portal", **more: t.Any) -> dict[str, t.Any]:
    return {
        "id": f"id of {prefix}",
        "prefix": prefix,
        "description": description,
        "session_cookie_header_name": f"cookie of {prefix}",
        "jwt_public_key_certificate": f"certificate of {prefix}",
        "certificate": {"days_left": 20},
        "session_inactivity_timeout": 17,
        "proxies": ["Central"],
        **more,
    }


def summary(*virtual_proxies: dict[str, t.Any], name: str = "portal") -> tuple[str, str, str, str, str]:
    state = rotation_state(virtual_proxies, name)
    new = state["new"].get("prefix", "")
    return state["phase"], state["current"]["prefix"], state["old"]["prefix"], new, state["wanted"]["prefix"]


def test_the_way_of_a_rotation_and_the_next_one() -> None:
    assert summary(one("portal")) == ("idle", "portal", "portal", "", "portal-2")
    second = one("portal-2", "The portal [replaces portal]")
    assert summary(one("portal"), second) == ("published", "portal", "portal", "portal-2", "portal-2")
    noted = one("portal", "The portal [replaced 2026-11-25T01:06:00Z]")
    assert summary(noted, second) == ("switched", "portal-2", "portal", "portal-2", "portal-2")
    assert summary(second) == ("idle", "portal-2", "portal-2", "", "portal-3")
    third = one("portal-3", "The portal [replaces portal-2]")
    assert summary(second, third) == ("published", "portal-2", "portal-2", "portal-3", "portal-3")
    assert summary(third, one("other"), one("portal-extra")) == ("idle", "portal-3", "portal-3", "", "portal-4")


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        (["Central", "Rim1"], ["Central"], ["Central", "Rim1"]),  # interrupted while the new one was linked
        (["Rim1"], ["Central", "Rim1"], ["Rim1", "Central"]),  # interrupted while the old one was unlinked
        ([], ["Central", "Rim1"], ["Central", "Rim1"]),  # interrupted before the old one was deleted
    ],
)
def test_no_run_unlinks_the_new_one_where_the_old_one_is_not_linked_any_more(
    old: list[str], new: list[str], wanted: list[str]
) -> None:
    site = [one("portal", proxies=old), one("portal-2", "x [replaces portal]", proxies=new)]
    assert rotation_state(site, "portal")["wanted"]["proxies"] == wanted


def test_what_the_new_one_has_to_be() -> None:
    old = one("portal-2", "The portal [replaces portal] [replaced 2026-11-25T01:06:00Z]")
    state = rotation_state([old, one("portal-3", "x [replaces portal-2]")], "Portal")
    assert state["wanted"] == {
        "prefix": "portal-3",
        "description": "The portal [replaces portal-2]",
        "session_cookie_header_name": "X-Qlik-Session-portal-3",
        "session_inactivity_timeout": 17,
        "proxies": ["Central"],
    }
    assert state["switched_at"] == 1795568760
    assert state["description"] == "The portal"
    assert rotation_state([one("portal", "")], "portal")["wanted"]["description"] == "[replaces portal]"


def test_a_number_alone_means_nothing() -> None:
    """Who has a portal and another virtual proxy portal-2 must not lose either."""
    unrelated = one("portal-2", "Another portal")
    assert summary(one("portal"), unrelated) == ("idle", "portal", "portal", "", "portal-3")
    third = one("portal-3", "The portal [replaces portal]")
    assert summary(one("portal"), unrelated, third) == ("published", "portal", "portal", "portal-3", "portal-3")
    assert summary(unrelated, third) == ("idle", "portal-3", "portal-3", "", "portal-4")
    assert summary(unrelated, third, name="portal-2") == ("idle", "portal-2", "portal-2", "", "portal-2-2")
    assert summary(unrelated) == ("idle", "portal-2", "portal-2", "", "portal-3")


def test_a_note_that_cannot_be_one_counts_as_none() -> None:
    assert summary(one("portal"), one("portal-2", "[replaces ../portal]"), name="portal-2")[0] == "idle"
    switched = [one("portal", "[replaced 2026-13-45T01:06:00Z]"), one("portal-2", "[replaces portal]")]
    assert rotation_state(switched, "portal")["switched_at"] == 0


def test_a_name_that_cannot_be_a_prefix_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="name is 'a/b', which holds '/'"):
        rotation_state([one("portal")], "a/b")


def test_notes_are_read_only_where_they_can_be_meant() -> None:
    assert summary(one("portal"), one("portal-01", "[replaces portal]"))[0] == "idle"
    assert summary(one("portal"), one("portal-2", "[replaces other]"))[1] == "portal-2"
    assert summary(one("portal", "[replaced 2026-11-25T01:06:00Z]"))[0] == "idle"
    assert summary(one("portal"), one("portal-2", None))[0] == "idle"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("virtual_proxies", "says"),
    [
        ([], "no JWT virtual proxy with the prefix portal"),
        ([one("other")], "no JWT virtual proxy with the prefix portal"),
        ([one("portal-2"), one("portal-3")], "which of these is in use: portal-2, portal-3"),
        (
            [one("portal"), one("portal-2", "[replaces portal]"), one("portal-3", "[replaces portal]")],
            "More than one virtual proxy replaces another: portal-2, portal-3",
        ),
    ],
)
def test_doubt_is_an_error(virtual_proxies: list[dict[str, t.Any]], says: str) -> None:
    with pytest.raises(AnsibleFilterError, match=says):
        rotation_state(virtual_proxies, "portal")


@pytest.mark.parametrize(
    ("site", "replaced"),
    [
        ([one("portal-2", "x [replaces portal]")], "portal"),
        ([one("portal", "x"), one("portal-2", "x [replaces portal]")], ""),
        ([one("portal", "x")], ""),
    ],
)
def test_what_was_replaced_and_is_gone(site: list[dict[str, t.Any]], replaced: str) -> None:
    assert rotation_state(site, "portal")["replaced"] == replaced
