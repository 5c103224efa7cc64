# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Log in with a token: create a JWT virtual proxy, link it, and come in through it, with each client that can."""

from __future__ import annotations

import typing as t

import pytest
from clients import Client, Door
from curl import Curl
from virtual_proxies import PASSWORD, good, jwt_body, proxies, set_links, token

from qlik_sense_simulator.testing import RunningSite

# qsAPI cannot send a token; for what it has instead see test_qsapi.py.
CLIENTS = ["qrs_interact", "qlik_rest_api", "curl"]
each_client = pytest.mark.parametrize("connect", CLIENTS, indirect=True, scope="session")
Connect = t.Callable[..., Client]


@pytest.fixture
def virtual_proxy(client: Client, prefix: str, site: RunningSite) -> dict[str, t.Any]:
    """A JWT virtual proxy that this client made, linked to all proxies."""
    nodes = [{"id": node["id"]} for node in good(client.get("servernodeconfiguration"))]
    certificate = (site.pki / "client.pem").read_text()
    body = jwt_body(prefix, jwtPublicKeyCertificate=certificate, loadBalancingServerNodes=nodes)
    entity: dict[str, t.Any] = good(client.post("virtualproxyconfig", body))
    for proxy in proxies(client):
        good(set_links(client, proxy, [*proxy["settings"]["virtualProxies"], {"id": entity["id"]}]))
    return entity


@pytest.fixture
def enter(connect: Connect, site: RunningSite, virtual_proxy: dict[str, t.Any]) -> t.Callable[..., Client]:
    """Makes clients that come in through the virtual proxy of a node."""

    def enter(user_id: str, *, seconds: int = 600, node: int = 0) -> Client:
        url = site.ready["nodes"][node]["proxy_url"]
        secret = token(site, user_id, seconds=seconds)
        return connect(door=Door(url=url, prefix=virtual_proxy["prefix"], token=secret))

    return enter


@each_client
class TestEveryClient:
    @pytest.mark.parametrize("node", [0, 1])
    def test_comes_in_on_every_node(self, enter: t.Callable[..., Client], node: int) -> None:
        visitor = enter("admin", node=node)
        assert good(visitor.get("about"))["schemaPath"] == "About"
        assert "JWT" in str(good(visitor.get("about/api/enums")))

    def test_administers_without_a_certificate(self, enter: t.Callable[..., Client], prefix: str) -> None:
        visitor = enter("admin")
        entity = good(visitor.post("virtualproxyconfig", jwt_body(f"{prefix}2")))
        assert entity["createdDate"] == entity["modifiedDate"]
        assert entity["modifiedByUserName"] == "EXAMPLE\\admin"
        changed = good(visitor.put(f"virtualproxyconfig/{entity['id']}", {**entity, "description": "other"}))
        [found] = good(visitor.get("virtualproxyconfig/full", filter=f"prefix eq '{prefix}2'"))
        assert found == changed
        assert good(visitor.get("virtualproxyconfig/count", filter="description eq 'other'")) == {"value": 1}
        assert visitor.delete(f"virtualproxyconfig/{entity['id']}").status == 204

    def test_has_the_rights_of_its_user(self, enter: t.Callable[..., Client], prefix: str) -> None:
        auditor, nobody = enter("auditor"), enter("anna")
        assert good(auditor.get("virtualproxyconfig", filter=f"prefix eq '{prefix}'"))[0]["prefix"] == prefix
        assert auditor.post("virtualproxyconfig", jwt_body(f"{prefix}2")).status == 403
        assert nobody.get("virtualproxyconfig") == (200, [])

    def test_stays_out_with_a_token_that_has_expired(self, enter: t.Callable[..., Client]) -> None:
        assert enter("admin", seconds=-600).get("about").status == 401

    def test_stays_out_once_unlinked(
        self, client: Client, enter: t.Callable[..., Client], virtual_proxy: dict[str, t.Any]
    ) -> None:
        visitor = enter("admin")
        assert visitor.get("about").status == 200
        for proxy in proxies(client):
            others = [one for one in proxy["settings"]["virtualProxies"] if one["id"] != virtual_proxy["id"]]
            good(set_links(client, proxy, others))
        assert visitor.get("about").status == 400


@pytest.mark.parametrize("connect", ["curl"], indirect=True, scope="session")
class TestCurl:
    def test_hub(self, enter: t.Callable[..., Curl]) -> None:
        visitor = enter("admin")
        assert "Ada Admin" in good(visitor.page("hub"))
        assert good(visitor.page("qps/user"))["userId"] == "admin"

    def test_cookie_instead_of_the_token(self, enter: t.Callable[..., Curl], prefix: str) -> None:
        visitor = enter("admin")
        assert visitor.get("about").status == 200
        assert f"X-Qlik-Session-{prefix}" in visitor.cookies.read_text()
        visitor.forget_token()
        assert visitor.get("about").status == 200
        visitor.cookies.unlink()
        assert visitor.get("about").status == 401

    def test_windows(self, client: Curl) -> None:
        """As Qlik's example does it. Without that User-Agent there is a form, which is no error."""
        done = client.with_password("about", user="EXAMPLE\\admin", password=PASSWORD, agent="Windows")
        assert good(done)["schemaPath"] == "About"
        assert client.with_password("about", user="EXAMPLE\\admin", password="wrong", agent="Windows").status == 401
        form = client.with_password("about", user="EXAMPLE\\admin", password=PASSWORD, agent="curl")
        assert "Log in" in good(form)
