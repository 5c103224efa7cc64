# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""Resolve names in options to the nodes, tags and custom properties of a site. Pure, no I/O."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Sequence

from .._errors import InputError, about
from .._text import sanitize
from .convert import same
from .list_changes import OPTIONS, entry_key, with_whole_lists
from .model import FIELDS, LIST_CHANGES, QRS_NAMES, Named, Options, Snapshot, VirtualProxy

References = dict[str, list[Named]]  # by option


def find(what: str, names: Iterable[str], entities: Sequence[Named]) -> list[Named]:
    """Return the entities with these names or host names, without duplicates and in the order of the names.

    Raises:
        InputError: a name is unknown or ambiguous.
    """
    found: dict[str, Named] = {}
    for name in names:
        one = _match(what, name, entities)
        if one is None:
            names = sanitize(", ".join(sorted((one.name for one in entities), key=str.casefold)), 500)
            known = names or "none at all"
            raise InputError(
                f"This site has no {what} '{name}'.", hint=f"Correct the name or create it; known are: {known}."
            )
        found[one.id] = one
    return list(found.values())


def _match(what: str, name: str, entities: Iterable[Named]) -> Named | None:
    """Return the entity with this name or host name, None if there is none.

    Raises:
        InputError: the name is ambiguous.
    """
    hits = [one for one in entities if one.is_called(name)]
    # A name takes precedence over a host name, because the name of a node may be the host name of another one.
    hits = [one for one in hits if one.name.casefold() == name.casefold()] or hits
    if len(hits) > 1:
        choice = ", ".join(f"{one.name} ({one.host_name or one.id})" for one in hits)
        raise InputError(f"The name '{name}' matches more than one {what}.", hint=f"Use a unique name: {choice}.")
    return hits[0] if hits else None


def whole_lists(snapshot: Snapshot, declared: VirtualProxy) -> VirtualProxy:
    """Return the declaration with whole lists: those of the site with the declared changes. Current nodes are ids.

    Raises:
        InputError: the same entry is added and removed, the name of a node is ambiguous, or the list of the site cannot
            be read.
    """
    if declared.state == "absent" or not any(option in declared.fields for option in OPTIONS):
        return declared
    current = snapshot.by_prefix.get(declared.prefix)
    held: Options = dict.fromkeys(LIST_CHANGES, ())
    if current:
        ids = {
            "proxies": [proxy.id for proxy in snapshot.proxies if current.id in (proxy.links or ())],
            "load_balancing_server_nodes": [node.id for node in current.nodes],
        }
        held = {name: ids.get(name, value) for name, value in current.fields.items()}
    entities = {"proxies": snapshot.named_proxies, "load_balancing_server_nodes": snapshot.known_nodes}

    def key(name: str, entry: t.Any) -> t.Any:
        node = _match("node", entry, entities[name]) if name in entities else None
        return node.id if node else entry_key(name, entry)

    with about(f"Virtual proxy '{declared.prefix}'"):
        fields = with_whole_lists(declared.fields, held, key)
        if unread := [option for option in OPTIONS if option in fields]:
            raise InputError(
                f"The list for {unread[0]} cannot be read, so a write could lose entries.",
                hint="Check this virtual proxy in the QMC.",
            )
    return declared._replace(fields=fields)


def resolve(snapshot: Snapshot, declared: VirtualProxy, current: VirtualProxy | None) -> tuple[Options, References]:
    """Return the declared fields in the spelling of the site, and the entities that they refer to.

    Args:
        snapshot: must contain the results of missing_lookups.
        declared: the declaration, with whole lists.
        current: the current virtual proxy.

    Raises:
        InputError: the site or its release does not have a declared entity or option.
    """
    require_release(snapshot, declared)
    held = current.fields if current else {}
    fields = {name: value for name, value in declared.fields.items() if name in FIELDS}
    references: References = {}
    tags = current.tags if snapshot.tags is None and current else snapshot.tags or ()
    for name, what, known in (
        ("load_balancing_server_nodes", "node", snapshot.known_nodes),
        ("tags", "tag", tags),
        ("custom_properties", "custom property for virtual proxies", snapshot.custom_properties or ()),
    ):
        if name not in fields or same(name, fields, held):
            continue
        references[name] = find(what, fields[name], known)
        if name == "custom_properties":
            fields[name] = _custom_properties(fields[name], references[name])
        else:
            fields[name] = sorted((one.name for one in references[name]), key=str.casefold)
    return fields, references


def _custom_properties(declared: dict[str, list[str]], definitions: list[Named]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for name, definition in ((name, one) for name in declared for one in definitions if one.is_called(name)):
        for value in declared[name]:
            if definition.choices and value not in definition.choices:
                raise InputError(
                    f"The custom property '{definition.name}' has no value '{value}'.",
                    hint=f"Use one of: {', '.join(definition.choices)}.",
                )
        values[definition.name] = sorted(declared[name])
    return {name: values[name] for name in sorted(values) if values[name]}


def _unknown_fields(snapshot: Snapshot, declared: VirtualProxy) -> list[str]:
    """Return the declared options whose field is not known to exist in the release of the site."""
    known = snapshot.fields
    return [name for name in FIELDS if known and name in declared.fields and QRS_NAMES[name] not in known]


def require_release(snapshot: Snapshot, declared: VirtualProxy) -> None:
    """Raise if the release of the site does not have a declared option.

    Raises:
        InputError: as above.
    """
    if unknown := _unknown_fields(snapshot, declared):
        build = snapshot.build or "of an unknown version"
        raise InputError(
            f"The release of this site (repository build {build}) does not have: {', '.join(unknown)}.",
            hint="Omit it for this site, or upgrade Qlik Sense.",
        )


def missing_lookups(snapshot: Snapshot, declared: Iterable[VirtualProxy]) -> list[str]:
    """Return the attributes of the snapshot that must still be read before the plan can be made.

    Call it again with the new snapshot, because some are needed only if others do not contain a name.

    Args:
        snapshot: the current snapshot.
        declared: the declaration, with whole lists.
    """
    needed = set()
    for one in declared:
        if one.state == "absent":
            continue
        current = snapshot.by_prefix.get(one.prefix)
        held, fields = current.fields if current else {}, one.fields
        if not all(
            any(node.is_called(name) for node in snapshot.known_nodes)
            for name in fields.get("load_balancing_server_nodes", ())
        ):
            needed.add("nodes")
        if not all(current and current.has_tag(name) for name in fields.get("tags", ())):
            needed.add("tags")
        held = {"custom_properties": {}, **held}
        if "custom_properties" in fields and not same("custom_properties", fields, held):
            needed.add("custom_properties")
        if _unknown_fields(snapshot, one):
            needed.add("documented_fields" if snapshot.documented_fields is None else "build")
    return sorted(name for name in needed if getattr(snapshot, name) is None)
