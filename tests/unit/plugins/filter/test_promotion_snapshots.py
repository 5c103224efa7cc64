# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.sensible.qlik.plugins.filter.promotion_snapshots import FilterModule

TEXT = """
# A comment
---
unfinished: ["portal"]
created: {"embedded": "b1"}
site: test
source: dev
certificates: {portal: [AB12]}
virtual_proxies:
- prefix: portal
  proxies: [Central]
- prefix: embedded
  state: absent
nodes: [{id: n1, name: Central}]
proxies: [{id: p1, name: Central}]
"""
PORTAL = {"prefix": "portal", "proxies": ["Central"]}
EMBEDDED = {"prefix": "embedded", "state": "absent"}
EMPTY = "It is empty, because the promotion was interrupted before the first write."
OTHER = "It is not a snapshot of a promotion."
CHANGED = "It is a snapshot of a promotion, but it was changed and cannot be read."

read = FilterModule().filters()["promotion_snapshots"]


def test_all_fields_of_a_snapshot_are_returned() -> None:
    assert read([TEXT], ["a.yml"]) == [
        {
            "path": "a.yml",
            "problem": "",
            "site": "test",
            "source": "dev",
            "unfinished": ["portal"],
            "created": {"embedded": "b1"},
            "certificates": {"portal": ["AB12"]},
            "virtual_proxies": [PORTAL, EMBEDDED],
            "nodes": [{"id": "n1", "name": "Central"}],
            "proxies": [{"id": "p1", "name": "Central"}],
        }
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", EMPTY),
        (" \n", EMPTY),
        (None, "It cannot be read."),
        ("[", OTHER),
        ("- site: test", OTHER),
        ("site: [test]", OTHER),
        ("{site: test, unfinished: portal}", CHANGED),
        ("{site: test, created: []}", CHANGED),
        ("{site: test, virtual_proxies: [portal]}", CHANGED),
        ("{site: test, nodes: [{id: n1}]}", CHANGED),
        ("{site: test, proxies: [{id: [1], name: A}]}", CHANGED),
        ("{site: test, nodes: [{id: n1, name: 5}]}", CHANGED),
        ("{site: test, unfinished: [5]}", CHANGED),
        ("{site: test, created: {portal: 5}}", CHANGED),
        ("{site: test, certificates: []}", CHANGED),
        ("{site: test, certificates: {portal: AB12}}", CHANGED),
        ("{site: test, virtual_proxies: [{prefix: portal, proxies: null}]}", CHANGED),
        ("{site: test, virtual_proxies: [{prefix: portal, allow_non_jwt: true}]}", CHANGED),
    ],
)
def test_invalid_snapshot_has_only_a_problem(text: t.Any, problem: str) -> None:
    [found] = read([text], ["a.yml"])
    assert (found["problem"], found["site"], found["virtual_proxies"]) == (problem, "", [])


@pytest.mark.parametrize(
    ("replaced", "host", "proxy", "found"),
    [
        ("", "test", "p1", 1),
        ("", "prod", "p1", 0),
        ("", "test", "p2", 0),  # another site, of an inventory with the same name
        ('["portal"]', "test", "p1", 0),  # finished
        ("proxies: [{id: p1, name: Central}]", "test", "p2", 0),  # the site is not known
    ],
)
def test_only_unfinished_snapshots_of_the_site_are_returned(replaced: str, host: str, proxy: str, found: int) -> None:
    text = TEXT.replace(replaced, "[]" if replaced.startswith("[") else "") if replaced else TEXT
    unfinished = read([text, ""], ["a.yml", "b.yml"], host=host, site={"proxies": [{"id": proxy}]})
    assert [one["virtual_proxies"] for one in unfinished] == [[PORTAL]] * found
