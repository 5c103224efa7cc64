# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import functools
import itertools
import random
import typing as t
import urllib.parse

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.sensible.qlik.plugins.filter import jwks_slots as plugin
from ansible_collections.sensible.qlik.plugins.module_utils._keys import jwks as _jwks
from ansible_collections.sensible.qlik.plugins.module_utils._keys.ca import OwnCA
from ansible_collections.sensible.qlik.plugins.module_utils._keys.certificate import rsa_public_key
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy import convert
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy import jwks_plan as _slots
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy import plan as _plan
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy.model import Snapshot
from ansible_collections.sensible.qlik.plugins.modules import jwks_info
from ansible_collections.sensible.qlik.tests.unit.plugins import key_sets
from ansible_collections.sensible.qlik.tests.unit.plugins.key_sets import key, key_set, keycloak

START = datetime.datetime(2026, 11, 25, 1, tzinfo=datetime.UTC)
HOUR = 3600
TEMPLATE = {"description": "Tokens of Keycloak", "host_allow_list": ["portal.example.com"]}


def keys(*jwks: t.Any, ca: OwnCA | None = None) -> list[dict[str, t.Any]]:
    """Return the result of jwks_info for a key set."""
    return [jwks_info.to_result(one, ca.issue if ca else None) for one in _jwks.read(key_set(*jwks))]


def later(seconds: float) -> datetime.datetime:
    return START + datetime.timedelta(seconds=seconds)


class Site:
    """A site's virtual proxies, changed by the same writes that the module would make."""

    def __init__(self, limit: int = 8) -> None:
        self.entities: dict[str, dict[str, t.Any]] = {}
        self.limit = limit
        self.writes: list[str] = []

    def read(self) -> list[dict[str, t.Any]]:
        return [convert.to_result(one) for _prefix, one in sorted(self._snapshot().by_prefix.items())]

    def _snapshot(self) -> Snapshot:
        return convert.snapshot([*self.entities.values()], [])

    def plan(self, published: list[dict[str, t.Any]], now: float = 0, **options: t.Any) -> dict[str, t.Any]:
        options = {"prefix": "idp", "template": TEMPLATE, "limit": self.limit, "overlap": HOUR, **options}
        time = later(now).isoformat()
        return plugin.jwks_slots(published, self.read(), now=time, **options)

    def carry_out(self, plan: dict[str, t.Any], *, killed_after: int | None = None) -> None:
        for declared in (plan["make_room"], plan["virtual_proxies"]):
            normalized = [convert.from_options(one)[0] for one in declared]
            for write in _plan.make_plan(self._snapshot(), normalized, _plan.Rules()).writes:
                if killed_after is not None and (killed_after := killed_after - 1) < 0:
                    return
                if write.action == "delete":
                    del self.entities[write.subject]
                else:
                    assert write.body is not None
                    self.entities[write.subject] = {"id": write.subject, **write.body}
                self.writes.append(str(write).replace(" the virtual proxy", ""))
                assert sum("[kid" in one["description"] for one in self.entities.values()) <= self.limit

    def follow(self, published: list[dict[str, t.Any]], now: float = 0, **options: t.Any) -> dict[str, t.Any]:
        plan = self.plan(published, now, **options)
        self.carry_out(plan)
        again = self.plan(published, now, **options)
        assert not again["differs"]
        assert again["routes"] == plan["routes"]
        return plan


def slot(number: int) -> str:
    """Return the prefix of a key's slot, computed in another way."""
    thumbprint = keys(keycloak(key(number), "any"))[0]["thumbprint"]
    return f"idp-{_slots.slot_name(thumbprint)}"


def states(plan: dict[str, t.Any]) -> dict[str, str]:
    return {one["prefix"]: one["state"] for one in plan["slots"]}


A, B, C = (keycloak(key(number), kid) for number, kid in enumerate("abc"))


