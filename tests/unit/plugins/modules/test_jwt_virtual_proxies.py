# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import functools
import json
import ssl
import typing as t

import pytest
from ansible.module_utils import basic

from ansible_collections.sensible.qlik.plugins.filter.drift import drift
from ansible_collections.sensible.qlik.plugins.modules import jwt_virtual_proxies, virtual_proxy_info
from ansible_collections.sensible.qlik.tests.unit.plugins.conftest import make_certificate
from ansible_collections.sensible.qlik.tests.unit.plugins.fake_repository import FakeRepository

Run = t.Callable[..., dict[str, t.Any]]


@pytest.fixture
def run(run_module: Run) -> Run:
    return functools.partial(run_module, jwt_virtual_proxies)


@pytest.fixture
def info(run_module: Run) -> Run:
    return functools.partial(run_module, virtual_proxy_info)


@pytest.fixture
def declared(pem: str) -> list[dict[str, t.Any]]:
    """Three virtual proxies with different links."""
    return [
        {"prefix": prefix, "jwt_public_key_certificate": pem, "load_balancing_server_nodes": ["Central"], "proxies": to}
        for prefix, to in (("a", ["Central", "Rim1"]), ("b", ["Rim1"]), ("c", ["Central"]))
    ]


def outcomes(result: dict[str, t.Any]) -> dict[str, str]:
    return {entry["prefix"]: entry["outcome"] for entry in result["outcomes"]}


def test_predicted_list_is_written_with_few_requests(
    run: Run, repository: FakeRepository, declared: list[dict[str, t.Any]]
) -> None:
    predicted = run(virtual_proxies=declared, _ansible_check_mode=True)
    assert repository.writes == []
    repository.requests.clear()
    result = run(virtual_proxies=declared)
    assert len(repository.requests) == 2 + 3 + 2
    assert result["changed"] is predicted["changed"] is True
    for name in ("diff", "writes", "outcomes"):
        assert result[name] == predicted[name]
    assert outcomes(result) == {"a": "created", "b": "created", "c": "created"}
    assert result["outcomes"][1]["writes"] == ["create the virtual proxy 'b'", "set the links of the proxy 'Rim1'"]
    assert [one["prefix"] for one in result["virtual_proxies"]] == ["a", "b", "c"]
    assert [one["before_header"] for one in result["diff"]] == ["virtual proxy a", "virtual proxy b", "virtual proxy c"]
    repository.requests.clear()
    again = run(virtual_proxies=result["virtual_proxies"])
    assert again["changed"] is False
    assert again["diff"] == []
    assert outcomes(again) == {"a": "unchanged", "b": "unchanged", "c": "unchanged"}
    assert len(repository.requests) == 2


def test_only_differences_are_shown_and_written(
    run: Run, repository: FakeRepository, declared: list[dict[str, t.Any]]
) -> None:
    run(virtual_proxies=declared)
    repository.requests.clear()
    declared[0]["session_inactivity_timeout"] = 7
    declared[1] = {"prefix": "b", "state": "absent"}
    result = run(virtual_proxies=declared)
    assert outcomes(result) == {"a": "updated", "b": "deleted", "c": "unchanged"}
    assert [method for method, _path in repository.writes] == ["PUT", "PUT", "DELETE"]
    assert [one["prefix"] for one in result["virtual_proxies"]] == ["a", "c"]
    assert len(result["diff"]) == 2


def test_only_named_entries_can_drift(run: Run, repository: FakeRepository) -> None:
    repository.add("a", websocketCrossOriginWhiteList=["ours.example", "theirs.example"])
    repository.add("b", tags=repository.tags)
    declared = [
        {"prefix": "a", "host_allow_list_add": ["OURS.example"], "host_allow_list_remove": ["old.example"]},
        {"prefix": "b", "host_allow_list": None, "tags_remove": ["managed"], "proxies_add": ["Rim1"]},
    ]
    checked = run(virtual_proxies=declared, _ansible_check_mode=True)
    [one, other] = drift({"dev": {"checked": checked, "found": []}})["sites"][0]["virtual_proxies"]
    assert (one["drifted"], one["differences"]) == (False, [])
    assert other["differences"] == [
        {"option": "proxies", "expected": ["Rim1"], "actual": []},
        {"option": "tags", "expected": ["portal"], "actual": ["Managed", "portal"]},
    ]


