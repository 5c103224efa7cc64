# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""What a site consists of, in this collection's words: its release, its nodes, their proxies. Pure, no I/O.

A word is the QRS field's name in snake_case. Entities are named and not numbered, numbers that mean words are words,
and what a release does not have is left out.
"""

from __future__ import annotations

import typing as t

from ansible.module_utils.common.dict_transformations import camel_dict_to_snake_dict

from .._virtual_proxy.model import Entity, to_options

Words = dict[str, t.Any]

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

_RELEASE = (
    "buildVersion",
    "buildDate",
    "databaseProvider",
    "nodeType",
    "sharedPersistence",
    "requiresBootstrap",
    "singleNodeOnly",
)
_NODE = (
    "id",
    "name",
    "hostName",
    "isCentral",
    "nodePurpose",
    "engineEnabled",
    "proxyEnabled",
    "printingEnabled",
    "schedulerEnabled",
    "schedulerReloadEnabled",
    "schedulerPreloadEnabled",
    "failoverCandidate",
)
# The verbosity of logs and the templates of pages are left out.
_PROXY_SETTINGS = (
    "listenPort",
    "allowHttp",
    "unencryptedListenPort",
    "authenticationListenPort",
    "unencryptedAuthenticationListenPort",
    "restListenPort",
    "kerberosAuthentication",
    "sslBrowserCertificateThumbprint",
    "keepAliveTimeoutSeconds",
    "maxHeaderSizeBytes",
    "maxHeaderLines",
    "useWsTrace",
    "performanceLoggingInterval",
)


class Site(t.NamedTuple):
    """A site in words.

    Attributes:
        release: what the repository says about itself.
        nodes: the central one first, the others by name.
        proxies: the proxy services in the order of their nodes, each under its node's name.
    """

    release: Words
    nodes: list[Words]
    proxies: list[Words]


def in_words(about: Entity, nodes: list[Entity], proxies: list[Entity]) -> Site:
    """A site as QRS returns it, in words.

    Args:
        about: what /qrs/about returns.
        nodes: full entities of ServerNodeConfiguration.
        proxies: full entities of ProxyService.
    """
    central = {node.get("id") for node in nodes if node.get("isCentral")}

    def rank(entity: Words) -> tuple[bool, str]:
        return entity["id"] not in central, entity["name"].casefold()

    named = [(_node_of(proxy), _proxy(proxy)) for proxy in proxies]
    return Site(
        release=_release(about),
        nodes=sorted((_node(node) for node in nodes), key=rank),
        proxies=[words for node, words in sorted(named, key=lambda pair: rank(pair[0]))],
    )


def _release(about: Entity) -> Words:
    words = _fields(about, _RELEASE)
    if "node_type" in words:
        words["node_type"] = NODE_TYPES.get(words["node_type"], words["node_type"])
    return words


def _node(node: Entity) -> Words:
    words = {"id": "", "name": "", "host_name": "", **_fields(node, _NODE)}
    if "node_purpose" in words:
        words["node_purpose"] = _word(NODE_PURPOSES, words["node_purpose"])
    if "roles" in node:
        numbers = [role.get("definition") for role in node["roles"] or ()]
        words["roles"] = [_word(NODE_ROLES, number) for number in sorted(numbers, key=str)]
    if "serviceCluster" in node:
        words["service_cluster"] = (node["serviceCluster"] or {}).get("name", "")
    return {**words, **_labels(node)}


def _proxy(proxy: Entity) -> Words:
    settings, node = proxy.get("settings") or {}, _node_of(proxy)
    linked = [virtual_proxy.get("prefix") or "" for virtual_proxy in settings.get("virtualProxies") or ()]
    return {
        "id": proxy.get("id", ""),
        "name": node["name"],
        "host_name": node["host_name"],
        "url": _url(node["host_name"], settings.get("listenPort")),
        **_fields(settings, _PROXY_SETTINGS),
        "virtual_proxies": sorted(linked, key=str.casefold),
        **_labels(proxy),
    }


def _node_of(proxy: Entity) -> Words:
    return {"id": "", "name": "", "host_name": "", **_fields(proxy.get("serverNodeConfiguration") or {}, _NODE)}


def _url(host_name: str, port: int | None) -> str:
    host = f"[{host_name}]" if ":" in host_name else host_name
    return f"https://{host}" if port in (None, 443) else f"https://{host}:{port}"


def _fields(entity: Entity, names: t.Iterable[str]) -> Words:
    # A text that was never set is null in some releases, and empty in others; nothing else is ever null.
    known = {name: "" if entity[name] is None else entity[name] for name in names if name in entity}
    return t.cast("Words", camel_dict_to_snake_dict(known))


def _labels(entity: Entity) -> Words:
    """Tags and custom properties, in the form that virtual proxies have them."""
    return to_options({name: entity[name] for name in ("tags", "customProperties") if name in entity})


def _word(words: tuple[str, ...], number: t.Any) -> t.Any:
    """The word for a number, or the number itself if a later release has more of them."""
    return words[number] if isinstance(number, int) and 0 <= number < len(words) else number
