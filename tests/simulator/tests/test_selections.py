# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Selections, and synthetic entities that change all selected entities."""

from __future__ import annotations

import datetime
import typing as t

import pytest
from repository_client import Client

AUDITOR = "UserDirectory=EXAMPLE;UserId=auditor"
UNPRIVILEGED = "UserDirectory=EXAMPLE;UserId=anna"
MISSING_ID = "00000000-0000-0000-0000-000000000001"


def moment(**distance: float) -> str:
    """Return a date at a distance from now, in the format of JavaScript."""
    date = datetime.datetime.now(tz=datetime.UTC) + datetime.timedelta(**distance)
    return date.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def modified(name: str, value: t.Any) -> dict[str, t.Any]:
    """Return a property that is to be changed."""
    return {"name": name, "value": value, "valueIsDifferent": False, "valueIsModified": True}


def body(*properties: dict[str, t.Any], **more: t.Any) -> dict[str, t.Any]:
    """Return a synthetic entity as scripts write it, with a clock that is ahead."""
    return {"latestModifiedDate": moment(hours=1), "properties": list(properties), **more}


def links(change: dict[str, list[str]], **more: t.Any) -> dict[str, t.Any]:
    """Return the body by which installers link and unlink virtual proxies."""
    settings = {
        "name": "settings",
        "type": "ProxyService.Settings",
        "properties": [modified("refList_VirtualProxyConfig", change)],
    }
    node = {"name": "serverNodeConfiguration", "value": None, "valueIsDifferent": False, "valueIsModified": False}
    return body(node, type="ProxyService", children=[settings], **more)


@pytest.fixture
def client() -> Client:
    client = Client()
    for prefix in ("first", "second", "third"):
        client.create_virtual_proxy(prefix)
    return client


@pytest.fixture
def selection(client: Client) -> str:
    """Create a selection of two virtual proxies and return its path."""
    answer = client.call("POST", "selection/virtualproxyconfig", filter="prefix eq 'first' or prefix eq 'second'")
    return f"selection/{answer.json()['id']}"


@pytest.fixture
def proxies(client: Client) -> str:
    """Create a selection of both proxy services and return its path."""
    return f"selection/{client.call('POST', 'selection/ProxyService').json()['id']}"


def prefixes(client: Client) -> list[str]:
    return [one["prefix"] for one in client.get("virtualproxyconfig", orderby="prefix")]


