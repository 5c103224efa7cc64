# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Websockets of a running site: who may open one, its messages, and its end."""

from __future__ import annotations

import contextlib
import json
import pathlib
import ssl
import typing as t

import pytest
import requests
import signing
import websocket
from running import Simulator

COOKIE = "X-Qlik-Session-jwt"
OLD, NEW = "may-2024", "november-2024"
_TIMEOUT = 60.0


class UserAgent:
    """A user with a token at one proxy of a site."""

    def __init__(self, site: Simulator, **claims: t.Any) -> None:
        self.token = signing.token(**claims)
        self.url = f"{site.ready['nodes'][0]['proxy_url']}/jwt"
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = str(site.pki / "proxy_root.pem")
        self.origin = site.ready["nodes"][0]["proxy_url"]

    def log_in(self) -> t.Self:
        headers = {"Authorization": f"Bearer {self.token}"}
        assert self.session.get(f"{self.url}/hub/", headers=headers, timeout=_TIMEOUT).status_code == 200
        return self

    def log_out(self) -> None:
        assert self.session.delete(f"{self.url}/qps/user", timeout=_TIMEOUT).status_code == 200

    @property
    def csrf_token(self) -> str:
        return self.session.get(f"{self.url}/qps/csrftoken", timeout=_TIMEOUT).headers["qlik-csrf-token"]

    def open(
        self,
        path: str = "app/engineData",
        *,
        origin: str | None = "",
        header: bool = False,
        csrf_token: str = "",
        headers: t.Sequence[str] = (),
    ) -> websocket.WebSocket:
        """Open a websocket with the session cookie. The origin is the site for "", and none for None."""
        query = f"?qlik-csrf-token={csrf_token}" if csrf_token else ""
        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.session.cookies)
        return websocket.create_connection(
            f"wss{self.url.removeprefix('https')}/{path}{query}",
            timeout=_TIMEOUT,
            sslopt={"ca_certs": self.session.verify, "cert_reqs": ssl.CERT_REQUIRED},
            cookie=cookies or None,
            origin=self.origin if origin == "" else origin,
            suppress_origin=origin is None,
            header=[*headers, *([f"Authorization: Bearer {self.token}"] if header else [])],
            http_no_proxy=["*"],
        )

    def refused(self, path: str = "app/engineData", **manner: t.Any) -> int:
        """Return the status of an upgrade, which must fail."""
        with pytest.raises(websocket.WebSocketBadStatusException) as caught:
            self.open(path, **manner)
        return caught.value.status_code


def read(socket: websocket.WebSocket) -> dict[str, t.Any]:
    """Return the next message."""
    return t.cast("dict[str, t.Any]", json.loads(socket.recv()))


def session_state(socket: websocket.WebSocket) -> str:
    """Return the session state that follows the information about the user."""
    information = read(socket)
    assert information["method"] == "OnAuthenticationInformation"
    assert information["params"]["mustAuthenticate"] is False
    message = read(socket)
    return f"{message['method']} {message['params'].get('qSessionState', '')}".strip()


def call(socket: websocket.WebSocket, method: str, **more: t.Any) -> dict[str, t.Any]:
    """Call a method and return the response."""
    socket.send(json.dumps({"jsonrpc": "2.0", "id": 7, "handle": -1, "method": method, "params": [], **more}))
    answer = read(socket)
    assert answer["id"] == 7
    return answer


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[t.Callable[..., Simulator]]:
    """Start sites, one for each combination of release and switches."""
    running: dict[str, Simulator] = {}
    with contextlib.ExitStack() as stack:

        def started(release: str, **switches: t.Any) -> Simulator:
            name = json.dumps([release, switches])
            if name not in running:
                proxy = {
                    "prefix": "jwt",
                    "sessionCookieHeaderName": COOKIE,
                    "authenticationMethod": 4,
                    "jwtAttributeUserId": "userId",
                    "jwtAttributeUserDirectory": "userDirectory",
                    "jwtPublicKeyCertificate": signing.certificate(),
                    "loadBalancingServerNodes": ["Central"],
                    "websocketCrossOriginWhiteList": ["portal.example"],
                    "proxies": ["Central", "Rim1"],
                }
                idle = {**proxy, "prefix": "idle", "sessionCookieHeaderName": "X-Idle", "loadBalancingServerNodes": []}
                site = {"release": release, "switches": switches, "virtual_proxies": [proxy, idle]}
                directory: pathlib.Path = tmp_path_factory.mktemp("websocket") / "site"
                running[name] = stack.enter_context(Simulator(directory, site))
            return running[name]

        yield started


