# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Open the engine's websocket through a JWT virtual proxy with enigma.js: by header on releases before November 2024,
by cookie and csrf token on later releases. It sends no Origin."""

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
# enigma.js reports a refused upgrade with the message of the library ws.
REFUSED = "Unexpected server response: {}"
Start = t.Callable[..., RunningSite]
Connect = t.Callable[[RunningSite], Enigma]


def by_header(secret: str) -> dict[str, t.Any]:
    """Return the options to open a websocket with a token, as releases before November 2024 allow."""
    return {"headers": {"Authorization": f"Bearer {secret}"}}


def by_cookie(signed_in: SignedIn, **headers: str) -> dict[str, t.Any]:
    """Return the options to open a websocket with a session, as releases from November 2024 require."""
    return {
        "headers": {"Cookie": signed_in.cookie, **headers},
        "query": {"qlik-csrf-token": signed_in.csrf_token or ""},
    }


def states(notifications: list[tuple[str, dict[str, t.Any]]]) -> list[t.Any]:
    """Return the session states among notifications."""
    return [content["qSessionState"] for name, content in notifications if name == "OnConnected"]


def assert_refused(client: Enigma, status: int, **options: t.Any) -> None:
    with pytest.raises(ClientError, match=REFUSED.format(status)):
        client.open(**options)


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
    """Yield a session of the user anna, and sign out afterwards."""
    signed_in = client.sign_in(token(site, "anna"))
    yield signed_in
    client.sign_out(signed_in.cookie)


@pytest.fixture
def options(client: Enigma, site: RunningSite, release: str, signed_in: SignedIn) -> dict[str, t.Any]:
    """Return the options for a websocket of the user anna on this release."""
    return by_header(token(site, "anna")) if release == OLD else by_cookie(signed_in)


def only(*releases: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("release", releases, indirect=True, scope="module")


def switched(*all_switches: dict[str, t.Any]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("switches", all_switches, indirect=True, scope="module")


@only(OLD, NEW)
class TestEveryRelease:
    def test_handshake_names_the_user_and_the_session(self, client: Enigma, options: dict[str, t.Any]) -> None:
        (first, information), (second, state) = client.open(**options)
        assert (first, second) == ("OnAuthenticationInformation", "OnConnected")
        assert information.items() >= {"userId": "anna", "userDirectory": "EXAMPLE", "mustAuthenticate": False}.items()
        assert state == {"qSessionState": "SESSION_CREATED"}
        client.pipe.call("close")

    @pytest.mark.parametrize("delta", [True, False])
    def test_global_methods_return_results(
        self, client: Enigma, options: dict[str, t.Any], release: str, delta: bool
    ) -> None:
        """Call each method twice: with deltas, the second response contains no change."""
        client.open(**options, delta=delta)
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
    def test_each_engine_address_creates_a_session(
        self, client: Enigma, options: dict[str, t.Any], address: dict[str, t.Any]
    ) -> None:
        assert states(client.open(**options, **address)) == ["SESSION_CREATED"]
        client.pipe.call("close")

    def test_engine_error_leaves_the_websocket_open(self, client: Enigma, options: dict[str, t.Any]) -> None:
        client.open(**options)
        with pytest.raises(ClientError, match="App not found"):
            client.call("openDoc", "b9a1e2a4-1f0c-4f9e-a5a8-3d4f0f3f5b11")
        assert client.call("getDocList") == []
        client.pipe.call("close")

    def test_a_second_websocket_is_attached(
        self, client: Enigma, options: dict[str, t.Any], release: str, connect_enigma: Connect, site: RunningSite
    ) -> None:
        """On older releases, each header without a cookie creates a session, so no websocket is attached."""
        client.open(**options)
        other = connect_enigma(site)
        assert states(other.open(**options)) == ["SESSION_CREATED" if release == OLD else "SESSION_ATTACHED"]
        other.pipe.call("close")
        client.pipe.call("close")

    def test_websocket_works_after_suspend_and_resume(self, client: Enigma, options: dict[str, t.Any]) -> None:
        client.open(**options)
        client.pipe.call("suspendAndResume")
        assert client.call("getDocList") == []
        client.pipe.call("close")

    def test_logout_closes_the_websocket(self, client: Enigma, site: RunningSite, release: str) -> None:
        secret = token(site, "auditor")
        signed_in = client.sign_in(secret)
        client.open(**(by_header(secret) if release == OLD else by_cookie(signed_in)))
        assert client.sign_out(signed_in.cookie) == 200
        assert client.pipe.call("untilTheEnd")[-1][0] == "OnSessionLoggedOut"

    @pytest.mark.parametrize(("seconds", "key"), [(-600, "client_key"), (600, "server_key")], ids=["expired", "forged"])
    def test_invalid_token_is_refused(
        self, client: Enigma, site: RunningSite, release: str, seconds: int, key: str
    ) -> None:
        secret = token(site, "anna", seconds=seconds, key=key)
        assert client.sign_in(secret) == SignedIn("", None, 401)
        assert_refused(client, 401 if release == OLD else 403, **by_header(secret))

    def test_unknown_prefix_is_refused(self, client: Enigma, options: dict[str, t.Any]) -> None:
        assert_refused(client, 400, **options, prefix="/nowhere")

    def test_sixth_session_is_refused(self, client: Enigma, site: RunningSite, release: str) -> None:
        """Each request with a header and without a cookie creates a session."""
        secret = token(site, "admin")
        several = [client.sign_in(secret) for _number in range(PARALLEL_SESSIONS + 1)]
        last = by_header(secret) if release == OLD else by_cookie(several[-1])
        assert client.open(**last)[-1][0] == "OnMaxParallelSessionsExceeded"
        assert client.sign_out(several[0].cookie) == 200


@only(OLD)
class TestBeforeNovember2024:
    def test_missing_csrf_token_is_accepted(self, client: Enigma, site: RunningSite) -> None:
        """Requesting a csrf token fails, and sending one has no effect."""
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
    def test_missing_or_wrong_csrf_token_is_refused(self, client: Enigma, signed_in: SignedIn) -> None:
        options = by_cookie(signed_in)
        assert_refused(client, 403, headers=options["headers"])
        assert_refused(client, 403, headers=options["headers"], query={"qlik-csrf-token": "wrong"})

    def test_csrf_token_as_a_header_is_refused(self, client: Enigma, signed_in: SignedIn) -> None:
        options = by_cookie(signed_in, **{"qlik-csrf-token": signed_in.csrf_token or ""})
        assert_refused(client, 403, headers=options["headers"])

    def test_missing_cookie_is_refused(self, client: Enigma, signed_in: SignedIn) -> None:
        options = by_cookie(signed_in)
        assert_refused(client, 403, query=options["query"])

    @switched({"websocket_origin": "required"})
    def test_missing_origin_is_refused_where_required(self, client: Enigma, signed_in: SignedIn) -> None:
        assert_refused(client, 403, **by_cookie(signed_in))

    def test_cookie_of_another_user_is_refused(self, client: Enigma, site: RunningSite, signed_in: SignedIn) -> None:
        other = client.sign_in(token(site, "auditor"))
        assert_refused(client, 403, **by_cookie(signed_in._replace(cookie=other.cookie)))
        assert client.sign_out(other.cookie) == 200

    @switched({}, {"websocket_authorization": "allowed"})
    def test_header_without_cookie_depends_on_switch(
        self, client: Enigma, site: RunningSite, signed_in: SignedIn, switches: dict[str, t.Any]
    ) -> None:
        """The example sends header and csrf token, but no cookie. Because others report a refusal, a switch decides."""
        options = by_header(token(site, "anna")) | {"query": {"qlik-csrf-token": signed_in.csrf_token}}
        if switches:
            assert states(client.open(**options)) == ["SESSION_CREATED"]
            client.pipe.call("close")
        else:
            assert_refused(client, 403, **options)


@only(NEW)
@switched({"access_pass": False})
def test_missing_license_is_refused(client: Enigma, options: dict[str, t.Any]) -> None:
    name, content = client.open(**options)[-1]
    assert name == "OnLicenseAccessDenied"
    assert content["message"] == "Access to the app is denied: No available access type"
