# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import json
import socket
import time
import typing as t

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from ansible_collections.sensible.qlik.plugins.module_utils._http.deadline import Deadline
from ansible_collections.sensible.qlik.plugins.module_utils._login import websocket as _websocket
from ansible_collections.sensible.qlik.plugins.module_utils._login.models import CheckResult, Login, RunOptions
from ansible_collections.sensible.qlik.plugins.module_utils._login.runner import run_logins
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy.model import VirtualProxy
from ansible_collections.sensible.qlik.tests.unit.plugins.fake_proxy import (
    CSRF_TOKEN,
    FakeProxy,
    Reply,
    Request,
    frame,
    notification,
)

KEY = rsa.generate_private_key(65537, 2048)
USER = ("ACME", "smoke")
ENGINE = "app/engineData"
CONNECTED = notification("OnConnected", qSessionState="SESSION_CREATED")
INTRODUCED = FakeProxy.introduced(USER)
ANSWER = frame({"jsonrpc": "2.0", "id": 1, "result": {"qReturn": "1.0"}})


@pytest.fixture
def proxy() -> t.Iterator[FakeProxy]:
    with FakeProxy(KEY.public_key()) as running:
        yield running


def token() -> str:
    claims = {"userDirectory": USER[0], "userId": USER[1], "exp": int(time.time()) + 300}
    return jwt.encode(claims, KEY, algorithm="RS256")


def checked(proxy: FakeProxy, *, read_timeout: float = 5.0, **virtual_proxy: t.Any) -> CheckResult:
    """Return the outcome of the check; all others must pass."""
    login = Login(
        proxy=proxy.url,
        prefix=proxy.prefix,
        token=token(),
        negative_tokens={},
        user=USER,
        virtual_proxy=VirtualProxy(virtual_proxy),
    )
    run_options = RunOptions(verify=True, timeout=(2, read_timeout), wait=0, threads=1, foreign_key=KEY)
    [run] = run_logins([login], run_options)
    found = {check.name: check for check in run.results}
    outcome = found.pop("websocket")
    # The throw-away key is that of the proxy here, to have no second one.
    found.pop("wrong_key_token")
    assert {check.status for check in found.values()} <= {"passed", "skipped"}
    assert proxy.sessions == {}
    return outcome


def sends(*frames: bytes) -> t.Callable[[Request], Reply | None]:
    """Open the websocket, and send these frames."""
    return lambda request: FakeProxy.upgraded(request, *frames) if request.path == ENGINE else None


def refuses(reply: Reply, path: str = ENGINE) -> t.Callable[[Request], Reply | None]:
    return lambda request: reply if request.path == path else None


def upgrade(proxy: FakeProxy) -> Request:
    """Return the only request for a websocket."""
    [request] = [request for request in proxy.requests if request.path == ENGINE]
    return request


def test_only_cookie_token_and_origin_are_sent(proxy: FakeProxy) -> None:
    outcome = checked(proxy)
    assert outcome.status == "passed"
    assert outcome.actual == "OnConnected (SESSION_CREATED), as ACME\\smoke"
    assert outcome.status_code == 101
    request = upgrade(proxy)
    assert request.query == f"qlik-csrf-token={CSRF_TOKEN}"
    assert list(request.cookies) == [proxy.cookie]
    assert request.headers["Origin"] == proxy.url
    assert request.headers["Host"] == proxy.url.removeprefix("http://")
    assert "Authorization" not in request.headers


def test_releases_without_a_csrf_token_get_the_header(proxy: FakeProxy) -> None:
    proxy.answer = refuses(Reply(404), "qps/csrftoken")
    assert checked(proxy).status == "passed"
    request = upgrade(proxy)
    assert request.query == ""
    assert request.token.count(".") == 2
    assert list(request.cookies) == [proxy.cookie]


