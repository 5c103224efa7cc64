# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t
import urllib.parse
from pathlib import Path

import pytest

from ansible_collections.sensible.qlik.plugins.module_utils._errors import TransportError
from ansible_collections.sensible.qlik.plugins.module_utils._http import qps
from ansible_collections.sensible.qlik.plugins.module_utils._http.client import Request, Response
from ansible_collections.sensible.qlik.plugins.module_utils._text import Sanitizer
from ansible_collections.sensible.qlik.plugins.modules import logout

Run = t.Callable[..., dict[str, t.Any]]


class Apis:
    """The APIs of two proxies, with their sessions by prefix."""

    def __init__(self) -> None:
        self.sessions: dict[str, dict[str, list[dict[str, str]]]] = {
            "https://qlik1:4243": {"portal": [named("anna", "secret-1"), named("bert", "secret/2")]},
            "https://qlik2:8443": {"portal": [named("Anna", "secret-3")]},
        }
        self.deleted: list[str] = []
        self.fault: t.Callable[[str, str], Response | None] = lambda _method, _url: None

    def send(self, request: Request) -> Response:
        try:
            faulty = self.fault(request.method, request.url)
        except ConnectionError:
            raise TransportError("There is no way.", context=request.context) from None
        if faulty is not None:
            return faulty
        base, _qps, prefix, _session, *session_id = request.url.replace("https://", "").split("/")
        sessions = self.sessions[f"https://{base}"].get(prefix)
        if sessions is None:
            return answer(404)
        if request.method == "DELETE":
            gone = urllib.parse.unquote(session_id[0])
            self.deleted.append(gone)
            sessions[:] = [one for one in sessions if one["SessionId"] != gone]
            return answer(200, {})
        return answer(200, list(sessions))


class Client:
    """The client of one proxy."""

    def __init__(self, apis: Apis) -> None:
        self.headers: dict[str, str] = {}
        self._apis = apis

    def send(self, request: Request) -> Response:
        assert self.headers["X-Qlik-Xrfkey"] == request.query["xrfkey"]
        return self._apis.send(request)

    def close(self) -> None:
        pass


def named(user: str, session_id: str) -> dict[str, str]:
    return {"UserDirectory": "ACME", "UserId": user, "SessionId": session_id}


def answer(status: int, content: t.Any = None) -> Response:
    body = b"" if content is None else json.dumps(content).encode()
    request = Request("GET", "https://qlik1:4243")
    return Response(request, status, "", {}, body, truncated=False, repeated=False, sanitize=Sanitizer())


@pytest.fixture
def apis(monkeypatch: pytest.MonkeyPatch) -> Apis:
    found = Apis()
    monkeypatch.setattr(qps, "HttpClient", lambda **_options: Client(found))
    return found


@pytest.fixture
def run(run_module: Run, apis: Apis, tmp_path: Path, pem: str) -> Run:
    (tmp_path / "c.pem").write_text(pem)
    (tmp_path / "k.pem").touch(mode=0o600)
    (tmp_path / "k.pem").write_text("-----BEGIN {0}-----\n-----END {0}-----\n".format("PRIVATE KEY"))

    def main(**options: t.Any) -> dict[str, t.Any]:
        usual = {"qps_urls": ["qlik1", "https://qlik2:8443/"], "prefix": "/Portal/", "host": None}
        pair = {"client_cert": str(tmp_path / "c.pem"), "client_key": str(tmp_path / "k.pem")}
        return run_module(logout, **{**usual, **pair, **options})

    return main


def test_all_sessions_end_and_no_session_id_is_returned(run: Run, apis: Apis) -> None:
    counted = run(_ansible_check_mode=True)
    assert apis.deleted == []
    result = run()
    assert counted == result
    assert result["changed"] is True
    assert result["sessions"] == 3
    assert result["users"] == ["ACME\\anna", "ACME\\bert"]
    assert [proxy["sessions"] for proxy in result["proxies"]] == [2, 1]
    assert sorted(apis.deleted) == ["secret-1", "secret-3", "secret/2"]
    assert "secret" not in json.dumps(result)
    assert run()["changed"] is False


