# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the third step of Qlik's article in a browser: the hub without a header, with it, and with the cookie alone."""

from __future__ import annotations

import pathlib
import re
import typing as t
import urllib.parse

import pytest
from chromium import Chromium
from playwright.sync_api import BrowserContext, Error, Page, Response
from virtual_proxies import token

from qlik_sense_simulator.testing import RunningSite

OLD, NEW = "may-2024", "may-2025"
COOKIE = "X-Qlik-Session-jwt"
MISSING_HEADER = "Could not authenticate the request: Expected an authentication header."
# Opens a websocket, asks for the product's version, and gives all messages, or how the browser says that it failed.
ASK_ENGINE = """(address) => new Promise((resolve) => {
  const messages = [];
  const socket = new WebSocket(address);
  socket.onclose = (event) => resolve(messages.length ? messages : event.code);
  socket.onmessage = ({ data }) => {
    messages.push(JSON.parse(data));
    if (messages.length === 2)
      socket.send(JSON.stringify({ jsonrpc: "2.0", id: 1, handle: -1, method: "ProductVersion", params: [] }));
    if (messages.length === 3) socket.close();
  };
})"""
GET_TOKEN = """async (address) =>
  (await fetch(address, { credentials: "include" })).headers.get("qlik-csrf-token")"""
GET_USER = "async (address) => (await fetch(address)).json()"
SIGN_OUT = "async (address) => (await fetch(address, { method: 'DELETE' })).status"
ABNORMAL_CLOSURE = 1006


@pytest.fixture(scope="module", params=[NEW])
def site(request: pytest.FixtureRequest, start: t.Callable[..., RunningSite]) -> RunningSite:
    return start(request.param)


@pytest.fixture(scope="module")
def client(chromium: Chromium) -> Chromium:
    return chromium


@pytest.fixture
def context(client: Chromium) -> t.Iterator[BrowserContext]:
    context = client.new_context()
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


@pytest.fixture
def base(site: RunningSite) -> str:
    return f"{site.ready['nodes'][0]['proxy_url']}/jwt"


def visit(page: Page, address: str) -> Response:
    """Open a page, and return the response."""
    response = page.goto(address)
    assert response
    return response


def inject(context: BrowserContext, secret: str | None) -> None:
    """Send a header in each request from now on, or in none, as the browser plug-in of the article does."""
    context.set_extra_http_headers({"Authorization": f"Bearer {secret}"} if secret else {})


def sign_in(page: Page, base: str, secret: str) -> None:
    """Sign in with the header, and continue with the cookie alone."""
    inject(page.context, secret)
    assert visit(page, f"{base}/hub/").status == 200
    inject(page.context, None)


def sign_out(page: Page, base: str) -> None:
    assert page.evaluate(SIGN_OUT, f"{base}/qps/user") == 200


class TestHub:
    def test_hub_without_header_is_refused(self, page: Page, base: str, screenshots: pathlib.Path) -> None:
        assert visit(page, f"{base}/hub").status == 401
        assert page.inner_text("body").strip() == MISSING_HEADER
        page.screenshot(path=screenshots / "hub-without-a-header.png")
        assert page.context.cookies() == []

    def test_header_in_each_request_opens_the_hub(
        self, page: Page, base: str, site: RunningSite, screenshots: pathlib.Path
    ) -> None:
        inject(page.context, token(site, "anna"))
        response = visit(page, f"{base}/hub")
        assert (response.status, page.url) == (200, f"{base}/hub/")
        assert page.inner_text("#user") == "EXAMPLE\\anna"
        assert "Anna Example" in page.inner_text("h1")
        page.screenshot(path=screenshots / "hub-with-the-header.png")
        [cookie] = page.context.cookies()
        assert cookie.items() >= {"name": COOKIE, "httpOnly": True, "secure": True, "path": "/"}.items()
        assert page.evaluate("document.cookie") == ""
        sign_out(page, base)

    def test_cookie_without_header_opens_the_hub(
        self, page: Page, client: Chromium, base: str, site: RunningSite
    ) -> None:
        sign_in(page, base, token(site, "anna"))
        assert visit(page, f"{base}/hub/").status == 200
        assert page.inner_text("#user") == "EXAMPLE\\anna"
        assert page.evaluate(GET_USER, f"{base}/qps/user")["userId"] == "anna"
        other_context = client.new_context()
        assert visit(other_context.new_page(), f"{base}/hub/").status == 401
        other_context.close()
        sign_out(page, base)
        assert visit(page, f"{base}/hub/").status == 401

    @pytest.mark.parametrize(("seconds", "key"), [(-600, "client_key"), (600, "server_key")], ids=["expired", "forged"])
    def test_invalid_token_is_refused(self, page: Page, base: str, site: RunningSite, seconds: int, key: str) -> None:
        inject(page.context, token(site, "anna", seconds=seconds, key=key))
        assert visit(page, f"{base}/hub/").status == 401
        assert "Could not authenticate the request" in page.inner_text("body")
        assert page.context.cookies() == []

    def test_unknown_prefix_is_refused(self, page: Page, base: str) -> None:
        assert visit(page, f"{base}-not/hub/").status == 400
        assert "The http request header is incorrect" in page.inner_text("body")