class TestSelection:
    def test_selection_of_items_is_created(self, client: Client) -> None:
        proxy, [tag, *_others] = client.proxy(), client.get("tag")
        items = [{"type": "PROXYSERVICE", "objectID": proxy["id"].upper()}, {"type": "Tag", "objectID": tag["id"]}]
        answer = client.call("POST", "Selection", {"items": items})
        assert answer.status == 201
        shown = [(item["type"], item["objectID"], item["objectName"]) for item in answer.json()["items"]]
        assert shown == [("ProxyService", proxy["id"], ""), ("Tag", tag["id"], tag["name"])]
        path = f"selection/{answer.json()['id']}"
        assert client.get(path) == answer.json()
        assert client.get("selection") == [answer.json()]
        assert [one["id"] for one in client.get(f"{path}/proxyservice")] == [proxy["id"]]
        assert client.get(f"{path}/tag/full") == [client.get(f"tag/{tag['id']}")]

    def test_selection_by_filter_is_created(self, client: Client, selection: str) -> None:
        assert [item["objectName"] for item in client.get(selection)["items"]] == ["first", "second"]
        assert client.get(f"{selection}/virtualproxyconfig/count") == {"value": 2}
        assert client.get(f"{selection}/tag") == []

    def test_body_of_selection_by_type_is_ignored(self, client: Client) -> None:
        """Send the body of public scripts."""
        answer = client.send(
            "POST",
            "/qrs/selection/tag",
            query="xrfkey=0123456789abcdef",
            body=b"no JSON",
            headers={"X-Qlik-Xrfkey": "0123456789abcdef"},
        )
        assert (answer.status, len(answer.json()["items"])) == (201, 3)

    def test_selected_entities_are_read_like_all(self, client: Client, selection: str) -> None:
        path = f"{selection}/virtualproxyconfig"
        found = client.get(f"{path}/full", orderby="prefix desc", privileges="true")
        assert [one["prefix"] for one in found] == ["second", "first"]
        assert "update" in found[0]["privileges"]
        assert [one["prefix"] for one in client.get(path, filter="prefix sw 'f'")] == ["first"]
        assert client.get(f"{path}/count", filter="prefix eq 'third'") == {"value": 0}
        columns = {"columns": [{"name": "p", "columnType": "Property", "definition": "prefix"}]}
        answer = client.call("POST", f"{path}/table", columns, sortColumn="p", orderAscending="false", take="1")
        assert (answer.status, answer.json()["rows"]) == (201, [["second"]])

    def test_selection_keeps_its_ids(self, client: Client, selection: str) -> None:
        [first] = client.get("virtualproxyconfig/full", filter="prefix eq 'first'")
        assert (
            client.put("virtualproxyconfig", first, prefix="renamed", sessionCookieHeaderName="X-Other").status == 200
        )
        client.create_virtual_proxy("first")
        found = [one["prefix"] for one in client.get(f"{selection}/virtualproxyconfig")]
        assert found == ["renamed", "second"]

    def test_selection_is_changed(self, client: Client, selection: str) -> None:
        entity = client.get(selection)
        assert client.put("selection", entity, items=entity["items"][:1]).status == 200
        assert client.get(f"{selection}/virtualproxyconfig/count") == {"value": 1}
        assert client.put("selection", entity).status == 409

    def test_selection_is_deleted(self, client: Client, selection: str) -> None:
        assert client.call("DELETE", selection).status == 204
        for path in (selection, f"{selection}/virtualproxyconfig", f"{selection}/virtualproxyconfig/synthetic"):
            assert client.call("GET", path).status == 404
        assert prefixes(client) == ["", "first", "second", "third"]

    @pytest.mark.parametrize(
        "items",
        [
            [{"type": "Nothing", "objectID": MISSING_ID}],
            [{"type": "Tag", "objectID": "nonsense"}],
            [{"type": "Tag"}],
            [{"objectID": MISSING_ID}],
            ["Tag"],
            {"type": "Tag", "objectID": MISSING_ID},
        ],
    )
    def test_invalid_selection_is_refused(self, client: Client, items: t.Any) -> None:
        assert client.call("POST", "selection", {"items": items}).status == 400

    def test_deleted_entity_is_not_selected(self, client: Client) -> None:
        selection = client.create("selection", items=[{"type": "Tag", "objectID": MISSING_ID}])
        assert client.get(f"selection/{selection['id']}/tag") == []

    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("GET", "nosuchtype", 404),
            ("GET", "virtualproxyconfig/nosuchpart", 404),
            ("PUT", "virtualproxyconfig", 405),
            ("POST", "virtualproxyconfig/full", 405),
            ("GET", "virtualproxyconfig/table", 405),
            ("POST", "virtualproxyconfig/synthetic", 405),
        ],
    )
    def test_unknown_path_is_not_found(
        self, client: Client, selection: str, method: str, path: str, status: int
    ) -> None:
        assert client.call(method, f"{selection}/{path}", {}).status == status

    def test_method_that_collection_lacks_is_refused(self, client: Client) -> None:
        assert client.call("DELETE", "selection").status == 405
        assert client.call("POST", "selection/nosuchtype").status == 404

    def test_selection_requires_rights(self, client: Client, selection: str) -> None:
        path = f"{selection}/virtualproxyconfig"
        assert len(client.call("GET", path, user=AUDITOR).json()) == 2
        assert client.call("POST", "selection/tag", user=AUDITOR).status == 201
        assert client.call("POST", "selection/tag", user=UNPRIVILEGED).status == 403
        assert client.call("GET", selection, user=UNPRIVILEGED).status == 403
        assert client.call("DELETE", path, user=AUDITOR).status == 403
        assert client.call("PUT", f"{path}/synthetic", body(), user=AUDITOR).status == 403


