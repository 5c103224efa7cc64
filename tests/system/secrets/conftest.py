# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run playbooks with all output that Ansible can print, and provide a simulated site."""

from __future__ import annotations

import json
import os
import subprocess
import typing as t
from pathlib import Path

import pytest

from qlik_sense_simulator.testing import RunningSite


class Output(t.NamedTuple):
    """The output of a playbook.

    Attributes:
        status: the exit status.
        text: standard output, standard error and the log file.
    """

    status: int
    text: str


class Playbooks:
    """Runner of playbooks in a separate directory, with -vvvv and a log file."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def run(self, playbook: str | list[dict[str, t.Any]], *arguments: str, **variables: str) -> Output:
        """Run a playbook.

        Args:
            playbook: its name, or its plays.
            arguments: more for the command line.
            variables: more for the environment.
        """
        if not isinstance(playbook, str):
            (self.directory / "playbook.yml").write_text(json.dumps(playbook))
            playbook = "playbook.yml"
        log = self.directory / "ansible.log"
        log.unlink(missing_ok=True)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("QLIK_SENSE_")}
        environment |= {
            "HOME": str(self.directory),
            "PWD": str(self.directory),
            "ANSIBLE_LOG_PATH": str(log),
            "ANSIBLE_NOCOLOR": "true",
            "ANSIBLE_FORCE_COLOR": "false",
        }
        done = subprocess.run(
            ["ansible-playbook", "-vvvv", playbook, *arguments],
            cwd=self.directory,
            env=environment | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert log.stat().st_size > 0
        return Output(done.returncode, done.stdout + log.read_text())


@pytest.fixture
def playbooks(tmp_path: Path) -> Playbooks:
    return Playbooks(tmp_path)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[RunningSite]:
    """Yield a site of two nodes, whose proxies have certificates of another CA than its repository."""
    directory = tmp_path_factory.mktemp("site") / "site"
    with RunningSite(directory, {"proxy_authority": "other", "switches": {"reload_seconds": 0}}) as running:
        yield running
