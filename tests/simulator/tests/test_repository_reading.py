# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads from the repository, and refused requests."""

from __future__ import annotations

import json
import typing as t

import pytest
from repository_client import ADMINISTRATOR, XRFKEY, Client

KEY = {"X-Qlik-Xrfkey": XRFKEY}
CONDENSED_NODE = ["id", "name", "hostName", "temporaryfilepath", "roles", "serviceCluster", "privileges"]


@pytest.fixture(scope="module")
def client() -> Client:
    client = Client()
    for prefix in ("jwt", "embed"):
        client.create_virtual_proxy(prefix, authenticationMethod=4)
    return client


class TestXrfkey:
    @pytest.mark.parametrize(
        ("query", "key"),
        [
            ("", XRFKEY),
            (f"xrfkey={XRFKEY}", None),
            (f"xrfkey={XRFKEY}", XRFKEY[:-1] + "g"),
            ("xrfkey=abcdef123456", "abcdef123456"),
            ("xrfkey=0123456789abcde-", "0123456789abcde-"),
            (f"xrfkey={XRFKEY}&xrfkey={XRFKEY}", XRFKEY),
            ("xrfkey=", ""),
        ],
    )
    @pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
    def test_missing_or_different_key_is_refused(
        self, client: Client, method: str, query: str, key: str | None
    ) -> None:
        answer = client.send(method, "/qrs/about", query=query, headers={} if key is None else {"X-Qlik-Xrfkey": key})
        assert (answer.status, answer.text) == (403, "XSRF prevention check failed. Possible XSRF discovered.")

    def test_xrfkey_is_checked_first(self, client: Client) -> None:
        assert client.send("GET", "/qrs/nosuchentity", query="filter").status == 403

    @pytest.mark.parametrize("name", ["xrfkey", "Xrfkey", "xrfKey", "XRFKEY"])
    def test_name_is_case_insensitive(self, client: Client, name: str) -> None:
        assert client.send("GET", "/qrs/about", query=f"{name}={XRFKEY}", headers=KEY).status == 200


class TestUser:
    @pytest.mark.parametrize(
        "value",
        [
            "UserDirectory=INTERNAL;UserId=sa_repository",
            "UserDirectory=INTERNAL; UserId=sa_repository",
            "UserDirectory=Internal;UserID=sa_repository",
            "userdirectory=internal;userid=SA_API",
            "UserId=sa_api;UserDirectory=INTERNAL",
            "UserDirectory=INTERN%41L; UserId=sa%5Fapi",
            None,
        ],
    )
    def test_header_in_any_spelling_has_all_rights(self, client: Client, value: str | None) -> None:
        assert len(client.call("GET", "virtualproxyconfig", user=value).json()) == 3

    @pytest.mark.parametrize(
        "value", ["nonsense", "", "UserDirectory=;UserId=", "UserDirectory=EXAMPLE;UserId=unknown"]
    )
    def test_unknown_user_gets_an_empty_list(self, client: Client, value: str) -> None:
        headers = {**KEY, "X-Qlik-User": value}
        answer = client.send("GET", "/qrs/virtualproxyconfig", query=f"xrfkey={XRFKEY}", headers=headers)
        assert (answer.status, answer.json()) == (200, [])

    def test_user_without_role_has_no_rights(self, client: Client) -> None:
        anna = "UserDirectory=EXAMPLE;UserId=anna"
        [default] = client.get("virtualproxyconfig/full", filter="defaultVirtualProxy eq true")
        path = f"virtualproxyconfig/{default['id']}"
        assert client.call("GET", "virtualproxyconfig/count", user=anna).json() == {"value": 0}
        assert client.call("GET", "about", user=anna).status == 200
        for method, where in (("GET", path), ("PUT", path), ("DELETE", path), ("POST", "virtualproxyconfig")):
            answer = client.call(method, where, default, user=anna)
            assert (answer.status, answer.text) == (403, "Forbidden"), (method, where)

    def test_audit_admin_may_only_read(self, client: Client) -> None:
        auditor = "UserDirectory=EXAMPLE;UserId=auditor"
        entities = client.call("GET", "virtualproxyconfig/full", user=auditor, privileges="true").json()
        assert [entity["privileges"] for entity in entities] == [["read"]] * 3
        assert client.call("PUT", f"virtualproxyconfig/{entities[0]['id']}", entities[0], user=auditor).status == 403

    def test_user_of_the_proxy_replaces_the_header(self, client: Client) -> None:
        state = {"via_proxy": True, "identity": ("example", "ANNA"), "client_certificate": None}
        headers = {**KEY, "X-Qlik-User": ADMINISTRATOR}
        answer = client.send("GET", "/qrs/tag", query=f"xrfkey={XRFKEY}", headers=headers, state=state)
        assert answer.json() == []

    def test_missing_header_depends_on_switch(self) -> None:
        client = Client({"switches": {"missing_user_header": "403"}})
        assert client.call("GET", "about", user=None).status == 403
        assert client.call("GET", "about").status == 200

    def test_missing_certificate_depends_on_switch(self, client: Client) -> None:
        state = {"client_certificate": None}
        answer = client.send("GET", "/qrs/about", query=f"xrfkey={XRFKEY}", headers=KEY, state=state)
        assert (answer.status, answer.text) == (403, "Forbidden")

    def test_list_without_rights_depends_on_switch(self) -> None:
        client = Client({"switches": {"unauthorized_list": "403"}})
        assert client.call("GET", "tag", user="UserDirectory=EXAMPLE;UserId=anna").status == 403


