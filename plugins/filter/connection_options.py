# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: connection_options
short_description: Read the connection options of a site from its inventory variables
version_added: 1.0.0
author:
  - The sensible.qlik contributors (@sensible-qlik)
description:
  - In an inventory of sites, each connection option of M(sensible.qlik.jwt_virtual_proxies) is a variable with C(qlik_)
    before its name, such as C(qlik_host) and C(qlik_client_cert). This filter converts those that are set to options
    for C(module_defaults).
options:
  _input:
    description:
      - The variables of a host, as in C(hostvars).
    type: dict
    required: true
  host_required:
    description:
      - Whether it is an error if C(qlik_host) is not set. M(sensible.qlik.login_check) and M(sensible.qlik.logout) do
        not always need it.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Read the JWT virtual proxies of each site
  hosts: qlik_sites
  gather_facts: false
  connection: local
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  module_defaults:
    group/sensible.qlik.qlik: "{{ hostvars[inventory_hostname] | sensible.qlik.connection_options }}"
  tasks:
    - name: Read the virtual proxies
      sensible.qlik.virtual_proxy_info:
      register: site

- name: Check a login without access to the repository
  hosts: qlik_sites
  gather_facts: false
  connection: local
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  module_defaults:
    group/sensible.qlik.qlik: >-
      {{ hostvars[inventory_hostname] | sensible.qlik.connection_options(host_required=false) }}
  tasks:
    - name: Verify the login
      sensible.qlik.login_check:
        proxy_urls: [https://qlik1.example.com]
        logins:
          - prefix: portal
            token: "{{ lookup('sensible.qlik.jwt', 'ACME\\smoketest', private_key_path='keys/portal_key.pem') }}"
"""

RETURN = r"""
_value:
  description:
    - The options by name. They can contain secrets, such as C(token).
  type: dict
  sample:
    host: qlik1.example.com
    client_cert: certificates/client.pem
    client_key: certificates/client_key.pem
    ca_path: certificates/root.pem
"""

import typing as t
from collections.abc import Mapping

from ansible.errors import AnsibleFilterError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.sensible.qlik.plugins.module_utils._argspec import connection_argument_spec


def connection_options(variables: Mapping[str, t.Any], host_required: bool = True) -> dict[str, t.Any]:
    """Return the connection options among a host's variables.

    Args:
        variables: the variables of the host.
        host_required: True if the repository is needed.

    Raises:
        AnsibleFilterError: the variables are not those of a site, or a number or choice is not valid.
    """
    if not isinstance(variables, Mapping):
        raise AnsibleFilterError("connection_options requires the variables of a host, such as hostvars['test'].")
    # One by one, so that other variables of the host are not templated.
    spec = connection_argument_spec()
    options = {name: variables[f"qlik_{name}"] for name in spec if f"qlik_{name}" in variables}
    # Checked here, because the module would name the option and not the variable. The messages for texts are our own,
    # because those of Ansible can quote the value.
    for name, value in options.items():
        lists = spec[name]["type"] == "list"
        if any(isinstance(one, (Mapping, list)) for one in (value if lists and isinstance(value, list) else [value])):
            raise AnsibleFilterError(f"qlik_{name} must be {'text or a list of texts' if lists else 'a single value'}.")
    rules = {
        name: {"type": rule["type"], "choices": rule.get("choices")}
        for name, rule in spec.items()
        if rule["type"] in ("int", "float", "bool") or "choices" in rule
    }
    checked = ArgumentSpecValidator({f"qlik_{name}": rule for name, rule in rules.items()}).validate(
        {f"qlik_{name}": value for name, value in options.items() if name in rules}
    )
    if checked.error_messages:
        raise AnsibleFilterError(" ".join(f"{problem}." for problem in checked.error_messages))
    if host_required and not options.get("host"):
        raise AnsibleFilterError(
            f"The variable qlik_host of the host {variables.get('inventory_hostname', '')} is "
            f"{'empty' if 'host' in options else 'not set'}, so the address of the site is not known. Set it in the "
            "inventory."
        )
    return options


class FilterModule:
    """Register the filter with Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"connection_options": connection_options}
