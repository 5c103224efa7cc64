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

from ansible_collections.sensible.qlik.plugins.module_utils._errors import TransportError
from ansible_collections.sensible.qlik.plugins.module_utils._http.qps import Session
from ansible_collections.sensible.qlik.plugins.module_utils._login.checks import OPTIONAL
from ansible_collections.sensible.qlik.plugins.module_utils._login.models import CheckResult, Login, RunOptions
from ansible_collections.sensible.qlik.plugins.module_utils._login.runner import SESSIONS_AT_ONCE, LoginRun, run_logins
from ansible_collections.sensible.qlik.plugins.module_utils._tokens import negative
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy.model import VirtualProxy
from ansible_collections.sensible.qlik.tests.unit.plugins.fake_proxy import HUB, FakeProxy, Reply, Request

KEY = rsa.generate_private_key(65537, 2048)
FOREIGN_KEY = rsa.generate_private_key(65537, 2048)
OTHER_KEY = rsa.generate_private_key(65537, 2048)
CLAIMS = {"userDirectory": "ACME", "userId": "smoke", "email": "secret.person@example.com", "groups": ["Board42"]}
COOKIE_SETTINGS = {"session_cookie_header_name": "X-Qlik-Session-portal"}
SETTINGS = {
    **COOKIE_SETTINGS,
    "additional_response_headers": "X-Frame-Options: DENY\nContent-Security-Policy:  frame-ancestors  https://a.example",
    "websocket_cross_origin_white_list": ["portal.example.com"],
    "jwt_attribute_map": [
        {"jwt_attribute": "email", "sense_attribute": "mail"},
        {"jwt_attribute": "groups", "sense_attribute": "group"},
        {"jwt_attribute": "none", "sense_attribute": "nothing"},
    ],
}
Attributes = tuple[tuple[str, str], ...]
ATTRIBUTES: Attributes = (("mail", "secret.person@example.com"), ("GROUP", "board42"), ("extra", "1"))
ALL = [
    "login", "no_token", "identity", "attributes", "cookie", "stickiness", "cookie_flags", "response_headers",
    "host_allow_list", "websocket",
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
        "negative_tokens": {
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


class SessionApi:
    """The API (QPS) of a proxy, as far as a login check reads it."""

    base = "https://qps"

    def __init__(self, proxy: FakeProxy, attributes: Attributes | None = ATTRIBUTES) -> None:
        self._proxy = proxy
        self._attributes = attributes

    def user_sessions(self, directory: str, name: str) -> list[Session]:
        return [
            Session(value, "\\".join(user), self._attributes)
            for value, user in [("another session", (directory, name)), *self._proxy.sessions.items()]
        ]

    def close(self) -> None:
        pass


class Clock:
    """A clock that only sleep advances."""

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
def run_options(clock: Clock, proxy: FakeProxy) -> RunOptions:
    return RunOptions(
        verify=True, timeout=(2, 5), wait=0, threads=4, foreign_key=FOREIGN_KEY, clock=clock, sleep=clock.sleep,
        session_apis=lambda _prefix, _proxy: [t.cast("t.Any", SessionApi(proxy))],
    )  # fmt: skip


def run_one(login: Login, run_options: RunOptions) -> LoginRun:
    [run] = run_logins([login], run_options)
    return run


def statuses(run: LoginRun) -> dict[str, str]:
    return {check.name: check.status for check in run.results}


def check_of(run: LoginRun, name: str) -> CheckResult:
    [check] = [check for check in run.results if check.name == name]
    return check


def test_a_working_login_passes_all_checks_and_is_ended(proxy: FakeProxy, run_options: RunOptions) -> None:
    run = run_one(login_at(proxy), run_options)
    assert statuses(run) == dict.fromkeys(ALL, "passed")
    assert [check.name for check in run.results] == ALL
    assert run.passed
    assert run.response_ms is not None
    assert proxy.sessions == {}
    assert proxy.most_sessions == 1


def test_checks_without_tokens_or_settings_are_skipped(proxy: FakeProxy, run_options: RunOptions) -> None:
    run = run_one(login_at(proxy, negative_tokens={}, virtual_proxy={}), run_options)
    assert [name for name, status in statuses(run).items() if status == "skipped"] == [
        "response_headers", "host_allow_list", "expired_token", "wrong_audience_token", "incomplete_token",
        "other_key_token",
    ]  # fmt: skip
    assert run.passed


def test_the_token_is_sent_below_the_prefix_only(proxy: FakeProxy, run_options: RunOptions) -> None:
    with FakeProxy(KEY.public_key()) as elsewhere:
        proxy.answer = lambda request: Reply(302, "", (("Location", f"{elsewhere.url}/portal/hub/?ticket=secret"),))
        run = run_one(login_at(proxy), run_options)
    assert elsewhere.requests == []
    assert statuses(run)["login"] == "failed"
    assert "ticket" not in check_of(run, "login").actual


def test_redirects_below_the_prefix_are_followed_with_cookies(proxy: FakeProxy, run_options: RunOptions) -> None:
    hops: list[str] = []

    def detour(request: Request) -> Reply | None:
        if request.path == "hub/" and request.token == login.token and not hops:
            hops.append(request.path)
            cookie = proxy._new_session(("ACME", "smoke"))
            return Reply(302, "", (cookie, ("Location", "my/work")))
        return None

    login = login_at(proxy)
    proxy.answer = detour
    run = run_one(login, run_options)
    assert run.passed
    assert hops == ["hub/"]


def test_redirect_loop_fails_after_a_limit(proxy: FakeProxy, run_options: RunOptions) -> None:
    proxy.answer = lambda request: Reply(302, "", (("Location", "/portal/hub/"),))
    run = run_one(login_at(proxy), run_options)
    assert statuses(run)["login"] == "failed"
    assert len(proxy.requests) < 30


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(400, "<html><body>The http request header is incorrect.</body></html>"), "host allow list"),
        (Reply(401, "Could not authenticate the request: no"), "virtual_proxy"),
        (Reply(401, "Could not authenticate the request: Expected an authentication header."), "reverse proxy"),
        (Reply(403, "Your account is inactive. Contact your administrator to activate it."), "Activate"),
        (Reply(403, "Blocked by rule 4711"), "The server's text is: Blocked by rule 4711. The user is blocked,"),
        (Reply(403, "<html><title>403 Forbidden</title></html>"), "The user is blocked, inactive or has no access"),
        (Reply(400, "<html><h2>Bad Request - Invalid Hostname</h2></html>"), "(HTTP.sys) refuses the host name"),
        (Reply(400, "<html><h2>Bad Request - Request Too Long</h2></html>"), "too long for this server. They have 7"),
        (Reply(431, ""), "Qlik Sense (HTTP.sys) accepts 16384, so a system in front of it has a lower limit."),
        (Reply(413, ""), "The hub is an HTML page, but the answer was nothing"),
        (
            Reply(503, "HTTP Error 503. The service is unavailable."),
            "The Qlik Sense service for this port is stopped or starting",
        ),
        (Reply(403, "You cannot access Qlik Sense because you have no access pass."), "has no license"),
        (Reply(404, "no"), "not linked"),
        (Reply(503, "<html>busy</html>"), "restarting"),
        (Reply(200, '{"a": 1}'), "another web server"),
        (Reply(302, "", (("Location", "/internal_forms_authentication/"),)), "not a JWT virtual proxy"),
        (Reply(302, "", (("Location", "/portal/login"),)), "not a JWT virtual proxy"),
    ],
)
def test_a_failed_login_has_a_cause_and_skips_other_checks(
    proxy: FakeProxy, run_options: RunOptions, reply: Reply, words: str
) -> None:
    proxy.answer = lambda request: reply
    run = run_one(login_at(proxy), run_options)
    found = statuses(run)
    assert found.pop("login") == "failed"
    found.pop("no_token")
    assert set(found.values()) == {"skipped"}
    assert words in (check_of(run, "login").diagnosis or "")


