# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the methods of qsAPI beyond plain calls, as far as the simulated site has the entities."""

from __future__ import annotations

import typing as t

import pytest
from clients import ClientError, QsApi
from virtual_proxies import PASSWORD, good, jwt_body


@pytest.fixture(scope="session")
def client(connect_qsapi: t.Callable[..., QsApi]) -> QsApi:
    return connect_qsapi()


def test_about_is_returned(client: QsApi) -> None:
    assert client.pipe.call("getAbout")["schemaPath"] == "About"


def test_description_lists_the_endpoints(client: QsApi) -> None:
    assert "PUT /qrs/proxyservice/{id}" in client.pipe.call("getDescription")


def test_enums_are_listed(client: QsApi) -> None:
    assert "AuthenticationMethodEnum" in client.pipe.call("getEnum")


@pytest.mark.parametrize(("kind", "expected"), [("tag", 1), ("user", 0)])
def test_entities_are_counted(client: QsApi, kind: str, expected: int) -> None:
    assert client.pipe.call("count", kind, "name eq 'ansible'") == expected


def test_custom_property_has_its_choices(client: QsApi) -> None:
    [owner] = client.pipe.call("PropertiesGet", "name eq 'Owner'")
    assert owner["choiceValues"] == ["Platform", "Analytics"]


def test_tags_are_returned_by_name(client: QsApi) -> None:
    tags = client.pipe.call("TagsDictAttributes")
    assert tags.keys() >= {"ansible", "embedding", "production"}
    assert all(len(tag_id) == 36 for tag_id in tags.values())


def test_user_is_found_by_filter_and_by_id(client: QsApi) -> None:
    [user] = client.pipe.call("UserGet", "full", "userId eq 'auditor' and userDirectory eq 'EXAMPLE'")
    assert user["roles"] == ["AuditAdmin"]
    assert client.pipe.call("UserGet", user["id"]) == user


class TestWindowsAuthentication:
    """Without a certificate, qsAPI uses a password and sends a User-Agent that contains Windows."""

    def test_password_session_changes_a_virtual_proxy(
        self, client: QsApi, connect_qsapi: t.Callable[..., QsApi], prefix: str
    ) -> None:
        """A save ends the session. The next write without a session is lost, because after signing in the client
        repeats it as a GET. So the test signs in with a GET before it deletes."""
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
        """The client parses the refusal as JSON."""
        with pytest.raises(ClientError, match="JSONDecodeError"):
            connect_qsapi(("EXAMPLE", "admin"), password="wrong")