def test_slots_are_opened_kept_and_closed() -> None:
    site = Site()
    plan = site.follow(keys(A))
    assert plan["routes"] == {"a": slot(0)}
    assert states(plan) == {slot(0): "opened"}
    created = site.entities[slot(0)]
    assert created["description"] == "Tokens of Keycloak [kid a]"
    assert (
        created["sessionCookieHeaderName"]
        == f"X-Qlik-Session-{slot(0)}"
        == plan["slots"][0]["session_cookie_header_name"]
    )
    assert rsa_public_key(created["jwtPublicKeyCertificate"]) == key(0).public_key()

    plan = site.follow(keys(B, A), 60)
    assert plan["routes"] == {"a": slot(0), "b": slot(1)}
    assert states(plan) == {slot(0): "open", slot(1): "opened"}

    plan = site.follow(keys(B), 120)
    assert plan["routes"] == {"a": slot(0), "b": slot(1)}
    assert states(plan)[slot(0)] == "gone"
    assert site.entities[slot(0)]["description"] == "Tokens of Keycloak [kid a; gone since 2026-11-25T01:02:00Z]"
    assert next(one for one in plan["slots"] if one["prefix"] == slot(0))["closes_at"] == "2026-11-25T02:02:00Z"

    assert not site.plan(keys(B), 120 + HOUR - 1)["differs"]
    plan = site.follow(keys(B), 120 + HOUR)
    assert plan["routes"] == {"b": slot(1)}
    assert list(site.entities) == [slot(1)]
    assert site.writes == [f"create '{slot(0)}'", f"create '{slot(1)}'", f"update '{slot(0)}'", f"delete '{slot(0)}'"]


def test_republished_key_keeps_its_slot() -> None:
    site = Site()
    site.follow(keys(A, B))
    site.follow(keys(B), 60)
    plan = site.follow(keys(A, B), 120)
    assert states(plan) == {slot(0): "open", slot(1): "open"}
    assert site.entities[slot(0)]["description"].endswith("[kid a]")
    assert len(site.writes) == 4


@pytest.mark.parametrize("unknown", [[], keys(key_sets.elliptic("e")), keys(key_sets.okta(key(5), "no certificate"))])
def test_no_usable_key_changes_nothing(unknown: list[dict[str, t.Any]]) -> None:
    site = Site()
    site.follow(keys(A, B))
    before = site.follow(keys(B), 60)
    for now in (120, 10 * HOUR):
        plan = site.plan(unknown, now)
        assert not plan["differs"]
        assert not plan["keys_known"]
        assert plan["routes"] == before["routes"]
        assert states(plan) == {slot(0): "gone", slot(1): "open"}


def test_the_order_of_the_keys_is_ignored() -> None:
    plans = [Site().plan(keys(*order)) for order in itertools.permutations([A, B, C])]
    assert all(plan == plans[0] for plan in plans)


def test_the_oldest_withdrawn_slot_is_replaced_first() -> None:
    site = Site(limit=3)
    site.follow(keys(A, B, C))
    site.follow(keys(B, C), 60)
    site.follow(keys(C), 120)
    plan = site.follow(keys(C, keycloak(key(3), "d")), 180)
    assert states(plan) == {slot(0): "evicted", slot(1): "gone", slot(2): "open", slot(3): "opened"}
    assert [one["prefix"] for one in plan["make_room"]] == [slot(0)]
    assert plan["warnings"] == [f"The slot {slot(0)} is removed before the end of its overlap, because the limit is 3."]
    assert set(plan["routes"]) == {"b", "c", "d"}


def test_a_key_beyond_the_limit_replaces_no_published_key() -> None:
    site = Site(limit=2)
    site.follow(keys(C, A))
    plan = site.follow(keys(A, B, C), 60)
    assert plan["unopened"] == ["b"]
    assert set(plan["routes"]) == {"a", "c"}
    assert len(site.writes) == 2
    plan = site.follow(keys(A, B), 120)
    assert plan["unopened"] == []
    assert states(plan) == {slot(0): "open", slot(1): "opened", slot(2): "evicted"}


def test_a_lower_limit_removes_withdrawn_keys_only() -> None:
    site = Site()
    site.follow(keys(A, B, C))
    site.follow(keys(A, B), 60)
    plan = site.plan(keys(A, B), 61, limit=1)
    assert states(plan) == {slot(0): "open", slot(1): "open", slot(2): "evicted"}


