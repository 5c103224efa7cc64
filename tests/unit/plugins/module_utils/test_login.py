# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import json
import threading
import time
import typing as t

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from ansible_collections.sensible.qlik.plugins.module_utils._login.runner import (
    OPTIONAL_CHECKS,
    SESSIONS_AT_ONCE,
    Check,
    Endpoint,
    Login,
    Manner,
    prove,
)
from ansible_collections.sensible.qlik.plugins.module_utils._tokens import negative as _forgery
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy.model import VirtualProxy
from ansible_collections.sensible.qlik.tests.unit.plugins.fake_proxy import HUB, FakeProxy, Reply, Request

KEY = rsa.generate_private_key(65537, 2048)
STRANGER = rsa.generate_private_key(65537, 2048)
OTHER_KEY = rsa.generate_private_key(65537, 2048)
CLAIMS = {"userDirectory": "ACME", "userId": "smoke", "email": "secret.person@example.com", "groups": ["Board42"]}
COOKIE_SETTINGS = {"session_cookie_header_name": "X-Qlik-Session-portal"}
SETTINGS = {
    **COOKIE_SETTINGS,
    "additional_response_headers": "X-Frame-Options: DENY\nContent-Security-Policy:  frame-ancestors  https://a.example",
    "websocket_cross_origin_white_list": ["portal.example.com"],
}
ALL = [
    "login", "no_token", "identity", "cookie", "cookie_flags", "response_headers", "host_allow_list", "websocket",
    "forged_token", "wrong_key_token", "expired_token", "wrong_audience_token", "incomplete_token", "other_key_token",
    "logout",
]  # fmt: skip


def token(key: rsa.RSAPrivateKey = KEY, **more: t.Any) -> str:
    now = int(time.time())
    claims = {**CLAIMS, "iat": now - 60, "nbf": now - 60, "exp": now + 300, **more}
    return jwt.encode({name: value for name, value in claims.items() if value is not None}, key, algorithm="RS256")


def login_at(proxy: FakeProxy, **more: t.Any) -> Login:
    ours: dict[str, t.Any] = {
        "proxy": proxy.url,
        "prefix": proxy.prefix,
        "token": token(),
        "to_be_refused": {
            "expired_token": token(exp=int(time.time()) - 300),
            "wrong_audience_token": token(aud="another"),
            "incomplete_token": token(userId=None),
            "other_key_token": token(key=OTHER_KEY),
        },
        "user": ("acme", "Smoke"),  # the repository compares without regard to case
        "virtual_proxy": SETTINGS,
    }
    wanted = {**ours, **more}
    return Login(**{**wanted, "virtual_proxy": VirtualProxy(wanted["virtual_proxy"])})


