# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: output_directory
short_description: Return the directory beside the inventory for the files of a role
version_added: 1.0.0
author:
  - The sensible.qlik contributors (@sensible-qlik)
description:
  - Returns the default directory for the keys, snapshots and reports of the roles of this collection. It depends on the
    inventory only, not on the directory from which Ansible was started.
  - If the inventory is a directory, the output directory is beside it, because Ansible reads each file in an inventory
    directory as an inventory. A directory of this name beside the file that defines the host is used in any case, so
    that runs with C(-i inventory/sites.yml) and with C(-i inventory) find the same keys.
positional: sources, name, host
options:
  _input:
    description:
      - The variable C(inventory_dir), the directory of the file that defines the host. It is V(none) for hosts that are
        not defined in a file, such as those of C(-i host,) or M(ansible.builtin.add_host).
    type: raw
    required: true
  sources:
    description: The variable C(ansible_inventory_sources).
    type: list
    elements: str
    required: true
  name:
    description: Name of the directory.
    type: str
    required: true
  host:
    description:
      - Name of a host, for a directory of its own. Characters other than letters, digits, C(-), C(_) and C(.), and a
        dot at the beginning, are replaced by C(_).
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: Show where reports are written
  ansible.builtin.debug:
    msg: >-
      {{ inventory_dir | default('', true)
      | sensible.qlik.output_directory(ansible_inventory_sources | default([]), 'reports', inventory_hostname) }}
"""

RETURN = r"""
_value:
  description: The path, or an empty string if the host is not defined in a file.
  type: str
  sample: /etc/ansible/reports/prod
"""

import pathlib
import re
import typing as t
from collections.abc import Iterable

from ansible.errors import AnsibleFilterError


def output_directory(inventory_dir: t.Any, sources: t.Any, name: str, host: str = "") -> str:
    """Return the directory, or an empty string. See RETURN.

    Raises:
        AnsibleFilterError: the sources are not a list.
    """
    if not isinstance(sources, Iterable):
        raise AnsibleFilterError("output_directory requires a list of inventory sources.")
    # Some releases of ansible-core have the text "None" for hosts that are not defined in a file.
    if not isinstance(inventory_dir, str) or not pathlib.Path(inventory_dir).is_absolute():
        return ""
    directory = pathlib.Path(inventory_dir)
    inventories = {pathlib.Path(str(source)) for source in sources}
    if not (directory / name).is_dir():
        for candidate in (directory, *directory.parents):  # directories in an inventory are read, too
            if candidate in inventories:
                directory = candidate.parent
    return str(directory / name / re.sub(r"^\.+|[^\w.-]", "_", host))


class FilterModule:
    """Register the filter with Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"output_directory": output_directory}
