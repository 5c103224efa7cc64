# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Provide the simulated site of these tests."""

from __future__ import annotations

import dataclasses
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Site:
    """A running site.

    Attributes:
        pki: the directory with its certificates and keys.
        port: of its repository.
        nodes: as the simulator describes them.
    """

    pki: Path
    port: str
    nodes: list[dict[str, str]]
