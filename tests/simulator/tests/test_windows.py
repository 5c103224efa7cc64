# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Windows authentication: NTLM messages on both sides, over TLS."""

from __future__ import annotations

import base64
import pathlib
import re
import typing as t
import urllib.parse

import pytest
import requests
from requests_ntlm import HttpNtlmAuth
from running import XRFKEY, Simulator

from qlik_sense_simulator.site import SiteError, parse_site

SITE: dict[str, t.Any] = {
    "users": [
        {"user_directory": "LAB", "user_id": "ada", "roles": ["RootAdmin"], "password": "lovelace"},
        {"user_directory": "LAB", "user_id": "bo", "password": "b o"},
        {"user_directory": "LAB", "user_id": "gone", "password": "away", "inactive": True},
        {"user_directory": "LAB", "user_id": "tokens-only"},
    ],
    "virtual_proxies": [
        {"prefix": "form", "sessionCookieHeaderName": "X-F", "windowsAuthenticationEnabledDevicePattern": "Form"},
        {"prefix": "never", "sessionCookieHeaderName": "X-N", "windowsAuthenticationEnabledDevicePattern": ""},
        {"prefix": "win", "sessionCookieHeaderName": "X-D"},
        {"prefix": "jwt", "sessionCookieHeaderName": "X-J", "authenticationMethod": 4},
    ],
}
for _virtual_proxy in SITE["virtual_proxies"]:
    _virtual_proxy |= {"description": _virtual_proxy["prefix"], "proxies": ["Central"]}


