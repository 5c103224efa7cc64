# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`make site`: the commands that it prints work, Ctrl-C ends it, and a restart keeps the files of the user."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from documents import COLLECTION

SCRIPT = COLLECTION / "tests" / "demo" / "try_site.py"


def start(directory: Path) -> subprocess.Popen[str]:
    collections = str(COLLECTION.parents[2])
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts background jobs that ignore it
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), "--directory", str(directory), "--collections", collections],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def text_of(running: subprocess.Popen[str]) -> str:
    """Return the text that is printed when the site runs."""
    assert running.stdout is not None
    lines: list[str] = []
    for line in running.stdout:
        lines.append(line)
        if line.startswith("The log of the site"):
            break
    return "".join(lines)


def end(running: subprocess.Popen[str]) -> tuple[int, str]:
    """Interrupt a site as Ctrl-C does, and return its exit status and the rest of its output."""
    running.send_signal(signal.SIGINT)
    rest, _errors = running.communicate(timeout=60)
    return running.returncode, rest


class Site(t.NamedTuple):
    """A running site: its directory with a blank in the name, and what it printed."""

    directory: Path
    text: str


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Site]:
    directory = tmp_path_factory.mktemp("try") / "a site"
    with start(directory) as running:
        yield Site(directory, text_of(running))
        status, rest = end(running)
    assert status == 0
    assert rest == "\nThe site has ended. `make site` starts it again with its virtual proxies, ports and files.\n"


def run(site: Site, command: str) -> str:
    """Run a command as a user types it, in a shell that has no variable of the tests for Ansible."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    lines = [line.strip() for line in site.text.splitlines() if re.match(r"  (cd|export) ", line)]
    done = subprocess.run(
        ["bash", "-c", "\n".join(["set -e", *lines, command])],
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "[WARNING]" not in done.stdout
    return done.stdout


def test_a_second_site_in_the_same_directory_is_refused(site: Site) -> None:
    with start(site.directory) as second:
        output, _errors = second.communicate()
    assert second.returncode == 1
    assert output.endswith("  make site DIRECTORY=.site-2\n")
    assert (site.directory / "site.log").read_text()


def test_restart_keeps_ports_and_files(tmp_path: Path) -> None:
    with start(tmp_path) as running:
        before = text_of(running)
        assert end(running)[0] == 0
    (tmp_path / "first.yml").write_text("mine")
    with start(tmp_path) as running:
        assert text_of(running) == before
        assert end(running)[0] == 0
    assert (tmp_path / "first.yml").read_text() == "mine"


@pytest.mark.slow
def test_printed_commands_work(site: Site) -> None:
    commands = [line.strip() for line in site.text.splitlines() if line.startswith("  ansible-playbook ")]
    outputs = {command: run(site, command) for command in commands}
    assert "prefix: jwt" in outputs["ansible-playbook first.yml --check --diff"]
    assert "11 passed" in " ".join(outputs["ansible-playbook first.yml"].split())
    assert "changed=1 " in outputs["ansible-playbook first.yml --tags undo"]


@pytest.mark.slow
def test_first_playbook_uses_the_python_of_a_jump_host(site: Site) -> None:
    python = site.directory / "jump_python"
    python.write_text(f'#!/bin/sh\necho "$0" >> "{site.directory}/used"\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    text = (site.directory / "first.yml").read_text()
    task = "      sensible.qlik.jwt_virtual_proxy:"
    (site.directory / "jump.yml").write_text(text.replace(task, f"      delegate_to: jump\n{task}"))
    (site.directory / "jump.ini").write_text(f'jump ansible_connection=local ansible_python_interpreter="{python}"\n')
    run(site, "ansible-playbook -i jump.ini jump.yml --check")
    assert (site.directory / "used").exists()
