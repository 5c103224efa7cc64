# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Move the clock instead of waiting, in each Python that starts with this directory in PYTHONPATH.

A pause of a tenth of a second or more returns at once. It moves the monotonic clock of its process, and that of the
simulated sites that have the file of the environment variable MOVED_CLOCK as their clock_file.
"""

import os
import pathlib
import time
import typing as t

_SHORTEST = 0.1
_FILE = pathlib.Path(os.environ["MOVED_CLOCK"])
_sleep, _monotonic = time.sleep, time.monotonic
_moves: list[float] = []


def _move(seconds: float | t.SupportsIndex) -> None:
    pause = float(seconds)
    if pause < _SHORTEST:
        _sleep(pause)
        return
    _moves.append(pause)
    with _FILE.open("a", encoding="ascii") as file:
        file.write(f"{pause}\n")


time.sleep = _move
time.monotonic = lambda: _monotonic() + sum(_moves)
