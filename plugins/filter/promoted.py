# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: promoted
short_description: Convert the virtual proxies of one site for another site
version_added: 1.0.0
author:
  - The sensible.qlik contributors (@sensible-qlik)
description:
  - Takes the result of M(sensible.qlik.virtual_proxy_info) for one site, and returns the input of
    M(sensible.qlik.jwt_virtual_proxies) for another site. The role P(sensible.qlik.promotion#role) uses this filter.
  - All settings are copied, except for the rules below. Fields that belong to one site only, such as C(id), are
    omitted.
options:
  _input:
    description:
      - The virtual proxies of the source.
    type: list
    elements: dict
    required: true
  nodes:
    description:
      - The nodes of the target that replace each node of the source, in C(load_balancing_server_nodes) and C(proxies).
        A value is one name, a list of names, or V([]) if no node replaces it. The key V(*) is for all nodes that are
        not listed. Without this key their names do not change.
    type: dict
    default: {}
  keep:
    description:
      - Options that are not copied, so that they do not change on the target.
    type: list
    elements: str
    default: []
  overrides:
    description:
      - Values for the target, as options of M(sensible.qlik.jwt_virtual_proxy) by prefix. The key V(*) is for all
        virtual proxies, and values for a prefix take precedence over it. Prefixes are given without the suffix. A value
        replaces the whole value of the option, also if it is a list. It takes precedence over O(nodes) and O(keep).
      - Options such as C(tags_add) and C(tags_remove) change the list that results from the other rules, after
        O(nodes). If O(keep) contains that list, they change the current list of the target. Entries are compared by
        name, and nodes are not compared by host name.
    type: dict
    default: {}
  source_suffix:
    description:
      - Suffix of the prefixes that belong to the source, such as V(-dev). Other virtual proxies are omitted, and the
        suffix is removed.
    type: str
    default: ''
  target_suffix:
    description:
      - Suffix that is added to the prefixes on the target, such as V(-test). A session cookie that is named after the
        prefix is renamed as well.
    type: str
    default: ''
  without:
    description:
      - Prefixes on the target that are omitted.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Read the dev site
  sensible.qlik.virtual_proxy_info:
    host: qlikdev.example.com
    client_cert: certificates/dev/client.pem
    client_key: certificates/dev/client_key.pem
    ca_path: certificates/dev/root.pem
  register: dev

- name: Show the virtual proxies for the prod site
  ansible.builtin.debug:
    msg: "{{ dev.virtual_proxies | sensible.qlik.promoted(
      nodes={'*': ['Central', 'Rim1']}, keep=['jwt_public_key_certificate'], overrides=overrides) }}"
  vars:
    overrides:
      "*":
        session_inactivity_timeout: 15
      portal:
        host_allow_list: [portal.example.com]
        tags_add: [portal]

- name: Show the virtual proxies for test, if dev and test share one site
  ansible.builtin.debug:
    msg: "{{ dev.virtual_proxies | sensible.qlik.promoted(
      source_suffix='-dev', target_suffix='-test', without=['admin-test']) }}"
