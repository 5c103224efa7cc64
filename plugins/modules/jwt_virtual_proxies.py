#!/usr/bin/python
# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: jwt_virtual_proxies
short_description: Manage JWT virtual proxies
version_added: 1.0.0
author:
  - The sensible.qlik contributors (@sensible-qlik)
description:
  - Creates, changes, links and removes any number of virtual proxies of a Qlik Sense Enterprise on Windows site that
    authenticate users with a JSON Web Token. It manages a list in the same way as M(sensible.qlik.jwt_virtual_proxy)
    manages a single virtual proxy.
  - The site is read once, with two requests regardless of the length of the list, and everything is checked before the
    first write. If nothing differs, nothing is written. Each virtual proxy that differs is saved once, and each proxy
    whose links differ is saved once.
  - An option that is not given is not managed. A list replaces the current list, and V([]) empties it. Options such as
    O(virtual_proxies[].tags_add) and O(virtual_proxies[].tags_remove) change single entries of a list instead. Results,
    diffs and check mode show the whole list.
  - A virtual proxy is created before it is linked and unlinked before it is deleted, so that the site works at each
    step. The next run completes a run that was interrupted.
extends_documentation_fragment:
  - sensible.qlik.attributes
  - sensible.qlik.attributes.action_group
  - sensible.qlik.connection
  - sensible.qlik.connection.client_certificate
  - sensible.qlik.connection.ca
  - sensible.qlik.connection.proxy_ca
  - sensible.qlik.connection.https
  - sensible.qlik.virtual_proxy.list
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - One diff for each virtual proxy that differs. A certificate is shown as its subject, expiry and fingerprint.
  idempotent:
    support: full
options:
  purge:
    description:
      - Whether the virtual proxies that are not declared are removed. Only virtual proxies with JWT as authentication
        method are removed. All others and the default virtual proxy do not change.
      - If O(virtual_proxies) is empty, O(purge_tag) is required. Otherwise an empty variable would remove every JWT
        virtual proxy of the site.
    type: bool
    default: false
  purge_tag:
    description:
      - With O(purge=true), only virtual proxies with this tag are removed, so that several playbooks can each manage
        their own. Declare the same tag in each virtual proxy.
      - If not set, all JWT virtual proxies that are not declared are removed.
    type: str
  allow_connection_virtual_proxy:
    description:
      - Whether the task may change the virtual proxy that it signs in through. A mistake locks you out.
    type: bool
    default: false
  restore:
    description:
      - Whether to accept values that are normally refused, such as an empty certificate, so that results of
        M(sensible.qlik.virtual_proxy_info) can be restored. Private keys are still refused.
      - O(virtual_proxies[].description) is written as given, without the current notes of a rotation.
    type: bool
    default: false
  copied_from:
    description:
      - The site of which the declared virtual proxies are copies. A value that is normally refused is accepted with a
        warning if a virtual proxy of that site has it. Private keys are still refused, and a new virtual proxy still
        requires a certificate. Without this option, such a value is an error.
    type: dict
    suboptions:
      site:
        description: Its name, for warnings.
        type: str
        required: true
      virtual_proxies:
        description: Its virtual proxies, as M(sensible.qlik.virtual_proxy_info) returns them.
        type: list
        elements: dict
        required: true
notes:
  - The module must run on a host that can reach the repository, for example a jump host with C(delegate_to). This host
    needs Python 3.11 or newer.
  - The certificates are public. The module does not need their private keys and refuses them.
seealso:
  - module: sensible.qlik.jwt_virtual_proxy
  - module: sensible.qlik.virtual_proxy_info
  - module: sensible.qlik.login_check
"""

EXAMPLES = r"""
- name: Create or update the JWT virtual proxies of a site
  sensible.qlik.jwt_virtual_proxies:
    host: qlik1.example.com
    client_cert: certificates/client.pem
    client_key: certificates/client_key.pem
    ca_path: certificates/root.pem
    virtual_proxies:
      - prefix: portal
        description: The customer portal
        jwt_public_key_certificate: "{{ lookup('ansible.builtin.file', 'certificates/portal.pem') }}"
        load_balancing_server_nodes: [Central]
        proxies: [Central]
      - prefix: embedded
        description: Charts in the pages of other sites
        jwt_public_key_certificate: "{{ lookup('ansible.builtin.file', 'certificates/portal.pem') }}"
        has_secure_attribute_https: true
        same_site_attribute_https: none
        host_allow_list: [www.example.com]
        # As a dictionary, or as text with one header per line.
        additional_response_headers:
          Access-Control-Allow-Origin: https://www.example.com
          Access-Control-Allow-Credentials: true
        load_balancing_server_nodes: [Central]
        proxies: [Central]
      - prefix: trial
        state: absent

