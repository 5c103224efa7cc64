# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Record the next steps of each Python process of a playbook run, and inject one failure.

Python imports this by its name, with the directory on PYTHONPATH. Points are tasks that begin, requests that change the
site, and files below INJECT_FILES that are created, replaced or removed; each is a line in INJECT_JOURNAL. Before the
line with the number INJECT_AT, of the lines that begin with INJECT_ONLY:

- the whole run dies by SIGKILL, if INJECT_HOW is "KILL" or not set;
- the playbook gets SIGTERM, if it is "TERM": its child processes continue, as at a shutdown or `kill PID`;
- the clock of all processes jumps by so many seconds, if it is a number.

Independent of that, nothing can be written below the directories in INJECT_FULL (no space) and INJECT_READ_ONLY, which
are separated by colons.
"""

from __future__ import annotations

import datetime
import errno
import os
import pathlib
import signal
import sys
import typing as t

JOURNAL, FILES = pathlib.Path(os.environ["INJECT_JOURNAL"]), os.environ["INJECT_FILES"]
HOW = os.environ.get("INJECT_HOW", "KILL")
JUMPED = JOURNAL.with_suffix(".jumped")
_FORBIDDEN = {
    directory.rstrip("/"): code
    for name, code in (("INJECT_FULL", errno.ENOSPC), ("INJECT_READ_ONLY", errno.EROFS))
    for directory in os.environ.get(name, "").split(":")
    if directory
}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
# Which of the arguments are paths that are written to; a rename or link within a full directory needs no space.
_PATHS = {"open": 0, "os.mkdir": 0, "os.rename": 1, "os.link": 1, "os.symlink": 1, "os.remove": 0, "os.chmod": 0}
_FREE = {"os.remove", "os.chmod"}
_POINTS = {"inject.task", "http.client.send", "os.rename", "os.link", "os.remove"}
_jumped = False


def point(event: str, arguments: tuple[t.Any, ...]) -> str:
    """Return the name of a point, empty if the event is not one."""
    if event == "inject.task":
        return f"task {arguments[0]}"
    if event == "http.client.send" and isinstance(arguments[1], bytes):
        method, _blank, target = arguments[1].partition(b"\r\n")[0].partition(b" ")
        if method in (b"POST", b"PUT", b"DELETE") and target.startswith(b"/qrs/"):
            return f"write {method.decode()} {target.decode().partition('?')[0]}"
    if event in ("os.rename", "os.link", "os.remove"):
        path = os.fsdecode(arguments[0 if event == "os.remove" else 1])
        if path.startswith(FILES) and "/." not in path:  # files beside the final ones are no progress
            return f"write {'no file' if event == 'os.remove' else 'file'} {path.removeprefix(FILES)}"
    return ""


def forbid(event: str, arguments: tuple[t.Any, ...]) -> None:
    """Raise OSError if a file would be written where that is not possible."""
    path = arguments[_PATHS[event]]
    if not isinstance(path, (str, bytes, os.PathLike)) or (event == "open" and not arguments[2] & _WRITES):
        return
    path = os.path.realpath(os.fsdecode(path))
    for directory, code in _FORBIDDEN.items():
        if f"{path}/".startswith(f"{directory}/") and (code == errno.EROFS or event not in _FREE):
            raise OSError(code, os.strerror(code), path)


def jump() -> None:
    """Set the clock of this process and of those that it forks."""
    global _jumped  # noqa: PLW0603
    if not _jumped:
        _jumped = True
        import time_machine

        now = datetime.datetime.now(datetime.UTC)
        time_machine.travel(now + datetime.timedelta(seconds=int(HOW)), tick=True).start()


def hook(event: str, arguments: tuple[t.Any, ...]) -> None:
    if _FORBIDDEN and event in _PATHS:
        forbid(event, arguments)
    line = event in _POINTS and point(event, arguments)
    if not line:
        return
    if JUMPED.exists():
        jump()
    with JOURNAL.open("a+") as journal:
        journal.write(f"{line}\n")
        journal.flush()
        journal.seek(0)
        reached = sum(line.startswith(os.environ["INJECT_ONLY"]) for line in journal)
    if line.startswith(os.environ["INJECT_ONLY"]) and reached == int(os.environ["INJECT_AT"]):
        act()


def act() -> None:
    """Inject the failure."""
    playbook = int(JOURNAL.with_suffix(".pid").read_text())
    if HOW == "KILL":
        os.kill(playbook, signal.SIGKILL)
        os.killpg(0, signal.SIGKILL)  # a module is in the process group of Ansible's worker, which leads one of its own
    elif HOW == "TERM":
        os.kill(playbook, signal.SIGTERM)
    else:
        JUMPED.touch()
        jump()


if JUMPED.exists():
    jump()
sys.addaudithook(hook)
