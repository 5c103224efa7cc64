# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kill a run that follows an identity provider before each of its requests, and start it again.

Modules and filter are those of the role follow_jwks, in its order; the role itself is too slow for so many runs.
"""

from __future__ import annotations

import json
import types
import typing as t

import pytest
from conftest import BreakableSite, Document

from ansible_collections.sensible.qlik.plugins.filter.jwks_slots import jwks_slots
from ansible_collections.sensible.qlik.plugins.modules import jwks_info, jwt_virtual_proxies, virtual_proxy_info
from ansible_collections.sensible.qlik.tests.unit.plugins import key_sets
from ansible_collections.sensible.qlik.tests.unit.plugins.module_arguments import patch_module_args

OTHERS = {"other": ["Central", "Rim1"]}
TEMPLATE = {"load_balancing_server_nodes": ["Central"], "proxies": ["Central", "Rim1"]}
LIMIT = 3
# a and d disappear, and one of them at once, because c needs its room.
BEFORE, AFTER = "abd", "bc"
# Of a run from the one to the other: room is made (unlinked twice, removed), a slot is made, another one gets its note,
# and two proxies get their links. Each of the two tasks that write reads first.
REQUESTS = ["GET", "GET", "GET", "GET", "PUT", "PUT", "DELETE", "GET", "GET", "POST", "PUT", "PUT", "PUT"]


class KilledError(Exception):
    """A task has failed, so that the role has ended."""


class Follower:
    """The steps of the role.

    Args:
        site: the site of the slots.
        capfd: captures the output of the modules.
    """

    def __init__(self, site: BreakableSite, capfd: pytest.CaptureFixture[str]) -> None:
        self._site = site
        self._capfd = capfd

    def _task(self, module: types.ModuleType, **options: t.Any) -> dict[str, t.Any]:
        self._capfd.readouterr()
        with patch_module_args(options), pytest.raises(SystemExit):
            module.main()
        result: dict[str, t.Any] = json.loads(self._capfd.readouterr().out)
        if result.get("failed"):
            raise KilledError(result["msg"])
        return result

    def run(self, published: str) -> dict[str, t.Any]:
        """Follow a provider that publishes these keys, and return the result of the filter."""
        connection = {**self._site.connection, "retries": 0}
        keys = [key_sets.keycloak(key_sets.key(ord(kid)), kid) for kid in published]
        provider = self._task(jwks_info, jwks={"keys": keys})
        found = self._task(virtual_proxy_info, **connection)
        plan = jwks_slots(
            provider["public_keys"], found["virtual_proxies"], prefix="idp", template=TEMPLATE, limit=LIMIT
        )
        for part in ("make_room", "virtual_proxies"):
            if plan[part]:
                self._task(jwt_virtual_proxies, **connection, virtual_proxies=plan[part])
        return plan


@pytest.fixture
def follower(site: BreakableSite, capfd: pytest.CaptureFixture[str]) -> Follower:
    site.reset(OTHERS)
    follower = Follower(site, capfd)
    follower.run(BEFORE)
    return follower


def linked(document: Document, prefix: str) -> list[str]:
    return [name for name, settings in document["proxies"].items() if prefix in settings["virtualProxies"]]


def test_a_run_sends_the_expected_requests(site: BreakableSite, follower: Follower) -> None:
    start = len(site.requests())
    follower.run(AFTER)
    # In which order a slot is made and another is changed depends on their names, which come from the keys.
    assert sorted(method for method, _path in site.requests()[start:]) == sorted(REQUESTS)
    start = len(site.requests())
    assert follower.run(AFTER)["differs"] is False
    assert [method for method, _path in site.requests()[start:]] == ["GET", "GET"]


@pytest.mark.parametrize("number", range(1, len(REQUESTS) + 1))
def test_next_run_finishes_after_each_kill(site: BreakableSite, follower: Follower, number: int) -> None:
    before = site.document()
    routes = follower.run(BEFORE)["routes"]
    site.break_({"nth": number, "times": 0, "action": "drop_before"})
    with pytest.raises(KilledError):
        follower.run(AFTER)
    site.break_()
    between = site.document()
    # Tokens of published keys are still accepted, and virtual proxies of others are unchanged.
    for prefix in (routes["b"], "other", ""):
        assert between["virtual_proxies"][prefix] == before["virtual_proxies"][prefix]
        assert linked(between, prefix) == linked(before, prefix)
    slots = [prefix for prefix in between["virtual_proxies"] if prefix.startswith("idp-")]
    assert len(slots) <= LIMIT

    plan = follower.run(AFTER)
    after = site.document()
    assert plan["unopened"] == []
    assert follower.run(AFTER)["differs"] is False
    for kid in AFTER:
        assert linked(after, plan["routes"][kid]) == ["Central", "Rim1"]
    assert len([prefix for prefix in after["virtual_proxies"] if prefix.startswith("idp-")]) == LIMIT