class TestDelete:
    def test_selected_entities_are_deleted(self, client: Client, selection: str) -> None:
        assert client.call("DELETE", f"{selection}/virtualproxyconfig").status == 204
        assert prefixes(client) == ["", "third"]
        assert client.get(f"{selection}/virtualproxyconfig") == []

    def test_filter_limits_the_deletion(self, client: Client, selection: str) -> None:
        assert client.call("DELETE", f"{selection}/virtualproxyconfig", filter="prefix eq 'first'").status == 204
        assert prefixes(client) == ["", "second", "third"]

    def test_links_are_deleted_too(self, client: Client, selection: str) -> None:
        assert client.link(*client.get("virtualproxyconfig", filter="prefix ne ''")).status == 200
        assert client.call("DELETE", f"{selection}/virtualproxyconfig").status == 204
        assert [one["prefix"] for one in client.proxy()["settings"]["virtualProxies"]] == ["", "third"]

    def test_all_are_deleted_or_none(self, client: Client) -> None:
        path = f"selection/{client.call('POST', 'selection/virtualproxyconfig').json()['id']}/virtualproxyconfig"
        assert client.call("DELETE", path).status == 400
        assert prefixes(client) == ["", "first", "second", "third"]

    def test_proxy_services_are_not_deleted(self, client: Client, proxies: str) -> None:
        assert client.call("DELETE", f"{proxies}/proxyservice").status == 405


class TestSyntheticRead:
    def test_common_values_are_shown(self, client: Client, selection: str) -> None:
        entity = client.get(f"{selection}/virtualproxyconfig/synthetic")
        assert entity["type"] == "VirtualProxyConfig"
        assert entity["access"] == ["create", "read", "update", "delete"]
        assert entity["children"] == []
        properties = {one.pop("name"): one for one in entity["properties"]}
        assert properties["sessionInactivityTimeout"] == {
            "schemaPath": "SyntheticProperty",
            "value": 30,
            "valueIsDifferent": False,
            "valueIsModified": False,
        }
        assert (properties["prefix"]["value"], properties["prefix"]["valueIsDifferent"]) == (None, True)
        assert properties["refList_Tag"]["value"] == {"added": [], "removed": []}
        assert not {"id", "modifiedDate", "privileges", "schemaPath"} & properties.keys()
        dates = [one["modifiedDate"] for one in client.get(f"{selection}/virtualproxyconfig/full")]
        assert entity["latestModifiedDate"] == max(dates)

    def test_parts_and_lists_are_shown(self, client: Client, proxies: str) -> None:
        [extra] = client.get("virtualproxyconfig", filter="prefix eq 'first'")
        client.link(extra)
        entity = client.get(f"{proxies}/proxyservice/synthetic")
        [settings] = entity["children"]
        assert (settings["name"], settings["type"]) == ("settings", "ProxyService.Settings")
        assert [child["name"] for child in settings["children"]] == ["logVerbosity"]
        [linked] = [one for one in settings["properties"] if one["name"] == "refList_VirtualProxyConfig"]
        [default] = client.get("virtualproxyconfig", filter="defaultVirtualProxy eq true")
        assert (linked["value"], linked["valueIsDifferent"]) == ({"added": [default["id"]], "removed": []}, True)

    def test_empty_selection_is_null(self, client: Client, selection: str) -> None:
        entity = client.get(f"{selection}/tag/synthetic")
        assert entity["latestModifiedDate"] is None
        assert {one["value"] for one in entity["properties"]} == {None}

    def test_unchanged_body_changes_nothing(self, client: Client, selection: str) -> None:
        path = f"{selection}/virtualproxyconfig"
        before = client.get(f"{path}/full")
        assert client.call("PUT", f"{path}/synthetic", client.get(f"{path}/synthetic")).status == 204
        assert client.get(f"{path}/full") == before

    def test_body_with_all_properties_modified_is_accepted(self, client: Client) -> None:
        attribute = {"jwtAttribute": "groups", "senseAttribute": "Group", "isMandatory": True}
        [definition] = client.get("custompropertydefinition", filter="name eq 'Owner'")
        client.create_virtual_proxy(
            "rich",
            tags=client.get("tag"),
            jwtAttributeMap=[attribute],
            customProperties=[{"value": "Platform", "definition": definition}],
        )
        created = client.call("POST", "selection/virtualproxyconfig", filter="prefix eq 'rich'").json()
        path = f"selection/{created['id']}/virtualproxyconfig"
        [before] = client.get(f"{path}/full")
        entity = client.get(f"{path}/synthetic")
        for one in entity["properties"]:
            one["valueIsModified"] = one["name"] != "oidcClientSecret"
        answer = client.call("PUT", f"{path}/synthetic", entity)
        assert answer.status == 204, answer.text
        [after] = client.get(f"{path}/full")
        assert after["modifiedDate"] > before["modifiedDate"]
        assert {**after, "modifiedDate": ""} == {**before, "modifiedDate": ""}


