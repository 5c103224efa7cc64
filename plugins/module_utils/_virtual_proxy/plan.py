# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""From a site as read and virtual proxies as declared to the list of writes that leads there. Pure, no I/O."""

from __future__ import annotations

import typing as t

from .._errors import InputError
from .model import (
    ENUMS,
    FIELDS,
    JWT,
    MAP_KEYS,
    QRS_NAMES,
    TEXTS,
    Entity,
    Options,
    comparable,
    require_valid,
    to_options,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterable


Link = tuple[str, str]  # ("id", "<guid>"), or ("prefix", "jwt") for a virtual proxy that does not exist yet


class Snapshot(t.NamedTuple):
    """A site as read.

    Attributes:
        virtual_proxies: full VirtualProxyConfig entities, at least those with a declared prefix or cookie name.
        proxies: full ProxyService entities, all of them.
        nodes, tags, custom_property_definitions: all of the site's, None when nothing needed them.
        fields: names of the fields of a VirtualProxyConfig by the site's own description of its API, empty where it has
            none; None when nothing needed it.
        about: answer of /qrs/about, None when nothing needed it.
    """

    virtual_proxies: list[Entity]
    proxies: list[Entity]
    nodes: list[Entity] | None = None
    tags: list[Entity] | None = None
    custom_property_definitions: list[Entity] | None = None
    fields: list[str] | None = None
    about: Entity | None = None


class Write(t.NamedTuple):
    """One request that changes the site.

    Attributes:
        action: create, update, link or delete.
        subject: the prefix, or for link the name of the proxy's node.
        prefixes: the virtual proxies that it changes something for.
        path: below /qrs/.
        body: what to send. In a link a virtual proxy that does not exist yet stands as {"prefix": ...}.
    """

    action: str
    subject: str
    prefixes: tuple[str, ...]
    path: str
    body: Entity | None = None

    @property
    def key(self) -> tuple[str, str]:
        """The same for two writes that are after the same thing."""
        return self.action, self.subject

    def __str__(self) -> str:
        if self.action == "link":
            return f"set the links of the proxy '{self.subject}'"
        return f"{self.action} the virtual proxy '{self.subject}'"


class Change(t.NamedTuple):
    """What happens to one declared virtual proxy, in the words of our options; an absent one is an empty dict."""

    before: Options
    after: Options


class Plan(t.NamedTuple):
    writes: list[Write]
    changes: list[Change]
    warnings: list[str]


class Guards(t.NamedTuple):
    """What a task must say explicitly, because a mistake would lock people out.

    Attributes:
        signs_in_through: prefix of the virtual proxy that this very connection uses, None for none.
        allow_connection_virtual_proxy: it may be changed nevertheless.
        restore: a value is written even if it cannot be right, because it was there before.
    """

    signs_in_through: str | None = None
    allow_connection_virtual_proxy: bool = False
    restore: bool = False


class Purge(t.NamedTuple):
    """Which virtual proxies go when nobody has declared them: those with JWT.

    Attributes:
        tag: only those with this tag; None for all.
    """

    tag: str | None = None


def purged(snapshot: Snapshot, declared: Iterable[Options], purge: Purge) -> list[Options]:
    """What a purge declares in addition: the absence of each virtual proxy with JWT that is not declared."""
    prefixes = {options["prefix"] for options in declared}
    return [
        {"prefix": prefix, "state": "absent"}
        for prefix, entity in sorted(_by_prefix(snapshot).items())
        if prefix not in prefixes
        and prefix  # the default virtual proxy is out of bounds
        and entity.get("authenticationMethod") == JWT
        and (purge.tag is None or has_tag(to_options(entity), purge.tag))
    ]


def make_plan(snapshot: Snapshot, declared: list[Options], guards: Guards) -> Plan:
    """The writes that lead from the snapshot to what is declared, in an order in which each prefix is safe.

    Create, update, link or unlink (one write a proxy, however many links change), delete.

    Args:
        snapshot: must hold what lookups() asks for.
        declared: normalised options with state (present or absent), one for each prefix.

    Raises:
        InputError: something declared is unknown to this site or release, collides or is guarded.
    """
    site = _Site(snapshot)
    _check_collisions(site, declared)
    upserts: list[Write] = []
    deletes: list[Write] = []
    changes: list[Change] = []
    warnings: list[str] = []
    wanted: dict[str, dict[Link, bool]] = {proxy["id"]: {} for proxy in snapshot.proxies}
    for options in declared:
        prefix = options["prefix"]
        entity = site.by_prefix.get(prefix)
        before = site.options_of(entity) if entity else {}
        tried = f"Tried to plan the virtual proxy '{prefix}'."
        if entity and entity.get("authenticationMethod") != JWT and not options.get("allow_non_jwt"):
            raise InputError(
                tried,
                "It exists, but its authentication method is not JWT.",
                "Choose another prefix, or set allow_non_jwt if you really mean that one.",
            )
        if options["state"] == "absent":
            after: Options = {}
            if entity:
                for links_of_proxy in wanted.values():
                    links_of_proxy["id", entity["id"]] = False
                deletes.append(Write("delete", prefix, (prefix,), f"virtualproxyconfig/{entity['id']}"))
        else:
            site.check_release(tried, options)
            fields = site.resolved(tried, options, entity, before)
            if entity is None or entity.get("authenticationMethod") != JWT:
                fields = _with_first_values(tried, fields, before, warnings)
            after, body = _desired(before, fields, entity, site)
            if not guards.restore:
                require_valid(tried, {name: fields[name] for name, qrs_name in QRS_NAMES.items() if qrs_name in body})
            if "proxies" in options:
                proxies = {proxy["id"]: proxy for proxy in site.proxies_named(tried, options["proxies"])}
                link = ("id", entity["id"]) if entity else ("prefix", prefix)
                for proxy_id, links_of_proxy in wanted.items():
                    links_of_proxy[link] = proxy_id in proxies
                after["proxies"] = _sorted(_node_name(proxy) for proxy in proxies.values())
            if entity is None:
                upserts.append(Write("create", prefix, (prefix,), "virtualproxyconfig", body))
            elif body:
                path = f"virtualproxyconfig/{entity['id']}"
                upserts.append(Write("update", prefix, (prefix,), path, {**entity, **body}))
        if prefix == guards.signs_in_through and before != after and not guards.allow_connection_virtual_proxy:
            raise InputError(
                tried,
                "This very connection signs in through it, so the change could lock you out.",
                "Sign in another way (auth_method: certificate), or set allow_connection_virtual_proxy.",
            )
        changes.append(Change(before, after))
    links = [write for proxy in snapshot.proxies if (write := _link(proxy, wanted[proxy["id"]], site))]
    return Plan([*upserts, *links, *deletes], changes, warnings)


def _check_collisions(site: _Site, declared: list[Options]) -> None:
    """Prefixes are keys, and a cookie name may serve one virtual proxy only (Qlik help, "Creating a virtual proxy")."""
    seen: set[str] = set()
    for options in declared:
        prefix = options["prefix"]
        if prefix in seen:
            raise InputError(
                "Tried to plan the virtual proxies.", f"The prefix '{prefix}' is declared twice.", "Declare it once."
            )
        seen.add(prefix)
    absent = {options["prefix"] for options in declared if options["state"] == "absent"}
    cookies = {
        prefix: entity["sessionCookieHeaderName"] for prefix, entity in site.by_prefix.items() if prefix not in absent
    }
    present = [options for options in declared if options["state"] == "present"]
    for options in present:
        prefix = options["prefix"]
        default = cookies.get(prefix, default_cookie_name(prefix))
        cookies[prefix] = options.get("session_cookie_header_name", default)
    owners: dict[str, list[str]] = {}
    for prefix, name in cookies.items():
        owners.setdefault(name.lower(), []).append(prefix)
    for options in present:
        prefix = options["prefix"]
        others = [other for other in owners[cookies[prefix].lower()] if other != prefix]
        if others:
            owner = f"virtual proxy '{others[0]}'" if others[0] else "default virtual proxy"
            raise InputError(
                f"Tried to plan the virtual proxy '{prefix}'.",
                f"Its session cookie {cookies[prefix]} is already the one of the {owner}.",
                f"Choose another session_cookie_header_name, such as {default_cookie_name(prefix)}.",
            )


def lookups(snapshot: Snapshot, declared: Iterable[Options]) -> list[str]:
    """The attributes of the snapshot that have to be read in addition before the plan can be made.

    Ask again with what was read: some are needed only for what others leave open.
    """
    site = _Site(snapshot)
    needed = set()
    nodes = {name.casefold() for node in site.nodes for name in (node["name"], node["hostName"])}
    for options in declared:
        if options["state"] == "absent":
            continue
        entity = site.by_prefix.get(options["prefix"]) or {}
        if not nodes.issuperset(name.casefold() for name in options.get("load_balancing_server_nodes", ())):
            needed.add("nodes")
        tags = {tag["name"].casefold() for tag in entity.get("tags") or ()}
        if not tags.issuperset(name.casefold() for name in options.get("tags", ())):
            needed.add("tags")
        if "custom_properties" in options:
            properties = to_options(entity).get("custom_properties", {})
            if not _same("custom_properties", options, {"custom_properties": properties}):
                needed.add("custom_property_definitions")
        if site.lacking(options):
            needed.add("fields" if snapshot.fields is None else "about")
    return sorted(name for name in needed if getattr(snapshot, name) is None)


def options_in(snapshot: Snapshot, declared: list[Options]) -> list[Options]:
    """The declared virtual proxies as the snapshot has them; an absent one is an empty dict."""
    site = _Site(snapshot)
    entities = [site.by_prefix.get(options["prefix"]) for options in declared]
    return [site.options_of(entity) if entity else {} for entity in entities]


def all_options(snapshot: Snapshot) -> list[Options]:
    """All virtual proxies of the snapshot, sorted by prefix."""
    site = _Site(snapshot)
    return [site.options_of(entity) for _prefix, entity in sorted(site.by_prefix.items())]


def linked_ids(snapshot: Snapshot) -> set[str]:
    """The ids of the virtual proxies that a proxy has in its list."""
    return {link["id"] for proxy in snapshot.proxies for link in _links(proxy)}


def has_tag(options: Options, tag: str) -> bool:
    """Whether a virtual proxy has a tag; the case of a name means nothing."""
    return tag.casefold() in [name.casefold() for name in options.get("tags", ())]


def _by_prefix(snapshot: Snapshot) -> dict[str, Entity]:
    return {(entity.get("prefix") or "").lower(): entity for entity in snapshot.virtual_proxies}


class _Site:
    """A snapshot with its entities at hand by name."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.by_prefix = _by_prefix(snapshot)
        self._prefixes = {entity["id"]: prefix for prefix, entity in self.by_prefix.items()}
        condensed = [entity for proxy in snapshot.proxies for entity in _links(proxy)]
        self._nodes_linked_to: dict[str, list[str]] = {}
        for proxy in snapshot.proxies:
            for link in _links(proxy):
                self._nodes_linked_to.setdefault(link["id"], []).append(_node_name(proxy))
        seen = [*snapshot.virtual_proxies, *condensed]
        if snapshot.nodes is None:
            nodes = [node for entity in seen for node in entity.get("loadBalancingServerNodes") or ()]
            nodes += [proxy["serverNodeConfiguration"] for proxy in snapshot.proxies]
        else:
            nodes = snapshot.nodes
        self.nodes = list({node["id"]: node for node in nodes}.values())
        # The condensed form is what proxies hold; it has every field but these.
        self.qrs_fields = {name for entity in seen for name in entity} | ({"customProperties"} if seen else set())
        self.qrs_fields.update(snapshot.fields or ())

    def options_of(self, entity: Entity) -> Options:
        """The entity in the words of our options, with its links."""
        # A text that nobody has ever set may be missing in the entity, although the release has it.
        unset = {name: "" for name in TEXTS if QRS_NAMES[name] in self.qrs_fields}
        return {**unset, **to_options(entity), "proxies": _sorted(self._nodes_linked_to.get(entity["id"], ()))}

    def prefix_of(self, link: Link) -> str:
        key, value = link
        return value if key == "prefix" else self._prefixes[value]

    def lacking(self, options: Options) -> list[str]:
        """The declared options whose field this site's release does not know."""
        if not self.qrs_fields:
            return []
        return [name for name in FIELDS if name in options and QRS_NAMES[name] not in self.qrs_fields]

    def check_release(self, tried: str, options: Options) -> None:
        lacking = self.lacking(options)
        if lacking:
            build = (self.snapshot.about or {}).get("buildVersion", "of an unknown version")
            raise InputError(
                tried,
                f"The release of this site (repository build {build}) does not have: {', '.join(lacking)}.",
                "Leave it out for this site, or upgrade Qlik Sense.",
            )

    def resolved(self, tried: str, options: Options, entity: Entity | None, current: Options) -> Options:
        """The declared fields, with nodes, tags and custom properties in the site's own spelling."""
        fields = {name: options[name] for name in FIELDS if name in options}
        if "load_balancing_server_nodes" in fields:
            nodes = _named(tried, "node", fields["load_balancing_server_nodes"], self.nodes, ("name", "hostName"))
            fields["load_balancing_server_nodes"] = _sorted(node["name"] for node in nodes)
        if "tags" in fields and not _same("tags", fields, current):
            tags = _named(tried, "tag", fields["tags"], self.tags(entity), ("name",))
            fields["tags"] = _sorted(tag["name"] for tag in tags)
        if "custom_properties" in fields and not _same("custom_properties", fields, current):
            fields["custom_properties"] = self._custom_properties(tried, fields["custom_properties"])
        return fields

    def tags(self, entity: Entity | None) -> list[Entity]:
        return self.snapshot.tags if self.snapshot.tags is not None else list((entity or {}).get("tags") or ())

    def _custom_properties(self, tried: str, declared: dict[str, list[str]]) -> dict[str, list[str]]:
        resolved = {}
        for name, values in declared.items():
            definition = self.definition(tried, name)
            choices = definition.get("choiceValues") or []
            for value in values:
                if choices and value not in choices:
                    raise InputError(
                        tried,
                        f"The custom property '{definition['name']}' has no value '{value}'.",
                        f"Take one of: {', '.join(choices)}.",
                    )
            resolved[definition["name"]] = sorted(values)
        return {name: resolved[name] for name in sorted(resolved) if resolved[name]}

    def definition(self, tried: str, name: str) -> Entity:
        definitions = [
            definition
            for definition in self.snapshot.custom_property_definitions or ()
            if "VirtualProxyConfig" in definition.get("objectTypes", ("VirtualProxyConfig",))
        ]
        return _named(tried, "custom property for virtual proxies", [name], definitions, ("name",))[0]

    def proxies_named(self, tried: str, names: list[str]) -> list[Entity]:
        nodes = [{**proxy["serverNodeConfiguration"], "proxy": proxy} for proxy in self.snapshot.proxies]
        return [node["proxy"] for node in _named(tried, "proxy", names, nodes, ("name", "hostName"))]


def _named(
    tried: str, what: str, names: list[str], entities: list[Entity], keys: tuple[str, ...]
) -> list[Entity]:  # each entity once, in the order of the names
    found: dict[str, Entity] = {}
    for name in names:
        hits = [
            entity for entity in entities if name.casefold() in [str(entity.get(key, "")).casefold() for key in keys]
        ]
        # A name decides before a host name: a node may be called as another one's host.
        hits = [entity for entity in hits if entity[keys[0]].casefold() == name.casefold()] or hits
        if not hits:
            known = ", ".join(sorted((str(entity[keys[0]]) for entity in entities), key=str.casefold)) or "none at all"
            raise InputError(
                tried, f"This site has no {what} '{name}'.", f"Correct the name or create it; known are: {known}."
            )
        if len(hits) > 1:
            choice = ", ".join(f"{entity['name']} ({entity.get('hostName', entity['id'])})" for entity in hits)
            raise InputError(
                tried, f"The name '{name}' means more than one {what}.", f"Use a name that only one has: {choice}."
            )
        found[hits[0]["id"]] = hits[0]
    return list(found.values())


def _links(proxy: Entity) -> list[Entity]:
    return proxy["settings"].get("virtualProxies") or []


def _sorted(names: Iterable[str]) -> list[str]:
    return sorted(names, key=str.casefold)


def _node_name(proxy: Entity) -> str:
    return str(proxy["serverNodeConfiguration"]["name"])


def _same(name: str, one: Options, other: Options) -> bool:
    return name in other and comparable(name, one[name]) == comparable(name, other[name])


def _with_first_values(tried: str, fields: Options, before: Options, warnings: list[str]) -> Options:
    """The fields of a virtual proxy that is new, or new to JWT, with what it needs and nobody has said."""
    prefix = fields["prefix"]
    if not {**before, **fields}.get("jwt_public_key_certificate"):
        raise InputError(
            tried,
            "It does not exist yet, or not for JWT, and no jwt_public_key_certificate is given to verify tokens with.",
            "Give the PEM text of the certificate whose private key signs the tokens.",
        )
    if not {**before, **fields}.get("load_balancing_server_nodes"):
        warnings.append(
            f"The virtual proxy '{prefix}' has no load_balancing_server_nodes: people can sign in, but not open apps."
        )
    first = {
        "description": prefix,
        "session_cookie_header_name": default_cookie_name(prefix),
        "jwt_attribute_user_id": "userId",
        "jwt_attribute_user_directory": "userDirectory",
    }
    return {**{name: value for name, value in first.items() if not before.get(name)}, **fields}


def default_cookie_name(prefix: str) -> str:
    """The cookie name for a new virtual proxy, as the QMC help suggests: the default one's with the prefix appended."""
    return f"X-Qlik-Session-{prefix}"


def _desired(before: Options, fields: Options, entity: Entity | None, site: _Site) -> tuple[Options, Entity]:
    """What the virtual proxy will be, and the QRS fields that have to be written for it."""
    differing = [name for name in fields if not _same(name, fields, before)]
    after = {**before, **{name: fields[name] for name in differing}}
    if entity is None:
        after.setdefault("proxies", [])
    return after, {QRS_NAMES[name]: _written(name, fields[name], entity or {}, site) for name in differing}


def _written(name: str, value: t.Any, entity: Entity, site: _Site) -> t.Any:
    """A value as QRS takes it. Rows that stay keep their ids, references are given by id."""
    if name in ENUMS:
        return ENUMS[name].index(value)
    if name == "load_balancing_server_nodes":
        return [{"id": node["id"]} for node in site.nodes if node["name"] in value]
    if name == "tags":
        return [{"id": tag["id"]} for tag in site.tags(entity or None) if tag["name"] in value]
    if name == "jwt_attribute_map":
        rows = {tuple(row[key] for key in map(_camel, MAP_KEYS)): row for row in entity.get(QRS_NAMES[name]) or ()}
        return [
            rows.get(tuple(item[key] for key in MAP_KEYS)) or {_camel(key): item[key] for key in MAP_KEYS}
            for item in value
        ]
    if name == "custom_properties":
        items = {(item["definition"]["name"], item["value"]): item for item in entity.get("customProperties") or ()}
        return [
            items.get((key, one)) or {"value": one, "definition": {"id": site.definition("", key)["id"]}}
            for key, values in value.items()
            for one in values
        ]
    return value


def _camel(key: str) -> str:
    head, *tail = key.split("_")
    return head + "".join(word.capitalize() for word in tail)


def _link(proxy: Entity, wanted: dict[Link, bool], site: _Site) -> Write | None:
    """The one write that makes this proxy's list what is wanted, None if it is so already.

    Qlik help, "Virtual proxy: Link": the whole proxy is put, and a bare id is enough for an element.
    """
    current: list[Link] = [("id", link["id"]) for link in _links(proxy)]
    linked = set(current)
    kept = [link for link in current if wanted.get(link, True)]
    new = [link for link, stays in wanted.items() if stays and link not in linked]
    if kept == current and not new:
        return None
    settings = {**proxy["settings"], "virtualProxies": [dict([link]) for link in [*kept, *new]]}
    gone = [link for link in current if not wanted.get(link, True)]
    return Write(
        "link",
        _node_name(proxy),
        tuple(site.prefix_of(link) for link in [*new, *gone]),
        f"proxyservice/{proxy['id']}",
        {**proxy, "settings": settings},
    )
