# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The proxy from the outside: authentication, sessions, and the responses to unauthenticated requests."""

from __future__ import annotations

import re
import time
import typing as t
import urllib.parse

import pytest
from signing import certificate, rsa_key, token
from two_nodes import AbortedError, Answer, Browser, TwoNodes

MISSING = "Could not authenticate the request: Expected an authentication header."
PREFIX = "Could not authenticate the request: "
GUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def bearer(**claims: t.Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {token(**claims)}"}


def jwt_site(*, release: str = "november-2025", fields: dict[str, t.Any] | None = None, **switches: t.Any) -> TwoNodes:
    """Return a site with one JWT virtual proxy, /jwt with the cookie X-Qlik-Session-jwt."""
    site = TwoNodes(release=release, **switches)
    site.add(prefix="jwt", cookie="X-Qlik-Session-jwt", **(fields or {}))
    return site


def set_cookies(answer: Answer) -> list[str]:
    return [value for name, value in answer.headers if name == "set-cookie"]


def who(browser: Browser, prefix: str = "/jwt", **headers: str) -> dict[str, t.Any]:
    answer = browser.get(f"{prefix}/qps/user", **headers)
    assert answer.status == 200
    return t.cast("dict[str, t.Any]", answer.json())


# --- Getting in


@pytest.mark.parametrize("node", ["Central", "Rim1"])
def test_token_signs_in_and_cookie_continues(node: str) -> None:
    browser = jwt_site().browser(node)
    refused = browser.get("/jwt/hub/")
    assert (refused.status, refused.text) == (401, MISSING)
    assert not set_cookies(refused)
    entered = browser.get("/jwt/hub/", **bearer())
    assert entered.status == 200
    assert "LAB\\ada" in entered.text
    assert re.fullmatch(rf"X-Qlik-Session-jwt={GUID}; Path=/; HttpOnly; Secure", set_cookies(entered)[0])
    again = browser.get("/jwt/hub/")
    assert again.status == 200
    assert not set_cookies(again)


def test_request_without_cookie_creates_a_session() -> None:
    site = jwt_site()
    values = {set_cookies(site.browser().get("/jwt/hub/", **bearer()))[0] for _number in range(3)}
    assert len(values) == 3


def test_token_of_same_user_keeps_the_session() -> None:
    browser = jwt_site().browser()
    browser.get("/jwt/hub/", **bearer())
    assert not set_cookies(browser.get("/jwt/hub/", **bearer(userId="ADA")))


def test_cookie_is_repeated_by_switch() -> None:
    browser = jwt_site(repeat_set_cookie=True).browser()
    first = set_cookies(browser.get("/jwt/hub/", **bearer()))
    assert set_cookies(browser.get("/jwt/hub/", **bearer())) == first
    assert not set_cookies(browser.get("/jwt/hub/"))


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("", id="empty"),
        pytest.param("Basic YTpi", id="basic"),
        pytest.param("Bearer x.y.z", id="malformed"),
        pytest.param(f"Bearer {token(key=rsa_key('theirs'))}", id="wrong key"),
        pytest.param(f"Bearer {token(exp=int(time.time()) - 100)}", id="expired"),
        pytest.param(f"Bearer {token(userId=None)}", id="no user"),
        pytest.param("Bearer \xff\xfe", id="not even ASCII"),
    ],
)
def test_invalid_token_is_refused(header: str) -> None:
    answer = jwt_site().browser().get("/jwt/hub/", Authorization=header)
    assert answer.status == 401
    assert answer.text.startswith(PREFIX)
    assert answer.text != MISSING
    assert not set_cookies(answer)
    assert not any(part and part in answer.text for part in header.rsplit(" ", maxsplit=1)[-1].split("."))


def test_format_of_refusal_depends_on_switches() -> None:
    headers = {"Authorization": "Bearer nonsense"}
    assert jwt_site(refused_token_status="403").browser().get("/jwt/hub/", **headers).status == 403
    assert jwt_site(refused_token_status="403").browser().get("/jwt/hub/").status == 401
    redirect = jwt_site(refused_token_status="302").browser().get("/jwt/hub/", **headers)
    assert (redirect.header("location") or "").startswith("/jwt/internal_forms_authentication/?targetId=")
    html = jwt_site(refusal_body="html").browser().get("/jwt/hub/")
    assert (html.header("content-type") or "").startswith("text/html")
    assert MISSING in html.text
    assert jwt_site().browser().get("/jwt/hub/").header("www-authenticate") is None
    assert jwt_site(www_authenticate=True).browser().get("/jwt/hub/").header("www-authenticate") == "Bearer"


