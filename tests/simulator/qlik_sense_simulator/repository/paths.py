# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Property paths such as settings.virtualProxies.prefix: from a row to the values at the end of the path."""

from __future__ import annotations

import dataclasses
import typing as t

from .catalog import TYPES
from .schema import EntityType, Field
from .store import Store
from .views import Row

_DEEPEST = 8
_LEAVES = ("text", "texts", "flag", "number", "enum", "guid", "date")


class PathError(ValueError):
    """A path that does not exist."""


@dataclasses.dataclass(frozen=True)
class Path:
    """A property path of an entity.

    Args:
        field: the field at its end.
        values: returns the values of a row: one for each element of the lists on the path; None for missing values.
    """

    field: Field
    values: t.Callable[[Row], t.Iterator[t.Any]]


def resolve(kind: EntityType, text: str, store: Store) -> Path:
    """Return the path of a dotted name.

    Args:
        kind: the type at its start.
        text: names of fields in any case, joined by dots.
        store: for the entities that references lead to.

    Raises:
        PathError: the field does not exist, or has no value of its own.
    """
    # EVIDENCE(A; Qlik help "Filtering"; B; qrspy, gitoqlok, DSC): names of properties may be in any case, and dots lead
    # through objects and lists
    fields: list[Field] = []
    names = text.split(".")
    if len(names) > _DEEPEST:
        raise PathError(text)
    for name in names:
        field = kind.find(name, store.view.release) if kind else None
        if field is None:
            raise PathError(text)
        fields.append(field)
        kind = TYPES.get(field.target)  # type: ignore[assignment]
    if fields[-1].kind not in _LEAVES:
        raise PathError(text)
    return Path(field=fields[-1], values=lambda row: _walk(row, fields, store))


def custom_property(kind: EntityType, name: str, store: Store) -> Path:
    """Return the path to the values of a custom property."""
    values = resolve(kind, "customProperties.value", store)
    definitions = {row["id"] for row in store.rows("CustomPropertyDefinition") if row["name"].lower() == name.lower()}
    if not definitions:
        raise PathError(name)
    return dataclasses.replace(
        values,
        values=lambda row: (item["value"] for item in row["customProperties"] if item["definition"] in definitions),
    )


def _walk(row: Row, fields: t.Sequence[Field], store: Store) -> t.Iterator[t.Any]:
    field, rest = fields[0], fields[1:]
    value = store.view.value(field, row)
    if field.kind == "object":
        # Parts have the identifier and the dates of their entity.
        head = {name: row.get(name) for name in ("id", "createdDate", "modifiedDate", "modifiedByUserName")}
        yield from _walk({**value, **head}, rest, store)
    elif field.kind in ("reference", "references"):
        for entity_id in value if field.kind == "references" else [value]:
            target = store.row(field.target, entity_id) if entity_id else None
            if target is not None:
                yield from _walk(target, rest, store)
    elif field.kind == "items":
        for item in value:
            yield from _walk(item, rest, store)
    elif field.kind == "texts":
        yield from value
    else:
        # A string that was never set is an empty string in responses.
        yield "" if value is None and field.late else value
