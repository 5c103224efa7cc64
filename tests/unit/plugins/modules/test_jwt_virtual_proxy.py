# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import functools
import json
import typing as t
from unittest import mock

import pytest
from ansible.module_utils import basic

from ansible_collections.sensible.qlik.plugins.module_utils._errors import MissingLibraryError
from ansible_collections.sensible.qlik.plugins.module_utils._keys import certificate
from ansible_collections.sensible.qlik.plugins.modules import jwt_virtual_proxy
from ansible_collections.sensible.qlik.tests.unit.plugins.conftest import make_certificate
from ansible_collections.sensible.qlik.tests.unit.plugins.fake_repository import FakeRepository
from ansible_collections.sensible.qlik.tests.unit.plugins.module_arguments import capture_log


@pytest.fixture
def run(run_module: t.Callable[..., t.Any]) -> t.Callable[..., dict[str, t.Any]]:
    """Run the module, with a repository in memory."""
    return functools.partial(run_module, jwt_virtual_proxy)


def test_a_change_reports_its_writes(
    run: t.Callable[..., dict[str, t.Any]], pem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not from the result: ansible-core 2.19 and later leave out what the same process has warned of before.
    warnings: list[str] = []
    monkeypatch.setattr(basic.AnsibleModule, "warn", lambda self, warning: warnings.append(warning))
    result = run(prefix="Portal", jwt_public_key_certificate=pem, proxies=["Central"], host_allow_list=["a.example"])
    assert result["changed"] is True
    assert result["writes"] == ["create the virtual proxy 'portal'", "set the links of the proxy 'Central'"]
    assert result["virtual_proxy"]["proxies"] == ["Central"]
    assert result["virtual_proxy"]["websocket_cross_origin_white_list"] == ["a.example"]
    assert result["virtual_proxy"]["certificate"]["subject"] == "CN=portal"
    assert result["diff"]["before"] == {}
    assert result["diff"]["after"]["jwt_public_key_certificate"].startswith("CN=portal, expires")
    lowered, without_nodes = warnings
    assert "lower case" in lowered
    assert "load_balancing_server_nodes" in without_nodes


def test_a_failure_reports_completed_writes(
    run: t.Callable[..., dict[str, t.Any]], repository: FakeRepository, pem: str
) -> None:
    repository.failures = {2: 403}
    result = run(prefix="portal", jwt_public_key_certificate=pem, proxies=["Central"])
    assert result["failed"] is True
    assert result["changed"] is True
    assert result["writes"] == ["create the virtual proxy 'portal'"]
    assert "403" in result["msg"]
    assert "Done before that: create the virtual proxy 'portal'." in result["msg"]


def test_a_missing_library_does_not_hide_the_change(
    run: t.Callable[..., dict[str, t.Any]], repository: FakeRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.add("portal", jwtPublicKeyCertificate=make_certificate("missing"))
    error = MissingLibraryError("cryptography")
    monkeypatch.setattr(certificate, "_load", mock.Mock(side_effect=error))
    result = run(prefix="portal", session_inactivity_timeout=5)
    assert (result["failed"], result["changed"]) == (True, True)
    assert result["writes"] == ["update the virtual proxy 'portal'"]


def test_single_entries_are_changed_and_whole_lists_shown(
    run: t.Callable[..., dict[str, t.Any]], repository: FakeRepository
) -> None:
    row = {"jwt_attribute": "groups", "sense_attribute": "group"}
    repository.add("portal", websocketCrossOriginWhiteList=["a.example"])
    result = run(prefix="portal", host_allow_list_add=["b.example"], jwt_attribute_map_add=[row])
    for whole in (result["virtual_proxy"], result["diff"]["after"]):
        assert whole["websocket_cross_origin_white_list"] == ["a.example", "b.example"]
        assert whole["jwt_attribute_map"] == [{**row, "is_mandatory": False}]
    assert not [name for name in result["virtual_proxy"] if name.endswith(("_add", "_remove"))]
    assert run(**result["virtual_proxy"])["changed"] is False


@pytest.mark.parametrize("name", ["host_allow_list", "websocket_cross_origin_white_list"])
def test_conflicting_list_options_are_named_as_written(
    name: str, run: t.Callable[..., dict[str, t.Any]], repository: FakeRepository
) -> None:
    result = run(**{"prefix": "portal", name: ["a.example"], "host_allow_list_remove": ["b.example"]})
    assert f"Both {name} and host_allow_list_remove are given." in result["msg"]
    assert repository.requests == []


def test_invalid_input_writes_nothing(run: t.Callable[..., dict[str, t.Any]], repository: FakeRepository) -> None:
    result = run(prefix="a/b")
    assert result["failed"] is True
    assert result["changed"] is False
    assert repository.writes == []


def test_diff_equals_that_of_check_mode(
    run: t.Callable[..., dict[str, t.Any]], repository: FakeRepository, pem: str
) -> None:
    options = {"prefix": "portal", "jwt_public_key_certificate": pem, "proxies": ["Rim1"]}
    predicted = run(**options, _ansible_check_mode=True)
    assert repository.writes == []
    assert run(**options)["diff"] == predicted["diff"]


def test_missing_token_is_refused(run: t.Callable[..., dict[str, t.Any]]) -> None:
    result = run(prefix="portal", auth_method="jwt")
    assert result["failed"] is True
    assert "token" in result["msg"]


PASTED = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7"


@pytest.mark.parametrize("form", ["-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----", "{}"])
def test_a_private_key_in_a_wrong_option_is_not_shown(
    form: str, run: t.Callable[..., dict[str, t.Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    logged = capture_log(monkeypatch)
    result = run(prefix="portal", jwt_public_key_certificate=form.format(PASTED))
    assert result["failed"] is True
    assert "private key" in result["msg"]
    assert PASTED not in json.dumps(result)
    assert logged
    assert PASTED not in "".join(logged)


def test_the_certificate_is_not_masked(run: t.Callable[..., dict[str, t.Any]], pem: str) -> None:
    result = run(prefix="portal", jwt_public_key_certificate=pem, password="Correct-Horse7")
    assert result["virtual_proxy"]["jwt_public_key_certificate"] == pem
    assert result["invocation"]["module_args"]["jwt_public_key_certificate"] == pem
    # What ansible-core 2.22 masks in all output of the run.
    assert result.get("_ansible_new_secrets", ["Correct-Horse7"]) == ["Correct-Horse7"]
