# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rows in the formats of responses: full or condensed, with references resolved and the fields of the release."""

from __future__ import annotations

import typing as t

from ..behaviors import Switches
from ..releases import Release
from .catalog import TYPES
from .schema import EntityType, Field

Row = dict[str, t.Any]
Find = t.Callable[[str, str], "Row | None"]
_MASK = "********"
_OMIT = object()


class View:
    """Converts rows to entities.

    Args:
        release: decides which fields entities have.
        switches: decide the format of unset values.
        find: returns the row of a type and an identifier.
    """

    def __init__(self, *, release: Release, switches: Switches, find: Find) -> None:
        self.release = release
        self.switches = switches
        self._find = find

    def full(self, kind: str, row: Row, *, privileges: list[str] | None = None) -> dict[str, t.Any]:
        """Return the entity with all its fields.

        Args:
            kind: the name of its type.
            row: its row.
            privileges: the privileges of the caller, None if the query does not ask for them.
        """
        return self._entity(TYPES[kind], row, condensed=False, privileges=privileges)

    def condensed(self, kind: str, row: Row, *, privileges: list[str] | None = None) -> dict[str, t.Any]:
        """Return the entity in the short format of lists and references."""
        return self._entity(TYPES[kind], row, condensed=True, privileges=privileges)

    def value(self, field: Field, row: Row) -> t.Any:
        """Return the value of a field in a row. Rows of an older release have the default."""
        value = row.get(field.name, field.default)
        return [] if field.kind in ("texts", "references", "items") and not value else value

    def items(self, field: Field, value: list[Row]) -> list[dict[str, t.Any]]:
        """Return the elements of a list that belong to one entity alone."""
        return [self._entity(TYPES[field.target], item, condensed=False, privileges=None) for item in value]

    def _entity(self, kind: EntityType, row: Row, *, condensed: bool, privileges: list[str] | None) -> dict[str, t.Any]:
        entity: dict[str, t.Any] = {}
        for field in kind.fields_of(self.release):
            if condensed and not field.condensed:
                continue
            if field.name == "privileges":
                # EVIDENCE(A; Qlik help "Adding privileges"): `privileges` is null unless the query has privileges=true
                entity["privileges"] = privileges
            elif field.name == "schemaPath":
                entity["schemaPath"] = kind.schema_path
            else:
                shown = self._shown(field, self.value(field, row), row)
                if shown is not _OMIT:
                    entity[field.name] = shown
        return entity

    def _shown(self, field: Field, value: t.Any, row: Row) -> t.Any:
        """Return a value in the format of responses."""
        switches = self.switches
        match field.kind:
            case "date":
                # INVENTED(switch=date_suffix): dates end with Z, as in every published answer
                return shown_date(value, switches).removesuffix("Z") + switches.date_suffix
            case "text" if value is None and field.late:
                # INVENTED(switch=unset_strings): a string that was never set is empty
                return {"empty": "", "null": None, "absent": _OMIT}[switches.unset_strings]
            case "text" if value and field.name == "oidcClientSecret":
                # INVENTED(switch=secret_in_answer): oidcClientSecret comes back as it is
                return {"echo": value, "mask": _MASK, "absent": _OMIT}[switches.secret_in_answer]
            case "reference":
                return self._condensed_by_id(field.target, value)
            case "object":
                return self._part(TYPES[field.target], value or {}, row)
            case "texts" | "references" | "items":
                return self._shown_list(field, value)
        return value

    def _shown_list(self, field: Field, value: list[t.Any]) -> list[t.Any] | None:
        # INVENTED(switch=unset_lists): an empty list is [], as in every published answer
        if not value and self.switches.unset_lists == "null":
            return None
        # INVENTED(switch=list_order): lists come back in the order in which they were sent
        ordered = list(reversed(value)) if self.switches.list_order == "reversed" else list(value)
        if field.kind == "references":
            # EVIDENCE(B; captured VirtualProxyConfig and ProxyService): a list of ids comes back as condensed entities
            return [self._condensed_by_id(field.target, one) for one in ordered]
        return self.items(field, ordered) if field.kind == "items" else ordered

    def _condensed_by_id(self, kind: str, entity_id: str | None) -> dict[str, t.Any] | None:
        row = self._find(kind, entity_id) if entity_id else None
        return None if row is None else self.condensed(kind, row)

    def _part(self, kind: EntityType, part: Row, row: Row) -> dict[str, t.Any]:
        """Return a part of an entity that is not an entity of its own."""
        # EVIDENCE(B; captured ProxyService): `settings` and logVerbosity have the id and the dates of the whole proxy
        # service
        head = {name: row[name] for name in ("id", "createdDate", "modifiedDate", "modifiedByUserName")}
        return self._entity(kind, {**part, **head}, condensed=False, privileges=None)


def shown_date(text: str, switches: Switches) -> str:
    """Return a stored date, "2017-02-22T18:09:51.896Z", with the precision of responses."""
    # INVENTED(switch=date_fraction): dates have milliseconds, as in every published answer
    seconds, _dot, fraction = text.removesuffix("Z").partition(".")
    match switches.date_fraction:
        case "7":
            fraction += "0000"
        case "trimmed":
            fraction = fraction.rstrip("0")
        case "0":
            fraction = ""
    return f"{seconds}.{fraction}Z" if fraction else f"{seconds}Z"
