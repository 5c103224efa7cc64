# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""qlik-api-qrs and qlik-api-qps, and the types of a real site that came with them."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
from clients import ClientError, Pouc
from virtual_proxies import jwt_body

USER = {"UserDirectory": "EXAMPLE", "UserId": "anna", "Attributes": [{"Group": "Finance"}]}


@pytest.fixture(scope="module")
def client(connect_pouc: t.Callable[[], Pouc]) -> Pouc:
    return connect_pouc()


@pytest.fixture(scope="module")
def schema(node_modules: pathlib.Path) -> dict[str, t.Any]:
    """Return the schema of a site of 2017, with the endpoints, the types and the enums of its repository."""
    file = node_modules / "qlik-api-qrs-schemas" / "schemas" / "16.5.5.json"
    return t.cast("dict[str, t.Any]", json.loads(file.read_text()))


def functions(tree: dict[str, t.Any]) -> t.Iterator[tuple[str, str]]:
    """Yield the key of each endpoint, such as tag/{id}/get, and the type of its answer."""
    for value in tree.values():
        if isinstance(value.get("key"), list):
            yield "/".join(value["key"]), value["function"]["returntype"]
        else:
            yield from functions(value)


def kind_of(value: t.Any) -> str:
    """Return the JSON type of a value. What is null in one default may be an object in another."""
    return "object" if value is None or isinstance(value, dict) else type(value).__name__


class TestRepository:
    def test_create_read_change_and_delete(self, client: Pouc) -> None:
        created = client.qrs("virtualproxyconfig", "post", jwt_body("pouc"))
        steps = ("virtualproxyconfig", ["id", created["id"]])
        assert client.qrs(*steps, "get") == created
        changed = client.qrs(*steps, "put", {**created, "description": "other"})
        [found] = client.qrs(
            "virtualproxyconfig", "full", "get", {"filter": "prefix eq 'pouc' and description so 'the'"}
        )
        assert found == changed
        assert client.qrs(*steps, "delete")["statusCode"] == 204
        with pytest.raises(ClientError, match="Not Found"):
            client.qrs(*steps, "get")

    @pytest.mark.parametrize("path", ["app", "stream", "systemrule", "reloadtask", "contentlibrary"])
    def test_site_has_no_apps(self, client: Pouc, path: str) -> None:
        assert client.qrs(path, "get") == client.qrs(path, "full", "get") == []

    def test_license_is_empty(self, client: Pouc) -> None:
        assert client.qrs("license", "get")["serial"] == ""
        assert client.qrs("license", "accesstypeinfo", "get")["totalTokens"] == 0


class TestTypes:
    def test_answers_have_the_types_of_the_schema(self, client: Pouc, schema: dict[str, t.Any]) -> None:
        """The client generates a schema from about/api/description, as its author did from a real site."""
        real = dict(functions(schema["qrs"]))
        found = dict(functions(client.qrs("generateSchema")))
        common = real.keys() & found.keys()
        assert len(common) > 100
        assert {key: found[key] for key in common if found[key] != real[key]} == {}

    def test_entities_have_the_types_of_the_schema(self, client: Pouc, schema: dict[str, t.Any]) -> None:
        defaults = client.qrs("about", "api", "default", "get")
        compared = {}
        for name, fields in schema["types"].items():
            entity = defaults.get(name.replace(".", ""))
            if entity is not None:
                compared[name] = {
                    key: (kind_of(entity.get(key)), kind_of(value))
                    for key, value in fields.items()
                    if kind_of(entity.get(key)) != kind_of(value)
                }
        assert {name: differences for name, differences in compared.items() if differences} == {}
        assert len(compared) >= 20

    def test_enums_are_those_of_the_schema(self, client: Pouc, schema: dict[str, t.Any]) -> None:
        found = client.qrs("about", "api", "enums", "get")
        common = found.keys() & schema["enums"].keys()
        assert len(common) == 8
        for name in common:
            values = schema["enums"][name]["values"]
            # OIDC came later.
            assert found[name]["values"][: len(values)] == values, name
            assert set(found[name]["usages"]) <= set(schema["enums"][name]["usages"]), name


class TestProxy:
    def test_ticket(self, client: Pouc) -> None:
        ticket = client.qps("ticket", "post", USER)
        assert (ticket["UserId"], bool(ticket["Ticket"])) == ("anna", True)

    def test_session(self, client: Pouc) -> None:
        session = client.qps("session", "post", {**USER, "SessionId": "a-session-of-pouc"})
        assert client.qps("session", "get", "a-session-of-pouc") == session
        [found] = client.qps("user", "get", "EXAMPLE", "anna")
        assert found["SessionId"] == "a-session-of-pouc"
        [ended] = client.qps("user", "delete", "EXAMPLE", "anna")
        assert ended["SessionId"] == "a-session-of-pouc"
        assert client.qps("user", "get", "EXAMPLE", "anna") == []
