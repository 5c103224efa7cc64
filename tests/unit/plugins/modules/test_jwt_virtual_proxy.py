# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t

import pytest
from ansible.module_utils import basic

from ansible_collections.sensible.qlik.plugins.module_utils import _connection
from ansible_collections.sensible.qlik.plugins.modules import jwt_virtual_proxy
from ansible_collections.sensible.qlik.tests.unit.plugins.fake_repository import FakeRepository
from ansible_collections.sensible.qlik.tests.unit.plugins.module_arguments import patch_module_args


@pytest.fixture
def run(
    repository: FakeRepository, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> t.Callable[..., dict[str, t.Any]]:
    """Run main() as Ansible does, with a repository in memory, and return what it printed."""
    monkeypatch.setattr(repository, "close", lambda: None, raising=False)
    monkeypatch.setattr(_connection, "Connection", lambda options: repository)

    def main(**options: t.Any) -> dict[str, t.Any]:
        connection = {"host": "qlik.example.com", "client_cert": "/c.pem", "client_key": "/k.pem"}
        given = {name: value for name, value in {**connection, **options}.items() if value is not None}
        with patch_module_args(given), pytest.raises(SystemExit) as ended:
            jwt_virtual_proxy.main()
        result = json.loads(capfd.readouterr().out)
        assert bool(ended.value.code) == bool(result.get("failed"))
        return t.cast("dict[str, t.Any]", result)

    return main


def test_says_what_was_done(run: t.Callable[..., dict[str, t.Any]], pem: str, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_a_failure_says_what_had_been_done(
    run: t.Callable[..., dict[str, t.Any]], repository: FakeRepository, pem: str
) -> None:
    repository.failures = {2: 403}
    result = run(prefix="portal", jwt_public_key_certificate=pem, proxies=["Central"])
    assert result["failed"] is True
    assert result["changed"] is True
    assert result["writes"] == ["create the virtual proxy 'portal'"]
    assert "403" in result["msg"]
    assert "Done before that: create the virtual proxy 'portal'." in result["msg"]


def test_nothing_is_asked_for_when_the_input_is_wrong(
    run: t.Callable[..., dict[str, t.Any]], repository: FakeRepository
) -> None:
    result = run(prefix="a/b")
    assert result["failed"] is True
    assert result["changed"] is False
    assert repository.requests == []


def test_the_diff_is_that_of_check_mode(
    run: t.Callable[..., dict[str, t.Any]], repository: FakeRepository, pem: str
) -> None:
    options = {"prefix": "portal", "jwt_public_key_certificate": pem, "proxies": ["Rim1"]}
    predicted = run(**options, _ansible_check_mode=True)
    assert repository.writes == []
    assert run(**options)["diff"] == predicted["diff"]


@pytest.mark.parametrize("missing", ["client_cert", "token"])
def test_each_way_to_sign_in_needs_its_own(run: t.Callable[..., dict[str, t.Any]], missing: str) -> None:
    method = {"client_cert": "certificate", "token": "jwt"}[missing]
    result = run(prefix="portal", auth_method=method, client_cert=None)
    assert result["failed"] is True
    assert missing in result["msg"]


def test_a_private_key_pasted_by_mistake_is_neither_shown_nor_logged(
    run: t.Callable[..., dict[str, t.Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[str] = []
    monkeypatch.setattr(basic.AnsibleModule, "log", lambda self, msg, log_args=None: logged.append(f"{msg} {log_args}"))
    body = "bm90IGEgcmVhbCBrZXksIGJ1dCB3aG8ga25vd3M="
    result = run(
        prefix="portal", jwt_public_key_certificate=f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----"
    )
    assert result["failed"] is True
    assert "private key" in result["msg"]
    assert body not in json.dumps(result)
    assert logged
    assert body not in "".join(logged)
