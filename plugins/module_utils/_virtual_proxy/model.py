# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""Virtual proxies and related entities with the names of options. Pure, no I/O.

The name of an option is the name of the QRS field in snake_case. Exceptions for values (enumerations, entities that are
given by name) are in convert.py.
"""

from __future__ import annotations

import dataclasses
import functools
import types
import typing as t

from .._keys import certificate as _certificate

Entity = dict[str, t.Any]  # as QRS returns it; only convert.py reads its fields
Options = dict[str, t.Any]  # values by option name

# Enumerations: the position is the number that QRS stores (Qlik QRS API reference, VirtualProxyConfig).
_SAME_SITE = ("no_attribute", "none", "lax", "strict")
ENUMS: dict[str, tuple[str, ...]] = {
    "anonymous_access_mode": ("no_anonymous_user", "allow_anonymous", "always_anonymous"),
    "authentication_method": (
        "ticket",
        "header_static_user_directory",
        "header_dynamic_user_directory",
        "saml",
        "jwt",
        "oidc",
    ),
    "load_balancing_algorithm": ("round_robin", "memory_allocation"),
    "same_site_attribute_https": _SAME_SITE,
    "same_site_attribute_http": _SAME_SITE,
}
MAP_KEYS = ("jwt_attribute", "sense_attribute", "is_mandatory")


_TEXT, _FLAG, _NAMES = {"type": "str"}, {"type": "bool"}, {"type": "list", "elements": "str"}


def _words(name: str) -> dict[str, t.Any]:
    return {"type": "str", "choices": list(ENUMS[name])}


SPEC: dict[str, dict[str, t.Any]] = {
    "prefix": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "description": _TEXT,
    "session_inactivity_timeout": {"type": "int"},
    "session_cookie_header_name": _TEXT,
    "anonymous_access_mode": _words("anonymous_access_mode"),
    "windows_authentication_enabled_device_pattern": _TEXT,
    "authentication_method": {"type": "str", "choices": ["jwt"]},
    # Public. QlikModule hides a private key that was given by mistake.
    "jwt_public_key_certificate": {"type": "str", "no_log": False},
    "jwt_attribute_user_id": _TEXT,
    "jwt_attribute_user_directory": _TEXT,
    "jwt_attribute_map": {
        "type": "list",
        "elements": "dict",
        "options": {
            "jwt_attribute": {"type": "str", "required": True},
            "sense_attribute": {"type": "str", "required": True},
            "is_mandatory": {"type": "bool", "default": False},
        },
    },
    "jwt_audience": _TEXT,
    "load_balancing_server_nodes": _NAMES,
    "use_sticky_load_balancing": _FLAG,
    "load_balancing_algorithm": _words("load_balancing_algorithm"),
    "enable_engine_saturation_check": _FLAG,
    "enable_engine_health_check_data": _FLAG,
    "authentication_module_redirect_uri": _TEXT,
    "session_module_base_uri": _TEXT,
    "load_balancing_module_base_uri": _TEXT,
    "extended_security_environment": _FLAG,
    "session_cookie_domain": _TEXT,
    "session_cookie_custom_path": _TEXT,
    "has_secure_attribute_https": _FLAG,
    "same_site_attribute_https": _words("same_site_attribute_https"),
    "has_secure_attribute_http": _FLAG,
    "same_site_attribute_http": _words("same_site_attribute_http"),
    "additional_response_headers": {"type": "raw"},  # text; from_options converts a dictionary or a list
    "websocket_cross_origin_white_list": {**_NAMES, "aliases": ["host_allow_list"]},
    "tags": _NAMES,
    "custom_properties": {"type": "dict"},
    "proxies": _NAMES,
    "allow_non_jwt": {"type": "bool", "default": False},
    "id": _TEXT,
    "certificate": {"type": "dict"},
}
"""The options of one virtual proxy, except those that change single entries of a list."""
# Options that are not fields of the entity. "id" and "certificate" are added to results.
_BESIDES = ("state", "proxies", "allow_non_jwt", "id", "certificate")
FIELDS = tuple(name for name in SPEC if name not in _BESIDES)


def argument_spec() -> dict[str, dict[str, t.Any]]:
    """Return the options of one virtual proxy, as in the doc fragment sensible.qlik.virtual_proxy."""
    changes: dict[str, dict[str, t.Any]] = {}
    for name, options in LIST_CHANGES.items():
        rules = {"type": "list", "elements": SPEC[name]["elements"]}
        if row := SPEC[name].get("options"):
            # Without defaults, so that values that are not given do not change.
            rules["options"] = {key: {"type": one["type"], "required": "required" in one} for key, one in row.items()}
        changes |= dict.fromkeys(options, rules)
    return SPEC | changes


@functools.cache
def camel_case(name: str) -> str:
    """Return the name of the QRS field for a name in snake_case."""
    head, *tail = name.split("_")
    return head + "".join(map(str.capitalize, tail))


QRS_NAMES = {name: camel_case(name) for name in FIELDS}
NAME_LISTS = frozenset(name for name in (*FIELDS, "proxies") if SPEC[name].get("elements") == "str")
LIST_CHANGES = {
    name: tuple(f"{next(iter(rules.get('aliases', ())), name)}_{change}" for change in ("add", "remove"))
    for name, rules in SPEC.items()
    if rules["type"] == "list"
}
"""By list: the option that adds entries to it and the one that removes entries, named after the alias if it has one."""
TEXTS = tuple(name for name in FIELDS if SPEC[name]["type"] in ("str", "raw") and name not in ENUMS)


class Named(t.NamedTuple):
    """An entity that options refer to by name: a node, a tag, a custom property or the proxy of a node.

    Attributes:
        id: its GUID in lower case.
        name: its name, or its id if it has none.
        host_name: the host name of a node, otherwise empty.
        choices: the possible values of a custom property, empty for any value.
    """

    id: str
    name: str
    host_name: str = ""
    choices: tuple[str, ...] = ()

    def is_called(self, name: str) -> bool:
        """Return True if this is the name, the host name or the id, without regard to case."""
        return bool(name) and name.casefold() in (self.name.casefold(), self.host_name.casefold(), self.id)


class ProxyService(t.NamedTuple):
    """The proxy of a node.

    Attributes:
        id: its GUID in lower case.
        node: its node, with the id of the proxy if the node is unknown.
        links: ids of the virtual proxies in its list. None if the list cannot be read and must not be written.
        nodes: the nodes for load balancing of these virtual proxies.
        is_central: True if its node is the central one.
        raw: the entity, for the write.
    """

    id: str
    node: Named
    links: tuple[str, ...] | None
    nodes: tuple[Named, ...]
    is_central: bool
    raw: Entity


class VirtualProxy(t.NamedTuple):
    """A declared, current or planned virtual proxy.

    Attributes:
        fields: values by option name, including links ("proxies"). A missing option is not managed in a declared
            virtual proxy, and not known in a current one. Only a declared one has options of LIST_CHANGES.
        state: present or absent, if it is declared.
        allow_non_jwt: True if one without JWT can be converted or removed, if it is declared.
        id: its GUID in lower case, if it was read.
        nodes: the nodes for load balancing, if it was read.
        tags: its tags, if it was read.
        hidden: the text in the field of the certificate, if it must not be shown. The option is empty then.
        raw: the entity, for the write.
    """

    fields: Options
    state: str = "present"
    allow_non_jwt: bool = False
    id: str = ""
    nodes: tuple[Named, ...] = ()
    tags: tuple[Named, ...] = ()
    hidden: str = ""
    raw: t.Mapping[str, t.Any] = types.MappingProxyType({})

    @property
    def prefix(self) -> str:
        """Return the prefix in lower case, for comparisons."""
        return str(self.fields.get("prefix") or "").lower()

    @property
    def is_jwt(self) -> bool:
        return self.fields.get("authentication_method") == "jwt"

    @property
    def user_id_claim(self) -> str:
        """Return the name of the claim with the user id."""
        return str(self.fields.get("jwt_attribute_user_id") or "userId")

    @property
    def user_directory_claim(self) -> str:
        """Return the name of the claim with the user directory, or a fixed directory in brackets."""
        return str(self.fields.get("jwt_attribute_user_directory") or "userDirectory")

    @property
    def mandatory_claims(self) -> list[str]:
        """Return the names of the mapped claims without which a token is refused."""
        entries = self.fields.get("jwt_attribute_map") or ()
        return [str(one["jwt_attribute"]) for one in entries if one.get("is_mandatory") and one.get("jwt_attribute")]

    @property
    def cookie_name(self) -> str:
        """Return the name of the session cookie, by default that of a new virtual proxy."""
        return str(self.fields.get("session_cookie_header_name") or default_cookie_name(self.prefix))

    @property
    def allowed_hosts(self) -> list[str]:
        """Return the host allow list."""
        return list(self.fields.get("websocket_cross_origin_white_list") or ())

    @property
    def certificates(self) -> list[_certificate.Certificate]:
        """Return the summary of each certificate in the field, also in one with a chain or a private key."""
        return _certificate.readable(self.hidden or self.fields.get("jwt_public_key_certificate") or "")

    @property
    def certificate(self) -> _certificate.Certificate | None:
        """Return the summary of the first certificate that can be read, which verifies tokens, None for none."""
        return next(iter(self.certificates), None)

    def has_tag(self, tag: str) -> bool:
        """Return True if it has a tag with this name, without regard to case."""
        return tag.casefold() in [name.casefold() for name in self.fields.get("tags", ())]


def default_cookie_name(prefix: str) -> str:
    """Return the cookie name of a new virtual proxy: the default name with the prefix, as in the help of the QMC."""
    return f"X-Qlik-Session-{prefix}"


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """Snapshot of a site.

    Attributes:
        virtual_proxies: at least those with a declared prefix or cookie name.
        proxies: all proxies.
        seen_fields: names of the QRS fields of virtual proxies in the answers.
        nodes, tags, custom_properties: all entities of the site, None if they were not needed. Custom properties are
            those for virtual proxies.
        documented_fields: names of the QRS fields in the API description of the site, empty if it has none, None if
            they were not needed.
        build: the version of the repository, None if it was not needed.
    """

    virtual_proxies: tuple[VirtualProxy, ...]
    proxies: tuple[ProxyService, ...]
    seen_fields: frozenset[str] = frozenset()
    nodes: tuple[Named, ...] | None = None
    tags: tuple[Named, ...] | None = None
    custom_properties: tuple[Named, ...] | None = None
    documented_fields: frozenset[str] | None = None
    build: str | None = None

    @functools.cached_property
    def by_prefix(self) -> dict[str, VirtualProxy]:
        """Return the virtual proxies with their links, by prefix. Those with an unknown prefix are omitted."""
        return {one.prefix: self._with_links(one) for one in self.virtual_proxies if "prefix" in one.fields}

    def _with_links(self, virtual_proxy: VirtualProxy) -> VirtualProxy:
        # A text that was never set may be missing in the entity, although the release has it.
        unset = {name: "" for name in TEXTS if QRS_NAMES[name] in self.fields}
        links = sorted(self._linked_nodes.get(virtual_proxy.id, ()), key=str.casefold)
        return virtual_proxy._replace(fields={**unset, **virtual_proxy.fields, "proxies": links})

    @functools.cached_property
    def _linked_nodes(self) -> dict[str, list[str]]:
        linked: dict[str, list[str]] = {}
        for proxy in self.proxies:
            for identity in proxy.links or ():
                linked.setdefault(identity, []).append(proxy.node.name)
        return linked

    @functools.cached_property
    def fields(self) -> frozenset[str]:
        """Return the names of all known QRS fields of this release."""
        return self.seen_fields | (self.documented_fields or frozenset())

    @functools.cached_property
    def known_nodes(self) -> list[Named]:
        """Return the nodes that were read, and those in other entities."""
        nodes = [*(self.nodes or ()), *(node for one in self.virtual_proxies for node in one.nodes)]
        nodes += [node for one in self.proxies for node in (*one.nodes, one.node)]
        return list({node.id: node for node in nodes}.values())

    @functools.cached_property
    def named_proxies(self) -> list[Named]:
        """Return the proxies with the names of their nodes."""
        return [one.node._replace(id=one.id) for one in self.proxies]

    def after_write(self, identity: str, entity: VirtualProxy | ProxyService | None) -> Snapshot:
        """Return the snapshot with an entity after a write, or without a deleted entity."""
        virtual_proxies = [one for one in self.virtual_proxies if one.id != identity]
        proxies = [one for one in self.proxies if one.id != identity]
        if isinstance(entity, VirtualProxy):
            virtual_proxies.append(entity)
        elif entity:
            proxies.append(entity)
        return dataclasses.replace(self, virtual_proxies=tuple(virtual_proxies), proxies=tuple(proxies))