class TestSyntheticWrite:
    def test_only_modified_properties_change(self, client: Client, selection: str) -> None:
        before = client.get("virtualproxyconfig/full", filter="prefix eq 'third'")
        path = f"{selection}/virtualproxyconfig"
        answer = client.call("PUT", f"{path}/synthetic", body(modified("SessionInactivityTimeout", 99)))
        assert (answer.status, answer.body) == (204, b"")
        found = client.get(f"{path}/full")
        assert [(one["description"], one["sessionInactivityTimeout"]) for one in found] == [
            ("first", 99),
            ("second", 99),
        ]
        assert client.get("virtualproxyconfig/full", filter="prefix eq 'third'") == before

    def test_virtual_proxies_are_linked_and_unlinked(self, client: Client, proxies: str) -> None:
        [default, first, second, _third] = client.get("virtualproxyconfig", orderby="prefix")
        path = f"{proxies}/ProxyService/synthetic"
        assert (
            client.call("PUT", path, links({"added": [first["id"], second["id"].upper()], "removed": []})).status == 204
        )
        for node in ("Central", "Rim1"):
            linked = [one["id"] for one in client.proxy(node)["settings"]["virtualProxies"]]
            assert linked == [default["id"], first["id"], second["id"]]
        assert client.call("PUT", path, links({"removed": [first["id"]]})).status == 204
        assert [one["prefix"] for one in client.proxy()["settings"]["virtualProxies"]] == ["", "second"]

    def test_callback_is_called_after_link(self, client: Client, proxies: str) -> None:
        [first] = client.get("virtualproxyconfig", filter="prefix eq 'first'")
        before = client.store.generation
        client.call("PUT", f"{proxies}/proxyservice/synthetic", links({"added": [first["id"]]}))
        assert client.store.generation == before + 1
        assert [one["prefix"] for one in client.store.linked_virtual_proxies("Rim1")] == ["", "first"]

    def test_tags_are_added_and_removed(self, client: Client, selection: str) -> None:
        [tag, *_others] = client.get("tag")
        change = {"name": "refList_Tag", "value": {"added": [tag["id"]]}, "valueIsModified": True}
        path = f"{selection}/virtualproxyconfig"
        for _again in range(2):
            assert client.call("PUT", f"{path}/synthetic", body(change)).status == 204
        assert [one["tags"] for one in client.get(path)] == [[tag], [tag]]

    def test_date_in_the_future_is_accepted(self, client: Client) -> None:
        """Send tomorrow's date, as a public script does that activates inactive users."""
        selection = client.call("POST", "selection/user", filter="userDirectory eq 'EXAMPLE'").json()
        path = f"selection/{selection['id']}/user"
        change = body(modified("inactive", True), latestModifiedDate=moment(days=1), type="User")
        assert client.call("PUT", f"{path}/synthetic", change).status == 204
        assert all(one["inactive"] for one in client.get(f"{path}/full"))

    def test_names_are_case_insensitive(self, client: Client, selection: str) -> None:
        """Send valueismodified, as in Qlik's help."""
        path = f"{selection}/virtualproxyconfig"
        change = {"NAME": "description", "VALUE": "same", "valueismodified": True}
        content = {"latestmodifieddate": moment(), "Properties": [change], "Type": "virtualproxyconfig"}
        assert client.call("PUT", f"{path}/synthetic", content).status == 204
        assert {one["description"] for one in client.get(path)} == {"same"}

    @pytest.mark.parametrize("date", [{}, {"latestModifiedDate": None}, {"latestModifiedDate": moment(minutes=-5)}])
    def test_old_or_missing_date_is_a_conflict(self, client: Client, selection: str, date: dict[str, t.Any]) -> None:
        path = f"{selection}/virtualproxyconfig"
        content = {"properties": [modified("description", "late")], **date}
        assert client.call("PUT", f"{path}/synthetic", content).status == 409
        assert [one["description"] for one in client.get(path)] == ["first", "second"]

    def test_second_writer_gets_a_conflict(self, client: Client, selection: str) -> None:
        path = f"{selection}/virtualproxyconfig/synthetic"
        entity = client.get(path)
        [first] = client.get("virtualproxyconfig/full", filter="prefix eq 'first'")
        client.put("virtualproxyconfig", first, description="faster")
        assert client.call("PUT", path, {**entity, "properties": [modified("description", "late")]}).status == 409

    def test_all_change_or_none(self, client: Client, selection: str) -> None:
        path = f"{selection}/virtualproxyconfig"
        assert client.call("PUT", f"{path}/synthetic", body(modified("prefix", "same"))).status == 400
        assert [one["prefix"] for one in client.get(path)] == ["first", "second"]

    @pytest.mark.parametrize(
        "content",
        [
            [],
            "text",
            body(type="Tag"),
            body(modified("nosuch", 1)),
            body(modified("sessionInactivityTimeout", "1")),
            body(modified("refList_Tag", ["added"])),
            body(modified("refList_Tag", {"added": "text"})),
            body(modified("refList_Tag", {"added": [MISSING_ID]})),
            body(modified("tags", [])),
            body(children=[{"name": "prefix", "properties": []}]),
            body(children=[{"properties": []}]),
            body(children="text"),
            {"latestModifiedDate": "yesterday"},
        ],
    )
    def test_invalid_synthetic_entity_is_refused(self, client: Client, selection: str, content: t.Any) -> None:
        before = client.get("virtualproxyconfig/full")
        assert client.call("PUT", f"{selection}/virtualproxyconfig/synthetic", content).status == 400
        assert client.get("virtualproxyconfig/full") == before

    def test_empty_selection_changes_nothing(self, client: Client, selection: str) -> None:
        assert client.call("PUT", f"{selection}/tag/synthetic", {"properties": [modified("name", "a")]}).status == 204