@pytest.fixture
def ada(start: t.Callable[..., Simulator]) -> t.Iterator[UserAgent]:
    """Return a signed-in user at a site with csrf protection of websockets."""
    person = UserAgent(start(NEW), userId="ada").log_in()
    yield person
    person.log_out()


class TestUpgrade:
    def test_cookie_csrf_token_and_origin_open_the_websocket(self, ada: UserAgent) -> None:
        socket = ada.open(csrf_token=ada.csrf_token)
        information = read(socket)
        assert information["params"] == {
            "userId": "ada",
            "userDirectory": "LAB",
            "logoutUri": f"{ada.url}/qps/user",
            "mustAuthenticate": False,
        }
        assert read(socket)["params"] == {"qSessionState": "SESSION_CREATED"}
        socket.close()

    @pytest.mark.parametrize("path", ["APP/an-id", "app/an-id/identity/me", "app/engineData/identity/me/ttl/5"])
    def test_engine_path_opens_the_websocket(self, ada: UserAgent, path: str) -> None:
        assert session_state(ada.open(path, csrf_token=ada.csrf_token)) == "OnConnected SESSION_CREATED"

    @pytest.mark.parametrize("path", ["app", "hub", "app/a/b", "app/a/color/red", "app/a/ttl/long", ""])
    def test_path_without_engine_is_not_found(self, ada: UserAgent, path: str) -> None:
        assert ada.refused(path, csrf_token=ada.csrf_token) == 404

    def test_unsafe_path_is_refused(self, ada: UserAgent) -> None:
        assert ada.refused("app/..%2fhub", csrf_token=ada.csrf_token) == 400

    def test_unknown_prefix_is_refused(self, ada: UserAgent) -> None:
        ada.url, url = ada.url.replace("/jwt", "/nowhere"), ada.url
        assert ada.refused() == 400
        ada.url = url

    def test_missing_csrf_token_is_refused(self, ada: UserAgent) -> None:
        assert ada.refused() == 403
        assert ada.refused(csrf_token="wrong") == 403
        assert ada.refused(headers=[f"qlik-csrf-token: {ada.csrf_token}"]) == 403

    def test_missing_cookie_is_refused(self, ada: UserAgent) -> None:
        token = ada.csrf_token
        cookies = ada.session.cookies.copy()
        ada.session.cookies.clear()
        assert ada.refused(csrf_token=token) == 403
        assert ada.refused(csrf_token=token, header=True) == 403
        ada.session.cookies.update(cookies)

    def test_csrf_token_of_another_session_is_refused(self, ada: UserAgent, start: t.Callable[..., Simulator]) -> None:
        other = UserAgent(start(NEW), userId="other").log_in()
        assert ada.refused(csrf_token=other.csrf_token) == 403
        other.log_out()

    def test_additional_header_is_ignored(self, ada: UserAgent) -> None:
        assert session_state(ada.open(csrf_token=ada.csrf_token, header=True)) == "OnConnected SESSION_CREATED"

    @pytest.mark.parametrize("origin", ["https://evil.example", "null", "portal.example", "ftp://portal.example"])
    def test_foreign_origin_is_refused(self, ada: UserAgent, origin: str | None) -> None:
        assert ada.refused(csrf_token=ada.csrf_token, origin=origin) == 403

    @pytest.mark.parametrize(
        "origin", ["https://portal.example", "http://PORTAL.example:8080", "https://localhost", None]
    )
    def test_origin_on_host_allow_list_or_none_is_accepted(self, ada: UserAgent, origin: str | None) -> None:
        assert session_state(ada.open(csrf_token=ada.csrf_token, origin=origin)) == "OnConnected SESSION_CREATED"

    def test_request_log_has_no_token(self, ada: UserAgent, start: t.Callable[..., Simulator]) -> None:
        token = ada.csrf_token
        ada.open(csrf_token=token).close()
        entries = start(NEW).control("GET", "requests").json()["requests"]
        assert [entry for entry in entries if entry["method"] == "WEBSOCKET" and entry["status"] == 101]
        assert token not in json.dumps(entries)