def test_an_alias_is_named_as_the_user_wrote_it(run: Run, repository: FakeRepository) -> None:
    entry = {"prefix": "a", "host_allow_list": ["a.example"], "host_allow_list_add": ["b.example"]}
    result = run(virtual_proxies=[{"prefix": "b"}, entry])
    assert "Virtual proxy 'a': Both host_allow_list and host_allow_list_add are given." in result["msg"]
    assert repository.requests == []


def test_an_error_in_one_entry_is_found_before_the_first_write(
    run: Run, repository: FakeRepository, declared: list[dict[str, t.Any]]
) -> None:
    for wrong in ({"proxies": ["nowhere"]}, {"jwt_attribute_user_id": "exp"}, {"tags": ["unknown"]}, {"prefix": "a"}):
        result = run(virtual_proxies=[*declared[:2], {**declared[2], **wrong}])
        assert result["failed"] is True
        assert result["changed"] is False
        assert repository.writes == []


class TestPurge:
    @pytest.fixture(autouse=True)
    def _others(self, repository: FakeRepository) -> None:
        repository.add("old", tags=[repository.tags[0]])
        repository.add("foreign")
        repository.add("saml", authenticationMethod=3, tags=[repository.tags[0]])

    def test_purge_is_off_by_default(self, run: Run, declared: list[dict[str, t.Any]]) -> None:
        assert outcomes(run(virtual_proxies=declared[:1])) == {"a": "created"}

    def test_purge_removes_undeclared_jwt_virtual_proxies_only(
        self, run: Run, repository: FakeRepository, declared: list[dict[str, t.Any]]
    ) -> None:
        predicted = run(virtual_proxies=declared[:1], purge=True, _ansible_check_mode=True)
        result = run(virtual_proxies=declared[:1], purge=True)
        assert outcomes(result) == {"a": "created", "foreign": "deleted", "old": "deleted"}
        assert predicted["diff"] == result["diff"]
        assert {entity["prefix"] for entity in repository.virtual_proxies.values()} == {"", "a", "saml"}
        assert [one["prefix"] for one in result["virtual_proxies"]] == ["a"]
        assert run(virtual_proxies=declared[:1], purge=True)["changed"] is False

    def test_purge_can_be_limited_to_a_tag(self, run: Run, declared: list[dict[str, t.Any]]) -> None:
        result = run(virtual_proxies=declared[:1], purge=True, purge_tag="PORTAL")
        assert outcomes(result) == {"a": "created", "old": "deleted"}
        assert outcomes(run(virtual_proxies=[], purge=True, purge_tag="portal")) == {}

    def test_an_empty_list_alone_is_refused(self, run: Run, repository: FakeRepository) -> None:
        result = run(virtual_proxies=[], purge=True)
        assert "would remove each" in result["msg"]
        assert repository.requests == []

    def test_the_connections_own_virtual_proxy_is_guarded(
        self, run: Run, repository: FakeRepository, declared: list[dict[str, t.Any]]
    ) -> None:
        repository.signs_in_through = "foreign"
        assert "This connection" in run(virtual_proxies=declared, purge=True)["msg"]
        assert repository.writes == []

    def test_deletions_before_a_lost_answer_are_reported(
        self, run: Run, repository: FakeRepository, declared: list[dict[str, t.Any]]
    ) -> None:
        repository.failures = {4: "lost"}  # create, two links, the first of two deletes
        result = run(virtual_proxies=declared[:1], purge=True)
        assert outcomes(result) == {"a": "created", "foreign": "deleted", "old": "deleted"}
        assert len(repository.writes) == 5


def test_a_path_in_the_place_of_a_prefix_is_refused(info: Run, repository: FakeRepository) -> None:
    for path in ("./jwt", "x/../jwt", "jwt/hub/..", "%6Awt", "jwt?x"):
        assert f"prefixes is '{path}', which contains" in info(prefixes=[path])["msg"]
    assert repository.requests == []


