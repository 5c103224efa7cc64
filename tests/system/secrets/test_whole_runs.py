# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A whole run of each playbook and role, with the keys as encrypted variables, shows no key, token or cookie."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import typing as t
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from conftest import Output, Playbooks
from cryptography.hazmat.primitives import serialization
from scan import cookies, found, tokens

from qlik_sense_simulator.testing import RunningSite

COLLECTION = Path(__file__).parents[3]
PROVIDER_KEYS = COLLECTION / "tests/integration/targets/role_follow_jwks/files/provider_keys.py"
PASSWORD = "the password of the vault"
PASSPHRASE = "a passphrase for the next key"
CLIENT_KEY_PASSPHRASE = "a passphrase for the client key"
PLANTED = "a planted text that is long enough to be found in base64: {}"

# Task names are printed with the arguments, which the strategy free has evaluated by then.
ARGUMENTS_SHOWN = {"ANSIBLE_STRATEGY": "free", "ANSIBLE_DISPLAY_ARGS_TO_STDOUT": "true"}


class Vaulted(str):
    """A text that Ansible Vault has encrypted."""


yaml.SafeDumper.add_representer(Vaulted, lambda dumper, text: dumper.represent_scalar("!vault", str(text), style="|"))


@pytest.fixture
def vault(playbooks: Playbooks) -> t.Callable[[str], Vaulted]:
    """Encrypt a text for a variable."""
    (playbooks.directory / "vault_password").write_text(PASSWORD)

    def encrypt(text: str) -> Vaulted:
        command = ["ansible-vault", "encrypt", "--vault-password-file", "vault_password", "--output", "-"]
        done = subprocess.run(command, cwd=playbooks.directory, input=text, capture_output=True, text=True, check=True)
        return Vaulted(done.stdout)

    return encrypt


def encrypt(pem: str) -> str:
    """Give a private key a passphrase."""
    key = serialization.load_pem_private_key(pem.encode(), None)
    encryption = serialization.BestAvailableEncryption(CLIENT_KEY_PASSPHRASE.encode())
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption).decode()


@pytest.fixture
def inventory(playbooks: Playbooks, site: RunningSite, vault: t.Callable[[str], Vaulted]) -> list[str]:
    """Write an inventory with two names for the site, and return the arguments that use it."""
    pki, nodes = site.pki, site.ready["nodes"]
    names = [node["name"] for node in nodes]
    variables = {
        "ansible_python_interpreter": sys.executable,
        "qlik_host": "localhost",
        "qlik_port": urlsplit(site.ready["qrs_url"]).port,
        "qlik_client_cert_content": (pki / "client.pem").read_text(),
        "qlik_client_key_content": vault((pki / "client_key.pem").read_text()),
        "qlik_ca_content": (pki / "root.pem").read_text(),
        "qlik_proxy_ca_content": (pki / "proxy_root.pem").read_text(),
        "qlik_jwt_private_key_content": vault((pki / "server_key.pem").read_text()),
        "qlik_proxy_urls": {node["name"]: node["proxy_url"] for node in nodes},
        "qlik_qps_urls": [node["qps_url"] for node in nodes],
        "qlik_smoke_test_users": ["SMOKE\\test"],
        "qlik_virtual_proxies": [
            {
                "prefix": "{{ 'portal' ~ qlik_prefix_suffix }}",
                "jwt_public_key_certificate": (pki / "server.pem").read_text(),
                "load_balancing_server_nodes": names,
                "proxies": names,
            }
        ],
        "key_rotation_name": "portal-one",
        "key_rotation_overlap": 0,
        "key_rotation_private_key_passphrase": vault(PASSPHRASE),
        "key_rotation_old_private_key_content": vault((pki / "server_key.pem").read_text()),
        "follow_jwks_prefix": "idp",
        "follow_jwks_path": str(playbooks.directory / "jwks.json"),
        "follow_jwks_virtual_proxy": {"load_balancing_server_nodes": names, "proxies": names},
        "planted": vault(PLANTED.format("secret")),
    }
    encrypted = encrypt((pki / "client_key.pem").read_text())
    hosts: dict[str, dict[str, t.Any]] = {
        "one": {"qlik_prefix_suffix": "-one"},
        "two": {
            "qlik_prefix_suffix": "-two",
            "qlik_client_key_content": encrypted,
            "qlik_client_key_passphrase": vault(CLIENT_KEY_PASSPHRASE),
        },
    }
    (playbooks.directory / "sites.yml").write_text(
        yaml.safe_dump({"qlik_sites": {"hosts": hosts, "vars": variables}}, width=1_000_000)
    )
    keys = subprocess.run(
        [sys.executable, str(PROVIDER_KEYS), str(playbooks.directory), "a"], capture_output=True, check=True
    )
    key_sets = json.loads(keys.stdout)
    (playbooks.directory / "jwks.json").write_text(json.dumps({"keys": list(key_sets["keycloak"].values())}))
    return ["-i", "sites.yml", "--vault-password-file", "vault_password"]


