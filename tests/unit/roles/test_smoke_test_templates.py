# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import html.parser
import pathlib
import typing as t
import xml.etree.ElementTree as ET

import jinja2
import pytest

TEMPLATES = pathlib.Path(__file__).parents[3] / "roles" / "smoke_test" / "templates"
CHECKS = (
    "login",
    "no_token",
    "identity",
    "cookie",
    "cookie_flags",
    "websocket",
    "forged_token",
    "expired_token",
    "logout",
)
MARKUP = """<script>alert(1)</script>"><img src=x onerror='alert(2)'>&amp;{{ 1 + 1 }}"""


def check(name: str, status: str = "passed", **more: t.Any) -> dict[str, t.Any]:
    usual = {"expected": "401", "actual": "401 with text", "status_code": 401, "ms": 12, "diagnosis": None}
    if status == "failed":
        usual["diagnosis"] = f"Because of {name}."
    if status == "skipped":
        usual.update(expected="", actual="no expired token was given", status_code=None, ms=None)
    return {"name": name, "title": f"Title of {name}", "status": status, **usual, **more}


def certificate(days_left: int, name: str = "CN=qlik1") -> dict[str, t.Any]:
    return {
        "subject": name,
        "issuer": "CN=ca",
        "not_after": "2027-01-01T00:00:00Z",
        "days_left": days_left,
        "fingerprint_sha256": name,
    }


def endpoint(proxy: str, prefix: str, failed: tuple[str, ...] = (), **more: t.Any) -> dict[str, t.Any]:
    statuses = {"expired_token": "skipped"} | dict.fromkeys(failed, "failed")
    return {
        "proxy": proxy,
        "prefix": prefix,
        "user": "ACME\\smoke",
        "linked": True,
        "passed": not failed,
        "seconds_waited": 0.0,
        "response_ms": None if "login" in failed else 80,
        "tls_certificate": certificate(400, f"CN={proxy}"),
        "jwt_certificate": certificate(300, f"CN={prefix}"),
        "site_certificate": certificate(300, f"CN={prefix}"),
        "checks": [check(name, statuses.get(name, "passed")) for name in CHECKS],
        **more,
    }


def report(*endpoints: dict[str, t.Any], **more: t.Any) -> dict[str, t.Any]:
    passed = all(endpoint["passed"] for endpoint in endpoints)
    return {
        "site": "prod",
        "time": "2026-11-05T10:00:00Z",
        "passed": passed,
        "summary": "A summary.",
        "endpoints": list(endpoints),
        "warnings": [],
        "files": {},
        **more,
    }


