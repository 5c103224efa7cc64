# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The endpoints of an entity: list, read, create, update and delete."""

from __future__ import annotations

import dataclasses
import typing as t

from . import rules
from .access import READ, Caller
from .bodies import Merger, is_conflict, member, same_guid
from .filters import compile_filter
from .paths import PathError, resolve
from .queries import Query, ordered, sorted_by
from .refusals import RefusedError, bad
from .schema import EntityType
from .store import Change, Store
from .views import Row

# EVIDENCE(A; Qlik help "Previewing privileges"): in privilegesFilter, create, read, update and delete are 1, 2, 4 and 8
_PRIVILEGES = {1: "create", 2: "read", 4: "update", 8: "delete"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Endpoints:
    """The endpoints of one type for one caller. They return the body of the response.

    Args:
        kind: the type.
        store: its entities.
        caller: the user of the request.
        query: the query string.
        local_node: identifier of the node that received the request.
        only: identifiers of the entities to which lists, counts, tables and bulk changes are limited, None for all.
    """

    kind: EntityType
    store: Store
    caller: Caller
    query: Query
    local_node: str
    only: frozenset[str] | None = None

    # --- Reading

    def search(self, *, full: bool) -> list[t.Any]:
        """Handle GET / and GET /full."""
        show = self.store.view.full if full else self.store.view.condensed
        rows = self.selected()
        orderby = self.query.get("orderby")
        if orderby and orderby.strip():
            rows = ordered(rows, orderby, self.kind, self.store)
        limit = self.store.view.switches.record_limit
        # EVIDENCE(B; qlik-sense-mcp): an unfiltered list may be cut, at 100
        # INVENTED(switch=record_limit): an unfiltered list is complete
        if limit and self.query.get("filter") is None:
            rows = rows[:limit]
        return [show(self.kind.name, row, privileges=self._privileges()) for row in rows]

    def count(self) -> t.Any:
        """Handle GET /count."""
        number = len(self.selected())
        # EVIDENCE(B; qlik-sense-mcp, measured; qsAPI reads it so): `count` answers with an object, {"value": N}
        # EVIDENCE(A; QRS API reference): `count` answers with an integer
        # INVENTED(switch=count_body): which of the two it is
        return {"value": number} if self.store.view.switches.count_body == "object" else number

    def one(self, entity_id: str) -> t.Any:
        """Handle GET /{id}."""
        row = self._row(entity_id)
        self.caller.check(READ, self.kind)
        return self._full(row)

    def local(self) -> t.Any:
        """Handle GET /local: the entity of the node that received the request."""
        self.caller.check(READ, self.kind)
        if self.kind.name == "ProxyService":
            [row] = [
                one for one in self.store.rows("ProxyService") if one["serverNodeConfiguration"] == self.local_node
            ]
            return self._full(row)
        entity = self._full(t.cast("Row", self.store.row(self.kind.name, self.local_node)))
        # EVIDENCE(B; qlik-utils, QRSMeteor): servernodeconfiguration/local is the entity
        # EVIDENCE(A; Qlik help "Get local node"): it is a container around the id, on a page that looks stale
        # INVENTED(switch=local_node): which of the two it is
        return entity if self.store.view.switches.local_node == "entity" else {"configuration": entity}

    def table(self, body: t.Any) -> t.Any:
        """Handle POST /table: rows and columns instead of entities."""
        # EVIDENCE(B; qlik-sense-mcp, measured): `table` answers with columnNames and rows, for columns of type Property
        # INVENTED(switch=none): columns of other types are empty; a path through a list gives a list
        columns = member(body, "columns") if isinstance(body, dict) else None
        if not isinstance(columns, list) or not all(isinstance(column, dict) for column in columns):
            raise bad("columns must be a list of objects.")
        names = [str(member(column, "name") or "") for column in columns]
        rows = self.selected()
        wanted = self.query.get("sortcolumn")
        if wanted and wanted.lower() in (name.lower() for name in names):
            column = columns[[name.lower() for name in names].index(wanted.lower())]
            descending = (self.query.get("orderascending") or "true").lower() == "false"
            rows = sorted_by(rows, _definition(column), self.kind, self.store, descending=descending)
        elif wanted:
            raise bad(f"There is no column {wanted}.")
        skip, take = self.query.number("skip", 0), self.query.number("take", len(rows))
        cells = [self._column(column) for column in columns]
        return {
            "columnNames": names,
            "rows": [[cell(row) for cell in cells] for row in rows[skip : skip + take]],
        }

    def _column(self, column: dict[str, t.Any]) -> t.Callable[[Row], t.Any]:
        if str(member(column, "columnType") or "Property").lower() != "property":
            return lambda row: None
        definition = _definition(column)
        field = self.kind.find(definition, self.store.view.release)
        if field is not None:
            name = field.name
            return lambda row: self.store.view.full(self.kind.name, row).get(name)
        try:
            path = resolve(self.kind, definition, self.store)
        except PathError:
            raise bad(f"There is no property {definition[:60]}.") from None
        return lambda row: list(path.values(row))

    # --- Writing

    def create(self, body: t.Any) -> t.Any:
        """Handle POST /."""
        [entity] = self.create_many([body])
        return entity

    def create_many(self, bodies: t.Any) -> t.Any:
        """Handle POST /many: all entities or none."""
        # EVIDENCE(A; Qlik help "Add many"): POST `many` takes a list in one transaction
        self.caller.check("create", self.kind)
        if not isinstance(bodies, list):
            raise bad("The request body is not a list.")
        merger = Merger(self.store, user=self.caller.name)
        rows: list[Row] = []
        for body in bodies:
            row = merger.merge(self.kind, body)
            rows.append(rules.check(self.kind.name, row, old=None, store=self.store, also=rows))
        if rows:
            self.store.save([Change(self.kind.name, row["id"], row) for row in rows])
        # EVIDENCE(A; Qlik help "Virtual proxy: Create"): POST answers with the full entity and all its defaults
        return [self._full(row) for row in rows]

    def update(self, entity_id: str, body: t.Any) -> t.Any:
        """Handle PUT /{id}."""
        old = self._row(entity_id)
        self.caller.check("update", self.kind)
        # EVIDENCE(A; Qlik help "Update"): the id in the body of a PUT must be that of the URL
        # INVENTED(switch=none): a wrong or missing id in the body is 400
        if not isinstance(body, dict) or not same_guid(member(body, "id"), old["id"]):
            raise bad("The id in the request body is not that of the URL.")
        if is_conflict(body, old, self.store.view.switches):
            # EVIDENCE(A; Qlik help "Conflict handling"): a conflict is 409
            # INVENTED(switch=none): the text of a conflict
            raise RefusedError(409, "The entity was changed by another client.")
        row = Merger(self.store, user=self.caller.name).merge(self.kind, body, old=old)
        row = rules.check(self.kind.name, row, old=old, store=self.store)
        others = rules.consequences(self.kind.name, row, old=old, store=self.store, user=self.caller.name)
        self.store.save([Change(self.kind.name, row["id"], row), *others])
        return self._full(row)

    def delete(self, entity_id: str) -> None:
        """Handle DELETE /{id}."""
        row = self._row(entity_id)
        self.caller.check("delete", self.kind)
        self.store.save(rules.deletion(self.kind.name, row, store=self.store, user=self.caller.name))

    def delete_all(self) -> None:
        """Delete the entities of a selection: all or none."""
        self.caller.check("delete", self.kind)
        rows = self.selected()
        for row in rows:
            rules.deletion(self.kind.name, row, store=self.store, user=self.caller.name)
        # All checks have passed. The entities are deleted one by one, because what a deletion removes depends on the
        # rest.
        for row in rows:
            self.store.save(rules.deletion(self.kind.name, row, store=self.store, user=self.caller.name))

    def may_create(self, _body: t.Any) -> bool:
        """Handle POST /previewcreateprivilege."""
        return self.caller.may("create", self.kind)

    def preview_privileges(self, body: t.Any) -> list[str]:
        """Handle POST /previewprivileges."""
        if not isinstance(body, dict):
            raise bad(f"The request body is not a {self.kind.name}.")
        wanted = self.query.number("privilegesfilter", -1)
        # INVENTED(switch=none): `previewprivileges` does not depend on the body: the roles of a simulated
        # site look at types only
        return [
            name for value, name in _PRIVILEGES.items() if wanted & value and name in self.caller.privileges(self.kind)
        ]

    # --- Common to both

    def selected(self) -> list[Row]:
        """Return the rows that the caller may read and that the filter matches."""
        expression = self.query.get("filter")
        predicate = None if expression is None else compile_filter(expression, self.kind, self.store)
        if not self.caller.may(READ, self.kind):
            # INVENTED(switch=unauthorized_list): a user without rights gets an empty list
            if self.store.view.switches.unauthorized_list == "403":
                self.caller.check(READ, self.kind)
            return []
        rows = self.store.rows(self.kind.name)
        if self.only is not None:
            rows = [row for row in rows if row["id"] in self.only]
        return rows if predicate is None else [row for row in rows if predicate(row)]

    def _row(self, entity_id: str) -> Row:
        row = self.store.row(self.kind.name, entity_id.lower())
        if row is None:
            # INVENTED(switch=unknown_id): an unknown or invalid id is 404
            raise RefusedError(int(self.store.view.switches.unknown_id), "Not Found")
        return row

    def _full(self, row: Row) -> dict[str, t.Any]:
        return self.store.view.full(self.kind.name, row, privileges=self._privileges())

    def _privileges(self) -> list[str] | None:
        return self.caller.privileges(self.kind) if self.query.is_true("privileges") else None


def _definition(column: dict[str, t.Any]) -> str:
    return str(member(column, "definition") or "")