class TestBefore2024:
    def test_header_signs_in_and_sets_the_cookie(self, start: t.Callable[..., Simulator]) -> None:
        person = UserAgent(start(OLD))
        socket = person.open(header=True, origin=None)
        assert session_state(socket) == "OnConnected SESSION_CREATED"
        assert (socket.getheaders() or {})["set-cookie"].startswith(f"{COOKIE}=")

    def test_cookie_alone_is_accepted(self, start: t.Callable[..., Simulator]) -> None:
        person = UserAgent(start(OLD)).log_in()
        assert session_state(person.open()) == "OnConnected SESSION_CREATED"
        assert session_state(person.open("app/b", csrf_token="whatever")) == "OnConnected SESSION_CREATED"
        person.log_out()

    def test_invalid_token_is_refused(self, start: t.Callable[..., Simulator]) -> None:
        assert UserAgent(start(OLD), exp=1).refused(header=True) == 401

    def test_foreign_origin_is_refused(self, start: t.Callable[..., Simulator]) -> None:
        assert UserAgent(start(OLD)).refused(header=True, origin="https://evil.example") == 403

    def test_request_without_credentials_must_authenticate(self, start: t.Callable[..., Simulator]) -> None:
        person = UserAgent(start(OLD))
        assert read(person.open())["params"] == {"loginUri": f"{person.url}/hub/", "mustAuthenticate": True}
        assert UserAgent(start(OLD, websocket_asks_to_sign_in=False)).refused() == 401


class TestSwitches:
    def test_header_is_allowed_by_switch(self, start: t.Callable[..., Simulator]) -> None:
        person = UserAgent(start(NEW, websocket_authorization="allowed")).log_in()
        token = person.csrf_token
        cookies = person.session.cookies.copy()
        person.session.cookies.clear()
        assert session_state(person.open(header=True, csrf_token=token)) == "OnConnected SESSION_CREATED"
        assert person.refused(header=True) == 403
        person.token = "no.good.token"
        assert person.refused(header=True, csrf_token=token) == 401
        person.session.cookies.update(cookies)
        person.log_out()

    def test_header_is_refused_by_switch(self, start: t.Callable[..., Simulator]) -> None:
        person = UserAgent(start(NEW, websocket_authorization="refused")).log_in()
        assert person.refused(header=True, csrf_token=person.csrf_token) == 403
        assert session_state(person.open(csrf_token=person.csrf_token)) == "OnConnected SESSION_CREATED"

    def test_missing_origin_is_refused_by_switch(self, start: t.Callable[..., Simulator]) -> None:
        person = UserAgent(start(NEW, websocket_origin="required")).log_in()
        assert person.refused(csrf_token=person.csrf_token, origin=None) == 403
        assert session_state(person.open(csrf_token=person.csrf_token)) == "OnConnected SESSION_CREATED"

    def test_any_origin_is_accepted_by_switch(self, start: t.Callable[..., Simulator]) -> None:
        person = UserAgent(start(NEW, websocket_origin="ignored")).log_in()
        assert person.open(csrf_token=person.csrf_token, origin="https://evil.example").getstatus() == 101

    def test_first_message_is_delayed_by_switch(self, start: t.Callable[..., Simulator]) -> None:
        person = UserAgent(start(NEW, websocket_greeting="first_message")).log_in()
        socket = person.open(csrf_token=person.csrf_token)
        socket.send(json.dumps({"jsonrpc": "2.0", "id": 1, "handle": -1, "method": "OSName", "params": []}))
        assert session_state(socket) == "OnConnected SESSION_CREATED"
        assert read(socket) == {"jsonrpc": "2.0", "id": 1, "result": {"qReturn": "Windows"}}


