# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.sensible.qlik.plugins.filter.linked_proxies import FilterModule, linked_proxies

NAMED = {"Central": "https://A.example.com/", "Rim1": "b.example.com:8443", "Rim2": "https://c.example.com"}
URLS = ["https://a.example.com", "https://b.example.com:8443", "https://c.example.com"]
BALANCED = {"Central": URLS[0], "Rim1": URLS[0], "Rim2": URLS[2]}


@pytest.mark.parametrize(
    ("proxies", "links", "expected"),
    [
        (NAMED, None, URLS),
        (NAMED, ["rim2", "CENTRAL"], [URLS[0], URLS[2]]),  # in the order of the proxies
        (NAMED, ["B.example.com"], [URLS[1]]),
        (NAMED, "Central, Rim1", URLS[:2]),
        (NAMED, ["Rim1", "rim1"], [URLS[1]]),
        (NAMED, [], []),
        (list(NAMED.values()), None, URLS),
        (list(NAMED.values()), [], URLS),
        ("a.example.com, https://b.example.com:8443", ["Rim1", "Rim2"], URLS[:2]),
        (["a.example.com"], ["Central", "Rim1"], URLS[:1]),
        (BALANCED, ["Rim1"], URLS[:1]),
        (BALANCED, ["Central", "Rim2"], [URLS[0], URLS[2]]),
        (BALANCED, ["Rim2"], [URLS[2]]),
        ([], None, []),
        ({}, ["Rim1"], []),
        ([], ["Rim1"], []),
    ],
)
def test_only_linked_proxies_are_selected_if_nodes_are_named(proxies: t.Any, links: t.Any, expected: list[str]) -> None:
    assert FilterModule().filters()["linked_proxies"](proxies, links) == expected


@pytest.mark.parametrize(
    ("proxies", "links", "message"),
    [
        (
            NAMED,
            ["Rim9"],
            "linked to the proxy of 'Rim9', for which 'proxy_urls' has no URL. Add it; there are URLs for: Central",
        ),
        ({"Central": "https://u:hidden@a.example.com"}, None, "Entry 1 of the option 'proxy_urls' is not the base URL"),
        (NAMED, {"Central": True}, "Give a list"),
        (
            URLS,
            ["Central", "Rim1"],
            "linked to the proxy of Central, Rim1 only. Give a dictionary of URLs by node name, such as {Central: ",
        ),
    ],
)
def test_wrong_input_is_refused_without_its_secrets(proxies: t.Any, links: t.Any, message: str) -> None:
    with pytest.raises(AnsibleFilterError) as error:
        linked_proxies(proxies, links)
    assert message in str(error.value)
    assert "hidden" not in str(error.value)


def test_message_names_the_variable_of_the_caller() -> None:
    with pytest.raises(AnsibleFilterError, match="for which 'qlik_proxy_urls' has no URL"):
        linked_proxies(NAMED, ["Rim9"], option="qlik_proxy_urls")
    with pytest.raises(AnsibleFilterError, match="qlik_proxy_urls is a list of 3 proxies"):
        linked_proxies(URLS, ["Central"], option="qlik_proxy_urls")
