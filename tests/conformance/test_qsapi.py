# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What qsAPI offers beyond plain calls, as far as the simulated site has the entities."""

from __future__ import annotations

import typing as t

import pytest
from clients import QsApi


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
