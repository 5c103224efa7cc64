# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: promoted
short_description: Translate the virtual proxies of one site into what another site should have
version_added: 1.0.0
author:
  - The sensible.qlik contributors (@sensible-qlik)
description:
  - Takes what M(sensible.qlik.virtual_proxy_info) returned for one site and gives what
    M(sensible.qlik.jwt_virtual_proxies) should make of another one. The role P(sensible.qlik.promotion#role) uses it.
  - Everything is taken over but for the rules below. What belongs to one site only, as C(id), is left out.
options:
  _input:
    description:
      - The virtual proxies of the source.
    type: list
    elements: dict
    required: true
  nodes:
    description:
      - What each node of the source is on the target, for C(load_balancing_server_nodes) and C(proxies). A name, or a
        list of names where one node stands for several, or V([]) where it stands for none. The key V(*) is for all
        nodes that are not named. Without it they keep their names.
    type: dict
    default: {}
  keep:
    description:
      - Options that are not taken over, so that the target keeps what it has.
    type: list
    elements: str
    default: []
  overrides:
    description:
      - What the target has instead. Options of M(sensible.qlik.jwt_virtual_proxy) by prefix, under V(*) for all virtual
        proxies; what stands under a prefix goes before what stands under V(*). Prefixes are without the suffix. A value
        replaces the whole value, also a list. It goes before O(nodes) and O(keep).
      - Options such as C(tags_add) and C(tags_remove) change the list that the other rules lead to, after O(nodes). If
        O(keep) names that list, they change the one that the target has. Entries are compared by name, nodes not by
        host name.
    type: dict
    default: {}
  source_suffix:
    description:
      - The end of the prefixes that belong to the source, such as V(-dev). Other virtual proxies are left out, and the
        end is taken off.
    type: str
    default: ''
  target_suffix:
    description:
      - The end that prefixes get on the target, such as V(-test). A session cookie that is named after the prefix is
        renamed with it.
    type: str
    default: ''
  without:
    description:
      - Prefixes on the target that are left out.
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

- name: Show what prod would be
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

- name: Show what test would be, where dev and test share one site
  ansible.builtin.debug:
    msg: "{{ dev.virtual_proxies | sensible.qlik.promoted(
      source_suffix='-dev', target_suffix='-test', without=['admin-test']) }}"
"""

RETURN = r"""
_value:
  description:
    - The virtual proxies, as M(sensible.qlik.jwt_virtual_proxies) takes them.
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

if t.TYPE_CHECKING:
    from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy.model import Options

ALL = "*"
NODE_LISTS = ("load_balancing_server_nodes", "proxies")
# They say which virtual proxy this is, or are no settings.
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
    """What the target should have. See DOCUMENTATION for the arguments.

    Raises:
        AnsibleFilterError: a rule cannot be right.
    """
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
        for name in NODE_LISTS:
            if name in target:
                target[name] = list(dict.fromkeys(node for old in target[name] for node in translate_node(old)))
        result.append(_overridden(target, rules.get(ALL, {}) | rules.get(base, {})))
    return result


def _overridden(target: Options, rule: Options) -> Options:
    """Return the target with a rule applied. Entries are added to the lists that it has, and removed from them."""
    target = target | rule
    try:
        return with_whole_lists(target, target)
    except InputError as error:
        raise AnsibleFilterError(f"Virtual proxy '{target['prefix']}': {error}") from error
    except (AttributeError, KeyError, TypeError) as error:
        changes = ", ".join(name for name in rule if name in OPTIONS)
        raise AnsibleFilterError(f"overrides has a value in {changes} that is no entry of such a list.") from error


def _option(name: str, rules: str, names: Mapping[str, str]) -> str:
    """The option's own name, for an option that a rule may be about."""
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1)
        meant = f" Do you mean {close[0]}?" if close else ""
        raise AnsibleFilterError(f"{rules} names {name!r}, which is no option of jwt_virtual_proxy.{meant}")
    if names[name] in _NO_RULE_FOR:
        raise AnsibleFilterError(
            f"{rules} names {name!r}, which says what is promoted and cannot be changed by a rule."
        )
    return names[name]


def _rule(prefix: str, options: Options) -> Options:
    if not isinstance(options, Mapping):
        raise AnsibleFilterError(f"overrides['{prefix}'] has to be options and their values.")
    for name, value in options.items():
        if value is None:
            raise AnsibleFilterError(
                f"overrides['{prefix}'] has no value for {name}. Write '' or [] to empty it on the target, or name it "
                "in keep to leave it as it is there."
            )
        if (name in OPTIONS or _NAMES.get(name) in LIST_CHANGES) and not isinstance(value, list):
            raise AnsibleFilterError(f"overrides['{prefix}'] has no list in {name}.")
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
            raise AnsibleFilterError(f"nodes[{name!r}] has to be the name of a node, or a list of names.")
    known = {name.casefold(): [value] if isinstance(value, str) else list(value) for name, value in nodes.items()}

    def translate(name: str) -> list[str]:
        return known.get(name.casefold(), known.get(ALL, [name]))

    return translate


class FilterModule:
    """What Ansible looks for in this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"promoted": promoted}