"""

RETURN = r"""
_value:
  description:
    - The virtual proxies, as a value for O(sensible.qlik.jwt_virtual_proxies#module:virtual_proxies).
  type: list
  elements: dict
  sample:
    - prefix: portal
      session_inactivity_timeout: 15
      websocket_cross_origin_white_list: [portal.example.com]
      proxies: [Central, Rim1]
"""

import difflib
import typing as t
from collections.abc import Iterable, Mapping

from ansible.errors import AnsibleFilterError

from ansible_collections.sensible.qlik.plugins.module_utils._errors import InputError
from ansible_collections.sensible.qlik.plugins.module_utils._identifiers import leads_to
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy.list_changes import (
    OPTIONS,
    require_one_way,
    with_whole_lists,
)
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy.model import LIST_CHANGES, SPEC
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy.rotation_notes import without_notes

if t.TYPE_CHECKING:
    from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy.model import Options

ALL = "*"
NODE_LISTS = ("load_balancing_server_nodes", "proxies")
# Options that identify the virtual proxy or are not settings.
_OF_ONE_SITE = ("id", "certificate", "state", "allow_non_jwt")
_NO_RULE_FOR = (*_OF_ONE_SITE, "prefix", "authentication_method")

_NAMES = {alias: name for name, option in SPEC.items() for alias in (name, *option.get("aliases", ()))}
_NAMES_IN_OVERRIDES = _NAMES | {name: name for name in OPTIONS}


def promoted(
    virtual_proxies: Iterable[Options],
    nodes: Mapping[str, str | list[str]] | None = None,
    keep: Iterable[str] = (),
    overrides: Mapping[str, Options] | None = None,
    source_suffix: str = "",
    target_suffix: str = "",
    without: Iterable[str] = (),
) -> list[Options]:
    """Return the virtual proxies for the target. See DOCUMENTATION for the arguments.

    Raises:
        AnsibleFilterError: a rule is not valid.
    """
    if isinstance(virtual_proxies, (str, Mapping)) or not all(
        isinstance(one, Mapping) and one.get("prefix") for one in virtual_proxies
    ):
        raise AnsibleFilterError(
            "promoted requires a list of virtual proxies with a prefix, such as virtual_proxies in the result of "
            "sensible.qlik.virtual_proxy_info."
        )
    for name, rules_ in (("nodes", nodes), ("overrides", overrides)):
        if not isinstance(rules_ or {}, Mapping):
            raise AnsibleFilterError(f"{name} must be a dictionary.")
    kept = [_option(name, "keep", _NAMES) for name in keep]
    rules = {str(prefix).casefold(): _rule(str(prefix), options) for prefix, options in (overrides or {}).items()}
    translate_node = _node_translation(nodes or {})
    left_out = list(without)
    result = []
    for source in virtual_proxies:
        prefix = source["prefix"].lower()
        if not prefix.endswith(source_suffix.lower()):
            continue
        base = prefix.removesuffix(source_suffix.lower())
        target = {name: value for name, value in source.items() if name not in (*_OF_ONE_SITE, *kept)}
        target["prefix"] = base + target_suffix.lower()
        if any(leads_to(path, target["prefix"]) for path in left_out):
            continue
        cookie = str(target.get("session_cookie_header_name") or "")
        if cookie.lower().endswith(f"-{prefix}"):
            target["session_cookie_header_name"] = cookie[: -len(prefix)] + target["prefix"]
        if target.get("description"):  # a rotation's notes contain ids and times of the source
            target["description"] = without_notes(target["description"])
        for name in NODE_LISTS:
            if name in target:
                target[name] = list(dict.fromkeys(node for old in target[name] for node in translate_node(old)))
        result.append(_overridden(target, rules.get(ALL, {}) | rules.get(base, {})))
    return result


def _overridden(target: Options, rule: Options) -> Options:
    """Return the target with a rule applied. Entries are added to its lists and removed from them."""
    target = target | rule
    try:
        return with_whole_lists(target, target)
    except InputError as error:
        raise AnsibleFilterError(f"Virtual proxy '{target['prefix']}': {error}") from error
    except (AttributeError, KeyError, TypeError) as error:
        changes = ", ".join(name for name in rule if name in OPTIONS)
        raise AnsibleFilterError(f"overrides has a value in {changes} that is not a valid list entry.") from error


def _option(name: str, rules: str, names: Mapping[str, str]) -> str:
    """Return the name of an option without aliases, and raise if rules cannot change the option."""
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1)
        meant = f" Did you mean {close[0]}?" if close else ""
        raise AnsibleFilterError(f"{rules} contains {name!r}, which is not an option of jwt_virtual_proxy.{meant}")
    if names[name] in _NO_RULE_FOR:
        raise AnsibleFilterError(
            f"{rules} contains {name!r}, which identifies a virtual proxy and cannot be changed by a rule."
        )
    return names[name]


def _rule(prefix: str, options: Options) -> Options:
    if not isinstance(options, Mapping):
        raise AnsibleFilterError(f"overrides['{prefix}'] must be a dictionary of options and their values.")
    for name, value in options.items():
        if value is None:
            raise AnsibleFilterError(
                f"overrides['{prefix}'] has no value for {name}. Use '' or [] to empty it on the target, or add it to "
                "keep to leave it unchanged there."
            )
        if (name in OPTIONS or _NAMES.get(name) in LIST_CHANGES) and not isinstance(value, list):
            raise AnsibleFilterError(f"overrides['{prefix}'] must have a list for {name}.")
    try:
        require_one_way(options)
    except InputError as error:
        raise AnsibleFilterError(f"overrides['{prefix}']: {error}") from error
    return {_option(name, f"overrides['{prefix}']", _NAMES_IN_OVERRIDES): value for name, value in options.items()}


def _node_translation(nodes: Mapping[str, str | list[str]]) -> t.Callable[[str], list[str]]:
    for name, value in nodes.items():
        if not isinstance(value, str) and not (
            isinstance(value, list) and all(isinstance(element, str) for element in value)
        ):
            raise AnsibleFilterError(f"nodes[{name!r}] must be the name of a node, or a list of names.")
    known = {name.casefold(): [value] if isinstance(value, str) else list(value) for name, value in nodes.items()}

    def translate(name: str) -> list[str]:
        return known.get(name.casefold(), known.get(ALL, [name]))

    return translate


class FilterModule:
    """Register the filter with Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"promoted": promoted}
