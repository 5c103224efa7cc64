# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""Release, nodes and proxies of a site in the format of results.

A name is that of the QRS field in snake_case. Entities are given by name, enumerations as words, and fields that a
release does not have are omitted.
"""

from __future__ import annotations

import typing as t

from .. import _identifiers
from .._errors import InputError
from .._virtual_proxy.convert import labels, objects, text, typed, values_of, word
from .._virtual_proxy.model import Entity, Options
from .._virtual_proxy.settings_warnings import link_warnings
from .snapshot import Repository, repository

# Enumerations: the position is the number that QRS stores.
# Qlik-Cli-Windows, node.ps1
NODE_PURPOSES = ("production", "development", "both")
# Qlik QRS API reference, ServerNodeRoleCondensed
NODE_ROLES = (
    "scheduler_master",
    "licence_maintenance",
    "user_sync",
    "node_registration",
    "app_management",
    "clean_database",
)
# Qlik help, "About: Get": 1 is the central node, 2 another one
NODE_TYPES = {1: "central", 2: "rim"}

_RELEASE = {
    "build_version": str,
    "build_date": str,
    "database_provider": str,
    "node_type": int,
    "shared_persistence": bool,
    "requires_bootstrap": bool,
    "single_node_only": bool,
}
_NODE = {
    "id": str,
    "name": str,
    "host_name": str,
    "is_central": bool,
    "node_purpose": int,
    "engine_enabled": bool,
    "proxy_enabled": bool,
    "printing_enabled": bool,
    "scheduler_enabled": bool,
    "scheduler_reload_enabled": bool,
    "scheduler_preload_enabled": bool,
    "failover_candidate": bool,
}
# Without the verbosity of logs and the templates of pages.
_PROXY_SETTINGS = {
    "listen_port": int,
    "allow_http": bool,
    "unencrypted_listen_port": int,
    "authentication_listen_port": int,
    "unencrypted_authentication_listen_port": int,
    "rest_listen_port": int,
    "kerberos_authentication": bool,
    "ssl_browser_certificate_thumbprint": str,
    "keep_alive_timeout_seconds": int,
    "max_header_size_bytes": int,
    "max_header_lines": int,
    "use_ws_trace": bool,
    "performance_logging_interval": int,
}


_QPS_PORT = 4243  # Qlik help, "Ports": the proxy's own API


class Site(t.NamedTuple):
    """A site in the format of results.

    Attributes:
        release: the release of the repository and its installation.
        nodes: the nodes, the central one first, the others by name.
        proxies: the proxy services in the order of their nodes, each with the name of its node.
        warnings: about the links of the virtual proxies with JWT.
    """

    release: Options
    nodes: list[Options]
    proxies: list[Options]
    warnings: t.Sequence[str] = ()


def read_proxies(options: t.Mapping[str, t.Any]) -> tuple[list[Options], set[str]]:
    """Return the proxies that are in service, with their addresses, and the names of the nodes whose proxy is not.

    Args:
        options: the connection options.

    Raises:
        QlikError: they could not be read, a proxy has no usable host name, or two nodes have the same name.
    """
    with repository(options) as source:
        site = read_site(source)
    disabled = {node["name"] for node in site.nodes if not node.get("proxy_enabled", True)}
    proxies = [proxy for proxy in site.proxies if proxy["name"] not in disabled]
    names = [proxy["name"].casefold() for proxy in proxies]
    for proxy in proxies:
        problem = "" if proxy["url"] else "has no host name that can be part of an address"
        if names.count(proxy["name"].casefold()) > 1:
            problem = "has the same name as another one"
        if problem:
            raise InputError(
                f"The node '{proxy['name']}' {problem}.", hint="Give the addresses of the proxies in the task."
            )
    return proxies, disabled


def read_site(source: Repository) -> Site:
    """Read release, nodes and proxies: three requests.

    Raises:
        QlikError: they could not be read, or the user has no rights to read them.
    """
    about = source.get("about")
    if not isinstance(about, dict):
        raise source.not_expected("about", "an object")
    nodes = source.entities("servernodeconfiguration/full")
    types = "ServerNodeConfiguration and ProxyService"
    source.require_some(nodes, "servernodeconfiguration/full", "node", types)
    proxies = source.entities("proxyservice/full")
    source.require_some(proxies, "proxyservice/full", "proxy", types)
    return in_words(about, nodes, proxies)


def in_words(about: Entity, nodes: list[Entity], proxies: list[Entity]) -> Site:
    """Return a site in the format of results.

    Args:
        about: the answer to /qrs/about.
        nodes: full entities of ServerNodeConfiguration.
        proxies: full entities of ProxyService.
    """
    described = [_node(node) for node in nodes]
    central = {node["id"].lower() for node in described if node.get("is_central")}

    def rank(node: Options) -> tuple[bool, str]:
        return node["id"].lower() not in central, node["name"].casefold()

    named = [(_condensed(proxy.get("serverNodeConfiguration")), _proxy(proxy)) for proxy in proxies]
    release = values_of(about, _RELEASE)
    if "node_type" in release:
        release["node_type"] = NODE_TYPES.get(release["node_type"], release["node_type"])
    return Site(
        release=release,
        nodes=sorted(described, key=rank),
        proxies=[words for node, words in sorted(named, key=lambda pair: rank(pair[0]))],
        warnings=link_warnings(proxies),
    )


def _condensed(node: t.Any) -> Options:
    return {"id": "", "name": "", "host_name": "", **values_of(node, _NODE)}


def _node(node: Entity) -> Options:
    words = {**_condensed(node), **labels(node)}
    if "node_purpose" in words:
        words["node_purpose"] = word(NODE_PURPOSES, words["node_purpose"])
    if "roles" in node:
        numbers = [typed(role.get("definition"), int) for role in objects(node["roles"])]
        words["roles"] = [word(NODE_ROLES, number) for number in sorted(one for one in numbers if one is not None)]
    if "serviceCluster" in node:
        words["service_cluster"] = text(node["serviceCluster"], "name")
    return words


def _proxy(proxy: Entity) -> Options:
    node, settings = _condensed(proxy.get("serverNodeConfiguration")), proxy.get("settings")
    values = values_of(settings, {**_PROXY_SETTINGS, "virtual_proxies": list})
    linked = [text(one, "prefix") for one in objects(values.pop("virtual_proxies", []))]
    return {
        "id": text(proxy, "id"),
        "name": node["name"],
        "host_name": node["host_name"],
        "url": _url(node["host_name"], values.get("listen_port"), 443),
        "qps_url": _url(node["host_name"], values.get("rest_listen_port") or _QPS_PORT, None),
        **values,
        "virtual_proxies": sorted(linked, key=str.casefold),
        **labels(proxy),
    }


def _url(host_name: str, port: int | None, usual: int | None) -> str:
    """Return a base URL without the usual port, an empty text if the host name cannot be part of one."""
    if not _identifiers.is_valid(_identifiers.host, host_name):
        return ""
    host = _identifiers.host(host_name)
    return f"https://{host}" if port in (None, usual) else f"https://{host}:{port}"
