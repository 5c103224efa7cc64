# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The examples of the modules and plugins work without changes, all in one run of Ansible."""

from __future__ import annotations

import json
import os
import typing as t

import pytest
import workspace
from documents import Example, examples
from workspace import WorkspaceOf

PLUGINS = [example for example in examples() if example.file.startswith("plugins/")]
INVENTORIES = [example for example in PLUGINS if example.file.startswith("plugins/inventory/")]
TASKS = [example for example in PLUGINS if example not in INVENTORIES]

VARIABLES: dict[str, t.Any] = {
    **workspace.VARIABLES,
    "declared": {"virtual_proxy": {"prefix": "portal"}},
    "key_set": "{{ lookup('ansible.builtin.file', 'jwks.json') | from_json }}",
    "portal_session": "{{ hostvars.localhost.begun.cookies['X-Qlik-Session-admin'] }}",
    "qlik_virtual_proxies": [{"prefix": "portal", "description": "The customer portal"}],
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
                "headers": {"Authorization": f"Bearer {workspace.token_of('portal')}"},
            },
            "register": "begun",
        }
    ],
}


@pytest.fixture(scope="module")
def played(workspace_of: WorkspaceOf) -> dict[str, list[dict[str, t.Any]]]:
    """Return the results of all tasks, by example."""
    place, _new = workspace_of("plugins")
    place.add_inventory()
    plays: list[dict[str, t.Any]] = []
    owners: list[str] = []
    for example in TASKS:
        if "portal_session" in example.text:
            # Not earlier: logins, logouts and changes of the virtual proxy end sessions.
            plays.append(SESSION)
            owners.append("session")
        content = example.yaml[0]
        owners += [str(example)] * (len(content) if "hosts" in content[0] else 1)
        file = f"{example.file.replace('/', '_')}.yml"
        place.save(file, example.text)
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
    place.save("examples.yml", json.dumps(plays))
    done = place.run(
        "ansible-playbook -i inventory/sites.yml examples.yml",
        PATH=os.pathsep.join(filter(None, [os.environ.get("EXAMPLES_PLAYBOOKS"), os.environ["PATH"]])),
        ANSIBLE_STDOUT_CALLBACK="ansible.posix.json",
        QLIK_SENSE_JWT_PRIVATE_KEY_PATH=str(place.directory / "server_key.pem"),
    )
    try:
        answer = json.loads(done.output[done.output.index('{\n    "custom_stats"') :])
    except ValueError:
        pytest.fail(done.output)
    (place.directory / "answer.json").write_text(json.dumps(answer))
    results: dict[str, list[dict[str, t.Any]]] = {owner: [] for owner in owners}
    for owner, play in zip(owners, answer["plays"], strict=True):
        results[owner] += [result for task in play["tasks"] for result in task["hosts"].values()]
    return results


@pytest.mark.parametrize("example", TASKS, ids=str)
def test_example_tasks_work(played: dict[str, list[dict[str, t.Any]]], example: Example) -> None:
    results = played[str(example)]
    assert [result.get("msg") or result for result in results if result.get("failed")] == []
    assert len(results) >= len(example.yaml[0])


@pytest.mark.parametrize("example", INVENTORIES, ids=str)
def test_example_inventories_work(workspace_of: WorkspaceOf, example: Example) -> None:
    place, _new = workspace_of("plugins")
    assert example.text.count("\nplugin: ") == 1
    place.save(f"{example.number}.qlik_site.yml", example.text)
    key = str(place.directory / "keys/admin_key.pem")
    variables = {"ADMIN_KEY": key, "CLIENT_KEY_PASSPHRASE": workspace.PASSPHRASE}
    done = place.run(f"ansible-inventory -i {example.number}.qlik_site.yml --list", **variables)
    assert done.status == 0, done.output
    assert len(json.loads(done.output)["_meta"]["hostvars"]) == 3
