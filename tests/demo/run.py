# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the demo playbook of the installed collection against a simulated site, and stop the site whatever happens.

Usage: run.py --directory DIRECTORY --collections PATH

The last line is the path of the report. The exit status is the playbook's.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import typing as t
from pathlib import Path

HERE = Path(__file__).resolve().parent
READY_WITHIN = 60.0
"""Seconds the simulator has for its keys, certificates and ports; it needs about two."""


def environment(collections: Path, directory: Path) -> dict[str, str]:
    """What the playbook sees: nothing that the user's shell says about Ansible, Qlik or a web proxy."""
    ours = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ANSIBLE_", "QLIK_SENSE_")) and not name.lower().endswith("_proxy")
    }
    configuration = directory / "ansible.cfg"
    configuration.write_text("[defaults]\n")
    return ours | {
        "ANSIBLE_COLLECTIONS_PATH": str(collections),
        "ANSIBLE_CONFIG": str(configuration),
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_RETRY_FILES_ENABLED": "false",
    }


@contextlib.contextmanager
def simulated_site(directory: Path) -> t.Iterator[Path]:
    """A running site; the value is its ready file.

    Raises:
        SystemExit: it did not get ready; the message has the end of its log.
    """
    log = directory / "simulator.log"
    ready = directory / "site" / "ready.json"
    command = [sys.executable, "-m", "qlik_sense_simulator", "serve"]
    command += ["--directory", str(ready.parent), "--site", str(HERE / "site.yml")]
    with log.open("wb") as output:
        # A session of its own: Ctrl-C is for the playbook, and the site outlives it until it is told to stop.
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        deadline = time.monotonic() + READY_WITHIN
        while not is_ready(ready):
            if process.poll() is not None or time.monotonic() > deadline:
                what = "ended" if process.poll() is not None else f"was not ready after {READY_WITHIN:.0f} s"
                tail = "\n".join(log.read_text(errors="replace").splitlines()[-30:])
                sys.exit(f"The simulated site {what}. The end of its log ({log}):\n{tail}")
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.1)
        yield ready
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def is_ready(ready: Path) -> bool:
    """Whether the site has written its ready file, to the end."""
    try:
        json.loads(ready.read_text())
    except (OSError, ValueError):
        return False
    return True


def run(command: list[str], variables: dict[str, str]) -> int:
    """Run a command to its end, or interrupt it when we are interrupted; its exit status."""
    with subprocess.Popen(command, env=variables) as process:
        try:
            return process.wait()
        except BaseException:
            process.send_signal(signal.SIGINT)
            process.wait()
            raise


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directory", type=Path, required=True, help="replaced")
    parser.add_argument("--collections", type=Path, required=True)
    options = parser.parse_args()
    # So that `kill` and a closed terminal end it like Ctrl-C does: through every `finally`.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _frame: sys.exit(128 + received))
    directory = options.directory.absolute()
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    with simulated_site(directory) as ready:
        variables = {"demo_ready_file": str(ready), "demo_directory": str(directory)}
        playbook = [str(Path(sys.executable).with_name("ansible-playbook")), "sensible.qlik.demo", "--extra-vars"]
        code = run([*playbook, json.dumps(variables)], environment(options.collections.absolute(), directory))
    for report in sorted(directory.glob("report/**/*.html")):
        print(f"The report: {report}")
    return code


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