class TestPath:
    @pytest.mark.parametrize(
        "path",
        ["/qrs/virtualproxyconfig", "/QRS/VirtualProxyConfig/", "/qrs//virtualProxyConfig", "/Qrs/VIRTUALPROXYCONFIG"],
    )
    def test_case_and_extra_slashes_are_ignored(self, client: Client, path: str) -> None:
        assert len(client.send("GET", path, query=f"xrfkey={XRFKEY}", headers=KEY).json()) == 3

    @pytest.mark.parametrize(
        "path",
        ["/", "/jwt/qrs/about", "/qrs", "/qrs/nosuchentity", "/qrs/about/nothing", "/qrs/tag/full/more", "/hub/"],
    )
    def test_unknown_path_is_not_found(self, client: Client, path: str) -> None:
        assert client.send("GET", path, query=f"xrfkey={XRFKEY}", headers=KEY).status == 404

    @pytest.mark.parametrize(
        "path", ["/qrs/../simulator", "/qrs/%2e%2e/about", "/qrs/tag%2Ffull", "/qrs/%ff", "/qrs/%00"]
    )
    def test_unsafe_path_is_refused(self, client: Client, path: str) -> None:
        assert client.send("GET", path, query=f"xrfkey={XRFKEY}", headers=KEY).status == 400

    @pytest.mark.parametrize("status", [405, 404])
    def test_method_that_path_lacks_is_refused(self, status: int) -> None:
        client = Client({"switches": {"missing_route": status}})
        proxy = client.proxy()
        assert client.call("POST", "proxyservice", {}).status == status
        assert client.call("POST", f"proxyservice/{proxy['id']}", proxy).status == status
        assert client.call("DELETE", f"proxyservice/{proxy['id']}").status == status
        assert client.call("POST", "about").status == status


