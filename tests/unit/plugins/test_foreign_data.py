# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Set each field of each entity of a site to null and other types, and remove it: no traceback may follow."""

from __future__ import annotations

import contextlib
import copy
import json
import typing as t
from unittest import mock

import pytest
from ansible.errors import AnsibleError
from ansible.inventory.data import InventoryData
from ansible.plugins.loader import inventory_loader

from ansible_collections.sensible.qlik.plugins.filter.drift import drift
from ansible_collections.sensible.qlik.plugins.filter.jwks_slots import jwks_slots
from ansible_collections.sensible.qlik.plugins.filter.promoted import promoted
from ansible_collections.sensible.qlik.plugins.filter.rotation_state import rotation_state
from ansible_collections.sensible.qlik.plugins.module_utils._errors import AnswerError, QlikError
from ansible_collections.sensible.qlik.plugins.module_utils._http.qrs import Answer
from ansible_collections.sensible.qlik.plugins.module_utils._repository.reconcile import Outcome, reconcile
from ansible_collections.sensible.qlik.plugins.module_utils._repository.site import read_site
from ansible_collections.sensible.qlik.plugins.module_utils._repository.snapshot import Repository
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy import convert
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy.plan import Rules
from qlik_sense_simulator.repository import documents
from qlik_sense_simulator.repository.seed import seed
from qlik_sense_simulator.repository.store import Store
from qlik_sense_simulator.site import parse_site

Path = tuple[str | int, ...]
REMOVED = object()
VALUES: dict[str, t.Any] = {
    "null": None,
    "removed": REMOVED,
    "number": 7,
    "text": "text",
    "list": [None, 7, "text", {}],
    "object": {"id": 7},
    "bool": True,
}
OTHERS = ["removed", "number", "text", "list", "object", "bool"]
TYPES = {
    "virtualproxyconfig": "VirtualProxyConfig",
    "proxyservice": "ProxyService",
    "servernodeconfiguration": "ServerNodeConfiguration",
    "tag": "Tag",
    "custompropertydefinition": "CustomPropertyDefinition",
}


class ForeignRepository:
    """Entities of the simulator, of which one has an unexpected value in one place of each answer.

    It accepts each write, also those that the simulator would refuse.
    """

    signs_in_through: str | None = None
    base = "https://qlik.example.com:4242"

    def __init__(self, entities: dict[str, t.Any], kind: str = "", path: Path = (), value: t.Any = None) -> None:
        self.entities = {kind: copy.copy(found) for kind, found in entities.items()}
        self.writes = 0
        self._kind, self._path, self._value = kind, path, value

    def close(self) -> None:
        """Nothing to close."""

    def request(self, method: str, path: str, *, query: t.Any = None, body: t.Any = None) -> Answer:
        kind, _slash, rest = path.partition("/")
        found = self.entities.get(kind)
        if found is None or rest.startswith("openapi"):
            raise AnswerError("The server answered 404.", "Check the port.", context=f"{method} {path}", status=404)
        if method == "GET" and rest in ("", "full", "count"):
            found = changed(found, self._path, self._value) if kind == self._kind else found
            return Answer(200, {"value": len(found)} if rest == "count" else found)
        index = next((number for number, one in enumerate(found) if one["id"] == rest), len(found))
        if index == len(found) and method != "POST":
            raise AnswerError("The server answered 404.", "Check the id.", context=f"{method} {path}", status=404)
        if method != "GET":
            self.writes += 1
        if method == "DELETE":
            del found[index]
            return Answer(204, None)
        if method == "POST":
            found.append({"id": f"00000000-0000-0000-0000-{len(found):012}", **body})
        elif method == "PUT":
            found[index] = {**found[index], **body}
        one = found[index]
        return Answer(200, changed(one, self._path[1:], self._value) if self._is_changed(kind, index) else one)

    def _is_changed(self, kind: str, index: int) -> bool:
        return kind == self._kind and self._path[:1] == (index,) and len(self._path) > 1


def changed(value: t.Any, path: Path, new: t.Any) -> t.Any:
    """Return a copy of a value with a new value in one place, or an equal copy if the place does not exist."""
    if not path or not isinstance(value, (dict, list)):
        return value
    key: t.Any = path[0]
    if key not in (value if isinstance(value, dict) else range(len(value))):
        return value
    copied: t.Any = copy.copy(value)
    if len(path) > 1:
        copied[key] = changed(value[key], path[1:], new)
    elif new is REMOVED:
        del copied[key]
    else:
        copied[key] = new
    return copied


@pytest.fixture(scope="module")
def entities(pem: str) -> dict[str, t.Any]:
    """Return all that the collection reads of a site with two nodes and two virtual proxies besides the default one."""
    one = {
        "description": "Portal [replaces old]",
        "authenticationMethod": 4,
        "jwtPublicKeyCertificate": pem,
        "jwtAttributeUserId": "userId",
        "jwtAttributeUserDirectory": "userDirectory",
        "jwtAttributeMap": [{"jwtAttribute": "groups", "senseAttribute": "group", "isMandatory": True}],
        "websocketCrossOriginWhiteList": ["portal.example.com"],
        "loadBalancingServerNodes": ["Central"],
        "tags": ["production"],
        "customProperties": {"Environment": "Test"},
        "proxies": ["Central", "Rim1"],
    }
    site = parse_site(
        {
            "virtual_proxies": [
                {**one, "prefix": "portal", "sessionCookieHeaderName": "X-Portal"},
                {**one, "prefix": "old", "sessionCookieHeaderName": "X-Old", "description": "Old"},
            ]
        }
    )
    store = Store(":memory:", release=site.release, switches=site.switches)
    try:
        seed(site, store)
        found: dict[str, t.Any] = {kind: store.all(name) for kind, name in TYPES.items()}
    finally:
        store.close()
    return {**found, "about": documents.about(site.release)}


