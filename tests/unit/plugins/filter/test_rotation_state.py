# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.sensible.qlik.plugins.filter.rotation_state import rotation_state

ID = "0f5f9a1c-1b2d-4c3e-8f4a-5b6c7d8e9f00"
OTHER_ID = "77aa88bb-1b2d-4c3e-8f4a-5b6c7d8e9f00"
NOTE = "The portal [replaces portal 0f5f9a1c]"
SWITCHED = "The portal [replaced 2026-11-25T01:06:00Z]"


def one(prefix: str, description: str = "The portal", **more: t.Any) -> dict[str, t.Any]:
    return {
        "id": ID if prefix == "portal" else f"{prefix:_<12} as id",
        "prefix": prefix,
        "description": description,
        "session_cookie_header_name": f"X-Qlik-Session-{prefix}",
        "jwt_public_key_certificate": f"certificate of {prefix}",
        "certificate": {"days_left": 20},
        "session_inactivity_timeout": 17,
        "proxies": ["Central"],
        **more,
    }


def summary(*virtual_proxies: dict[str, t.Any], name: str = "portal") -> tuple[str, str, str, str, str]:
    state = rotation_state(virtual_proxies, name)
    old, new = (state[which].get("prefix", "") for which in ("old", "new"))
    return state["phase"], state["current"]["prefix"], old, new, state["wanted"]["prefix"]


def test_each_phase_of_a_rotation_is_recognized() -> None:
    assert summary(one("portal")) == ("idle", "portal", "portal", "", "portal-2")
    second = one("portal-2", NOTE)
    assert summary(one("portal"), second) == ("published", "portal", "portal", "portal-2", "portal-2")
    assert summary(one("portal", SWITCHED), second) == ("switched", "portal-2", "portal", "portal-2", "portal-2")
    assert summary(second) == ("retired", "portal-2", "", "portal-2", "portal-2")
    second = one("portal-2")
    assert summary(second) == ("idle", "portal-2", "portal-2", "", "portal-3")
    third = one("portal-3", "The portal [replaces portal-2 0f5f9a1c]")
    assert summary(one("portal-2", id=ID), third) == ("published", "portal-2", "portal-2", "portal-3", "portal-3")
    assert summary(one("portal-3"), one("other"), one("portal-extra")) == (
        "idle", "portal-3", "portal-3", "", "portal-4",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("site", "expected"),
    [
        # The old one, the new one, and both; the names may also have been swapped.
        ([one("kept", id=ID), one("portal-2", NOTE)], ("published", "kept", "kept", "portal-2", "portal-2")),
        (
            [one("kept", SWITCHED, id=ID.upper()), one("portal-2", NOTE)],
            ("switched", "portal-2", "kept", "portal-2", "portal-2"),
        ),
        ([one("portal"), one("shop", NOTE)], ("published", "portal", "portal", "shop", "shop")),
        ([one("kept", id=ID), one("shop", NOTE)], ("published", "kept", "kept", "shop", "shop")),
        (
            [one("portal", NOTE, id=OTHER_ID), one("portal-old", id=ID)],
            ("published", "portal-old", "portal-old", "portal", "portal"),
        ),
        # A note that was written by hand may have no id.
        ([one("portal"), one("shop", "[replaces portal]")], ("published", "portal", "portal", "shop", "shop")),
        ([one("kept", id=ID), one("shop", f"[replaces portal {ID}]")], ("published", "kept", "kept", "shop", "shop")),
        # The old one was deleted, or the new one was after the switch. Before the switch, nothing is lost.
        ([one("shop", NOTE)], ("retired", "shop", "", "shop", "shop")),
        ([one("portal", SWITCHED)], ("lost", "portal", "portal", "", "portal-2")),
        # Another virtual proxy with such a name is not part of the pair.
        (
            [one("portal"), one("portal-2"), one("portal-3", NOTE)],
            ("published", "portal", "portal", "portal-3", "portal-3"),
        ),
    ],
)
def test_renamed_or_deleted_virtual_proxies_are_recognized(
    site: list[dict[str, t.Any]], expected: tuple[str, ...]
) -> None:
    assert summary(*site) == expected
    assert summary(*reversed(site)) == expected


def test_a_renamed_virtual_proxy_keeps_its_files_and_cookie() -> None:
    cookies = [{"session_cookie_header_name": f"x-qlik-session-{prefix}"} for prefix in ("portal", "portal-2")]
    state = rotation_state([one("kept", id=ID, **cookies[0]), one("shop", NOTE, **cookies[1])], "portal")
    assert (state["old_name"], state["new_name"]) == ("portal", "portal-2")
    assert state["wanted"]["session_cookie_header_name"] == "x-qlik-session-portal-2"
    assert state["wanted"]["description"] == NOTE
    swapped = rotation_state([one("portal", **cookies[1])], "portal")
    assert (swapped["old_name"], swapped["new_name"], swapped["wanted"]["prefix"]) == (
        "portal-2",
        "portal-3",
        "portal-3",
    )
    assert rotation_state([one("portal", session_cookie_header_name="own")], "portal")["old_name"] == "portal"
    assert rotation_state([one("shop", NOTE)], "portal")["old_name"] == "portal"


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        (["Central", "Rim1"], ["Central"], ["Central", "Rim1"]),  # interrupted while the new one was linked
        (["Rim1"], ["Central", "Rim1"], ["Rim1", "Central"]),  # interrupted while the old one was unlinked
        ([], ["Central", "Rim1"], ["Central", "Rim1"]),  # interrupted before the old one was deleted
        ([], [], []),
    ],
)
def test_the_last_link_on_a_proxy_is_never_removed(old: list[str], new: list[str], wanted: list[str]) -> None:
    site = [one("portal", proxies=old), one("portal-2", NOTE, proxies=new)]
    assert rotation_state(site, "portal")["wanted"]["proxies"] == wanted


