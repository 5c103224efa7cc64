# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Synthetic entities: the common values of several entities, and changes to all of them at once."""

from __future__ import annotations

import typing as t

from ..behaviors import Switches
from . import rules
from .bodies import Merger, member, parse_date
from .catalog import TYPES
from .entities import Endpoints
from .refusals import RefusedError, bad
from .schema import EntityType, Field
from .store import Change, from_text
from .views import Row, shown_date

# EVIDENCE(B; public scripts that link virtual proxies and set tags): a list of references is called refList_ and the
# type that it leads to
_LIST = "refList_"


def read(endpoints: Endpoints) -> dict[str, t.Any]:
    """Handle GET synthetic."""
    rows = endpoints.selected()
    dates = [row["modifiedDate"] for row in rows]
    # INVENTED(switch=none): the root of a synthetic entity has no name, always tells what the caller may do, and is
    # null if nothing is selected
    return {
        "schemaPath": "SyntheticRootEntity",
        **_entity(endpoints, endpoints.kind, rows, name=""),
        # EVIDENCE(A; Qlik help "Conflict handling"): latestModifiedDate is the latest date of all that is selected
        "latestModifiedDate": max(dates, default=None),
    }


def write(endpoints: Endpoints, body: t.Any) -> None:
    """Handle PUT synthetic: all entities change, or none.

    Raises:
        RefusedError: 409, one of them is newer than the body says; 400, the body is not valid.
    """
    kind, store = endpoints.kind, endpoints.store
    endpoints.caller.check("update", kind)
    changes = _changes(endpoints, kind, body)
    rows = endpoints.selected()
    _check_date(body, rows, store.view.switches)
    if not changes:
        # INVENTED(switch=none): where nothing is modified, no date moves
        return
    merger = Merger(store, user=endpoints.caller.name, partial=True)
    changed: list[Row] = []
    others: list[Change] = []
    for old in rows:
        sent = {name: change(old) for name, change in changes.items()}
        row = merger.merge(kind, sent, old=old)
        changed.append(rules.check(kind.name, row, old=old, store=store, also=changed))
        others += rules.consequences(kind.name, row, old=old, store=store, user=endpoints.caller.name)
    store.save([*(Change(kind.name, row["id"], row) for row in changed), *others])


def _check_date(body: dict[str, t.Any], rows: list[Row], switches: Switches) -> None:
    # EVIDENCE(A; Qlik help "Conflict handling"): of a selection, the latest modifiedDate decides about a conflict
    # EVIDENCE(B; public scripts): clients send the time of their own clock, or tomorrow
    value = member(body, "latestModifiedDate")
    sent = parse_date(value)
    if value is not None and sent is None:
        raise bad("Could not convert string to DateTime: latestModifiedDate.")
    # INVENTED(switch=none): a missing date is a conflict, as for a single entity
    if rows and (sent is None or sent < max(from_text(shown_date(row["modifiedDate"], switches)) for row in rows)):
        raise RefusedError(409, "The entities were changed by another client.")


# --- What the entities have in common


def _entity(endpoints: Endpoints, kind: EntityType, parts: list[Row], *, name: str) -> dict[str, t.Any]:
    # EVIDENCE(A; QRS API reference, SyntheticRootEntity, SyntheticEntityCondensed): a synthetic entity has children and
    # properties, and a property has value, valueIsDifferent and valueIsModified
    children, properties = [], []
    for field in kind.fields_of(endpoints.store.view.release):
        if field.kind == "object":
            inner = [part.get(field.name) or {} for part in parts]
            child = _entity(endpoints, TYPES[field.target], inner, name=field.name)
            children.append({"schemaPath": "SyntheticEntity", **child})
        elif field.kind not in ("fixed", "guid", "date") and field.name != "modifiedByUserName":
            properties.append(_property(endpoints, field, parts))
    return {
        "name": name,
        "type": kind.schema_path,
        "access": endpoints.caller.privileges(endpoints.kind),
        "children": children,
        "properties": properties,
    }


