# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""Have ansible-core mask secrets in its output."""

from __future__ import annotations

import importlib
import typing as t


def register(secrets: t.Iterable[t.Any]) -> bool:
    """Have ansible-core replace these secrets by a placeholder in all output of the run.

    Args:
        secrets: texts; None and empty ones are left out.

    Returns:
        Whether ansible-core can do so. It can from 2.22 on.
    """
    try:
        core = importlib.import_module("ansible.module_utils.secrets")
    except ImportError:
        return False
    core.register_secrets([str(secret) for secret in secrets if secret])
    return True