def test_expired_cookie_is_replaced() -> None:
    site = jwt_site()
    browser = site.browser()
    browser.get("/jwt/hub/", **bearer())
    old = browser.cookies["X-Qlik-Session-jwt"]
    site.clock.now += 30 * 60
    answer = browser.get("/jwt/hub/")
    assert (answer.status, answer.text) == (401, MISSING)
    assert browser.get("/jwt/hub/", **bearer()).status == 200
    assert browser.cookies["X-Qlik-Session-jwt"] != old


def test_session_is_valid_on_one_virtual_proxy() -> None:
    site = jwt_site()
    site.add(prefix="other", cookie="X-Qlik-Session-jwt")
    browser = site.browser()
    browser.get("/jwt/hub/", **bearer())
    assert browser.get("/other/hub/").status == 401
    elsewhere = site.browser("Rim1")
    elsewhere.cookies.update(browser.cookies)
    assert elsewhere.get("/jwt/hub/").status == 401


def test_token_of_other_user_replaces_the_session() -> None:
    browser = jwt_site().browser()
    browser.get("/jwt/hub/", **bearer())
    mine = browser.cookies["X-Qlik-Session-jwt"]
    assert who(browser, **bearer(userId="bob"))["userId"] == "bob"
    assert browser.cookies["X-Qlik-Session-jwt"] != mine
    assert who(browser)["userId"] == "bob"
    keeping = jwt_site(other_user_with_cookie="keep_session").browser()
    keeping.get("/jwt/hub/", **bearer())
    assert who(keeping, **bearer(userId="bob"))["userId"] == "ada"


def test_invalid_token_beside_valid_cookie_is_refused() -> None:
    bad = bearer(key=rsa_key("theirs"))
    browser = jwt_site().browser()
    browser.get("/jwt/hub/", **bearer())
    assert browser.get("/jwt/hub/", **bad).status == 401
    assert browser.get("/jwt/hub/").status == 200
    lenient = jwt_site(invalid_token_with_cookie="ignore").browser()
    assert lenient.get("/jwt/hub/", **bad).status == 401
    lenient.get("/jwt/hub/", **bearer())
    assert lenient.get("/jwt/hub/", **bad).status == 200


def test_user_is_created_or_refused_at_login() -> None:
    site = jwt_site()
    site.browser().get("/jwt/hub/", **bearer())
    assert site.users == [("LAB", "ada")]
    site.browser().get("/jwt/hub/", **bearer(userDirectory="lab"))
    assert site.users == [("LAB", "ada")]
    for field in ("inactive", "blacklisted", "removedExternally"):
        site.add_user(field, **{field: True})
        blocked = site.browser().get("/jwt/hub/", **bearer(userId=field))
        assert blocked.status == 403
        assert blocked.text == "Your account is inactive. Contact your administrator to activate it."
    strict = jwt_site(unknown_user="refuse", blocked_user_status="401")
    assert strict.browser().get("/jwt/hub/", **bearer()).status == 401
    assert strict.users == []
    strict.add_user("ada", inactive=True)
    assert strict.browser().get("/jwt/hub/", **bearer()).status == 401


# --- Prefixes, hosts, paths


def test_unknown_prefix_gets_the_same_page() -> None:
    site = jwt_site()
    site.add(prefix="nowhere", cookie="X-Qlik-Session-nowhere", nodes=())
    site.add(prefix="rim", cookie="X-Qlik-Session-rim", nodes=("Rim1",))
    pages = [
        site.browser(node).get(path, **bearer())
        for node in ("Central", "Rim1")
        for path in ("/unknown/hub/", "/nowhere/hub/", "/rim/hub/", "/rim/qps/user")
    ]
    assert {page.status for page in pages} == {400}
    assert len({page.body for page in pages}) == 1
    assert "The http request header is incorrect" in pages[0].text
    assert 85_000 < len(pages[0].body) <= 88 * 1024
    assert not any(set_cookies(page) for page in pages)


