# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Start a simulator in the background, wait until it is ready, print its ready.json.

Usage: start.py DIRECTORY (with site.yml)
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

READY_WITHIN = 60.0
"""Seconds for keys, certificates and ports; it needs about two."""


def main(directory: Path) -> None:
    ready = directory / "ready.json"
    log = directory / "simulator.log"
    command = [sys.executable, "-m", "qlik_sense_simulator", "serve"]
    command += ["--directory", str(directory), "--site", str(directory / "site.yml")]
    with log.open("wb") as output:
        # A session of its own, so that it outlives this task.
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    deadline = time.monotonic() + READY_WITHIN
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            sys.exit(f"The simulator did not get ready (status {process.wait()}). Its log:\n{log.read_text()}")
        time.sleep(0.05)
    print(ready.read_text())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
