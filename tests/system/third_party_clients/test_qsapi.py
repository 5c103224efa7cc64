# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What qsAPI offers beyond plain calls, as far as the simulated site has the entities."""

from __future__ import annotations

import typing as t

import pytest
from clients import ClientError, QsApi
from virtual_proxies import PASSWORD, good, jwt_body


@pytest.fixture(scope="session")
def client(connect_qsapi: t.Callable[..., QsApi]) -> QsApi:
    return connect_qsapi()


def test_get_about(client: QsApi) -> None:
    assert client.pipe.call("getAbout")["schemaPath"] == "About"


def test_get_description(client: QsApi) -> None:
    assert "PUT /qrs/proxyservice/{id}" in client.pipe.call("getDescription")


def test_get_enum(client: QsApi) -> None:
    assert "AuthenticationMethod" in client.pipe.call("getEnum")


@pytest.mark.parametrize(("kind", "expected"), [("tag", 1), ("user", 0)])
def test_count(client: QsApi, kind: str, expected: int) -> None:
    assert client.pipe.call("count", kind, "name eq 'ansible'") == expected


def test_properties(client: QsApi) -> None:
    [owner] = client.pipe.call("PropertiesGet", "name eq 'Owner'")
    assert owner["choiceValues"] == ["Platform", "Analytics"]


def test_tags_by_name(client: QsApi) -> None:
    tags = client.pipe.call("TagsDictAttributes")
    assert tags.keys() >= {"ansible", "embedding", "production"}
    assert all(len(tag_id) == 36 for tag_id in tags.values())


def test_user(client: QsApi) -> None:
    [user] = client.pipe.call("UserGet", "full", "userId eq 'auditor' and userDirectory eq 'EXAMPLE'")
    assert user["roles"] == ["AuditAdmin"]
    assert client.pipe.call("UserGet", user["id"]) == user


class TestWindowsAuthentication:
    """Without a certificate it has a password, and says in its User-Agent that it is Windows."""

    def test_administers(self, client: QsApi, connect_qsapi: t.Callable[..., QsApi], prefix: str) -> None:
        """A save ends its session. What it sends next without one is lost: after signing in, it asks for the same
        address with GET. So it has to sign in with a GET."""
        session = connect_qsapi(("EXAMPLE", "admin"), password=PASSWORD)
        entity = good(session.post("virtualproxyconfig", jwt_body(prefix)))
        assert entity["modifiedByUserName"] == "EXAMPLE\\admin"
        path = f"virtualproxyconfig/{entity['id']}"
        assert good(session.put(path, {**entity, "description": "lost"}))["description"] == entity["description"]
        assert good(session.put(path, {**entity, "description": "other"}))["description"] == "other"
        good(session.get("about"))
        assert session.delete(path).status == 204
        assert client.get(path).status == 404

    def test_wrong_passwords_are_refused(self, client: QsApi, connect_qsapi: t.Callable[..., QsApi]) -> None:
        """It takes the refusal for JSON."""
        with pytest.raises(ClientError, match="JSONDecodeError"):
            connect_qsapi(("EXAMPLE", "admin"), password="wrong")