def test_whole_runs_show_no_secrets(playbooks: Playbooks, site: RunningSite, inventory: list[str]) -> None:
    secrets = {
        "client key": (site.pki / "client_key.pem").read_text(),
        "signing key": (site.pki / "server_key.pem").read_text(),
        "passphrase": PASSPHRASE,
        "passphrase of the client key": CLIENT_KEY_PASSPHRASE,
        "vault password": PASSWORD,
    }
    outputs: dict[str, Output] = {}
    for name, arguments in {
        "provision": [],
        "smoke_test": ["--limit", "one"],
        "drift": ["-e", "drift_undeclared_tag=unused"],
        "promote": ["-e", "promote_source=one", "-e", "promote_target=two"],
        "rotate_keys": ["--limit", "one"],
        "rotate_keys in place": ["--limit", "one", "-e", "key_rotation_mode=in_place"],
        "follow_jwks": ["--limit", "one"],
    }.items():
        shown = ARGUMENTS_SHOWN if name not in ("provision", "drift", "promote") else {}
        outputs[name] = playbooks.run(f"sensible.qlik.{name.split()[0]}", *inventory, *arguments, **shown)
        assert outputs[name].status == 0, outputs[name].text
    snapshot = next(playbooks.directory.glob("promotion_snapshots/*.yml"), None)
    if snapshot is not None:
        outputs["roll_back"] = playbooks.run(
            "sensible.qlik.roll_back", *inventory, "-e", f"roll_back_snapshot={snapshot}"
        )
        assert outputs["roll_back"].status == 0, outputs["roll_back"].text
    new_keys = sorted(playbooks.directory.rglob("*_key.pem"))
    assert new_keys
    secrets |= {file.name: file.read_text() for file in new_keys}
    for name, output in outputs.items():
        # Where arguments are shown, keys that are given as texts are among them. Tokens must not be.
        printed = re.sub(r"TASK \[.*?\] \*{3}", "", output.text, flags=re.DOTALL)
        leaks = {secret: forms for secret, text in secrets.items() if (forms := found(text, printed))}
        assert leaks == {}, name
        assert tokens(output.text) == [], name
        assert cookies(output.text) == [], name


def test_the_scan_finds_arguments_with_tokens(playbooks: Playbooks, inventory: list[str]) -> None:
    """Positive control: the same way of printing shows the token of a task without no_log."""
    token = "{{ lookup('sensible.qlik.jwt', 'SMOKE\\test', private_key_content=qlik_jwt_private_key_content) }}"
    task = {"ansible.builtin.set_fact": {"shown": token}}
    play = {"hosts": "one", "gather_facts": False, "connection": "local", "tasks": [task]}
    output = playbooks.run([play], *inventory, **ARGUMENTS_SHOWN)
    assert output.status == 0, output.text
    assert tokens(output.text.partition("TASK [")[2].partition("\n")[0])


def test_the_scan_finds_planted_secrets(playbooks: Playbooks, inventory: list[str]) -> None:
    """Positive control: the same scan of the same kind of output finds what is really printed."""
    token = "{{ lookup('sensible.qlik.jwt', 'SMOKE\\test', private_key_content=qlik_jwt_private_key_content) }}"
    cookie = "X-Qlik-Session-portal=0f5f9a1c-1b2d-4c3e-8f4a-5b6c7d8e9f00"
    tasks = [
        {"ansible.builtin.debug": {"msg": message}}
        for message in ("{{ planted }}", "{{ planted | b64encode }}", token, cookie)
    ]
    output = playbooks.run([{"hosts": "one", "gather_facts": False, "connection": "local", "tasks": tasks}], *inventory)
    assert output.status == 0, output.text
    assert len(found(PLANTED.format("secret"), output.text)) >= 2
    assert tokens(output.text)
    assert cookies(output.text)


def test_the_scan_finds_a_token_in_arguments(playbooks: Playbooks, inventory: list[str]) -> None:
    """Positive control: login_check hides the tokens of its result, and only the banner of its task shows them."""
    token = "{{ lookup('sensible.qlik.jwt', 'SMOKE\\test', private_key_content=qlik_jwt_private_key_content) }}"
    options = {"proxy_urls": ["https://127.0.0.1:1"], "logins": [{"prefix": "portal", "token": token}], "wait": 0}
    task = {"sensible.qlik.login_check": options, "name": "Log in", "ignore_errors": True}
    play = {"hosts": "one", "gather_facts": False, "connection": "local", "tasks": [task]}
    for hidden, environment in ((False, ARGUMENTS_SHOWN), (True, ARGUMENTS_SHOWN), (False, {})):
        output = playbooks.run([play | {"tasks": [task | {"no_log": hidden}]}], *inventory, **environment)
        assert output.status == 0, output.text
        assert bool(tokens(output.text)) is bool(environment and not hidden)
