# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text in place of a path: every variable for a path of all roles and playbooks.

The variables are read from the argument specs and the playbooks, so a new one is tested without an entry here.
Options of modules and plugins have the same test among the unit tests.
"""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path

import pytest
import yaml
from conftest import Playbooks
from scan import found

COLLECTION = Path(__file__).parents[3]
_LINE = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7"
KEY = "-----BEGIN {0}-----\n{1}\n-----END {0}-----\n".format("PRIVATE KEY", _LINE)
SECRETS = {
    "key": KEY,
    "token": "eyJhbGciOiJSUzI1NiJ9.eyJ1c2VySWQiOiJhbGljZSJ9.c2lnbmF0dXJlLW9mLWFsaWNl",
    "password": "Correct-Horse/Battery+Staple7",
    "vault": "$ANSIBLE_VAULT;1.1;AES256\n33393966386430313835303539316563\n",
}
PLANTED = "a planted text that is no secret"
_NAME = re.compile(r"_(path|cert|key|file)$")
# A password cannot be told from the name of something that may not exist yet, or that is on another host. The key for
# tokens is read by the lookup, which searches more directories: it is tried alone, with a playbook.
_ANY_NAME = re.compile(
    r"_directory$|_(map|cache|public|ownca|ownca_privatekey)_path$|_front_end_|^smoke_test_private_key_path$"
)
# No paths: what becomes of a key, and its size.
_WORDS = {"key_rotation_old_key"}
DUMMIES = {"list": [], "dict": {}, "int": 1, "float": 1.0, "bool": False, "raw": [], "str": "x", "path": "x.pem"}


def entry_points() -> t.Iterator[tuple[str, str, dict[str, t.Any]]]:
    """Return each entry point of each role, with its options."""
    for file in sorted(COLLECTION.glob("roles/*/meta/argument_specs.yml")):
        for entry_point, spec in yaml.safe_load(file.read_text())["argument_specs"].items():
            yield file.parents[1].name, entry_point, spec.get("options") or {}


ENTRY_POINTS = list(entry_points())


def is_path(name: str, rules: dict[str, t.Any]) -> bool:
    return rules["type"] == "path" or (rules["type"] == "str" and bool(_NAME.search(name)))


def of_kind(kind: str, names: list[str]) -> list[str]:
    """Return the variables in which text of a kind can be distinguished from a path."""
    return [name for name in names if kind != "password" or not _ANY_NAME.search(name)]


@pytest.mark.parametrize(
    ("role", "entry_point", "options"), ENTRY_POINTS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_text_in_path_variables_of_roles_is_hidden(
    role: str, entry_point: str, options: dict[str, t.Any], playbooks: Playbooks
) -> None:
    paths = [name for name, rules in options.items() if is_path(name, rules) and name not in _WORDS]
    assert paths
    needed = {name: DUMMIES[rules["type"]] for name, rules in options.items() if rules.get("required")}
    plays = [
        {
            "hosts": "localhost",
            "gather_facts": False,
            "name": f"play {kind}",
            "vars": needed | dict.fromkeys(of_kind(kind, paths), secret),
            "tasks": [
                {"ansible.builtin.debug": {"msg": PLANTED}},
                {
                    "block": [
                        {
                            "ansible.builtin.include_role": {
                                "name": f"sensible.qlik.{role}",
                                "tasks_from": entry_point,
                                "rolespec_validate": True,
                            }
                        },
                        {"ansible.builtin.fail": {"msg": "The role did not stop."}},
                    ],
                    "rescue": [{"ansible.builtin.debug": {"msg": "rescued"}}],
                },
            ],
        }
        for kind, secret in SECRETS.items()
        if of_kind(kind, paths)
    ]
    output = playbooks.run(plays)
    assert output.status == 0, output.text
    assert "The role did not stop." not in output.text
    assert PLANTED in output.text
    parts = dict(re.findall(r"PLAY \[play (\w+)\](.*?)(?=PLAY \[|PLAY RECAP)", output.text, re.DOTALL))
    for kind, secret in SECRETS.items():
        if kind not in parts:
            assert of_kind(kind, paths) == []
            continue
        assert found(secret, output.text) == [], kind
        assert [name for name in of_kind(kind, paths) if f"{name} contains " not in parts[kind]] == [], kind


def playbook_variables() -> t.Iterator[tuple[str, str]]:
    """Return each variable for a path that a playbook reads, with the playbook."""
    for file in sorted(COLLECTION.glob("playbooks/*.yml")):
        text = file.read_text()
        text = re.sub(r"^#.*$", "", text, flags=re.MULTILINE)
        names = set(re.findall(r"\b(?:qlik|promote|roll_back)_\w+\b", text))
        if "connection_options" in text:
            names |= {"qlik_client_cert", "qlik_client_key", "qlik_ca_path"}
        for name in sorted(names):
            if _NAME.search(name) or name == "roll_back_snapshot":
                yield file.stem, name


PLAYBOOK_VARIABLES = list(playbook_variables())


@pytest.mark.parametrize("playbook", sorted({playbook for playbook, _name in PLAYBOOK_VARIABLES}))
def test_text_in_path_variables_of_playbooks_is_hidden(playbook: str, playbooks: Playbooks) -> None:
    names = [name for one, name in PLAYBOOK_VARIABLES if one == playbook]
    inventory = {
        "qlik_sites": {
            "hosts": {"one": None, "two": None},
            "vars": {
                "qlik_host": "127.0.0.1",
                "qlik_port": 1,
                "qlik_retries": 0,
                "qlik_virtual_proxies": [{"prefix": "portal"}],
                "qlik_proxy_urls": {"Central": "https://127.0.0.1:1"},
                "qlik_smoke_test_users": ["SMOKE\\test"],
                "key_rotation_name": "portal",
                "follow_jwks_prefix": "idp",
                "follow_jwks_path": "jwks.json",
            },
        }
    }
    (playbooks.directory / "sites.json").write_text(json.dumps(inventory))
    alone = [name for name in names if name == "qlik_jwt_private_key_path"]
    cases = [("key", names), ("password", [name for name in names if name not in alone]), ("password", alone)]
    for kind, some in cases:
        if not some:
            continue
        secret = SECRETS[kind]
        # In a file, because Ansible prints the command line.
        variables = dict.fromkeys(some, secret) | {"promote_source": "one", "promote_target": "two"}
        (playbooks.directory / "variables.json").write_text(json.dumps(variables))
        output = playbooks.run(f"sensible.qlik.{playbook}", "-i", "sites.json", "-e", "@variables.json")
        assert output.status != 0
        assert found(secret, output.text) == [], kind
        for name in some:
            # The modules and the lookup name their own options.
            words = rf"\b({name}|{name.removeprefix('qlik_')}|{name.removeprefix('qlik_jwt_')}) contains "
            assert re.search(words, output.text), (kind, name, output.text)