def test_unknown_prefix_depends_on_switch() -> None:
    assert jwt_site(unknown_prefix="403").browser().get("/unknown/hub/").status == 403
    assert jwt_site(unknown_prefix="404").browser().get("/unknown/hub/").status == 404
    redirect = jwt_site(unknown_prefix="302").browser().get("/unknown/hub/")
    assert redirect.status == 302
    assert (redirect.header("location") or "").startswith("/internal_forms_authentication/?targetId=")
    lone = jwt_site(central_link_required=False)
    lone.add(prefix="rim", cookie="X-Qlik-Session-rim", nodes=("Rim1",))
    assert lone.browser("Rim1").get("/rim/hub/", **bearer()).status == 200
    assert lone.browser("Central").get("/rim/hub/", **bearer()).status == 400


@pytest.mark.parametrize("path", ["/JWT/hub/", "/jwt/Hub/", "//jwt//hub//", "/jwt/hub/my/work", "/%6awt/hub/"])
def test_path_in_other_spelling_is_found(path: str) -> None:
    assert jwt_site().browser().get(path, **bearer()).status == 200


def test_longest_prefix_matches() -> None:
    site = jwt_site()
    site.add(prefix="jwt/deep", cookie="X-Qlik-Session-deep")
    answer = site.browser().get("/jwt/deep/hub/", **bearer())
    assert set_cookies(answer)[0].startswith("X-Qlik-Session-deep=")


@pytest.mark.parametrize(
    "path",
    [
        "/jwt/../jwt/hub/",
        "/jwt/./hub/",
        "/jwt/%2e%2e/hub/",
        "/jwt%2fhub/",
        "/jwt%5Chub/",
        "/jwt\\hub/",
        "/jwt/hub%00/",
        "/jwt/%ff%fe/",
        "/jwt/%0d%0aSet-Cookie:a=b/",
    ],
)
def test_unsafe_path_is_refused(path: str) -> None:
    assert jwt_site().browser().get(path, **bearer()).status == 400


def test_hub_without_slash_is_redirected() -> None:
    redirect = jwt_site().browser().get("/jwt/hub?qlik=1", **bearer())
    assert (redirect.status, redirect.header("location")) == (302, "/jwt/hub/?qlik=1")
    assert set_cookies(redirect)
    assert jwt_site(hub_redirect=False).browser().get("/jwt/hub", **bearer()).status == 200
    browser = jwt_site(hub_redirect_signs_in=False).browser()
    redirect = browser.get("/jwt/hub")
    assert (redirect.status, redirect.header("location"), set_cookies(redirect)) == (302, "/jwt/hub/", [])
    assert set_cookies(browser.get("/jwt/hub/", **bearer()))
    assert jwt_site().browser().get("/jwt", **bearer()).header("location") == "/jwt/hub/"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:8443", 200),
        ("127.0.0.1:443", 200),
        ("[::1]:443", 200),
        ("central.lab", 200),
        ("central.lab.:443", 200),
        ("listed.lab", 200),
        ("below.listed.lab", 400),
        ("rim1.lab", 400),
        ("evil.example", 400),
        ("", 400),
        ("a/b", 400),
        ("user@localhost", 400),
        ("[", 400),
    ],
)
def test_host_name_must_be_allowed(host: str, status: int) -> None:
    site = jwt_site(fields={"websocketCrossOriginWhiteList": ["Listed.lab"]})
    assert site.browser().get("/jwt/hub/", host=host, **bearer()).status == status


def test_host_allow_list_depends_on_switch() -> None:
    fields = {"websocketCrossOriginWhiteList": ["listed.lab"]}
    for switches, host, status in (
        ({"host_allow_list": "403"}, "evil.example", 403),
        ({"host_allow_list": "off"}, "evil.example", 200),
        ({"own_host_names": "listed"}, "localhost", 400),
        ({"own_host_names": "listed"}, "listed.lab", 200),
        ({"host_allow_list_match": "suffix"}, "below.listed.lab", 200),
        ({"host_allow_list_match": "suffix"}, "unlisted.lab", 400),
    ):
        site = jwt_site(fields=fields, **switches)
        assert site.browser().get("/jwt/hub/", host=host, **bearer()).status == status


def test_headers_of_any_length_get_a_response() -> None:
    browser = jwt_site().browser()
    assert browser.get("/jwt/hub/", Authorization="Bearer " + "x" * 20_000).status == 400
    assert browser.send("GET", "/jwt/hub/", headers={f"x-{number}": "1" for number in range(120)}).status == 400


