#!/usr/bin/python
# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: virtual_proxy_info
short_description: Read the virtual proxies of a site
version_added: 1.0.0
author:
  - The sensible.qlik contributors (@sensible-qlik)
description:
  - Reads virtual proxies with their links from a Qlik Sense Enterprise on Windows site, in the same format that
    M(sensible.qlik.jwt_virtual_proxies) and M(sensible.qlik.jwt_virtual_proxy) accept, with names instead of ids. If
    the result is used as input for the same site, nothing changes. If it is used as input for another site, the virtual
    proxies are copied to that site.
  - It needs two requests, regardless of the number of virtual proxies.
  - It warns about certificates that expire within 30 days, about a private key or another text in the field of a
    certificate, which is not returned, and about links and settings that may not work.
extends_documentation_fragment:
  - sensible.qlik.attributes
  - sensible.qlik.attributes.action_group
  - sensible.qlik.attributes.info_module
  - sensible.qlik.connection
  - sensible.qlik.connection.client_certificate
  - sensible.qlik.connection.ca
  - sensible.qlik.connection.proxy_ca
  - sensible.qlik.connection.https
options:
  prefixes:
    description:
      - Return only virtual proxies with these prefixes. V([]) means all. A prefix that does not exist is not an error
        and is missing in the result. An empty prefix is that of the default virtual proxy.
    type: list
    elements: str
    default: []
  tags:
    description:
      - Return only virtual proxies with at least one of these tags. V([]) means all.
    type: list
    elements: str
    default: []
  authentication_methods:
    description:
      - Return only virtual proxies with these authentication methods. V([]) means all, including the default virtual
        proxy. For virtual proxies without JWT, only the fields that all virtual proxies have in common are returned.
    type: list
    elements: str
    choices: [ticket, header_static_user_directory, header_dynamic_user_directory, saml, jwt, oidc]
    default: [jwt]
  expires_within:
    description:
      - Return only virtual proxies whose certificate expires within this number of days or has expired. Each
        certificate that can be read in the field counts, also in a chain or beside a private key.
      - If not set, certificates are not compared with the current date.
    type: int
requirements:
  - cryptography >= 42
notes:
  - The module must run on a host that can reach the repository, for example a jump host with C(delegate_to). This host
    needs Python 3.11 or newer.
  - The user needs the right to read C(VirtualProxyConfig) and C(ProxyService), which is part of the role AuditAdmin.
seealso:
  - module: sensible.qlik.jwt_virtual_proxies
  - module: sensible.qlik.site_info
"""

EXAMPLES = r"""
- name: Read the JWT virtual proxies of the test site
  sensible.qlik.virtual_proxy_info:
    host: qliktest.example.com
    client_cert: certificates/test/client.pem
    client_key: certificates/test/client_key.pem
    ca_path: certificates/test/root.pem
  register: test

- name: Compare the site with the result, which writes nothing because nothing differs
  sensible.qlik.jwt_virtual_proxies:
    host: qliktest.example.com
    client_cert: certificates/test/client.pem
    client_key: certificates/test/client_key.pem
    ca_path: certificates/test/root.pem
    virtual_proxies: "{{ test.virtual_proxies }}"

- name: Fail if a certificate expires within 30 days
  sensible.qlik.virtual_proxy_info:
    host: qliktest.example.com
    client_cert: certificates/test/client.pem
    client_key: certificates/test/client_key.pem
    ca_path: certificates/test/root.pem
    expires_within: 30
  register: expiring
  failed_when: expiring.virtual_proxies | length > 0

- name: Read the virtual proxies with certain prefixes and tags
  sensible.qlik.virtual_proxy_info:
    host: qliktest.example.com
    client_cert: certificates/test/client.pem
    client_key: certificates/test/client_key.pem
    ca_path: certificates/test/root.pem
    prefixes: [portal, embedded]
    tags: [portal]

- name: Read the virtual proxies that use other authentication methods than JWT
  sensible.qlik.virtual_proxy_info:
    host: qliktest.example.com
    client_cert: certificates/test/client.pem
    client_key: certificates/test/client_key.pem
    ca_path: certificates/test/root.pem
    authentication_methods: [ticket, saml, oidc]
