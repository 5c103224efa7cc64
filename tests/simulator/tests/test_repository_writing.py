# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Create, update, link and delete, with all errors that a body can have."""

from __future__ import annotations

import datetime
import re
import typing as t
import uuid

import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from repository_client import XRFKEY, Client
from signing import certificate

from qlik_sense_simulator.repository.bodies import EMPTY_ID, LARGEST_BODY, parse_date

GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.fixture
def client() -> Client:
    return Client()


def later(date: str, **by: float) -> str:
    """Return a date some time after (or before) another."""
    return (datetime.datetime.fromisoformat(date) + datetime.timedelta(**by)).isoformat()


class TestCreate:
    def test_missing_fields_get_their_defaults(self, client: Client) -> None:
        body = {"prefix": "hdr", "description": "Test proxy", "sessionCookieHeaderName": "X-Qlik-Session-hdr"}
        answer = client.call("POST", "virtualproxyconfig", body)
        entity = answer.json()
        assert answer.status == 201
        assert answer.headers["content-type"] == "application/json; charset=utf-8"
        assert GUID.fullmatch(entity["id"])
        assert DATE.fullmatch(entity["createdDate"])
        assert entity["createdDate"] == entity["modifiedDate"]
        assert entity["modifiedByUserName"] == "INTERNAL\\sa_api"
        assert entity == client.get(f"virtualproxyconfig/{entity['id']}")
        # As in the example of Qlik's own help page, apart from ids and dates.
        assert (
            entity.items()
            >= {
                **body,
                "customProperties": [],
                "loadBalancingServerNodes": [],
                "authenticationMethod": 0,
                "headerAuthenticationMode": 0,
                "anonymousAccessMode": 0,
                "windowsAuthenticationEnabledDevicePattern": "Windows",
                "sessionCookieDomain": "",
                "additionalResponseHeaders": "",
                "sessionInactivityTimeout": 30,
                "extendedSecurityEnvironment": False,
                "websocketCrossOriginWhiteList": [],
                "defaultVirtualProxy": False,
                "tags": [],
                "samlEntityId": "",
            }.items()
        )

    def test_all_fields_are_stored(self, client: Client) -> None:
        node, tag = client.get("servernodeconfiguration")[0], client.get("tag")[0]
        [definition] = client.get("custompropertydefinition", filter="name eq 'Environment'")
        attributes = [{"jwtAttribute": "groups", "senseAttribute": "Group", "isMandatory": True}]
        entity = client.create_virtual_proxy(
            "jwt",
            authenticationMethod=4,
            jwtAttributeUserId="userId",
            jwtAttributeMap=attributes,
            loadBalancingServerNodes=[{"id": node["id"]}],
            tags=[{"id": tag["id"], "name": "ignored"}],
            customProperties=[{"value": "Test", "definition": {"id": definition["id"]}}],
            websocketCrossOriginWhiteList=["one.example.com", "two.example.com"],
        )
        assert entity["loadBalancingServerNodes"] == [node]
        assert entity["tags"] == [tag]
        [value] = entity["customProperties"]
        assert (value["value"], value["definition"]["name"]) == ("Test", "Environment")
        [item] = entity["jwtAttributeMap"]
        assert item.items() >= attributes[0].items()
        assert GUID.fullmatch(item["id"])

    @pytest.mark.parametrize(("method", "mode"), [(0, 0), (1, 1), (2, 2), (3, 0), (4, 0), (5, 0)])
    def test_header_mode_is_derived(self, client: Client, method: int, mode: int) -> None:
        entity = client.create_virtual_proxy(authenticationMethod=method, headerAuthenticationMode=3)
        assert entity["headerAuthenticationMode"] == mode

    def test_names_in_any_case_and_empty_id_are_accepted(self, client: Client) -> None:
        entity = client.create("virtualproxyconfig", Id=EMPTY_ID, Prefix="a", sessioncookieheadername="X-A")
        assert (entity["prefix"], entity["sessionCookieHeaderName"]) == ("a", "X-A")
        assert entity["id"] != EMPTY_ID

    def test_given_id_is_used(self, client: Client) -> None:
        own = str(uuid.uuid4())
        assert client.create_virtual_proxy(id=own.upper())["id"] == own
        assert client.call("POST", "tag", {"id": own, "name": "another type"}).status == 201
        answer = client.call("POST", "virtualproxyconfig", {"id": own, "prefix": "b", "sessionCookieHeaderName": "b"})
        assert answer.status == 400

    def test_second_default_virtual_proxy_is_not_created(self, client: Client) -> None:
        assert client.create_virtual_proxy(defaultVirtualProxy=True)["defaultVirtualProxy"] is False

    @pytest.mark.parametrize("status", [400, 409, 500])
    def test_duplicate_value_is_refused(self, status: int) -> None:
        client = Client({"switches": {"duplicate_status": status}})
        client.create_virtual_proxy("jwt")
        for body in (
            {"prefix": "jwt", "sessionCookieHeaderName": "X-Other"},
            {"prefix": "JWT", "sessionCookieHeaderName": "X-Other"},
            {"prefix": "other", "sessionCookieHeaderName": "x-qlik-session-JWT"},
            {"prefix": "", "sessionCookieHeaderName": "X-Other"},
            {"sessionCookieHeaderName": "X-Other"},
        ):
            assert client.call("POST", "virtualproxyconfig", body).status == status, body
        assert client.call("POST", "tag", {"name": "ANSIBLE"}).status == status
        assert client.get("virtualproxyconfig/count") == {"value": 2}

    @pytest.mark.parametrize(
        "body",
        [
            {"sessionCookieHeaderName": ""},
            {"sessionCookieHeaderName": None},
            {"sessionCookieHeaderName": "with blank"},
            {"prefix": "a b"},
            {"prefix": "/a"},
            {"prefix": "a/b"},
            {"prefix": "ä"},
            {"prefix": 1},
            {"prefix": ["a"]},
            {"description": {"en": "a"}},
            {"description": "NUL \0 inside"},
            {"description": "half a pair \ud800"},
            {"authenticationMethod": "JWT"},
            {"authenticationMethod": 6},
            {"authenticationMethod": -1},
            {"authenticationMethod": True},
            {"authenticationMethod": 4.0},
            {"sessionInactivityTimeout": 0},
            {"sessionInactivityTimeout": 2**31},
            {"sessionInactivityTimeout": "30"},
            {"hasSecureAttributeHttps": "true"},
            {"websocketCrossOriginWhiteList": "example.com"},
            {"websocketCrossOriginWhiteList": [1]},
            {"websocketCrossOriginWhiteList": [None]},
            {"tags": [{"id": str(uuid.uuid4())}]},
            {"tags": [{"id": "nonsense"}]},
            {"tags": [{"name": "ansible"}]},
            {"tags": ["ansible"]},
            {"tags": {}},
            {"loadBalancingServerNodes": [{"id": EMPTY_ID}]},
            {"jwtAttributeMap": [{"senseAttribute": "Group", "isMandatory": True}]},
            {"jwtAttributeMap": [{"jwtAttribute": "g", "senseAttribute": None, "isMandatory": True}]},
            {"jwtAttributeMap": [{"jwtAttribute": "g", "senseAttribute": "G", "isMandatory": 1}]},
            {"jwtAttributeMap": ["groups"]},
            {"customProperties": [{"value": "Test"}]},
            {"customProperties": [{"value": "Test", "definition": "Environment"}]},
            {"headerAuthenticationHeaderName": "X-Qlik-User"},
            {"headerAuthenticationHeaderName": "with blank"},
            {"modifiedDate": "yesterday"},
            {"createdDate": 5},
            {"id": "nonsense"},
        ],
    )
    def test_invalid_body_is_refused(self, client: Client, body: dict[str, t.Any]) -> None:
        answer = client.call("POST", "virtualproxyconfig", {"prefix": "x", "sessionCookieHeaderName": "X-X", **body})
        assert answer.status == 400
        assert answer.text
        assert "Traceback" not in answer.text
        assert client.get("virtualproxyconfig/count") == {"value": 1}

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"null",
            b"[]",
            b'"text"',
            b"17",
            b"@{prefix=jwt; description=jwt}",
            b'{"prefix": "jwt"',
            b'{"sessionInactivityTimeout": NaN}',
            b'{"prefix": "\xff"}',
            b"[" * 100_000,
            b'{"sessionInactivityTimeout": ' + b"9" * 10_000 + b"}",
        ],
    )
    @pytest.mark.parametrize("method", ["POST", "PUT"])
    def test_body_that_is_not_an_entity_is_refused(self, client: Client, method: str, body: bytes) -> None:
        path = "/qrs/virtualproxyconfig"
        if method == "PUT":
            path += f"/{client.get('virtualproxyconfig')[0]['id']}"
        answer = client.send(method, path, query=f"xrfkey={XRFKEY}", headers={"X-Qlik-Xrfkey": XRFKEY}, body=body)
        assert answer.status == 400

    def test_too_large_body_is_refused(self, client: Client) -> None:
        headers = {"X-Qlik-Xrfkey": XRFKEY}
        pieces = [b'{"description": "', *[b"x" * (LARGEST_BODY // 4)] * 5, b'"}']
        answer = client.send("POST", "/qrs/tag", query=f"xrfkey={XRFKEY}", headers=headers, body=pieces)
        assert answer.status == 413

    def test_chunks_and_byte_order_mark_are_accepted(self, client: Client) -> None:
        headers = {"X-Qlik-Xrfkey": XRFKEY, "Content-Type": "text/plain"}
        pieces = [b"\xef\xbb\xbf{", b'"name":', b' "new"}']
        answer = client.send("POST", "/qrs/tag", query=f"xrfkey={XRFKEY}", headers=headers, body=pieces)
        assert answer.status == 201

    def test_many_are_created_or_none(self, client: Client) -> None:
        answer = client.call("POST", "tag/many", [{"name": "one"}, {"name": "two", "id": EMPTY_ID}])
        assert [tag["name"] for tag in answer.json()] == ["one", "two"]
        assert client.call("POST", "tag/many", [{"name": "three"}, {"name": "THREE"}]).status == 400
        assert client.call("POST", "tag/many", {"name": "three"}).status == 400
        assert client.get("tag/count") == {"value": 5}

    def test_preview_returns_the_privilege(self, client: Client) -> None:
        assert client.call("POST", "tag/previewcreateprivilege", {}).json() is True
        user = "UserDirectory=EXAMPLE;UserId=anna"
        assert client.call("POST", "tag/previewcreateprivilege", {}, user=user).json() is False


PLAIN_VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
VALUES = st.recursive(
    PLAIN_VALUES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "value", "definition", "virtualProxies"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=examples(150), deadline=None)
@given(st.data())
def test_any_body_gets_a_response(data: st.DataObject) -> None:
    client = Client()
    path = data.draw(st.sampled_from(["virtualproxyconfig", "proxyservice", "user", "custompropertydefinition"]))
    before = client.get(f"{path}/full")
    entity = dict(before[0])
    names = st.sampled_from([*entity, "settings", "prefix", "nonsense"])
    changes = data.draw(st.dictionaries(names, VALUES, max_size=4))
    answer = client.call("PUT", f"{path}/{entity['id']}", {**entity, **changes})
    assert answer.status in (200, 400, 409)
    assert (client.get(f"{path}/full") == before) == (answer.status != 200)
    assert client.get("virtualproxyconfig/count") == {"value": 1}


class TestUpdate:
    def test_sent_fields_are_changed(self, client: Client) -> None:
        entity = client.create_virtual_proxy()
        answer = client.put("virtualproxyconfig", entity, description="new", id=entity["id"].upper())
        changed = answer.json()
        assert answer.status == 200
        assert changed["description"] == "new"
        assert changed["createdDate"] == entity["createdDate"]
        assert changed["modifiedDate"] > entity["modifiedDate"]
        own = {"description", "modifiedDate"}
        assert {name: changed[name] for name in changed if name not in own} == {
            name: entity[name] for name in entity if name not in own
        }

    def test_author_is_stored(self, client: Client) -> None:
        entity = client.create_virtual_proxy()
        user = "UserDirectory=example;UserId=ADMIN"
        changed = client.call("PUT", f"virtualproxyconfig/{entity['id']}", entity, user=user).json()
        assert changed["modifiedByUserName"] == "EXAMPLE\\admin"

    @pytest.mark.parametrize("by", [{"seconds": 0}, {"milliseconds": 1}, {"days": 400}, {"microseconds": 999}])
    def test_date_that_is_not_older_is_accepted(self, client: Client, by: dict[str, float]) -> None:
        entity = client.create_virtual_proxy()
        assert client.put("virtualproxyconfig", entity, modifiedDate=later(entity["modifiedDate"], **by)).status == 200

    @pytest.mark.parametrize("date", [{"milliseconds": -1}, {"hours": -1}, None])
    def test_old_or_missing_date_is_a_conflict(self, client: Client, date: dict[str, float] | None) -> None:
        entity = client.create_virtual_proxy()
        sent = None if date is None else later(entity["modifiedDate"], **date)
        answer = client.put("virtualproxyconfig", entity, modifiedDate=sent, description="lost")
        assert answer.status == 409
        assert client.get(f"virtualproxyconfig/{entity['id']}") == entity

    def test_second_writer_gets_a_conflict(self, client: Client) -> None:
        entity = client.create_virtual_proxy()
        assert client.put("virtualproxyconfig", entity, description="first").status == 200
        assert client.put("virtualproxyconfig", entity, description="second").status == 409

    def test_each_save_has_a_date_of_its_own(self, client: Client) -> None:
        entity = client.create_virtual_proxy()
        dates = [entity["modifiedDate"]]
        for _time in range(20):
            entity = client.put("virtualproxyconfig", entity).json()
            dates.append(entity["modifiedDate"])
        assert sorted(set(dates)) == dates

    def test_different_id_is_refused(self, client: Client) -> None:
        one, two = client.create_virtual_proxy("one"), client.create_virtual_proxy("two")
        path = f"virtualproxyconfig/{one['id']}"
        assert client.call("PUT", path, {**one, "id": two["id"]}).status == 400
        assert client.call("PUT", path, {name: one[name] for name in one if name != "id"}).status == 400
        assert client.call("PUT", f"virtualproxyconfig/{EMPTY_ID}", {**one, "id": EMPTY_ID}).status == 404

    def test_value_of_another_entity_is_refused(self, client: Client) -> None:
        client.create_virtual_proxy("one")
        two = client.create_virtual_proxy("two")
        assert client.put("virtualproxyconfig", two, prefix="one").status == 400
        assert client.put("virtualproxyconfig", two, sessionCookieHeaderName="X-QLIK-session-one").status == 400

    def test_items_keep_their_ids(self, client: Client) -> None:
        attributes = [{"jwtAttribute": name, "senseAttribute": name, "isMandatory": False} for name in ("a", "b")]
        entity = client.create_virtual_proxy(jwtAttributeMap=attributes)
        first, second = entity["jwtAttributeMap"]
        sent = [{**second, "senseAttribute": "B"}, first, attributes[0]]
        items = client.put("virtualproxyconfig", entity, jwtAttributeMap=sent).json()["jwtAttributeMap"]
        assert [item["id"] for item in items[:2]] == [second["id"], first["id"]]
        assert items[1] == first
        assert items[0]["senseAttribute"] == "B"
        assert items[2]["id"] not in (first["id"], second["id"])

    def test_default_virtual_proxy_keeps_its_prefix(self, client: Client) -> None:
        [default] = client.get("virtualproxyconfig/full")
        assert client.put("virtualproxyconfig", default, prefix="new").status == 400
        assert client.put("virtualproxyconfig", default, sessionInactivityTimeout=10).status == 200

    @pytest.mark.parametrize(
        ("switch", "expected"),
        [
            ("mixed", ("", ["host"], 30, ["groups"])),
            ("keep", ("kept", ["host"], 5, ["groups"])),
            ("reset", ("", [], 30, [])),
        ],
    )
    def test_omitted_fields_depend_on_switch(self, switch: str, expected: tuple[t.Any, ...]) -> None:
        client = Client({"switches": {"omitted_fields": switch}})
        entity = client.create_virtual_proxy(
            description="kept",
            websocketCrossOriginWhiteList=["host"],
            sessionInactivityTimeout=5,
            jwtAttributeMap=[{"jwtAttribute": "groups", "senseAttribute": "g", "isMandatory": False}],
        )
        needed = ("id", "modifiedDate", "prefix", "sessionCookieHeaderName")
        body = {name: entity[name] for name in needed}
        changed = client.call("PUT", f"virtualproxyconfig/{entity['id']}", body).json()
        assert (
            changed["description"],
            changed["websocketCrossOriginWhiteList"],
            changed["sessionInactivityTimeout"],
            [item["jwtAttribute"] for item in changed["jwtAttributeMap"]],
        ) == expected

    def test_read_only_fields_are_ignored(self, client: Client) -> None:
        node = client.get("servernodeconfiguration/full")[1]
        changed = client.put("servernodeconfiguration", node, isCentral=True, roles=[], createdDate=None).json()
        assert (changed["isCentral"], changed["createdDate"]) == (False, node["createdDate"])

    def test_update_status_depends_on_switch(self) -> None:
        client = Client({"switches": {"update_status": "204"}})
        answer = client.put("virtualproxyconfig", client.create_virtual_proxy(), description="new")
        assert (answer.status, answer.body) == (204, b"")


class TestLink:
    def test_reference_needs_only_an_id(self, client: Client) -> None:
        entity = client.create_virtual_proxy()
        answer = client.link(entity)
        assert answer.status == 200
        linked = answer.json()["settings"]["virtualProxies"]
        assert [one["prefix"] for one in linked] == ["", "jwt"]
        assert linked[1] == client.get("virtualproxyconfig", filter="prefix eq 'jwt'")[0]
        assert [one["prefix"] for one in client.proxy("Rim1")["settings"]["virtualProxies"]] == [""]
        assert client.store.linked_virtual_proxies("Central")[1] == entity

    def test_links_are_stored_in_their_order(self, client: Client) -> None:
        one, two = client.create_virtual_proxy("one"), client.create_virtual_proxy("two")
        proxy = client.proxy()
        links = [{"id": two["id"]}, {"id": one["id"].upper()}, {"id": two["id"]}]
        settings = {**proxy["settings"], "virtualProxies": links}
        changed = client.put("proxyservice", proxy, settings=settings).json()
        assert [link["prefix"] for link in changed["settings"]["virtualProxies"]] == ["two", "one"]
        assert client.proxy()["settings"]["virtualProxies"] == changed["settings"]["virtualProxies"]

    def test_date_of_the_proxy_service_decides_conflict(self, client: Client) -> None:
        entity, proxy = client.create_virtual_proxy(), client.proxy()
        assert client.link(entity).status == 200
        assert client.put("proxyservice", proxy).status == 409
        stale = {**client.proxy()["settings"], "modifiedDate": proxy["settings"]["modifiedDate"]}
        assert client.put("proxyservice", client.proxy(), settings=stale).status == 200

    def test_other_dates_stay(self, client: Client) -> None:
        entity, other = client.create_virtual_proxy(), client.proxy("Rim1")
        client.link(entity)
        assert client.get(f"virtualproxyconfig/{entity['id']}") == entity
        assert client.proxy("Rim1") == other
        proxy = client.proxy()
        client.put("virtualproxyconfig", entity, description="new")
        assert client.proxy()["modifiedDate"] == proxy["modifiedDate"]

    def test_date_of_other_side_depends_on_switch(self) -> None:
        client = Client({"switches": {"link_touches_virtual_proxy": True, "save_touches_proxy_service": True}})
        entity = client.create_virtual_proxy()
        client.link(entity)
        [touched] = client.get("virtualproxyconfig/full", filter="prefix eq 'jwt'")
        assert touched["modifiedDate"] > entity["modifiedDate"]
        proxy, other = client.proxy(), client.proxy("Rim1")
        client.put("virtualproxyconfig", touched, description="new")
        assert client.proxy()["modifiedDate"] > proxy["modifiedDate"]
        assert client.proxy("Rim1") == other

    @pytest.mark.parametrize(
        "virtual_proxies", [[{"id": EMPTY_ID}], [{}], ["jwt"], "jwt", [{"id": None}], [{"prefix": "jwt"}]]
    )
    def test_invalid_link_is_refused(self, client: Client, virtual_proxies: t.Any) -> None:
        client.create_virtual_proxy()
        before = client.proxy()
        settings = {**before["settings"], "virtualProxies": virtual_proxies}
        assert client.put("proxyservice", before, settings=settings).status == 400
        assert client.proxy() == before

    def test_node_of_proxy_service_cannot_be_changed(self, client: Client) -> None:
        proxy, other = client.proxy(), client.proxy("Rim1")
        node = other["serverNodeConfiguration"]
        assert client.put("proxyservice", proxy, serverNodeConfiguration=node).json()["serverNodeConfiguration"] != node

    def test_callback_is_called_after_save(self, client: Client) -> None:
        calls: list[int] = []
        client.store.on_save(lambda: calls.append(client.store.generation))
        entity = client.create_virtual_proxy()
        client.link(entity)
        client.create("tag", name="nothing to do with it")
        client.call("POST", "virtualproxyconfig", {"prefix": "refused"})
        assert calls == [calls[0], calls[0] + 1]


class TestDelete:
    def test_second_delete_is_not_found(self, client: Client) -> None:
        path = f"virtualproxyconfig/{client.create_virtual_proxy()['id']}"
        answer = client.call("DELETE", path)
        assert (answer.status, answer.body) == (204, b"")
        assert client.call("DELETE", path).status == 404
        assert client.call("GET", path).status == 404

    def test_links_are_deleted_too(self, client: Client) -> None:
        entity = client.create_virtual_proxy()
        before = client.link(entity).json()
        assert client.call("DELETE", f"virtualproxyconfig/{entity['id']}").status == 204
        after = client.proxy()
        assert [one["prefix"] for one in after["settings"]["virtualProxies"]] == [""]
        assert after["modifiedDate"] > before["modifiedDate"]

    @pytest.mark.parametrize("status", [400, 409])
    def test_linked_virtual_proxy_is_refused_by_switch(self, status: int) -> None:
        client = Client({"switches": {"delete_linked": status}})
        entity = client.create_virtual_proxy()
        client.link(entity)
        assert client.call("DELETE", f"virtualproxyconfig/{entity['id']}").status == status
        assert client.get("virtualproxyconfig/count") == {"value": 2}

    def test_default_virtual_proxy_is_refused(self, client: Client) -> None:
        [default] = client.get("virtualproxyconfig")
        assert client.call("DELETE", f"virtualproxyconfig/{default['id']}").status == 400

    def test_deleted_tags_and_properties_are_removed(self, client: Client) -> None:
        tag = client.create("tag", name="gone")
        [definition] = client.get("custompropertydefinition", filter="name eq 'Owner'")
        entity = client.create_virtual_proxy(
            tags=[{"id": tag["id"]}], customProperties=[{"value": "Platform", "definition": {"id": definition["id"]}}]
        )
        assert client.call("DELETE", f"tag/{tag['id']}").status == 204
        assert client.call("DELETE", f"custompropertydefinition/{definition['id']}").status == 204
        after = client.get(f"virtualproxyconfig/{entity['id']}")
        assert (after["tags"], after["customProperties"]) == ([], [])


class TestOtherEntities:
    def test_tag_is_created_and_changed(self, client: Client) -> None:
        tag = client.create("tag", name="new")
        assert client.put("tag", tag, name="newer").json()["name"] == "newer"
        assert client.call("POST", "tag", {}).status == 400

    def test_custom_property_is_created_and_changed(self, client: Client) -> None:
        body = {"name": "Stage", "valueType": "Text", "choiceValues": ["a"], "objectTypes": ["VirtualProxyConfig"]}
        entity = client.create("custompropertydefinition", **body)
        assert entity.items() >= body.items()
        wrong: dict[str, t.Any]
        for wrong in ({"name": "with blank"}, {"valueType": "Number"}, {"valueType": None}, {"choiceValues": "a"}):
            assert client.call("POST", "custompropertydefinition", {**body, "name": "Other", **wrong}).status == 400
        value = {"value": "b", "definition": {"id": entity["id"]}}
        virtual_proxy = client.create_virtual_proxy()
        assert client.put("virtualproxyconfig", virtual_proxy, customProperties=[value]).status == 400
        assert client.put("proxyservice", client.proxy(), customProperties=[{**value, "value": "a"}]).status == 400

    def test_user_is_created_and_changed(self, client: Client) -> None:
        user = client.store.touch_user("EXAMPLE", "new")
        assert client.store.touch_user("example", "NEW") == user
        assert (user["name"], user["roles"], user["inactive"]) == ("new", [], False)
        changed = client.put("user", user, roles=["RootAdmin"], inactive=True).json()
        assert (changed["roles"], changed["inactive"]) == (["RootAdmin"], True)
        [account] = client.get("user/full", filter="userId eq 'sa_api'")
        assert client.call("DELETE", f"user/{account['id']}").status == 400

    def test_proxy_settings_are_changed(self, client: Client) -> None:
        proxy = client.proxy()
        wrong: dict[str, t.Any]
        for wrong in ({"listenPort": 0}, {"maxHeaderLines": 5}, {"listenPort": "443"}, {"logVerbosity": []}):
            assert client.put("proxyservice", proxy, settings={**proxy["settings"], **wrong}).status == 400, wrong
        assert client.put("proxyservice", proxy, settings=None).status == 200


class TestSwitches:
    @pytest.mark.parametrize(("switch", "expected"), [("lower", "jwt"), ("keep", "JWT"), ("400", None)])
    def test_upper_case_prefix_depends_on_switch(self, switch: str, expected: str | None) -> None:
        client = Client({"switches": {"upper_case_prefix": switch}})
        body = {"prefix": "JWT", "sessionCookieHeaderName": "X"}
        answer = client.call("POST", "virtualproxyconfig", body)
        assert answer.status == (201 if expected else 400)
        assert expected is None or answer.json()["prefix"] == expected

    def test_slash_in_prefix_depends_on_switch(self) -> None:
        client = Client({"switches": {"slash_in_prefix": "accept"}})
        assert client.create_virtual_proxy("a/b", sessionCookieHeaderName="X")["prefix"] == "a/b"
        for prefix in ("/a", "a/", "a//b"):
            body = {"prefix": prefix, "sessionCookieHeaderName": "Y"}
            assert client.call("POST", "virtualproxyconfig", body).status == 400

    def test_unknown_fields_depend_on_switch(self) -> None:
        body = {"prefix": "jwt", "sessionCookieHeaderName": "X", "sessionCookieCustomPath": "/", "nonsense": 1}
        entity = Client().create("virtualproxyconfig", **body)
        assert not {"nonsense", "sessionCookieCustomPath"} & entity.keys()
        strict = Client({"switches": {"unknown_fields": "400"}})
        assert strict.call("POST", "virtualproxyconfig", body).status == 400

    @pytest.mark.parametrize(("switch", "status"), [("empty", 201), ("400", 400), ("500", 500)])
    def test_null_lists_depend_on_switch(self, switch: str, status: int) -> None:
        client = Client({"switches": {"null_lists": switch}})
        body = {"prefix": "jwt", "sessionCookieHeaderName": "X", "samlAttributeMap": None}
        assert client.call("POST", "virtualproxyconfig", body).status == status

    def test_certificate_depends_on_switches(self) -> None:
        pem = "\r\n".join(certificate().splitlines()) + "\r\n \r\n"
        assert Client().create_virtual_proxy(jwtPublicKeyCertificate=pem)["jwtPublicKeyCertificate"] == pem
        assert Client().create_virtual_proxy(jwtPublicKeyCertificate="none")["jwtPublicKeyCertificate"] == "none"
        normalizing = Client({"switches": {"certificate_text": "normalized"}})
        stored = normalizing.create_virtual_proxy(jwtPublicKeyCertificate=pem)["jwtPublicKeyCertificate"]
        assert stored == pem.replace("\r", "").strip()
        windows = Client({"switches": {"certificate_text": "crlf"}})
        stored = windows.create_virtual_proxy(jwtPublicKeyCertificate=pem)["jwtPublicKeyCertificate"]
        assert stored == pem.strip()
        checking = Client({"switches": {"certificate_check": "400"}})
        body = {"prefix": "jwt", "sessionCookieHeaderName": "X", "jwtPublicKeyCertificate": "none"}
        assert checking.call("POST", "virtualproxyconfig", body).status == 400
        assert checking.call("POST", "virtualproxyconfig", {**body, "jwtPublicKeyCertificate": pem}).status == 201

    @pytest.mark.parametrize(
        ("switch", "expected"),
        [("verbatim", " A: b\nC: d \r\n"), ("normalized", "A: b\nC: d"), ("crlf", "A: b\r\nC: d")],
    )
    def test_response_headers_depend_on_switch(self, switch: str, expected: str) -> None:
        client = Client({"switches": {"response_headers_text": switch}})
        entity = client.create_virtual_proxy(additionalResponseHeaders=" A: b\nC: d \r\n")
        assert entity["additionalResponseHeaders"] == expected

    @pytest.mark.parametrize("status", [400, 409, 422, 500])
    def test_invalid_status_depends_on_switch(self, status: int) -> None:
        client = Client({"switches": {"invalid_status": status}})
        good = {"prefix": "jwt", "sessionCookieHeaderName": "X"}
        for wrong in (
            {"prefix": "a b"},
            {"sessionCookieHeaderName": None},
            {"sessionCookieHeaderName": "a b"},
            {"loadBalancingServerNodes": [{"id": "6c04e46f-6da9-4bb2-8d12-a9a05ba687ee"}]},
        ):
            assert client.call("POST", "virtualproxyconfig", {**good, **wrong}).status == status
        assert client.call("POST", "virtualproxyconfig", []).status == 400

    @pytest.mark.parametrize("switch", ["400", "403", "409", "accept"])
    def test_delete_of_default_depends_on_switch(self, switch: str) -> None:
        client = Client({"switches": {"delete_default": switch}})
        [default] = client.get("virtualproxyconfig", filter="defaultVirtualProxy eq true")
        answer = client.call("DELETE", f"virtualproxyconfig/{default['id']}")
        assert answer.status == (204 if switch == "accept" else int(switch))
        assert (client.proxy()["settings"]["virtualProxies"] == []) == (switch == "accept")

    @pytest.mark.parametrize(
        ("switch", "pattern"),
        [("3", r"\.\d{3}Z"), ("7", r"\.\d{3}0000Z"), ("trimmed", r"(\.\d{0,2}[1-9])?Z"), ("0", "Z")],
    )
    def test_date_fraction_depends_on_switch(self, switch: str, pattern: str) -> None:
        client = Client({"switches": {"date_fraction": switch}})
        entity = client.create_virtual_proxy()
        for _time in range(3):
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d" + pattern, entity["modifiedDate"])
            stale = {**entity, "modifiedDate": "2020-01-01T00:00:00Z"}
            assert client.put("virtualproxyconfig", stale).status == 409
            entity = client.put("virtualproxyconfig", entity).json()

    @pytest.mark.parametrize(("switch", "expected"), [("empty", ""), ("null", None), ("absent", "absent")])
    def test_unset_strings_depend_on_switch(self, switch: str, expected: str | None) -> None:
        client = Client({"switches": {"unset_strings": switch}})
        entity = client.create_virtual_proxy()
        assert entity.get("jwtAudience", "absent") == expected
        assert entity["jwtAttributeUserId"] == ""
        changed = client.put("virtualproxyconfig", entity, jwtAudience="qlik").json()
        assert changed["jwtAudience"] == "qlik"
        assert (
            client.put("virtualproxyconfig", changed, jwtAudience=None).json().get("jwtAudience", "absent") == expected
        )

    def test_lists_depend_on_switches(self) -> None:
        entity = Client({"switches": {"unset_lists": "null"}}).create_virtual_proxy()
        assert (entity["tags"], entity["websocketCrossOriginWhiteList"]) == (None, None)
        entity = Client({"switches": {"list_order": "reversed"}}).create_virtual_proxy(
            websocketCrossOriginWhiteList=["a", "b"]
        )
        assert entity["websocketCrossOriginWhiteList"] == ["b", "a"]

    @pytest.mark.parametrize(("switch", "expected"), [("echo", "secret"), ("mask", "********"), ("absent", None)])
    def test_secret_in_response_depends_on_switch(self, switch: str, expected: str | None) -> None:
        entity = Client({"switches": {"secret_in_answer": switch}}).create_virtual_proxy(oidcClientSecret="secret")
        assert entity.get("oidcClientSecret") == expected

    def test_date_suffix_depends_on_switch(self) -> None:
        client = Client({"switches": {"date_suffix": "+00:00"}})
        entity = client.create_virtual_proxy()
        assert entity["modifiedDate"].endswith("+00:00")
        assert client.put("virtualproxyconfig", entity).status == 200

    def test_create_status_depends_on_switch(self) -> None:
        answer = Client({"switches": {"create_status": 200}}).call("POST", "tag", {"name": "new"})
        assert (answer.status, answer.json()["name"]) == (200, "new")


class TestDates:
    @pytest.mark.parametrize(
        "text",
        [
            "2026-01-02T03:04:05.600Z",
            "2026-1-2T3:4:5.6Z",
            "2026-01-02T03:04:05.600999Z",
            "2026-01-02 03:04:05.6",
            "2026-01-02T05:34:05.600+02:30",
            "2026-01-01T22:04:05.600-0500",
        ],
    )
    def test_date_in_any_format_is_parsed(self, text: str) -> None:
        expected = datetime.datetime(2026, 1, 2, 3, 4, 5, 600_000, datetime.UTC)
        assert parse_date(text) == expected

    @pytest.mark.parametrize(
        "text", ["2026/01/02 03:04", "2026-13-01", "", "now", "0001-01-01T00:00:00+02:00", 5, None]
    )
    def test_text_that_is_not_a_date_is_refused(self, text: object) -> None:
        assert parse_date(text) is None


class TestReleases:
    @pytest.mark.parametrize(
        ("release", "has", "has_not"),
        [
            ("september-2017", ["jwtAttributeMap", "impactSecurityAccess"], ["samlSlo", "jwtAudience"]),
            ("november-2017", ["samlSlo", "jwtAttributeMap", "impactSecurityAccess"], ["jwtAudience", "oidcScope"]),
            ("may-2021", ["jwtAudience", "oidcScope"], ["impactSecurityAccess", "loadBalancingAlgorithm"]),
            ("may-2024", ["loadBalancingAlgorithm", "sameSiteAttributeHttps"], ["sessionCookieCustomPath"]),
            ("november-2024", ["enableEngineHealthCheckData"], ["sessionCookieCustomPath"]),
            ("may-2025", ["disableOidcOptionalAttributesParsing"], ["sessionCookieCustomPath"]),
            ("november-2025", ["sessionCookieCustomPath"], ["impactSecurityAccess"]),
        ],
    )
    def test_fields_depend_on_release(self, release: str, has: list[str], has_not: list[str]) -> None:
        client = Client({"release": release})
        entity = client.create_virtual_proxy(jwtAudience="a", loadBalancingAlgorithm=1)
        assert set(has) <= entity.keys()
        assert not set(has_not) & entity.keys()
        for name in has_not:
            assert client.call("GET", "virtualproxyconfig", filter=f"{name} eq 'a'").status == 400

    def test_enums_depend_on_release(self) -> None:
        client = Client({"release": "november-2017"})
        assert len(client.get("about/api/enums")["AuthenticationMethodEnum"]["values"]) == 5
        body = {"prefix": "oidc", "sessionCookieHeaderName": "X", "authenticationMethod": 5}
        assert client.call("POST", "virtualproxyconfig", body).status == 400

    @pytest.mark.parametrize(("release", "status"), [("november-2017", 404), ("may-2021", 200)])
    def test_openapi_depends_on_release(self, release: str, status: int) -> None:
        client = Client({"release": release})
        assert client.call("GET", "about/openapi/main").status == status
        assert ("GET /qrs/about/openapi/main" in client.get("about/api/description")) == (status == 200)

    def test_upgrade_keeps_the_entities(self, tmp_path: t.Any) -> None:
        database = str(tmp_path / "database")
        old = Client({"release": "november-2017"}, database=database)
        before = old.create_virtual_proxy("jwt", jwtAttributeUserId="id")
        old.store.close()
        new = Client({"release": "november-2025"}, database=database)
        [entity] = new.get("virtualproxyconfig/full", filter="prefix eq 'jwt'")
        assert entity["hasSecureAttributeHttps"] is True
        changed = new.put("virtualproxyconfig", entity, jwtAudience="kept").json()
        assert (changed["jwtAudience"], changed["id"]) == ("kept", before["id"])
        new.store.close()
        old = Client({"release": "november-2017"}, database=database)
        [entity] = old.get("virtualproxyconfig/full", filter="prefix eq 'jwt'")
        assert entity.keys() == before.keys()
        assert old.put("virtualproxyconfig", entity).status == 200
        old.store.close()
        [entity] = Client({"release": "may-2025"}, database=database).get(
            "virtualproxyconfig/full", filter="jwtAudience eq 'kept'"
        )
