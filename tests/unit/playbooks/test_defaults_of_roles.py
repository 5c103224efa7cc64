# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Variables of roles that default to variables of the site: the inventory wins over these, then the play, then -e."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest

ROLES = Path(__file__).parents[3] / "roles"
SITE = {
    "qlik_proxy_urls": {"Central": "https://site"},
    "qlik_qps_urls": ["https://site:4243"],
    "qlik_smoke_test_users": ["SITE\\user"],
    "qlik_virtual_proxies": [{"prefix": "site"}],
    "qlik_purge_tag": "site",
    "smoke_test_skip_checks": ["site"],
}
INTERPRETER = {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}
FROM_SITE = {
    "smoke_test": {
        "smoke_test_virtual_proxies": SITE["qlik_virtual_proxies"],
        "smoke_test_proxy_urls": SITE["qlik_proxy_urls"],
        "smoke_test_qps_urls": SITE["qlik_qps_urls"],
        "smoke_test_users": SITE["qlik_smoke_test_users"],
    },
    "drift": {"drift_virtual_proxies": SITE["qlik_virtual_proxies"], "drift_undeclared_tag": "site"},
    "key_rotation": {
        "key_rotation_proxy_urls": SITE["qlik_proxy_urls"],
        "key_rotation_qps_urls": SITE["qlik_qps_urls"],
        "key_rotation_user": "SITE\\user",
        "key_rotation_skip_checks": ["site"],
    },
    "follow_jwks": {"follow_jwks_proxy_urls": SITE["qlik_proxy_urls"]},
}


@pytest.mark.parametrize("role", FROM_SITE)
def test_later_variable_sources_win(role: str, tmp_path: Path) -> None:
    names = list(FROM_SITE[role])
    shutil.copytree(ROLES / role / "defaults", tmp_path / "roles" / "probe" / "defaults")
    (tmp_path / "roles" / "probe" / "tasks").mkdir()
    values = "{{ {" + ", ".join(f"'{name}': {name}" for name in names) + "} | to_json }}"
    copy = {
        "dest": f"{tmp_path}/{{{{ ansible_play_name }}}}.{{{{ inventory_hostname }}}}",
        "content": values,
        "mode": "0600",
    }
    (tmp_path / "roles" / "probe" / "tasks" / "main.yml").write_text(json.dumps([{"ansible.builtin.copy": copy}]))
    inventory = {"hosts": {"site": {}, "own": dict.fromkeys(names, "inventory")}, "vars": SITE | INTERPRETER}
    (tmp_path / "sites.json").write_text(json.dumps({"qlik_sites": inventory}))
    play: dict[str, t.Any] = {"hosts": "all", "gather_facts": False, "connection": "local", "roles": ["probe"]}
    plays = [play | {"name": "inventory"}, play | {"name": "play", "vars": dict.fromkeys(names, "play")}]
    (tmp_path / "play.json").write_text(json.dumps(plays))

    def run(**extra: str) -> dict[str, t.Any]:
        subprocess.run(
            ["ansible-playbook", "-i", "sites.json", "play.json", "-e", json.dumps(extra)],
            cwd=tmp_path, env=os.environ | {"ANSIBLE_LOCAL_TEMP": f"{tmp_path}/tmp"}, check=True, capture_output=True,
        )  # fmt: skip
        return {file.name: json.loads(file.read_text()) for file in tmp_path.glob("*.*") if file.suffix != ".json"}

    found = run()
    assert found == {
        "inventory.site": FROM_SITE[role],
        "inventory.own": dict.fromkeys(names, "inventory"),
        "play.site": dict.fromkeys(names, "play"),
        "play.own": dict.fromkeys(names, "play"),
    }
    assert run(**dict.fromkeys(names, "extra")) == dict.fromkeys(found, dict.fromkeys(names, "extra"))