@pytest.mark.parametrize("hosts", [[], ["127.0.0.1"]])
def test_no_diagnosis_advises_more_links(proxy: FakeProxy, run_options: RunOptions, hosts: list[str]) -> None:
    proxy.answer = lambda request: Reply(400, "<html><body>The http request header is incorrect.</body></html>")
    settings = {"proxies": ["Central"], "websocket_cross_origin_white_list": hosts}
    advice = check_of(run_one(login_at(proxy, virtual_proxy=settings), run_options), "login").diagnosis or ""
    assert "is not linked to this proxy" in advice
    assert "give the proxies as a dictionary by node name" in advice
    assert "Link " not in advice


def test_anonymous_access_is_reported_even_if_the_login_fails(proxy: FakeProxy, run_options: RunOptions) -> None:
    proxy.answer = lambda request: Reply(401) if request.token else Reply(200, HUB)
    run = run_one(login_at(proxy), run_options)
    assert statuses(run)["no_token"] == "failed"
    assert "without a sign-in" in (check_of(run, "no_token").diagnosis or "")


def test_undeclared_anonymous_access_fails(proxy: FakeProxy, run_options: RunOptions) -> None:
    def accept_all(request: Request) -> Reply | None:
        if (request.method, request.path) == ("GET", "qps/user"):
            return Reply(200, json.dumps({"userDirectory": "NONE", "userId": "anonymous"}))
        return Reply(200, HUB)

    proxy.answer = accept_all
    run = run_one(login_at(proxy), run_options)
    for name in ("no_token", "forged_token", "wrong_key_token", "expired_token"):
        assert "anonymous_access_mode" in (check_of(run, name).diagnosis or "")
    assert "ignores tokens" in (check_of(run, "identity").diagnosis or "")


