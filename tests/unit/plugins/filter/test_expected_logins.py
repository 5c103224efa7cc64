# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.sensible.qlik.plugins.filter.expected_logins import FilterModule, expected_logins

SITE: dict[str, list[dict[str, t.Any]]] = {
    "nodes": [{"name": "Central"}, {"name": "Rim1", "proxy_enabled": True}, {"name": "Off", "proxy_enabled": False}],
    "proxies": [
        {"name": "Central", "host_name": "qlik1", "url": "https://qlik1"},
        {"name": "Rim1", "host_name": "qlik2", "url": "https://qlik2:8443"},
        {"name": "Off", "host_name": "qlik3", "url": "https://qlik3"},
    ],
}
PORTAL = {"prefix": "portal", "proxies": ["Central", "off"]}
EVERYWHERE = {"prefix": "all", "proxies": ["Central", "Rim1", "Off"]}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], {}),
        ({"central": "https://a.example.com", "Off": "https://b.example.com"}, {"Central": "https://a.example.com"}),
        ({"qlik2": "https://a", "Central": "https://b"}, {"Rim1": "https://a", "Central": "https://b"}),
        (
            ["https://QLIK1", "https://qlik2:443", "https://qlik3"],
            {"Central": "https://qlik1", "Rim1": "https://qlik2:443"},
        ),
        # A load balancer in front of two nodes.
        ({"Central": "https://a", "Rim1": "https://a"}, {"Central": "https://a", "Rim1": "https://a"}),
        # A node that was renamed: its address is still the same.
        ({"Old": "https://qlik1:8443"}, {"Central": "https://qlik1:8443"}),
    ],
)
def test_logins_are_expected_where_a_virtual_proxy_is_linked(given: t.Any, expected: t.Any) -> None:
    found = FilterModule().filters()["expected_logins"]([PORTAL], SITE, given)
    assert found == {
        "virtual_proxies": [{"prefix": "portal", "proxies": ["Central"]}],
        "proxy_urls": expected,
        "problem": "",
    }


def test_nodes_on_one_host_are_distinguished_by_port() -> None:
    hosts = [
        {**proxy, "host_name": "qlik", "url": f"https://qlik:{number}"}
        for number, proxy in enumerate(SITE["proxies"], 1)
    ]
    found = expected_logins([PORTAL], {**SITE, "proxies": hosts}, ["https://qlik:2", "https://qlik:1"])
    assert found["proxy_urls"] == {"Rim1": "https://qlik:2", "Central": "https://qlik:1"}


def test_unknown_hosts_are_accepted_if_all_proxies_are_linked() -> None:
    urls = ["https://www1.example.com", "https://www2.example.com", "https://qlik3"]
    found = expected_logins([EVERYWHERE], SITE, urls)
    assert found == {
        "virtual_proxies": [{"prefix": "all", "proxies": ["Central", "Rim1"]}],
        "proxy_urls": urls[:2],
        "problem": "",
    }


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (
            ["https://www1.example.com", "https://qlik2:8443"],
            "It is a list, and not all URLs have the host name of one node. Give a dictionary by node name.",
        ),
        (
            ["https://qlik1", "https://qlik1:8443"],
            "It is a list, and not all URLs have the host name of one node. Give a dictionary by node name.",
        ),
        ({"Rim1": "https://a"}, "It has no URL for the node 'Central', to which 'portal' is linked."),
    ],
)
def test_insufficient_urls_are_problems(given: t.Any, problem: str) -> None:
    assert expected_logins([PORTAL], SITE, given)["problem"] == problem


def test_invalid_urls_are_problems() -> None:
    assert "proxy_urls" in expected_logins([PORTAL], SITE, 7)["problem"]
