# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run each integration target in one process, and all their sites in another one.

`make integration` runs them as ansible-test does.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

from qlik_sense_simulator.testing import RunningSites

TARGETS = Path(__file__).parents[2] / "integration" / "targets"
NAMES = sorted(file.parents[1].name for file in TARGETS.glob("*/tasks/main.yml"))
NAMES.remove("setup_simulator")
HOST_NAMES = {"localhost", "127.0.0.1"}


def find_site(name: str) -> dict[str, t.Any] | None:
    """Return the site that a target requires, None if it starts its own."""
    file = TARGETS / name / "meta" / "main.yml"
    if not file.exists():
        return None
    [dependency] = yaml.safe_load(file.read_text())["dependencies"]
    site = {"proxy_authority": "other", **dependency.get("vars", {}).get("simulator_site", {})}
    own_names = {node.get("host_name") for node in site.get("nodes", ())} - HOST_NAMES
    return None if own_names or site["proxy_authority"] != "other" else site


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[RunningSites]:
    """Yield the sites of the targets, in one process."""
    sites = {name: site for name in NAMES if (site := find_site(name)) is not None}
    with RunningSites(tmp_path_factory.mktemp("sites"), sites) as running:
        yield running
        assert "Traceback" not in running.log.read_text()


@pytest.mark.parametrize("name", NAMES)
def test_target_passes(name: str, running: RunningSites, tmp_path: Path) -> None:
    playbook = tmp_path / "playbook.yml"
    playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "roles": [name]}]))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("QLIK_SENSE_")}
    environment |= {
        "ANSIBLE_ROLES_PATH": str(TARGETS),
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        "ANSIBLE_NOCOLOR": "true",
        "ANSIBLE_FORCE_COLOR": "false",
        "SIMULATOR_SITE": str(tmp_path / "site.json"),
    }
    if name in running.sites:
        site = {"site": find_site(name), "pki": str(running.pki), "ready": running.sites[name]}
        (tmp_path / "site.json").write_text(json.dumps(site))
    done = subprocess.run(
        ["ansible-playbook", "--inventory", "localhost,", "--connection", "local", str(playbook)],
        env=environment,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert not (tmp_path / "site.json").exists(), "The target did not use its site."
    # What a target leaves out where a program is missing, for the summary of all steps.
    skipped = re.findall(r'"msg": "SKIPPED: (.+)"', done.stdout)
    if skipped and "RESULTS" in os.environ:
        with Path(os.environ["RESULTS"], "skipped.txt").open("a") as file:
            file.writelines(f"{name}: {reason}\n" for reason in skipped)