# --- Cookies


@pytest.mark.parametrize(
    ("fields", "scheme", "expected"),
    [
        ({}, "https", "X-Qlik-Session-jwt=@; Path=/; HttpOnly; Secure"),
        ({}, "http", "X-Qlik-Session-jwt-HTTP=@; Path=/; HttpOnly"),
        ({"sameSiteAttributeHttps": 1}, "https", "X-Qlik-Session-jwt=@; Path=/; HttpOnly; Secure; SameSite=None"),
        ({"sameSiteAttributeHttps": 2}, "https", "X-Qlik-Session-jwt=@; Path=/; HttpOnly; Secure; SameSite=Lax"),
        ({"sameSiteAttributeHttp": 3}, "http", "X-Qlik-Session-jwt-HTTP=@; Path=/; HttpOnly; SameSite=Strict"),
        ({"sameSiteAttributeHttp": 3}, "https", "X-Qlik-Session-jwt=@; Path=/; HttpOnly; Secure"),
        ({"hasSecureAttributeHttps": False}, "https", "X-Qlik-Session-jwt=@; Path=/; HttpOnly"),
        ({"hasSecureAttributeHttp": True}, "http", "X-Qlik-Session-jwt-HTTP=@; Path=/; HttpOnly; Secure"),
        ({"sessionCookieDomain": "lab"}, "https", "X-Qlik-Session-jwt=@; Path=/; HttpOnly; Secure; Domain=lab"),
        ({"sessionCookieDomain": "lab\r\nX-Evil: 1"}, "https", "X-Qlik-Session-jwt=@; Path=/; HttpOnly; Secure"),
    ],
)
def test_cookie_follows_the_virtual_proxy(fields: dict[str, t.Any], scheme: str, expected: str) -> None:
    browser = jwt_site(fields=fields).browser(scheme=scheme)
    [cookie] = set_cookies(browser.get("/jwt/hub/", **bearer()))
    assert re.sub(GUID, "@", cookie) == expected
    assert browser.get("/jwt/hub/").status == 200


# --- What is served


def test_qps_user_returns_the_user() -> None:
    browser = jwt_site().browser()
    assert who(browser) == {"loginUri": "https://localhost/jwt/hub/"}
    assert who(browser, Authorization="Bearer nonsense") == {"loginUri": "https://localhost/jwt/hub/"}
    answer = browser.get("/jwt/qps/user?targetUri=https://localhost/jwt/hub/", **bearer())
    assert answer.json() == {
        "userDirectory": "LAB",
        "userId": "ada",
        "userName": "ada",
        "logoutUri": "https://localhost/jwt/qps/user?targetUri=https%3A%2F%2Flocalhost%2Fjwt%2Fhub%2F",
    }
    refusing = jwt_site(user_endpoint_refuses=True).browser()
    assert refusing.get("/jwt/qps/user").status == 401
    assert who(refusing, **bearer())["userId"] == "ada"


def test_csrf_token_depends_on_release() -> None:
    browser = jwt_site().browser()
    assert browser.get("/jwt/qps/csrftoken").status == 401
    first = browser.get("/jwt/qps/csrftoken", **bearer())
    assert first.status == 204
    assert first.header("qlik-csrf-token")
    assert browser.get("/jwt/qps/csrftoken").header("qlik-csrf-token") == first.header("qlik-csrf-token")
    assert jwt_site(csrf_status="200").browser().get("/jwt/qps/csrftoken", **bearer()).status == 200
    old = jwt_site(release="may-2024").browser()
    assert old.get("/jwt/qps/csrftoken", **bearer()).status == 404
    assert old.get("/jwt/hub/").status == 200


def test_logout_ends_sessions_of_one_virtual_proxy() -> None:
    site = jwt_site()
    site.add(prefix="other", cookie="X-Qlik-Session-other")
    first, second, other, bob = (site.browser() for _number in range(4))
    for browser in (first, second):
        browser.get("/jwt/hub/", **bearer())
    other.get("/other/hub/", **bearer())
    bob.get("/jwt/hub/", **bearer(userId="bob"))
    assert first.send("DELETE", "/jwt/qps/user").status == 200
    assert [browser.get("/jwt/hub/").status for browser in (first, second, bob)] == [401, 401, 200]
    assert other.get("/other/hub/").status == 200
    assert first.send("DELETE", "/jwt/qps/user").status == 401


