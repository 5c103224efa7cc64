# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: rotation_state
short_description: Say how far the rotation of a key has come
version_added: 1.0.0
author:
  - The sensible.qlik contributors (@sensible-qlik)
description:
  - Takes the virtual proxies of a site and says where the rotation of one's key stands. It is what the role
    C(sensible.qlik.key_rotation) decides by, which keeps no notes anywhere but on the site.
  - "The virtual proxies that replace one another have the prefixes C(NAME), C(NAME-2), C(NAME-3) and so on. What
    relation they are in stands at the end of their descriptions: C([replaces PREFIX]) on the new one from its first
    moment on, and C([replaced TIME]) on the old one once its users were led to the new one."
  - A virtual proxy without such a note is never taken for one that replaces another, whatever its prefix.
positional: name
options:
  _input:
    description: Virtual proxies, as M(sensible.qlik.virtual_proxy_info) returns them.
    type: list
    elements: dict
    required: true
  name:
    description: The prefix without a number, that is the one before the first rotation.
    type: str
    required: true
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

- name: Say which prefix tokens of the portal belong to
  ansible.builtin.debug:
    msg: "{{ (site.virtual_proxies | sensible.qlik.rotation_state('portal')).current.prefix }}"
"""

RETURN = r"""
_value:
  description: Where the rotation stands.
  type: dict
  contains:
    phase:
      description:
        - V(idle), when there is one virtual proxy and no rotation under way.
        - V(published), when there is a new one beside the old one.
        - V(switched), when the old one has a note that its users were led to the new one.
      type: str
      sample: published
    current:
      description: The virtual proxy that people use. With V(switched) it is the new one.
      type: dict
    old:
      description: The virtual proxy that is being replaced, or with V(idle) is to be.
      type: dict
    new:
      description: The virtual proxy that replaces it. Empty with V(idle).
      type: dict
    wanted:
      description:
        - What the new one has to be, as M(sensible.qlik.jwt_virtual_proxies) takes it, but for the certificate.
          Everything is copied from the old one except prefix, name of the cookie and description.
        - Its C(proxies) are those of the old one and of the new one together, because a run that was interrupted can
          have linked the new one, or unlinked the old one, on some of them only.
      type: dict
    switched_at:
      description: When the users were led to the new one, in seconds since 1970. V(0) if that is not noted.
      type: int
    description:
      description: The description of the old one without the notes.
      type: str
    replaced:
      description: With V(idle), the prefix of the one that the current one has replaced. Empty if it is still there.
      type: str
"""

import datetime
import re
import typing as t
from collections.abc import Mapping, Sequence

from ansible.errors import AnsibleFilterError

from ansible_collections.sensible.qlik.plugins.module_utils import _identifiers
from ansible_collections.sensible.qlik.plugins.module_utils._errors import InputError
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy.model import default_cookie_name

VirtualProxy = dict[str, t.Any]

_REPLACES = re.compile(r"\[replaces ([^\]\s]+)\]")
_REPLACED = re.compile(r"\[replaced (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)\]")
_NOTES = re.compile(r"(?:\s*\[(?:replaces|replaced) [^\]\s]+\])+\s*$")
# What is the virtual proxy's own and not a setting that its successor inherits.
_OWN = ("id", "certificate", "jwt_public_key_certificate", "prefix", "session_cookie_header_name", "description")


def rotation_state(virtual_proxies: Sequence[Mapping[str, t.Any]], name: str) -> dict[str, t.Any]:
    """See RETURN.

    Raises:
        AnsibleFilterError: there is no such virtual proxy, or it cannot be told which is the one in use.
    """
    try:
        return _state([dict(one) for one in virtual_proxies], _identifiers.prefix(str(name).strip("/"), "name"))
    except InputError as error:
        raise AnsibleFilterError(str(error)) from error


def _state(virtual_proxies: list[VirtualProxy], name: str) -> dict[str, t.Any]:
    by_number = {number: one for one in virtual_proxies if (number := _number(one["prefix"].lower(), name))}
    if not by_number:
        raise InputError(
            f"The site has no JWT virtual proxy with the prefix {name}, nor one that replaced it ({name}-2 and so on).",
            hint="Check the name, or declare the virtual proxy first.",
        )
    members = {one["prefix"].lower(): one for one in by_number.values()}
    pairs = [(members[_replaces(new)], new) for new in members.values() if _replaces(new) in members]
    if len(pairs) > 1:
        raise InputError(
            f"More than one virtual proxy replaces another: {', '.join(new['prefix'] for _old, new in pairs)}.",
            hint="Remove all but the one in use and the one that replaces it.",
        )
    old, new = pairs[0] if pairs else (_only(members, name), {})
    switched = _REPLACED.search(old.get("description") or "") if new else None
    prefix = new["prefix"] if new else f"{name}-{max(by_number) + 1}"
    description = _NOTES.sub("", old.get("description") or "")
    return {
        "phase": "switched" if switched else "published" if new else "idle",
        "current": new if switched else old,
        "old": old,
        "new": new,
        "wanted": {
            **{option: value for option, value in old.items() if option not in _OWN},
            "proxies": list(dict.fromkeys([*(old.get("proxies") or []), *(new.get("proxies") or [])])),
            "prefix": prefix,
            "session_cookie_header_name": default_cookie_name(prefix),
            "description": f"{description} [replaces {old['prefix']}]".lstrip(),
        },
        "switched_at": _seconds(switched[1]) if switched else 0,
        "description": description,
        "replaced": "" if new or _replaces(old) in members else _replaces(old),
    }


def _number(prefix: str, name: str) -> int:
    """Return 1 for the name itself, n for name-n, 0 for any other prefix."""
    if prefix == name:
        return 1
    match = re.fullmatch(re.escape(name) + r"-([1-9]\d{0,5})", prefix)
    return int(match[1]) if match and match[1] != "1" else 0


def _replaces(virtual_proxy: VirtualProxy) -> str:
    """Return the prefix that it replaces according to its description, empty for none."""
    match = _REPLACES.search(virtual_proxy.get("description") or "")
    return match[1].lower() if match and _identifiers.is_valid(_identifiers.prefix, match[1]) else ""


def _only(members: dict[str, VirtualProxy], name: str) -> VirtualProxy:
    """Return the one in use, when none replaces another one of the site."""
    successors = [one for one in members.values() if _replaces(one)]
    chosen = successors or ([members[name]] if name in members else list(members.values()))
    if len(chosen) > 1:
        raise InputError(
            f"It cannot be told which of these is in use: {', '.join(sorted(one['prefix'] for one in chosen))}.",
            hint="Remove those that are not, or give the exact prefix as name.",
        )
    return chosen[0]


def _seconds(time: str) -> int:
    try:
        return int(datetime.datetime.fromisoformat(time).timestamp())
    except ValueError:  # the note was edited, and no calendar has this day
        return 0


class FilterModule:
    """Ansible looks for this class."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"rotation_state": rotation_state}