def test_a_front_end_that_logs_in_all_requests_fails(proxy: FakeProxy, run_options: RunOptions) -> None:
    def accept_all(request: Request) -> Reply | None:
        if (request.method, request.path) == ("GET", "qps/user"):
            return Reply(200, json.dumps({"userDirectory": "ACME", "userId": "smoke"}))
        return Reply(200, HUB)

    proxy.answer = accept_all
    run = run_one(login_at(proxy), run_options)
    assert "in front of Qlik Sense" in (check_of(run, "no_token").diagnosis or "")
    assert "not verified" in (check_of(run, "wrong_key_token").diagnosis or "")


@pytest.mark.parametrize("status", [403, 302])
def test_refusals_with_other_status_codes_pass(proxy: FakeProxy, run_options: RunOptions, status: int) -> None:
    def refuse(request: Request) -> Reply | None:
        if request.path == "hub/" and not request.token and not request.cookies:
            return Reply(status, "", (("Location", "https://login.example.com/"),) if status == 302 else ())
        return None

    proxy.answer = refuse
    assert run_one(login_at(proxy), run_options).passed


def test_accepted_negative_tokens_fail_and_sessions_are_ended(
    proxy: FakeProxy, run_options: RunOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def believe(token: str) -> tuple[str, str]:
        claims = jwt.decode(token, options={"verify_signature": False})
        return claims["userDirectory"], claims.get("userId", "smoke")

    monkeypatch.setattr(proxy, "_user_of", believe)
    run = run_one(login_at(proxy), run_options)
    found = statuses(run)
    assert [name for name in ALL if found[name] == "failed"] == [
        "forged_token", "wrong_key_token", "expired_token", "wrong_audience_token", "incomplete_token",
        "other_key_token",
    ]  # fmt: skip
    assert "signature" in (check_of(run, "forged_token").diagnosis or "")
    assert "clock" in (check_of(run, "expired_token").diagnosis or "")
    assert "jwt_audience" in (check_of(run, "wrong_audience_token").diagnosis or "")
    assert "mandatory" in (check_of(run, "incomplete_token").diagnosis or "")
    assert "both keys" in (check_of(run, "other_key_token").diagnosis or "")
    assert proxy.sessions == {}


@pytest.mark.parametrize(
    ("headers", "fault"),
    [
        ((), "X-Frame-Options is missing, Content-Security-Policy is missing"),
        ((("X-Frame-Options", "SAMEORIGIN"), ("Content-Security-Policy", "frame-ancestors https://a.example")),
         "differ: X-Frame-Options is SAMEORIGIN."),
    ],
)  # fmt: skip
def test_unexpected_response_headers_fail(
    proxy: FakeProxy, run_options: RunOptions, headers: tuple[tuple[str, str], ...], fault: str
) -> None:
    proxy.headers = headers
    run = run_one(login_at(proxy), run_options)
    assert [name for name, status in statuses(run).items() if status == "failed"] == ["response_headers"]
    assert fault in (check_of(run, "response_headers").diagnosis or "")


def test_a_header_that_a_claim_occurs_in_is_still_compared(proxy: FakeProxy, run_options: RunOptions) -> None:
    proxy.headers = (("X-Team", "Board42"),)
    settings = {"additional_response_headers": "X-Team: Board42"}
    run = run_one(login_at(proxy, virtual_proxy=settings), run_options)
    assert statuses(run)["response_headers"] == "passed"
    assert "Board42" not in json.dumps([dataclasses.asdict(one) for one in run.results])


@pytest.mark.parametrize(
    ("hosts", "words"),
    [
        (("127.0.0.1",), "'portal.example.com' is on the host allow list, but"),
        (("127.0.0.1", "portal.example.com", "not-on-the-host-allow-list.invalid"), "pages of any site"),
    ],
)
def test_unexpected_host_allow_list_fails(
    proxy: FakeProxy, run_options: RunOptions, hosts: tuple[str, ...], words: str
) -> None:
    proxy.hosts = hosts
    run = run_one(login_at(proxy), run_options)
    assert [name for name, status in statuses(run).items() if status == "failed"] == ["host_allow_list"]
    assert words in (check_of(run, "host_allow_list").diagnosis or "")
    assert proxy.sessions == {}


def test_checks_can_be_left_out(proxy: FakeProxy, run_options: RunOptions) -> None:
    run = run_one(login_at(proxy), dataclasses.replace(run_options, skip=frozenset(OPTIONAL)))
    found = statuses(run)
    assert [name for name in found if found[name] == "passed"] == ["login", "logout"]
    assert list(found) == ALL
    assert len(proxy.requests) == 3


@pytest.mark.parametrize("status", [400, 404, 302])
def test_unlinked_proxies_must_not_know_the_prefix(proxy: FakeProxy, run_options: RunOptions, status: int) -> None:
    location = (("Location", "/login/"),) if status == 302 else ()
    proxy.answer = lambda request: Reply(status, "", location)
    run = run_one(login_at(proxy, linked=False), run_options)
    assert statuses(run) == {"not_linked": "passed"}
    assert len(proxy.requests) == 1


def test_unexpected_links_fail_and_sessions_are_ended(proxy: FakeProxy, run_options: RunOptions) -> None:
    run = run_one(login_at(proxy, linked=False), run_options)
    assert statuses(run) == {"not_linked": "failed", "logout": "passed"}
    assert "the links in the repository differ" in (check_of(run, "not_linked").diagnosis or "")
    assert proxy.sessions == {}


@pytest.mark.parametrize("status", [401, 403, 503])
def test_other_status_codes_fail_the_check_not_linked(proxy: FakeProxy, run_options: RunOptions, status: int) -> None:
    proxy.answer = lambda request: Reply(status, "no")
    assert statuses(run_one(login_at(proxy, linked=False), run_options)) == {"not_linked": "failed"}


@pytest.mark.parametrize(
    ("attributes", "fault"),
    [
        (ATTRIBUTES, None),
        ((*ATTRIBUTES, ("group", "Board43")), "group has 2 of 1 values"),
        ((("mail", "secret.person@example.com"),), "group has 0 of 1 values"),
        ((*ATTRIBUTES[1:], ("mail", "other@example.com")), "mail has other values"),
        ((*ATTRIBUTES, ("nothing", "x")), "nothing has 1 of 0 values"),
    ],
)
def test_attributes_of_the_session_are_compared_with_the_token(
    proxy: FakeProxy, run_options: RunOptions, attributes: Attributes, fault: str | None
) -> None:
    api = t.cast("t.Any", SessionApi(proxy, attributes))
    run = run_one(login_at(proxy), dataclasses.replace(run_options, session_apis=lambda _prefix, _proxy: [api]))
    check = check_of(run, "attributes")
    assert check.expected == "acme\\Smoke, mail (1 value), group (1 value), nothing (0 values)"
    if fault is None:
        assert (check.status, check.diagnosis) == ("passed", None)
    else:
        assert fault in (check.diagnosis or "")
    assert not any(value in str(dataclasses.asdict(check)) for _name, value in attributes if len(value) > 1)


WITHOUT = (
    "the proxy's own API lists the session without attributes, because it does not list those of sessions from "
    "tokens, or because no claim is mapped"
)


def test_the_name_of_a_user_in_the_session_list_is_sanitized(proxy: FakeProxy, run_options: RunOptions) -> None:
    class HostileApi(SessionApi):
        def user_sessions(self, directory: str, name: str) -> list[Session]:
            return [one._replace(user="ACME\\\x1b[31m" + 3000 * "x") for one in super().user_sessions(directory, name)]

    api = t.cast("t.Any", HostileApi(proxy))
    run = run_one(login_at(proxy), dataclasses.replace(run_options, session_apis=lambda _prefix, _proxy: [api]))
    check = check_of(run, "attributes")
    assert check.status == "failed"
    assert check.actual.isprintable()
    assert len(check.actual) < 400


def test_attributes_are_compared_without_their_case(proxy: FakeProxy, run_options: RunOptions) -> None:
    rows = [{"jwt_attribute": "groups", "sense_attribute": name} for name in ("Group", "group", "\x1b[31m")]
    api = t.cast("t.Any", SessionApi(proxy, (("Group", "Board42"), ("group", "Board42"))))
    options = dataclasses.replace(run_options, session_apis=lambda _prefix, _proxy: [api])
    check = check_of(run_one(login_at(proxy, virtual_proxy={"jwt_attribute_map": rows}), options), "attributes")
    assert (check.status, check.expected) == ("failed", "acme\\Smoke, Group (2 values), [31m (1 value)")


class UnreachableApi(SessionApi):
    def user_sessions(self, directory: str, name: str) -> list[Session]:
        raise TransportError("No connection.", "Check it.")


class UnlinkedApi(SessionApi):
    def user_sessions(self, directory: str, name: str) -> list[Session]:
        return []


@pytest.mark.parametrize(
    ("apis", "reason"),
    [
        ([], "no qps_urls were given"),
        ([UnreachableApi], "https://qps gave no usable answer: No connection"),
        ([UnlinkedApi], "https://qps does not list the session"),
        (
            [UnlinkedApi, UnreachableApi],
            "https://qps does not list the session; https://qps gave no usable answer: No connection",
        ),
        ([lambda proxy: SessionApi(proxy, None)], WITHOUT),
        ([lambda proxy: SessionApi(proxy, ())], WITHOUT),
        ([UnreachableApi, UnlinkedApi, SessionApi], None),
    ],
)
def test_attributes_are_skipped_without_a_session(
    proxy: FakeProxy, run_options: RunOptions, apis: list[t.Any], reason: str | None
) -> None:
    opened = dataclasses.replace(run_options, session_apis=lambda _prefix, _proxy: [api(proxy) for api in apis])
    check = check_of(run_one(login_at(proxy), opened), "attributes")
    assert (check.status, check.actual) == ("skipped", reason) if reason else check.status == "passed"


@pytest.mark.parametrize(
    ("knows_session", "status", "actual", "diagnosis"),
    [
        (lambda connection: connection % 2 == 0, 200, "no user on new connection 2", "sticky sessions"),
        (lambda connection: connection == 0, 401, "401 with an empty body on new connection 1", "sticky sessions"),
        (lambda connection: connection == 0, 503, "503 with an empty body on new connection 1", "restarting"),
        (lambda _connection: False, 200, "the session cookie is refused on the connection of the login as well", None),
    ],
)
def test_a_balancer_without_sticky_sessions_is_noticed(
    proxy: FakeProxy,
    run_options: RunOptions,
    knows_session: t.Callable[[int], bool],
    status: int,
    actual: str,
    diagnosis: str | None,
) -> None:
    connections: list[int] = []

    def answer(request: Request) -> Reply | None:
        if request.connection not in connections:
            connections.append(request.connection)
        alone = (request.method, request.path, request.token) == ("GET", "qps/user", "")
        return Reply(status) if alone and not knows_session(connections.index(request.connection)) else None

    proxy.answer = answer
    skip = run_options.skip | {"cookie", "websocket", "host_allow_list"}
    check = check_of(run_one(login_at(proxy), dataclasses.replace(run_options, skip=skip)), "stickiness")
    assert (check.status, check.actual) == ("failed" if diagnosis else "skipped", actual)
    assert (diagnosis or "") in (check.diagnosis or "")


def test_stickiness_is_tested_with_five_connections(proxy: FakeProxy, run_options: RunOptions) -> None:
    skip = frozenset(OPTIONAL) - {"stickiness"}
    run = run_one(login_at(proxy), dataclasses.replace(run_options, skip=skip))
    assert check_of(run, "stickiness").actual == "acme\\Smoke on 5 new connections"
    asked = [(request.method, request.path) for request in proxy.requests]
    assert asked == [
        ("GET", "hub/"),
        *[("GET", "qps/user")] * 5,
        ("DELETE", "qps/user"),
        ("GET", "qps/user"),
    ]
    assert len({request.connection for request in proxy.requests}) == 6


def test_another_user_fails_the_check(proxy: FakeProxy, run_options: RunOptions) -> None:
    run = run_one(login_at(proxy, user=("ACME", "another")), run_options)
    assert [check.name for check in run.results if check.status == "failed"] == ["identity", "attributes"]
    assert check_of(run, "identity").actual == "ACME\\smoke"
    assert proxy.sessions == {}


def test_a_missing_expected_user_fails(proxy: FakeProxy, run_options: RunOptions) -> None:
    run = run_one(login_at(proxy, user=("", "")), run_options)
    assert statuses(run)["identity"] == "failed"
    assert "user_directory and user_id" in (check_of(run, "identity").diagnosis or "")


def test_html_instead_of_the_user_fails(proxy: FakeProxy, run_options: RunOptions) -> None:
    proxy.answer = lambda request: (
        Reply(200, "<html/>") if (request.path, request.method) == ("qps/user", "GET") else None
    )
    run = run_one(login_at(proxy), run_options)
    assert statuses(run)["identity"] == "failed"
    assert "HTML" in (check_of(run, "identity").diagnosis or "")


def test_missing_cookie_fails_and_skips_the_logout(proxy: FakeProxy, run_options: RunOptions) -> None:
    known = json.dumps({"userDirectory": "ACME", "userId": "smoke"})
    login = login_at(proxy)
    proxy.answer = lambda request: (
        Reply(200, HUB if request.path == "hub/" else known) if request.token == login.token else None
    )
    run = run_one(login, run_options)
    failed = [check for check in run.results if check.status == "failed"]
    assert [check.name for check in failed] == ["cookie", "cookie_flags"]
    assert "set no session cookie" in (failed[0].diagnosis or "")
    assert statuses(run)["logout"] == "skipped"


def test_a_cookie_for_another_domain_is_not_kept(proxy: FakeProxy, run_options: RunOptions) -> None:
    proxy.attributes = "Path=/; HttpOnly; Domain=example.com"
    run = run_one(login_at(proxy), run_options)
    assert "another domain" in (check_of(run, "cookie").diagnosis or "")


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
def test_unexpected_cookie_flags_fail(
    proxy: FakeProxy, run_options: RunOptions, settings: dict[str, t.Any], attributes: str, word: str
) -> None:
    proxy.attributes = attributes
    run = run_one(login_at(proxy, virtual_proxy={**COOKIE_SETTINGS, **settings}), run_options)
    failed = [check for check in run.results if check.status == "failed"]
    assert [check.name for check in failed] == ["cookie_flags"]
    assert word in (failed[0].diagnosis or "")


def test_configured_anonymous_access_is_required(proxy: FakeProxy, run_options: RunOptions) -> None:
    def accept_without_token(request: Request) -> Reply | None:
        signed_in = request.token == login.token or request.cookies
        if request.path == "hub/" and not signed_in:
            return Reply(200, HUB)
        if (request.method, request.path) == ("GET", "qps/user") and not signed_in:
            return Reply(200, json.dumps({"userDirectory": "NONE", "userId": "anonymous"}))
        return None

    settings = {**COOKIE_SETTINGS, "anonymous_access_mode": "allow_anonymous"}
    login = login_at(proxy, virtual_proxy=settings)
    refused = run_one(login, run_options)
    assert [check.name for check in refused.results if check.status == "failed"] == ["no_token"]
    proxy.answer = accept_without_token
    granted = run_one(login, run_options)
    assert granted.passed
    assert check_of(granted, "no_token").actual == "200 with HTML, as NONE\\anonymous"


def test_logout_without_effect_fails(proxy: FakeProxy, run_options: RunOptions) -> None:
    proxy.answer = lambda request: Reply(204) if request.method == "DELETE" else None
    run = run_one(login_at(proxy), run_options)
    assert [check.name for check in run.results if check.status == "failed"] == ["logout"]


def test_csrf_token_is_sent_if_the_logout_requires_it(proxy: FakeProxy, run_options: RunOptions) -> None:
    def strict(request: Request) -> Reply | None:
        if request.path == "qps/csrftoken":
            return Reply(204, "", (("qlik-csrf-token", "abcd-1234"),))
        if request.method == "DELETE" and request.headers.get("qlik-csrf-token") != "abcd-1234":
            return Reply(403, "CSRF token missing")
        return None

    proxy.answer = strict
    assert run_one(login_at(proxy), run_options).passed
    assert proxy.sessions == {}


# --- Waiting


def test_pending_changes_are_awaited(proxy: FakeProxy, run_options: RunOptions, clock: Clock) -> None:
    outcomes: t.Iterator[Reply | None] = iter([Reply(400, "<html/>"), Reply(503), Reply(401)])
    now: list[Reply | None] = [next(outcomes)]
    clock.at_wake = lambda: now.__setitem__(0, next(outcomes, None))
    proxy.answer = lambda request: now[0]
    run = run_one(login_at(proxy), dataclasses.replace(run_options, wait=120))
    assert run.passed
    assert clock.naps == [1.0, 1.5, 2.25]
    assert run.seconds_waited == sum(clock.naps)


def test_waiting_ends_after_the_time_limit(proxy: FakeProxy, run_options: RunOptions, clock: Clock) -> None:
    proxy.answer = lambda request: Reply(503)
    run = run_one(login_at(proxy), dataclasses.replace(run_options, wait=60))
    assert not run.passed
    assert sum(clock.naps) == 60
    assert max(clock.naps) <= 10


def test_cookie_settings_are_awaited_with_new_sessions(proxy: FakeProxy, run_options: RunOptions, clock: Clock) -> None:
    settings = {**COOKIE_SETTINGS, "same_site_attribute_http": "strict"}
    clock.at_wake = lambda: setattr(proxy, "attributes", "Path=/; HttpOnly; SameSite=Strict")
    run = run_one(login_at(proxy, virtual_proxy=settings), dataclasses.replace(run_options, wait=60))
    assert run.passed
    assert clock.naps == [1.0]
    assert proxy.most_sessions == 1
    assert proxy.sessions == {}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"token": token(exp=1_700_000_000)}, "expired"),
        (
            {"token": token(userId=None, userid="smoke"), "virtual_proxy": {"jwt_attribute_user_id": "userId"}},
            "case-sensitive",
        ),
        ({"token": jwt.encode(CLAIMS, "x" * 32, algorithm="HS256")}, "HS256"),
    ],
)
def test_permanent_failures_are_not_awaited(
    proxy: FakeProxy, run_options: RunOptions, clock: Clock, more: dict[str, t.Any], words: str
) -> None:
    run = run_one(login_at(proxy, **more), dataclasses.replace(run_options, wait=60))
    assert clock.naps == []
    assert words in (check_of(run, "login").diagnosis or "")


