# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: rotation_state
short_description: Determine the state of a key rotation
version_added: 1.0.0
author:
  - The sensible.qlik contributors (@sensible-qlik)
description:
  - Takes the virtual proxies of a site and returns the state of the rotation of a key. The role
    P(sensible.qlik.key_rotation#role) uses this filter, because it stores the state of a rotation on the site only.
  - "The virtual proxies that replace one another have the prefixes C(NAME), C(NAME-2), C(NAME-3) and so on. During a
    rotation their descriptions end with notes. The new one has C([replaces PREFIX ID]) from its creation to the end of
    the rotation, where ID is the first eight characters of the id of the old one. The old one has C([replaced TIME])
    after users were redirected to the new one."
  - Both are found by these notes, also after they were renamed.
  - If the notes do not determine which of several virtual proxies is in use, the filter fails with their names and ids.
positional: name
options:
  _input:
    description: Virtual proxies, as M(sensible.qlik.virtual_proxy_info) returns them.
    type: list
    elements: dict
    required: true
  name:
    description: The prefix without a number, as before the first rotation.
    type: str
    required: true
  unrelated:
    description: Prefixes of the same form that belong to other virtual proxies, such as V([portal-2]) beside C(portal).
    type: list
    elements: str
    default: []
seealso:
  - module: sensible.qlik.virtual_proxy_info
"""

EXAMPLES = r"""
- name: Read the virtual proxies
  sensible.qlik.virtual_proxy_info:
    host: qlik1.example.com
    client_cert: certificates/client.pem
    client_key: certificates/client_key.pem
    ca_path: certificates/root.pem
  register: site

- name: Show the prefix for tokens of the portal
  ansible.builtin.debug:
    msg: "{{ (site.virtual_proxies | sensible.qlik.rotation_state('portal')).current.prefix }}"

- name: Show the prefix if portal-2 is an unrelated virtual proxy
  ansible.builtin.debug:
    msg: "{{ (site.virtual_proxies | sensible.qlik.rotation_state('portal', unrelated=['portal-2'])).current.prefix }}"
"""

RETURN = r"""
_value:
  description: The state of the rotation.
  type: dict
  contains:
    phase:
      description:
        - V(idle) if there is one virtual proxy and no rotation is in progress.
        - V(published) if there is a new one beside the old one.
        - V(switched) if the old one has a note that users were redirected to the new one.
        - V(retired) if the old one no longer exists and the new one still has its note.
        - V(lost) if the old one has its note and the new one no longer exists.
      type: str
      sample: published
    summary:
      description: The state in one or two sentences, with the next step of the role.
      type: str
      sample: portal-2 is published beside portal, each with a key of its own.
    current:
      description:
        - The virtual proxy that users are redirected to. It is the old one with V(idle), V(published) and V(lost).
      type: dict
    old:
      description:
        - The virtual proxy that is replaced by the rotation, with V(idle) by the next one. Empty with V(retired).
      type: dict
    new:
      description: The virtual proxy that replaces it. Empty with V(idle) and V(lost).
      type: dict
    old_name:
      description: The prefix with which the old one was created. The files of its key are named after it.
      type: str
      sample: portal
    new_name:
      description: The prefix with which the new one was or will be created.
      type: str
      sample: portal-2
    wanted:
      description:
        - The declaration of the new one for M(sensible.qlik.jwt_virtual_proxies), without the certificate. All settings
          are copied from the old one except prefix, name of the cookie and description.
        - Its C(proxies) are those of the old one and of the new one together, because a run that was interrupted can
          have linked the new one, or unlinked the old one, on some of them only.
      type: dict
    switched_at:
      description: Time at which users were redirected to the new one, in seconds since 1970. V(0) if there is no note.
      type: int
    description:
      description: The description of the virtual proxies without the notes.
      type: str
"""

import datetime
import re
import typing as t
from collections.abc import Iterable, Mapping, Sequence

from ansible.errors import AnsibleFilterError

from ansible_collections.sensible.qlik.plugins.module_utils import _identifiers
from ansible_collections.sensible.qlik.plugins.module_utils._errors import InputError
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy.model import default_cookie_name
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy.rotation_notes import (
    REPLACED,
    REPLACES,
    without_notes,
)

VirtualProxy = dict[str, t.Any]

# Options that the new virtual proxy does not copy from the old one.
_OWN = ("id", "certificate", "jwt_public_key_certificate", "prefix", "session_cookie_header_name", "description")
_SUMMARIES = {
    "idle": "No rotation is in progress, and {current} is in use.",
    "published": "{new} is published beside {old}, each with a key of its own. The next run continues, or removes "
    "{new} with key_rotation_mode=abandon.",
    "switched": "Users were redirected from {old} to {new}, and each still has a key of its own. The next run "
    "waits for the rest of the overlap and removes {old}, or removes {new} with key_rotation_mode=abandon.",
    "retired": "{new} has replaced {gone}, which was removed. The next run completes the rotation and starts no other.",
    "lost": "Users were redirected from {old} to a virtual proxy that does not exist anymore, so only tokens of the "
    "key of {old} are accepted. Run with key_rotation_mode=abandon, which redirects users to {old}, before you rotate "
    "again.",
}


def rotation_state(
    virtual_proxies: Sequence[Mapping[str, t.Any]], name: str, unrelated: Iterable[str] = ()
) -> dict[str, t.Any]:
    """Return the state of a rotation. See RETURN.

    Raises:
        AnsibleFilterError: there is no such virtual proxy, or the one in use cannot be determined.
    """
    try:
        name = _identifiers.prefix(str(name).strip("/"), "name")
        return _state([dict(one) for one in virtual_proxies], name, {str(prefix).lower() for prefix in unrelated})
    except InputError as error:
        raise AnsibleFilterError(str(error)) from error


def _state(virtual_proxies: list[VirtualProxy], name: str, unrelated: set[str]) -> dict[str, t.Any]:
    candidates = [one for one in virtual_proxies if one["prefix"].lower() not in unrelated]
    phase, old, new = _find(candidates, name)
    one = old or new
    for each in filter(None, (old, new)):  # become names of files and part of a front end's configuration
        _identifiers.prefix(each["prefix"])
        if each.get("session_cookie_header_name"):
            _identifiers.cookie_name(each["session_cookie_header_name"])
    description = without_notes(one.get("description") or "")
    if re.search(r"\{[{%#]", description):  # Ansible before 2.19 would evaluate it
        raise InputError(f"The description of {one['prefix']} looks like a template.", hint="Change it.")
    taken = (number for any_ in virtual_proxies for number in _numbers(any_, name))
    prefix = new["prefix"] if new else f"{name}-{max(taken) + 1}"
    gone, old_id = _replaces(new, name) if new else (old["prefix"], old["id"][:8])
    names = {"old": old.get("prefix"), "new": new.get("prefix"), "gone": gone}
    switched = REPLACED.search(old.get("description") or "")
    current = new if phase in ("switched", "retired") else old
    return {
        "phase": phase,
        "summary": _SUMMARIES[phase].format(**names, current=current["prefix"]),
        "current": current,
        "old": old,
        "new": new,
        "old_name": _name_at_creation(old, name) if old else gone,
        "new_name": _name_at_creation(new, name) if new else prefix,
        "wanted": {
            **{option: value for option, value in one.items() if option not in _OWN},
            "proxies": list(dict.fromkeys([*(old.get("proxies") or []), *(new.get("proxies") or [])])),
            "prefix": prefix,
            "session_cookie_header_name": new.get("session_cookie_header_name") or default_cookie_name(prefix),
            "description": f"{description} [replaces {' '.join(filter(None, (gone, old_id)))}]".lstrip(),
        },
        "switched_at": _seconds(switched[1]) if switched else 0,
        "description": description,
    }


def _find(virtual_proxies: list[VirtualProxy], name: str) -> tuple[str, VirtualProxy, VirtualProxy]:
    """Return the phase, the old virtual proxy and the new one."""
    successors = [one for one in virtual_proxies if _replaces(one, name)[0]]
    pairs = [(old, new) for new in successors for old in virtual_proxies if old is not new and _is_old(old, new, name)]
    if len(pairs) > 1:
        raise InputError(
            f"More than one virtual proxy replaces another: {', '.join(_shown(new, name) for _old, new in pairs)}.",
            hint="Remove all but the one in use and the one that replaces it.",
        )
    if pairs:
        old, new = pairs[0]
        return ("switched" if REPLACED.search(old.get("description") or "") else "published"), old, new
    family = [one for one in virtual_proxies if one in successors or _number(one["prefix"], name)]
    if not family:
        found = ", ".join(sorted(one["prefix"] for one in virtual_proxies)) or "none"
        raise InputError(
            f"The site has no JWT virtual proxy with the prefix {name}, nor one that replaced it ({name}-2 and so on).",
            hint=f"Check the name (found are: {found}), or declare the virtual proxy first.",
        )
    if len(family) > 1:
        raise InputError(
            f"The virtual proxy in use cannot be determined: {', '.join(_shown(one, name) for one in family)}.",
            hint="If one of them replaces another one, end its description with [replaces PREFIX ID], with the prefix "
            "and the id of the other one. Remove those that are not in use, and list those that are independent in "
            "key_rotation_unrelated.",
        )
    [one] = family
    if successors:
        return "retired", {}, one
    return ("lost" if REPLACED.search(one.get("description") or "") else "idle"), one, {}


def _number(prefix: str, name: str) -> int:
    """Return 1 for the name itself, n for name-n, 0 for any other prefix."""
    if prefix.lower() == name:
        return 1
    match = re.fullmatch(re.escape(name) + r"-([1-9]\d{0,5})", prefix.lower())
    return int(match[1]) if match and match[1] != "1" else 0


def _numbers(one: VirtualProxy, name: str) -> tuple[int, int]:
    """Return the numbers that a virtual proxy occupies, with its prefix and with the name of its cookie."""
    return _number(one["prefix"], name), _number(_prefix_of_cookie(one), name)


def _prefix_of_cookie(one: VirtualProxy) -> str:
    return str(one.get("session_cookie_header_name") or "").lower().removeprefix(default_cookie_name("").lower())


def _name_at_creation(one: VirtualProxy, name: str) -> str:
    """Return the prefix that a virtual proxy was created with. Its cookie keeps it when it is renamed."""
    return _prefix_of_cookie(one) if _numbers(one, name)[1] else one["prefix"]


def _replaces(one: VirtualProxy, name: str) -> tuple[str, str]:
    """Return prefix and abbreviated id of the virtual proxy that its note says it replaces, empty for none."""
    match = REPLACES.search(one.get("description") or "")
    return (match[1].lower(), (match[2] or "").lower()) if match and _number(match[1], name) else ("", "")


def _is_old(old: VirtualProxy, new: VirtualProxy, name: str) -> bool:
    prefix, abbreviated = _replaces(new, name)
    return old["id"].lower().startswith(abbreviated) if abbreviated else old["prefix"].lower() == prefix


def _shown(one: VirtualProxy, name: str) -> str:
    replaces = " ".join(_replaces(one, name)).strip()
    return f"{one['prefix']} (id {one['id'][:8]}{f', replaces {replaces}' if replaces else ''})"


def _seconds(time: str) -> int:
    try:
        return int(datetime.datetime.fromisoformat(time).timestamp())
    except ValueError:  # the note was edited and has no valid date
        return 0


class FilterModule:
    """Register the filter with Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"rotation_state": rotation_state}