def test_a_note_with_an_invalid_time_counts_from_now() -> None:
    site = Site()
    site.follow(keys(A, B))
    site.entities[slot(0)]["description"] = "Edited [kid a; gone since 2026-13-25T01:00:00Z]"
    site.follow(keys(B))
    assert site.entities[slot(0)]["description"] == "Tokens of Keycloak [kid a; gone since 2026-11-25T01:00:00Z]"


@pytest.mark.parametrize("odd", ["x\n", "x\r\ny", "\x1b[2J", "x\x00"])
def test_kids_with_line_breaks_get_no_route(odd: str) -> None:
    site = Site()
    site.follow(keys(A))
    site.entities[slot(0)]["description"] = f"Edited [kid a {urllib.parse.quote(odd)}]"
    assert site.plan(keys(A))["routes"] == {"a": slot(0)}
    [new] = keys(B)
    published = site.plan([*keys(A), {**new, "kid": odd}])
    assert published["routes"] == {"a": slot(0)}
    [warning] = published["warnings"]
    assert "No front end can route tokens by the kid '" in warning
    assert warning.isprintable()


@pytest.mark.parametrize(("kid", "warnings"), [("#1", 1), ("my key", 1), ("key#1", 0), ("a/b+c=", 0)])
def test_a_kid_with_a_blank_or_number_sign_causes_a_warning(kid: str, warnings: int) -> None:
    site = Site()
    [key] = keys(A)
    plan = site.plan([{**key, "kid": kid}])
    assert plan["routes"] == {kid: slot(0)}
    assert [f"The kid '{kid}' contains a blank or begins with '#'" in warning for warning in plan["warnings"]] == [
        True
    ] * warnings


def test_overlap_zero_closes_slots_at_once() -> None:
    site = Site()
    site.follow(keys(A, B), overlap=0)
    site.follow(keys(B), 60, overlap=0)
    assert site.writes[2:] == [f"delete '{slot(0)}'"]


def test_clock_set_back_restarts_the_overlap() -> None:
    site = Site()
    site.follow(keys(A, B))
    site.follow(keys(B), 60)
    assert not site.plan(keys(B), 60 - 240)["differs"]  # clocks may differ a little
    plan = site.follow(keys(B), -7200)
    assert "is in the future" in plan["warnings"][0]
    assert site.entities[slot(0)]["description"].endswith("gone since 2026-11-24T23:00:00Z]")
    assert states(site.follow(keys(B), -7200 + HOUR))[slot(0)] == "closed"


def test_drift_from_the_template_is_corrected_in_the_overlap() -> None:
    site = Site()
    site.follow(keys(A, B))
    site.follow(keys(B), 60)
    more = {**TEMPLATE, "host_allow_list": ["PORTAL.example.com", "other.example.com"]}
    site.follow(keys(B), 61, template=more)
    for entity in site.entities.values():
        assert sorted(map(str.lower, entity["websocketCrossOriginWhiteList"])) == [
            "other.example.com",
            "portal.example.com",
        ]
    site.entities[slot(1)]["description"] = "Edited"
    site.follow(keys(B), 62, template=more)
    assert site.entities[slot(1)]["description"] == "Tokens of Keycloak [kid b]"
    assert len(site.writes) == 6


def test_other_virtual_proxies_are_unchanged() -> None:
    site = Site()
    site.follow(keys(A))
    entity = site.entities[slot(0)]
    others = ["idp", "idp-portal", "idp-00000000000", "x-000000000000", "idp-00000000000g", "idp-000000000000"]
    for prefix in others:
        site.entities[prefix] = {**entity, "id": prefix, "prefix": prefix, "description": "Ours"}
        site.entities[prefix]["sessionCookieHeaderName"] = prefix
    plan = site.follow(keys(B), 10 * HOUR)
    site.follow(keys(B), 20 * HOUR)
    assert plan["warnings"] == [
        "The virtual proxy idp-000000000000 has no note of a slot in its description, so it is ignored."
    ]
    assert list(site.entities) == [*others, slot(1)]


def test_another_certificate_of_the_same_key_changes_nothing() -> None:
    site = Site()
    site.follow(keys(A))
    reissued = {**key_sets.numbers(key(0)), "kid": "a", **key_sets.x5c(key_sets.certificate(key(0), "reissued"))}
    assert not site.plan(keys(reissued))["differs"]
    ca_key = key(9)
    ca = OwnCA(key_sets.pem(key_sets.certificate(ca_key, "CA", ca=True)), key_sets.private_pem(ca_key))
    assert not site.plan(keys(key_sets.okta(key(0), "a"), ca=ca))["differs"]