def test_unknown_claim_names_are_not_in_the_diagnosis(proxy: FakeProxy, run_options: RunOptions) -> None:
    proxy.answer = lambda request: Reply(401)
    custom = token(userId=None, userDirectory=None, user="smoke", directory="ACME")
    run = run_one(login_at(proxy, token=custom), run_options)
    assert "userId" not in (check_of(run, "login").diagnosis or "")


def test_a_certificate_of_another_key_is_named(
    proxy: FakeProxy, run_options: RunOptions, clock: Clock, other_pem: str
) -> None:
    proxy.key = FOREIGN_KEY.public_key()
    settings = {"jwt_public_key_certificate": other_pem}
    run = run_one(login_at(proxy, virtual_proxy=settings), dataclasses.replace(run_options, wait=60))
    assert clock.naps == []
    assert "signed with another key" in (check_of(run, "login").diagnosis or "")


def test_a_wrong_server_clock_is_named(proxy: FakeProxy, run_options: RunOptions) -> None:
    proxy.answer = lambda request: Reply(401)
    ahead = dataclasses.replace(run_options, wall_clock=lambda: time.time() - 200)
    run = run_one(login_at(proxy), ahead)
    assert "ahead of this machine's" in (check_of(run, "login").diagnosis or "")


def test_refused_connection_fails_after_the_wait(run_options: RunOptions, clock: Clock) -> None:
    with FakeProxy(KEY.public_key()) as gone:
        login = login_at(gone)
    run = run_one(login, dataclasses.replace(run_options, wait=5))
    assert check_of(run, "login").actual == "The connection was refused."
    assert set(statuses(run).values()) == {"failed", "skipped"}
    assert sum(clock.naps) == 5


