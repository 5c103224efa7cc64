# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleError

from ansible_collections.sensible.qlik.plugins.filter.drift import FilterModule

drift = FilterModule().filters()["drift"]


def found_entry(prefix: str, *, days_left: int = 300, tags: tuple[str, ...] = ()) -> dict[str, t.Any]:
    """Return a virtual proxy as virtual_proxy_info returns it."""
    certificate = {"subject": f"CN={prefix}", "not_after": "2027-11-01T00:00:00Z", "days_left": days_left}
    return {"prefix": prefix, "tags": list(tags), "certificate": certificate}


def site(
    outcomes: dict[str, str], *found: dict[str, t.Any], diff: t.Sequence[t.Any] = (), **more: t.Any
) -> dict[str, t.Any]:
    """Return a site as the role passes it."""
    entries = [{"prefix": prefix, "outcome": outcome, "writes": []} for prefix, outcome in outcomes.items()]
    return {"checked": {"outcomes": entries, "diff": list(diff)}, "found": list(found), **more}


def change(before: dict[str, t.Any], after: dict[str, t.Any]) -> dict[str, t.Any]:
    return {"before": before and {"prefix": "portal", **before}, "after": after and {"prefix": "portal", **after}}


def rows(report: dict[str, t.Any], number: int = 0) -> dict[str, str]:
    return {row["prefix"]: row["status"] for row in report["sites"][number]["virtual_proxies"]}


def test_sites_as_declared_pass() -> None:
    same = site({"portal": "unchanged", "trial": "unchanged"}, found_entry("portal"))
    assert drift({"dev": same})["summary"] == "The site is as declared."
    report = drift({"dev": same, "test": same})
    assert report["passed"]
    assert report["summary"] == "All 2 sites are as declared."
    assert report["prefixes"] == ["portal", "trial"]
    assert [one["status"] for one in report["sites"]] == ["same", "same"]
    assert rows(report) == {"portal": "same", "trial": "absent"}


def test_each_kind_of_drift_is_reported() -> None:
    outcomes = {"portal": "updated", "new": "created", "old": "deleted", "fine": "unchanged"}
    found = [found_entry("stray"), found_entry("portal"), found_entry("old"), found_entry("fine")]
    diff = [
        change(
            {"description": "A", "tags": ["x"], "proxies": ["Central"]},
            {"description": "B", "tags": ["x"], "proxies": []},
        ),
        {"before": {}, "after": {"prefix": "new"}},
        {"before": {"prefix": "old"}, "after": {}},
    ]
    report = drift({"dev": site(outcomes, *found, diff=diff)})
    assert rows(report) == {
        "portal": "differs", "new": "missing", "old": "unwanted", "fine": "same", "stray": "undeclared",
    }  # fmt: skip
    [portal, new, *_others] = report["sites"][0]["virtual_proxies"]
    assert portal["differences"] == [
        {"option": "description", "expected": "B", "actual": "A"},
        {"option": "proxies", "expected": [], "actual": ["Central"]},
    ]
    assert new["certificate"] is None
    assert not report["passed"]
    assert report["summary"] == "None of 1 site is as declared, 1 has drifted (4 virtual proxies)."
    assert report["prefixes"] == ["portal", "new", "old", "fine", "stray"]


@pytest.mark.parametrize(
    ("more", "passed"),
    [
        ({}, False),
        ({"undeclared_tag": "PORTAL"}, False),
        ({"undeclared_tag": "other"}, True),
    ],
)
def test_undeclared_entries_are_listed_and_count_on_request(more: dict[str, t.Any], passed: bool) -> None:
    report = drift({"dev": site({}, found_entry("stray", tags=("portal",)), **more)})
    assert rows(report) == {"stray": "undeclared"}
    assert report["passed"] is passed


def test_an_unreachable_site_does_not_stop_the_comparison() -> None:
    report = drift({"gone": {"error": "The connection was refused."}, "never": {}, "dev": site({}), "test": site({})})
    assert [one["status"] for one in report["sites"]] == ["unreadable", "unreadable", "same", "same"]
    assert report["sites"][0]["error"] == "The connection was refused."
    assert "before it was compared" in report["sites"][1]["error"]
    assert not report["passed"]
    assert report["summary"] == "2 of 4 sites are as declared, 2 could not be compared."


def test_certificates_are_sorted_by_expiry() -> None:
    sites = {
        "dev": site({"portal": "unchanged"}, found_entry("portal", days_left=30)),
        "test": site({"portal": "unchanged"}, found_entry("portal", days_left=29), found_entry("stray", days_left=-1)),
    }
    certificates = drift(sites, expires_within=30)["certificates"]
    assert [(one["site"], one["days_left"], one["soon"]) for one in certificates] == [
        ("test", -1, True), ("test", 29, True), ("dev", 30, False),
    ]  # fmt: skip


def test_converted_virtual_proxy_has_no_certificate() -> None:
    # virtual_proxy_info returns only those with JWT; the differences come from the module.
    diff = [change({"authentication_method": "saml"}, {"authentication_method": "jwt"})]
    report = drift({"dev": site({"portal": "updated"}, diff=diff)})
    [row] = report["sites"][0]["virtual_proxies"]
    assert row["differences"] == [{"option": "authentication_method", "expected": "jwt", "actual": "saml"}]
    assert row["certificate"] is None


@pytest.mark.parametrize("outcome", [{"checked": {}}, {"checked": {"outcomes": [{}], "diff": []}, "found": []}])
def test_other_input_is_refused_with_a_message(outcome: dict[str, t.Any]) -> None:
    with pytest.raises(AnsibleError, match="virtual_proxy_info"):
        drift({"dev": outcome})


def test_texts_of_a_site_are_made_printable() -> None:
    diff = [change({"description": "A\x1b[2J\x0b B\nC", "tags": ["\x00x"]}, {"description": "B", "tags": []})]
    report = drift({"dev": site({"portal": "updated"}, found_entry("portal"), found_entry("stray\x07"), diff=diff)})
    [portal, stray] = report["sites"][0]["virtual_proxies"]
    actual = {one["option"]: one["actual"] for one in portal["differences"]}
    assert actual == {"description": "A [2J  B\nC", "tags": [" x"]}
    assert stray["prefix"] == "stray "


def test_warnings_of_the_modules_are_returned_once() -> None:
    outcome = site({"portal": "unchanged"}, found_entry("portal"), warnings=["A\x1b.", "B."])
    outcome["checked"]["warnings"] = ["B."]
    assert drift({"dev": outcome})["sites"][0]["warnings"] == ["B.", "A ."]