class Clock:
    """A clock on which only sleeping takes time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.naps: list[float] = []
        self.at_wake: t.Callable[[], None] = lambda: None

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds
        self.at_wake()


@pytest.fixture
def proxy() -> t.Iterator[FakeProxy]:
    with FakeProxy(KEY.public_key()) as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def manner(clock: Clock) -> Manner:
    return Manner(
        verify=True, timeout=(2, 5), wait=0, threads=4, stranger_key=STRANGER, clock=clock, sleep=clock.sleep
    )  # fmt: skip


def prove_one(login: Login, manner: Manner) -> Endpoint:
    [endpoint] = prove([login], manner)
    return endpoint


def statuses(endpoint: Endpoint) -> dict[str, str]:
    return {check["name"]: check["status"] for check in endpoint.checks}


def check_of(endpoint: Endpoint, name: str) -> Check:
    [check] = [check for check in endpoint.checks if check["name"] == name]
    return check


def test_a_login_that_works_passes_every_check_and_leaves_no_session(proxy: FakeProxy, manner: Manner) -> None:
    endpoint = prove_one(login_at(proxy), manner)
    assert statuses(endpoint) == dict.fromkeys(ALL, "passed")
    assert [check["name"] for check in endpoint.checks] == ALL
    assert endpoint.passed
    assert endpoint.response_ms is not None
    assert proxy.sessions == {}
    assert proxy.most_sessions == 1


def test_tokens_and_settings_that_are_not_given_are_skipped_checks(proxy: FakeProxy, manner: Manner) -> None:
    endpoint = prove_one(login_at(proxy, to_be_refused={}, virtual_proxy={}), manner)
    assert [name for name, status in statuses(endpoint).items() if status == "skipped"] == [
        "response_headers", "host_allow_list", "expired_token", "wrong_audience_token", "incomplete_token",
        "other_key_token",
    ]  # fmt: skip
    assert endpoint.passed


def test_the_token_goes_only_where_it_belongs(proxy: FakeProxy, manner: Manner) -> None:
    with FakeProxy(KEY.public_key()) as elsewhere:
        proxy.answer = lambda request: Reply(302, "", (("Location", f"{elsewhere.url}/portal/hub/?ticket=secret"),))
        endpoint = prove_one(login_at(proxy), manner)
    assert elsewhere.requests == []
    assert statuses(endpoint)["login"] == "failed"
    assert "ticket" not in check_of(endpoint, "login")["actual"]


def test_redirects_below_the_prefix_are_followed_and_their_cookies_kept(proxy: FakeProxy, manner: Manner) -> None:
    hops: list[str] = []

    def detour(request: Request) -> Reply | None:
        if request.path == "hub/" and request.token == login.token and not hops:
            hops.append(request.path)
            cookie = proxy._new_session(("ACME", "smoke"))
            return Reply(302, "", (cookie, ("Location", "my/work")))
        return None

    login = login_at(proxy)
    proxy.answer = detour
    endpoint = prove_one(login, manner)
    assert endpoint.passed
    assert hops == ["hub/"]


def test_a_loop_of_redirects_ends(proxy: FakeProxy, manner: Manner) -> None:
    proxy.answer = lambda request: Reply(302, "", (("Location", "/portal/hub/"),))
    endpoint = prove_one(login_at(proxy), manner)
    assert statuses(endpoint)["login"] == "failed"
    assert len(proxy.requests) < 30


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(400, "<html><body>The http request header is incorrect.</body></html>"), "host allow list"),
        (Reply(401, "Could not authenticate the request: no"), "virtual_proxy"),
        (Reply(401, "Could not authenticate the request: Expected an authentication header."), "reverse proxy"),
        (Reply(403, "Your account is inactive. Contact your administrator to activate it."), "Activate"),
        (Reply(404, "no"), "not linked"),
        (Reply(503, "<html>busy</html>"), "restarting"),
        (Reply(200, '{"a": 1}'), "another web server"),
        (Reply(302, "", (("Location", "/internal_forms_authentication/"),)), "not a JWT virtual proxy"),
        (Reply(302, "", (("Location", "/portal/login"),)), "not a JWT virtual proxy"),
    ],
)
def test_a_failed_login_says_why_and_proves_nothing_else(
    proxy: FakeProxy, manner: Manner, reply: Reply, words: str
) -> None:
    proxy.answer = lambda request: reply
    endpoint = prove_one(login_at(proxy), manner)
    found = statuses(endpoint)
    assert found.pop("login") == "failed"
    found.pop("no_token")
    assert set(found.values()) == {"skipped"}
    assert words in (check_of(endpoint, "login")["diagnosis"] or "")


@pytest.mark.parametrize("hosts", [[], ["127.0.0.1"]])
def test_the_advice_is_never_to_link_the_virtual_proxy_to_more_proxies(
    proxy: FakeProxy, manner: Manner, hosts: list[str]
) -> None:
    proxy.answer = lambda request: Reply(400, "<html><body>The http request header is incorrect.</body></html>")
    settings = {"proxies": ["Central"], "websocket_cross_origin_white_list": hosts}
    advice = check_of(prove_one(login_at(proxy, virtual_proxy=settings), manner), "login")["diagnosis"] or ""
    assert "is not linked to this proxy" in advice
    assert "give the proxies as a dictionary by node name" in advice
    assert "Link " not in advice


def test_an_open_door_is_news_even_if_the_login_fails(proxy: FakeProxy, manner: Manner) -> None:
    proxy.answer = lambda request: Reply(401) if request.token else Reply(200, HUB)
    endpoint = prove_one(login_at(proxy), manner)
    assert statuses(endpoint)["no_token"] == "failed"
    assert "without a sign-in" in (check_of(endpoint, "no_token")["diagnosis"] or "")


def test_anonymous_access_that_nobody_declared(proxy: FakeProxy, manner: Manner) -> None:
    def anybody(request: Request) -> Reply | None:
        if (request.method, request.path) == ("GET", "qps/user"):
            return Reply(200, json.dumps({"userDirectory": "NONE", "userId": "anonymous"}))
        return Reply(200, HUB)

    proxy.answer = anybody
    endpoint = prove_one(login_at(proxy), manner)
    for name in ("no_token", "forged_token", "wrong_key_token", "expired_token"):
        assert "anonymous_access_mode" in (check_of(endpoint, name)["diagnosis"] or "")
    assert "ignores tokens" in (check_of(endpoint, "identity")["diagnosis"] or "")


def test_somebody_in_front_who_signs_everybody_in(proxy: FakeProxy, manner: Manner) -> None:
    def everybody_is_smoke(request: Request) -> Reply | None:
        if (request.method, request.path) == ("GET", "qps/user"):
            return Reply(200, json.dumps({"userDirectory": "ACME", "userId": "smoke"}))
        return Reply(200, HUB)

    proxy.answer = everybody_is_smoke
    endpoint = prove_one(login_at(proxy), manner)
    assert "in front of Qlik Sense" in (check_of(endpoint, "no_token")["diagnosis"] or "")
    assert "not verified" in (check_of(endpoint, "wrong_key_token")["diagnosis"] or "")


@pytest.mark.parametrize("status", [403, 302])
def test_a_refusal_need_not_be_401(proxy: FakeProxy, manner: Manner, status: int) -> None:
    def refuse(request: Request) -> Reply | None:
        if request.path == "hub/" and not request.token and not request.cookies:
            return Reply(status, "", (("Location", "https://login.example.com/"),) if status == 302 else ())
        return None

    proxy.answer = refuse
    assert prove_one(login_at(proxy), manner).passed


def test_a_proxy_that_verifies_nothing_is_found_out_and_left_without_sessions(
    proxy: FakeProxy, manner: Manner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def believe(token: str) -> tuple[str, str]:
        claims = jwt.decode(token, options={"verify_signature": False})
        return claims["userDirectory"], claims.get("userId", "smoke")

    monkeypatch.setattr(proxy, "_user_of", believe)
    endpoint = prove_one(login_at(proxy), manner)
    found = statuses(endpoint)
    assert [name for name in ALL if found[name] == "failed"] == [
        "forged_token", "wrong_key_token", "expired_token", "wrong_audience_token", "incomplete_token",
        "other_key_token",
    ]  # fmt: skip
    assert "signature" in (check_of(endpoint, "forged_token")["diagnosis"] or "")
    assert "clock" in (check_of(endpoint, "expired_token")["diagnosis"] or "")
    assert "jwt_audience" in (check_of(endpoint, "wrong_audience_token")["diagnosis"] or "")
    assert "mandatory" in (check_of(endpoint, "incomplete_token")["diagnosis"] or "")
    assert "both keys" in (check_of(endpoint, "other_key_token")["diagnosis"] or "")
    assert proxy.sessions == {}


@pytest.mark.parametrize(
    ("headers", "fault"),
    [
        ((), "X-Frame-Options is missing, Content-Security-Policy is missing"),
        ((("X-Frame-Options", "SAMEORIGIN"), ("Content-Security-Policy", "frame-ancestors https://a.example")),
         "differ: X-Frame-Options is SAMEORIGIN."),
    ],
)  # fmt: skip
def test_headers_that_are_not_as_configured(
    proxy: FakeProxy, manner: Manner, headers: tuple[tuple[str, str], ...], fault: str
) -> None:
    proxy.headers = headers
    endpoint = prove_one(login_at(proxy), manner)
    assert [name for name, status in statuses(endpoint).items() if status == "failed"] == ["response_headers"]
    assert fault in (check_of(endpoint, "response_headers")["diagnosis"] or "")


def test_a_header_that_a_claim_occurs_in_is_still_compared(proxy: FakeProxy, manner: Manner) -> None:
    proxy.headers = (("X-Team", "Board42"),)
    settings = {"additional_response_headers": "X-Team: Board42"}
    endpoint = prove_one(login_at(proxy, virtual_proxy=settings), manner)
    assert statuses(endpoint)["response_headers"] == "passed"
    assert "Board42" not in json.dumps(endpoint.checks)


@pytest.mark.parametrize(
    ("hosts", "words"),
    [
        (("127.0.0.1",), "'portal.example.com' is on the host allow list, and"),
        (("127.0.0.1", "portal.example.com", "not-on-the-host-allow-list.invalid"), "pages of any site"),
    ],
)
def test_a_host_allow_list_that_is_not_as_configured(
    proxy: FakeProxy, manner: Manner, hosts: tuple[str, ...], words: str
) -> None:
    proxy.hosts = hosts
    endpoint = prove_one(login_at(proxy), manner)
    assert [name for name, status in statuses(endpoint).items() if status == "failed"] == ["host_allow_list"]
    assert words in (check_of(endpoint, "host_allow_list")["diagnosis"] or "")
    assert proxy.sessions == {}


def test_checks_can_be_left_out(proxy: FakeProxy, manner: Manner) -> None:
    endpoint = prove_one(login_at(proxy), dataclasses.replace(manner, skip=frozenset(OPTIONAL_CHECKS)))
    found = statuses(endpoint)
    assert [name for name in found if found[name] == "passed"] == ["login", "logout"]
    assert list(found) == ALL
    assert len(proxy.requests) == 3


@pytest.mark.parametrize("status", [400, 404, 302])
def test_where_it_is_not_linked_it_has_to_be_unknown(proxy: FakeProxy, manner: Manner, status: int) -> None:
    location = (("Location", "/login/"),) if status == 302 else ()
    proxy.answer = lambda request: Reply(status, "", location)
    endpoint = prove_one(login_at(proxy, linked=False), manner)
    assert statuses(endpoint) == {"not_linked": "passed"}
    assert len(proxy.requests) == 1


def test_where_it_is_still_linked_it_is_said_and_logged_out(proxy: FakeProxy, manner: Manner) -> None:
    endpoint = prove_one(login_at(proxy, linked=False), manner)
    assert statuses(endpoint) == {"not_linked": "failed", "logout": "passed"}
    assert "the links in the repository differ" in (check_of(endpoint, "not_linked")["diagnosis"] or "")
    assert proxy.sessions == {}


@pytest.mark.parametrize("status", [401, 403, 503])
def test_other_answers_do_not_show_that_it_is_not_linked(proxy: FakeProxy, manner: Manner, status: int) -> None:
    proxy.answer = lambda request: Reply(status, "no")
    assert statuses(prove_one(login_at(proxy, linked=False), manner)) == {"not_linked": "failed"}


def test_the_wrong_person_is_noticed(proxy: FakeProxy, manner: Manner) -> None:
    endpoint = prove_one(login_at(proxy, user=("ACME", "somebody")), manner)
    assert [check["name"] for check in endpoint.checks if check["status"] == "failed"] == ["identity"]
    assert check_of(endpoint, "identity")["actual"] == "ACME\\smoke"
    assert proxy.sessions == {}


def test_nobody_to_expect_is_no_success(proxy: FakeProxy, manner: Manner) -> None:
    endpoint = prove_one(login_at(proxy, user=("", "")), manner)
    assert statuses(endpoint)["identity"] == "failed"
    assert "user_directory and user_id" in (check_of(endpoint, "identity")["diagnosis"] or "")


def test_html_instead_of_the_user(proxy: FakeProxy, manner: Manner) -> None:
    proxy.answer = lambda request: (
        Reply(200, "<html/>") if (request.path, request.method) == ("qps/user", "GET") else None
    )
    endpoint = prove_one(login_at(proxy), manner)
    assert statuses(endpoint)["identity"] == "failed"
    assert "HTML" in (check_of(endpoint, "identity")["diagnosis"] or "")


def test_no_cookie_at_all(proxy: FakeProxy, manner: Manner) -> None:
    known = json.dumps({"userDirectory": "ACME", "userId": "smoke"})
    login = login_at(proxy)
    proxy.answer = lambda request: (
        Reply(200, HUB if request.path == "hub/" else known) if request.token == login.token else None
    )
    endpoint = prove_one(login, manner)
    failed = [check for check in endpoint.checks if check["status"] == "failed"]
    assert [check["name"] for check in failed] == ["cookie", "cookie_flags"]
    assert "set no session cookie" in (failed[0]["diagnosis"] or "")
    assert statuses(endpoint)["logout"] == "skipped"


def test_a_cookie_for_another_domain_is_not_kept(proxy: FakeProxy, manner: Manner) -> None:
    proxy.attributes = "Path=/; HttpOnly; Domain=example.com"
    endpoint = prove_one(login_at(proxy), manner)
    assert "another domain" in (check_of(endpoint, "cookie")["diagnosis"] or "")


@pytest.mark.parametrize(
    ("settings", "attributes", "word"),
    [
        ({"has_secure_attribute_http": True}, "Path=/; HttpOnly", "Secure is missing"),
        ({"same_site_attribute_http": "lax"}, "Path=/; HttpOnly; SameSite=Strict", "SameSite is Strict"),
        ({"same_site_attribute_http": "no_attribute"}, "Path=/; HttpOnly; SameSite=Lax", "SameSite is Lax"),
        ({"session_cookie_header_name": "X-Other"}, "Path=/; HttpOnly", "no cookie X-Other"),
        ({"session_cookie_custom_path": "/portal"}, "Path=/; HttpOnly", "Path is /"),
        ({}, "Path=/", "HttpOnly is missing"),
        ({}, "Path=/; HttpOnly; SameSite=None", "browsers drop"),
    ],
)
def test_a_cookie_that_is_not_as_configured(
    proxy: FakeProxy, manner: Manner, settings: dict[str, t.Any], attributes: str, word: str
) -> None:
    proxy.attributes = attributes
    endpoint = prove_one(login_at(proxy, virtual_proxy={**COOKIE_SETTINGS, **settings}), manner)
    failed = [check for check in endpoint.checks if check["status"] == "failed"]
    assert [check["name"] for check in failed] == ["cookie_flags"]
    assert word in (failed[0]["diagnosis"] or "")


def test_anonymous_access_has_to_work_where_it_is_configured(proxy: FakeProxy, manner: Manner) -> None:
    def let_anybody_in(request: Request) -> Reply | None:
        somebody = request.token == login.token or request.cookies
        if request.path == "hub/" and not somebody:
            return Reply(200, HUB)
        if (request.method, request.path) == ("GET", "qps/user") and not somebody:
            return Reply(200, json.dumps({"userDirectory": "NONE", "userId": "anonymous"}))
        return None

    settings = {**COOKIE_SETTINGS, "anonymous_access_mode": "allow_anonymous"}
    login = login_at(proxy, virtual_proxy=settings)
    refused = prove_one(login, manner)
    assert [check["name"] for check in refused.checks if check["status"] == "failed"] == ["no_token"]
    proxy.answer = let_anybody_in
    granted = prove_one(login, manner)
    assert granted.passed
    assert check_of(granted, "no_token")["actual"] == "200 with HTML, as NONE\\anonymous"


def test_a_logout_that_does_not_work(proxy: FakeProxy, manner: Manner) -> None:
    proxy.answer = lambda request: Reply(204) if request.method == "DELETE" else None
    endpoint = prove_one(login_at(proxy), manner)
    assert [check["name"] for check in endpoint.checks if check["status"] == "failed"] == ["logout"]


def test_a_logout_that_wants_a_csrf_token_gets_it(proxy: FakeProxy, manner: Manner) -> None:
    def strict(request: Request) -> Reply | None:
        if request.path == "qps/csrftoken":
            return Reply(204, "", (("qlik-csrf-token", "abcd-1234"),))
        if request.method == "DELETE" and request.headers.get("qlik-csrf-token") != "abcd-1234":
            return Reply(403, "CSRF token missing")
        return None

    proxy.answer = strict
    assert prove_one(login_at(proxy), manner).passed
    assert proxy.sessions == {}


# --- Waiting


def test_it_waits_until_the_change_works(proxy: FakeProxy, manner: Manner, clock: Clock) -> None:
    outcomes: t.Iterator[Reply | None] = iter([Reply(400, "<html/>"), Reply(503), Reply(401)])
    now: list[Reply | None] = [next(outcomes)]
    clock.at_wake = lambda: now.__setitem__(0, next(outcomes, None))
    proxy.answer = lambda request: now[0]
    endpoint = prove_one(login_at(proxy), dataclasses.replace(manner, wait=120))
    assert endpoint.passed
    assert clock.naps == [1.0, 1.5, 2.25]
    assert endpoint.seconds_waited == sum(clock.naps)


def test_it_gives_up_when_the_time_is_over(proxy: FakeProxy, manner: Manner, clock: Clock) -> None:
    proxy.answer = lambda request: Reply(503)
    endpoint = prove_one(login_at(proxy), dataclasses.replace(manner, wait=60))
    assert not endpoint.passed
    assert sum(clock.naps) == 60
    assert max(clock.naps) <= 10


def test_it_waits_for_cookie_settings_and_opens_a_fresh_session_for_them(
    proxy: FakeProxy, manner: Manner, clock: Clock
) -> None:
    settings = {**COOKIE_SETTINGS, "same_site_attribute_http": "strict"}
    clock.at_wake = lambda: setattr(proxy, "attributes", "Path=/; HttpOnly; SameSite=Strict")
    endpoint = prove_one(login_at(proxy, virtual_proxy=settings), dataclasses.replace(manner, wait=60))
    assert endpoint.passed
    assert clock.naps == [1.0]
    assert proxy.most_sessions == 1
    assert proxy.sessions == {}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"token": token(exp=1_700_000_000)}, "expired"),
        (
            {"token": token(userId=None, userid="smoke"), "virtual_proxy": {"jwt_attribute_user_id": "userId"}},
            "capitals",
        ),
        ({"token": jwt.encode(CLAIMS, "x" * 32, algorithm="HS256")}, "HS256"),
    ],
)
def test_it_does_not_wait_for_a_token_that_cannot_be_accepted(
    proxy: FakeProxy, manner: Manner, clock: Clock, more: dict[str, t.Any], words: str
) -> None:
    endpoint = prove_one(login_at(proxy, **more), dataclasses.replace(manner, wait=60))
    assert clock.naps == []
    assert words in (check_of(endpoint, "login")["diagnosis"] or "")


def test_unknown_claim_names_are_not_held_against_a_token(proxy: FakeProxy, manner: Manner) -> None:
    proxy.answer = lambda request: Reply(401)
    custom = token(userId=None, userDirectory=None, user="smoke", directory="ACME")
    endpoint = prove_one(login_at(proxy, token=custom), manner)
    assert "userId" not in (check_of(endpoint, "login")["diagnosis"] or "")


def test_a_certificate_of_another_key_is_named(proxy: FakeProxy, manner: Manner, clock: Clock, other_pem: str) -> None:
    proxy.key = STRANGER.public_key()
    settings = {"jwt_public_key_certificate": other_pem}
    endpoint = prove_one(login_at(proxy, virtual_proxy=settings), dataclasses.replace(manner, wait=60))
    assert clock.naps == []
    assert "signed with another key" in (check_of(endpoint, "login")["diagnosis"] or "")


def test_a_server_clock_that_is_off_is_named(proxy: FakeProxy, manner: Manner) -> None:
    proxy.answer = lambda request: Reply(401)
    ahead = dataclasses.replace(manner, wall_clock=lambda: time.time() - 200)
    endpoint = prove_one(login_at(proxy), ahead)
    assert "ahead of this machine's" in (check_of(endpoint, "login")["diagnosis"] or "")


def test_a_proxy_that_is_down(manner: Manner, clock: Clock) -> None:
    with FakeProxy(KEY.public_key()) as gone:
        login = login_at(gone)
    endpoint = prove_one(login, dataclasses.replace(manner, wait=5))
    assert check_of(endpoint, "login")["actual"] == "The connection was refused."
    assert set(statuses(endpoint).values()) == {"failed", "skipped"}
    assert sum(clock.naps) == 5


def test_https_where_http_is_spoken_ends_at_once(proxy: FakeProxy, manner: Manner, clock: Clock) -> None:
    login = dataclasses.replace(login_at(proxy), proxy=proxy.url.replace("http:", "https:"))
    endpoint = prove_one(login, dataclasses.replace(manner, wait=60))
    assert "does not speak TLS" in check_of(endpoint, "login")["actual"]
    assert clock.naps == []


def test_a_slow_proxy(proxy: FakeProxy, manner: Manner) -> None:
    over = threading.Event()

    def hang(request: Request) -> Reply | None:
        over.wait()
        return None

    proxy.answer = hang
    try:
        endpoint = prove_one(login_at(proxy), dataclasses.replace(manner, timeout=(2, 0.2)))
    finally:
        over.set()
    assert "no complete answer came within the read timeout" in check_of(endpoint, "login")["actual"]


# --- Many logins


def test_a_user_never_has_more_sessions_than_four(proxy: FakeProxy, manner: Manner) -> None:
    logins = [login_at(proxy) for _number in range(SESSIONS_AT_ONCE * 2 + 1)]
    endpoints = prove(logins, dataclasses.replace(manner, threads=32))
    assert [endpoint.login for endpoint in endpoints] == logins
    assert all(endpoint.passed for endpoint in endpoints)
    assert proxy.most_sessions <= SESSIONS_AT_ONCE
    assert proxy.sessions == {}


def test_different_users_do_not_wait_for_each_other(proxy: FakeProxy, manner: Manner) -> None:
    logins = [login_at(proxy, token=token(userId=f"u{n}"), user=("ACME", f"u{n}")) for n in range(12)]
    endpoints = prove(logins, dataclasses.replace(manner, threads=12))
    assert all(endpoint.passed for endpoint in endpoints)
    assert proxy.sessions == {}


def test_sessions_end_even_if_a_check_breaks(proxy: FakeProxy, manner: Manner, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(key: t.Any, token: str) -> str:
        raise RuntimeError

    monkeypatch.setattr(_forgery, "signed_with", broken)
    with pytest.raises(RuntimeError):
        prove([login_at(proxy)], manner)
    assert any(request.method == "DELETE" for request in proxy.requests)
    assert proxy.sessions == {}


# --- Secrets


@pytest.mark.parametrize("content", ["text", "html", "json"])
def test_nothing_that_a_server_echoes_is_shown(proxy: FakeProxy, manner: Manner, content: str) -> None:
    """Even a server that quotes everything it was sent does not get a secret into the result."""

    def echo(request: Request) -> Reply | None:
        if (request.method, request.path) == ("GET", "hub/") and (request.token != login.token or request.cookies):
            said = {**dict(request.headers), "claims": CLAIMS, "part": request.token.rpartition(".")[0]}
            text = json.dumps(said) if content == "json" else "; ".join(f"{k}: {v}" for k, v in said.items())
            text = f"<p>{text}</p>" if content == "html" else text
            return Reply(500, text, (("Set-Cookie", f"{request.token}=1; Domain={request.token}"),))
        return None

    login = login_at(proxy)
    proxy.answer = echo
    shown = json.dumps(prove_one(login, manner).checks)
    cookies = [value for request in proxy.requests for value in request.cookies.values()]
    assert cookies
    secrets = [login.token, *login.to_be_refused.values(), *cookies, CLAIMS["email"], "Board42"]
    secrets += [part for request in proxy.requests for part in request.token.split(".") if part]
    assert [secret for secret in secrets if str(secret) in shown] == []
    assert "***" in shown


def test_what_a_server_says_is_one_printable_line(proxy: FakeProxy, manner: Manner) -> None:
    proxy.answer = lambda request: Reply(500, "a\x00b\x1b[31m\n\nc" + "d" * 5000)
    actual = check_of(prove_one(login_at(proxy), manner), "login")["actual"]
    assert actual.isprintable()
    assert len(actual) < 300


# --- Forgery


def test_a_forged_token_differs_in_the_user_alone() -> None:
    original = token()
    forged = _forgery.forged(original, "userId")
    header, _claims, signature = original.split(".")
    assert forged.startswith(f"{header}.")
    assert forged.endswith(f".{signature}")
    claims = jwt.decode(forged, options={"verify_signature": False})
    assert claims.pop("userId") != "smoke"
    assert claims.items() <= jwt.decode(original, options={"verify_signature": False}).items()


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512"])
def test_a_token_of_a_stranger_is_sound_but_for_the_key(algorithm: str) -> None:
    original = jwt.encode(CLAIMS, KEY, algorithm=algorithm, headers={"kid": "1"})
    signed = _forgery.signed_with(STRANGER, original)
    assert signed.rpartition(".")[0] == original.rpartition(".")[0]
    assert jwt.decode(signed, STRANGER.public_key(), algorithms=[algorithm]) == CLAIMS