def test_options_limit_retries(run: Run, apis: Apis, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, t.Any] = {}
    monkeypatch.setattr(qps, "HttpClient", lambda **options: given.update(options) or Client(apis))
    run(retries=1, retry_deadline=2)
    assert (given["retries"], given["retry_deadline"]) == (1, 2.0)


def test_unknown_virtual_proxy_causes_a_warning(run: Run, apis: Apis, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[str] = []
    monkeypatch.setattr(logout.QlikModule, "warn", lambda self, warning: found.append(warning))
    apis.fault = lambda _method, _url: answer(404)
    assert run()["sessions"] == 0
    [warning] = found
    assert "None of the proxies knows a virtual proxy with the prefix 'portal'" in warning


def test_only_sessions_of_given_users_end(run: Run, apis: Apis) -> None:
    assert run(users=["acme\\\\anna"], _ansible_check_mode=True)["sessions"] == 2
    assert run(users=["acme\\ANNA"])["sessions"] == 2
    assert sorted(apis.deleted) == ["secret-1", "secret-3"]


def test_a_proxy_without_the_link_has_no_sessions(run: Run) -> None:
    result = run(prefix="other")
    assert result["changed"] is False
    assert [proxy["linked"] for proxy in result["proxies"]] == [False, False]


def test_no_session_ends_if_a_proxy_is_unreachable(run: Run, apis: Apis) -> None:
    def fault(_method: str, url: str) -> Response | None:
        if "qlik2" in url:
            raise ConnectionError
        return None

    apis.fault = fault
    result = run()
    assert "GET https://qlik2:8443/qps/portal/session: There is no way." in result["msg"]
    assert apis.deleted == []


@pytest.mark.parametrize("content", [{"error": 1}, [{"UserId": "x"}], ["x"], None])
def test_unexpected_answers_fail(run: Run, apis: Apis, content: t.Any) -> None:
    apis.fault = lambda _method, _url: answer(200, content)
    assert "which this API does not document" in run()["msg"]


def test_failed_logouts_are_reported_without_session_ids(run: Run, apis: Apis) -> None:
    def fault(method: str, url: str) -> Response | None:
        if method == "DELETE":
            raise ConnectionError
        return None

    apis.fault = fault
    result = run()
    assert "DELETE https://qlik1:4243/qps/portal/session: There is no way." in result["msg"]
    assert result["changed"] is False
    assert "secret" not in json.dumps(result)


@pytest.mark.parametrize("is_unreachable", [True, False])
def test_lost_answers_are_read_back(run: Run, apis: Apis, is_unreachable: bool) -> None:
    """The sessions end, and the answers are lost."""

    def fault(method: str, url: str) -> Response | None:
        sessions = apis.sessions["https://qlik1:4243"]["portal"]
        if method == "DELETE" and "qlik1" in url:
            del sessions[0]
            raise ConnectionError
        if len(sessions) < 2 and is_unreachable:
            raise ConnectionError
        return None

    apis.fault = fault
    result = run()
    assert result["changed"] is not is_unreachable
    assert result.get("msg", "").endswith("It is not known if the session has ended.") is is_unreachable


def test_a_failure_reports_ended_sessions(run: Run, apis: Apis) -> None:
    apis.fault = lambda method, url: answer(500) if method == "DELETE" and "qlik2" in url else None
    result = run()
    assert result["failed"] is True
    assert result["changed"] is True
    assert "Done before that: end a session of ACME\\anna on https://qlik1:4243; end a session of" in result["msg"]
    assert apis.deleted == ["secret-1", "secret/2"]
    assert "secret" not in json.dumps(result)


@pytest.mark.parametrize(
    "options",
    [
        {"qps_urls": ["http://qlik1"]},
        {"qps_urls": ["https://a/b"]},
        {"qps_urls": []},
        {"qps_urls": 4243},
        {"users": ["anna"]},
        {"prefix": ""},
        {"prefix": "a/b"},
    ],
)
def test_invalid_input_sends_no_request(run: Run, apis: Apis, options: dict[str, t.Any]) -> None:
    apis.fault = lambda _method, _url: pytest.fail("something was sent")
    assert run(**options)["failed"] is True
