# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbooks run on the oldest ansible-core that the Python of these tests can run, and it reads the documentation.

Up to ansible-core 2.18, all variables in an expression are evaluated, also those that its conditions exclude, and
documentation is validated more strictly. `make matrix` runs many more tests, but only on request.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from environments import INSTALLED, make_environment, run
from sites import Site

import ansible_collections

# The oldest supported one, or the oldest that runs with this Python.
CORE = {11: "2.16", 12: "2.16", 13: "2.18"}.get(sys.version_info.minor, "2.20")
KINDS = {"modules": "module", "lookup": "lookup", "filter": "filter", "inventory": "inventory"}
REQUIREMENTS = Path(__file__).parents[3] / "meta" / "ee-requirements.txt"
# The package "ansible" brought community.crypto for the environment that runs this.
COLLECTIONS = f"{INSTALLED}:{Path(next(iter(ansible_collections.__path__))).parent}"


@pytest.fixture(scope="module")
def oldest() -> Path:
    """Return an environment with the oldest supported ansible-core."""
    lines = [line.partition("#")[0].strip() for line in REQUIREMENTS.read_text().splitlines()]
    return make_environment("oldest", [f"ansible-core=={CORE}.*", *filter(None, lines)])


@pytest.mark.parametrize(("folder", "kind"), KINDS.items())
def test_documentation_is_readable_on_the_oldest_core(folder: str, kind: str, oldest: Path, tmp_path: Path) -> None:
    files = (INSTALLED / "ansible_collections/sensible/qlik/plugins" / folder).glob("*.py")
    names = sorted(f"sensible.qlik.{file.stem}" for file in files)
    output, _warnings = run(oldest, "ansible-doc", "--type", kind, *names, directory=tmp_path)
    assert output.count("\n> ") + output.startswith("> ") == len(names), output


def test_playbooks_succeed_on_the_oldest_core(oldest: Path, site: Site, tmp_path: Path) -> None:
    nodes = [node["name"] for node in site.nodes]
    variables = {
        "qlik_host": "localhost",
        "qlik_port": site.port,
        "qlik_ca_path": str(site.pki / "root.pem"),
        "qlik_proxy_ca_path": str(site.pki / "proxy_root.pem"),
        "qlik_client_cert": str(site.pki / "client.pem"),
        "qlik_client_key": str(site.pki / "client_key.pem"),
        "qlik_proxy_urls": {node["name"]: node["proxy_url"] for node in site.nodes},
        "qlik_qps_urls": [node["qps_url"] for node in site.nodes],
        "qlik_jwt_private_key_path": str(site.pki / "server_key.pem"),
        "qlik_smoke_test_users": ["SMOKE\\test"],
        "qlik_virtual_proxies": [
            {
                "prefix": "portal",
                "description": "The portal",
                "jwt_public_key_certificate": (site.pki / "server.pem").read_text(),
                "load_balancing_server_nodes": nodes,
                "proxies": nodes,
            }
        ],
        "key_rotation_name": "portal",
        "key_rotation_directory": str(tmp_path / "keys"),
        "smoke_test_report_directory": str(tmp_path / "smoke_test"),
        "drift_report_directory": str(tmp_path / "drift"),
    }
    (tmp_path / "inventory.json").write_text(json.dumps({"qlik_sites": {"hosts": {"site": variables}}}))

    def play(playbook: str, *arguments: str) -> str:
        output, _warnings = run(
            oldest,
            *("ansible-playbook", f"sensible.qlik.{playbook}", "-i", "inventory.json", *arguments),
            directory=tmp_path,
            ANSIBLE_COLLECTIONS_PATH=COLLECTIONS,
            ANSIBLE_COLLECTIONS_ON_ANSIBLE_VERSION_MISMATCH="ignore",
        )
        return output

    assert f"core {CORE}." in run(oldest, "ansible", "--version", directory=tmp_path)[0]
    play("provision")
    play("smoke_test")
    play("drift")
    # The keys are made by the role, and do not exist yet.
    assert "publish: " in play("rotate_keys", "--check", "--diff")
    (tmp_path / "nginx").mkdir()
    front_end = {
        "key_rotation_mode": "front_end",
        "key_rotation_front_end_directory": str(tmp_path / "nginx"),
        "key_rotation_front_end_ca_path": str(site.pki / "proxy_root.pem"),
    }
    play("rotate_keys", "-e", json.dumps(front_end))
    assert (tmp_path / "nginx" / "portal.http.conf").is_file()