def _property(endpoints: Endpoints, field: Field, parts: list[Row]) -> dict[str, t.Any]:
    view = endpoints.store.view
    values = [view.value(field, part) for part in parts]
    value: t.Any
    if field.kind == "references":
        different = len({frozenset(ids) for ids in values}) > 1
        common = [one for one in values[0] if all(one in ids for ids in values)] if values else []
        # INVENTED(switch=none): a list of references shows as added what all of the selected have
        value = {"added": common, "removed": []}
    else:
        different = any(one != values[0] for one in values)
        # INVENTED(switch=none): a value is null where the selected entities differ, and secrets are never returned
        value = None if different or not values or field.name == "oidcClientSecret" else values[0]
        if field.kind == "items" and value is not None:
            value = view.items(field, value)
    return {
        "schemaPath": "SyntheticProperty",
        "name": _name(field),
        "value": value,
        "valueIsDifferent": different,
        "valueIsModified": False,
    }


def _name(field: Field) -> str:
    return f"{_LIST}{field.target}" if field.kind == "references" else field.name


# --- What a body changes

_Change = t.Callable[[Row], t.Any]


def _changes(endpoints: Endpoints, kind: EntityType, body: t.Any) -> dict[str, _Change]:
    """Return, by field, a function from the current value to the value in the body of a plain PUT."""
    if not isinstance(body, dict):
        raise bad("The request body is not a synthetic entity.")
    if str(member(body, "type") or kind.schema_path).lower() != kind.schema_path.lower():
        # INVENTED(switch=none): a synthetic entity of another type than the path's is 400
        raise bad(f"The type of the synthetic entity is not {kind.schema_path}.")
    fields = {_name(field).lower(): field for field in kind.fields_of(endpoints.store.view.release)}
    found: dict[str, _Change] = {}
    for child in _objects(body, "children"):
        field = _field(fields, child)
        if field.kind != "object":
            raise bad(f"{field.name} has no properties.")
        inner = _changes(endpoints, TYPES[field.target], child)
        if inner:
            found[field.name] = _part(field, inner)
    for one in _objects(body, "properties"):
        # EVIDENCE(B; public scripts): valueIsModified decides what is written; valueIsDifferent may be missing
        if member(one, "valueIsModified") is True:
            field = _field(fields, one)
            found[field.name] = _value(field, member(one, "value"))
    return found


def _objects(body: dict[str, t.Any], name: str) -> list[dict[str, t.Any]]:
    value = member(body, name) or []
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise bad(f"{name} must be a list of objects.")
    return value


def _field(fields: dict[str, Field], one: dict[str, t.Any]) -> Field:
    name = member(one, "name")
    field = fields.get(name.lower()) if isinstance(name, str) else None
    if field is None:
        # INVENTED(switch=none): a property that is modified, but does not exist, is 400
        raise bad("There is no such property.")
    return field


def _part(field: Field, inner: dict[str, _Change]) -> _Change:
    return lambda row: {name: change(row.get(field.name) or {}) for name, change in inner.items()}


def _value(field: Field, value: t.Any) -> _Change:
    if field.kind == "reference" and isinstance(value, str):
        # EVIDENCE(B; public scripts that change owners): a reference is written as its bare id
        return lambda row: {"id": value}
    if field.kind != "references":
        return lambda row: value
    if not isinstance(value, dict):
        raise bad(f"{_name(field)} must say what is added and removed.")
    added, removed = (_ids(value, name) for name in ("added", "removed"))
    return lambda row: [
        {"id": one} for one in dict.fromkeys([*(row.get(field.name) or ()), *added]) if one not in removed
    ]


def _ids(value: dict[str, t.Any], name: str) -> list[str]:
    # EVIDENCE(B; public scripts): either of `added` and `removed` may be missing
    ids = member(value, name) or []
    if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
        raise bad(f"{name} must be a list of ids.")
    return [one.lower() for one in ids]