class TestRefusals:
    def test_sixth_session_is_refused(self, start: t.Callable[..., Simulator]) -> None:
        users = [UserAgent(start(NEW), userId="many").log_in() for _number in range(6)]
        states = [session_state(person.open(csrf_token=person.csrf_token)) for person in users]
        assert states == ["OnConnected SESSION_CREATED"] * 5 + ["OnMaxParallelSessionsExceeded"]
        users[0].log_out()

    def test_missing_license_is_refused(self, start: t.Callable[..., Simulator]) -> None:
        person = UserAgent(start(NEW, access_pass=False)).log_in()
        socket = person.open(csrf_token=person.csrf_token)
        assert session_state(socket) == "OnLicenseAccessDenied"
        assert socket.recv() == ""
        person = UserAgent(start(NEW, access_pass=False, websocket_refusal="session_state")).log_in()
        assert session_state(person.open(csrf_token=person.csrf_token)) == "OnConnected SESSION_ERROR_NO_LICENSE"

    def test_session_state_refuses_by_switch(self, start: t.Callable[..., Simulator]) -> None:
        site = start(NEW, websocket_refusal="session_state")
        person = [UserAgent(site, userId="many").log_in() for _number in range(6)][-1]
        assert session_state(person.open(csrf_token=person.csrf_token)) == "OnConnected SESSION_ERROR_LIMIT_EXCEEDED"

    def test_missing_load_balancing_node_is_reported(self, ada: UserAgent, start: t.Callable[..., Simulator]) -> None:
        person = UserAgent(start(NEW), userId="idler")
        person.url = person.url.replace("/jwt", "/idle")
        person.log_in()
        assert session_state(person.open(csrf_token=person.csrf_token)) == "OnNoEngineAvailable"


class TestConnection:
    def test_logout_closes_the_websocket(self, start: t.Callable[..., Simulator]) -> None:
        person = UserAgent(start(NEW), userId="leaver").log_in()
        socket = person.open(csrf_token=person.csrf_token)
        assert session_state(socket) == "OnConnected SESSION_CREATED"
        person.log_out()
        assert read(socket)["method"] == "OnSessionLoggedOut"
        assert socket.recv() == ""

    def test_reload_closes_the_websocket(self, start: t.Callable[..., Simulator]) -> None:
        site = start(NEW, reload_drops_sessions="all")
        person = UserAgent(site, userId="dropped").log_in()
        socket = person.open(csrf_token=person.csrf_token)
        assert session_state(socket) == "OnConnected SESSION_CREATED"
        entity = site.qrs("GET", "virtualproxyconfig/full", params={"filter": "prefix eq 'idle'"}).json()[0]
        entity["description"] = "changed"
        assert site.qrs("PUT", f"virtualproxyconfig/{entity['id']}", entity).status_code == 200
        assert read(socket)["method"] == "OnSessionClosed"

    def test_second_websocket_is_attached(self, ada: UserAgent) -> None:
        first = ada.open("app/one", csrf_token=ada.csrf_token)
        assert session_state(first) == "OnConnected SESSION_CREATED"
        assert session_state(ada.open("app/ONE", csrf_token=ada.csrf_token)) == "OnConnected SESSION_ATTACHED"
        assert session_state(ada.open("app/one/identity/x", csrf_token=ada.csrf_token)) == "OnConnected SESSION_CREATED"

    def test_binary_message_closes_the_websocket(self, ada: UserAgent) -> None:
        socket = ada.open(csrf_token=ada.csrf_token)
        session_state(socket)
        socket.send_binary(b"\x00")
        opcode, content = socket.recv_data()
        assert (opcode, int.from_bytes(content[:2])) == (websocket.ABNF.OPCODE_CLOSE, 1003)