def test_https_to_an_http_port_fails_without_waiting(proxy: FakeProxy, run_options: RunOptions, clock: Clock) -> None:
    login = dataclasses.replace(login_at(proxy), proxy=proxy.url.replace("http:", "https:"))
    run = run_one(login, dataclasses.replace(run_options, wait=60))
    assert "does not use TLS" in check_of(run, "login").actual
    assert clock.naps == []


def test_slow_proxy_fails_at_the_read_timeout(proxy: FakeProxy, run_options: RunOptions) -> None:
    over = threading.Event()

    def hang(request: Request) -> Reply | None:
        over.wait()
        return None

    proxy.answer = hang
    try:
        run = run_one(login_at(proxy), dataclasses.replace(run_options, timeout=(2, 0.2)))
    finally:
        over.set()
    assert "no complete answer arrived within the read timeout" in check_of(run, "login").actual


# --- Many logins


def test_user_has_at_most_four_sessions(proxy: FakeProxy, run_options: RunOptions) -> None:
    logins = [login_at(proxy) for _number in range(SESSIONS_AT_ONCE * 2 + 1)]
    endpoints = run_logins(logins, dataclasses.replace(run_options, threads=32))
    assert [run.login for run in endpoints] == logins
    assert all(run.passed for run in endpoints)
    assert proxy.most_sessions <= SESSIONS_AT_ONCE
    assert proxy.sessions == {}


