# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: path_problems
short_description: Find variables that contain text instead of a path
version_added: 1.0.0
author:
  - The sensible.qlik contributors (@sensible-qlik)
description:
  - Returns one message for each variable that contains PEM text, a token, or other text that is not a path.
  - The roles of this collection check their variables with it before they use them, so that no message quotes a key
    that was given instead of its path.
options:
  _input:
    description:
      - Values by the names of their variables. Empty values are not checked.
    type: dict
    required: true
  new:
    description:
      - Names of the variables for files and directories that may not exist yet, or that are on another host. Other
        paths without a file extension must exist, because they cannot be distinguished from a password.
    type: list
    elements: str
    default: []
  contents:
    description:
      - Names of the variables for the text of a file instead of its path, such as C(signing_key_content) for
        C(signing_key_path). The messages recommend them.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Check that the variables for paths contain paths
  ansible.builtin.assert:
    that: problems | length == 0
    fail_msg: "{{ problems | join(' ') }}"
    quiet: true
  vars:
    problems: >-
      {{ {'signing_key_path': 'keys/portal_key.pem', 'report_directory': 'reports'}
      | sensible.qlik.path_problems(new=['report_directory'], contents=['signing_key_content']) }}
"""

RETURN = r"""
_value:
  description:
    - The messages, in the order of the variables. They contain the name of the variable and no part of its value.
  type: list
  elements: str
  sample: ["signing_key_path contains PEM text, not a path. Give the path of the file."]
"""

import typing as t
from collections.abc import Collection, Mapping

from ansible.errors import AnsibleFilterError

from ansible_collections.sensible.qlik.plugins.module_utils._files import content_option, text_problem


def path_problems(paths: Mapping[str, t.Any], new: Collection[str] = (), contents: Collection[str] = ()) -> list[str]:
    """Return the messages. See RETURN.

    Raises:
        AnsibleFilterError: the input is not a dictionary.
    """
    if not isinstance(paths, Mapping):
        raise AnsibleFilterError("path_problems requires a dictionary of values by the names of their variables.")
    found: list[tuple[str, ...] | None] = []
    for name, value in paths.items():
        alternative = content_option(name) if content_option(name) in contents else None
        if isinstance(value, (dict, list, tuple)):
            kind = "dictionary" if isinstance(value, dict) else "list"  # Ansible has its own names for these types
            found.append((f"{name} must be a path, not a {kind}.",))
        elif value is not None:
            found.append(text_problem(name, str(value), alternative=alternative, new=name in new))
    return [" ".join(problem) for problem in found if problem]


class FilterModule:
    """Register the filter with Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"path_problems": path_problems}