- name: Configure a virtual proxy for an identity provider, with its claim names and a cookie for several hosts
  sensible.qlik.jwt_virtual_proxies:
    host: qlik1.example.com
    client_cert: certificates/client.pem
    client_key: certificates/client_key.pem
    ca_path: certificates/root.pem
    virtual_proxies:
      - prefix: idp
        jwt_public_key_certificate: "{{ lookup('ansible.builtin.file', 'certificates/idp.pem') }}"
        jwt_attribute_user_id: preferred_username
        jwt_attribute_user_directory: "[ACME]"
        jwt_audience: qlik
        jwt_attribute_map:
          - jwt_attribute: department
            sense_attribute: department
            is_mandatory: true
        session_cookie_header_name: X-Qlik-Session-idp
        session_cookie_domain: .example.com
        session_cookie_custom_path: /
        # Also over HTTP, if TLS is terminated in front of Qlik Sense.
        has_secure_attribute_http: true
        same_site_attribute_http: lax
        # Unauthenticated requests get anonymous access.
        anonymous_access_mode: allow_anonymous
        load_balancing_server_nodes: [Central]
        proxies: [Central]

- name: Configure load balancing and the security environment
  sensible.qlik.jwt_virtual_proxies:
    host: qlik1.example.com
    client_cert: certificates/client.pem
    client_key: certificates/client_key.pem
    ca_path: certificates/root.pem
    virtual_proxies:
      - prefix: portal
        load_balancing_server_nodes: [Central, Rim1]
        load_balancing_algorithm: memory_allocation
        enable_engine_saturation_check: true
        enable_engine_health_check_data: true
        use_sticky_load_balancing: false
        extended_security_environment: true
        # URLs of custom modules that replace those of Qlik. Empty for none.
        session_module_base_uri: ""
        load_balancing_module_base_uri: ""

- name: Convert a virtual proxy for Windows users to JWT, after which they can no longer sign in there
  sensible.qlik.jwt_virtual_proxies:
    host: qlik1.example.com
    client_cert: certificates/client.pem
    client_key: certificates/client_key.pem
    ca_path: certificates/root.pem
    virtual_proxies:
      - prefix: intranet
        allow_non_jwt: true
        jwt_public_key_certificate: "{{ lookup('ansible.builtin.file', 'certificates/portal.pem') }}"

- name: Update the virtual proxies, and remove each one with the tag portal that is not declared
  sensible.qlik.jwt_virtual_proxies:
    host: qlik1.example.com
    client_cert: certificates/client.pem
    client_key: certificates/client_key.pem
    ca_path: certificates/root.pem
    virtual_proxies:
      - prefix: portal
        jwt_public_key_certificate: "{{ lookup('ansible.builtin.file', 'certificates/portal.pem') }}"
        tags: [portal]
    purge: true
    purge_tag: portal

- name: Read the virtual proxies of the dev site
  sensible.qlik.virtual_proxy_info:
    host: qlikdev.example.com
    client_cert: certificates/dev/client.pem
    client_key: certificates/dev/client_key.pem
    ca_path: certificates/dev/root.pem
  register: dev

- name: Copy the virtual proxies of the dev site, also values there that this module normally refuses
  sensible.qlik.jwt_virtual_proxies:
    host: qlik1.example.com
    client_cert: certificates/client.pem
    client_key: certificates/client_key.pem
    ca_path: certificates/root.pem
    virtual_proxies: "{{ dev.virtual_proxies | sensible.qlik.promoted(nodes={'*': ['Central']}) }}"
    copied_from:
      site: dev
      virtual_proxies: "{{ dev.virtual_proxies }}"

- name: Create many virtual proxies on a site that answers slowly and restarts occasionally
  sensible.qlik.jwt_virtual_proxies:
    host: qlik1.example.com
    client_cert: certificates/client.pem
    client_key: certificates/client_key.pem
    ca_path: certificates/root.pem
    connect_timeout: 30
    read_timeout: 120
    retries: 6
    retry_deadline: 300
    virtual_proxies: "{{ qlik_virtual_proxies }}"