def test_wanted_has_the_settings_of_the_new_virtual_proxy() -> None:
    old = one("portal-2", SWITCHED, id=ID)
    state = rotation_state([old, one("portal-3", "x [replaces portal-2 0f5f9a1c]")], "Portal")
    assert state["wanted"] == {
        "prefix": "portal-3",
        "description": "The portal [replaces portal-2 0f5f9a1c]",
        "session_cookie_header_name": "X-Qlik-Session-portal-3",
        "session_inactivity_timeout": 17,
        "proxies": ["Central"],
    }
    assert state["switched_at"] == 1795568760
    assert state["description"] == "The portal"
    assert rotation_state([one("portal", "")], "portal")["wanted"]["description"] == "[replaces portal 0f5f9a1c]"


def test_unrelated_virtual_proxies_are_ignored() -> None:
    """The new prefix does not use their numbers, either."""
    site = [one("portal"), one("portal-2", NOTE), one("portal-7", session_cookie_header_name="X-Qlik-Session-portal-9")]
    state = rotation_state(site, "portal", unrelated=["Portal-2", "portal-7"])
    assert (state["phase"], state["wanted"]["prefix"]) == ("idle", "portal-10")
    assert summary(one("portal-2"), one("portal"), name="portal-2")[4] == "portal-2-2"


def test_invalid_note_is_ignored() -> None:
    assert summary(one("portal-2", "[replaces ../portal]"))[0] == "idle"
    assert summary(one("portal-2", "[replaces other 0f5f9a1c]"))[0] == "idle"
    assert summary(one("portal"), one("portal-01", NOTE, id="x"))[3] == "portal-01"
    switched = [one("portal", "[replaced 2026-13-45T01:06:00Z]"), one("portal-2", NOTE)]
    assert rotation_state(switched, "portal")["switched_at"] == 0


@pytest.mark.parametrize(
    ("prefix", "cookie"),
    [
        ("q; } server { listen 8099", "X-Qlik-Session-portal-2"),
        ("../../../etc/x", "X-Qlik-Session-portal-2"),
        ("portal-2", 'X"; } server {'),
    ],
)
def test_unsafe_prefix_or_cookie_name_is_refused(prefix: str, cookie: str) -> None:
    old = one("portal")
    new = one(prefix, f"The portal [replaces portal {old['id'][:8]}]", session_cookie_header_name=cookie)
    with pytest.raises(AnsibleFilterError, match=r"prefix|session_cookie_header_name"):
        rotation_state([old, new], "portal")


def test_invalid_name_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="name is 'a/b', which contains '/'"):
        rotation_state([one("portal")], "a/b")


@pytest.mark.parametrize(
    ("virtual_proxies", "message"),
    [
        ([], "no JWT virtual proxy with the prefix portal"),
        ([one("other")], "no JWT virtual proxy with the prefix portal"),
        (
            [one("portal-2"), one("portal-3")],
            "in use cannot be determined: portal-2 .id portal-2.*, portal-3 .id portal-3",
        ),
        # The note was removed by hand, or the virtual proxy is another one's; and a provisioned one with another id.
        (
            [one("portal"), one("portal-2", "")],
            r"in use cannot be determined: portal \(id 0f5f9a1c\), portal-2 .*key_rotation_unrelated",
        ),
        (
            [one("portal", SWITCHED), one("portal-2")],
            r"in use cannot be determined: portal \(id 0f.*, portal-2 .*\[replaces PREFIX ID\]",
        ),
        (
            [one("portal", id=OTHER_ID), one("portal-2", NOTE)],
            r"\(id 77aa88bb\), portal-2 .*replaces portal 0f5f9a1c\)",
        ),
        ([one("portal"), one("portal-2", NOTE), one("portal-3", NOTE)], "More than one .*: portal-2 .*, portal-3 "),
        ([one("portal", "{{ 6 * 7 }}")], "The description of portal looks like a template"),
    ],
)
def test_ambiguous_state_is_refused(virtual_proxies: list[dict[str, t.Any]], message: str) -> None:
    with pytest.raises(AnsibleFilterError, match=message):
        rotation_state(virtual_proxies, "portal")


@pytest.mark.parametrize(
    ("site", "text"),
    [
        ([one("portal")], "No rotation is in progress, and portal is in use."),
        (
            [one("portal"), one("portal-2", NOTE)],
            "portal-2 is published beside portal, each with a key of its own.",
        ),
        (
            [one("portal", SWITCHED), one("portal-2", NOTE)],
            "Users were redirected from portal to portal-2, and each still has",
        ),
        (
            [one("portal-2", NOTE)],
            "portal-2 has replaced portal, which was removed. The next run completes the rotation",
        ),
        (
            [one("portal", SWITCHED)],
            "Users were redirected from portal to a virtual proxy that does not exist anymore, so only tokens",
        ),
    ],
)
def test_summary_describes_the_state(site: list[dict[str, t.Any]], text: str) -> None:
    assert rotation_state(site, "portal")["summary"].startswith(text)