def rendered(template: str, data: dict[str, t.Any]) -> str:
    """Render like the module template, which neither escapes nor keeps the blanks before a block."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["lookup"] = lambda _plugin, name: (TEMPLATES.parent / "files" / name).read_text()
    return environment.get_template(template).render(smoke_test_report=data)


class Page(html.parser.HTMLParser):
    """The elements, ids and links of a page. It raises an error for an element that is not closed."""

    VOID = frozenset({"meta", "br", "img", "link", "input", "wbr"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data

    def values(self, attribute: str) -> list[str]:
        return [attributes[attribute] or "" for _tag, attributes in self.elements if attribute in attributes]


PASSED = report(endpoint("https://a", "portal"), endpoint("https://b", "portal"))
FAILED = report(
    endpoint("https://a", "portal"),
    endpoint("https://b", "portal", ("login",), tls_certificate=None),
    endpoint("https://a", "embedded", ("cookie_flags", "logout"), jwt_certificate=certificate(12)),
    warnings=["A warning."],
)


def test_passed_page_reports_success_in_words() -> None:
    page = Page(rendered("index.html.j2", PASSED))
    assert "users can log in" in page.text
    assert "✕" not in page.text
    assert "What to do" not in page.text
    assert page.text.count("works") >= 2


def test_failed_page_has_the_diagnosis_first() -> None:
    page = Page(rendered("index.html.j2", FAILED))
    assert "2 of 3 logins failed" in page.text
    assert page.text.index("A warning.") < page.text.index("Virtual proxies on each proxy")
    assert page.text.index("Title of login") < page.text.index("Because of login.")
    assert page.text.index("Because of login.") < page.text.index("Virtual proxies on each proxy")
    assert "cookie flags, logout failed" in page.text
    assert "no response" in page.text
    # Only failed logins are unfolded.
    assert [("open" in attributes) for tag, attributes in page.elements if tag == "details"] == [False, True, True]


def test_each_link_has_a_target() -> None:
    page = Page(rendered("index.html.j2", FAILED))
    targets = {f"#{value}" for value in page.values("id")}
    assert len(targets) == len(page.values("id"))
    assert page.values("href")
    assert set(page.values("href")) <= targets
    matrix = [attributes for tag, attributes in page.elements if "cell" in (attributes.get("class") or "")]
    assert [cell["class"] for cell in matrix] == ["cell passed", "cell failed", "cell failed"]
    assert [cell["href"] for cell in matrix] == ["#login-1", "#login-2", "#login-3"]


def test_page_loads_nothing_from_other_hosts() -> None:
    text = rendered("index.html.j2", FAILED)
    page = Page(text)
    assert {tag for tag, _attributes in page.elements} & {"script", "link", "img", "iframe", "object", "base"} == set()
    assert page.values("src") == []
    assert "url(" not in text
    assert "@import" not in text
    assert "default-src 'none'" in text


@pytest.mark.parametrize(
    ("days_left", "words"), [(-1, "expired"), (0, "! 0 days"), (1, "! 1 day"), (29, "! 29 days"), (30, "✓ 30 days")]
)
def test_certificates_warn_in_words_below_thirty_days(days_left: int, words: str) -> None:
    page = Page(rendered("index.html.j2", report(endpoint("https://a", "p", tls_certificate=certificate(days_left)))))
    assert words in page.text


@pytest.mark.parametrize(
    ("on_site", "declared", "words"),
    [
        ("CN=new", "CN=new", {"CN=new": "on the site, as declared"}),
        ("CN=old", "CN=new", {"CN=old": "on the site", "CN=new": "declared, differs from the site"}),
        ("CN=old", None, {"CN=old": "on the site"}),
        (None, "CN=new", {"CN=new": "declared"}),
    ],
)
def test_certificates_of_tokens_name_their_origin(
    on_site: str | None, declared: str | None, words: dict[str, str]
) -> None:
    certificates: dict[str, t.Any] = {
        "tls_certificate": None,
        "site_certificate": on_site and certificate(300, on_site),
        "jwt_certificate": declared and certificate(300, declared),
    }
    page = Page(rendered("index.html.j2", report(endpoint("https://a", "p", **certificates))))
    cells = [text.strip() for text in page.text.split("Days left")[1].split("Each check")[0].splitlines()]
    found = [text for text in cells if text and not text.startswith(("2027", "CN=ca", "✓"))]
    assert found == [text for name, origin in words.items() for text in (f"Tokens for /p{origin}", name)]


def test_skipped_checks_are_counted_and_listed_by_reason() -> None:
    page = Page(rendered("index.html.j2", report(endpoint("https://a", "portal", ("cookie_flags",)))))
    assert "checks failed1 of 9" in page.text
    assert "checks skipped1 of 9" in page.text
    assert "1 failed, 7 passed, 1 skipped" in page.text
    assert "1 skipped\n          no expired token was givenTitle of expired_token" in page.text


@pytest.mark.parametrize(
    ("slowest", "ticks", "width"),
    [
        (7, "01020", "35.0%"),
        (80, "050100", "80.0%"),
        (6100, "0500010000", "61.0%"),
        (61000, "03050061000", "100.0%"),
    ],
)
def test_bars_have_a_scale(slowest: int, ticks: str, width: str) -> None:
    page = Page(rendered("index.html.j2", report(endpoint("https://a", "portal", response_ms=slowest))))
    assert f"{ticks}ms" in page.text
    assert page.values("style") == [f"width: {width}"]


def report_with_markup() -> dict[str, t.Any]:
    """Return a report in which every text contains markup."""

    def with_markup(value: t.Any, key: str = "") -> t.Any:
        if isinstance(value, dict):
            return {name: with_markup(item, name) for name, item in value.items()}
        if isinstance(value, list):
            return [with_markup(item) for item in value]
        return MARKUP if isinstance(value, str) and key != "status" else value

    data: dict[str, t.Any] = with_markup(copy.deepcopy(FAILED))
    for number, one in enumerate(data["endpoints"]):
        one["prefix"] = f"{MARKUP}{number}"
    return data


def test_texts_do_not_become_markup() -> None:
    page = Page(rendered("index.html.j2", report_with_markup()))
    clean = Page(rendered("index.html.j2", FAILED))
    assert {tag for tag, _attributes in page.elements} <= {tag for tag, _attributes in clean.elements}
    attributes = {name for _tag, attributes in page.elements for name in attributes}
    assert attributes <= {name for _tag, attributes in clean.elements for name in attributes}
    assert MARKUP in page.text


def test_junit_report_is_valid_xml() -> None:
    for data in (PASSED, FAILED, report_with_markup(), report(site="a & b")):
        root = ET.fromstring(rendered("junit.xml.j2", data))
        cases = root.findall("testsuite/testcase")
        assert int(root.get("tests", "")) == len(cases) == sum(len(e["checks"]) for e in data["endpoints"])
        assert int(root.get("failures", "")) == len(root.findall(".//failure"))
        assert int(root.get("skipped", "")) == len(root.findall(".//skipped"))


def test_junit_report_has_the_failures_with_messages() -> None:
    root = ET.fromstring(rendered("junit.xml.j2", FAILED))
    names = [(case.get("classname"), case.get("name")) for case in root.iter("testcase")]
    assert len(set(names)) == len(names)
    failures = {
        case.get("name"): case.find("failure") for case in root.iter("testcase") if case.find("failure") is not None
    }
    assert set(failures) == {"login", "cookie_flags", "logout"}
    failure = t.cast("ET.Element", failures["login"])
    assert failure.get("message") == "Because of login."
    assert "actual: 401 with text" in (failure.text or "")
    assert [suite.get("failures") for suite in root.iter("testsuite")] == ["0", "1", "2"]
    assert root.get("time") == f"{sum((c['ms'] or 0) for e in FAILED['endpoints'] for c in e['checks']) / 1000:.3f}"
