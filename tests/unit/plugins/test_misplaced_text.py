# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text in place of a path: every option and environment variable for a path, of all modules and plugins.

The options are read from the documentation, so a new option is tested without an entry here.
"""

from __future__ import annotations

import base64
import functools
import importlib
import json
import re
import typing as t
import urllib.parse
from pathlib import Path

import pytest
from ansible.errors import AnsibleError
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import fragment_loader, inventory_loader, lookup_loader
from ansible.utils.plugin_docs import get_docstring

from ansible_collections.sensible.qlik.tests.unit.plugins.module_arguments import (
    capture_log,
    displayed,
    patch_module_args,
)

PLUGINS = Path(__file__).parents[3] / "plugins"
_LINE = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7"
KEY = "-----BEGIN {0}-----\n{1}\n-----END {0}-----\n".format("PRIVATE KEY", _LINE)
SECRETS = {
    "a private key": KEY,
    "a private key in one line": KEY.replace("\n", "\\n"),
    "a token": "eyJhbGciOiJSUzI1NiJ9.eyJ1c2VySWQiOiJhbGljZSJ9.c2lnbmF0dXJlLW9mLWFsaWNl",
    "a password": "Correct-Horse/Battery+Staple7",
    "a short password": "hunter2hunter2",
    "a vault text": "$ANSIBLE_VAULT;1.1;AES256\n33393966386430313835303539316563\n",
}
# Names by which an option takes a path, whatever its type.
_NAME = re.compile(r"_(path|cert|key|file)$", re.IGNORECASE)
# It takes the path of a cookie.
_OTHERS = {"session_cookie_custom_path"}
# Its documentation names variables to state that it does not use them.
_WITHOUT_VARIABLES = {"jwks_info"}


@functools.cache
def documentation(kind: str, name: str) -> dict[str, t.Any]:
    """Return the options of a plugin, with those of its fragments."""
    return t.cast("dict[str, t.Any]", get_docstring(str(PLUGINS / kind / f"{name}.py"), fragment_loader)[0]["options"])


def path_options(kind: str) -> list[tuple[str, str]]:
    """Return the options for paths of all plugins of a kind, each with its plugin."""
    return [
        (file.stem, option)
        for file in sorted((PLUGINS / kind).glob("*.py"))
        for option, rules in documentation(kind, file.stem).items()
        if (rules.get("type") == "path" or _NAME.search(option)) and option not in _OTHERS
    ]


def variables(kind: str) -> list[tuple[str, str]]:
    """Return the environment variables for paths of all plugins of a kind, each with its plugin."""
    return [
        (file.stem, variable)
        for file in sorted((PLUGINS / kind).glob("*.py"))
        for variable in sorted(set(re.findall(r"QLIK_SENSE_\w+", str(documentation(kind, file.stem)))))
        if _NAME.search(variable) and file.stem not in _WITHOUT_VARIABLES
    ]


def pieces(secret: str) -> set[str]:
    """Return what must not be seen: parts of a secret, raw and in the usual encodings."""
    raw = {line[start : start + 12] for line in re.split(r"\\n|\n", secret) for start in (0, 12) if "-----" not in line}
    raw = {piece for piece in raw if len(piece) >= 10 and not piece.startswith("$ANSIBLE")}
    assert raw
    encoded = base64.b64encode(secret.encode()).decode()
    return raw | {encoded[20:36] or encoded} | {urllib.parse.quote(piece, safe="") for piece in raw}


def assert_hidden(text: str, secret: str) -> None:
    assert [piece for piece in pieces(secret) if piece in text] == []


def test_the_scan_finds_planted_text() -> None:
    for secret in SECRETS.values():
        for shown in (secret, json.dumps(secret), f"x{secret}y", base64.b64encode(secret.encode()).decode()):
            with pytest.raises(AssertionError):
                assert_hidden(shown, secret)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> t.Callable[..., tuple[str, str]]:
    """Run a module's main(), and return its message, and everything that it printed and logged."""
    logged = capture_log(monkeypatch)

    def main(name: str, **options: t.Any) -> tuple[str, str]:
        module = importlib.import_module(f"ansible_collections.sensible.qlik.plugins.modules.{name}")
        with patch_module_args(options), pytest.raises(SystemExit):
            module.main()
        output = "".join(capfd.readouterr())
        result, _end = json.JSONDecoder().raw_decode(output.strip())
        return result.get("msg", ""), displayed(output) + "".join(logged)

    return main


Run = t.Callable[..., tuple[str, str]]


@pytest.mark.parametrize(("module", "option"), path_options("modules"))
def test_text_in_path_options_of_modules_is_hidden(module: str, option: str, run: Run) -> None:
    for kind, secret in SECRETS.items():
        for no_log in (False, True):
            message, everything = run(module, **{option: secret}, _ansible_no_log=no_log)
            assert message.startswith(f"{option} contains "), kind
            assert "not a path" in message
            assert_hidden(everything, secret)
    _message, everything = run(module, **{option: "certificates/planted.pem"})
    assert "certificates/planted.pem" in everything


