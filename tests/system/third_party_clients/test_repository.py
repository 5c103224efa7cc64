# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the same requests with each client: read, create, update, link, unlink, delete, and refusals."""

from __future__ import annotations

import datetime
import re
import ssl
import typing as t
import urllib.error
import urllib.request

import pytest
from clients import Answer, Client
from virtual_proxies import good, jwt_body, proxies, set_links

from qlik_sense_simulator.testing import RunningSite


@pytest.fixture
def virtual_proxy(client: Client, prefix: str) -> dict[str, t.Any]:
    """Create a JWT virtual proxy with this client."""
    return t.cast("dict[str, t.Any]", good(client.post("virtualproxyconfig", jwt_body(prefix))))


def status_at_proxies(site: RunningSite, prefix: str) -> list[int]:
    """Return the status of a request without a token below a prefix, for each proxy."""
    context = ssl.create_default_context(cafile=site.pki / "proxy_root.pem")
    found = []
    for node in site.ready["nodes"]:
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"{node['proxy_url']}/{prefix}/hub/", context=context, timeout=60)
        caught.value.close()
        found.append(caught.value.code)
    return found


def assert_refused(answer: Answer, status: int, text: str) -> None:
    """Check status and text of a refusal. qlik-rest-api does not return the text."""
    assert answer in ((status, text), (status, None))


class TestRead:
    def test_about_has_the_version(self, client: Client) -> None:
        assert re.fullmatch(r"\d+(\.\d+)+", good(client.get("about"))["buildVersion"])

    def test_nodes_are_listed(self, client: Client) -> None:
        nodes = good(client.get("servernodeconfiguration"))
        assert [node["name"] for node in nodes] == ["Central", "Rim1"]

    def test_full_list_has_host_names(self, client: Client) -> None:
        [central] = [node for node in good(client.get("servernodeconfiguration/full")) if node["isCentral"]]
        assert central["hostName"] == "localhost"

    def test_single_entity_equals_its_list_entry(self, client: Client) -> None:
        [tag, *_others] = good(client.get("tag/full"))
        assert good(client.get(f"tag/{tag['id']}")) == tag

    def test_count_equals_length_of_list(self, client: Client) -> None:
        assert good(client.get("tag/count")) == {"value": len(good(client.get("tag")))}

    @pytest.mark.parametrize(
        "expression",
        [
            "name eq 'ansible'",
            "(Name sw 'ANS' and name ew 'ble')",
            "name so 'nsib' or name eq 'it\\'s nothing'",
            "name ne 'embedding' and name ne 'production'",
        ],
    )
    def test_filter_finds_a_tag(self, client: Client, expression: str) -> None:
        assert [tag["name"] for tag in good(client.get("tag", filter=expression))] == ["ansible"]

    def test_filter_by_path_finds_the_proxy_service(self, client: Client) -> None:
        [node] = good(client.get("servernodeconfiguration", filter="isCentral eq true"))
        [proxy] = good(client.get("proxyservice/full", filter=f"serverNodeConfiguration.id eq {node['id']}"))
        assert proxy["serverNodeConfiguration"] == node

    def test_orderby_sorts_the_list(self, client: Client) -> None:
        names = [tag["name"] for tag in good(client.get("tag", orderby="name desc"))]
        assert names == sorted(names, reverse=True)

    def test_privileges_are_listed_on_request(self, client: Client) -> None:
        assert "update" in good(client.get("virtualproxyconfig", privileges="true"))[0]["privileges"]

    def test_enums_contain_jwt(self, client: Client) -> None:
        enums = good(client.get("about/api/enums"))
        assert any("4: JWT" in enum["values"] for enum in enums.values())