def test_csrf_for_repository_depends_on_switch() -> None:
    browser = jwt_site(repository_requires_csrf=True).browser()
    assert browser.get("/jwt/qrs/about", **bearer()).status == 200
    assert browser.get("/jwt/qrs/about", **bearer()).status == 403
    assert browser.get("/jwt/qrs/about", qlik_csrf_token="wrong").status == 403
    csrf = browser.get("/jwt/qps/csrftoken").header("qlik-csrf-token") or ""
    assert browser.get("/jwt/qrs/about", qlik_csrf_token=csrf).status == 200
    old = jwt_site(release="may-2024", repository_requires_csrf=True).browser()
    assert [old.get("/jwt/qrs/about", **bearer()).status for _time in range(2)] == [200, 200]


@pytest.mark.parametrize("status", ["401", "403", "302"])
def test_signed_out_status_depends_on_switch(status: str) -> None:
    browser = jwt_site(signed_out_status=status).browser()
    assert browser.get("/jwt/qps/csrftoken").status == int(status)
    assert browser.get("/jwt/hub/").status == 401
    assert browser.get("/jwt/qps/csrftoken", Authorization="Bearer none").status == 401


def test_logout_depends_on_switches() -> None:
    browser = jwt_site(logout_status="204", logout_requires_csrf=True).browser()
    csrf = browser.get("/jwt/qps/csrftoken", **bearer()).header("qlik-csrf-token") or ""
    assert browser.send("DELETE", "/jwt/qps/user").status == 403
    assert browser.get("/jwt/hub/").status == 200
    assert browser.send("DELETE", "/jwt/qps/user", headers={"qlik-csrf-token": csrf}).status == 204
    assert browser.get("/jwt/hub/").status == 401


PREFLIGHT = {"Origin": "https://portal.lab", "Access-Control-Request-Method": "GET"}


@pytest.mark.parametrize(
    ("policy", "headers", "status"),
    [("answered", PREFLIGHT, 200), ("answered", {"Origin": "https://portal.lab"}, 401), ("refused", PREFLIGHT, 401)],
)
def test_preflight(policy: str, headers: dict[str, str], status: int) -> None:
    allowed = "Access-Control-Allow-Headers: authorization"
    browser = jwt_site(preflight=policy, fields={"additionalResponseHeaders": allowed}).browser()
    answer = browser.send("OPTIONS", "/jwt/qlik-embed/main.js", headers=headers)
    assert (answer.status, answer.header("access-control-allow-headers")) == (status, "authorization")
    assert not set_cookies(answer)


def test_product_info_is_anonymous_by_switch() -> None:
    path = "/jwt/resources/autogenerated/product-info.json"
    assert jwt_site(product_info_anonymous=True).browser().get(path).json()["composition"]["releaseLabel"]


def test_other_path_or_method_is_refused() -> None:
    browser = jwt_site().browser()
    assert browser.get("/jwt/nothing/here", **bearer()).status == 404
    assert browser.send("POST", "/jwt/hub/", headers=bearer()).status == 405
    assert browser.send("PUT", "/jwt/qps/user", headers=bearer()).status == 405


def test_hub_escapes_names_and_hides_secrets() -> None:
    site = jwt_site(
        fields={"jwtAttributeMap": [{"jwtAttribute": "g", "senseAttribute": "group", "isMandatory": False}]}
    )
    browser = site.browser()
    text = token(userId="<b>ada</b>", g=["<i>ops</i>"])
    page = browser.get("/jwt/hub/", Authorization=f"Bearer {text}").text
    assert "&lt;b&gt;ada&lt;/b&gt;" in page
    assert "&lt;i&gt;ops&lt;/i&gt;" in page
    assert "<b>" not in page
    assert browser.cookies["X-Qlik-Session-jwt"] not in page
    assert text.split(".")[2] not in page


def test_hub_shows_notice_instead_of_apps() -> None:
    assert "no access pass" in jwt_site(access_pass=False).browser().get("/jwt/hub/", **bearer()).text
    silent = jwt_site(access_pass=False, access_pass_notice="websocket")
    assert "no access pass" not in silent.browser().get("/jwt/hub/", **bearer()).text
    site = jwt_site()
    pages = [site.browser().get("/jwt/hub/", **bearer()).text for _number in range(6)]
    assert ["too many parallel sessions" in page for page in pages] == [False] * 5 + [True]