def test_different_users_do_not_wait_for_each_other(proxy: FakeProxy, run_options: RunOptions) -> None:
    logins = [login_at(proxy, token=token(userId=f"u{n}"), user=("ACME", f"u{n}")) for n in range(12)]
    endpoints = run_logins(logins, dataclasses.replace(run_options, threads=12))
    assert all(run.passed for run in endpoints)
    assert proxy.sessions == {}


def test_sessions_end_even_if_a_check_breaks(
    proxy: FakeProxy, run_options: RunOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(key: t.Any, token: str) -> str:
        raise RuntimeError

    monkeypatch.setattr(negative, "signed_with", broken)
    with pytest.raises(RuntimeError):
        run_logins([login_at(proxy)], run_options)
    assert any(request.method == "DELETE" for request in proxy.requests)
    assert proxy.sessions == {}


# --- Secrets


@pytest.mark.parametrize("content", ["text", "html", "json"])
def test_echoed_secrets_are_not_shown(proxy: FakeProxy, run_options: RunOptions, content: str) -> None:
    """A server that returns the whole request does not cause a secret in the result."""

    def echo(request: Request) -> Reply | None:
        if (request.method, request.path) == ("GET", "hub/") and (request.token != login.token or request.cookies):
            echoed = {**dict(request.headers), "claims": CLAIMS, "part": request.token.rpartition(".")[0]}
            text = json.dumps(echoed) if content == "json" else "; ".join(f"{k}: {v}" for k, v in echoed.items())
            text = f"<p>{text}</p>" if content == "html" else text
            return Reply(500, text, (("Set-Cookie", f"{request.token}=1; Domain={request.token}"),))
        return None

    login = login_at(proxy)
    proxy.answer = echo
    shown = json.dumps([dataclasses.asdict(one) for one in run_one(login, run_options).results])
    cookies = [value for request in proxy.requests for value in request.cookies.values()]
    assert cookies
    secrets = [login.token, *login.negative_tokens.values(), *cookies, CLAIMS["email"], "Board42"]
    secrets += [part for request in proxy.requests for part in request.token.split(".") if part]
    assert [secret for secret in secrets if str(secret) in shown] == []
    assert "***" in shown


def test_texts_of_a_server_become_one_printable_line(proxy: FakeProxy, run_options: RunOptions) -> None:
    proxy.answer = lambda request: Reply(500, "a\x00b\x1b[31m\n\nc" + "d" * 5000)
    actual = check_of(run_one(login_at(proxy), run_options), "login").actual
    assert actual.isprintable()
    assert len(actual) < 300


# --- Negative tokens


def test_forged_tokens_differ_only_in_the_user() -> None:
    original = token()
    forged = negative.forged(original, "userId")
    header, _claims, signature = original.split(".")
    assert forged.startswith(f"{header}.")
    assert forged.endswith(f".{signature}")
    claims = jwt.decode(forged, options={"verify_signature": False})
    assert claims.pop("userId") != "smoke"
    assert claims.items() <= jwt.decode(original, options={"verify_signature": False}).items()


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512"])
def test_tokens_of_a_foreign_key_differ_only_in_the_key(algorithm: str) -> None:
    original = jwt.encode(CLAIMS, KEY, algorithm=algorithm, headers={"kid": "1"})
    signed = negative.signed_with(FOREIGN_KEY, original)
    assert signed.rpartition(".")[0] == original.rpartition(".")[0]
    assert jwt.decode(signed, FOREIGN_KEY.public_key(), algorithms=[algorithm]) == CLAIMS
