# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The integration targets in one process each; `make integration` runs them as ansible-test does."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TARGETS = Path(__file__).parents[1] / "integration" / "targets"
NAMES = sorted(file.parents[1].name for file in TARGETS.glob("*/tasks/main.yml"))
NAMES.remove("setup_simulator")


@pytest.mark.parametrize("name", NAMES)
def test_target(name: str, tmp_path: Path) -> None:
    playbook = tmp_path / "playbook.yml"
    playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "roles": [name]}]))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("QLIK_SENSE_")}
    environment |= {
        "ANSIBLE_ROLES_PATH": str(TARGETS),
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        "ANSIBLE_NOCOLOR": "true",
        "ANSIBLE_FORCE_COLOR": "false",
    }
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
    # What a target leaves out where a program is missing, for the summary of all steps.
    skipped = re.findall(r'"msg": "SKIPPED: (.+)"', done.stdout)
    if skipped and "RESULTS" in os.environ:
        with Path(os.environ["RESULTS"], "skipped.txt").open("a") as file:
            file.writelines(f"{name}: {reason}\n" for reason in skipped)
