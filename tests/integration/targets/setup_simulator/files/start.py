# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Start a simulator that stays when this ends, and print its ready.json.

Usage: start.py DIRECTORY < SITE (as JSON)
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from qlik_sense_simulator.testing import RunningSite


def main(directory: Path) -> None:
    try:
        site = RunningSite(directory, json.load(sys.stdin))
    except RuntimeError as error:
        sys.exit(str(error))
    print(json.dumps(site.ready))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
