# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a playbook in one process: tasks without a worker process each, modules in forks, templates compiled once.

A module task costs 0.05 s of CPU time instead of 0.3 s. Playbook, roles, templates, lookups, filters, action plugins,
arguments and results of modules go through the code of the installed ansible-core. What is left out: the packing of
modules, the discovery of interpreters, the worker processes, and hosts in parallel. Tests that start the original
ansible-playbook cover these.

The environment variable IN_PROCESS_CACHE names a directory for compiled templates.
"""

from __future__ import annotations

import contextlib
import copy
import gc
import hashlib
import importlib
import json
import marshal
import os
import runpy
import signal
import sys
import tempfile
import traceback
import types
import typing as t
from pathlib import Path

import ansible
import jinja2
from ansible.executor import module_common
from ansible.executor.process import worker
from ansible.module_utils import _internal, basic
from ansible.module_utils.common import warnings
from ansible.module_utils.common.json import Direction, get_module_encoder
from ansible.plugins import action, strategy

MARKER = b"#!in process\n"
PROFILE = "legacy"
# What modules and plugins import, once instead of in each fork.
LIBRARIES = ("ansible.module_utils.urls", "cryptography.x509", "jwt", "requests")

_build = action.modify_module
_execute = action.ActionBase._low_level_execute_command
_compile = jinja2.Environment.compile


# ---- Modules


def python_name(path: str) -> str:
    """Return the name under which Python imports the file of a module, empty if it is not a module in Python."""
    for folder in ("/ansible_collections/", "/ansible/modules/"):
        _before, found, after = path.rpartition(folder)
        if found and path.endswith(".py"):
            return f"{folder[1:]}{after}".removesuffix(".py").replace("/", ".")
    return ""


def build(*, module_name: str, module_path: str, module_args: dict[str, t.Any], **more: t.Any) -> t.Any:
    """Note the name and the arguments of a module, in place of packing it."""
    name = python_name(module_path)
    if not name or more["async_timeout"]:
        return _build(module_name=module_name, module_path=module_path, module_args=module_args, **more)
    encoder = get_module_encoder(PROFILE, Direction.CONTROLLER_TO_MODULE)
    arguments = json.dumps({"ANSIBLE_MODULE_ARGS": module_args}, cls=encoder)
    return module_common._BuiltModule(
        b_module_data=MARKER + f"{name}\n{arguments}".encode(),
        module_style="new",
        shebang="#!/usr/bin/python",
        serialization_profile=PROFILE,
    )


def execute(self: action.ActionBase, *rest: t.Any, **more: t.Any) -> t.Any:
    """Run a module that was noted by build() in a fork, and any other command as usual."""
    in_data = more.get("in_data")
    if not in_data or not in_data.startswith(MARKER):
        return _execute(self, *rest, **more)
    name, arguments = in_data.removeprefix(MARKER).split(b"\n", 1)
    environment: dict[str, t.Any] = {}
    self._compute_environment_string(environment)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        # No thread prints at this moment, so that the fork inherits no lock that is held.
        with worker.display._lock:
            child = os.fork()
        if not child:
            be_module(name.decode(), arguments, environment, out.fileno(), err.fileno())
        _pid, status = os.waitpid(child, 0)
        streams = {}
        for stream, file in (("stdout", out), ("stderr", err)):
            file.seek(0)
            streams[stream] = file.read().decode(errors="surrogateescape")
    lines = {f"{stream}_lines": text.splitlines() for stream, text in streams.items()}
    return {"rc": os.waitstatus_to_exitcode(status), **streams, **lines}


def be_module(name: str, arguments: bytes, environment: dict[str, t.Any], out: int, err: int) -> t.NoReturn:
    """Be the process of a module, with the streams, the environment and the arguments that it has under Ansible."""
    code = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(out, 1)
        os.dup2(err, 2)
        sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, mode) for number, mode in enumerate("rww"))
        os.environ.update({key: str(value) for key, value in environment.items()})
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        _internal.is_controller = False
        warnings._global_warnings.clear()
        warnings._global_deprecations.clear()
        basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE = arguments, PROFILE
        sys.argv = [name]
        runpy.run_module(name, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as exc:
        code = exc.code if isinstance(exc.code, int) else int(exc.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


# ---- Tasks


class Proxy:
    """Another object with some attributes replaced."""

    def __init__(self, original: t.Any, **replaced: t.Any) -> None:
        self.__dict__.update(replaced)
        self._original = original

    def __getattr__(self, name: str) -> t.Any:
        return getattr(self._original, name)


class Worker(worker.WorkerProcess):
    """A substitute for a worker process. Like a process, it changes only copies of its task and its host."""

    def start(self) -> None:
        original = self._task
        self._task = original.copy(exclude_parent=True, exclude_tasks=True)
        self._task._parent = original._parent
        self._host = copy.copy(self._host)
        self._play_context = copy.copy(self._play_context)
        streams = sys.stdout, sys.stderr
        before = worker.current_worker
        # A worker looks for what its plugins print; here it goes where it belongs.
        sys.stdout, sys.stderr = (Proxy(stream, getvalue=str) for stream in streams)
        try:
            self.run()
        finally:
            sys.stdout, sys.stderr = streams
            worker.current_worker = before

    def _detach(self) -> None:
        """Stay attached."""

    def _hard_exit(self, e: str) -> t.NoReturn:
        raise RuntimeError(e)


# ---- Templates


def compile_template(self: jinja2.Environment, source: t.Any, *rest: t.Any, **more: t.Any) -> t.Any:
    """Compile a template, or take the code from the cache."""
    if not isinstance(source, str):
        return _compile(self, source, *rest, **more)
    options = {name: value for name, value in vars(self).items() if isinstance(value, (str, bool, int, type(None)))}
    words = (sys.version, ansible.__version__, jinja2.__version__, type(self), options, source, rest, more)
    cached = Path(os.environ["IN_PROCESS_CACHE"], hashlib.sha256(repr(words).encode()).hexdigest())
    with contextlib.suppress(OSError):
        return marshal.loads(cached.read_bytes())
    code = _compile(self, source, *rest, **more)
    if isinstance(code, types.CodeType):
        with tempfile.NamedTemporaryFile(dir=cached.parent, delete=False) as file:
            marshal.dump(code, file)
        Path(file.name).replace(cached)
    return code


def install() -> None:
    """Let the playbook of this process run like this."""
    replaced: list[tuple[t.Any, str, t.Any]] = [
        (action, "modify_module", build),
        (action.ActionBase, "_low_level_execute_command", execute),
        (strategy, "WorkerProcess", Worker),
        # The results of tasks are handled by a thread of this process, and its output is printed at once.
        (worker, "display", Proxy(worker.display, set_queue=lambda queue: None)),
        (worker, "signal", Proxy(signal, signal=lambda number, handler: None)),
    ]
    if "IN_PROCESS_CACHE" in os.environ:
        Path(os.environ["IN_PROCESS_CACHE"]).mkdir(parents=True, exist_ok=True)
        replaced.append((jinja2.Environment, "compile", compile_template))
    for owner, name, value in replaced:
        setattr(owner, name, value)
    for library in LIBRARIES:
        importlib.import_module(library)
    # What is there stays: neither this process nor its forks look through it again.
    gc.collect()
    gc.freeze()
