# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: jwt_claims
short_description: Inspect a token and check whether Qlik Sense would accept it
version_added: 1.0.0
author:
  - The sensible.qlik contributors (@sensible-qlik)
description:
  - Decodes a signed JSON Web Token, converts its times to dates, and returns the reasons why Qlik Sense would refuse
    it.
  - With a certificate, a virtual proxy or a provider's JWKS, it also verifies the signature.
  - It can replace web pages such as jwt.io. The token is processed on the control node only and not sent to a third
    party.
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
      - The certificate to verify the signature with, as PEM. Mutually exclusive with O(jwks).
      - If neither of the two is set, and O(virtual_proxy) has no certificate, the signature is not verified.
    type: str
  jwks:
    description:
      - The provider's key set to verify the signature with, as JSON text or as a dictionary. The key is selected by the
        C(kid) of the token. A token without a C(kid) may be signed with any of the keys.
      - If neither of the two is set, and O(virtual_proxy) has no certificate, the signature is not verified.
    type: raw
  virtual_proxy:
    description:
      - A virtual proxy in the format of M(sensible.qlik.jwt_virtual_proxy), for instance the result of that module. The
        token is checked in the same way as by this virtual proxy, with its certificate, the claims for the user, the
        mandatory attributes and the audience.
      - O(certificate), O(jwks) and O(audience) take precedence over its settings.
      - If not set, only the rules that apply to all virtual proxies are checked.
    type: dict
  audience:
    description:
      - The expected audience of the token (C(aud)).
      - If not set, the audience is that of O(virtual_proxy), and otherwise it is not checked.
    type: str
  leeway:
    description:
      - Seconds by which the clocks of the issuer and of Qlik Sense may differ. Qlik publishes no figure.
    type: float
    default: 60
notes:
  - The result contains neither the token nor its signature, but all claims, which may be personal data.
  - An encrypted token (JWE) or any other input that is not a signed token is an error. The message does not quote it.
seealso:
  - plugin: sensible.qlik.jwt
    plugin_type: lookup
  - module: sensible.qlik.jwks_info
  - module: sensible.qlik.login_check
"""

EXAMPLES = r"""
- name: Show why a token is refused
  ansible.builtin.debug:
    msg: "{{ token | sensible.qlik.jwt_claims(virtual_proxy=declared.virtual_proxy) }}"

- name: Check that Qlik Sense would accept a token of the provider
  ansible.builtin.assert:
    that: result.accepted
    fail_msg: "{{ result.reasons | join(' ') }}"
  vars:
    certificate: "{{ lookup('ansible.builtin.file', 'portal.pem') }}"
    result: "{{ token | sensible.qlik.jwt_claims(certificate=certificate, audience='qlik', leeway=0) }}"

- name: Show the provider's key that signed a token, and the remaining lifetime
  ansible.builtin.debug:
    msg: "{{ result.verified_by }} until {{ result.times.exp }}, {{ result.seconds_left }} s from now"
  vars:
    result: "{{ token | sensible.qlik.jwt_claims(jwks=lookup('ansible.builtin.file', 'jwks.json')) }}"
"""

RETURN = r"""
_value:
  description:
    - The content of the token and the results of the checks.
  type: dict
  contains:
    header:
      description: The header, unchanged.
      type: dict
      sample: {alg: RS256, kid: 0oa1b2c3, typ: JWT}
    claims:
      description: All claims, unchanged. Times are seconds since 1970.
      type: dict
      sample: {userId: anna, userDirectory: ACME, exp: 1795603500}
    times:
      description: The claims C(iat), C(nbf) and C(exp) as dates in UTC. Null if a claim is absent or not a time.
      type: dict
      sample: {iat: '2026-11-25T10:30:00Z', nbf: null, exp: '2026-11-25T10:45:00Z'}
    expired:
      description: Whether the time C(exp) has passed, by the clock of the control node and without O(leeway).
      type: bool
      sample: false
    seconds_left:
      description: Seconds until C(exp). Negative if it has passed, null if there is no C(exp).
      type: int
      sample: 840
    verified:
      description:
        - Whether the algorithm of the signature is RS256, RS384 or RS512, and O(certificate), O(virtual_proxy) or
          O(jwks) verifies it. Null if none of these options is given.
      type: bool
      sample: true
    verified_by:
      description: The C(kid) of the key in O(jwks) that signed the token, otherwise null.
      type: str
      sample: 0oa1b2c3
    accepted:
      description: Whether there are no known reasons why Qlik Sense would refuse the token.
      type: bool
      sample: true
    reasons:
      description: Reasons why Qlik Sense would refuse it, one sentence each, in descending order of importance.
      type: list
      elements: str
      sample: ["The token expired 5 minutes ago."]
    warnings:
      description:
        - Properties that are accepted but not recommended, one sentence each.
        - With O(virtual_proxy), also each claim of its C(jwt_attribute_map) that does not become the mapped attribute,
          because it is missing, differs in case, is nested in another claim, or is one text with commas.
      type: list
      elements: str
      sample: ["The claim groups, which is mapped to the attribute group, is missing."]
"""

import math
import time
import typing as t
from collections.abc import Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.sensible.qlik.plugins.module_utils._errors import InputError, QlikError, about
from ansible_collections.sensible.qlik.plugins.module_utils._keys import jwks as _jwks
from ansible_collections.sensible.qlik.plugins.module_utils._keys.certificate import rsa_public_key
from ansible_collections.sensible.qlik.plugins.module_utils._tokens.claims import examine
from ansible_collections.sensible.qlik.plugins.module_utils._tokens.mint import join_names, text_of
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy.convert import from_settings

_OPTIONS = ("audience", "certificate", "jwks", "leeway", "virtual_proxy")


def jwt_claims(token: t.Any, **options: t.Any) -> dict[str, t.Any]:
    """Return the content of a token and the results of the checks. See RETURN.

    Raises:
        AnsibleFilterError: the input is not a token, or an option is not valid.
    """
    try:
        return _judged(token, {name: value for name, value in options.items() if value is not None})
    except QlikError as exc:
        raise AnsibleFilterError(str(exc)) from None


def _judged(token: t.Any, options: dict[str, t.Any]) -> dict[str, t.Any]:
    if unknown := options.keys() - set(_OPTIONS):
        raise InputError(
            f"The filter sensible.qlik.jwt_claims has no option {join_names(unknown)}.",
            hint=f"The options are {', '.join(_OPTIONS)}.",
        )
    if "certificate" in options and "jwks" in options:
        raise InputError("certificate and jwks are both set.", hint="Set the one that must verify the token.")
    virtual_proxy = from_settings(options.get("virtual_proxy", {}))
    settings = virtual_proxy.fields
    if "certificate" in options:
        settings["jwt_public_key_certificate"] = text_of(options["certificate"], "option certificate")
        with about("certificate"):
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
    """Register the filter with Ansible."""

    def filters(self) -> dict[str, Callable[..., t.Any]]:
        return {"jwt_claims": jwt_claims}