def places(value: t.Any, path: Path = ()) -> t.Iterator[Path]:
    """Yield the place of each field, and of elements of lists, in a value. Of lists in entities, only the last one."""
    if isinstance(value, list):
        pairs: t.Any = list(enumerate(value))[0 if not path else -1 :]
    else:
        pairs = value.items() if isinstance(value, dict) else ()
    for key, below in pairs:
        yield (*path, key)
        yield from places(below, (*path, key))


class Operations:
    """Operations of the collection on a site. None may end with a traceback or a wrong value of changed.

    Args:
        entities: of the site.
        pem: a certificate for a new virtual proxy.
    """

    def __init__(self, entities: dict[str, t.Any], pem: str) -> None:
        self._entities = entities
        self._inventory = inventory_loader.get("sensible.qlik.site")
        self._inventory._path = "site.yml"
        options = {"hostname": "host_name", "group_prefix": "qlik_", "strict": False}
        self._inventory.get_option = lambda name: options.get(name, {} if name in ("compose", "groups") else [])
        self._inventory.display = mock.Mock()  # the one of Ansible is shared by all tests
        self._declared: list[dict[str, t.Any]] = [
            {
                "prefix": "portal",
                "session_inactivity_timeout": 7,
                "tags": ["embedding", "production"],
                "custom_properties": {"Environment": ["Test"], "Owner": ["Platform"]},
                "jwt_attribute_map": [{"jwt_attribute": "a", "sense_attribute": "b", "is_mandatory": False}],
                "websocket_cross_origin_white_list": ["other.example.com"],
                "load_balancing_server_nodes": ["Central", "Rim1"],
                "proxies": ["Rim1"],
            },
            {"prefix": "new", "jwt_public_key_certificate": pem, "tags": ["production"], "proxies": ["Central"]},
        ]

    def run(self, kind: str = "", path: Path = (), value: t.Any = None) -> None:
        """Do everything once."""
        change = (kind, path, value)
        self._read(ForeignRepository(self._entities, *change))
        for declared in (
            self._declared,
            [{"prefix": "old", "state": "absent"}],
            [{"prefix": "portal"}],
        ):
            self._reconcile(ForeignRepository(self._entities, *change), declared)
        for tag in (None, "production"):
            self._reconcile(ForeignRepository(self._entities, *change), self._declared[1:], purge=True, purge_tag=tag)

    def _reconcile(self, repository: ForeignRepository, declared: list[dict[str, t.Any]], **rules: t.Any) -> None:
        requested = [convert.from_options(one)[0] for one in declared]
        site = Repository(t.cast("t.Any", repository))
        predicted: Outcome | QlikError
        try:
            predicted = reconcile(site, requested, Rules(**rules), check_mode=True)
        except QlikError as error:
            predicted = error
        assert repository.writes == 0
        try:
            outcome = reconcile(site, requested, Rules(**rules))
        except QlikError as error:
            done = error.done
        else:
            done = outcome.writes
            assert isinstance(predicted, Outcome)
            assert outcome.writes == predicted.writes
            assert [change.after is None for change in outcome.changes] == [
                change.after is None for change in predicted.changes
            ]
            json.dumps([outcome.entries(), [convert.to_result(one) for one in outcome.virtual_proxies]])
            json.dumps([[convert.to_diff(one.before), convert.to_diff(one.after)] for one in outcome.changes])
        assert len(done) == repository.writes

    def _read(self, repository: ForeignRepository) -> None:
        site = Repository(t.cast("t.Any", repository))
        with contextlib.suppress(QlikError, AnsibleError):
            self._inventory._fill(InventoryData(), read_site(site))
        try:
            found = [convert.to_result(one) for one in site.read([], everything=True).by_prefix.values()]
        except QlikError:
            return
        json.dumps(found)
        jwt = [one for one in found if one.get("authentication_method") == "jwt"]
        outcomes = [{"prefix": one["prefix"], "outcome": "unchanged"} for one in jwt]
        for use in (
            lambda: drift({"site": {"checked": {"outcomes": outcomes, "diff": []}, "found": jwt}}),
            lambda: promoted(jwt, nodes={"*": "Central"}, target_suffix="-test", without=["old-test"]),
            lambda: rotation_state(jwt, "portal"),
            lambda: jwks_slots([], jwt, "portal"),
        ):
            with contextlib.suppress(AnsibleError):
                use()


@pytest.fixture(scope="module")
def operations(entities: dict[str, t.Any], pem: str) -> Operations:
    return Operations(entities, pem)


def test_a_valid_site_passes(entities: dict[str, t.Any], operations: Operations) -> None:
    repository = ForeignRepository(entities)
    operations._reconcile(repository, operations._declared)
    assert repository.writes == 3
    assert [one["prefix"] for one in repository.entities["virtualproxyconfig"]] == ["", "portal", "old", "new"]
    assert sum(1 for kind in entities for _place in places(entities[kind])) > 500


@pytest.mark.parametrize("kind", [*TYPES, "about"])
@pytest.mark.parametrize(
    "value", ["null", "in turn", *(pytest.param(one, marks=pytest.mark.nightly) for one in OTHERS)]
)
def test_unexpected_values_cause_no_traceback(
    entities: dict[str, t.Any], operations: Operations, kind: str, value: str
) -> None:
    failures = []
    for number, path in enumerate(places(entities[kind])):
        name = OTHERS[number % len(OTHERS)] if value == "in turn" else value
        try:
            operations.run(kind, path, VALUES[name])
        except Exception as error:
            failures.append(f"{path} {name}: {type(error).__name__}: {error}")
    assert failures == []
