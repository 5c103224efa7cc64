# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.sensible.qlik.plugins.filter.restored import FilterModule, restored


def named(**ids: str) -> list[dict[str, str]]:
    return [{"id": identity, "name": name} for identity, name in ids.items()]


SITE = {"nodes": named(n1="Main", n2="Rim1", n4="Rim3"), "proxies": named(p1="Main", p2="Rim1", p4="Rim3")}
SNAPSHOT: dict[str, t.Any] = {
    "virtual_proxies": [
        {"id": "A1", "prefix": "portal", "load_balancing_server_nodes": ["central", "Rim1"], "proxies": ["Central"]},
        {"prefix": "embedded", "state": "absent"},
    ],
    # Rim3 has another id today, because it was installed again.
    "nodes": named(n1="Central", n2="Rim1", n3="Rim3"),
    "proxies": named(p1="Central", p2="Rim1", p3="Rim3"),
}
EMBEDDED = {"prefix": "embedded", "state": "absent"}
PORTAL = {"id": "a1", "prefix": "portal"}


def portal(**values: t.Any) -> dict[str, t.Any]:
    """Return the virtual proxy portal as expected after the restoration."""
    lists = {"load_balancing_server_nodes": ["Main", "Rim1"], "proxies": ["Main"]}
    return {"id": "A1", "prefix": "portal", **lists, **values}


@pytest.mark.parametrize(
    ("today", "expected", "notes"),
    [
        ([PORTAL], [portal(), EMBEDDED], []),
        ([{"id": "a9", "prefix": "portal"}], [portal(), EMBEDDED], []),
        (
            [{"id": "a1", "prefix": "portal-old"}, {"id": "a9", "prefix": "portal"}],
            [portal(prefix="portal-old"), EMBEDDED],
            ["The virtual proxy 'portal' was renamed to 'portal-old'."],
        ),
    ],
)
def test_virtual_proxies_and_nodes_are_found_by_id_then_by_name(
    today: list[dict[str, str]], expected: list[dict[str, t.Any]], notes: list[str]
) -> None:
    found = FilterModule().filters()["restored"]([SNAPSHOT], SITE, today)
    assert found == {"virtual_proxies": expected, "notes": notes, "problem": ""}


@pytest.mark.parametrize(
    ("today", "expected", "notes"),
    [
        ([{"id": "b1", "prefix": "embedded"}], [EMBEDDED], []),
        ([], [EMBEDDED], []),
        (
            [{"id": "b1", "prefix": "embedded-2"}],
            [{**EMBEDDED, "prefix": "embedded-2"}],
            ["The virtual proxy 'embedded' was renamed to 'embedded-2'."],
        ),
        (
            [{"id": "b9", "prefix": "embedded"}],
            [],
            ["The virtual proxy 'embedded' is not the one that the promotion created."],
        ),
    ],
)
def test_created_virtual_proxy_is_removed_by_id(
    today: list[dict[str, str]], expected: list[dict[str, t.Any]], notes: list[str]
) -> None:
    snapshot = {"virtual_proxies": [EMBEDDED], "created": {"embedded": "B1"}}
    found = restored([snapshot], SITE, today)
    assert found == {"virtual_proxies": expected, "notes": notes, "problem": ""}


def test_ambiguous_node_name_is_replaced_by_its_id() -> None:
    site = {"nodes": named(n1="Rim1", n2="rim1"), "proxies": SITE["proxies"]}
    [found, _absent] = restored([SNAPSHOT], site, [PORTAL])["virtual_proxies"]
    assert found["load_balancing_server_nodes"] == ["n1", "n2"]


def test_missing_nodes_are_a_problem_or_omitted() -> None:
    site = {"nodes": named(n1="Main"), "proxies": named(p1="Main")}
    sentence = "The site no longer has these nodes: 'Rim1' (portal)."
    assert restored([SNAPSHOT], site, [PORTAL])["problem"].startswith(f"{sentence} Add the nodes again")
    found = restored([SNAPSHOT], site, [PORTAL], skip_missing_nodes=True)
    assert found == {
        "virtual_proxies": [portal(load_balancing_server_nodes=["Main"]), EMBEDDED],
        "notes": [f"{sentence} They are omitted."],
        "problem": "",
    }


def test_deleted_virtual_proxies_are_a_problem_or_created_again() -> None:
    assert restored([SNAPSHOT], SITE, [])["problem"].startswith(
        "These virtual proxies have been deleted since: 'portal'. If a key rotation has replaced them, their old keys"
    )
    found = restored([SNAPSHOT], SITE, [], create_deleted=True)
    assert found == {"virtual_proxies": [portal(), EMBEDDED], "notes": [], "problem": ""}


@pytest.mark.parametrize(
    ("now", "restores"),
    [("AA", True), ("BB", True), ("CC", False), ("", False)],
    ids=["as before", "of the promotion", "replaced since", "unreadable"],
)
def test_certificates_that_were_replaced_since_are_kept(now: str, restores: bool) -> None:
    old = {**PORTAL, "jwt_public_key_certificate": "PEM", "certificate": {"fingerprint_sha256": "AA"}}
    snapshot = {**SNAPSHOT, "virtual_proxies": [old], "certificates": {"portal": ["BB"]}}
    today = {"id": "a1", "prefix": "shop", "certificate": {"fingerprint_sha256": now} if now else None}
    found = restored([snapshot], SITE, [today])
    assert ("jwt_public_key_certificate" in found["virtual_proxies"][0]) is restores
    renamed = "The virtual proxy 'portal' was renamed to 'shop'."
    note = "The certificate of 'shop' is not restored, because it was replaced since."
    assert found["notes"] == ([renamed] if restores else [renamed, note])


@pytest.mark.parametrize(
    ("old", "now", "expected"),
    [
        ("Portal [replaced 2026-11-28T10:00:00Z]", "Portal", "Portal"),
        ("Portal", "Other [replaces portal 0f5f9a1c]", "Portal [replaces portal 0f5f9a1c]"),
        ("", "[replaces portal 0f5f9a1c]", "[replaces portal 0f5f9a1c]"),
        (None, "Portal", None),
    ],
)
def test_notes_of_a_rotation_are_kept(old: str | None, now: str, expected: str | None) -> None:
    snapshot = {**SNAPSHOT, "virtual_proxies": [{**PORTAL, "description": old}]}
    found = restored([snapshot], SITE, [{**PORTAL, "description": now}])
    assert found["virtual_proxies"][0]["description"] == expected


def test_a_snapshot_of_another_site_is_refused() -> None:
    site = {"nodes": named(n8="Central", n9="Rim1"), "proxies": named(p8="Central", p9="Rim1")}
    assert "none of the proxies in the snapshot" in restored([SNAPSHOT], site, [])["problem"]


@pytest.mark.parametrize(
    ("prefixes", "expected"),
    [(["portal"], ["portal-old"]), (["portal-old"], ["portal-old"]), (["embedded"], ["embedded"]), ([], [])],
)
def test_only_requested_prefixes_are_restored(prefixes: list[str], expected: list[str]) -> None:
    today = [{"id": "a1", "prefix": "portal-old"}]
    found = restored([SNAPSHOT], SITE, today, prefixes=prefixes)["virtual_proxies"]
    assert [one["prefix"] for one in found] == expected


def test_first_snapshot_takes_precedence() -> None:
    later = {**SNAPSHOT, "virtual_proxies": [{"prefix": "embedded"}, {"prefix": "trial"}]}
    found = restored([SNAPSHOT, later], SITE, [], create_deleted=True)["virtual_proxies"]
    assert found == [portal(), EMBEDDED, {"prefix": "trial"}]
