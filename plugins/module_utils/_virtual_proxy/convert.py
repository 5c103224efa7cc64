# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""Between QRS entities, options, results and diffs, and the types of model.py. Pure, no I/O.

This is the only place that looks into entities of QRS. A field that is missing or of another type than documented is
unknown; a text, list or flag that is null is empty, because releases differ between null, empty and missing.
"""

from __future__ import annotations

import typing as t

from .. import _identifiers
from .._errors import InputError
from .._keys import certificate as _certificate
from .._text import sanitize
from .list_changes import OPTIONS, require_one_way
from .model import (
    ENUMS,
    FIELDS,
    LIST_CHANGES,
    MAP_KEYS,
    NAME_LISTS,
    QRS_NAMES,
    SPEC,
    Entity,
    Named,
    Options,
    ProxyService,
    Snapshot,
    VirtualProxy,
    camel_case,
)

_KINDS: dict[str, type] = {"str": str, "int": int, "bool": bool, "list": list, "dict": list}
_FIELD_KINDS = {name: int if name in ENUMS else _KINDS[SPEC[name]["type"]] for name in FIELDS}


def typed(value: t.Any, kind: type) -> t.Any:
    """Return a value of QRS, None if it has another type than expected."""
    if value is None and kind is not int:
        return kind()
    is_kind = isinstance(value, kind) and not (kind is int and isinstance(value, bool))
    return value if is_kind else None


def values_of(entity: t.Any, kinds: t.Mapping[str, type]) -> Options:
    """Return the known values of an entity under their names in snake_case.

    Args:
        entity: as QRS returns it.
        kinds: the types by name in snake_case.
    """
    entity = entity if isinstance(entity, dict) else {}
    values = {name: typed(entity[field], kind) for name, kind in kinds.items() if (field := camel_case(name)) in entity}
    return {name: value for name, value in values.items() if value is not None}


def word(words: tuple[str, ...], number: int) -> str | int:
    """Return the word for a number, or the number itself if a later release has more of them."""
    return words[number] if 0 <= number < len(words) else number


def objects(value: t.Any) -> list[Entity]:
    """Return the objects in a list of QRS."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def text(entity: t.Any, field: str) -> str:
    """Return a text of an entity, empty if it is unknown."""
    value = entity.get(field) if isinstance(entity, dict) else None
    return value if isinstance(value, str) else ""


