# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: jwks_slots
short_description: Say which virtual proxies a site needs for the keys of an identity provider
version_added: 1.0.0
author:
  - The sensible.qlik contributors (@sensible-qlik)
description:
  - Takes the keys that a provider publishes and the virtual proxies that a site has, and says what has to be done so
    that there is one virtual proxy, a B(slot), for each key. It is what the role P(sensible.qlik.follow_jwks#role)
    decides by. It changes nothing itself.
  - A slot has the prefix C(PREFIX-) with the first twelve hexadecimal digits of its key's thumbprint (RFC 7638), so the
    same key always has the same one.
  - "At the end of its description is a note such as C([kid 2026-a]), or C([kid 2026-a; gone since
    2026-11-25T01:00:00Z]) once the provider does not publish the key any more. Nothing is remembered anywhere else. A
    virtual proxy without such a note and without a key is never taken for a slot, whatever its prefix."
  - If no key is usable, the keys count as unknown, and nothing is to be done. So a provider that answers with an empty
    list closes nothing.
  - A certificate on the site stays while it is one of the same key and has thirty days left, whoever issued it.
positional: virtual_proxies
requirements:
  - cryptography >= 42
options:
  _input:
    description: The keys, as M(sensible.qlik.jwks_info) returns them, the unusable ones included.
    type: list
    elements: dict
    required: true
  virtual_proxies:
    description: The virtual proxies with JWT, as M(sensible.qlik.virtual_proxy_info) returns them.
    type: list
    elements: dict
    required: true
  prefix:
    description: What the prefixes of the slots begin with, without the hyphen.
    type: str
    required: true
  template:
    description:
      - What all slots have in common, as M(sensible.qlik.jwt_virtual_proxy) takes it. Prefix, certificate and the name
        of the session cookie are each slot's own and cannot stand here.
    type: dict
    default: {}
  overlap:
    description: Seconds for which a slot is kept after its key disappeared.
    type: float
    default: 86400
  limit:
    description:
      - How many slots there may be at any time. For a new key the slot goes that has been without a key for longest. A
        slot whose key is published never goes; a key for which there is no room is named in RV(_value.unopened).
    type: int
    default: 8
  now:
    description:
      - The time to decide by, such as V(2026-11-25T01:00:00Z). It is there for tests. The default is the time of the
        control node.
    type: str
seealso:
  - plugin: sensible.qlik.follow_jwks
    plugin_type: role
  - module: sensible.qlik.jwks_info
  - module: sensible.qlik.virtual_proxy_info
"""

EXAMPLES = r"""
- name: Read the keys of the provider
  sensible.qlik.jwks_info:
    url: https://keycloak.example.com/realms/acme/protocol/openid-connect/certs
  register: provider

- name: Read the virtual proxies of the site
  sensible.qlik.virtual_proxy_info:
    host: qlik1.example.com
    client_cert: client.pem
    client_key: client_key.pem
    ca_path: root.pem
  register: site

- name: Say which prefix a token belongs to, by the kid in its header
  ansible.builtin.debug:
    msg: "{{ plan.routes }}"
  vars:
    plan: "{{ provider.public_keys | sensible.qlik.jwks_slots(site.virtual_proxies, prefix='idp') }}"

- name: Make the slots, without waiting for anything
  sensible.qlik.jwt_virtual_proxies:
    host: qlik1.example.com
    client_cert: client.pem
    client_key: client_key.pem
    ca_path: root.pem
    virtual_proxies: "{{ plan.make_room + plan.virtual_proxies }}"
  vars:
    plan: "{{ provider.public_keys | sensible.qlik.jwks_slots(
      site.virtual_proxies, prefix='idp', template=template, overlap=3600, limit=4) }}"
    template:
      load_balancing_server_nodes: [Central]
      proxies: [Central]
"""

RETURN = r"""
_value:
  description: What is to be done, and what there is then.
  type: dict
  contains:
    keys_known:
      description: Whether there is a usable key. If not, nothing is to be done.
      type: bool
    differs:
      description: Whether anything is to be written.
      type: bool
    make_room:
      description:
        - Slots to remove first, so that there are never more than O(limit), for
          O(sensible.qlik.jwt_virtual_proxies#module:virtual_proxies).
      type: list
      elements: dict
    virtual_proxies:
      description: The slots to make, change and remove then, likewise. Those that need no change are not in it.
      type: list
      elements: dict
    slots:
      description: Each slot, sorted by prefix, those to be removed among them.
      type: list
      elements: dict
      contains:
        prefix:
          description: Its prefix.
          type: str
          sample: okta-35b2cbb1787c
        state:
          description:
            - V(opened) if it is to be made, V(open) if it is there and its key is published, V(gone) if its key is not
              published any more, V(closed) if the overlap is over as well, V(evicted) if it goes earlier to make room.
          type: str
          sample: open
        kids:
          description: The names that its key has or had.
          type: list
          elements: str
          sample: [2026-a]
        gone_since:
          description: When the key was found to be missing, in UTC. Null if it is published.
          type: str
          sample:
        closes_at:
          description: When the overlap ends, in UTC. Null if the key is published.
          type: str
          sample:
        session_cookie_header_name:
          description: The name of its session cookie.
          type: str
          sample: X-Qlik-Session-okta-35b2cbb1787c
    routes:
      description:
        - The prefix that tokens belong to, by their C(kid). Keys that are gone are in it as long as they have a slot.
      type: dict
      sample: {2026-a: okta-35b2cbb1787c}
    unopened:
      description: The C(kid) of each usable key for which there is no room. Nobody gets in with its tokens.
      type: list
      elements: str
      sample: []
    warnings:
      description: What is odd, one sentence each.
      type: list
      elements: str
      sample: []
"""

import datetime
import math
import typing as t
from collections.abc import Callable, Mapping, Sequence

from ansible.errors import AnsibleFilterError

from ansible_collections.sensible.qlik.plugins.module_utils._errors import InputError, QlikError
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy import jwks_plan as _slots


def jwks_slots(
    public_keys: Sequence[Mapping[str, t.Any]],
    virtual_proxies: Sequence[Mapping[str, t.Any]],
    prefix: str,
    template: Mapping[str, t.Any] | None = None,
    overlap: float = 86400,
    limit: int = 8,
    now: str | None = None,
) -> dict[str, t.Any]:
    """See RETURN.

    Raises:
        AnsibleFilterError: something given cannot be right.
    """
    try:
        if not _is_number(overlap) or not 0 <= overlap < math.inf:
            raise InputError("The overlap is not a number of seconds.", hint="Give a number, such as 86400.")
        if not _is_number(limit) or limit < 1:
            raise InputError("The limit is not a number of slots.", hint="Give a number, such as 8.")
        return _slots.plan(
            list(public_keys),
            [dict(one) for one in virtual_proxies],
            prefix=str(prefix),
            template=template or {},
            overlap=float(overlap),
            limit=int(limit),
            now=_time(now),
        )
    except QlikError as error:
        raise AnsibleFilterError(str(error)) from None


def _is_number(value: t.Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _time(text: str | None) -> datetime.datetime:
    if text is None:
        return datetime.datetime.now(datetime.UTC)
    try:
        time = datetime.datetime.fromisoformat(str(text))
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise InputError("now is not a time in UTC.", hint="Give a time such as 2026-11-25T01:00:00Z.")
    return time.astimezone(datetime.UTC)


class FilterModule:
    """Ansible's way to find filters."""

    def filters(self) -> dict[str, Callable[..., t.Any]]:
        return {"jwks_slots": jwks_slots}
