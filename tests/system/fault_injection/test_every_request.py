# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each request of a run of jwt_virtual_proxies fails in each way, once and permanently.

In each case the result of the module is true, other settings and links are unchanged, and the next run finishes.
"""

from __future__ import annotations

import functools
import json
import time
import typing as t

import jwt
import pytest
from conftest import BreakableSite, Document

from ansible_collections.sensible.qlik.plugins.modules import jwt_virtual_proxies
from ansible_collections.sensible.qlik.tests.unit.plugins.module_arguments import patch_module_args

BEFORE = {"kept": ["Central", "Rim1"], "changed": ["Central"], "gone": ["Central", "Rim1"], "admin": ["Central"]}
OTHERS = ("", "kept", "admin")

FAULTS: dict[str, dict[str, t.Any]] = {
    "connection lost before": {"action": "drop_before"},
    "connection lost after": {"action": "drop_after"},
    "answer cut": {"action": "truncate"},
    "conflict": {"action": "status", "status": 409, "body": "Conflict"},
    "too many requests": {"action": "status", "status": 429, "headers": {"Retry-After": "0"}},
    "unavailable": {"action": "status", "status": 503, "content_type": "text/html", "body": "<html>503</html>"},
    "internal error": {"action": "status", "status": 500, "body": "Internal Server Error"},
    "a page instead": {"action": "status", "status": 200, "content_type": "text/html", "body": "<html>Log in</html>"},
    "slow": {"action": "delay", "seconds": 0.6},
}


class Outcome(t.NamedTuple):
    """The output of a run, and the site before and after it."""

    result: dict[str, t.Any]
    output: str
    before: Document
    after: Document


Run = t.Callable[..., Outcome]


@functools.cache
def expected(site: BreakableSite) -> Document:
    """Return the site as declared, from the first complete run."""
    return site.document()


@pytest.fixture
def run(site: BreakableSite, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run the module as Ansible does."""
    linked = {"load_balancing_server_nodes": ["Central"], "jwt_public_key_certificate": site.certificate}
    wanted = [
        {"prefix": "new", "proxies": ["Central", "Rim1"], **linked},
        {"prefix": "other", "proxies": ["Rim1"], **linked},
        {"prefix": "changed", "session_inactivity_timeout": 7, "tags": [], "proxies": ["Rim1"]},
        {"prefix": "gone", "state": "absent"},
    ]

    def run(**options: t.Any) -> Outcome:
        before = site.document()
        arguments = {**site.connection, "virtual_proxies": wanted, **options}
        capfd.readouterr()
        with patch_module_args(arguments), pytest.raises(SystemExit):
            jwt_virtual_proxies.main()
        out, err = capfd.readouterr()
        site.settle()
        return Outcome(json.loads(out), out + err, before, site.document())

    return run


def check(outcome: Outcome, new: Document) -> None:
    """Check what must be true after each run, regardless of its outcome."""
    result, output, before, after = outcome
    assert "Traceback" not in output
    for prefix in OTHERS:
        assert after["virtual_proxies"][prefix] == before["virtual_proxies"][prefix]
    for name, settings in after["proxies"].items():
        was, will_be = before["proxies"][name], new["proxies"][name]
        assert {**settings, "virtualProxies": []} == {**was, "virtualProxies": []}
        assert [one for one in settings["virtualProxies"] if one in OTHERS] == [
            one for one in was["virtualProxies"] if one in OTHERS
        ]
        assert set(settings["virtualProxies"]) <= {*was["virtualProxies"], *will_be["virtualProxies"]}
    for prefix, entity in after["virtual_proxies"].items():
        assert entity in (before["virtual_proxies"].get(prefix), new["virtual_proxies"].get(prefix))
    assert result["changed"] is (before != after), result
    outcomes = {entry["prefix"]: entry["outcome"] for entry in result.get("outcomes", ())}
    for prefix, word in outcomes.items():
        exists, existed = prefix in after["virtual_proxies"], prefix in before["virtual_proxies"]
        same = all(
            one["virtual_proxies"].get(prefix) == after["virtual_proxies"].get(prefix) for one in (before, after)
        ) and links(before, prefix) == links(after, prefix)
        match word:
            case "created":
                assert exists
                assert not existed
            case "deleted":
                assert existed
                assert not exists
            case "updated" | "incomplete":
                assert not same
            case "unchanged" | "pending":
                assert same
            case _:
                assert word == "failed"
                assert result["failed"]
    if not result.get("failed"):
        assert after == new
        assert not {"failed", "incomplete", "pending"} & set(outcomes.values())


