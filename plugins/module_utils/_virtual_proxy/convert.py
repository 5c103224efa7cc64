# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""Convert between QRS entities, options, results and diffs, and the types of model.py. Pure, no I/O.

No other module reads entities of QRS. A field that is missing or has another type than documented is unknown. A text,
list or flag that is null is empty, because releases differ between null, empty and missing.
"""

from __future__ import annotations

import typing as t

from .. import _identifiers
from .._errors import InputError, about
from .._keys import certificate as _certificate
from .._text import sanitize
from .header_lines import header_lines
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

_KINDS: dict[str, type] = {"str": str, "raw": str, "int": int, "bool": bool, "list": list, "dict": list}
# The condensed form of a node has no isCentral, but its roles, and the central node has all of them.
_LICENSE_ROLE = 1
_CERTIFICATE = QRS_NAMES["jwt_public_key_certificate"]
_FIELD_KINDS = {name: int if name in ENUMS else _KINDS[SPEC[name]["type"]] for name in FIELDS}


def typed(value: t.Any, kind: type) -> t.Any:
    """Return a value of QRS, None if it has another type than expected."""
    if value is None and kind is not int:
        return kind()
    is_kind = isinstance(value, kind) and not (kind is int and isinstance(value, bool))
    return value if is_kind else None


def values_of(entity: t.Any, kinds: t.Mapping[str, type]) -> Options:
    """Return the known values of an entity by their names in snake_case.

    Args:
        entity: as QRS returns it.
        kinds: the types by name in snake_case.
    """
    entity = entity if isinstance(entity, dict) else {}
    values = {name: typed(entity[field], kind) for name, kind in kinds.items() if (field := camel_case(name)) in entity}
    return {name: value for name, value in values.items() if value is not None}


def word(words: tuple[str, ...], number: int) -> str | int:
    """Return the word for a number, or the number itself if it is of a later release."""
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
    """Return a sentence with user and time of the last change of an entity, empty if they are not known."""
    user, time = (sanitize(text(entity, field)) for field in ("modifiedByUserName", "modifiedDate"))
    return f"It was last changed by {user} at {time or 'an unknown time'}." if user else ""


def named(entities: t.Any) -> tuple[Named, ...]:
    """Return nodes, tags or custom properties. Entities without an id cannot be addressed and are omitted."""
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
    """Return proxies. Entities without an id are omitted."""
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
        is_central=any(role.get("definition") == _LICENSE_ROLE for role in objects(node.get("roles")))
        if isinstance(node, dict)
        else False,
        raw=entity,
    )


def _links(entity: Entity) -> list[Entity] | None:
    """Return the virtual proxies in the list of a proxy, None if they are unknown."""
    settings = entity.get("settings")
    # A null does not count as an empty list, because a write could lose links of others.
    links = settings.get("virtualProxies") if isinstance(settings, dict) else None
    return links if isinstance(links, list) and len(objects(links)) == len(links) else None


def linked(proxy: ProxyService) -> tuple[VirtualProxy, ...]:
    """Return the virtual proxies in the list of a proxy, without custom properties."""
    return virtual_proxies(_links(proxy.raw) or ())


def virtual_proxies(entities: t.Any) -> tuple[VirtualProxy, ...]:
    """Return virtual proxies without their links. Entities without an id are omitted."""
    return tuple(_virtual_proxy(one) for one in objects(entities) if _id(one))


def _virtual_proxy(entity: Entity) -> VirtualProxy:
    entity_values = values_of(entity, _FIELD_KINDS)
    # It may be missing for the default virtual proxy.
    fields = {} if "prefix" in entity else {"prefix": ""}
    fields |= {name: _read(name, value) for name, value in entity_values.items()}
    return VirtualProxy(
        fields,
        id=_id(entity),
        nodes=named(entity.get("loadBalancingServerNodes")),
        tags=named(entity.get("tags")),
        hidden="" if fields.get("jwt_public_key_certificate") else text(entity, _CERTIFICATE),
        raw=entity,
    )


def labels(entity: Entity) -> Options:
    """Return tags and custom properties of any entity, in the same format as for virtual proxies."""
    found = values_of(entity, {"tags": list, "custom_properties": list})
    return {name: _read(name, value) for name, value in found.items()}


def _read(name: str, value: t.Any) -> t.Any:
    """Return a value of QRS of the expected type as the value of its option."""
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
    if name == "jwt_public_key_certificate" and not _certificate.is_public(value):
        return ""  # a private key or another text was pasted into the QMC; it must not be returned
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
    """Return the values of custom properties by name and value. Unknown ones are omitted."""
    rows = {(text(row.get("definition"), "name"), text(row, "value")): row for row in objects(value)}
    return {key: row for key, row in rows.items() if all(key)}


def snapshot(virtual_proxy_entities: list[Entity], proxy_entities: list[Entity]) -> Snapshot:
    """Return the snapshot of a site."""
    condensed = [link for one in proxy_entities for link in _links(one) or ()]
    seen = {name for entity in (*virtual_proxy_entities, *condensed) for name in entity}
    return Snapshot(
        virtual_proxies(virtual_proxy_entities),
        proxy_services(proxy_entities),
        # Proxies contain the condensed form, which has all fields except this one.
        seen_fields=frozenset(seen | {"customProperties"} if seen else ()),
    )


def documented_fields(document: t.Any) -> frozenset[str]:
    """Return the fields of a VirtualProxyConfig in the OpenAPI document of a site, empty if it has none.

    The format of the document in each release is not known.
    """
    for path in (("components", "schemas"), ("definitions",)):
        part = document
        for name in (*path, "VirtualProxyConfig", "properties"):
            part = part.get(name) if isinstance(part, dict) else None
        if isinstance(part, dict):
            return frozenset(part)
    return frozenset()


def to_qrs(name: str, value: t.Any, current: VirtualProxy | None, known: t.Iterable[Named] = ()) -> t.Any:
    """Return the value of an option for QRS. Existing rows keep their ids, references are given by id.

    Args:
        name: the option.
        value: its value, with names in the spelling of the site.
        current: the current virtual proxy, None for a new one.
        known: the nodes, tags or custom properties in the value.
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
    """Return the whole current entity, with its modifiedDate and these QRS fields."""
    return {**current.raw, **fields}


