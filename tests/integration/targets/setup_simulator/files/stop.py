# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stop a simulator and wait until its process is gone.

Usage: stop.py PID
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

GONE_WITHIN = 10.0
"""Seconds for an orderly end; after them it is killed."""


def is_running(pid: int) -> bool:
    """Return True if the process runs. A zombie (state Z) does not run."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return not Path("/proc/self/stat").exists()


def main(pid: int) -> None:
    if is_running(pid):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + GONE_WITHIN
    while is_running(pid):
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            sys.exit(f"The simulator (process {pid}) did not end within {GONE_WITHIN:.0f} s and was killed.")
        time.sleep(0.05)


if __name__ == "__main__":
    main(int(sys.argv[1]))