"""

RETURN = r"""
virtual_proxies:
  description:
    - The virtual proxies in the format of M(sensible.qlik.jwt_virtual_proxy), sorted by prefix, with C(id), C(proxies)
      and C(certificate).
    - Fields that this release does not have are omitted.
  returned: success
  type: list
  elements: dict
  sample:
    - id: 3b0c1b4e-7c6b-4d8a-9d0e-0d1c6b1f8a51
      prefix: portal
      authentication_method: jwt
      description: The customer portal
      session_cookie_header_name: X-Qlik-Session-portal
      session_inactivity_timeout: 30
      jwt_attribute_user_id: userId
      jwt_attribute_user_directory: userDirectory
      jwt_attribute_map: []
      load_balancing_server_nodes: [Central]
      websocket_cross_origin_white_list: [portal.example.com]
      proxies: [Central]
      certificate:
        subject: CN=portal
        issuer: CN=portal
        not_before: '2026-11-01T00:00:00Z'
        not_after: '2027-11-01T00:00:00Z'
        days_left: 342
        fingerprint_sha256: 5c2b0a7f3e9d4c1b8a6f5e4d3c2b1a0f9e8d7c6b5a4f3e2d1c0b9a8f7e6d5c4b
        key_size: 2048
"""

import typing as t

from ansible_collections.sensible.qlik.plugins.module_utils import _identifiers
from ansible_collections.sensible.qlik.plugins.module_utils._argspec import (
    REQUIRED_IF,
    QlikModule,
    connection_argument_spec,
)
from ansible_collections.sensible.qlik.plugins.module_utils._errors import QlikError
from ansible_collections.sensible.qlik.plugins.module_utils._http.client import require_libraries
from ansible_collections.sensible.qlik.plugins.module_utils._repository.snapshot import repository
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy import convert
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy.model import ENUMS, VirtualProxy
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy.settings_warnings import all_warnings


def run(module: QlikModule) -> tuple[list[VirtualProxy], list[str]]:
    """Read the virtual proxies, and return the selected ones and warnings about them.

    Raises:
        QlikError: see Repository.read.
    """
    # An empty prefix is that of the default virtual proxy.
    prefixes = [one and _identifiers.prefix(one, "prefixes") for one in module.params["prefixes"]]
    with repository(module.params) as site:
        snapshot = site.read(
            [VirtualProxy({"prefix": one}, state="absent") for one in prefixes], everything=not prefixes
        )
    found = [
        one
        for prefix, one in sorted(snapshot.by_prefix.items())
        if (not prefixes or prefix in prefixes) and _is_selected(one, module.params)
    ]
    return found, all_warnings(snapshot, found)


def _is_selected(virtual_proxy: VirtualProxy, params: dict[str, t.Any]) -> bool:
    methods, tags, days = params["authentication_methods"], params["tags"], params["expires_within"]
    return (
        (not methods or virtual_proxy.fields.get("authentication_method") in methods)
        and (not tags or any(virtual_proxy.has_tag(tag) for tag in tags))
        and (days is None or any(one["days_left"] < days for one in virtual_proxy.certificates))
    )


def main() -> None:
    module = QlikModule(
        argument_spec={
            **connection_argument_spec(),
            "prefixes": {"type": "list", "elements": "str", "default": []},
            "tags": {"type": "list", "elements": "str", "default": []},
            "authentication_methods": {
                "type": "list",
                "elements": "str",
                "choices": list(ENUMS["authentication_method"]),
                "default": ["jwt"],
            },
            "expires_within": {"type": "int"},
        },
        required_if=REQUIRED_IF,
        supports_check_mode=True,
    )
    require_libraries(module)
    try:
        virtual_proxies, warnings = run(module)
    except QlikError as error:
        module.fail_json(msg=str(error))
    for warning in warnings:
        module.warn(warning)
    module.exit_json(changed=False, virtual_proxies=[convert.to_result(one) for one in virtual_proxies])


if __name__ == "__main__":
    main()
