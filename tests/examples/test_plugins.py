# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The examples of the modules and plugins work as they stand, all of them in one run of Ansible."""

from __future__ import annotations

import json
import typing as t

import pytest
from desk import PASSPHRASE, Desk
from documents import Example, examples

PLUGINS = [example for example in examples() if example.file.startswith("plugins/")]
INVENTORIES = [example for example in PLUGINS if example.file.startswith("plugins/inventory/")]
TASKS = [example for example in PLUGINS if example not in INVENTORIES]

_KEY = "private_key_path='keys/portal_key.pem', key_id='2026-a', audience='qlik'"
VARIABLES: dict[str, t.Any] = {
    "declared": {"virtual_proxy": {"prefix": "portal"}},
    "key_set": "{{ lookup('ansible.builtin.file', 'jwks.json') | from_json }}",
    "monitoring_token": f"{{{{ lookup('sensible.qlik.jwt', 'ACME\\\\monitoring', {_KEY}) }}}}",
    "portal_session": "{{ hostvars.localhost.begun.cookies['X-Qlik-Session-admin'] }}",
    "qlik_virtual_proxies": [{"prefix": "portal", "description": "The customer portal"}],
    "signing_certificate": "{{ lookup('ansible.builtin.file', 'server.pem') }}",
    "signing_key": "{{ lookup('ansible.builtin.file', 'server_key.pem') }}",
    "signing_key_passphrase": PASSPHRASE,
    "token": f"{{{{ lookup('sensible.qlik.jwt', 'ACME\\\\anna', {_KEY}) }}}}",
    "vault_automation_password": "An open secret",
    "vault_okta_ca": "{{ lookup('ansible.builtin.file', 'root.pem') }}",
    "vault_okta_ca_key": "{{ lookup('ansible.builtin.file', 'vault_ca_key.pem') }}",
    "vault_okta_ca_passphrase": PASSPHRASE,
}
"""What the examples leave to the reader."""

SESSION: dict[str, t.Any] = {
    "hosts": "localhost",
    "gather_facts": False,
    "tasks": [
        {
            "name": "Begin the session of a portal",
            "ansible.builtin.uri": {
                "url": "https://qlik.example.com/admin/qps/user",
                "headers": {"Authorization": f"Bearer {{{{ lookup('sensible.qlik.jwt', 'ACME\\\\portal', {_KEY}) }}}}"},
            },
            "register": "begun",
        }
    ],
}


@pytest.fixture(scope="module")
def played(desk: Desk) -> dict[str, list[dict[str, t.Any]]]:
    """The results of all tasks, by example."""
    desk.add_inventory()
    plays: list[dict[str, t.Any]] = []
    owners: list[str] = []
    for example in TASKS:
        if "portal_session" in example.text:
            # Not earlier: whoever signs in and out ends sessions, and so does a change of the virtual proxy.
            plays.append(SESSION)
            owners.append("session")
        content = example.yaml[0]
        owners += [str(example)] * (len(content) if "hosts" in content[0] else 1)
        file = f"{example.file.replace('/', '_')}.yml"
        desk.save(file, example.text)
        if "hosts" in content[0]:
            plays.append({"ansible.builtin.import_playbook": file})
            continue
        plays.append(
            {
                "hosts": "localhost",
                "gather_facts": False,
                "vars": VARIABLES,
                # An example that fails must not keep the others from being run.
                "tasks": [
                    {"block": [{"ansible.builtin.include_tasks": file}], "rescue": [{"ansible.builtin.meta": "noop"}]}
                ],
            }
        )
    desk.save("examples.yml", json.dumps(plays))
    done = desk.run(
        "ansible-playbook -i inventory/sites.yml examples.yml",
        ANSIBLE_STDOUT_CALLBACK="ansible.posix.json",
        QLIK_SENSE_JWT_PRIVATE_KEY_PATH=str(desk.directory / "server_key.pem"),
    )
    try:
        answer = json.loads(done.output[done.output.index('{\n    "custom_stats"') :])
    except ValueError:
        pytest.fail(done.output)
    (desk.directory / "answer.json").write_text(json.dumps(answer))
    results: dict[str, list[dict[str, t.Any]]] = {owner: [] for owner in owners}
    for owner, play in zip(owners, answer["plays"], strict=True):
        results[owner] += [result for task in play["tasks"] for result in task["hosts"].values()]
    return results


@pytest.mark.parametrize("example", TASKS, ids=str)
def test_tasks(played: dict[str, list[dict[str, t.Any]]], example: Example) -> None:
    results = played[str(example)]
    assert [result.get("msg") or result for result in results if result.get("failed")] == []
    assert len(results) >= len(example.yaml[0])