def test_login_above_session_limit_is_refused() -> None:
    site = jwt_site(session_limit="refuse")
    browsers = [site.browser() for _number in range(6)]
    assert [browser.get("/jwt/hub/", **bearer()).status for browser in browsers] == [200] * 5 + [403]
    browsers[0].send("DELETE", "/jwt/qps/user")
    assert browsers[5].get("/jwt/hub/", **bearer()).status == 200


def test_additional_headers_are_on_every_response() -> None:
    lines = "Access-Control-Allow-Origin: https://a.lab\nX-Frame: 1\r\nno header\nContent-Length: 5\nX-\u20ac: 1\n"
    browser = jwt_site(fields={"additionalResponseHeaders": lines}).browser()
    for answer in (browser.get("/jwt/hub/"), browser.get("/jwt/hub/", **bearer()), browser.get("/jwt/qrs/about")):
        assert answer.header("access-control-allow-origin") == "https://a.lab"
        assert answer.header("x-frame") == "1"
        assert [value for name, value in answer.headers if name == "content-length"] == [str(len(answer.body))]


# --- The repository behind the prefix


def test_repository_ignores_user_headers_of_the_caller() -> None:
    browser = jwt_site().browser()
    headers = {
        **bearer(),
        "X-Qlik-Xrfkey": "0123456789abcdef",
        "X-Qlik-User": "UserDirectory=INTERNAL;UserId=sa_api",
        "X-Qlik-Security": "Context=ManagementAccess",
        "Cookie": "other=1",
        "Accept": "application/json",
    }
    answer = browser.send("PUT", "/JWT//QRS/About/?Xrfkey=0123456789abcdef", headers=headers, body=b'{"a": 1}')
    told = answer.json()
    assert told["path"] == "/qrs/About"
    assert told["query"] == "Xrfkey=0123456789abcdef"
    assert told["identity"] == ["LAB", "ada"]
    assert told["via_proxy"] is True
    assert told["client_certificate"] is None
    assert told["body"] == '{"a": 1}'
    assert set(told["headers"]) == {"host", "accept", "x-qlik-xrfkey"}
    assert set_cookies(answer)
    assert browser.get("/jwt/qrs/about").status == 200
    assert jwt_site().browser().get("/jwt/qrs/about").status == 401


# --- Other ways in


def test_default_virtual_proxy_shows_a_login_form() -> None:
    browser = TwoNodes().browser()
    root = browser.get("/")
    assert (root.status, root.header("location")) == (301, "/hub/")
    assert browser.get("/client/").header("location")
    for path in ("/hub/", "/qrs/about"):
        answer = browser.get(path)
        assert answer.status == 302
        location = answer.header("location") or ""
        assert re.fullmatch(rf"/internal_forms_authentication/\?targetId={GUID}", location)
    form = browser.get(location)
    assert form.status == 200
    for field in ('id="username-input" name="username"', 'id="password-input" name="pwd"', 'id="loginbtn"'):
        assert field in form.text
    assert browser.send("POST", location, body=b"username=a&pwd=b").status == 401
    assert browser.get("/unknown").status == 400


def test_authentication_module_gets_the_ticket_uri() -> None:
    site = TwoNodes()
    site.add(
        prefix="module", cookie="X-M", authenticationMethod=0, authenticationModuleRedirectUri="https://login.lab/?a=1"
    )
    location = urllib.parse.urlsplit(site.browser().get("/module/hub/").header("location") or "")
    query = urllib.parse.parse_qs(location.query)
    assert location.netloc == "login.lab"
    assert set(query) == {"a", "targetId", "proxyRestUri"}
    assert query["proxyRestUri"] == ["https://central.lab:4243/qps/module/"]


