# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a simulated site in a process of its own, for tests of other software."""

from __future__ import annotations

import contextlib
import json
import pathlib
import signal
import subprocess
import sys
import time
import typing as t

# Seconds, enough for a slow machine. The wait ends as soon as the site is ready.
_TIMEOUT = 60.0


class _Running:
    """A process that reports in a file when it is ready; a context manager that stops it.

    Args:
        directory: where it writes ready.json.
        log: the file for its output.
        arguments: for the Python interpreter.

    Attributes:
        directory: as given.
        log: as given.
        ready: the content of the ready file.

    Raises:
        RuntimeError: the simulator did not start; the message has its output.
    """

    def __init__(self, directory: pathlib.Path, log: pathlib.Path, arguments: t.Sequence[str]) -> None:
        self.directory = directory
        self.log = log
        with self.log.open("wb") as output:
            # In a session of its own, so that Ctrl-C stops only the test, which then stops the site.
            self._process = subprocess.Popen(
                [sys.executable, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self.ready = self._read_ready_file()
        except BaseException:
            self.stop()
            raise

    def _read_ready_file(self) -> dict[str, t.Any]:
        file = self.directory / "ready.json"
        deadline = time.monotonic() + _TIMEOUT
        while self._process.poll() is None and time.monotonic() < deadline:
            # The process number must match, so that a file of an earlier run does not count.
            with contextlib.suppress(FileNotFoundError):
                content: dict[str, t.Any] = json.loads(file.read_text())
                if content["pid"] == self._process.pid:
                    return content
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=0.02)
        raise RuntimeError(f"The simulator did not start:\n{self.log.read_text()}")

    def wait(self) -> int:
        """Wait until the process ends by itself, and return its exit status."""
        return self._process.wait()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Stop the process, if it is still running.

        Args:
            number: the signal.

        Returns:
            The exit status: 0 on success.
        """
        if self._process.poll() is None:
            self._process.send_signal(number)
        try:
            return self._process.wait(timeout=_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()


class RunningSite(_Running):
    """A running simulator; a context manager that stops it.

    Args:
        directory: its state; created if it does not exist.
        site: the content of a site file; the default site if not given.
        arguments: further arguments for the command line.

    Attributes:
        directory: as given.
        pki: the directory of its PEM files.
        log: the file with its output, next to the directory.
        ready: the content of its ready file: pid, qrs_url, nodes.

    Raises:
        RuntimeError: the simulator did not start; the message has its output.
    """

    def __init__(
        self, directory: pathlib.Path, site: t.Mapping[str, t.Any] | None = None, *, arguments: t.Sequence[str] = ()
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.pki = directory / "pki"
        command = ["-m", "qlik_sense_simulator", "serve", "--directory", str(directory), *arguments]
        if site is not None:
            file = directory.with_name(f"{directory.name}.yml")
            file.write_text(json.dumps(site))  # JSON is valid YAML
            command += ["--site", str(file)]
        super().__init__(directory, directory.with_name(f"{directory.name}.log"), command)


class RunningSites(_Running):
    """Many sites in one process with the same PEM files, deleted at the end; a context manager that stops them.

    Args:
        directory: for their files; created if it does not exist.
        sites: the contents of site files, by names that are valid file names, and not "ready". Their nodes are
            localhost or 127.0.0.1, so that one certificate covers all, and they have the same proxy_authority.

    Attributes:
        directory: as given.
        pki: the directory of the PEM files.
        log: the file with the output.
        sites: the content of the ready files (qrs_url, nodes), by name.

    Raises:
        RuntimeError: the sites did not start; the message has the output.
    """

    def __init__(self, directory: pathlib.Path, sites: t.Mapping[str, t.Mapping[str, t.Any]]) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.pki = directory / "pki"
        for name, site in sites.items():
            (directory / f"{name}.yml").write_text(json.dumps(site))
        super().__init__(directory, directory / "log", ["-m", "qlik_sense_simulator.several", str(directory)])
        self.sites: dict[str, dict[str, t.Any]] = self.ready["sites"]