class TestPreview:
    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ({}, ["create", "read", "update", "delete"]),
            ({"privilegesFilter": "3"}, ["create", "read"]),
            ({"privilegesfilter": "4096"}, []),
        ],
    )
    def test_preview_returns_privileges(self, client: Client, query: dict[str, str], expected: list[str]) -> None:
        answer = client.call("POST", "virtualproxyconfig/previewprivileges", {"prefix": "a"}, **query)
        assert (answer.status, answer.json()) == (201, expected)

    def test_preview_of_others_has_fewer_privileges(self, client: Client) -> None:
        answers = [
            client.call("POST", "tag/previewprivileges", {"name": "a"}, user=user).json()
            for user in (AUDITOR, UNPRIVILEGED)
        ]
        assert answers == [["read"], []]

    @pytest.mark.parametrize(
        ("kind", "status"), [("virtualproxyconfig", 200), ("servernodeconfiguration", 200), ("proxyservice", 405)]
    )
    def test_preview_of_create_returns_the_privilege(self, client: Client, kind: str, status: int) -> None:
        answer = client.call("POST", f"{kind}/previewcreateprivilege", {})
        assert answer.status == status
        assert status != 200 or answer.json() is True

    def test_malformed_preview_is_refused(self, client: Client) -> None:
        assert client.call("POST", "tag/previewprivileges", []).status == 400
        assert client.call("POST", "tag/previewprivileges", {}, privilegesFilter="all").status == 400
