# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The proxy's own API: its sessions and tickets, and their use on the proxy."""

from __future__ import annotations

import json
import typing as t

import pytest
from signing import token
from two_nodes import Answer, Browser, TwoNodes

KEY = "0123456789abcdef"


def call(api: Browser, method: str, path: str, body: object = None, *, key: str = KEY) -> Answer:
    raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    return api.send(method, f"/qps/{path}?Xrfkey={key}", headers={"X-Qlik-Xrfkey": KEY}, body=raw)


def ticket_site(**switches: t.Any) -> tuple[TwoNodes, Browser]:
    site = TwoNodes(**switches)
    site.add(prefix="portal", cookie="X-Qlik-Session-portal", authenticationMethod=0)
    return site, site.browser("qps:Central")


ADA = {"UserDirectory": "LAB", "UserId": "ada"}


@pytest.mark.parametrize("key", ["", "short", "0123456789abcdeg", "0123456789abcde!"])
def test_request_without_xrfkey_is_refused(key: str) -> None:
    _site, api = ticket_site()
    answer = call(api, "GET", "session", key=key)
    assert (answer.status, answer.text) == (403, "XSRF prevention check failed. Possible XSRF discovered.")


@pytest.mark.parametrize("prefix", ["", "portal/"])
def test_ticket_opens_the_hub_once(prefix: str) -> None:
    site, api = ticket_site()
    attributes = [{"group": "a"}, {"group": "b"}, {"empty": ""}]
    answer = call(api, "POST", f"{prefix}ticket", {**ADA, "UserId": " ada ", "Attributes": attributes})
    assert answer.status == 201
    content = answer.json()
    ticket = content.pop("Ticket")
    assert content == {"UserDirectory": "LAB", "UserId": "ada", "Attributes": attributes, "TargetUri": None}
    browser = site.browser()
    assert browser.get(f"/{prefix}hub/?QlikTicket={ticket}").status == 200
    assert browser.get(f"/{prefix}qps/user").json()["userId"] == "ada"
    assert site.browser().get(f"/{prefix}hub/?qlikTicket={ticket}").status == 302
    [session] = call(api, "GET", f"{prefix}session").json()
    assert session["Attributes"] == attributes


def test_ticket_is_valid_for_a_minute_on_one_proxy() -> None:
    site, api = ticket_site()
    ticket = call(api, "POST", "portal/ticket", ADA).json()["Ticket"]
    assert site.browser("Rim1").get(f"/portal/hub/?qlikTicket={ticket}").status == 302
    site.clock.now += 60
    assert site.browser().get(f"/portal/hub/?qlikTicket={ticket}").status == 302


def test_ticket_returns_to_the_requested_page() -> None:
    site, api = ticket_site()
    location = site.browser().get("/portal/hub/my/work?a=1").header("location") or ""
    target_id = location.partition("targetId=")[2]
    answer = call(api, "POST", "portal/ticket", {**ADA, "TargetId": target_id}).json()
    assert answer["TargetUri"] == "https://localhost/portal/hub/my/work?a=1"


def test_ticket_redirect_and_status_depend_on_switches() -> None:
    site, api = ticket_site(ticket_redirect=True, qps_created_status="200")
    answer = call(api, "POST", "portal/ticket", ADA)
    assert answer.status == 200
    browser = site.browser()
    redirect = browser.get(f"/portal/hub/?a=1&qlikTicket={answer.json()['Ticket']}&b=2")
    assert (redirect.status, redirect.header("location")) == (302, "https://localhost/portal/hub/?a=1&b=2")
    assert browser.get("/portal/hub/").status == 200


