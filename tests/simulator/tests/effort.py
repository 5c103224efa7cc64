# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The number of examples that hypothesis tries."""

from __future__ import annotations

import os


def examples(number: int) -> int:
    """Return the number for `make test-nightly`, and a fifth of it otherwise."""
    return number if os.environ.get("NIGHTLY") == "yes" else number // 5
