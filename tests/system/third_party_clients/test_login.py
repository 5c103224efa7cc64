# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Create and link a JWT virtual proxy, and log in through it with a token, with each client that supports tokens."""

from __future__ import annotations

import typing as t

import pytest
from clients import Client, ProxyLogin
from curl import Curl
from virtual_proxies import PASSWORD, good, jwt_body, proxies, set_links, token

from qlik_sense_simulator.testing import RunningSite

# qsAPI cannot send a token; test_qsapi.py tests its other login.
CLIENTS = ["qrs_interact", "qlik_rest_api", "curl"]
each_client = pytest.mark.parametrize("connect", CLIENTS, indirect=True, scope="session")
Connect = t.Callable[..., Client]


@pytest.fixture
def virtual_proxy(client: Client, prefix: str, site: RunningSite) -> dict[str, t.Any]:
    """Create a JWT virtual proxy with this client, linked to all proxies."""
    nodes = [{"id": node["id"]} for node in good(client.get("servernodeconfiguration"))]
    certificate = (site.pki / "client.pem").read_text()
    body = jwt_body(prefix, jwtPublicKeyCertificate=certificate, loadBalancingServerNodes=nodes)
    entity: dict[str, t.Any] = good(client.post("virtualproxyconfig", body))
    for proxy in proxies(client):
        good(set_links(client, proxy, [*proxy["settings"]["virtualProxies"], {"id": entity["id"]}]))
    return entity


@pytest.fixture
def log_in(connect: Connect, site: RunningSite, virtual_proxy: dict[str, t.Any]) -> t.Callable[..., Client]:
    """Return a function that creates clients that log in through the virtual proxy of a node."""

    def log_in(user_id: str, *, seconds: int = 600, node: int = 0) -> Client:
        url = site.ready["nodes"][node]["proxy_url"]
        secret = token(site, user_id, seconds=seconds)
        return connect(login=ProxyLogin(url=url, prefix=virtual_proxy["prefix"], token=secret))

    return log_in


@each_client
class TestEveryClient:
    @pytest.mark.parametrize("node", [0, 1])
    def test_token_logs_in_on_each_node(self, log_in: t.Callable[..., Client], node: int) -> None:
        session = log_in("admin", node=node)
        assert good(session.get("about"))["schemaPath"] == "About"
        assert "JWT" in str(good(session.get("about/api/enums")))

    def test_virtual_proxy_is_changed_without_a_certificate(self, log_in: t.Callable[..., Client], prefix: str) -> None:
        session = log_in("admin")
        entity = good(session.post("virtualproxyconfig", jwt_body(f"{prefix}2")))
        assert entity["createdDate"] == entity["modifiedDate"]
        assert entity["modifiedByUserName"] == "EXAMPLE\\admin"
        changed = good(session.put(f"virtualproxyconfig/{entity['id']}", {**entity, "description": "other"}))
        [found] = good(session.get("virtualproxyconfig/full", filter=f"prefix eq '{prefix}2'"))
        assert found == changed
        assert good(session.get("virtualproxyconfig/count", filter="description eq 'other'")) == {"value": 1}
        assert session.delete(f"virtualproxyconfig/{entity['id']}").status == 204

    def test_session_has_the_rights_of_its_user(self, log_in: t.Callable[..., Client], prefix: str) -> None:
        auditor, guest = log_in("auditor"), log_in("anna")
        assert good(auditor.get("virtualproxyconfig", filter=f"prefix eq '{prefix}'"))[0]["prefix"] == prefix
        assert auditor.post("virtualproxyconfig", jwt_body(f"{prefix}2")).status == 403
        assert guest.get("virtualproxyconfig") == (200, [])

    def test_expired_tokens_are_refused(self, log_in: t.Callable[..., Client]) -> None:
        assert log_in("admin", seconds=-600).get("about").status == 401

    def test_unlinked_virtual_proxies_refuse_logins(
        self, client: Client, log_in: t.Callable[..., Client], virtual_proxy: dict[str, t.Any]
    ) -> None:
        session = log_in("admin")
        assert session.get("about").status == 200
        for proxy in proxies(client):
            others = [one for one in proxy["settings"]["virtualProxies"] if one["id"] != virtual_proxy["id"]]
            good(set_links(client, proxy, others))
        assert session.get("about").status == 400


@pytest.mark.parametrize("connect", ["curl"], indirect=True, scope="session")
class TestCurl:
    def test_hub_shows_the_user(self, log_in: t.Callable[..., Curl]) -> None:
        session = log_in("admin")
        assert "Ada Admin" in good(session.page("hub"))
        assert good(session.page("qps/user"))["userId"] == "admin"

    def test_cookie_replaces_the_token(self, log_in: t.Callable[..., Curl], prefix: str) -> None:
        session = log_in("admin")
        assert session.get("about").status == 200
        assert f"X-Qlik-Session-{prefix}" in session.cookies.read_text()
        session.forget_token()
        assert session.get("about").status == 200
        session.cookies.unlink()
        assert session.get("about").status == 401

    def test_windows_password_is_accepted_or_refused(self, client: Curl) -> None:
        """Follow Qlik's example. With another User-Agent, the response is a form, which is no error."""
        done = client.with_password("about", user="EXAMPLE\\admin", password=PASSWORD, agent="Windows")
        assert good(done)["schemaPath"] == "About"
        assert client.with_password("about", user="EXAMPLE\\admin", password="wrong", agent="Windows").status == 401
        form = client.with_password("about", user="EXAMPLE\\admin", password=PASSWORD, agent="curl")
        assert "Log in" in good(form)
