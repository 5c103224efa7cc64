# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Attributes that modules share. A module adds its own C(support) values."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
  diff_mode:
    description:
      - Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
"""

    # Only for members of the action group. Other modules leave the attribute out.
    ACTION_GROUP = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/sensible.qlik.qlik) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - sensible.qlik.qlik
"""

    # For a module that reads and never writes.
    INFO_MODULE = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - This module only reads and never changes anything.
  diff_mode:
    support: N/A
    details:
      - This module only reads and never changes anything.
  idempotent:
    support: full
"""
