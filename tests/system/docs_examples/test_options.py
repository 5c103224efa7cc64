# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each option has an example."""

from __future__ import annotations

from documents import examples, options
from used_options import used

_UNVERIFIED = "a copied example would disable the verification of certificates"
_RESULT_AS_INPUT = "it is for results that are used as input, as in the examples of virtual_proxy_info"
_NO_EFFECT = "it has no effect for JWT"
_TESTS = "it is for tests only"
_ANSIBLE = "it is an option of Ansible, and documented there"
_LIKE_ANOTHER = "it is used like private_key_passphrase"
_LIKE_ANOTHER_PATH = "it is used like path of jwks_info"
_MISSING_NODE = "it is for a site that has lost a node"
WITHOUT = {
    "sensible.qlik.jwt: other_private_key_passphrase": _LIKE_ANOTHER,
    "sensible.qlik.promotion: promotion_skip_missing_nodes": _MISSING_NODE,
    "sensible.qlik.follow_jwks: follow_jwks_path": _LIKE_ANOTHER_PATH,
    "sensible.qlik.jwks_info: validate_certs": _UNVERIFIED,
    "sensible.qlik.jwt_virtual_proxies: validate_certs": _UNVERIFIED,
    "sensible.qlik.jwt_virtual_proxies: virtual_proxies.authentication_method": _RESULT_AS_INPUT,
    "sensible.qlik.jwt_virtual_proxies: virtual_proxies.certificate": _RESULT_AS_INPUT,
    "sensible.qlik.jwt_virtual_proxies: virtual_proxies.id": _RESULT_AS_INPUT,
    "sensible.qlik.jwt_virtual_proxies: virtual_proxies.authentication_module_redirect_uri": _NO_EFFECT,
    "sensible.qlik.jwt_virtual_proxies: virtual_proxies.windows_authentication_enabled_device_pattern": _NO_EFFECT,
    "sensible.qlik.jwks_slots: now": _TESTS,
    "sensible.qlik.site: cache_prefix": _ANSIBLE,
    "sensible.qlik.site: keyed_groups.default_value": _ANSIBLE,
    "sensible.qlik.site: keyed_groups.parent_group": _ANSIBLE,
    "sensible.qlik.site: keyed_groups.separator": _ANSIBLE,
    "sensible.qlik.site: keyed_groups.trailing_separator": _ANSIBLE,
    "sensible.qlik.site: leading_separator": _ANSIBLE,
    "sensible.qlik.site: use_extra_vars": _ANSIBLE,
}
"""Options without an example, by the first plugin that has them, and why."""


def test_each_option_has_an_example() -> None:
    uses = set().union(*map(used, examples()))
    exemplified = {
        option.text
        for option in options()
        if any((option.owner, (*option.path[:-1], name)) in uses for name in option.names)
    }
    # The same option of several plugins needs one example, not one with each of them.
    missing: dict[str, str] = {}
    for option in options():
        if option.text not in exemplified:
            missing.setdefault(option.text, str(option))
    assert sorted(missing.values()) == sorted(WITHOUT)