def test_a_certificate_that_expires_soon_is_replaced_once() -> None:
    def with_days(days: int) -> dict[str, t.Any]:
        return {**key_sets.numbers(key(0)), "kid": "a", **key_sets.x5c(key_sets.certificate(key(0), days=days))}

    site = Site()
    site.follow(keys(with_days(20)))
    assert not site.plan(keys(with_days(19)))["differs"]
    site.follow(keys(with_days(25)))
    site.follow(keys(with_days(400)))
    assert len(site.writes) == 3


def test_a_certificate_of_another_key_is_replaced() -> None:
    site = Site()
    site.follow(keys(A))
    site.entities[slot(0)]["jwtPublicKeyCertificate"] = key_sets.pem(key_sets.certificate(key(1)))
    site.follow(keys(A))
    assert rsa_public_key(site.entities[slot(0)]["jwtPublicKeyCertificate"]) == key(0).public_key()


def test_kid_keeps_its_route_until_another_key_has_it() -> None:
    site = Site()
    odd = "a ];[%; kid é"
    plan = site.follow(keys(keycloak(key(0), odd), keycloak(key(0), "second")))
    assert plan["routes"] == {odd: slot(0), "second": slot(0)}
    assert len(plan["slots"]) == 1
    # A former kid keeps its route until another key has it.
    assert site.follow(keys(keycloak(key(0), "second")))["routes"] == {odd: slot(0), "second": slot(0)}
    plan = site.follow(keys(keycloak(key(0), "second"), keycloak(key(1), odd)))
    assert plan["routes"] == {odd: slot(1), "second": slot(0)}
    # A published key takes the kid of a withdrawn key.
    site.follow(keys(B), 60)
    assert site.plan(keys(B, keycloak(key(2), "second")), 61)["routes"]["second"] == slot(2)


@pytest.mark.parametrize("name", ["{{x}}", "{%x%}", "{#x#}"])
def test_texts_of_a_provider_are_not_templates(name: str) -> None:
    with pytest.raises(AnsibleFilterError, match="could evaluate as a template"):
        Site().plan(keys(A, keycloak(key(1), name)))
    site = Site()
    site.follow(keys(A, keycloak(key(1), "{x")))
    for prefix in (slot(0), slot(1)):
        site.entities[prefix]["description"] = f"Edited [kid {urllib.parse.quote(name)}]"
    plan = site.plan(keys({**A, "use": name}, B))
    assert "for signatures" in plan["warnings"][0]
    assert name[:2] not in str(plan)


def test_duplicate_kids_are_reported() -> None:
    plan = Site().follow(keys(keycloak(key(0), "a"), keycloak(key(1), "a")))
    assert plan["routes"]["a"] in (slot(0), slot(1))
    assert "Two published keys have the kid a" in plan["warnings"][0]


def test_a_published_key_that_becomes_unusable_keeps_its_slot() -> None:
    site = Site()
    site.follow(keys(A, B))
    plan = site.follow(keys(key_sets.okta(key(0), "a"), B), 60)
    assert states(plan)[slot(0)] == "open"
    assert "has no certificate" in plan["warnings"][0]
    assert len(site.writes) == 2


def test_two_keys_with_one_slot_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_slots, "slot_name", lambda _thumbprint: "0" * 12)
    with pytest.raises(AnsibleFilterError, match="Two keys would have the same slot idp-000000000000: a, b"):
        Site().plan(keys(A, B))