def test_the_size_of_the_headers_is_that_of_the_request(proxy: FakeProxy) -> None:
    proxy.answer = refuses(Reply(431))
    diagnosis = checked(proxy).diagnosis or ""
    request = upgrade(proxy)
    lines = [f"{name}: {value}" for name, value in request.headers.items()]
    sent = "\r\n".join([f"GET /{proxy.prefix}/{ENGINE}?{request.query} HTTP/1.1", *lines, "", ""])
    assert diagnosis.startswith(
        f"The headers of the request are too long for this server. They have {len(sent)} bytes."
    )


@pytest.mark.parametrize(
    "frames",
    [
        (INTRODUCED, notification("OnConnected", qSessionState="SESSION_ATTACHED")),
        (CONNECTED,),
        (INTRODUCED, ANSWER),
        (
            frame(b"no json"),
            frame([1]),
            notification("OnSomethingNew"),
            notification("OnAuthenticationInformation"),
            CONNECTED,
        ),
        (INTRODUCED, frame(b"", opcode=9), CONNECTED),
    ],
)  # fmt: skip
def test_valid_messages_of_the_engine_pass(proxy: FakeProxy, frames: tuple[bytes, ...]) -> None:
    proxy.answer = sends(*frames)
    assert checked(proxy).status == "passed"


@pytest.mark.parametrize(
    ("frames", "actual", "words"),
    [
        (
            (notification("OnAuthenticationInformation", mustAuthenticate=True, loginUri="https://x"),),
            "OnAuth",
            "no user is",
        ),
        ((INTRODUCED, notification("OnMaxParallelSessionsExceeded")), "OnMaxParallelSessionsExceeded, as", "five"),
        ((INTRODUCED, notification("OnLicenseAccessDenied")), "OnLicenseAccessDenied", "no license"),
        ((INTRODUCED, notification("OnLicenseAccessDeniedPendingUserSync")), "Pending", "synchronization"),
        ((INTRODUCED, notification("OnNoEngineAvailable")), "OnNoEngineAvailable", "load balancing node"),
        ((INTRODUCED, notification("OnNoRepositoryAvailable")), "OnNoRepositoryAvailable", "repository service"),
        ((INTRODUCED, notification("OnSessionLoggedOut")), "OnSessionLoggedOut", "logged out the same user"),
        (
            (notification("OnConnected", qSessionState="SESSION_ERROR_NO_LICENSE"),),
            "(SESSION_ERROR_NO_LICENSE)",
            "no license",
        ),
        ((notification("OnConnected", qSessionState="SESSION_ERROR_LIMIT_EXCEEDED"),), "LIMIT", "five"),
        ((notification("OnConnected", qSessionState="SESSION_ERROR_ODD\x1b"),), "SESSION_ERROR_ODD", "no session for"),
        ((FakeProxy.introduced(("ACME", "other")), CONNECTED), "as ACME\\other", "another user"),
        ((INTRODUCED, frame(b"\x03\xf3", opcode=8)), "closed (1011)", "no engine answered"),
        ((frame(b"", opcode=8),), "closed (without a reason)", "no engine answered"),
        ((INTRODUCED, b"\xf1\x00"), "the connection was lost", "no engine answered"),
        # a message that has no end
        ((b"\x81\x7f" + (2**40).to_bytes(8, "big"), b"a" * 1_100_000), "the connection was lost", "no engine answered"),
    ],
)
def test_other_messages_fail_with_a_diagnosis(
    proxy: FakeProxy, frames: tuple[bytes, ...], actual: str, words: str
) -> None:
    proxy.answer = sends(*frames)
    outcome = checked(proxy)
    assert outcome.status == "failed"
    assert actual in outcome.actual
    assert outcome.actual.isprintable()
    assert words in (outcome.diagnosis or "")


