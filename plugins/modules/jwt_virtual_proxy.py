#!/usr/bin/python
# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: jwt_virtual_proxy
short_description: Manage a JWT virtual proxy
version_added: 1.0.0
author:
  - The sensible.qlik contributors (@sensible-qlik)
description:
  - Creates, changes, links and removes a virtual proxy of Qlik Sense Enterprise on Windows that authenticates users
    with a JSON Web Token.
  - An option that is not given is not managed. A list replaces the current list, and V([]) empties it. Options such as
    O(tags_add) and O(tags_remove) change single entries of a list instead. Results, diffs and check mode show the whole
    list.
  - If nothing differs, nothing is written. This avoids needless interruptions, because Qlik Sense restarts its proxies
    for some seconds after each save.
  - A virtual proxy is created before it is linked and unlinked before it is deleted. If another client changes it at
    the same time, the module reads the site again, compares it and repeats the write, so that no setting and no link is
    lost.
extends_documentation_fragment:
  - sensible.qlik.attributes
  - sensible.qlik.attributes.action_group
  - sensible.qlik.connection
  - sensible.qlik.connection.client_certificate
  - sensible.qlik.connection.ca
  - sensible.qlik.connection.proxy_ca
  - sensible.qlik.connection.https
  - sensible.qlik.virtual_proxy
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - A certificate is shown as its subject, expiry and fingerprint.
  idempotent:
    support: full
options:
  allow_connection_virtual_proxy:
    description:
      - Whether the task may change the virtual proxy that it signs in through. A mistake locks you out.
    type: bool
    default: false
notes:
  - The module must run on a host that can reach the repository, for example a jump host with C(delegate_to). This host
    needs Python 3.11 or newer.
  - The certificate is public. The module does not need its private key and refuses it.
seealso:
  - module: sensible.qlik.jwt_virtual_proxies
  - module: sensible.qlik.virtual_proxy_info
  - plugin: sensible.qlik.jwt
    plugin_type: lookup
  - module: sensible.qlik.login_check
  - name: Set up JWT authentication
    description: Qlik's article about the settings that this module manages.
    link: https://community.qlik.com/t5/Official-Support-Articles/Qlik-Sense-How-to-set-up-JWT-authentication/ta-p/1716226
"""

EXAMPLES = r"""
- name: Create a JWT virtual proxy for a portal
  sensible.qlik.jwt_virtual_proxy:
    host: qlik1.example.com
    client_cert: certificates/client.pem
    client_key: certificates/client_key.pem
    ca_path: certificates/root.pem
    prefix: portal
    description: The customer portal
    jwt_public_key_certificate: "{{ lookup('ansible.builtin.file', 'certificates/portal.pem') }}"
    load_balancing_server_nodes: [Central]
    host_allow_list: [portal.example.com]
    proxies: [Central]

- name: Configure the virtual proxy for an iframe on another site
  sensible.qlik.jwt_virtual_proxy:
    host: qlik1.example.com
    client_cert: certificates/client.pem
    client_key: certificates/client_key.pem
    ca_path: certificates/root.pem
    prefix: portal
    jwt_public_key_certificate: "{{ lookup('ansible.builtin.file', 'certificates/portal.pem') }}"
    jwt_attribute_map:
      - jwt_attribute: groups
        sense_attribute: group
    session_inactivity_timeout: 20
    has_secure_attribute_https: true
    same_site_attribute_https: none
    host_allow_list: [portal.example.com, qlik.example.com]
    additional_response_headers: |
      Access-Control-Allow-Origin: https://portal.example.com
      Access-Control-Allow-Credentials: true
      Access-Control-Expose-Headers: qlik-csrf-token
    tags: [portal]
    custom_properties:
      environment: prod
    load_balancing_server_nodes: [Central, Rim1]
    proxies: [Central, Rim1]

- name: Add and remove the entries of one team on a virtual proxy that several teams share
  sensible.qlik.jwt_virtual_proxy:
    host: qlik1.example.com
    client_cert: certificates/client.pem
    client_key: certificates/client_key.pem
    ca_path: certificates/root.pem
    prefix: mashup
    host_allow_list_add: [sales.example.com]
    host_allow_list_remove: [sales-old.example.com]
    jwt_attribute_map_add:
      - jwt_attribute: region
        sense_attribute: region
    jwt_attribute_map_remove:
      - jwt_attribute: area
        sense_attribute: area
    load_balancing_server_nodes_add: [Rim1]
    load_balancing_server_nodes_remove: [Rim2]
    proxies_add: [Rim1]
    proxies_remove: [Rim2]
    tags_add: [portal]
    tags_remove: [embedded]

