# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""The notes at the end of a description with which a rotation stores its state on the site."""

from __future__ import annotations

import re

REPLACES = re.compile(r"\[replaces ([^\]\s]+)(?: ([0-9a-fA-F-]{8,36}))?\]")
"""Prefix and abbreviated id of the virtual proxy that is replaced."""
REPLACED = re.compile(r"\[replaced (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)\]")
"""The time at which users were redirected."""
_NOTES = re.compile(rf"(?:\s*(?:{REPLACES.pattern}|{REPLACED.pattern}))+\s*$")


def without_notes(description: str) -> str:
    """Return a description without the notes."""
    return _NOTES.sub("", description)


def with_notes(description: str, current: str) -> str:
    """Return a declared description with the notes of the current one, unless it has notes itself."""
    notes = current[len(without_notes(current)) :].strip()
    if not notes or without_notes(description) != description:
        return description
    return f"{description} {notes}" if description else notes
