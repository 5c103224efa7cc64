# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Execution environments can be built with the collection, and Automation Hub's importer accepts it.

ansible-builder reads the requirements from the installed collection, as it does to build an image. They are installed
into an empty virtual environment, and there a module, the lookup and the inventory plugin run.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from environments import INSTALLED, TARBALL, make_environment, run
from sites import Site

REQUIREMENTS = Path(__file__).parents[3] / "requirements-package.txt"

PLAYBOOK = """
- name: Use the collection
  hosts: localhost
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
    options:
      private_key_path: "{{ pki }}/server_key.pem"
      virtual_proxy: {jwt_public_key_certificate: "{{ lookup('ansible.builtin.file', pki ~ '/server.pem') }}"}
  tasks:
    - name: Run a module
      sensible.qlik.site_info:
        host: localhost
        port: "{{ port }}"
        client_cert: "{{ pki }}/client.pem"
        client_key: "{{ pki }}/client_key.pem"
        ca_path: "{{ pki }}/root.pem"
      register: site

    - name: Run the lookup
      ansible.builtin.set_fact:
        claims: "{{ lookup('sensible.qlik.jwt', 'ACME\\\\anna', **options) | sensible.qlik.jwt_claims }}"

    - name: Check both
      ansible.builtin.assert:
        that:
          - site.nodes | length == 2
          - claims.claims.userId == 'anna'
"""


@pytest.fixture(scope="module")
def tools() -> Path:
    """Return an environment with ansible-builder and galaxy-importer."""
    lines = [line.partition("#")[0].strip() for line in REQUIREMENTS.read_text().splitlines()]
    return make_environment("tools", [line for line in lines if line])


@pytest.fixture(scope="module")
def runtime(tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an environment with ansible-core and the requirements that ansible-builder finds."""
    output, _errors = run(
        tools, "ansible-builder", "introspect", str(INSTALLED), directory=tmp_path_factory.mktemp("builder")
    )
    # Each with a comment that names the collection.
    requirements = [line.partition("#")[0].strip() for line in yaml.safe_load(output)["python"]]
    assert requirements
    return make_environment("runtime", [f"ansible-core=={version('ansible-core')}", *requirements])


def test_module_and_lookup_run_with_introspected_requirements(runtime: Path, site: Site, tmp_path: Path) -> None:
    (tmp_path / "playbook.yml").write_text(PLAYBOOK)
    variables = json.dumps({"pki": str(site.pki), "port": site.port})
    run(runtime, "ansible-playbook", "playbook.yml", "--extra-vars", variables, directory=tmp_path)


def test_inventory_runs_with_introspected_requirements(runtime: Path, site: Site, tmp_path: Path) -> None:
    options = {
        "plugin": "sensible.qlik.site",
        "host": "localhost",
        "port": int(site.port),
        "client_cert": str(site.pki / "client.pem"),
        "client_key": str(site.pki / "client_key.pem"),
        "ca_path": str(site.pki / "root.pem"),
    }
    (tmp_path / "test.qlik_site.yml").write_text(json.dumps(options))
    output, _warnings = run(runtime, "ansible-inventory", "-i", "test.qlik_site.yml", "--list", directory=tmp_path)
    assert len(json.loads(output)["_meta"]["hostvars"]) == 2


def test_optional_libraries_are_introspected(runtime: Path, tmp_path: Path) -> None:
    run(runtime, "python", "-c", "import spnego, certifi, websocket", directory=tmp_path)


def test_galaxy_importer_has_no_warning(tools: Path, tmp_path: Path) -> None:
    # What it would run beside its own checks has a step of its own here: ansible-lint, ansible-test, ansible-doc.
    settings = {
        "CHECK_CHANGELOG": "true",
        "CHECK_REQUIRED_TAGS": "true",
        "REQUIRE_V1_OR_GREATER": "true",
        "RUN_ANSIBLE_DOC": "false",
        "RUN_ANSIBLE_LINT": "false",
        "RUN_ANSIBLE_TEST": "false",
        "RUN_FLAKE8": "false",
        "TMP_ROOT_DIR": str(tmp_path),
    }
    environment = {f"GALAXY_IMPORTER_{name}": value for name, value in settings.items()}
    output = "\n".join(
        run(tools, "python", "-m", "galaxy_importer.main", str(TARBALL), directory=tmp_path, **environment)
    )
    assert "Importer processing completed successfully" in output
    assert [
        line for line in output.splitlines() if line.startswith(("WARNING", "ERROR")) or "not present" in line
    ] == []