- name: Sign in with a key that Ansible Vault encrypts
  sensible.qlik.jwt_virtual_proxy:
    host: qlik1.example.com
    client_cert_content: "{{ lookup('ansible.builtin.file', 'certificates/client.pem') }}"
    client_key_content: "{{ lookup('ansible.builtin.unvault', 'certificates/client_key.pem') }}"
    ca_content: "{{ lookup('ansible.builtin.file', 'certificates/root.pem') }}"
    prefix: portal
    session_inactivity_timeout: 30

- name: Create the first JWT virtual proxy of a site as a Windows user, without the client certificate
  sensible.qlik.jwt_virtual_proxy:
    host: qlik.example.com
    auth_method: ntlm
    user: ACME\automation
    password: "{{ vault_automation_password }}"
    prefix: admin
    jwt_public_key_certificate: "{{ lookup('ansible.builtin.file', 'certificates/admin.pem') }}"
    load_balancing_server_nodes: [Central]
    proxies: [Central]

- name: Sign in with a token through an existing JWT virtual proxy, without the client certificate
  sensible.qlik.jwt_virtual_proxy:
    host: qlik.example.com
    auth_method: jwt
    virtual_proxy_prefix: admin
    token: "{{ lookup('sensible.qlik.jwt', 'ACME\\automation', private_key_path='keys/admin_key.pem') }}"
    prefix: portal
    session_inactivity_timeout: 30

- name: Change the virtual proxy that the task signs in through, which can lock you out
  sensible.qlik.jwt_virtual_proxy:
    host: qlik.example.com
    auth_method: jwt
    virtual_proxy_prefix: admin
    token: "{{ lookup('sensible.qlik.jwt', 'ACME\\automation', private_key_path='keys/admin_key.pem') }}"
    prefix: admin
    session_inactivity_timeout: 30
    allow_connection_virtual_proxy: true

- name: Sign in with a ticket, because only the port of the proxy's own API is open
  sensible.qlik.jwt_virtual_proxy:
    host: qlik1.example.com
    auth_method: ticket
    qps_port: 4243
    client_cert: certificates/client.pem
    client_key: certificates/client_key.pem
    ca_path: certificates/root.pem
    proxy_ca_content: "{{ lookup('ansible.builtin.file', 'certificates/proxy_ca.pem') }}"
    user: ACME\automation
    prefix: portal
    session_inactivity_timeout: 30

- name: Remove the virtual proxy
  sensible.qlik.jwt_virtual_proxy:
    host: qlik1.example.com
    client_cert: certificates/client.pem
    client_key: certificates/client_key.pem
    ca_path: certificates/root.pem
    prefix: portal
    state: absent
"""

RETURN = r"""
virtual_proxy:
  description:
    - The virtual proxy with the names of the options, including O(id), O(proxies) and O(certificate). It has its
      current state, in check mode the predicted state. If it is used as input of the module, it changes nothing.
    - Empty if it is absent.
    - Fields that this release does not have are omitted.
  returned: success
  type: dict
  sample:
    id: 3b0c1b4e-7c6b-4d8a-9d0e-0d1c6b1f8a51
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
writes:
  description:
    - Descriptions of the writes to the site, in order. In check mode those of the predicted writes. If the module
      failed, those of the writes before the failure.
  returned: always
  type: list
  elements: str
  sample: [create the virtual proxy 'portal', set the links of the proxy 'Central']
"""

from ansible_collections.sensible.qlik.plugins.module_utils._argspec import (
    REQUIRED_IF,
    QlikModule,
    connection_argument_spec,
)
from ansible_collections.sensible.qlik.plugins.module_utils._errors import QlikError
from ansible_collections.sensible.qlik.plugins.module_utils._http.client import require_libraries
from ansible_collections.sensible.qlik.plugins.module_utils._repository.reconcile import declare
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy import convert
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy.model import argument_spec


def main() -> None:
    module = QlikModule(
        argument_spec={
            **connection_argument_spec(),
            **argument_spec(),
            "allow_connection_virtual_proxy": {"type": "bool", "default": False},
        },
        required_if=REQUIRED_IF,
        supports_check_mode=True,
    )
    require_libraries(module)
    try:
        outcome = declare(module, [module.params])
    except QlikError as error:
        module.fail_json(msg=str(error), changed=bool(error.done), writes=error.done)
    [change] = outcome.changes
    module.exit_json(
        changed=outcome.changed,
        virtual_proxy=convert.to_result(outcome.virtual_proxies[0]),
        writes=outcome.writes,
        diff={"before": convert.to_diff(change.before), "after": convert.to_diff(change.after)},
    )


if __name__ == "__main__":
    main()
