#!/usr/bin/python
# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: site_info
short_description: Read the release, nodes and proxies of a site
version_added: 1.0.0
author:
  - The sensible.qlik contributors (@sensible-qlik)
description:
  - Returns the release of a Qlik Sense Enterprise on Windows site, its nodes with the services on them, and the
    settings of its proxies.
  - The names can be used as values of options of the other modules, for instance
    O(sensible.qlik.jwt_virtual_proxy#module:load_balancing_server_nodes) and
    O(sensible.qlik.jwt_virtual_proxy#module:proxies).
  - It warns about JWT virtual proxies that are linked to proxies, but not to that of the central node.
  - It needs three requests on one connection, regardless of the size of the site.
extends_documentation_fragment:
  - sensible.qlik.attributes
  - sensible.qlik.attributes.action_group
  - sensible.qlik.connection
  - sensible.qlik.connection.client_certificate
  - sensible.qlik.connection.ca
  - sensible.qlik.connection.proxy_ca
  - sensible.qlik.connection.https
attributes:
  check_mode:
    support: full
    details:
      - This module only reads and never changes anything.
  diff_mode:
    support: N/A
    details:
      - This module only reads and never changes anything.
  idempotent:
    support: full
notes:
  - The module must run on a host that can reach the repository, for example a jump host with C(delegate_to). This host
    needs Python 3.11 or newer.
  - The module fails if the user has no right to read nodes and proxies. If the user has the right to read only some of
    them, the result contains only those, because the repository does not report that there are more.
seealso:
  - plugin: sensible.qlik.site
    plugin_type: inventory
  - module: sensible.qlik.jwt_virtual_proxy
  - module: sensible.qlik.login_check
"""

EXAMPLES = r"""
- name: Read the site
  sensible.qlik.site_info:
    host: qlik1.example.com
    client_cert: certificates/client.pem
    client_key: certificates/client_key.pem
    ca_path: certificates/root.pem
  register: site

- name: Read the site through a web proxy
  sensible.qlik.site_info:
    host: qlik1.example.com
    client_cert: certificates/client.pem
    client_key: certificates/client_key.pem
    ca_path: certificates/root.pem
    http_proxy: http://proxy.example.com:3128

- name: Show the release and the number of nodes
  ansible.builtin.debug:
    msg: Repository {{ site.release.build_version }} with {{ site.nodes | length }} nodes

- name: Fail if a proxy allows connections without TLS
  ansible.builtin.assert:
    that: site.proxies | selectattr('allow_http') | length == 0

- name: Read the site through a header virtual proxy
  sensible.qlik.site_info:
    host: qlik.example.com
    auth_method: header
    virtual_proxy_prefix: internal
    header_name: X-Qlik-Automation
    user: ACME\automation

- name: Read the site with an existing session of a portal
  sensible.qlik.site_info:
    host: qlik.example.com
    auth_method: session
    virtual_proxy_prefix: admin
    session_cookie: X-Qlik-Session-admin={{ portal_session }}

- name: Link a virtual proxy to all proxies, with all production engines as load balancing nodes
  sensible.qlik.jwt_virtual_proxy:
    host: qlik1.example.com
    client_cert: certificates/client.pem
    client_key: certificates/client_key.pem
    ca_path: certificates/root.pem
    prefix: portal
    load_balancing_server_nodes: >-
      {{ site.nodes | selectattr('engine_enabled') | rejectattr('node_purpose', 'eq', 'development')
      | map(attribute='name') }}
    proxies: "{{ site.proxies | map(attribute='name') }}"
"""

RETURN = r"""
release:
  description:
    - The release of the repository and its installation.
  returned: success
  type: dict
  contains:
    build_version:
      description: Build of the repository. Qlik publishes no table of builds and releases.
      type: str
      returned: success
      sample: 31.62.1.0
    build_date:
      description: Build date, in the format of the repository.
      type: str
      returned: success
      sample: 11/4/2025 10:11:12 AM
    database_provider:
      description: Driver of the database.
      type: str
      returned: success
      sample: Devart.Data.PostgreSql
    node_type:
      description: Type of the node that answered, V(central) or V(rim).
      type: str
      returned: success
      sample: central
    shared_persistence:
      description: Whether the nodes share one database and one file share.
      type: bool
      returned: success
      sample: true
    requires_bootstrap:
      description: Whether the installation is not yet completed.
      type: bool
      returned: success
      sample: false
    single_node_only:
      description: Whether the site can have only one node.
      type: bool
      returned: success
      sample: false
nodes:
  description:
    - The nodes, the central one first, the others by name. Fields that this release does not have are omitted.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Its id in the repository.
      type: str
      returned: success
      sample: 08a0aefb-88cd-4add-989b-53d0dce21b6c
    name:
      description: Its name in the QMC.
      type: str
      returned: success
      sample: Central
    host_name:
      description: Its host name at the time when Qlik Sense was installed.
      type: str
      returned: success
      sample: qlik1.example.com
    is_central:
      description: Whether it is the central node.
      type: bool
      returned: success
      sample: true
    node_purpose:
      description: Its purpose, V(production), V(development) or V(both).
      type: str
      returned: success
      sample: production
    engine_enabled:
      description: Whether an engine runs on it.
      type: bool
      returned: success
      sample: true
    proxy_enabled:
      description: Whether a proxy runs on it.
      type: bool
      returned: success
      sample: true
    printing_enabled:
      description: Whether the printing service runs on it.
      type: bool
      returned: success
      sample: true
    scheduler_enabled:
      description: Whether a scheduler runs on it.
      type: bool
      returned: success
      sample: true
    scheduler_reload_enabled:
      description: Whether its scheduler reloads apps. Releases before 2024 do not have it.
      type: bool
      returned: success
      sample: true
    scheduler_preload_enabled:
      description: Whether its scheduler preloads apps. Releases before 2024 do not have it.
      type: bool
      returned: success
      sample: true
    failover_candidate:
      description: Whether it can take over from the central node.
      type: bool
      returned: success
      sample: false
    roles:
      description: Its roles for the whole site. The central node has all of them.
      type: list
      elements: str
      returned: success
      sample: [scheduler_master, licence_maintenance]
    service_cluster:
      description: Name of its service cluster.
      type: str
      returned: success
      sample: ServiceCluster
    tags:
      description: Names of its tags.
      type: list
      elements: str
      returned: success
      sample: [managed]
    custom_properties:
      description: Its custom properties, a list of values for each name.
      type: dict
      returned: success
      sample: {Environment: [Production]}
proxies:
  description:
    - The proxy services, in the order of their nodes. Fields that this release does not have are omitted.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Its id in the repository.
      type: str
      returned: success
      sample: ce4bf7b6-f56f-445d-806e-93fd57763d0c
    name:
      description: Name of its node.
      type: str
      returned: success
      sample: Central
    host_name:
      description: Host name of its node.
      type: str
      returned: success
      sample: qlik1.example.com
    url:
      description: Base URL of the proxy for users, with the host name of the node, as a value for
        O(sensible.qlik.login_check#module:proxy_urls). Empty if the host name is unknown or not valid.
      type: str
      returned: success
      sample: https://qlik1.example.com
    qps_url:
      description: Base URL of the proxy's own API (QPS), with the host name of the node, as a value for
        O(sensible.qlik.logout#module:qps_urls). Empty if the host name is unknown or not valid.
      type: str
      returned: success
      sample: https://qlik1.example.com:4243
    listen_port:
      description: Its port for HTTPS.
      type: int
      returned: success
      sample: 443
    allow_http:
      description: Whether it also accepts HTTP without TLS.
      type: bool
      returned: success
      sample: false
    unencrypted_listen_port:
      description: Its port for HTTP.
      type: int
      returned: success
      sample: 80
    authentication_listen_port:
      description: Its port for Windows authentication over HTTPS.
      type: int
      returned: success
      sample: 4244
    unencrypted_authentication_listen_port:
      description: Its port for Windows authentication over HTTP.
      type: int
      returned: success
      sample: 4248
    rest_listen_port:
      description: Port of its own API (QPS).
      type: int
      returned: success
      sample: 4243
    kerberos_authentication:
      description: Whether Kerberos is used for Windows authentication.
      type: bool
      returned: success
      sample: false
    ssl_browser_certificate_thumbprint:
      description: SHA-1 thumbprint of the certificate that browsers receive. Empty for Qlik's own.
      type: str
      returned: success
      sample: ''
    keep_alive_timeout_seconds:
      description: Seconds after which an idle connection is closed.
      type: int
      returned: success
      sample: 10
    max_header_size_bytes:
      description: Maximum size of all headers of a request in bytes. A token with many groups can exceed it.
      type: int
      returned: success
      sample: 16384
    max_header_lines:
      description: Maximum number of headers of a request.
      type: int
      returned: success
      sample: 100
    use_ws_trace:
      description: Whether websockets are traced.
      type: bool
      returned: success
      sample: false
    performance_logging_interval:
      description: Minutes between two entries in the performance log.
      type: int
      returned: success
      sample: 5
    virtual_proxies:
      description: Prefixes of the virtual proxies that are linked to it. That of the default virtual proxy is empty.
      type: list
      elements: str
      returned: success
      sample: ['', portal]
    tags:
      description: Names of its tags.
      type: list
      elements: str
      returned: success
      sample: []
    custom_properties:
      description: Its custom properties, a list of values for each name.
      type: dict
      returned: success
      sample: {}
"""

from ansible_collections.sensible.qlik.plugins.module_utils._argspec import (
    REQUIRED_IF,
    QlikModule,
    connection_argument_spec,
)
from ansible_collections.sensible.qlik.plugins.module_utils._errors import QlikError
from ansible_collections.sensible.qlik.plugins.module_utils._http.client import require_libraries
from ansible_collections.sensible.qlik.plugins.module_utils._repository.site import Site, read_site
from ansible_collections.sensible.qlik.plugins.module_utils._repository.snapshot import repository


def run(module: QlikModule) -> Site:
    """Read the site.

    Raises:
        QlikError: see read_site.
    """
    with repository(module.params) as source:
        return read_site(source)


def main() -> None:
    module = QlikModule(
        argument_spec=connection_argument_spec(),
        required_if=REQUIRED_IF,
        supports_check_mode=True,
    )
    require_libraries(module)
    try:
        site = run(module)
    except QlikError as error:
        module.fail_json(msg=str(error))
    values = site._asdict()
    for warning in values.pop("warnings"):
        module.warn(warning)
    module.exit_json(changed=False, **values)


if __name__ == "__main__":
    main()