class TestEngine:
    @pytest.fixture
    def socket(self, ada: UserAgent) -> websocket.WebSocket:
        socket = ada.open(csrf_token=ada.csrf_token)
        assert session_state(socket).startswith("OnConnected")
        return socket

    @pytest.mark.parametrize(
        ("method", "result"),
        [
            ("GetDocList", {"qDocList": []}),
            ("IsDesktopMode", {"qReturn": False}),
            ("OSName", {"qReturn": "Windows"}),
            ("ProductVersion", {"qReturn": "31.56.1.0"}),
            ("GetAuthenticatedUser", {"qReturn": "UserDirectory=LAB; UserId=ada"}),
            ("EngineVersion", {"qVersion": {"qComponentVersion": "12.31.56.1.0"}}),
        ],
    )
    def test_global_methods_return_results(
        self, socket: websocket.WebSocket, method: str, result: dict[str, t.Any]
    ) -> None:
        assert call(socket, method) == {"jsonrpc": "2.0", "id": 7, "result": result}

    def test_delta_returns_changes(self, socket: websocket.WebSocket) -> None:
        first = call(socket, "OSName", delta=True)
        assert first["delta"] is True
        assert first["result"] == {"qReturn": [{"op": "add", "path": "/", "value": "Windows"}]}
        assert call(socket, "OSName", delta=True)["result"] == {"qReturn": []}
        assert call(socket, "GetDocList", delta=True)["result"]["qDocList"][0]["value"] == []

    @pytest.mark.parametrize(
        ("more", "code"),
        [
            ({"method": "NoSuchMethod"}, -32601),
            ({"method": "OpenDoc", "params": ["an-id"]}, 1003),
            ({"method": "GetDocList", "handle": 5}, -32602),
            ({"method": "GetDocList", "params": "none"}, -32602),
            ({"method": None}, -32600),
        ],
    )
    def test_invalid_call_is_an_error(self, socket: websocket.WebSocket, more: dict[str, t.Any], code: int) -> None:
        method = more.pop("method")
        assert call(socket, method, **more)["error"]["code"] == code

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("{", -32700),
            ("[" * 100_000, -32700),
            ("[]", -32600),
            ("{}", -32600),
            ('{"id": 1e999}', -32600),
            ('{"id": NaN}', -32700),
            ("", -32700),
        ],
    )
    def test_text_that_is_not_a_request_is_an_error(self, socket: websocket.WebSocket, text: str, code: int) -> None:
        socket.send(text)
        assert read(socket)["error"]["code"] == code
        assert call(socket, "OSName")["result"] == {"qReturn": "Windows"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Simulator]:
    """Yield a site whose engine has a port of its own."""
    nodes = [{"name": "Central", "host_name": "localhost", "is_central": True, "engine_port": 0}]
    with Simulator(tmp_path_factory.mktemp("engine") / "site", {"nodes": nodes}) as running:
        yield running


class TestEnginePort:
    """The engine's own port, where a client certificate and X-Qlik-User take the place of a virtual proxy."""

    def open(self, running: Simulator, path: str, **certificate: str) -> websocket.WebSocket:
        return websocket.create_connection(
            f"wss{running.ready['nodes'][0]['engine_url'].removeprefix('https')}/{path}",
            timeout=_TIMEOUT,
            sslopt={"ca_certs": str(running.pki / "root.pem"), "cert_reqs": ssl.CERT_REQUIRED, **certificate},
            header=["X-Qlik-User: UserDirectory=INTERNAL; UserId=sa_engine"],
            http_no_proxy=["*"],
        )

    def test_certificate_opens_it(self, running: Simulator) -> None:
        pair = {"certfile": str(running.pki / "client.pem"), "keyfile": str(running.pki / "client_key.pem")}
        socket = self.open(running, "app/engineData", **pair)
        assert read(socket) == {
            "jsonrpc": "2.0",
            "method": "OnConnected",
            "params": {"qSessionState": "SESSION_CREATED"},
        }
        call = {"jsonrpc": "2.0", "id": 1, "handle": -1, "method": "GetAuthenticatedUser", "params": []}
        socket.send(json.dumps(call))
        assert read(socket)["result"]["qReturn"] == "UserDirectory=INTERNAL; UserId=sa_engine"
        socket.close()
        with pytest.raises(websocket.WebSocketBadStatusException, match="404"):
            self.open(running, "hub", **pair)

    def test_certificate_is_required(self, running: Simulator) -> None:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            self.open(running, "app/engineData")

    @pytest.mark.parametrize("path", ["healthcheck", "engine/healthcheck/"])
    def test_health(self, running: Simulator, path: str) -> None:
        answer = running.session.get(f"{running.ready['nodes'][0]['engine_url']}/{path}", timeout=_TIMEOUT)
        assert (answer.status_code, answer.json()["saturated"]) == (200, False)

    def test_bad_path_is_refused(self, running: Simulator) -> None:
        answer = running.session.get(f"{running.ready['nodes'][0]['engine_url']}/a%2Fb", timeout=_TIMEOUT)
        assert answer.status_code == 400