def check_with_the_next_run(site: BreakableSite, outcome: Outcome, run: Run) -> None:
    """Check a run with a fault, and check that the next run without faults finishes it."""
    site.break_()
    finished = run()
    assert not finished.result.get("failed"), finished.result
    assert finished.after == expected(site)
    check(finished, finished.after)
    check(outcome, finished.after)
    if not outcome.result.get("failed"):
        assert finished.result["changed"] is False


def links(document: Document, prefix: str) -> list[str]:
    return [name for name, settings in document["proxies"].items() if prefix in settings["virtualProxies"]]


# The requests of a run, in order. A test compares them with those of a run in which nothing goes wrong.
REQUESTS = [
    ("GET", "/qrs/virtualproxyconfig/full"),
    ("GET", "/qrs/proxyservice/full"),
    ("POST", "/qrs/virtualproxyconfig"),
    ("POST", "/qrs/virtualproxyconfig"),
    ("PUT", "/qrs/virtualproxyconfig/"),
    ("PUT", "/qrs/proxyservice/"),
    ("PUT", "/qrs/proxyservice/"),
    ("DELETE", "/qrs/virtualproxyconfig/"),
]


def test_a_run_sends_the_expected_requests(site: BreakableSite, run: Run) -> None:
    site.reset(BEFORE)
    start = len(site.requests())
    outcome = run()
    asked = site.requests()[start:]
    for (method, path), (wanted, beginning) in zip(asked, REQUESTS, strict=True):
        assert method == wanted
        assert path.startswith(beginning)
    check(outcome, outcome.after)
    assert run().result["changed"] is False


OPTIONS: list[dict[str, t.Any]] = [{}, {"retries": 0}]


def table() -> t.Iterator[t.Any]:
    """Yield each request with each fault, with the options in turn; all options are for `make test-nightly`."""
    for number in range(1, len(REQUESTS) + 1):
        for index, fault in enumerate(FAULTS):
            for turn, options in enumerate(OPTIONS):
                marks = [] if (number + index) % len(OPTIONS) == turn else [pytest.mark.nightly]
                yield pytest.param(number, fault, options, marks=marks, id=f"{number}-{fault}-{options}")


@pytest.mark.parametrize(("number", "fault", "options"), list(table()))
def test_next_run_finishes_after_one_fault(
    site: BreakableSite, run: Run, number: int, fault: str, options: dict[str, t.Any]
) -> None:
    site.reset(BEFORE)
    site.break_({"nth": number, **FAULTS[fault]})
    patience = {"read_timeout": 0.4} if fault == "slow" else {}
    check_with_the_next_run(site, run(**options, **patience), run)


def table_of_writes() -> t.Iterator[t.Any]:
    """Yield each write with faults; each with each is for `make test-nightly`."""
    for number in range(3, len(REQUESTS) + 1):
        for index, fault in enumerate(name for name in FAULTS if name != "slow"):
            marks = [] if (number + index) % len(OPTIONS) == 0 else [pytest.mark.nightly]
            yield pytest.param(number, fault, marks=marks, id=f"{number}-{fault}")


@pytest.mark.parametrize(("number", "fault"), list(table_of_writes()))
def test_permanent_faults_fail_with_a_message(site: BreakableSite, run: Run, number: int, fault: str) -> None:
    site.reset(BEFORE)
    method, path = REQUESTS[number - 1]
    nth = sum(one == REQUESTS[number - 1] for one in REQUESTS[:number])
    site.break_({"method": method, "path": f"^{path}", "nth": nth, "times": 0, **FAULTS[fault]})
    check_with_the_next_run(site, run(retries=0), run)


def test_tokens_are_not_in_messages(site: BreakableSite, run: Run) -> None:
    proxy = {"port": site.proxy_port, "auth_method": "jwt", "virtual_proxy_prefix": "admin"}
    now = int(time.time())
    claims = {"userDirectory": "ACME", "userId": "admin", "iat": now - 60, "exp": now + 600}
    token = jwt.encode(claims, (site.pki / "server_key.pem").read_text(), algorithm="RS256")
    secret = token.rpartition(".")[2]
    for number in range(1, len(REQUESTS) + 1):
        for fault in ("connection lost after", "internal error", "a page instead"):
            site.reset(BEFORE)
            site.break_({"nth": number, "port": "proxy:Central", **FAULTS[fault]})
            outcome = run(**proxy, token=token, retries=0)
            assert secret not in outcome.output
            assert "Traceback" not in outcome.output