@pytest.mark.parametrize(("module", "variable"), variables("modules"))
def test_text_in_path_variables_of_modules_is_hidden(
    module: str, variable: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind, secret in SECRETS.items():
        monkeypatch.setenv(variable, secret)
        message, everything = run(module)
        assert message.startswith(f"{variable} contains "), kind
        assert "not a path" in message
        assert_hidden(everything, secret)
    monkeypatch.setenv(variable, "certificates/planted.pem")
    assert "certificates/planted.pem" in run(module)[1]


def other_options(kind: str) -> list[tuple[str, str]]:
    """Return the options that take no path and no secret, of all plugins of a kind, each with its plugin."""
    return [
        (file.stem, option)
        for file in sorted((PLUGINS / kind).glob("*.py"))
        for option in documentation(kind, file.stem)
        if (file.stem, option) not in path_options(kind)
        and option not in ("client_key_content", "ownca_privatekey_content", "password", "session_cookie", "token")
        and not option.endswith("passphrase")
    ]


@pytest.mark.parametrize("module", sorted({module for module, _option in other_options("modules")}))
def test_private_key_in_any_other_option_is_hidden(module: str, run: Run) -> None:
    for option in [option for one, option in other_options("modules") if one == module]:
        for value in (KEY, [KEY], {"x": KEY}, {KEY: "x"}, [{"x": [KEY]}]):
            _message, everything = run(module, **{option: value})
            assert (option, [piece for piece in pieces(KEY) if piece in everything]) == (option, [])


def test_private_key_in_any_variable_is_hidden(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    names = sorted(set(re.findall(r"QLIK_SENSE_\w+", str(documentation("modules", "site_info")))))
    assert len(names) > 20
    for name in names:
        with monkeypatch.context() as patch:
            patch.setenv(name, KEY)
            assert_hidden(run("site_info")[1], KEY)


def look_up(**options: t.Any) -> str:
    plugin = lookup_loader.get("sensible.qlik.jwt", loader=DataLoader())
    with pytest.raises(AnsibleError) as caught:
        plugin.run(["ACME\\anna"], variables={}, **options)
    return str(caught.value)


@pytest.mark.parametrize(("plugin", "option"), path_options("lookup"))
def test_text_in_path_options_of_lookups_is_hidden(plugin: str, option: str) -> None:
    others = {} if option == "private_key_path" else {"private_key_content": signing_key()}
    for kind, secret in SECRETS.items():
        message = look_up(**others, **{option: secret})
        assert f"{option} contains " in message, kind
        assert_hidden(message, secret)
    assert "certificates/planted.pem" in look_up(**others, **{option: "certificates/planted.pem"})


@pytest.mark.parametrize(("plugin", "variable"), variables("lookup"))
def test_text_in_path_variables_of_lookups_is_hidden(
    plugin: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind, secret in SECRETS.items():
        monkeypatch.setenv(variable, secret)
        message = look_up()
        assert "private_key_path contains " in message, kind
        assert_hidden(message, secret)


def signing_key() -> str:
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def parse(directory: Path, **options: t.Any) -> str:
    """Read an inventory file with these options, and return the message of its failure."""
    file = directory / "test.qlik_site.yml"
    file.write_text(
        json.dumps({"plugin": "sensible.qlik.site", "host": "127.0.0.1", "port": 1, "retries": 0, **options})
    )
    plugin = inventory_loader.get("sensible.qlik.site")
    with pytest.raises(AnsibleError) as caught:
        plugin.parse(InventoryData(), DataLoader(), str(file), cache=False)
    return str(caught.value)


@pytest.mark.parametrize(("plugin", "option"), path_options("inventory"))
def test_text_in_path_options_of_inventory_is_hidden(plugin: str, option: str, tmp_path: Path) -> None:
    for kind, secret in SECRETS.items():
        message = parse(tmp_path, **{option: secret})
        assert f"{option} contains " in message, kind
        assert_hidden(message, secret)


@pytest.mark.parametrize(
    "options",
    [
        {"client_key": [KEY]},
        {"client_key": {"x": KEY}},
        {"host": KEY},
        {"port": KEY},
        {"user": KEY},
        {"retries": [KEY]},
        {"validate_certs": KEY},
    ],
    ids=str,
)
def test_private_key_in_an_inventory_file_is_hidden(options: dict[str, t.Any], tmp_path: Path) -> None:
    message = parse(tmp_path, **options)
    assert next(iter(options)) in message
    assert_hidden(message, KEY)


def test_private_key_in_variables_of_inventory_is_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("QLIK_SENSE_USER", "QLIK_SENSE_CA_CONTENT", "QLIK_SENSE_READ_TIMEOUT"):
        with monkeypatch.context() as patch:
            patch.setenv(name, KEY)
            message = parse(tmp_path)
            assert name in message
            assert_hidden(message, KEY)


@pytest.mark.parametrize("option", ["key_id", "name", "email"])
def test_private_key_in_a_claim_is_hidden(option: str) -> None:
    message = look_up(private_key_content=signing_key(), **{option: KEY})
    assert f"{option} contains a private key." in message
    assert_hidden(message, KEY)


@pytest.mark.parametrize(("plugin", "variable"), variables("inventory"))
def test_text_in_path_variables_of_inventory_is_hidden(
    plugin: str, variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind, secret in SECRETS.items():
        monkeypatch.setenv(variable, secret)
        message = parse(tmp_path)
        assert f"{variable} contains " in message, kind
        assert_hidden(message, secret)