@pytest.mark.parametrize("frames", [(), (INTRODUCED,)])
def test_silence_ends_with_the_read_timeout(proxy: FakeProxy, frames: tuple[bytes, ...]) -> None:
    proxy.answer = sends(*frames)
    outcome = checked(proxy, read_timeout=0.3)
    assert outcome.status == "failed"
    assert outcome.actual.startswith("silence")


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(403, "Forbidden"), "'127.0.0.1', the Origin of the request, is missing"),
        (Reply(400, "<html>header is incorrect</html>"), "'127.0.0.1', the Origin of the request, is missing"),
        (Reply(401, "Could not authenticate the request"), "balancer"),
        (Reply(503), "restarting"),
        (Reply(404, "<html/>"), "does not forward websockets"),
        (Reply(200, "hub"), "does not forward websockets"),
        (Reply(302, "", (("Location", "https://elsewhere.example/"),)), "does not forward websockets"),
    ],
)
def test_refused_upgrade_fails_with_a_diagnosis(proxy: FakeProxy, reply: Reply, words: str) -> None:
    proxy.answer = refuses(reply)
    outcome = checked(proxy)
    assert outcome.status == "failed"
    assert outcome.status_code == reply.status
    assert words in (outcome.diagnosis or "")


def test_an_invalid_upgrade_fails(proxy: FakeProxy) -> None:
    proxy.answer = refuses(Reply(101, "", (("Upgrade", "websocket"),)))
    outcome = checked(proxy)
    assert outcome.status == "failed"
    assert outcome.actual == "The answer to the request for a websocket is not valid."


def test_refusal_of_a_listed_host_names_hijacking(proxy: FakeProxy) -> None:
    proxy.answer = refuses(Reply(403))
    outcome = checked(proxy, websocket_cross_origin_white_list=["127.0.0.1"])
    assert "Cross-Site Websocket Hijacking" in (outcome.diagnosis or "")


@pytest.mark.parametrize("reply", [Reply(403), Reply(204), Reply(500)])
def test_a_missing_csrf_token_fails(proxy: FakeProxy, reply: Reply) -> None:
    proxy.answer = refuses(reply, "qps/csrftoken")
    outcome = checked(proxy)
    assert outcome.status == "failed"
    assert outcome.actual == f"{reply.status} for qps/csrftoken"
    assert "removes the header" in (outcome.diagnosis or "")


def test_missing_library_skips_the_check(proxy: FakeProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_websocket, "AVAILABLE", False)
    outcome = checked(proxy)
    assert outcome.status == "skipped"
    assert "websocket-client is not installed" in outcome.actual


def test_a_web_proxy_of_the_environment_is_not_used(proxy: FakeProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    assert checked(proxy).status == "passed"


def test_nothing_that_a_server_echoes_is_shown(proxy: FakeProxy) -> None:
    def echo(request: Request) -> Reply | None:
        if request.path != ENGINE:
            return None
        return Reply(500, f"{request.query} {dict(request.headers)}")

    proxy.answer = echo
    shown = json.dumps(dataclasses.asdict(checked(proxy)))
    [value] = upgrade(proxy).cookies.values()
    assert "***" in shown
    assert CSRF_TOKEN not in shown
    assert value not in shown


def test_cookies_of_one_connection_are_not_sent_on_another() -> None:
    """The library would send them to each server whose name ends with the domain of the cookie."""
    jar = _websocket.websocket._handshake.CookieJar
    jar.add("X-Qlik-Session=secret; Domain=localhost")
    assert jar.get("localhost") == ""


def test_no_more_is_read_than_allowed() -> None:
    """Releases of the library read as many bytes at once as an answer announces."""
    deadline = Deadline(1.0, 1.0)
    sender, receiver = socket.socketpair()
    with sender, receiver:
        stream = _websocket._BoundedStream(receiver, deadline)
        sender.sendall(b"a")
        assert stream.recv(10**30) == b"a"
        sender.sendall(b"b")
        deadline.expired = True
        with pytest.raises(TimeoutError):
            stream.recv(1)