class TestList:
    def test_condensed_lacks_fields_of_full_format(self, client: Client) -> None:
        [condensed] = client.get("virtualproxyconfig", filter="prefix eq 'jwt'")
        [full] = client.get("virtualproxyconfig/full", filter="prefix eq 'jwt'")
        assert full == client.get(f"virtualproxyconfig/{full['id']}")
        only_full = {"createdDate", "modifiedDate", "modifiedByUserName", "schemaPath", "customProperties"}
        assert full.keys() - condensed.keys() == only_full
        assert full.items() >= condensed.items()
        assert full["schemaPath"] == "VirtualProxyConfig"

    def test_proxy_services_have_their_settings(self, client: Client) -> None:
        assert [sorted(proxy) for proxy in client.get("proxyservice")] == [["id", "privileges"]] * 2
        proxy = client.proxy("Rim1")
        assert list(proxy["serverNodeConfiguration"]) == CONDENSED_NODE
        parts = (proxy, proxy["settings"], proxy["settings"]["logVerbosity"])
        assert len({(part["id"], part["createdDate"], part["modifiedDate"]) for part in parts}) == 1
        assert [part["schemaPath"] for part in parts] == [
            "ProxyService",
            "ProxyService.Settings",
            "ProxyService.Settings.LogVerbosity",
        ]
        assert [one["prefix"] for one in proxy["settings"]["virtualProxies"]] == [""]

    def test_nodes_have_their_fields(self, client: Client) -> None:
        central, rim = client.get("servernodeconfiguration")
        assert list(central) == CONDENSED_NODE
        assert [role["definition"] for role in central["roles"]] == [0, 1, 2, 3, 4, 5]
        assert (central["name"], central["hostName"], central["serviceCluster"]["name"]) == (
            "Central",
            "localhost",
            "ServiceCluster",
        )
        assert (rim["name"], rim["hostName"], rim["roles"]) == ("Rim1", "127.0.0.1", [])
        assert client.get("servernodeconfiguration/local")["isCentral"] is True
        assert client.get("proxyservice/local") == client.proxy("Central")

    def test_local_node_depends_on_switch(self) -> None:
        client = Client({"switches": {"local_node": "container"}})
        assert client.get("servernodeconfiguration/local")["configuration"]["isCentral"] is True

    def test_count_depends_on_switch(self, client: Client) -> None:
        assert client.get("virtualproxyconfig/count") == {"value": 3}
        assert client.get("virtualproxyconfig/count", filter="authenticationMethod eq JWT") == {"value": 2}
        assert Client({"switches": {"count_body": "number"}}).get("tag/count") == 3

    def test_privileges_are_listed_on_request(self, client: Client) -> None:
        assert {tag["privileges"] for tag in client.get("tag")} == {None}
        assert client.get("tag", privileges="True")[0]["privileges"] == ["create", "read", "update", "delete"]

    @pytest.mark.parametrize(
        ("orderby", "expected"),
        [
            ("name asc", ["ansible", "embedding", "production"]),
            ("NAME DESC", ["production", "embedding", "ansible"]),
            ("name", ["ansible", "embedding", "production"]),
            ("modifiedByUserName desc,name desc", ["production", "embedding", "ansible"]),
        ],
    )
    def test_orderby_sorts_the_list(self, client: Client, orderby: str, expected: list[str]) -> None:
        assert [tag["name"] for tag in client.get("tag", orderby=orderby)] == expected

    @pytest.mark.parametrize("orderby", ["nosuch", "name sideways", "privileges"])
    def test_invalid_orderby_is_refused(self, client: Client, orderby: str) -> None:
        assert client.call("GET", "tag", orderby=orderby).status == 400

    def test_record_limit_cuts_unfiltered_lists(self) -> None:
        client = Client({"switches": {"record_limit": 2}})
        assert len(client.get("tag/full")) == 2
        assert len(client.get("tag/full", filter="name so 'n'")) == 3

    def test_unknown_id_is_not_found(self, client: Client) -> None:
        for entity_id in ("00000000-0000-0000-0000-000000000000", "nonsense"):
            assert client.call("GET", f"virtualproxyconfig/{entity_id}").status == 404

    def test_id_is_case_insensitive(self, client: Client) -> None:
        tag = client.get("tag/full")[0]
        assert client.get(f"tag/{tag['id'].upper()}") == tag

    def test_head_request_succeeds(self, client: Client) -> None:
        assert client.call("HEAD", "tag").status == 200


class TestTable:
    COLUMNS: t.ClassVar = [
        {"name": "id", "columnType": "Property", "definition": "id"},
        {"name": "prefix", "columnType": "Property", "definition": "prefix"},
        {"name": "node", "columnType": "Property", "definition": "loadBalancingServerNodes.name"},
        {"name": "other", "columnType": "Function", "definition": "whatever"},
    ]

    def table(self, client: Client, **query: str) -> list[t.Any]:
        answer = client.call("POST", "virtualproxyconfig/table", {"columns": self.COLUMNS}, **query)
        assert answer.json()["columnNames"] == ["id", "prefix", "node", "other"]
        return [row[1:] for row in answer.json()["rows"]]

    def test_table_has_rows_and_columns(self, client: Client) -> None:
        rows = self.table(client, sortColumn="prefix", orderAscending="false")
        assert rows == [["jwt", [], None], ["embed", [], None], ["", ["Central"], None]]
        assert self.table(client, sortcolumn="prefix", skip="1", take="1") == [["embed", [], None]]
        assert self.table(client, filter="prefix eq 'jwt'") == [["jwt", [], None]]

    @pytest.mark.parametrize(
        "query", [{"sortColumn": "nosuch"}, {"take": "many"}, {"skip": "-1"}, {"take": "99999999999999999999"}]
    )
    def test_malformed_definition_is_refused(self, client: Client, query: dict[str, str]) -> None:
        assert client.call("POST", "tag/table", {"columns": []}, **query).status == 400

    @pytest.mark.parametrize(
        "body", [[], {}, {"columns": [1]}, {"columns": [{"definition": "nosuch"}]}, {"columns": [{"name": "\ud800"}]}]
    )
    def test_malformed_body_is_refused(self, client: Client, body: t.Any) -> None:
        assert client.call("POST", "tag/table", body).status == 400