def test_certificates_that_expire_soon_cause_warnings(
    run: Run, repository: FakeRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(basic.AnsibleModule, "warn", lambda self, warning: warnings.append(warning))
    soon = make_certificate("portal", days=10)
    nodes = {"load_balancing_server_nodes": ["Central"], "proxies": ["Central"]}
    run(virtual_proxies=[{"prefix": "a", "jwt_public_key_certificate": soon, **nodes}])
    run(virtual_proxies=[{"prefix": "a", "session_inactivity_timeout": 5}])
    text = "The JWT certificate of the virtual proxy 'a' expires in 9 days ("
    assert [warning.startswith(text) for warning in warnings] == [True, True]


@pytest.mark.parametrize(("option", "value"), [("prefix", "a/b"), ("session_cookie_header_name", "a b")])
def test_prefix_and_cookie_are_checked_when_restored(
    run: Run, repository: FakeRepository, pem: str, option: str, value: str
) -> None:
    restored = {"prefix": "a", "jwt_public_key_certificate": pem, option: value}
    assert f"{option} is '{value}'" in run(virtual_proxies=[restored], restore=True)["msg"]
    assert repository.writes == []


class TestFailures:
    def test_each_entry_has_its_outcome(
        self, run: Run, repository: FakeRepository, declared: list[dict[str, t.Any]]
    ) -> None:
        repository.failures = {5: 403}  # the links of Rim1
        result = run(virtual_proxies=[*declared, {"prefix": "gone", "state": "absent"}])
        assert result["failed"] is True
        assert result["changed"] is True
        assert len(result["writes"]) == 4
        assert outcomes(result) == {"a": "failed", "b": "failed", "c": "created", "gone": "unchanged"}
        repository.failures = {}
        assert run(virtual_proxies=declared)["writes"] == ["set the links of the proxy 'Rim1'"]

    def test_unwritten_entries_are_pending(
        self, run: Run, repository: FakeRepository, declared: list[dict[str, t.Any]]
    ) -> None:
        repository.failures = {2: 400}
        result = run(virtual_proxies=declared)
        assert outcomes(result) == {"a": "incomplete", "b": "failed", "c": "pending"}
        assert result["writes"] == ["create the virtual proxy 'a'"]

    def test_conflicts_are_counted_for_each_entity(
        self, run: Run, repository: FakeRepository, declared: list[dict[str, t.Any]]
    ) -> None:
        run(virtual_proxies=declared)
        repository.failures = {6: "conflict", 7: "lost", 8: "conflict", 10: "dropped"}
        changed = [{**one, "session_inactivity_timeout": 7} for one in declared]
        result = run(virtual_proxies=changed)
        assert result["changed"] is True
        assert outcomes(result) == {"a": "updated", "b": "updated", "c": "updated"}
        assert not run(virtual_proxies=changed)["changed"]


class TestTruncatedList:
    """A site whose lists without a filter end after 100 entries, as users report."""

    @pytest.fixture(autouse=True)
    def _many(self, repository: FakeRepository) -> None:
        for number in range(120):
            repository.add(f"p{number:03}")
        repository.record_limit = 100

    def test_declared_entries_are_read_by_name(self, run: Run, repository: FakeRepository) -> None:
        result = run(virtual_proxies=[{"prefix": f"p{number:03}"} for number in range(120)])
        assert result["changed"] is False
        assert len(repository.requests) == 2 + 4

    def test_purge_and_full_list_fail_if_the_list_is_truncated(
        self, run: Run, info: Run, declared: list[dict[str, t.Any]]
    ) -> None:
        for result in (run(virtual_proxies=declared, purge=True), info()):
            assert "has 121 virtual proxies, but returned only 100" in result["msg"]

    def test_named_entry_is_found(self, info: Run) -> None:
        [found] = info(prefixes=["P110", "nothing"])["virtual_proxies"]
        assert found["prefix"] == "p110"


class TestInfo:
    def test_result_as_input_changes_nothing(
        self, run: Run, info: Run, repository: FakeRepository, declared: list[dict[str, t.Any]]
    ) -> None:
        declared[0] |= {"tags": ["portal"], "custom_properties": {"Stage": "prod"}}
        created = run(virtual_proxies=declared)
        repository.requests.clear()
        result = info()
        assert len(repository.requests) == 2
        assert result["changed"] is False
        assert result["virtual_proxies"] == created["virtual_proxies"]
        assert run(virtual_proxies=result["virtual_proxies"], purge=True)["changed"] is False

    def test_a_certificate_of_an_unknown_version_hides_nothing_else(
        self, info: Run, repository: FakeRepository, pem: str
    ) -> None:
        der = ssl.PEM_cert_to_DER_cert(pem).replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x05", 1)
        repository.add("invalid", jwtPublicKeyCertificate=ssl.DER_cert_to_PEM_cert(der))
        repository.add("sound", jwtPublicKeyCertificate=pem)
        found = {one["prefix"]: one["certificate"] for one in info()["virtual_proxies"]}
        assert found["invalid"] is None
        assert found["sound"]["subject"] == "CN=portal"

    def test_invalid_stored_values_can_be_used_as_input(self, run: Run, info: Run, repository: FakeRepository) -> None:
        invalid: dict[str, t.Any] = {
            "jwtAttributeUserId": "",
            "jwtPublicKeyCertificate": "-----BEGIN PUBLIC KEY-----",
            "websocketCrossOriginWhiteList": ["https://a.example:8443/x"],
            "additionalResponseHeaders": "no header",
            "sessionCookieHeaderName": "a b",
            "sessionInactivityTimeout": 0,
        }
        for prefix in ("Old/Slashes", "it's", "back\\slash", "qps"):
            repository.add(prefix, **{**invalid, "sessionCookieHeaderName": f"{prefix} cookie"})
        result = info()
        assert run(virtual_proxies=result["virtual_proxies"])["changed"] is False
        assert run(virtual_proxies=result["virtual_proxies"][:1])["changed"] is False
        changed = [{**one, "session_inactivity_timeout": 5} for one in result["virtual_proxies"]]
        assert run(virtual_proxies=changed)["changed"] is True
        wrong = run(virtual_proxies=[{"prefix": "it's", "websocket_cross_origin_white_list": ["a b"]}])
        assert "not a host name" in wrong["msg"]
        good = [{"prefix": one["prefix"], "websocket_cross_origin_white_list": []} for one in result["virtual_proxies"]]
        assert run(virtual_proxies=good)["changed"] is True
        assert "is below 1" in run(virtual_proxies=result["virtual_proxies"])["msg"]
        assert run(virtual_proxies=result["virtual_proxies"], restore=True)["changed"] is True
        assert info()["virtual_proxies"] == result["virtual_proxies"]
        gone = [{"prefix": one["prefix"], "state": "absent"} for one in result["virtual_proxies"]]
        assert run(virtual_proxies=gone)["changed"] is True

    def test_virtual_proxies_are_filtered_by_options(
        self, run: Run, info: Run, repository: FakeRepository, declared: list[dict[str, t.Any]], expired_pem: str
    ) -> None:
        declared[0]["tags"] = ["portal"]
        declared[1]["jwt_public_key_certificate"] = expired_pem
        run(virtual_proxies=declared)
        repository.add("saml", authenticationMethod=3)

        def prefixes(**options: t.Any) -> list[str]:
            return [one["prefix"] for one in info(**options)["virtual_proxies"]]

        assert prefixes() == ["a", "b", "c"]
        assert prefixes(prefixes=["C", "a"]) == ["a", "c"]
        assert prefixes(tags=["PORTAL", "other"]) == ["a"]
        assert prefixes(expires_within=0) == ["b"]
        assert prefixes(expires_within=400) == ["a", "b", "c"]
        assert prefixes(authentication_methods=[]) == ["", "a", "b", "c", "saml"]
        assert prefixes(authentication_methods=["saml", "ticket"]) == ["", "saml"]
        assert prefixes(prefixes=["saml"]) == []

    def test_expired_certificate_causes_a_warning(
        self, run: Run, info: Run, declared: list[dict[str, t.Any]], expired_pem: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        declared[1]["jwt_public_key_certificate"] = expired_pem
        run(virtual_proxies=declared)
        warnings: list[str] = []
        monkeypatch.setattr(basic.AnsibleModule, "warn", lambda self, warning: warnings.append(warning))
        info()
        assert len(warnings) == 1
        assert warnings[0].startswith("The JWT certificate of the virtual proxy 'b' has expired (")


def test_a_private_key_pasted_by_mistake_is_not_shown(run: Run, declared: list[dict[str, t.Any]]) -> None:
    body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7"
    declared[1]["jwt_public_key_certificate"] = f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----"
    result = run(virtual_proxies=declared)
    assert "private key" in result["msg"]
    assert body not in json.dumps(result)


def test_certificates_are_not_masked(run: Run, declared: list[dict[str, t.Any]], pem: str) -> None:
    result = run(virtual_proxies=declared)
    assert [one["jwt_public_key_certificate"] for one in result["virtual_proxies"]] == [pem, pem, pem]
    # What ansible-core 2.22 masks in all output of the run.
    assert "_ansible_new_secrets" not in result
