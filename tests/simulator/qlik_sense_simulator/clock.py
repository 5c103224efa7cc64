# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The clock of a site, which tests can move forward: reloads and sessions then take no real time."""

from __future__ import annotations

import pathlib
import time


class MovableClock:
    """Monotonic seconds.

    Args:
        file: each of its lines is a number of seconds by which the clock has moved. It may not exist yet, and it only
            grows. Empty: the clock cannot be moved.
    """

    def __init__(self, file: str = "") -> None:
        self._file = pathlib.Path(file) if file else None
        self._size = 0
        self._moved = 0.0

    def __call__(self) -> float:
        """Return the time."""
        if self._file:
            self._read(self._file)
        return time.monotonic() + self._moved

    def _read(self, file: pathlib.Path) -> None:
        try:
            size = file.stat().st_size
            if size != self._size:
                self._moved, self._size = sum(map(float, file.read_text(encoding="ascii").split())), size
        except FileNotFoundError:
            return