@pytest.mark.parametrize(
    ("options", "because"),
    [
        ({"template": {"prefix": "x"}}, "prefix, which differs for each slot"),
        ({"template": {"session_cookie_header_name": "x"}}, "session_cookie_header_name"),
        ({"template": {"color": "red"}}, "color"),
        ({"template": {"session_inactivity_timeout": "soon"}}, "session_inactivity_timeout"),
        ({"template": {"jwt_attribute_user_id": "iss"}}, "reserved"),
        ({"template": {"description": "x [kid a]"}}, "ends with a note"),
        ({"prefix": "a b"}, "letters, digits"),
        ({"overlap": -1}, "overlap is not a number"),
        ({"overlap": "1d"}, "overlap is not a number"),
        ({"limit": 0}, "limit is not a number"),
    ],
)
def test_invalid_input_is_refused(options: dict[str, t.Any], because: str) -> None:
    with pytest.raises(AnsibleFilterError, match=because):
        Site().plan(keys(A), **options)


@pytest.mark.parametrize("now", ["soon", "2026-11-25T01:00:00"])
def test_an_invalid_time_is_refused(now: str) -> None:
    with pytest.raises(AnsibleFilterError, match="now is not a time"):
        plugin.jwks_slots([], [], prefix="idp", now=now)


# ---- A provider that rotates 50 times

POLL = 300  # seconds between two runs
TOKENS_LIVE = 12 * POLL
ROTATIONS = 50


class Provider:
    """A provider that publishes a key before it signs with it, and withdraws the old key at once or later."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.signing = 0
        self.published = {0}
        self._events: dict[int, list[tuple[str, int]]] = {}
        tick = 0
        for number in range(1, ROTATIONS + 1):
            announced = tick + chance.randint(2, 6)
            signs = announced + chance.randint(6, 9)
            withdrawn = signs + chance.choice([0, 0, 1, 8])
            for when, event in ((announced, ("announce", number)), (signs, ("sign", number))):
                self._events.setdefault(when, []).append(event)
            self._events.setdefault(withdrawn, []).append(("withdraw", number - 1))
            tick = signs
        self.ticks = tick + 100

    def tick(self, tick: int) -> None:
        for event, number in self._events.get(tick, ()):
            if event == "announce":
                self.published.add(number)
            elif event == "withdraw":
                self.published.discard(number)
            else:
                self.signing = number

    def key_set(self) -> list[dict[str, t.Any]]:
        published = [described(number) for number in self.published]
        self.chance.shuffle(published)
        return published


@functools.cache
def described(number: int) -> dict[str, t.Any]:
    return keys(keycloak(key(number), f"kid-{number}"))[0]


key_of = functools.cache(rsa_public_key)


@pytest.mark.parametrize("seed", range(2))
def test_fifty_rotations_keep_all_tokens_valid(seed: int) -> None:
    chance = random.Random(seed)
    provider, site = Provider(chance), Site(limit=6)
    alive: list[tuple[int, int]] = []  # tokens as (number of the key, end)
    routes: dict[str, str] = {}  # the current routes of the front end
    failed, active = 0, set()
    for tick in range(provider.ticks):
        provider.tick(tick)
        active.add(len(provider.published))
        # A run, of which one in four gets no keys or is killed after some writes; never more than four in a row.
        fails = tick > 0 and failed < 4 and chance.random() < 0.4
        failed = failed + 1 if fails else 0
        published = [] if fails and chance.random() < 0.5 else provider.key_set()
        now = tick * POLL + chance.uniform(-20, 20)
        plan = site.plan(published, now, overlap=TOKENS_LIVE + 6 * POLL)
        if fails and published:
            site.carry_out(plan, killed_after=chance.randint(0, 2))
        else:
            site.carry_out(plan)
            routes = plan["routes"]
            assert not site.plan(published, now, overlap=TOKENS_LIVE + 6 * POLL)["differs"]
        alive = [one for one in alive if one[1] > tick * POLL] + [(provider.signing, tick * POLL + TOKENS_LIVE)]
        for number in {number for number, _end in alive}:
            held = site.entities[routes[f"kid-{number}"]]["jwtPublicKeyCertificate"]
            assert key_of(held) == key(number).public_key(), f"key {number} at {tick}"
    assert active == {1, 2, 3}
    assert list(site.entities) == [routes[f"kid-{ROTATIONS}"]]
    # One create for each key, one note and one removal for each but the last; nothing else was ever written.
    actions = [write.split()[0] for write in site.writes]
    counts = {action: actions.count(action) for action in ("create", "update", "delete")}
    assert counts == {"create": ROTATIONS + 1, "update": ROTATIONS, "delete": ROTATIONS}
