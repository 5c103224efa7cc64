# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A simulator as a process of its own, as its users start it, and HTTPS to its ports."""

from __future__ import annotations

import contextlib
import json
import pathlib
import signal
import subprocess
import sys
import time
import typing as t

import requests
import yaml

XRFKEY = "0123456789abcdef"
# As long as a slow machine may take; it is never waited for.
_PATIENCE = 60.0


class Simulator:
    """A running site.

    Args:
        directory: its state.
        site: the content of its site file.
        arguments: more for the command line.
    """

    def __init__(
        self, directory: pathlib.Path, site: dict[str, t.Any] | None = None, arguments: t.Sequence[str] = ()
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.log = directory.with_name(f"{directory.name}.log")
        command = [sys.executable, "-m", "qlik_sense_simulator", "serve", "--directory", str(directory), *arguments]
        if site is not None:
            file = directory.with_name(f"{directory.name}.yml")
            file.write_text(yaml.safe_dump(site))
            command += ["--site", str(file)]
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = str(directory / "pki" / "root.pem")
        self.session.cert = (str(directory / "pki" / "client.pem"), str(directory / "pki" / "client_key.pem"))
        self.ready = self._ready()

    def _ready(self) -> dict[str, t.Any]:
        file = self.directory / "ready.json"
        deadline = time.monotonic() + _PATIENCE
        while True:
            # Its own process number: a file of an earlier run does not count.
            with contextlib.suppress(FileNotFoundError):
                content: dict[str, t.Any] = json.loads(file.read_text())
                if content["pid"] == self.process.pid:
                    return content
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise AssertionError(self.log.read_text())
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=0.02)

    def qrs(self, method: str, path: str, content: t.Any = None, **more: t.Any) -> requests.Response:
        """A request to the repository; the path is below /qrs/."""
        return self.session.request(
            method,
            f"{self.ready['qrs_url']}/qrs/{path}",
            params={"xrfkey": XRFKEY, **more.pop("params", {})},
            headers={"X-Qlik-Xrfkey": XRFKEY, **more.pop("headers", {})},
            json=content,
            timeout=_PATIENCE,
            **more,
        )

    def control(self, method: str, path: str, content: t.Any = None) -> requests.Response:
        """A request to the simulator itself; the path is below /simulator/."""
        url = f"{self.ready['qrs_url']}/simulator/{path}"
        return self.session.request(method, url, json=content, timeout=_PATIENCE)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.session.close()
        self.stop()
