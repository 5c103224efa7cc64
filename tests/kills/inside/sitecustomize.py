# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""In every Python of a playbook run: notes what is about to happen, and at one point kills the run.

Python imports this by its name, with the directory on PYTHONPATH. Points are tasks that begin, requests that change the
site, and files below KILLS_FILES that are put in place or removed; each is a line in KILLS_JOURNAL. Before it does what
line number KILLS_AT says, of the lines that begin with KILLS_ONLY, the run dies.
"""

from __future__ import annotations

import os
import pathlib
import signal
import sys
import typing as t

JOURNAL, FILES = pathlib.Path(os.environ["KILLS_JOURNAL"]), os.environ["KILLS_FILES"]


def point(event: str, arguments: tuple[t.Any, ...]) -> str:
    """What to call it, empty if it does not count."""
    if event == "kills.task":
        return f"task {arguments[0]}"
    if event == "http.client.send" and isinstance(arguments[1], bytes):
        method, _blank, target = arguments[1].partition(b"\r\n")[0].partition(b" ")
        if method in (b"POST", b"PUT", b"DELETE") and target.startswith(b"/qrs/"):
            return f"write {method.decode()} {target.decode().partition('?')[0]}"
    if event in ("os.rename", "os.remove"):
        path = os.fsdecode(arguments[1 if event == "os.rename" else 0])
        if path.startswith(FILES):
            return f"write {'file' if event == 'os.rename' else 'no file'} {path.removeprefix(FILES)}"
    return ""


def hook(event: str, arguments: tuple[t.Any, ...]) -> None:
    said = event in ("kills.task", "http.client.send", "os.rename", "os.remove") and point(event, arguments)
    if not said:
        return
    with JOURNAL.open("a+") as journal:
        journal.write(f"{said}\n")
        journal.flush()
        journal.seek(0)
        reached = sum(line.startswith(os.environ["KILLS_ONLY"]) for line in journal)
    if said.startswith(os.environ["KILLS_ONLY"]) and reached == int(os.environ["KILLS_AT"]):
        os.kill(int(JOURNAL.with_suffix(".pid").read_text()), signal.SIGKILL)
        os.killpg(0, signal.SIGKILL)  # a module is in the process group of Ansible's worker, which leads one of its own


sys.addaudithook(hook)
