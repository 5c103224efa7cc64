# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test qlik-repo-api, which has its own methods for virtual proxies."""

from __future__ import annotations

import typing as t

import pytest
from clients import ClientError, ProxyLogin, QlikRepoApi
from virtual_proxies import token

from qlik_sense_simulator.testing import RunningSite

PREFIX = "qlikrepoapi"
JWT: dict[str, t.Any] = {
    "prefix": PREFIX,
    "description": "For qlik-repo-api",
    "authenticationMethod": "JWT",
    "sessionCookieHeaderName": "X-Qlik-Session-qlikrepoapi",
    "jwtAttributeUserId": "userId",
    "jwtAttributeUserDirectory": "userDirectory",
    "jwtAttributeMap": ["Group=groups"],
    "loadBalancingServerNodes": ["localhost"],
    "websocketCrossOriginWhiteList": ["portal.example.com"],
}


@pytest.fixture(scope="session")
def client(connect_qlik_repo_api: t.Callable[..., QlikRepoApi]) -> QlikRepoApi:
    return connect_qlik_repo_api()


@pytest.fixture
def virtual_proxy(client: QlikRepoApi, site: RunningSite) -> t.Iterator[dict[str, t.Any]]:
    """Create a JWT virtual proxy with a tag and a custom property, which this client adds in a second request."""
    certificate = (site.pki / "client.pem").read_text()
    more = {"jwtPublicKeyCertificate": certificate, "tags": ["ansible"], "customProperties": ["Owner=Platform"]}
    yield client.pipe.call("virtualProxies.create", {**JWT, **more})
    if client.pipe.call("virtualProxies.getFilter", {"filter": f"prefix eq '{PREFIX}'"}):
        client.pipe.call("virtualProxies.removeFilter", {"filter": f"prefix eq '{PREFIX}'"})


