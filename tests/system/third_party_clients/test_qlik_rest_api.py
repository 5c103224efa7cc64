# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the Qlik Proxy Service API (QPS) with qlik-rest-api: tickets and sessions."""

from __future__ import annotations

import typing as t
import uuid

import pytest
from clients import QlikRestApi
from virtual_proxies import good

from qlik_sense_simulator.testing import RunningSite

ADMIN = {"UserDirectory": "EXAMPLE", "UserId": "admin", "Attributes": []}


@pytest.fixture
def client(connect_qlik_rest_api: t.Callable[..., QlikRestApi], site: RunningSite) -> QlikRestApi:
    """Return a client of the QPS of the first proxy."""
    client = connect_qlik_rest_api()
    client.move(site.ready["nodes"][0]["qps_url"], service="proxy")
    return client


def test_ticket_is_valid_once(client: QlikRestApi, site: RunningSite) -> None:
    """The client stores no cookie, so its second request needs another ticket."""
    ticket = good(client.post("ticket", ADMIN))["Ticket"]
    client.move(site.ready["nodes"][0]["proxy_url"], credentials={"ticket": ticket})
    assert good(client.get("about"))["schemaPath"] == "About"
    assert "Log in" in good(client.get("about"))


def test_session_is_valid_until_it_is_deleted(client: QlikRestApi, site: RunningSite) -> None:
    session = {**ADMIN, "SessionId": str(uuid.uuid4())}
    assert good(client.post("session", session))["SessionId"] == session["SessionId"]
    assert session["SessionId"] in [one["SessionId"] for one in good(client.get("user/EXAMPLE/admin"))]
    credentials = {"cookieHeaderName": "X-Qlik-Session", "sessionId": session["SessionId"]}
    proxy = site.ready["nodes"][0]
    client.move(proxy["proxy_url"], credentials=credentials)
    assert good(client.get("about"))["schemaPath"] == "About"
    client.move(proxy["qps_url"], service="proxy")
    assert client.delete(f"session/{session['SessionId']}").status == 200
    client.move(proxy["proxy_url"], credentials=credentials)
    assert "Log in" in good(client.get("about"))