"""

RETURN = r"""
virtual_proxies:
  description:
    - The declared virtual proxies that are present, with the names of the options, in the order of the declaration.
      They have their current state, in check mode the predicted state. If they are used as input of the module, they
      change nothing.
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
      load_balancing_server_nodes: [Central]
      proxies: [Central]
outcomes:
  description:
    - The outcome for each virtual proxy, in the order of the declaration, followed by the virtual proxies that were
      removed by O(purge). In check mode the predicted outcome.
  returned: always, unless the site could not be read
  type: list
  elements: dict
  contains:
    prefix:
      description: Prefix of the virtual proxy.
      type: str
      returned: always
    outcome:
      description:
        - V(created), V(updated), V(deleted) or V(unchanged).
        - If the module failed, it can also be V(failed) (a write for this virtual proxy failed), V(incomplete) (only
          some of its writes were carried out) or V(pending) (none of its writes was carried out). The next run carries
          out the remaining writes.
      type: str
      returned: always
    writes:
      description: The writes that were carried out for it, one description each.
      type: list
      elements: str
      returned: always
  sample:
    - prefix: portal
      outcome: created
      writes: [create the virtual proxy 'portal', set the links of the proxy 'Central']
    - prefix: trial
      outcome: unchanged
      writes: []
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
from ansible_collections.sensible.qlik.plugins.module_utils._errors import InputError, QlikError
from ansible_collections.sensible.qlik.plugins.module_utils._http.client import require_libraries
from ansible_collections.sensible.qlik.plugins.module_utils._repository.reconcile import Outcome, declare
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy import convert
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy.model import argument_spec


def run(module: QlikModule) -> Outcome:
    """Reconcile the declared virtual proxies.

    Raises:
        QlikError: see declare.
    """
    params = module.params
    if params["purge"] and not params["virtual_proxies"] and params["purge_tag"] is None:
        raise InputError(
            "virtual_proxies is empty, so purge would remove each JWT virtual proxy of the site.",
            hint="Declare at least one, give purge_tag, or declare those to remove with 'state: absent'.",
        )
    rules = {name: params[name] for name in ("restore", "purge", "purge_tag")}
    if original := params["copied_from"]:
        rules["source"] = original["site"]
        rules["copied"] = [convert.from_settings(one).fields for one in original["virtual_proxies"]]
    return declare(module, params["virtual_proxies"], **rules)


def main() -> None:
    module = QlikModule(
        argument_spec={
            **connection_argument_spec(),
            "virtual_proxies": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": argument_spec(),
            },
            "purge": {"type": "bool", "default": False},
            "purge_tag": {"type": "str"},
            "allow_connection_virtual_proxy": {"type": "bool", "default": False},
            "restore": {"type": "bool", "default": False},
            "copied_from": {
                "type": "dict",
                "options": {
                    "site": {"type": "str", "required": True},
                    "virtual_proxies": {"type": "list", "elements": "dict", "required": True},
                },
            },
        },
        required_if=REQUIRED_IF,
        required_by={"purge_tag": ["purge"]},
        supports_check_mode=True,
    )
    require_libraries(module)
    try:
        outcome = run(module)
    except QlikError as error:
        module.fail_json(msg=str(error), changed=bool(error.done), writes=error.done, outcomes=error.entries)
    entries = outcome.entries()
    module.exit_json(
        changed=outcome.changed,
        virtual_proxies=[convert.to_result(one) for one in outcome.virtual_proxies if one],
        outcomes=entries,
        writes=outcome.writes,
        # Ansible adds all arguments, with null for options that were not given: 1 MB for 500 entries.
        invocation={
            "module_args": {**module.params, "virtual_proxies": f"{len(entries)} entries", "copied_from": None}
        },
        diff=[
            {
                "before_header": f"virtual proxy {change.prefix}",
                "after_header": f"virtual proxy {change.prefix} ({entry['outcome']})",
                "before": convert.to_diff(change.before),
                "after": convert.to_diff(change.after),
            }
            for entry, change in zip(entries, outcome.changes, strict=True)
            if change.differs
        ],
    )


if __name__ == "__main__":
    main()
