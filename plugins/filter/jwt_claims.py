# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: jwt_claims
short_description: Say what is in a token, and whether Qlik Sense would accept it
version_added: 1.0.0
author:
  - The sensible.qlik contributors (@sensible-qlik)
description:
  - Takes a signed JSON Web Token apart, shows its times as dates, and says why Qlik Sense would refuse it.
  - Given a certificate, a virtual proxy or a provider's JWKS it also says whether the signature is genuine.
  - It does what people use the web page jwt.io for, without giving the token to anybody. Nothing leaves the control
    node.
requirements:
  - cryptography >= 42, with O(certificate), O(virtual_proxy) or O(jwks)
options:
  _input:
    description:
      - The token, without the word C(Bearer).
    type: str
    required: true
  certificate:
    description:
      - The certificate to verify the signature with, as PEM. At most one of O(certificate) and O(jwks).
    type: str
  jwks:
    description:
      - The provider's key set to verify the signature with, as JSON text or as a dictionary. The key is chosen by the
        C(kid) of the token, as gateways do; a token without one may be signed with any of them.
    type: raw
  virtual_proxy:
    description:
      - A virtual proxy in the words of M(sensible.qlik.jwt_virtual_proxy), for instance what that module returned. Then
        everything is judged that it would judge - its certificate, the claims that name the user, the mandatory
        attributes, the audience.
      - O(certificate), O(jwks) and O(audience) go before what it says.
    type: dict
  audience:
    description:
      - The audience that the token has to be for (C(aud)).
    type: str
  leeway:
    description:
      - Seconds by which the clocks of the issuer and of Qlik Sense may differ. Qlik publishes no figure.
    type: float
    default: 60
notes:
  - The result holds neither the token nor its signature, but all claims, which may be personal data.
  - An encrypted token (JWE) and anything else that is no signed token is an error, and the message does not quote it.
seealso:
  - plugin: sensible.qlik.jwt
    plugin_type: lookup
  - module: sensible.qlik.jwks_info
  - module: sensible.qlik.login_check
"""

EXAMPLES = r"""
- name: Why does this token not work?
  ansible.builtin.debug:
    msg: "{{ token | sensible.qlik.jwt_claims(virtual_proxy=declared.virtual_proxy) }}"

- name: Use a token of the provider only if Qlik Sense will accept it
  ansible.builtin.assert:
    that: judged.accepted
    fail_msg: "{{ judged.reasons | join(' ') }}"
  vars:
    certificate: "{{ lookup('ansible.builtin.file', 'portal.pem') }}"
    judged: "{{ token | sensible.qlik.jwt_claims(certificate=certificate, audience='qlik', leeway=0) }}"

- name: Which of the provider's keys signed it, and how long does it live?
  ansible.builtin.debug:
    msg: "{{ judged.verified_by }} until {{ judged.times.exp }}, {{ judged.seconds_left }} s from now"
  vars:
    judged: "{{ token | sensible.qlik.jwt_claims(jwks=lookup('ansible.builtin.file', 'jwks.json')) }}"
"""

RETURN = r"""
_value:
  description:
    - What is in the token, always in this form.
  type: dict
  contains:
    header:
      description: The header as it is.
      type: dict
      sample: {alg: RS256, kid: 0oa1b2c3, typ: JWT}
    claims:
      description: All claims as they are, with the times in seconds since 1970.
      type: dict
      sample: {userId: anna, userDirectory: ACME, exp: 1795603500}
    times:
      description: The claims C(iat), C(nbf) and C(exp) as dates in UTC. Null for one that is absent or not a time.
      type: dict
      sample: {iat: '2026-11-25T10:30:00Z', nbf: null, exp: '2026-11-25T10:45:00Z'}
    expired:
      description: Whether the time C(exp) is past, by the clock of this machine and without O(leeway).
      type: bool
      sample: false
    seconds_left:
      description: Seconds until C(exp), negative after it. Null without one.
      type: int
      sample: 840
    verified:
      description:
        - Whether the signature is one of RS256, RS384 and RS512 and genuine by O(certificate), O(virtual_proxy) or
          O(jwks). Null if none of them has been given.
      type: bool
      sample: true
    verified_by:
      description: The C(kid) of the key in O(jwks) that signed the token, else null.
      type: str
      sample: 0oa1b2c3
    accepted:
      description: Whether nothing is known that Qlik Sense would refuse the token for.
      type: bool
      sample: true
    reasons:
      description: Why Qlik Sense would refuse it, one sentence each, the most basic first.
      type: list
      elements: str
      sample: ["The token expired 5 minutes ago."]
    warnings:
      description:
        - What is accepted but unwise, one sentence each.
        - With O(virtual_proxy), also each claim of its C(jwt_attribute_map) that does not become the attribute it is
          mapped to, because it is missing, named with other capitals, nested in another claim, or one text with commas.
      type: list
      elements: str
      sample: ["The claim groups, which is mapped to the attribute group, is missing."]
"""

import math
import time
import typing as t
from collections.abc import Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.sensible.qlik.plugins.module_utils._errors import InputError, QlikError
from ansible_collections.sensible.qlik.plugins.module_utils._keys import jwks as _jwks
from ansible_collections.sensible.qlik.plugins.module_utils._keys.certificate import rsa_public_key
from ansible_collections.sensible.qlik.plugins.module_utils._tokens.claims import examine
from ansible_collections.sensible.qlik.plugins.module_utils._tokens.mint import join_names, text_of
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy.convert import from_settings

_OPTIONS = ("audience", "certificate", "jwks", "leeway", "virtual_proxy")


def jwt_claims(token: t.Any, **options: t.Any) -> dict[str, t.Any]:
    """What is in a token, as RETURN says.

    Raises:
        AnsibleFilterError: it is no token, or an option cannot be right.
    """
    try:
        return _judged(token, {name: value for name, value in options.items() if value is not None})
    except QlikError as exc:
        raise AnsibleFilterError(str(exc)) from None


def _judged(token: t.Any, options: dict[str, t.Any]) -> dict[str, t.Any]:
    if unknown := options.keys() - set(_OPTIONS):
        raise InputError(
            f"The filter sensible.qlik.jwt_claims has no option {join_names(unknown)}.",
            hint=f"Known are {', '.join(_OPTIONS)}.",
        )
    if "certificate" in options and "jwks" in options:
        raise InputError("There are both certificate and jwks.", hint="Give the one that must verify the token.")
    virtual_proxy = from_settings(options.get("virtual_proxy", {}))
    settings = virtual_proxy.fields
    if "certificate" in options:
        settings["jwt_public_key_certificate"] = text_of(options["certificate"], "option certificate")
        rsa_public_key(settings["jwt_public_key_certificate"])
    if "audience" in options:
        settings["jwt_audience"] = text_of(options["audience"], "option audience")
    keys = None
    if "jwks" in options:
        keys = _jwks.read(options["jwks"])
        settings.pop("jwt_public_key_certificate", None)
    leeway = options.get("leeway", 60)
    if isinstance(leeway, bool) or not isinstance(leeway, (int, float)) or not 0 <= leeway < math.inf:
        raise InputError("The option leeway is not a number of seconds.", hint="Give a number, such as 60.")
    return examine(
        text_of(token, "token").strip(),
        virtual_proxy=virtual_proxy,
        judge_user="virtual_proxy" in options,
        keys=keys,
        now=time.time(),
        leeway=float(leeway),
    )


class FilterModule:
    """Ansible's way to find filters."""

    def filters(self) -> dict[str, Callable[..., t.Any]]:
        return {"jwt_claims": jwt_claims}
