# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: promotion_request
short_description: Read the variables of the playbook promote
version_added: 1.0.0
author:
  - The sensible.qlik contributors (@sensible-qlik)
description:
  - Converts the variables of the playbook C(sensible.qlik.promote) to values for each target, and checks them. The
    playbook uses this filter.
positional: sites
options:
  _input:
    description: Values by the names of the variables. V(none) means that the variable is not set.
    type: dict
    required: true
  sites:
    description: Names of the hosts in the inventory.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show the request of a promotion
  ansible.builtin.debug:
    msg: "{{ {'promote_stages': 'dev,test,prod', 'promote_tag': 'portal'} | sensible.qlik.promotion_request(sites) }}"
  vars:
    sites: [dev, test, prod]
"""

RETURN = r"""
_value:
  description: The request.
  type: dict
  contains:
    problems:
      description: The problems with the variables, one sentence each. If there is one, RV(_value.targets) is empty.
      type: list
      elements: str
      sample: []
    targets:
      description: The values by target, in the order of the promotions.
      type: dict
      sample:
        test: {source: dev, tags: [portal]}
        prod: {source: test, tags: [portal]}
"""

import itertools
import typing as t
from collections.abc import Collection, Mapping

from ansible.errors import AnsibleFilterError

from ansible_collections.sensible.qlik.plugins.module_utils import _identifiers
from ansible_collections.sensible.qlik.plugins.module_utils._errors import InputError
from ansible_collections.sensible.qlik.plugins.module_utils._text import sanitize

_USAGE = "Give -e promote_source=SITE -e promote_target=SITE, or -e promote_stages=SITE,SITE,SITE."


def promotion_request(variables: t.Any, sites: Collection[str]) -> dict[str, t.Any]:
    """Return the request of a promotion. See RETURN.

    Raises:
        AnsibleFilterError: the input is not a dictionary.
    """
    if not isinstance(variables, Mapping):
        raise AnsibleFilterError("promotion_request requires a dictionary of values by the names of their variables.")
    problems: list[str] = []
    given = {name: value for name, value in variables.items() if value is not None}
    read = {name: _names(name, value, problems) for name, value in given.items()}
    stages = _stages(read, problems)
    for name in ("promote_source", "promote_target", "promote_stages"):
        for site in read.get(name, []):
            if site not in sites:
                known = ", ".join(sites) or "none: give one with -i INVENTORY"
                problems.append(f"{name} has {_quoted(site)}, which is not a site of the inventory; sites are {known}.")
    problems += _prefix_problems(read.get("promote_prefixes", []))
    approved = read.get("promote_approved")
    for site in approved or []:
        if site not in stages[1:]:
            targets = ", ".join(stages[1:]) or "none"
            problems.append(f"promote_approved has {_quoted(site)}, which is not a target; targets are {targets}.")
    requested: dict[str, t.Any] = {}
    for name, option in (("promote_prefixes", "prefixes"), ("promote_tag", "tags")):
        if name in read:
            requested[option] = read[name]
    requests: dict[str, dict[str, t.Any]] = {}
    for source, target in itertools.pairwise(stages):
        requests[target] = dict(requested)
        if source:
            requests[target]["source"] = source
        if approved is not None:
            requests[target]["approved"] = target in approved
    return {"problems": problems, "targets": {} if problems else requests}


def _names(name: str, value: t.Any, problems: list[str]) -> list[str]:
    """Return the names in a variable. In a text they are separated by commas, except for the name of a tag."""
    one = name in ("promote_source", "promote_target")
    if isinstance(value, str):
        names = [value] if one or name == "promote_tag" else value.split(",")
        names = [text.strip() for text in names if text.strip()]
        if not names and name != "promote_approved":  # for example from a shell variable that is not set
            problems.append(f"{name} is empty.")
        return names
    if one or not isinstance(value, (list, tuple)) or not all(isinstance(text, str) for text in value):
        kind = "the name of one site" if one else "names, as a list or separated by commas"
        problems.append(f"{name} must be {kind}.")
        return []
    return list(value)


def _stages(read: Mapping[str, list[str]], problems: list[str]) -> list[str]:
    """Return the source, which can be empty, and the targets."""
    source, target, stages = (read.get(f"promote_{name}") for name in ("source", "target", "stages"))
    if stages is None:
        if target is None:
            problems.append(_USAGE)
        stages = [*(source or [""]), *(target or [])]
        if target and source == target:
            problems.append(f"promote_source and promote_target are both {_quoted(target[0])}.")
        return stages
    if source is not None or target is not None:
        problems.append(f"promote_stages is given together with promote_source or promote_target. {_USAGE}")
    elif len(stages) == 1:
        problems.append("promote_stages has only one site. The first one is the source, the others are targets.")
    twice = dict.fromkeys(site for site in stages if stages.count(site) > 1)
    problems += [f"promote_stages has {_quoted(site)} twice." for site in twice]
    return stages


def _prefix_problems(prefixes: Collection[str]) -> list[str]:
    problems = []
    for prefix in prefixes:
        try:
            _identifiers.prefix(prefix, "promote_prefixes")
        except InputError as error:
            problems.append(str(error))
    return problems


def _quoted(name: str) -> str:
    return f"'{sanitize(name, 60)}'"


class FilterModule:
    """Register the filter with Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"promotion_request": promotion_request}
