# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run modules in processes of their own, and measure them.

A process with everything imported is copied (fork) for each run, so that a run costs milliseconds and its memory is
its own. Started as a program, this module is that process: it reads one job per line.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
import typing as t

MODULES = ("jwt_virtual_proxy", "logout", "login_check", "jwks_info")
_PACKAGE = "ansible_collections.sensible.qlik"
_BYTES = 1 if sys.platform == "darwin" else 1024  # the unit of ru_maxrss


class Run(t.NamedTuple):
    """A finished run.

    Attributes:
        result: what the module printed, None if it is not JSON.
        errors: what was printed in addition.
        status: exit status, negative for a signal.
        seconds: wall time.
        peak: maximum of the resident memory in bytes.
    """

    result: dict[str, t.Any] | None
    errors: str
    status: int
    seconds: float
    peak: int


class Processes:
    """Runs modules; several threads can use it.

    Args:
        directory: for output.
    """

    def __init__(self, directory: pathlib.Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._waiting: dict[str, threading.Event] = {}
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        threading.Thread(target=self._notify, daemon=True).start()

    def _notify(self) -> None:
        for line in t.cast("t.IO[str]", self._process.stdout):
            self._waiting[line.strip()].set()

    def run(self, module: str, arguments: dict[str, t.Any], *, limit: float) -> Run:
        """Run a module, and kill it after a number of seconds."""
        finished = threading.Event()
        with self._lock:
            name = str(len(self._waiting))
            self._waiting[name] = finished
            stdin = t.cast("t.IO[str]", self._process.stdin)
            stdin.write(json.dumps([name, module, arguments, limit]) + "\n")
            stdin.flush()
        assert finished.wait(limit + 60), "the process that starts runs has ended"
        printed, errors = ((self._directory / one).read_text(errors="replace") for one in (name, f"{name}.err"))
        status, seconds, peak = json.loads((self._directory / f"{name}.json").read_text())
        try:
            result = json.loads(printed)
        except ValueError:
            result = None
        return Run(result, errors if result else printed + errors, status, seconds, peak)

    def close(self) -> None:
        """End the process."""
        t.cast("t.IO[str]", self._process.stdin).close()
        self._process.wait()


def main(directory: str) -> None:
    """Read jobs until the end, and run each in a copy of this process."""
    from ansible.plugins.loader import init_plugin_loader

    init_plugin_loader()
    modules: dict[str, t.Any] = {
        name: importlib.import_module(f"{_PACKAGE}.plugins.modules.{name}") for name in MODULES
    }
    arguments = importlib.import_module(f"{_PACKAGE}.tests.unit.plugins.module_arguments")
    for name in ("_http.failures", "_http.qps", "_http.ntlm", "_login.websocket", "_keys.certificate"):
        importlib.import_module(f"{_PACKAGE}.plugins.module_utils.{name}")
    importlib.import_module("http.cookiejar")
    importlib.import_module("urllib.request")
    # A key costs more time than the rest of a run.
    key = modules["login_check"].new_foreign_key()
    modules["login_check"].new_foreign_key = lambda: key
    for line in sys.stdin:
        name, module, options, limit = json.loads(line)
        if os.fork() == 0:
            _watch(pathlib.Path(directory, name), functools.partial(_main, modules[module], arguments, options), limit)
            os.write(1, f"{name}\n".encode())
            os._exit(0)
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _main(module: t.Any, arguments: t.Any, options: dict[str, t.Any]) -> None:
    with arguments.patch_module_args(options):
        module.main()


def _watch(path: pathlib.Path, function: t.Callable[[], None], limit: float) -> None:
    """Run a function in another process, and write its output and measurements to files."""
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        for number, name in enumerate((os.devnull, str(path), f"{path}.err")):
            os.dup2(os.open(name, os.O_CREAT | os.O_RDWR), number)
        signal.setitimer(signal.ITIMER_REAL, limit)
        status = 1
        try:
            function()
        except SystemExit as end:
            status = int(end.code or 0)
        except BaseException:
            import traceback

            traceback.print_exc()
            status = 70
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    _pid, status, usage = os.wait4(child, 0)
    measured = [os.waitstatus_to_exitcode(status), time.monotonic() - started, usage.ru_maxrss * _BYTES]
    path.with_suffix(".json").write_text(json.dumps(measured))


if __name__ == "__main__":
    main(sys.argv[1])