def links_body(proxy: ProxyService, links: list[dict[str, str]]) -> Entity:
    """Return the whole current proxy with this list of virtual proxies."""
    return {**proxy.raw, "settings": {**proxy.raw["settings"], "virtualProxies": links}}


def from_options(declared: t.Mapping[str, t.Any]) -> tuple[VirtualProxy, list[str]]:
    """Return a declared virtual proxy in the form in which it is compared and sent, and warnings.

    Values that matter only if they are written are checked in validate.py, so that all current values of a site are
    accepted as input.

    Args:
        declared: values of options; options that do not belong to a virtual proxy are ignored, and None is not managed.

    Raises:
        InputError: it is the default virtual proxy, a list and a change of the same list are given, or there is a
            private key instead of the certificate.
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
            f"The prefix {given!r} becomes {fields['prefix']!r}, because Qlik Sense stores prefixes in lower case. "
            "Tokens must be sent to that prefix."
        )
    if "custom_properties" in fields:
        fields["custom_properties"] = {
            str(name): [str(value) for value in (values if isinstance(values, list) else [values])]
            for name, values in fields["custom_properties"].items()
        }
    if "additional_response_headers" in fields:
        fields["additional_response_headers"] = header_lines(fields["additional_response_headers"])
    if pem := fields.get("jwt_public_key_certificate"):
        with about("jwt_public_key_certificate"):
            _certificate.refuse_private_key(pem)
        if _certificate.fingerprint(pem):
            # Sent in the normalized form, because it is not known how QRS handles other forms.
            fields["jwt_public_key_certificate"] = _certificate.pem_of(pem)
    warnings += [
        f"{name} is the claim 'sub'. It is reported to work, but Qlik's article requires names that are not reserved "
        "for JSON Web Tokens."
        for name in ("jwt_attribute_user_id", "jwt_attribute_user_directory")
        if fields.get(name) == "sub"
    ]
    state, allow_non_jwt = declared.get("state") or "present", bool(declared.get("allow_non_jwt"))
    return VirtualProxy(fields, state=state, allow_non_jwt=allow_non_jwt), warnings


def from_settings(settings: t.Any) -> VirtualProxy:
    """Return a virtual proxy with its known settings, given as options or as a result.

    Args:
        settings: values of options. None means that a value is not known.

    Raises:
        InputError: it is not a dictionary, or its attribute mapping is not a list of entries.
    """
    from .._proxies import names  # imported only if needed, because it adds to the start-up time

    hint = "Give options or a result of jwt_virtual_proxy."
    if not isinstance(settings, t.Mapping):
        raise InputError("The option virtual_proxy is not a dictionary.", hint=hint)
    known = {str(name): value for name, value in settings.items() if value is not None}
    if "virtual_proxy" in known:
        raise InputError(
            "The option virtual_proxy is the whole result of a module.",
            hint="Give only the virtual_proxy in it.",
        )
    if changes := [name for pair in LIST_CHANGES.values() for name in pair if name in known]:
        raise InputError(
            f"The virtual proxy has {changes[0]}, but its whole list is not known here.",
            hint="Give the result of jwt_virtual_proxies or virtual_proxy_info.",
        )
    if "additional_response_headers" in known:
        known["additional_response_headers"] = header_lines(known["additional_response_headers"])
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
    """Return a virtual proxy with the summary of its certificate for results, empty for an absent one."""
    if virtual_proxy is None:
        return {}
    others: Options = {"id": virtual_proxy.id} if virtual_proxy.id else {}
    if virtual_proxy.hidden:
        others["jwt_public_key_certificate"] = None  # as an option, it does not change the field
    return {**virtual_proxy.fields, **others, "certificate": virtual_proxy.certificate}


def to_diff(virtual_proxy: VirtualProxy | None) -> Options:
    """Return a virtual proxy for a diff, with its certificate on one line, empty for an absent one."""
    if virtual_proxy is None:
        return {}
    shown = dict(virtual_proxy.fields)
    certificate = virtual_proxy.certificate
    if certificate and _certificate.fingerprint(shown.get("jwt_public_key_certificate")):
        shown["jwt_public_key_certificate"] = (
            f"{certificate['subject']}, expires {certificate['not_after']}, SHA-256 {certificate['fingerprint_sha256']}"
        )
    return shown
