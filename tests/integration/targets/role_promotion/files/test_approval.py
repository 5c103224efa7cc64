# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The prompt for approval at a terminal, and the answers of a user."""

from __future__ import annotations

import json
import os
import pty
import select
import termios
import time
import typing as t

import pytest
from descriptions import SOURCE, TARGET
from laboratory import Laboratory, Run, State

PROMPT = "or only press Enter to stop"


@pytest.fixture(scope="module")
def before(laboratory: Laboratory) -> State:
    """Return the state of prod before an approval."""
    dev = laboratory.add("dev", SOURCE)
    dev.set_field("portal", jwtPublicKeyCertificate=dev.certificate)
    prod = laboratory.add("prod", TARGET)
    laboratory.hosts["prod"] |= {
        "promotion_approval": True,
        "promotion_nodes": {"*": "Central"},
        "promotion_prefixes": ["portal"],
        "promotion_keep": [],
        "promotion_overrides": {"*": {"custom_properties": {}, "tags": []}},
        "promotion_smoke_tests": [],
    }
    return prod.state()


def answer(laboratory: Laboratory, keys: str, before: t.Callable[[], object] = lambda: None) -> Run:
    """Promote to prod at a terminal, and press keys once asked.

    Args:
        laboratory: the sites.
        keys: what is typed.
        before: called at the prompt, before the keys are pressed.
    """
    inventory = laboratory.directory / "terminal.json"
    inventory.write_text(json.dumps({"qlik_sites": {"hosts": laboratory.hosts}}))
    play = {
        "hosts": "prod",
        "gather_facts": False,
        "connection": "local",
        "vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}", "promotion_source": "dev"},
        "roles": ["sensible.qlik.promotion"],
    }
    playbook = laboratory.directory / "terminal.yml"
    playbook.write_text(json.dumps([play]))
    environment = os.environ | {"ANSIBLE_NOCOLOR": "true", "TERM": "dumb"}
    process, terminal = pty.fork()
    if not process:
        os.chdir(laboratory.directory)
        os.execvpe("ansible-playbook", ["ansible-playbook", "-i", str(inventory), str(playbook)], environment)
    output = ""
    for text in _read(terminal):
        if PROMPT not in output and PROMPT in output + text:
            before()
            _press(terminal, keys)
        output += text
    os.close(terminal)
    _process, status = os.waitpid(process, 0)
    laboratory.check_secrets(output)
    assert PROMPT in output, output
    return Run(os.waitstatus_to_exitcode(status), " ".join(output.split()))


def _press(terminal: int, keys: str) -> None:
    """Press keys as soon as the terminal has no echo. The program discards keys that were pressed earlier."""
    while termios.tcgetattr(terminal)[3] & termios.ICANON:
        time.sleep(0.02)
    echoed: list[int] = []
    while not echoed:
        os.write(terminal, keys.encode())
        echoed = select.select([terminal], [], [], 2)[0]


def _read(terminal: int) -> t.Iterator[str]:
    """Yield the output at a terminal until the program ends."""
    while True:
        try:
            data = os.read(terminal, 4096)
        except OSError:  # how Linux says that the other end is closed
            return
        if not data:
            return
        yield data.decode(errors="replace")


@pytest.mark.parametrize("keys", ["\r", "yes\r", "dev\r", "\x03a"], ids=["nothing", "yes", "another", "Ctrl-C"])
def test_an_unapproved_site_is_not_written(laboratory: Laboratory, before: State, keys: str) -> None:
    done = answer(laboratory, keys)
    assert done.code == 2, done.output
    assert "not approved, so nothing was written" in done.output or "user requested abort" in done.output
    assert laboratory.sites["prod"].writes() == 0
    assert laboratory.sites["prod"].state() == before


def test_typing_the_name_of_the_site_approves(laboratory: Laboratory, before: State) -> None:
    done = answer(laboratory, "prod\r")
    assert done.code == 0, done.output
    assert laboratory.sites["prod"].writes() > 0
    assert laboratory.sites["prod"].state() != before


def test_promotion_that_begins_during_the_prompt_stops_the_run(laboratory: Laboratory, before: State) -> None:
    """The other promotion has stored its snapshot, but has not finished."""
    laboratory.sites["dev"].set_field("portal", sessionInactivityTimeout=41)
    assert answer(laboratory, "prod\r").code == 0
    directory = laboratory.directory / "promotion_snapshots"
    finished = max(directory.glob("prod-*.yml"))
    other = directory / "prod-29990101T000000Z-aaaaaaaa.yml"
    unfinished = finished.read_text().replace("unfinished: []", 'unfinished: ["portal"]')
    laboratory.sites["dev"].set_field("portal", sessionInactivityTimeout=42)
    state, writes = laboratory.sites["prod"].state(), laboratory.sites["prod"].writes()
    done = answer(laboratory, "prod\r", lambda: other.write_text(unfinished))
    assert done.code == 2, done.output
    assert f"another promotion of the same virtual proxies to prod has begun in the meantime ({other})" in done.output
    assert (laboratory.sites["prod"].state(), laboratory.sites["prod"].writes()) == (state, writes)