class TestAbout:
    def test_about_names_the_release(self) -> None:
        about = Client({"release": "november-2024"}).get("about")
        assert about["buildVersion"] == "31.56.1.0"
        assert about["schemaPath"] == "About"

    def test_enums_have_their_values(self, client: Client) -> None:
        enums = client.get("about/api/enums")
        assert enums["AuthenticationMethodEnum"] == {
            "values": [
                "0: Ticket",
                "1: HeaderStaticUserDirectory",
                "2: HeaderDynamicUserDirectory",
                "3: SAML",
                "4: JWT",
                "5: OIDC",
            ],
            "usages": ["VirtualProxyConfig.AuthenticationMethod"],
            "schemaPath": "EnumDescription",
        }
        assert enums["NodePurposeEnum"]["values"][2] == "2: ProductionAndDevelopment"
        assert all(name.endswith("Enum") for name in enums)

    def test_relations_are_listed(self, client: Client) -> None:
        relations = client.get("about/api/relations")
        assert "ProxyService.serverNodeConfiguration > ServerNodeConfiguration" in relations

    def test_description_lists_the_endpoints(self, client: Client) -> None:
        assert "PUT /qrs/proxyservice/{id}" in client.get("about/api/description")
        assert "POST /qrs/proxyservice" not in client.get("about/api/description")
        extended = client.get("about/api/description", extended="true", method="delete")
        assert json.loads(extended[0]).keys() == {"method", "path", "extended"}

    @pytest.mark.parametrize(
        ("method", "path", "types"),
        [
            ("GET", "/qrs/tag", "[bodytype=Void, returntype=IList<Tag>]"),
            ("GET", "/qrs/app/object/count", "[bodytype=Void, returntype=Int32]"),
            ("PUT", "/qrs/tag/{id}", "[bodytype=Tag, returntype=Tag]"),
            ("POST", "/qrs/tag/table", "[bodytype=TableDefinition, returntype=Table]"),
            ("POST", "/qrs/selection/tag", "[bodytype=Object, returntype=Selection]"),
            ("DELETE", "/qrs/tag/{id}", "[bodytype=Void, returntype=Void]"),
        ],
    )
    def test_description_has_the_types(self, client: Client, method: str, path: str, types: str) -> None:
        extended = client.get("about/api/description", extended="true", method=method)
        assert json.dumps({"method": method, "path": path, "extended": types}) in extended

    def test_default_equals_a_new_entity(self, client: Client) -> None:
        default = client.get("about/api/default/virtualproxyconfig")
        created = client.create_virtual_proxy("plain")
        own = {"id", "createdDate", "modifiedDate", "modifiedByUserName", "prefix", "description"}
        for name in created.keys() - own - {"sessionCookieHeaderName"}:
            assert default[name] == created[name], name
        client.call("DELETE", f"virtualproxyconfig/{created['id']}")
        assert client.get("about/api/default").keys() >= {"VirtualProxyConfig", "ProxyService", "Tag"}

    def test_openapi_lists_the_endpoints(self, client: Client) -> None:
        document = client.get("about/openapi/main")
        assert document["info"]["version"] == "38.35.0"
        assert document["components"]["schemas"]["VirtualProxyConfig"]["required"] == ["sessionCookieHeaderName"]
        assert "/qrs/virtualproxyconfig/{id}" in document["paths"]


class TestQueryString:
    @pytest.mark.parametrize(
        "query",
        ["filter=name eq 'a & b'", "filter", "filter=", "filter=%20", "filter=+", "filter=name eq 'a'&nonsense"],
    )
    def test_missing_value_is_refused(self, client: Client, query: str) -> None:
        answer = client.send("GET", "/qrs/tag", query=f"xrfkey={XRFKEY}&{query}", headers=KEY)
        assert (answer.status, answer.text) == (400, "Missing parameter value(s)")

    @pytest.mark.parametrize("query", ["filter=name eq '%ff'", "filter=id eq 1&filter=id eq 2", "%ff=1"])
    def test_malformed_value_is_refused(self, client: Client, query: str) -> None:
        assert client.send("GET", "/qrs/tag", query=f"xrfkey={XRFKEY}&{query}", headers=KEY).status == 400

    def test_plus_and_percent_20_are_blanks(self, client: Client) -> None:
        for blank in ("+", "%20", " "):
            query = f"FILTER=name eq 'jwt' or name eq 'ansible'&xrfkey={XRFKEY}".replace(" ", blank)
            assert len(client.send("GET", "/qrs/tag", query=query, headers=KEY).json()) == 1


@pytest.mark.parametrize(
    ("form", "expected"),
    [("text", "Not Found"), ("json_string", '"Not Found"'), ("json_object", '{"message":"Not Found"}')],
)
def test_refusal_format_depends_on_switch(form: str, expected: str) -> None:
    assert Client({"switches": {"error_body": form}}).call("GET", "nosuchentity").text == expected