def test_sessions_are_created_listed_and_ended() -> None:
    site, api = ticket_site()
    made = call(api, "POST", "portal/session", {**ADA, "SessionId": "chosen"})
    assert made.status == 201
    shown = {**ADA, "Attributes": [], "SessionId": "chosen"}
    assert made.json() == shown
    browser = site.browser()
    browser.cookies["X-Qlik-Session-portal"] = "chosen"
    assert browser.get("/portal/hub/").status == 200
    assert call(api, "GET", "portal/session").json() == [shown]
    assert call(api, "GET", "session").json() == []
    assert call(api, "GET", "Portal/Session/chosen").json() == shown
    assert call(api, "GET", "session/chosen").status == 404
    assert call(api, "DELETE", "portal/session/chosen").json() == shown
    assert call(api, "DELETE", "portal/session/chosen").status == 404
    assert browser.get("/portal/hub/").status == 302


def test_sessions_of_a_user_are_listed_and_ended() -> None:
    site, api = ticket_site()
    for number, user in enumerate(("ada", "ada", "bob")):
        call(api, "POST", "portal/session", {"UserDirectory": "LAB", "UserId": user, "SessionId": f"s{number}"})
    ids = [session["SessionId"] for session in call(api, "GET", "portal/user/lab/ADA").json()]
    assert ids == ["s0", "s1"]
    assert [session["SessionId"] for session in call(api, "DELETE", "portal/user/LAB/ada").json()] == ids
    assert call(api, "DELETE", "portal/user/LAB/ada").json() == []
    assert [session["SessionId"] for session in call(api, "GET", "portal/session").json()] == ["s2"]
    assert site.browser("qps:Rim1").send("GET", "/qps/session").status == 403


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b"[" * 100_000,
        b"x" * (1024 * 1024 + 1),
        [],
        {},
        {"UserDirectory": "LAB"},
        {"UserDirectory": "  ", "UserId": "ada"},
        {"UserDirectory": "LAB", "UserId": "LAB\\ada"},
        {"UserDirectory": "LAB", "UserId": 7},
        {"UserDirectory": "LAB", "UserId": "\ud800"},
        {**ADA, "Attributes": [{"group": "\udfff"}]},
        {**ADA, "Attributes": {"group": "a"}},
        {**ADA, "Attributes": ["group"]},
        {**ADA, "Attributes": [{"group": 1}]},
    ],
)
def test_malformed_body_is_refused(body: object) -> None:
    _site, api = ticket_site()
    assert call(api, "POST", "portal/ticket", body).status == 400


@pytest.mark.parametrize("session_id", [None, "", 7, "a b", "a;b", "a,b", "a\r\nb"])
def test_session_id_must_be_a_cookie_value(session_id: object) -> None:
    _site, api = ticket_site()
    assert call(api, "POST", "portal/session", {**ADA, "SessionId": session_id}).status == 400


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "unknown/session"),
        ("GET", ""),
        ("GET", "portal"),
        ("GET", "ticket"),
        ("PUT", "portal/session"),
        ("POST", "portal/user/LAB/ada"),
        ("GET", "portal/user/LAB"),
        ("GET", "about"),
    ],
)
def test_unknown_path_is_not_found(method: str, path: str) -> None:
    _site, api = ticket_site()
    assert call(api, method, path).status == 404


def test_unsafe_path_is_refused() -> None:
    _site, api = ticket_site()
    assert call(api, "GET", "portal/../session").status == 400


@pytest.mark.parametrize(
    ("value", "shown"),
    [("listed", {"Attributes": [{"group": "a"}, {"group": "b"}]}), ("empty", {"Attributes": []}), ("absent", {})],
)
def test_attributes_of_token_session_depend_on_switch(value: str, shown: dict[str, t.Any]) -> None:
    site = TwoNodes(token_session_attributes=value)
    mapped = {"jwtAttribute": "groups", "senseAttribute": "group", "isMandatory": False}
    site.add(prefix="portal", cookie="X-Qlik-Session-portal", jwtAttributeMap=[mapped])
    text = token(userDirectory="LAB", userId="ada", groups=["a", "b"])
    assert site.browser().get("/portal/hub/", Authorization=f"Bearer {text}").status == 200
    [session] = call(site.browser("qps:Central"), "GET", "portal/user/lab/ada").json()
    del session["SessionId"]
    assert session == {**ADA, **shown}
