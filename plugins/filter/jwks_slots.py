# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: jwks_slots
short_description: Plan the virtual proxies for the keys of an identity provider
version_added: 1.0.0
author:
  - The sensible.qlik contributors (@sensible-qlik)
description:
  - Takes the keys that a provider publishes and the virtual proxies of a site, and returns the changes after which
    there is one virtual proxy, a B(slot), for each key. The role P(sensible.qlik.follow_jwks#role) uses this plan. The
    filter itself changes nothing.
  - A slot has the prefix C(PREFIX-) with the first 12 hexadecimal digits of its key's thumbprint (RFC 7638), so the
    same key always has the same prefix.
  - "Its description ends with a note such as C([kid 2026-a]), or C([kid 2026-a; gone since 2026-11-25T01:00:00Z]) after
    the provider has stopped publishing the key. No other state is stored. A virtual proxy without such a note and
    without a key is never a slot, regardless of its prefix."
  - If no key is usable, the keys count as unknown, and no change is planned. Therefore no slot is removed if the
    provider publishes an empty list.
  - A certificate on the site is not replaced while it belongs to the same key and is valid for at least 30 days,
    regardless of its issuer.
positional: virtual_proxies
requirements:
  - cryptography >= 42
options:
  _input:
    description: The keys, as M(sensible.qlik.jwks_info) returns them, including those that are not usable.
    type: list
    elements: dict
    required: true
  virtual_proxies:
    description: The virtual proxies with JWT, as M(sensible.qlik.virtual_proxy_info) returns them.
    type: list
    elements: dict
    required: true
  prefix:
    description: The first part of the prefixes of the slots, without the hyphen.
    type: str
    required: true
  template:
    description:
      - Settings for all slots, with the options of M(sensible.qlik.jwt_virtual_proxy). Prefix, certificate and the name
        of the session cookie differ for each slot and are not allowed here.
    type: dict
    default: {}
  overlap:
    description: Seconds after which a slot is removed when its key is no longer published.
    type: float
    default: 86400
  limit:
    description:
      - Maximum number of slots at any time. If it is reached, the slot whose key has not been published for the longest
        time is removed for a new key. A slot whose key is published is never removed. A key for which there is no slot
        is listed in RV(_value.unopened).
    type: int
    default: 8
  now:
    description:
      - The current time for the plan, such as V(2026-11-25T01:00:00Z), for tests. The default is the time of the
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

- name: Show the prefixes for tokens, by the kid in their headers
  ansible.builtin.debug:
    msg: "{{ plan.routes }}"
  vars:
    plan: "{{ provider.public_keys | sensible.qlik.jwks_slots(site.virtual_proxies, prefix='idp') }}"

- name: Create and remove slots in one task
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
  description: The planned changes and the slots after them.
  type: dict
  contains:
    keys_known:
      description: Whether there is a usable key. If not, no change is planned.
      type: bool
    differs:
      description: Whether a change is planned.
      type: bool
    make_room:
      description:
        - Slots to remove first, so that there are never more than O(limit), as a value for
          O(sensible.qlik.jwt_virtual_proxies#module:virtual_proxies).
      type: list
      elements: dict
    virtual_proxies:
      description:
        - Slots to create, change and remove afterwards, as a value for the same option. Slots without a change are not
          listed.
      type: list
      elements: dict
    slots:
      description: All slots, sorted by prefix, including those to be removed.
      type: list
      elements: dict
      contains:
        prefix:
          description: Prefix of the slot.
          type: str
          sample: okta-35b2cbb1787c
        state:
          description:
            - V(opened) if it will be created, V(open) if it exists and its key is published, V(gone) if its key is no
              longer published, V(closed) if it will be removed because the overlap has passed, V(evicted) if it will be
              removed before the end of the overlap for a new key.
          type: str
          sample: open
        kids:
          description: The current and former names of its key.
          type: list
          elements: str
          sample: [2026-a]
        gone_since:
          description: Time at which the key was first missing, in UTC. Null if it is published.
          type: str
          sample:
        closes_at:
          description: End of the overlap, in UTC. Null if the key is published.
          type: str
          sample:
        session_cookie_header_name:
          description: The name of its session cookie.
          type: str
          sample: X-Qlik-Session-okta-35b2cbb1787c
    routes:
      description:
        - The prefix that tokens belong to, by their C(kid). Keys that are no longer published are included as long as
          they have a slot.
      type: dict
      sample: {2026-a: okta-35b2cbb1787c}
    unopened:
      description: The C(kid) of each usable key without a free slot. Its tokens are refused.
      type: list
      elements: str
      sample: []
    warnings:
      description: Unexpected conditions, one sentence each.
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
    """Return the plan. See RETURN.

    Raises:
        AnsibleFilterError: an argument is not valid.
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
    """Register the filter with Ansible."""

    def filters(self) -> dict[str, Callable[..., t.Any]]:
        return {"jwks_slots": jwks_slots}
