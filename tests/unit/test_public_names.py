# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The list of public names: its content, and the detection of changes."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.sensible.qlik.plugins.module_utils._argspec import connection_argument_spec, environment_names

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS / "tools"))
public_names = importlib.import_module("public_names")
option_count = importlib.import_module("option_count")

FILES = {
    "meta/runtime.yml": "action_groups: {qlik: [pass]}",
    "plugins/doc_fragments/way.py": '''
class ModuleDocFragment:
    DOCUMENTATION = """
options:
  host: {description: "The value of the environment variable E(QLIK_HOST) is used.", required: true}
"""
    EXTRA = """
options:
  port: {description: "E(QLIK_OTHER) is not used.", type: int, default: 1}
"""
''',
    "plugins/modules/pass.py": '''
DOCUMENTATION = """
module: pass
extends_documentation_fragment: [sensible.qlik.way, sensible.qlik.way.extra]
options:
  users:
    description: Users.
    type: list
    elements: dict
    aliases: [persons]
    suboptions:
      kind: {description: Kind., choices: [a, b], default: a}
  ca_path: {description: CA., type: path}
"""
RETURN = """
found: {description: Found., returned: always, type: list, elements: dict, contains: {id: {type: int}}}
"""
''',
    "plugins/filter/turn.py": '''
DOCUMENTATION = """
name: turn
positional: way
options:
  _input: {description: Input., type: dict, required: true}
  way: {description: Way., type: bool}
"""
''',
    "plugins/inventory/hosts.py": '''
DOCUMENTATION = """
name: hosts
extends_documentation_fragment: ansible.builtin.constructed
options:
  port: {description: Port., type: int, env: [{name: QLIK_PORT}]}
"""
''',
    "roles/check/meta/argument_specs.yml": """
argument_specs: {main: {options: {check_all: {description: All., type: bool}}}}
""",
    "roles/check/tasks/main.yml": """
- ansible.builtin.set_fact: {check_report: "{{ qlik_first | sensible.qlik.turn }}", __check_own: "{{ check_all }}"}
- ansible.builtin.debug: {msg: "{{ hostvars[item].qlik_second }}"}
  when: qlik_third is defined and __check_own
""",
    "playbooks/start.yml": """
- hosts: "{{ pattern | default('all') }}"
  vars: {given: "{{ lookup('ansible.builtin.env', 'PWD') }}"}
  module_defaults:
    group/sensible.qlik.qlik: "{{ hostvars[inventory_hostname] | sensible.qlik.connection_options }}"
  tasks:
    - ansible.builtin.debug: {msg: "{{ given ~ check_report }}"}
      register: started
""",
}
NAMES = """\
action_group qlik module pass
environment PWD
environment QLIK_HOST
environment QLIK_PORT
filter turn
filter turn option _input: dict, required
filter turn option way: bool, argument=1
inventory hosts
inventory hosts fragment ansible.builtin.constructed
inventory hosts option port: int, env=QLIK_PORT
module pass
module pass option ca_path: path
module pass option host: str, required, env=QLIK_HOST
module pass option port: int, default=1
module pass option users: list of dict, aliases=persons
module pass option users.kind: str, default="a", choices=a,b
module pass return found: list of dict
module pass return found.id: int
playbook start
playbook start fact started
playbook start variable pattern
playbook start variable qlik_host
role check
role check fact check_report
role check option check_all: bool
role check variable qlik_first
role check variable qlik_second
role check variable qlik_third
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_all_kinds_of_names_are_listed(tree: Path) -> None:
    assert [str(name) for name in public_names.public_names(tree, ["host"])] == NAMES.splitlines()


def test_a_changed_default_is_noticed(tmp_path: Path) -> None:
    stored = (TESTS / "public_names.txt").read_text()
    line = "module site_info option qps_port: int, default={}, env=QLIK_SENSE_QPS_PORT"
    changed = tmp_path / "names.txt"
    changed.write_text(stored.replace(line.format(4243), line.format(4244)))
    command = [sys.executable, str(TESTS / "tools/public_names.py"), "--check", str(changed)]
    checked = subprocess.run(command, env=os.environ, check=False, capture_output=True, text=True)
    assert checked.returncode == 1
    assert f"-{line.format(4244)}\n+{line.format(4243)}\n" in checked.stdout
    assert checked.stdout.endswith("If the change is intended, run `make generate`.\n")


def test_documented_environment_variables_are_read() -> None:
    details = {one.name: one.details for one in public_names.options(TESTS.parent) if one.owner == "module site_info"}
    for name, rules in connection_argument_spec().items():
        assert details[name].endswith(f"env={','.join(environment_names(rules))}"), name


def test_distinct_options_are_counted(tree: Path) -> None:
    assert option_count.count(tree) == {
        "all": {"host", "port", "users", "users.kind", "way", "check_all"},
        "filter": {"way"},
        "inventory": {"port"},
        "module": {"host", "port", "users", "users.kind"},
        "role": {"check_all"},
    }
