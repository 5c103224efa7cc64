# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Start a simulator that continues after this script, and print its ready.json.

Usage: start.py DIRECTORY < SITE (as JSON)

The environment variable SIMULATOR_SITE can name a file with a site that already runs: its content (site), its PEM files
(pki) and its addresses (ready, without a pid, because nothing may stop it). It is used once.
"""

from __future__ import annotations

import json
import os
import sys
import typing as t
from pathlib import Path

from qlik_sense_simulator.testing import RunningSite


def find_running(site: object, directory: Path) -> dict[str, t.Any] | None:
    """Return the addresses of the site that runs already, if it is the one that is asked for."""
    file = Path(os.environ.get("SIMULATOR_SITE", ""))
    if not file.is_file():
        return None
    running = json.loads(file.read_text())
    if running["site"] != site:
        return None
    file.unlink()
    directory.mkdir()
    (directory / "pki").symlink_to(running["pki"])
    return {name: value for name, value in running["ready"].items() if name != "pid"}


def main(directory: Path) -> None:
    content = json.load(sys.stdin)
    if ready := find_running(content, directory):
        print(json.dumps(ready))
        return
    try:
        site = RunningSite(directory, content)
    except RuntimeError as error:
        sys.exit(str(error))
    print(json.dumps(site.ready))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