@pytest.mark.parametrize(
    ("fields", "header", "expected"),
    [
        ({"authenticationMethod": 1, "headerAuthenticationStaticUserDirectory": "LAB"}, "ada", ("LAB", "ada")),
        (
            {"authenticationMethod": 2, "headerAuthenticationDynamicUserDirectory": r"$ud\\$id"},
            r"LAB\ada",
            ("LAB", "ada"),
        ),
        (
            {"authenticationMethod": 2, "headerAuthenticationDynamicUserDirectory": r"$id@$ud"},
            "ada@LAB",
            ("LAB", "ada"),
        ),
        ({"authenticationMethod": 2, "headerAuthenticationDynamicUserDirectory": r"$ud\\$id"}, "ada", None),
        ({"authenticationMethod": 2, "headerAuthenticationDynamicUserDirectory": "ada"}, "ada", None),
        ({"authenticationMethod": 1, "headerAuthenticationStaticUserDirectory": "LAB"}, "\xe5da", None),
        ({"authenticationMethod": 1, "headerAuthenticationStaticUserDirectory": ""}, "ada", None),
        ({"authenticationMethod": 1, "headerAuthenticationStaticUserDirectory": "LAB"}, None, None),
    ],
)
def test_header_authenticates_the_user(
    fields: dict[str, t.Any], header: str | None, expected: tuple[str, str] | None
) -> None:
    site = TwoNodes()
    site.add(prefix="hdr", cookie="X-H", headerAuthenticationHeaderName="X-User", **fields)
    headers = {"X-User": header} if header is not None else {}
    answer = site.browser().send("GET", "/hdr/hub/", headers=headers)
    if expected:
        told = who(site.browser(), "/hdr", **headers)
        assert answer.status == 200
        assert (told["userDirectory"], told["userId"]) == expected
    else:
        assert answer.status == 401
        assert answer.text.startswith(PREFIX)


def test_anonymous_user_depends_on_access_mode() -> None:
    site = TwoNodes()
    site.add(prefix="allow", cookie="X-A", anonymousAccessMode=1)
    site.add(prefix="always", cookie="X-B", anonymousAccessMode=2)
    browser = site.browser()
    assert browser.get("/allow/hub/").status == 200
    assert who(browser, "/allow")["userDirectory"] == "NONE"
    assert who(browser, "/allow", **bearer())["userId"] == "ada"
    assert who(site.browser(), "/always", **bearer())["userDirectory"] == "NONE"
    assert site.users == [("LAB", "ada")]


# --- Saves


def test_change_is_active_at_once_without_reload_time() -> None:
    site = jwt_site()
    assert site.browser().get("/late/hub/", **bearer()).status == 400
    vp_id = site.add(prefix="late", cookie="X-Late")
    assert site.browser().get("/late/hub/", **bearer()).status == 200
    site.change(vp_id, jwtPublicKeyCertificate=certificate(rsa_key("new")))
    assert site.browser().get("/late/hub/", **bearer()).status == 401
    assert site.browser().get("/late/hub/", **bearer(key=rsa_key("new"))).status == 200


def test_change_is_active_after_reload_time() -> None:
    site = jwt_site(reload_seconds=10)
    site.clock.now += 10
    assert site.browser().get("/jwt/hub/", **bearer()).status == 200
    site.add(prefix="late", cookie="X-Late")
    for _second in range(2):
        site.clock.now += 4
        assert site.browser().get("/jwt/hub/", **bearer()).status == 503
    site.clock.now += 2
    assert site.browser().get("/late/hub/", **bearer()).status == 200


def test_reload_may_close_connections() -> None:
    site = jwt_site(reload_seconds=10, reload_answer="disconnect")
    with pytest.raises(AbortedError):
        site.browser().get("/jwt/hub/", **bearer())
    site.clock.now += 10
    assert site.browser().get("/jwt/hub/", **bearer()).status == 200


@pytest.mark.parametrize(
    ("switch", "jwt_status", "other_status"), [("none", 200, 200), ("virtual_proxy", 401, 200), ("all", 401, 401)]
)
def test_sessions_after_reload_depend_on_switch(switch: str, jwt_status: int, other_status: int) -> None:
    site = TwoNodes(reload_drops_sessions=switch)
    changed = site.add(prefix="jwt", cookie="X-Jwt")
    site.add(prefix="other", cookie="X-Other")
    browser = site.browser()
    for prefix in ("jwt", "other"):
        browser.get(f"/{prefix}/hub/", **bearer())
    site.change(changed, description="Something else")
    assert [browser.get(f"/{prefix}/hub/").status for prefix in ("jwt", "other")] == [jwt_status, other_status]
