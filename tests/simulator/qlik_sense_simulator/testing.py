# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""For tests of other software: a site in a process of its own."""

from __future__ import annotations

import contextlib
import json
import pathlib
import signal
import subprocess
import sys
import time
import typing as t

# Seconds, as many as a slow machine may take; nobody waits longer than it takes.
_PATIENCE = 60.0


class _Running:
    """A process that says in a file when it is ready; a context manager that stops it.

    Args:
        directory: where it writes ready.json.
        log: the file for its output.
        arguments: for the Python interpreter.

    Attributes:
        directory: as given.
        log: as given.
        ready: the content of the ready file.

    Raises:
        RuntimeError: it did not get ready; the message is its output.
    """

    def __init__(self, directory: pathlib.Path, log: pathlib.Path, arguments: t.Sequence[str]) -> None:
        self.directory = directory
        self.log = log
        with self.log.open("wb") as output:
            # In a session of its own: Ctrl-C is for whoever uses the site, and that one stops it.
            self._process = subprocess.Popen(
                [sys.executable, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self.ready = self._wait()
        except BaseException:
            self.stop()
            raise

    def _wait(self) -> dict[str, t.Any]:
        file = self.directory / "ready.json"
        deadline = time.monotonic() + _PATIENCE
        while self._process.poll() is None and time.monotonic() < deadline:
            # With its own process number: a file that an earlier run left behind does not count.
            with contextlib.suppress(FileNotFoundError):
                content: dict[str, t.Any] = json.loads(file.read_text())
                if content["pid"] == self._process.pid:
                    return content
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=0.02)
        raise RuntimeError(f"The simulator did not get ready:\n{self.log.read_text()}")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it, if it has not ended yet.

        Args:
            number: the signal to do so.

        Returns:
            Its exit status: 0 after a clean end.
        """
        if self._process.poll() is None:
            self._process.send_signal(number)
        try:
            return self._process.wait(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()


class RunningSite(_Running):
    """A simulator, from its start to its end; a context manager that stops it.

    Args:
        directory: its state; made if missing, used again if not.
        site: the content of a site file; the default site if not given.
        arguments: more for the command line.

    Attributes:
        directory: as given.
        pki: the directory of its PEM files.
        log: the file with its output, next to the directory.
        ready: the content of its ready file: pid, qrs_url, nodes.

    Raises:
        RuntimeError: it did not get ready; the message is its output.
    """

    def __init__(
        self, directory: pathlib.Path, site: t.Mapping[str, t.Any] | None = None, *, arguments: t.Sequence[str] = ()
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.pki = directory / "pki"
        command = ["-m", "qlik_sense_simulator", "serve", "--directory", str(directory), *arguments]
        if site is not None:
            file = directory.with_name(f"{directory.name}.yml")
            file.write_text(json.dumps(site))  # which is YAML, too
            command += ["--site", str(file)]
        super().__init__(directory, directory.with_name(f"{directory.name}.log"), command)


class RunningSites(_Running):
    """Many sites in one process, which share their PEM files and keep nothing; a context manager that stops them.

    Args:
        directory: for their files; made if missing.
        sites: the contents of site files, by names that are fit for files, and not "ready". Each has nodes called
            localhost or 127.0.0.1, so that one certificate is good for all, and the same proxy_authority.

    Attributes:
        directory: as given.
        pki: the directory of the PEM files.
        log: the file with the output.
        sites: by name, what a ready file says: qrs_url, nodes.

    Raises:
        RuntimeError: they did not get ready; the message is the output.
    """

    def __init__(self, directory: pathlib.Path, sites: t.Mapping[str, t.Mapping[str, t.Any]]) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.pki = directory / "pki"
        for name, site in sites.items():
            (directory / f"{name}.yml").write_text(json.dumps(site))
        super().__init__(directory, directory / "log", ["-m", "qlik_sense_simulator.several", str(directory)])
        self.sites: dict[str, dict[str, t.Any]] = self.ready["sites"]