def set_links(client: QlikRepoApi, links: list[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    """Replace the virtual proxies of the first proxy service, and return the linked ones."""
    proxy = client.pipe.call("proxies.getAll")[0]
    body = {**proxy, "settings": {**proxy["settings"], "virtualProxies": links}}
    assert client.pipe.call("repoClient.Put", f"proxyservice/{proxy['id']}", body)["status"] == 200
    linked: list[dict[str, t.Any]] = client.pipe.call("proxies.getAll")[0]["settings"]["virtualProxies"]
    return linked


class TestRead:
    def test_about_is_returned(self, client: QlikRepoApi) -> None:
        assert client.pipe.call("about.get")["schemaPath"] == "About"

    def test_enums_have_their_values(self, client: QlikRepoApi) -> None:
        assert "4: JWT" in client.pipe.call("about.enums")["AuthenticationMethodEnum"]["values"]

    def test_relations_are_listed(self, client: QlikRepoApi) -> None:
        assert "ProxyService.Settings.virtualProxies > VirtualProxyConfig" in client.pipe.call("about.apiRelations")

    def test_defaults_of_a_virtual_proxy_are_returned(self, client: QlikRepoApi) -> None:
        assert client.pipe.call("about.apiDefaults", {"path": "virtualproxyconfig"})["sessionInactivityTimeout"] == 30

    def test_nodes_are_counted(self, client: QlikRepoApi) -> None:
        assert client.pipe.call("nodes.count") == {"value": 2}

    def test_nodes_are_listed(self, client: QlikRepoApi) -> None:
        assert [node["name"] for node in client.pipe.call("nodes.getAll")] == ["Central", "Rim1"]

    def test_filter_finds_a_tag(self, client: QlikRepoApi) -> None:
        [tag] = client.pipe.call("tags.getFilter", {"filter": "name so 'nsib' and name ne 'it\\'s not'"})
        assert tag["name"] == "ansible"

    def test_table_has_the_requested_rows(self, client: QlikRepoApi) -> None:
        columns = [{"name": "name", "columnType": "Property", "definition": "name"}]
        table = client.pipe.call("table.create", {"type": "tag", "columns": columns, "sortColumn": "name", "take": 1})
        assert (table["status"], table["data"]["rows"]) == (201, [{"name": "ansible"}])


class TestWrite:
    def test_virtual_proxy_is_created_with_all_entries(
        self, client: QlikRepoApi, virtual_proxy: dict[str, t.Any]
    ) -> None:
        found = client.pipe.call("virtualProxies.get", {"id": virtual_proxy["id"]})
        assert (found["prefix"], found["authenticationMethod"]) == (PREFIX, 4)
        assert [node["hostName"] for node in found["loadBalancingServerNodes"]] == ["localhost"]
        assert [tag["name"] for tag in found["tags"]] == ["ansible"]
        assert [(one["definition"]["name"], one["value"]) for one in found["customProperties"]] == [
            ("Owner", "Platform")
        ]
        [attribute] = found["jwtAttributeMap"]
        assert (attribute["jwtAttribute"], attribute["senseAttribute"]) == ("groups", "Group")

    def test_virtual_proxy_is_updated(self, client: QlikRepoApi, virtual_proxy: dict[str, t.Any]) -> None:
        """The client sends the time of its own clock as modifiedDate."""
        change = {"description": "other", "websocketCrossOriginWhiteList": ["other.example.com"]}
        changed = client.pipe.call(f"virtualProxies/{virtual_proxy['id']}.update", change)
        assert changed.items() >= change.items()
        assert client.pipe.call("virtualProxies.get", {"id": virtual_proxy["id"]}) == changed

    def test_linking_by_its_own_method_is_refused(self, client: QlikRepoApi, virtual_proxy: dict[str, t.Any]) -> None:
        """The method sends a POST to proxyservice/{id}. No site has this endpoint, so the method never works."""
        proxy = client.pipe.call("proxies.getAll")[0]
        with pytest.raises(ClientError, match="status code 405"):
            client.pipe.call("proxies.add", {"proxyId": proxy["id"], "virtualProxyId": virtual_proxy["id"]})
        with pytest.raises(ClientError, match="status code 405"):
            client.pipe.call(f"proxies/{proxy['id']}.update", {"virtualProxies": [virtual_proxy["id"]]})
        assert client.pipe.call("proxies.get", {"id": proxy["id"]}) == proxy

    def test_put_links_and_unlinks(self, client: QlikRepoApi, virtual_proxy: dict[str, t.Any]) -> None:
        """Users of this client send a PUT with the client that it contains."""
        before = client.pipe.call("proxies.getAll")[0]["settings"]["virtualProxies"]
        for links in ([*before, {"id": virtual_proxy["id"]}], before):
            linked = set_links(client, links)
            assert [one["id"] for one in linked] == [one["id"] for one in links]

    def test_token_with_mandatory_attribute_logs_in(
        self,
        client: QlikRepoApi,
        connect_qlik_repo_api: t.Callable[..., QlikRepoApi],
        site: RunningSite,
        virtual_proxy: dict[str, t.Any],
    ) -> None:
        """The client makes each mapped attribute mandatory, so a token without one is refused."""
        before = client.pipe.call("proxies.getAll")[0]["settings"]["virtualProxies"]
        set_links(client, [*before, {"id": virtual_proxy["id"]}])
        url = site.ready["nodes"][0]["proxy_url"]
        refused = connect_qlik_repo_api(login=ProxyLogin(url=url, prefix=PREFIX, token=token(site, "auditor")))
        with pytest.raises(ClientError, match="status code 401"):
            refused.pipe.call("about.get")
        complete = token(site, "auditor", groups=["Finance"])
        session = connect_qlik_repo_api(login=ProxyLogin(url=url, prefix=PREFIX, token=complete))
        assert session.pipe.call("about.get") == client.pipe.call("about.get")
        assert len(session.pipe.call("virtualProxies.getAll")) == 2
        with pytest.raises(ClientError, match="status code 403"):
            session.pipe.call("tags.create", {"name": "no"})

    def test_selection_contains_the_virtual_proxy(self, client: QlikRepoApi, virtual_proxy: dict[str, t.Any]) -> None:
        selection = client.pipe.call("virtualProxies.select", {"filter": f"prefix eq '{PREFIX}'"})
        assert [item["objectID"] for item in selection["items"]] == [virtual_proxy["id"]]
        path = f"selection/{selection['id']}"
        [found] = client.pipe.call("repoClient.Get", f"{path}/virtualproxyconfig/full")["data"]
        assert found["prefix"] == PREFIX
        assert client.pipe.call("repoClient.Delete", path)["status"] == 204

    def test_deleted_virtual_proxy_is_not_found(self, client: QlikRepoApi, virtual_proxy: dict[str, t.Any]) -> None:
        [removed] = client.pipe.call("virtualProxies.removeFilter", {"filter": f"prefix eq '{PREFIX}'"})
        assert removed == {"id": virtual_proxy["id"], "status": 204}
        with pytest.raises(ClientError, match="status code 404"):
            client.pipe.call("virtualProxies.get", {"id": virtual_proxy["id"]})

    def test_tags_are_created_and_deleted(self, client: QlikRepoApi) -> None:
        names = ["repo-api 1", "repo-api 2"]
        assert [tag["name"] for tag in client.pipe.call("tags.createMany", {"names": names})] == names
        removed = client.pipe.call("tags.removeFilter", {"filter": "name sw 'repo-api'"})
        assert [one["status"] for one in removed] == [204, 204]