class TestWrite:
    def test_created_virtual_proxy_is_found(self, client: Client, virtual_proxy: dict[str, t.Any], prefix: str) -> None:
        assert virtual_proxy.items() >= jwt_body(prefix).items()
        assert good(client.get(f"virtualproxyconfig/{virtual_proxy['id']}")) == virtual_proxy
        [condensed] = good(client.get("virtualproxyconfig", filter=f"prefix eq '{prefix}'"))
        assert condensed["id"] == virtual_proxy["id"]

    def test_nodes_tags_and_attributes_are_stored(self, client: Client, prefix: str) -> None:
        nodes = [{"id": node["id"]} for node in good(client.get("servernodeconfiguration"))]
        tags = [{"id": good(client.get("tag"))[0]["id"]}]
        attributes = [{"jwtAttribute": "groups", "senseAttribute": "Group", "isMandatory": False}]
        body = jwt_body(prefix, loadBalancingServerNodes=nodes, tags=tags, jwtAttributeMap=attributes)
        entity = good(client.post("virtualproxyconfig", body))
        assert [node["name"] for node in entity["loadBalancingServerNodes"]] == ["Central", "Rim1"]
        assert [tag["id"] for tag in entity["tags"]] == [tags[0]["id"]]
        assert entity["jwtAttributeMap"][0].items() >= attributes[0].items()

    def test_duplicate_virtual_proxy_is_refused(
        self, client: Client, virtual_proxy: dict[str, t.Any], prefix: str
    ) -> None:
        assert client.post("virtualproxyconfig", jwt_body(prefix)).status == 400

    def test_description_is_updated(self, client: Client, virtual_proxy: dict[str, t.Any]) -> None:
        virtual_proxy["description"] = "Grüße, \N{SNOWMAN}"
        changed = good(client.put(f"virtualproxyconfig/{virtual_proxy['id']}", virtual_proxy))
        assert changed["description"] == virtual_proxy["description"]
        assert changed["modifiedDate"] > virtual_proxy["modifiedDate"]

    def test_date_in_the_future_is_accepted(self, client: Client, virtual_proxy: dict[str, t.Any]) -> None:
        ahead = datetime.datetime.now(tz=datetime.UTC) + datetime.timedelta(minutes=5)
        virtual_proxy["modifiedDate"] = ahead.strftime("%Y-%m-%dT%H:%M:%S.000Z")
        good(client.put(f"virtualproxyconfig/{virtual_proxy['id']}", virtual_proxy))

    def test_second_writer_gets_a_conflict(self, client: Client, virtual_proxy: dict[str, t.Any]) -> None:
        path = f"virtualproxyconfig/{virtual_proxy['id']}"
        good(client.put(path, {**virtual_proxy, "description": "first"}))
        assert client.put(path, {**virtual_proxy, "description": "second"}).status == 409
        assert good(client.get(path))["description"] == "first"

    def test_links_decide_which_proxies_know_the_prefix(
        self, client: Client, site: RunningSite, virtual_proxy: dict[str, t.Any], prefix: str
    ) -> None:
        assert status_at_proxies(site, prefix) == [400, 400]
        for proxy in proxies(client):
            good(set_links(client, proxy, [*proxy["settings"]["virtualProxies"], {"id": virtual_proxy["id"]}]))
        linked = [[one["prefix"] for one in proxy["settings"]["virtualProxies"]] for proxy in proxies(client)]
        assert linked == [["", prefix]] * 2
        assert status_at_proxies(site, prefix) == [401, 401]
        for proxy in proxies(client):
            others = [one for one in proxy["settings"]["virtualProxies"] if one["id"] != virtual_proxy["id"]]
            good(set_links(client, proxy, others))
        assert status_at_proxies(site, prefix) == [400, 400]

    def test_unknown_virtual_proxy_is_not_linked(self, client: Client, virtual_proxy: dict[str, t.Any]) -> None:
        good(client.delete(f"virtualproxyconfig/{virtual_proxy['id']}"))
        proxy = proxies(client)[0]
        links = [*proxy["settings"]["virtualProxies"], {"id": virtual_proxy["id"]}]
        assert set_links(client, proxy, links).status == 400

    def test_second_delete_is_not_found(self, client: Client, virtual_proxy: dict[str, t.Any]) -> None:
        path = f"virtualproxyconfig/{virtual_proxy['id']}"
        assert client.delete(path).status == 204
        assert client.get(path).status == 404
        assert client.delete(path).status == 404

    def test_tag_is_created_renamed_and_deleted(self, client: Client, prefix: str) -> None:
        tag = good(client.post("tag", {"name": prefix}))
        changed = good(client.put(f"tag/{tag['id']}", {**tag, "name": f"{prefix} #1 & more"}))
        assert good(client.get(f"tag/{tag['id']}"))["name"] == changed["name"]
        assert client.delete(f"tag/{tag['id']}").status == 204


class TestSelections:
    """Changes of several entities at once, as the QMC and installers make them."""

    def test_selection_links_and_unlinks(self, client: Client, virtual_proxy: dict[str, t.Any], prefix: str) -> None:
        [central] = good(client.get("servernodeconfiguration", filter="isCentral eq true"))
        [proxy] = good(client.get("proxyservice", filter=f"serverNodeConfiguration.id eq {central['id']}"))
        items = [{"type": "ProxyService", "objectID": proxy["id"]}]
        path = f"selection/{good(client.post('selection', {'items': items}))['id']}"
        for change, expected in (("added", ["", prefix]), ("removed", [""])):
            value = {"added": [], "removed": [], change: [virtual_proxy["id"]]}
            links = {"name": "refList_VirtualProxyConfig", "value": value, "valueIsModified": True}
            settings = {"name": "settings", "type": "ProxyService.Settings", "properties": [links]}
            soon = datetime.datetime.now(tz=datetime.UTC) + datetime.timedelta(seconds=5)
            body = {
                "type": "ProxyService",
                "latestModifiedDate": soon.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
                "children": [settings],
                "properties": [],
            }
            assert client.put(f"{path}/ProxyService/synthetic", body).status == 204
            linked = good(client.get(f"proxyservice/{proxy['id']}"))["settings"]["virtualProxies"]
            assert [one["prefix"] for one in linked] == expected
        assert client.delete(path).status == 204
        assert client.get(path).status == 404

    def test_selection_is_deleted_at_once(self, client: Client, prefix: str) -> None:
        bodies = [jwt_body(f"{prefix}{number}") for number in range(3)]
        items = [
            {"type": "VirtualProxyConfig", "objectID": one["id"]}
            for one in good(client.post("virtualproxyconfig/many", bodies))
        ]
        path = f"selection/{good(client.post('selection', {'items': items}))['id']}"
        assert good(client.get(f"{path}/virtualproxyconfig/count")) == {"value": 3}
        assert client.delete(f"{path}/virtualproxyconfig").status == 204
        assert good(client.get("virtualproxyconfig", filter=f"prefix sw '{prefix}'")) == []


class TestRefusals:
    def test_malformed_filter_is_refused(self, client: Client) -> None:
        answer = client.get("tag", filter="name like 'a'")
        assert_refused(answer, 400, "Cannot parse the expression: name like 'a'")

    def test_empty_filter_group_is_refused(self, client: Client) -> None:
        assert_refused(client.get("tag", filter="()"), 400, "Invalid expression")

    def test_user_without_rights_cannot_write(self, client: Client, connect: t.Callable[..., Client]) -> None:
        guest = connect(("EXAMPLE", "anna"))
        assert guest.get("virtualproxyconfig") == (200, [])
        assert_refused(guest.post("virtualproxyconfig", jwt_body("guest")), 403, "Forbidden")