def _texts(value: t.Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _id(entity: t.Any) -> str:
    return text(entity, "id").lower()


def last_change(entity: t.Mapping[str, t.Any]) -> str:
    """Return who changed an entity and when, a sentence; empty if that is not known."""
    user, time = (sanitize(text(entity, field)) for field in ("modifiedByUserName", "modifiedDate"))
    return f"It was last changed by {user} at {time or 'an unknown time'}." if user else ""


def named(entities: t.Any) -> tuple[Named, ...]:
    """Return nodes, tags or custom properties. One without an id cannot be addressed and is left out."""
    return tuple(
        Named(
            identity,
            text(one, "name") or text(one, "hostName") or identity,
            text(one, "hostName"),
            tuple(_texts(one.get("choiceValues"))),
        )
        for one in objects(entities)
        if (identity := _id(one))
    )


def custom_properties(entities: t.Any) -> tuple[Named, ...]:
    """Return the custom properties that virtual proxies can have."""
    return named(
        [
            one
            for one in objects(entities)
            if not isinstance(one.get("objectTypes"), list) or "VirtualProxyConfig" in one["objectTypes"]
        ]
    )


def proxy_services(entities: t.Any) -> tuple[ProxyService, ...]:
    """Return proxies. One without an id is left out."""
    return tuple(_proxy_service(one) for one in objects(entities) if _id(one))


def _proxy_service(entity: Entity) -> ProxyService:
    node = entity.get("serverNodeConfiguration")
    host_name = text(node, "hostName")
    links = _links(entity)
    ids = tuple(map(_id, links)) if links is not None else ()
    return ProxyService(
        id=_id(entity),
        node=Named(_id(node) or _id(entity), text(node, "name") or host_name or _id(entity), host_name),
        # An element that cannot be addressed would be lost in a write.
        links=ids if links is not None and all(ids) else None,
        nodes=tuple(one for link in links or () for one in named(link.get("loadBalancingServerNodes"))),
        raw=entity,
    )


def _links(entity: Entity) -> list[Entity] | None:
    """Return the virtual proxies in the list of a proxy, None if they are unknown."""
    settings = entity.get("settings")
    # Not even a null counts as an empty list: a write would lose the links of others.
    links = settings.get("virtualProxies") if isinstance(settings, dict) else None
    return links if isinstance(links, list) and len(objects(links)) == len(links) else None


def virtual_proxies(entities: t.Any) -> tuple[VirtualProxy, ...]:
    """Return virtual proxies without their links. One without an id is left out."""
    return tuple(_virtual_proxy(one) for one in objects(entities) if _id(one))


def _virtual_proxy(entity: Entity) -> VirtualProxy:
    entity_values = values_of(entity, _FIELD_KINDS)
    # The default one may lack it.
    fields = {} if "prefix" in entity else {"prefix": ""}
    fields |= {name: _read(name, value) for name, value in entity_values.items()}
    return VirtualProxy(
        fields,
        id=_id(entity),
        nodes=named(entity.get("loadBalancingServerNodes")),
        tags=named(entity.get("tags")),
        raw=entity,
    )


def labels(entity: Entity) -> Options:
    """Return tags and custom properties of any entity, in the form that virtual proxies have them."""
    found = values_of(entity, {"tags": list, "custom_properties": list})
    return {name: _read(name, value) for name, value in found.items()}


def _read(name: str, value: t.Any) -> t.Any:
    """Return a value of QRS, of the right type, in the option vocabulary."""
    if name in ENUMS:
        return word(ENUMS[name], value)
    if name in ("load_balancing_server_nodes", "tags"):
        return sorted((one.name for one in named(value)), key=str.casefold)
    if name == "custom_properties":
        properties: dict[str, list[str]] = {}
        for key, one in sorted(_property_rows(value)):
            properties.setdefault(key, []).append(one)
        return properties
    if name == "jwt_attribute_map":
        return [dict(zip(MAP_KEYS, key, strict=True)) for key in _attribute_rows(value)]
    if name == "jwt_public_key_certificate" and _certificate.is_private_key(value):
        return ""  # the wrong file was pasted into the QMC; it must not travel any further
    if name in NAME_LISTS:
        return _texts(value)
    return value


def _attribute_rows(value: t.Any) -> dict[tuple[str, str, bool], Entity]:
    """Return the rows of an attribute mapping by their values; an unknown value counts as empty."""
    return {
        (text(row, "jwtAttribute"), text(row, "senseAttribute"), row.get("isMandatory") is True): row
        for row in objects(value)
    }


def _property_rows(value: t.Any) -> dict[tuple[str, str], Entity]:
    """Return the values of custom properties by name and value; one that is unknown is left out."""
    rows = {(text(row.get("definition"), "name"), text(row, "value")): row for row in objects(value)}
    return {key: row for key, row in rows.items() if all(key)}


def snapshot(virtual_proxy_entities: list[Entity], proxy_entities: list[Entity]) -> Snapshot:
    """Return a site as read."""
    condensed = [link for one in proxy_entities for link in _links(one) or ()]
    seen = {name for entity in (*virtual_proxy_entities, *condensed) for name in entity}
    return Snapshot(
        virtual_proxies(virtual_proxy_entities),
        proxy_services(proxy_entities),
        # The condensed form is what proxies hold; it has every field but these.
        seen_fields=frozenset(seen | {"customProperties"} if seen else ()),
    )


def documented_fields(document: t.Any) -> frozenset[str]:
    """Return the fields of a VirtualProxyConfig by the OpenAPI document of a site, none where it does not tell.

    What the document looks like on each release is not known.
    """
    for path in (("components", "schemas"), ("definitions",)):
        part = document
        for name in (*path, "VirtualProxyConfig", "properties"):
            part = part.get(name) if isinstance(part, dict) else None
        if isinstance(part, dict):
            return frozenset(part)
    return frozenset()


def to_qrs(name: str, value: t.Any, current: VirtualProxy | None, known: t.Iterable[Named] = ()) -> t.Any:
    """Return the value of an option as QRS takes it. Rows that stay keep their ids, references are given by id.

    Args:
        name: the option.
        value: its value, with names as the site spells them.
        current: the virtual proxy that it is for, None for a new one.
        known: the nodes, tags or custom properties that the value names.
    """
    held = current.raw.get(QRS_NAMES[name]) if current else None
    ids = {one.name: one.id for one in known}
    if name in ENUMS:
        return ENUMS[name].index(value)
    if name in ("load_balancing_server_nodes", "tags"):
        return [{"id": one.id} for one in known]  # two nodes may have the same name
    if name == "jwt_attribute_map":
        rows = _attribute_rows(held)
        wanted = [tuple(item[key] for key in MAP_KEYS) for item in value]
        return [rows.get(key) or dict(zip(map(camel_case, MAP_KEYS), key, strict=True)) for key in wanted]
    if name == "custom_properties":
        items = _property_rows(held)
        pairs = [(key, one) for key, values in value.items() for one in values]
        return [items.get(pair) or {"value": pair[1], "definition": {"id": ids[pair[0]]}} for pair in pairs]
    return value


def put_body(current: VirtualProxy, fields: Entity) -> Entity:
    """Return the whole entity as read, with its modifiedDate and these QRS fields."""
    return {**current.raw, **fields}


def links_body(proxy: ProxyService, links: list[dict[str, str]]) -> Entity:
    """Return the whole proxy as read, with this list of virtual proxies."""
    return {**proxy.raw, "settings": {**proxy.raw["settings"], "virtualProxies": links}}


def from_options(declared: t.Mapping[str, t.Any]) -> tuple[VirtualProxy, list[str]]:
    """Return a declared virtual proxy in the form in which it is compared and sent, and warnings.

    Values that only matter where they are written are left to validate.py: what a site holds already can be fed back,
    whatever stored it there.

    Args:
        declared: values of options; others than those of a virtual proxy are left out, and None is not managed.

    Raises:
        InputError: the default virtual proxy is meant, a list is given beside a change of it, or there is a private key
            where the certificate belongs.
    """
    given = declared["prefix"]
    fields = {name: declared[name] for name in (*FIELDS, "proxies", *OPTIONS) if declared.get(name) is not None}
    require_one_way(declared)
    fields |= {"prefix": given.lower(), "authentication_method": "jwt"}
    warnings: list[str] = []
    if not given:
        _identifiers.prefix(given)
    if given != fields["prefix"]:
        warnings.append(
            f"The prefix {given!r} will be {fields['prefix']!r}: Qlik Sense keeps prefixes in lower case, "
            "and tokens must be sent to that one."
        )
    if "custom_properties" in fields:
        fields["custom_properties"] = {
            str(name): [str(value) for value in (values if isinstance(values, list) else [values])]
            for name, values in fields["custom_properties"].items()
        }
    if pem := fields.get("jwt_public_key_certificate"):
        _certificate.refuse_private_key(pem)
        if _certificate.fingerprint(pem):
            # Sent in the usual form, whatever a clipboard made of it: what QRS does to other forms is not known.
            fields["jwt_public_key_certificate"] = _certificate.pem_of(pem)
    warnings += [
        f"{name} names the claim 'sub'. It is reported to work, but Qlik's article asks for names which are not "
        "reserved for JSON Web Tokens."
        for name in ("jwt_attribute_user_id", "jwt_attribute_user_directory")
        if fields.get(name) == "sub"
    ]
    state, allow_non_jwt = declared.get("state") or "present", bool(declared.get("allow_non_jwt"))
    return VirtualProxy(fields, state=state, allow_non_jwt=allow_non_jwt), warnings


def from_settings(settings: t.Any) -> VirtualProxy:
    """Return a virtual proxy with the settings that are known of it, given as options or as a result.

    Args:
        settings: values of options. None is not known.

    Raises:
        InputError: it is not a dictionary, or its attribute mapping is not a list of entries.
    """
    from .._proxies import names  # compiled only where it is needed: most tasks take options

    hint = "Give what jwt_virtual_proxy takes or returns."
    if not isinstance(settings, t.Mapping):
        raise InputError("The option virtual_proxy is not a dictionary.", hint=hint)
    known = {str(name): value for name, value in settings.items() if value is not None}
    if "virtual_proxy" in known:
        raise InputError(
            "The option virtual_proxy holds a virtual proxy, as the result of a module does.",
            hint="Give that one alone.",
        )
    if changes := [name for pair in LIST_CHANGES.values() for name in pair if name in known]:
        raise InputError(
            f"The virtual proxy has {changes[0]}, and its whole list is not known here.",
            hint="Give what jwt_virtual_proxies or virtual_proxy_info returned.",
        )
    if "host_allow_list" in known:
        known.setdefault("websocket_cross_origin_white_list", known.pop("host_allow_list"))
    entries = known.get("jwt_attribute_map", [])
    if not isinstance(entries, (list, tuple)) or not all(isinstance(one, t.Mapping) for one in entries):
        raise InputError("jwt_attribute_map of the virtual proxy is not a list of dictionaries.", hint=hint)
    lists = [name for name in ("websocket_cross_origin_white_list", "proxies") if name in known]
    return VirtualProxy(known | {name: names(known[name]) for name in lists})


def comparison_key(name: str, value: t.Any) -> t.Any:
    """Return the form in which two values of an option are equal if and only if they mean the same to Qlik."""
    if name == "jwt_public_key_certificate":
        return _certificate.fingerprint(value) or value.strip()
    if name == "jwt_attribute_map":
        return sorted(tuple(item[key] for key in MAP_KEYS) for item in value)
    if name == "custom_properties":
        return {key.casefold(): sorted(values) for key, values in value.items() if values}
    if name in NAME_LISTS:  # neither the order nor the case of names matters
        return sorted({item.casefold() for item in value})
    if name == "additional_response_headers":
        return [line.strip() for line in value.splitlines() if line.strip()]
    if name == "prefix":
        return value.casefold()
    return value


def same(name: str, one: Options, other: Options) -> bool:
    """Return True if both have a value of the option, and it means the same to Qlik."""
    return name in one and name in other and comparison_key(name, one[name]) == comparison_key(name, other[name])


def to_result(virtual_proxy: VirtualProxy | None) -> Options:
    """Return a virtual proxy with the summary of its certificate, as results show it; empty for an absent one."""
    if virtual_proxy is None:
        return {}
    identity = {"id": virtual_proxy.id} if virtual_proxy.id else {}
    return {**virtual_proxy.fields, **identity, "certificate": virtual_proxy.certificate}


def to_diff(virtual_proxy: VirtualProxy | None) -> Options:
    """Return a virtual proxy as a diff shows it: with its certificate on one line; empty for an absent one."""
    if virtual_proxy is None:
        return {}
    shown = dict(virtual_proxy.fields)
    if certificate := virtual_proxy.certificate:
        shown["jwt_public_key_certificate"] = (
            f"{certificate['subject']}, expires {certificate['not_after']}, SHA-256 {certificate['fingerprint_sha256']}"
        )
    return shown