@pytest.fixture(scope="module", params=["both", "ntlm", "negotiate"])
def running(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> t.Iterator[Simulator]:
    site = {**SITE, "switches": {"windows_challenge": request.param}}
    with Simulator(tmp_path_factory.mktemp("windows") / "site", site) as simulator:
        yield simulator


class UserAgent:
    """A user at the proxy of Central, with or without Windows."""

    def __init__(self, running: Simulator, *, agent: str = "Mozilla/5.0 (Windows NT 10.0)") -> None:
        self.base = running.ready["nodes"][0]["proxy_url"]
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = str(running.pki / "proxy_root.pem")
        self.session.headers.update({"User-Agent": agent, "X-Qlik-Xrfkey": XRFKEY})

    def get(self, path: str, **kwargs: t.Any) -> requests.Response:
        return self.session.get(urllib.parse.urljoin(self.base, path), timeout=60, **kwargs)

    def signs_in(self, user: str, password: str, *, prefix: str = "") -> requests.Response:
        return self.get(f"{prefix}/qrs/about?xrfkey={XRFKEY}", auth=HttpNtlmAuth(user, password))


@pytest.mark.parametrize("user", ["LAB\\ada", "lab\\ADA", "ada"])
@pytest.mark.parametrize("prefix", ["", "/win"])
def test_password_creates_a_session(running: Simulator, user: str, prefix: str) -> None:
    person = UserAgent(running)
    answer = person.signs_in(user, "lovelace", prefix=prefix)
    assert answer.json()["schemaPath"] == "About"
    assert "qlikTicket=" in answer.url
    login = answer.history[1]
    assert urllib.parse.urlsplit(login.url).path == f"{prefix}/internal_windows_authentication/"
    who = person.get(f"{prefix}/qps/user").json()
    assert (who["userDirectory"], who["userId"]) == ("LAB", "ada")
    # The ticket is used up.
    other = UserAgent(running)
    assert other.get(answer.url, allow_redirects=False).status_code == 302
    assert not other.session.cookies


@pytest.mark.parametrize(
    ("user", "password"),
    [("LAB\\ada", "wrong"), ("LAB\\unknown", "lovelace"), ("OTHER\\ada", "lovelace"), ("LAB\\tokens-only", "x")],
)
def test_wrong_password_and_user_get_the_same_response(running: Simulator, user: str, password: str) -> None:
    person = UserAgent(running)
    answer = person.signs_in(user, password)
    assert (answer.status_code, answer.text) == (401, "Unauthorized")
    assert re.fullmatch(r"NTLM|Negotiate|Negotiate, NTLM", answer.headers["WWW-Authenticate"])
    assert not person.session.cookies
    # The next user on the same connection signs in.
    assert person.signs_in("LAB\\bo", "b o").status_code == 200


def test_inactive_user_is_refused(running: Simulator) -> None:
    answer = UserAgent(running).signs_in("LAB\\gone", "away")
    assert answer.status_code == 403
    assert "inactive" in answer.text


@pytest.mark.parametrize(
    ("agent", "path", "expected"),
    [
        ("Mozilla/5.0 (Windows NT 10.0)", "/hub/", "/internal_windows_authentication/"),
        ("Mozilla/5.0 (X11; Linux x86_64)", "/hub/", "/internal_forms_authentication/"),
        ("", "/hub/", "/internal_forms_authentication/"),
        ("Mozilla/5.0 (Windows NT 10.0)", "/form/hub/", "/form/internal_forms_authentication/"),
        ("Form", "/form/hub/", "/form/internal_windows_authentication/"),
        ("Mozilla/5.0 (Windows NT 10.0)", "/never/hub/", "/never/internal_forms_authentication/"),
    ],
)
def test_user_agent_selects_windows_authentication(running: Simulator, agent: str, path: str, expected: str) -> None:
    answer = UserAgent(running, agent=agent).get(path, allow_redirects=False)
    assert answer.status_code == 302
    assert urllib.parse.urlsplit(answer.headers["Location"]).path == expected


def test_only_ticket_method_has_windows_authentication(running: Simulator) -> None:
    assert "Expected an authentication header" in UserAgent(running).get("/jwt/hub/").text
    answer = UserAgent(running).get("/jwt/internal_windows_authentication/")
    assert "NTLM" not in answer.headers.get("WWW-Authenticate", "")


def _message(kind: int, rest: bytes = b"") -> str:
    return base64.b64encode(b"NTLMSSP\0" + kind.to_bytes(4, "little") + rest).decode()


@pytest.mark.parametrize("scheme", ["NTLM", "Negotiate", "Basic"])
@pytest.mark.parametrize(
    "message",
    [
        "",
        "!",
        "AAAA",
        "YIGC",
        _message(1),
        _message(3),
        _message(3, b"\xff" * 80),
        _message(9),
        "A" * 9000,
        "TlRMTVNTUAA=",
    ],
    ids=range(10),
)
def test_unexpected_message_is_challenged_again(running: Simulator, scheme: str, message: str) -> None:
    person = UserAgent(running)
    for _time in range(2):
        answer = person.get("/internal_windows_authentication/", headers={"Authorization": f"{scheme} {message}"})
        assert answer.status_code == 401
        assert "WWW-Authenticate" in answer.headers
    assert person.signs_in("LAB\\bo", "b o").status_code == 200


def test_password_with_colon_is_refused(tmp_path: pathlib.Path) -> None:
    for password in ("a:b", "a\nb"):
        with pytest.raises(SiteError, match="colon") as caught:
            parse_site({"users": [{"user_directory": "LAB", "user_id": "ada", "password": password}]})
        assert password not in str(caught.value)
    assert "lovelace" not in repr(parse_site(SITE).users)


class TestForm:
    """The login form, as clients fill it in that send no User-Agent of Windows."""

    @pytest.fixture
    def person(self, running: Simulator) -> UserAgent:
        return UserAgent(running, agent="python")

    def log_in(self, person: UserAgent, username: str, password: str, *, prefix: str = "win") -> requests.Response:
        form = person.get(f"/{prefix}/hub/my/work?a=1")
        assert re.search(r"/internal_forms_authentication/\?targetId=[0-9a-f-]{36}$", form.url)
        fields = {"username": username, "pwd": password}
        return person.session.post(form.url, data=fields, timeout=60)

    @pytest.mark.parametrize("username", [r"LAB\ada", r"lab\ADA", "ada"])
    def test_password_leads_to_what_was_asked_for(self, person: UserAgent, username: str) -> None:
        answer = self.log_in(person, username, "lovelace")
        assert answer.status_code == 200
        assert urllib.parse.urlsplit(answer.url).path == "/win/hub/my/work"
        assert "X-D" in person.session.cookies
        assert person.get("/win/qps/user").json()["userId"] == "ada"

    @pytest.mark.parametrize(
        ("username", "password"),
        [(r"LAB\ada", "Lovelace"), (r"OTHER\ada", "lovelace"), (r"LAB\tokens-only", ""), ("", "")],
    )
    def test_wrong_password_shows_the_form_again(self, person: UserAgent, username: str, password: str) -> None:
        answer = self.log_in(person, username, password)
        assert (answer.status_code, "The user name or password is incorrect." in answer.text) == (401, True)
        assert not person.session.cookies

    def test_inactive_user_is_refused(self, person: UserAgent) -> None:
        assert self.log_in(person, r"LAB\gone", "away").status_code == 403

    @pytest.mark.parametrize("query", ["", "?targetId=00000000-0000-0000-0000-000000000000"])
    def test_target_is_required(self, person: UserAgent, query: str) -> None:
        url = urllib.parse.urljoin(person.base, f"/win/internal_forms_authentication/{query}")
        answer = person.session.post(url, data={"username": r"LAB\ada", "pwd": "lovelace"}, timeout=60)
        assert (answer.status_code, answer.text) == (
            400,
            "Virtual proxy not possible to determine, since neither TargetId nor Virtual Proxy were specified",
        )

    def test_token_virtual_proxy_has_no_form(self, person: UserAgent) -> None:
        assert person.get("/jwt/internal_forms_authentication/").status_code == 401