class TestWebsocket:
    @pytest.mark.parametrize("site", [OLD, NEW], indirect=True, scope="module")
    def test_websocket_from_the_hub_is_opened(self, page: Page, base: str, site: RunningSite) -> None:
        sign_in(page, base, token(site, "anna"))
        address = f"wss{base.removeprefix('https')}/app/engineData"
        secret = page.evaluate(GET_TOKEN, f"{base}/qps/csrftoken")
        messages = page.evaluate(ASK_ENGINE, f"{address}?qlik-csrf-token={secret}" if secret else address)
        assert [message.get("method") for message in messages] == ["OnAuthenticationInformation", "OnConnected", None]
        assert messages[2]["result"]["qReturn"].startswith("31.")
        sign_out(page, base)

    def test_missing_csrf_token_is_refused(self, page: Page, base: str, site: RunningSite) -> None:
        sign_in(page, base, token(site, "anna"))
        address = f"wss{base.removeprefix('https')}/app/engineData"
        assert page.evaluate(ASK_ENGINE, address) == ABNORMAL_CLOSURE
        sign_out(page, base)


class TestPageOfAnotherHost:
    """A page of another host, in a browser with a proxy session: mashups and attacks."""

    @pytest.fixture
    def base(self, site: RunningSite) -> str:
        """Return a site with a host name, so that pages of the same domain send its cookies."""
        port = urllib.parse.urlsplit(site.ready["nodes"][0]["proxy_url"]).port
        return f"https://qlik.example.com:{port}/jwt"

    @pytest.fixture
    def elsewhere(self, page: Page, base: str, site: RunningSite) -> t.Iterator[Page]:
        """Yield a page of another host, in a browser with a proxy session."""
        pages = re.compile(r"https://(portal|evil)\.example\.com/")
        page.context.route(pages, lambda route: route.fulfill(body="<h1>Elsewhere</h1>"))
        # Without it, the browser asks the user for permission to connect to this machine.
        page.context.grant_permissions(["local-network-access"])
        sign_in(page, base, token(site, "anna"))
        yield page
        visit(page, f"{base}/hub/")
        sign_out(page, base)

    def test_only_pages_on_host_allow_list_are_accepted(self, elsewhere: Page, base: str) -> None:
        visit(elsewhere, "https://portal.example.com/")
        secret = elsewhere.evaluate(GET_TOKEN, f"{base}/qps/csrftoken")
        address = f"wss{base.removeprefix('https')}/app/engineData?qlik-csrf-token={secret}"
        assert elsewhere.evaluate(ASK_ENGINE, address)[1]["params"] == {"qSessionState": "SESSION_CREATED"}
        visit(elsewhere, "https://evil.example.com/")
        assert elsewhere.evaluate(ASK_ENGINE, address) == ABNORMAL_CLOSURE

    def test_other_host_cannot_read_the_csrf_token(self, elsewhere: Page, base: str) -> None:
        visit(elsewhere, "https://evil.example.com/")
        with pytest.raises(Error, match="Failed to fetch"):
            elsewhere.evaluate(GET_TOKEN, f"{base}/qps/csrftoken")
