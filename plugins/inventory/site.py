# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: site
short_description: Create hosts from the nodes of a site
version_added: 1.0.0
author:
  - The sensible.qlik contributors (@sensible-qlik)
description:
  - Reads the nodes of a Qlik Sense site from its repository, and adds a host for each node, in groups by the services
    on it.
  - The smoke test can then test each proxy under its own name. Nodes that are added to the site later are included
    without a change of the inventory.
  - The name of the inventory file must end in C(qlik_site.yml) or C(qlik_site.yaml), such as C(prod.qlik_site.yml).
    Pass it to Ansible with C(-i), alone or with other inventories. Each file is one site.
  - Every node is in the group C(qlik_nodes). The child groups are C(qlik_central) with the central node, and
    C(qlik_proxies), C(qlik_engines), C(qlik_schedulers) and C(qlik_printing) with the nodes on which these services
    run. O(group_prefix) changes the names.
  - A host has the variables C(qlik_node) and C(qlik_release), and C(qlik_proxy) if a proxy runs on it. Their format is
    that of RV(sensible.qlik.site_info#module:nodes), RV(sensible.qlik.site_info#module:release) and
    RV(sensible.qlik.site_info#module:proxies). C(ansible_host) is the node's host name.
extends_documentation_fragment:
  - sensible.qlik.connection
  - sensible.qlik.connection.client_certificate
  - sensible.qlik.connection.ca
  - sensible.qlik.connection.proxy_ca
  - sensible.qlik.connection.https
  - sensible.qlik.connection.plugins
  - ansible.builtin.constructed
  - ansible.builtin.inventory_cache
options:
  plugin:
    description:
      - The name of this plugin.
    type: str
    required: true
    choices: [sensible.qlik.site]
  hostname:
    description:
      - Source of the names of hosts in the inventory.
      - V(host_name) is the host name of the node, which is unique even among several sites and normally also the name
        of the machine in other inventories.
      - V(name) is the name of the node in the QMC. Every site has a node C(Central), so it can only be used with a
        single site.
    type: str
    choices: [host_name, name]
    default: host_name
  group_prefix:
    description:
      - Prefix of the names of the groups.
    type: str
    default: qlik_
notes:
  - The options for the connection can be templates, so that lookups can provide secrets. A relative path in the file is
    relative to the directory of the file.
  - If a site cannot be read, Ansible warns and continues without its hosts. In a pipeline, set
    C(ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED=true), so that it fails instead.
  - The cache contains the values of the variables and no secret.
  - The nodes are Windows machines. Tasks that send requests to their proxies from the control node, such as those of
    the smoke test, need C(ansible_connection=local). The playbook C(sensible.qlik.smoke_test) sets it.
  - The Python packages are needed in the Python that runs Ansible.
seealso:
  - module: sensible.qlik.site_info
  - module: sensible.qlik.login_check
"""

EXAMPLES = r"""
# prod.qlik_site.yml: the required options
plugin: sensible.qlik.site
host: qlik1.example.com
client_cert: certificates/prod/client.pem
client_key: certificates/prod/client_key.pem
ca_path: certificates/prod/root.pem

# The site in its own group, so that --limit prod and group_vars/prod.yml work with several sites
#
#   plugin: sensible.qlik.site
#   host: qlik1.example.com
#   client_cert: certificates/prod/client.pem
#   client_key: certificates/prod/client_key.pem
#   ca_path: certificates/prod/root.pem
#   groups:
#     prod: true

# A central node that can fail over to another one
#
#   plugin: sensible.qlik.site
#   host: [qlik1.example.com, qlik2.example.com]
#   client_cert: certificates/prod/client.pem
#   client_key: certificates/prod/client_key.pem
#   ca_path: certificates/prod/root.pem

# With a token instead of the client certificate, as a user who may read nodes and proxies, and with a cache for an hour
#
#   plugin: sensible.qlik.site
#   host: qlik.example.com
#   auth_method: jwt
#   virtual_proxy_prefix: admin
#   token: "{{ lookup('sensible.qlik.jwt', 'ACME\\inventory', private_key_path=lookup('env', 'ADMIN_KEY')) }}"
#   cache: true
#   cache_plugin: ansible.builtin.jsonfile
#   cache_connection: ~/.ansible/cache/qlik
#   cache_timeout: 3600

# Hosts with the names of the nodes in the QMC, in groups such as analytics_proxies, and a key with a passphrase
#
#   plugin: sensible.qlik.site
#   host: qlik1.example.com
#   client_cert: certificates/prod/client.pem
#   client_key: certificates/prod/encrypted_client_key.pem
#   client_key_passphrase: "{{ lookup('env', 'CLIENT_KEY_PASSPHRASE') }}"
#   ca_path: certificates/prod/root.pem
#   hostname: name
#   group_prefix: analytics_

# More groups and variables
#
#   plugin: sensible.qlik.site
#   host: qlik1.example.com
#   client_cert: certificates/prod/client.pem
#   client_key: certificates/prod/client_key.pem
#   ca_path: certificates/prod/root.pem
#   strict: true
#   compose:
#     # Users reach the proxies by other names than those of the machines.
#     qlik_proxy_urls: "['https://' ~ qlik_node.name | lower ~ '.qlik.example.com']"
#   groups:
#     qlik_plain_http: qlik_proxy is defined and qlik_proxy.allow_http
#   keyed_groups:
#     - key: qlik_node.node_purpose
#       prefix: qlik
#     - key: qlik_node.custom_properties.Environment | default([])
#       prefix: environment

# The smoke test on each proxy of the site, with one report each. group_vars/qlik_proxies.yml beside the inventory holds
# the variables of playbooks/inventory: qlik_virtual_proxies, qlik_smoke_test_users and qlik_jwt_private_key_path.
#
#   ansible-playbook sensible.qlik.smoke_test -i prod.qlik_site.yml -e qlik_sites_pattern=qlik_proxies
"""

import hashlib
import json
import os
import typing as t

from ansible import template
from ansible.errors import AnsibleError, AnsibleParserError
from ansible.module_utils.basic import missing_required_lib
from ansible.module_utils.common.warnings import get_warning_messages
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable

from ansible_collections.sensible.qlik.plugins.module_utils import _identifiers
from ansible_collections.sensible.qlik.plugins.module_utils._argspec import (
    connection_argument_spec,
    environment_names,
    misplaced,
    path_pairs,
)
from ansible_collections.sensible.qlik.plugins.module_utils._errors import InputError, QlikError
from ansible_collections.sensible.qlik.plugins.module_utils._files import content_option
from ansible_collections.sensible.qlik.plugins.module_utils._http.client import IMPORT_ERROR, REQUIRED
from ansible_collections.sensible.qlik.plugins.module_utils._repository.site import Site, read_site
from ansible_collections.sensible.qlik.plugins.module_utils._repository.snapshot import repository
from ansible_collections.sensible.qlik.plugins.module_utils._text import sanitize

if t.TYPE_CHECKING:
    from ansible.inventory.data import InventoryData
    from ansible.parsing.dataloader import DataLoader

_ALL = "nodes"
# Groups, and the field that is true for their nodes.
_GROUPS = {
    "central": "is_central",
    "proxies": "proxy_enabled",
    "engines": "engine_enabled",
    "schedulers": "scheduler_enabled",
    "printing": "printing_enabled",
}
# The options that determine the result. They are part of the key in the cache, so none of them is a secret.
_VIEWPOINT = ("host", "port", "auth_method", "virtual_proxy_prefix", "user", "header_name")


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """Convert a site to hosts, groups and variables. The site is read in module_utils."""

    NAME = "sensible.qlik.site"

    def verify_file(self, path: str) -> bool:
        return super().verify_file(path) and path.endswith(("qlik_site.yml", "qlik_site.yaml"))

    def parse(self, inventory: InventoryData, loader: DataLoader, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        self._path = path
        try:
            _check_variables()
            config = self._read_config_data(path)
            self._require_known(config)
            self._from_elsewhere = _unused_sources(config)
            self._fill(inventory, self._site(use_cache=cache))
        except QlikError as exc:
            raise AnsibleParserError(str(exc)) from None

    def set_options(
        self,
        task_keys: t.Any = None,
        var_options: t.Mapping[str, t.Any] | None = None,
        direct: t.Mapping[str, t.Any] | None = None,
    ) -> None:
        """Resolve templates and paths, before Ansible converts the values of the file to their types."""
        resolved = {name: self._resolved(name, value) for name, value in (direct or {}).items()}
        super().set_options(task_keys=task_keys, var_options=var_options, direct=resolved)

    def _resolved(self, name: str, value: t.Any) -> t.Any:
        spec = connection_argument_spec().get(name)
        if spec is None:
            return value
        base = os.path.dirname(os.path.abspath(self._path))  # noqa: PTH100, PTH120
        if not isinstance(value, (str, list)):
            _require_own_place(name, value, spec, base=base)
            return value
        try:
            value = self.templar.template(value)
        except AnsibleError as exc:
            raise InputError(
                f"The template of the option '{name}' cannot be resolved: {str(exc).rstrip('. ')}.",
                hint="Correct the template, or give the value itself.",
            ) from None
        _require_own_place(name, value, spec, base=base)
        if spec["type"] == "path" and isinstance(value, str) and value and value[0] not in "~$":
            value = os.path.join(base, value)  # noqa: PTH118
        return value

    def _require_known(self, config: t.Mapping[str, t.Any]) -> None:
        """Raise if the file has an unknown option. Ansible ignores it, and a misspelled option would have no effect."""
        if unknown := sorted(config.keys() - self.option_definitions.keys()):
            raise InputError(
                f"The inventory plugin {self.NAME} has no option {', '.join(map(str, unknown))}.",
                hint=f"The options are {', '.join(sorted(self.option_definitions))}.",
            )

    def _site(self, *, use_cache: bool) -> Site:
        """Return the site from the cache if it may be used and has an entry, otherwise from the repository."""
        if not self.get_option("cache"):
            return self._read()
        key = self._cache_key()
        if use_cache and (site := _restored(self._cache.get(key))):
            return site
        site = self._read()
        self._cache[key] = site._asdict()
        return site

    def _cache_key(self) -> str:
        viewpoint = json.dumps([self._path, *(self.get_option(name) for name in _VIEWPOINT)])
        return f"{self.NAME}_{hashlib.sha256(viewpoint.encode()).hexdigest()[:32]}"

    def _read(self) -> Site:
        if IMPORT_ERROR:
            raise InputError(missing_required_lib(REQUIRED))
        spec = connection_argument_spec()
        values = {name: self.get_option(name) for name in spec if name not in self._from_elsewhere}
        values = dict.fromkeys(spec) | values
        with repository({name: _plain(value) for name, value in values.items()}) as source:
            site = read_site(source)
        # Up to ansible-core 2.18, warnings of module_utils are collected for the result of a module.
        for warning in get_warning_messages():
            self.display.warning(warning)
        return site

    def _fill(self, inventory: InventoryData, site: Site) -> None:
        names = {name: self._sanitize_group_name(self.get_option("group_prefix") + name) for name in (_ALL, *_GROUPS)}
        groups = {name: inventory.add_group(full_name) for name, full_name in names.items()}
        for name in _GROUPS:
            inventory.add_child(groups[_ALL], groups[name])
        proxies = {proxy["name"]: proxy for proxy in site.proxies}
        for node in [one for one in site.nodes if self._is_usable(one, inventory)]:
            proxy = proxies.get(node["name"]) if node.get("proxy_enabled", True) else None
            variables = {"qlik_node": node, "qlik_release": site.release}
            if node["host_name"]:
                variables["ansible_host"] = node["host_name"]
            if proxy:
                variables["qlik_proxy"] = proxy
            host = self._add_host(inventory, node, variables)
            inventory.add_child(groups[_ALL], host)
            for name, field in _GROUPS.items():
                if proxy if name == "proxies" else node.get(field):
                    inventory.add_child(groups[name], host)
            self._construct(host, inventory.hosts[host].get_vars())

    def _is_usable(self, node: dict[str, t.Any], inventory: InventoryData) -> bool:
        """Return True if a node can be a host, and warn if not. Connection plugins and paths use names unchecked."""
        name, host_name = node["name"], node["host_name"]
        chosen = self._host_of(node)
        usable = chosen == host_name or _identifiers.is_valid(_identifiers.inventory_name, chosen)
        usable = usable and (not host_name or _identifiers.is_valid(_identifiers.host, host_name))
        if usable and chosen and chosen not in inventory.groups:
            return True
        shown = sanitize(f"'{name}' with the host name '{host_name}'")
        self.display.warning(f"The node {shown} of {self._path} cannot be a host and is ignored.")
        return False

    def _host_of(self, node: dict[str, t.Any]) -> str:
        return str(node[self.get_option("hostname")] or node["name"] or node["host_name"])

    def _add_host(self, inventory: InventoryData, node: dict[str, t.Any], variables: dict[str, t.Any]) -> str:
        host = _inert(self._host_of(node))
        other = inventory.hosts.get(host)
        if other and other.vars.get("qlik_node", node)["host_name"] != node["host_name"]:
            raise InputError(
                f"There are two nodes called {host}: {other.vars['qlik_node']['host_name']} and {node['host_name']}.",
                hint="Use 'hostname: host_name', because several sites may have nodes of the same name.",
            )
        inventory.add_host(host)
        for name, value in variables.items():
            inventory.set_variable(host, name, _inert(value))
        return t.cast("str", host)

    def _construct(self, host: str, variables: dict[str, t.Any]) -> None:
        strict = self.get_option("strict")
        self._set_composite_vars(self.get_option("compose"), variables, host, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), variables, host, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), variables, host, strict=strict)


def _unused_sources(config: t.Mapping[str, t.Any]) -> set[str]:
    """Return the path and content options whose environment variables are ignored, because the file sets the other one.

    Raises:
        InputError: both are set at the same place, or an environment variable for a path contains text.
    """
    unused = set()
    spec = connection_argument_spec()
    for pair in path_pairs(spec):
        given = [name for name in pair if config.get(name)]
        variables = [name for one in pair for name in environment_names(spec[one]) if os.environ.get(name)]
        conflict = given if len(given) > 1 else variables if not given and len(variables) > 1 else []
        if conflict:
            raise InputError(f"{conflict[0]} and {conflict[1]} are both set.", hint="Set one of them.")
        if given:
            unused |= set(pair) - set(given)
        else:
            for variable in environment_names(spec[pair[0]]):
                alternative = environment_names(spec[pair[1]])[0]
                _require_own_place(variable, os.environ.get(variable, ""), spec[pair[0]], alternative=alternative)
    return unused


def _check_variables() -> None:
    """Raise if an environment variable contains a private key. Ansible would quote it when it converts the value."""
    for rules in connection_argument_spec().values():
        for variable in environment_names(rules) if rules["type"] != "path" else ():
            _require_own_place(variable, os.environ.get(variable, ""), rules)


def _require_own_place(
    name: str, value: t.Any, rules: t.Mapping[str, t.Any], *, alternative: str | None = None, base: str = ""
) -> None:
    """Raise if an option has a value that must not be shown: text for a path, or a private key in another option."""
    alternative = alternative or (content_option(name) if rules["type"] == "path" else None)
    # No value has to be masked, because the plugin shows no values.
    if value is None:
        return
    problems = misplaced(name, value, rules, lambda _value: None, alternative=alternative, base=base)
    if problems:
        raise InputError(" ".join(problems), hint="Correct the option.")


def _restored(cached: t.Any) -> Site | None:
    """Return the site in an entry of the cache, None if there is none or another release of this plugin wrote it."""
    try:
        return Site(**cached)
    except TypeError:
        return None


def _plain(value: t.Any) -> t.Any:
    """Return texts without Ansible's tags. In older releases of Ansible, str() does not remove them."""
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return str.__str__(value) if isinstance(value, str) else value


def _inert(value: t.Any) -> t.Any:
    """Return a value from the site so that it is never a template. From ansible-core 2.19 on it never is.

    Only texts that could be templates are marked: ansible-inventory lists each marked text, names of hosts included, as
    a dictionary with the key __ansible_unsafe.
    """
    if hasattr(template, "trust_as_template"):
        return value
    if isinstance(value, dict):
        return {_inert(name): _inert(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_inert(one) for one in value]
    if isinstance(value, str) and any(mark in value for mark in ("{{", "{%", "{#", "#jinja2:")):
        from ansible.utils.unsafe_proxy import wrap_var

        return wrap_var(value)
    return value
