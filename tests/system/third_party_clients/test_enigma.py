# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine's websocket through a JWT virtual proxy, with enigma.js: by header on releases before November 2024, by
cookie and csrf token from then on. It sends no Origin."""

from __future__ import annotations

import typing as t

import pytest
from clients import ClientError
from enigma import Enigma, SignedIn
from virtual_proxies import token

from qlik_sense_simulator.proxy.sessions import PARALLEL_SESSIONS
from qlik_sense_simulator.releases import RELEASES
from qlik_sense_simulator.testing import RunningSite

OLD, NEW = "may-2024", "may-2025"
# What enigma.js says when the upgrade is refused is what ws says.
REFUSED = "Unexpected server response: {}"
Start = t.Callable[..., RunningSite]
Connect = t.Callable[[RunningSite], Enigma]


def by_header(secret: str) -> dict[str, t.Any]:
    """How to open a websocket with a token, the older way."""
    return {"headers": {"Authorization": f"Bearer {secret}"}}


def by_cookie(signed_in: SignedIn, **headers: str) -> dict[str, t.Any]:
    """How to open a websocket with a session, the newer way."""
    return {
        "headers": {"Cookie": signed_in.cookie, **headers},
        "query": {"qlik-csrf-token": signed_in.csrf_token or ""},
    }


def states(said: list[tuple[str, dict[str, t.Any]]]) -> list[t.Any]:
    """Return the session states among notifications."""
    return [content["qSessionState"] for name, content in said if name == "OnConnected"]


def assert_refused(client: Enigma, status: int, **manner: t.Any) -> None:
    with pytest.raises(ClientError, match=REFUSED.format(status)):
        client.open(**manner)


@pytest.fixture(scope="module")
def release(request: pytest.FixtureRequest) -> str:
    return t.cast("str", request.param)


@pytest.fixture(scope="module")
def switches(request: pytest.FixtureRequest) -> dict[str, t.Any]:
    return getattr(request, "param", {})


@pytest.fixture(scope="module")
def site(start: Start, release: str, switches: dict[str, t.Any]) -> RunningSite:
    return start(release, **switches)


@pytest.fixture(scope="module")
def client(connect_enigma: Connect, site: RunningSite) -> Enigma:
    return connect_enigma(site)


@pytest.fixture
def signed_in(client: Enigma, site: RunningSite) -> t.Iterator[SignedIn]:
    """Anna, who is signed out afterwards."""
    signed_in = client.sign_in(token(site, "anna"))
    yield signed_in
    client.sign_out(signed_in.cookie)


@pytest.fixture
def manner(client: Enigma, site: RunningSite, release: str, signed_in: SignedIn) -> dict[str, t.Any]:
    """How Anna opens a websocket on this release."""
    return by_header(token(site, "anna")) if release == OLD else by_cookie(signed_in)


def only(*releases: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("release", releases, indirect=True, scope="module")


def switched(*all_switches: dict[str, t.Any]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("switches", all_switches, indirect=True, scope="module")


@only(OLD, NEW)
class TestEveryRelease:
    def test_handshake(self, client: Enigma, manner: dict[str, t.Any]) -> None:
        (first, information), (second, state) = client.open(**manner)
        assert (first, second) == ("OnAuthenticationInformation", "OnConnected")
        assert information.items() >= {"userId": "anna", "userDirectory": "EXAMPLE", "mustAuthenticate": False}.items()
        assert state == {"qSessionState": "SESSION_CREATED"}
        client.pipe.call("close")

    @pytest.mark.parametrize("delta", [True, False])
    def test_probes(self, client: Enigma, manner: dict[str, t.Any], release: str, delta: bool) -> None:
        """Twice, since with deltas the second answer says that nothing has changed."""
        client.open(**manner, delta=delta)
        for _time in range(2):
            assert client.call("productVersion") == RELEASES[release].build_version
            assert client.call("engineVersion")["qComponentVersion"].startswith("12.")
            assert client.call("getDocList") == []
            assert client.call("getAuthenticatedUser") == "UserDirectory=EXAMPLE; UserId=anna"
            assert client.call("isDesktopMode") is False
        client.pipe.call("close")

    @pytest.mark.parametrize(
        "address", [{"appId": "b9a1e2a4-1f0c-4f9e-a5a8-3d4f0f3f5b11"}, {"identity": "me", "ttl": 5}, {"ttl": 0}]
    )
    def test_addresses(self, client: Enigma, manner: dict[str, t.Any], address: dict[str, t.Any]) -> None:
        assert states(client.open(**manner, **address)) == ["SESSION_CREATED"]
        client.pipe.call("close")

    def test_errors_of_the_engine(self, client: Enigma, manner: dict[str, t.Any]) -> None:
        client.open(**manner)
        with pytest.raises(ClientError, match="App not found"):
            client.call("openDoc", "b9a1e2a4-1f0c-4f9e-a5a8-3d4f0f3f5b11")
        assert client.call("getDocList") == []
        client.pipe.call("close")

    def test_a_second_websocket_is_attached(
        self, client: Enigma, manner: dict[str, t.Any], release: str, connect_enigma: Connect, site: RunningSite
    ) -> None:
        """With a session of its own each, as a header without a cookie brings, there is nothing to attach to."""
        client.open(**manner)
        other = connect_enigma(site)
        assert states(other.open(**manner)) == ["SESSION_CREATED" if release == OLD else "SESSION_ATTACHED"]
        other.pipe.call("close")
        client.pipe.call("close")

    def test_suspend_and_resume(self, client: Enigma, manner: dict[str, t.Any]) -> None:
        client.open(**manner)
        client.pipe.call("suspendAndResume")
        assert client.call("getDocList") == []
        client.pipe.call("close")

    def test_signing_out_ends_it(self, client: Enigma, site: RunningSite, release: str) -> None:
        secret = token(site, "auditor")
        signed_in = client.sign_in(secret)
        client.open(**(by_header(secret) if release == OLD else by_cookie(signed_in)))
        assert client.sign_out(signed_in.cookie) == 200
        assert client.pipe.call("untilTheEnd")[-1][0] == "OnSessionLoggedOut"

    @pytest.mark.parametrize(("seconds", "key"), [(-600, "client_key"), (600, "server_key")], ids=["expired", "forged"])
    def test_tokens_that_are_refused(
        self, client: Enigma, site: RunningSite, release: str, seconds: int, key: str
    ) -> None:
        secret = token(site, "anna", seconds=seconds, key=key)
        assert client.sign_in(secret) == SignedIn("", None, 401)
        assert_refused(client, 401 if release == OLD else 403, **by_header(secret))

    def test_prefix_that_does_not_exist(self, client: Enigma, manner: dict[str, t.Any]) -> None:
        assert_refused(client, 400, **manner, prefix="/nowhere")

    def test_too_many_sessions(self, client: Enigma, site: RunningSite, release: str) -> None:
        """Each request with a header and without a cookie begins a session."""
        secret = token(site, "admin")
        several = [client.sign_in(secret) for _number in range(PARALLEL_SESSIONS + 1)]
        last = by_header(secret) if release == OLD else by_cookie(several[-1])
        assert client.open(**last)[-1][0] == "OnMaxParallelSessionsExceeded"
        assert client.sign_out(several[0].cookie) == 200


@only(OLD)
class TestBeforeNovember2024:
    def test_there_is_no_csrf_token(self, client: Enigma, site: RunningSite) -> None:
        """What a newer client asks for all the same, and sends in vain, does no harm."""
        secret = token(site, "anna")
        signed_in = client.sign_in(secret)
        assert (signed_in.status, signed_in.csrf_token) == (404, None)
        assert states(client.open(**by_header(secret), query={"qlik-csrf-token": "null"})) == ["SESSION_CREATED"]
        client.pipe.call("close")
        assert client.sign_out(signed_in.cookie) == 200

    def test_anonymous_users_need_no_login(self, client: Enigma) -> None:
        [(name, content)] = client.open()
        assert name == "OnAuthenticationInformation"
        assert content["mustAuthenticate"] is True
        assert content["loginUri"].startswith(client.origin)


@only(NEW)
class TestFromNovember2024:
    def test_without_the_csrf_token(self, client: Enigma, signed_in: SignedIn) -> None:
        manner = by_cookie(signed_in)
        assert_refused(client, 403, headers=manner["headers"])
        assert_refused(client, 403, headers=manner["headers"], query={"qlik-csrf-token": "wrong"})

    def test_the_csrf_token_as_a_header(self, client: Enigma, signed_in: SignedIn) -> None:
        manner = by_cookie(signed_in, **{"qlik-csrf-token": signed_in.csrf_token or ""})
        assert_refused(client, 403, headers=manner["headers"])

    def test_without_a_cookie(self, client: Enigma, signed_in: SignedIn) -> None:
        manner = by_cookie(signed_in)
        assert_refused(client, 403, query=manner["query"])

    @switched({"websocket_origin": "required"})
    def test_where_an_origin_is_required(self, client: Enigma, signed_in: SignedIn) -> None:
        assert_refused(client, 403, **by_cookie(signed_in))

    def test_with_the_cookie_of_another_user(self, client: Enigma, site: RunningSite, signed_in: SignedIn) -> None:
        other = client.sign_in(token(site, "auditor"))
        assert_refused(client, 403, **by_cookie(signed_in._replace(cookie=other.cookie)))
        assert client.sign_out(other.cookie) == 200

    @switched({}, {"websocket_authorization": "allowed"})
    def test_as_in_the_example_by_qlik(
        self, client: Enigma, site: RunningSite, signed_in: SignedIn, switches: dict[str, t.Any]
    ) -> None:
        """It sends header and csrf token, but no cookie. Others report that this is refused: hence the switch."""
        manner = by_header(token(site, "anna")) | {"query": {"qlik-csrf-token": signed_in.csrf_token}}
        if switches:
            assert states(client.open(**manner)) == ["SESSION_CREATED"]
            client.pipe.call("close")
        else:
            assert_refused(client, 403, **manner)


@only(NEW)
@switched({"access_pass": False})
def test_without_a_license(client: Enigma, manner: dict[str, t.Any]) -> None:
    name, content = client.open(**manner)[-1]
    assert name == "OnLicenseAccessDenied"
    assert content["message"] == "Access to the app is denied: No available access type"
