# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t

import pytest
from ansible.module_utils.basic import env_fallback

from ansible_collections.sensible.qlik.plugins.module_utils import _text
from ansible_collections.sensible.qlik.plugins.module_utils._argspec import HIDDEN, QlikModule
from ansible_collections.sensible.qlik.tests.unit.plugins.module_arguments import capture_log, patch_module_args

KEY = "-----BEGIN {0}-----\nMIIEvQIBADANBg\n-----END {0}-----\n".format("PRIVATE KEY")

BARE = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJCrze8SNFZ4"

SPEC: dict[str, t.Any] = {
    "client_key": {"type": "path", "no_log": False, "fallback": (env_fallback, ["TEST_CLIENT_KEY"])},
    "client_key_content": {"type": "str", "no_log": True, "fallback": (env_fallback, ["TEST_CLIENT_KEY_CONTENT"])},
    "host": {"type": "str", "fallback": (env_fallback, ["TEST_HOST"])},
    "port": {"type": "int", "fallback": (env_fallback, ["TEST_PORT"])},
    "ca_content": {"type": "str", "fallback": (env_fallback, ["TEST_CA_CONTENT"])},
    "logins": {"type": "list", "elements": "dict", "options": {"token": {"type": "str", "no_log": True}}},
    "description": {"type": "str"},
    "names": {"type": "list", "elements": "str"},
    "entries": {"type": "list", "elements": "dict", "options": {"certificate": {"type": "str"}}},
    "anything": {"type": "dict"},
}


def module_of(**options: t.Any) -> QlikModule:
    with patch_module_args(options):
        return QlikModule(SPEC)


@pytest.fixture
def failure(capfd: pytest.CaptureFixture[str]) -> t.Callable[..., dict[str, t.Any]]:
    def run(**options: t.Any) -> dict[str, t.Any]:
        with pytest.raises(SystemExit):
            module_of(**options)
        output = capfd.readouterr().out
        assert "MIIEvQIBADANBg" not in output
        return t.cast("dict[str, t.Any]", json.loads(output))

    return run


Failure = t.Callable[..., dict[str, t.Any]]


def test_task_options_precede_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_CLIENT_KEY", "/environment/key.pem")
    assert module_of().params["client_key"] == "/environment/key.pem"
    params = module_of(client_key_content="text").params
    assert (params["client_key"], params["client_key_content"]) == (None, "text")

    monkeypatch.setenv("TEST_CLIENT_KEY_CONTENT", "text")
    params = module_of(client_key="/task/key.pem").params
    assert (params["client_key"], params["client_key_content"]) == ("/task/key.pem", None)


def test_both_forms_from_one_source_are_refused(failure: Failure, monkeypatch: pytest.MonkeyPatch) -> None:
    result = failure(client_key="key.pem", client_key_content="text")
    assert result["msg"] == "client_key and client_key_content are both set. Set one of them."
    monkeypatch.setenv("TEST_CLIENT_KEY", "key.pem")
    monkeypatch.setenv("TEST_CLIENT_KEY_CONTENT", "text")
    assert failure()["msg"] == "TEST_CLIENT_KEY and TEST_CLIENT_KEY_CONTENT are both set. Set one of them."


def test_text_in_a_path_option_is_not_shown(failure: Failure, monkeypatch: pytest.MonkeyPatch) -> None:
    logged = capture_log(monkeypatch)
    result = failure(client_key=KEY, description="a planted text")
    assert result["msg"] == (
        "client_key contains PEM text, not a path. Give the path of the file, or give the text as client_key_content."
    )
    assert result["invocation"]["module_args"]["client_key"] == HIDDEN
    assert "a planted text" in "".join(logged)
    assert "MIIEvQIBADANBg" not in "".join(logged)


def test_text_in_a_path_variable_is_refused(failure: Failure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_CLIENT_KEY", KEY)
    assert failure()["msg"] == (
        "TEST_CLIENT_KEY contains PEM text, not a path. Give the path of the file, or give the text as"
        " TEST_CLIENT_KEY_CONTENT."
    )


def test_the_text_is_hidden_when_another_option_is_wrong(failure: Failure) -> None:
    assert failure(client_key=KEY, port="x")["msg"].startswith("client_key contains PEM text")


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"description": KEY}, "description"),
        ({"names": ["a", KEY]}, "names[1]"),
        ({"entries": [{"certificate": KEY}]}, "entries[0].certificate"),
        ({"anything": {"deep": [KEY]}}, "anything.deep[0]"),
        ({"port": KEY}, "port"),
        ({"client_key_contents": KEY}, "client_key_contents"),
        ({"private_key": [KEY]}, "private_key[0]"),
    ],
)
def test_a_private_key_in_another_option_is_refused(failure: Failure, options: dict[str, t.Any], name: str) -> None:
    assert failure(**options)["msg"].startswith(f"{name} contains a private key, which is not allowed there.")


@pytest.mark.parametrize("options", [{"entries": [{"certificate": BARE}]}, {"anything": {"ca_content": BARE}}])
def test_a_truncated_key_in_a_certificate_option_is_refused(
    options: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    logged = capture_log(monkeypatch)
    with patch_module_args({**options, "description": "a planted text"}):
        module = QlikModule(SPEC)
        assert BARE in str(module.params)  # the module itself explains what it is
        with pytest.raises(SystemExit):
            module.exit_json(changed=False)
    output = capfd.readouterr().out + "".join(logged)
    assert "a planted text" in "".join(logged)
    if not _text.register_secrets([]):  # otherwise the controller masks it
        assert BARE[:20] not in output


@pytest.mark.parametrize("variable", ["TEST_HOST", "TEST_PORT", "TEST_CA_CONTENT"])
def test_private_key_in_any_variable_is_refused(
    failure: Failure, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[str] = []
    monkeypatch.setattr(QlikModule, "log", lambda self, msg, log_args=None: logged.append(f"{msg} {log_args}"))
    monkeypatch.setenv(variable, KEY)
    assert failure()["msg"].startswith(f"{variable} contains a private key")
    assert "MIIEvQIBADANBg" not in "".join(logged)


def test_list_in_a_path_option_is_refused_without_its_value(failure: Failure) -> None:
    result = failure(client_key=["S3cretPassw0rd"])
    assert result["msg"] == "client_key must be the path of a file, not a list."
    assert "S3cretPassw0rd" not in str(result)
    assert failure(anything={KEY: 1})["msg"].startswith("anything has a private key as the name of an entry.")


def test_a_token_with_a_line_break_is_not_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    logged = capture_log(monkeypatch)
    module_of(logins=[{"token": "a-planted-token\n"}], description="a planted text")
    assert "a planted text" in "".join(logged)
    assert "a-planted-token" not in "".join(logged)


def test_private_key_in_its_own_option_is_accepted() -> None:
    assert module_of(client_key_content=KEY).params["client_key_content"] == KEY
