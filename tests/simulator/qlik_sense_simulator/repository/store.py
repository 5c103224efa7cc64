# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The database of the repository: entities as rows in SQLite, with a copy in memory for reading."""

from __future__ import annotations

import contextlib
import datetime
import json
import pathlib
import sqlite3
import typing as t
import uuid
import weakref

from ..behaviors import Switches
from ..releases import Release
from .catalog import USER
from .views import Row, View

SERVICE_ACCOUNT = "INTERNAL\\sa_repository"
# Types whose changes the proxies load.
_WATCHED = ("VirtualProxyConfig", "ProxyService")
# Dates of one entity always differ: each change is at least this much later than the last.
_TICK = datetime.timedelta(milliseconds=1)
_VERSION = 1


class StoreError(Exception):
    """The database cannot be used. The message has the reason."""


class Change(t.NamedTuple):
    """A row that is new or changed, or deleted (None)."""

    type: str
    id: str
    row: Row | None


class Store:
    """The entities by type and identifier, in the order in which they were added.

    Rows have identifiers in place of the entities in responses. `get` and `all` return full entities. `row` and `rows`
    return the rows themselves, which must not be changed.

    Args:
        database: the file, or ":memory:".
        release: decides which fields entities have.
        switches: decide how entities look.
    """

    def __init__(self, database: pathlib.Path | str, *, release: Release, switches: Switches) -> None:
        self.generation = 0
        self._callbacks: list[t.Callable[[], None]] = []
        self._rows: dict[str, dict[str, Row]] = {}
        self._names: dict[str, str] = {}
        self._connection = sqlite3.connect(database, check_same_thread=False)
        # So that the database is closed even if `close` is not called.
        self._close = weakref.finalize(self, self._connection.close)
        try:
            self._open()
        except (sqlite3.DatabaseError, ValueError) as error:
            self.close()
            raise StoreError(
                f"The database {database} cannot be read: {error}. Remove it, or use another directory."
            ) from error
        self.view = View(release=release, switches=switches, find=self.row)

    def _open(self) -> None:
        [version] = self._connection.execute("PRAGMA user_version").fetchone()
        if version not in (0, _VERSION):
            raise ValueError(f"it has version {version}, this simulator writes version {_VERSION}")
        self._connection.executescript(
            f"""
            PRAGMA journal_mode = WAL;
            PRAGMA synchronous = NORMAL;
            CREATE TABLE IF NOT EXISTS entities (
              position INTEGER PRIMARY KEY AUTOINCREMENT, type TEXT NOT NULL, id TEXT NOT NULL, row TEXT NOT NULL,
              UNIQUE (type, id)
            );
            CREATE TABLE IF NOT EXISTS names (name TEXT PRIMARY KEY, id TEXT NOT NULL);
            PRAGMA user_version = {_VERSION};
            """
        )
        for kind, entity_id, row in self._connection.execute("SELECT type, id, row FROM entities ORDER BY position"):
            self._rows.setdefault(kind, {})[entity_id] = json.loads(row)
        self._names = dict(self._connection.execute("SELECT name, id FROM names"))

    def close(self) -> None:
        """Write all changes and close the database."""
        self._close()

    # --- Reading

    def row(self, kind: str, entity_id: str) -> Row | None:
        """Return a row, or None."""
        return self._rows.get(kind, {}).get(entity_id)

    def rows(self, kind: str) -> list[Row]:
        """Return all rows of a type."""
        return list(self._rows.get(kind, {}).values())

    def get(self, kind: str, entity_id: str) -> dict[str, t.Any] | None:
        """Return a full entity, or None."""
        row = self.row(kind, entity_id)
        return None if row is None else self.view.full(kind, row)

    def all(self, kind: str) -> list[dict[str, t.Any]]:
        """Return all entities of a type, in full."""
        return [self.view.full(kind, row) for row in self.rows(kind)]

    def node_id(self, node_name: str) -> str:
        """Return the identifier of a node by its name in the site file, even if it was renamed in the repository."""
        return self._names[f"node:{node_name}"]

    @property
    def node_names(self) -> list[str]:
        """Return the nodes by their names in the site file; none if the database is new."""
        return [name.removeprefix("node:") for name in self._names if name.startswith("node:")]

    def linked_virtual_proxies(self, node_name: str) -> list[dict[str, t.Any]]:
        """Return the full virtual proxies that are linked to the proxy service of a node."""
        node_id = self.node_id(node_name)
        linked = (
            virtual_proxy_id
            for proxy in self.rows("ProxyService")
            if proxy["serverNodeConfiguration"] == node_id
            for virtual_proxy_id in proxy["settings"]["virtualProxies"]
        )
        return [entity for entity in (self.get("VirtualProxyConfig", one) for one in linked) if entity is not None]

    def find_user(self, user_directory: str, user_id: str) -> Row | None:
        """Return the row of a user, or None."""
        # INVENTED(switch=none): users are compared without regard to case
        wanted = (user_directory.casefold(), user_id.casefold())
        for row in self.rows("User"):
            if (row["userDirectory"].casefold(), row["userId"].casefold()) == wanted:
                return row
        return None

    # --- Writing

    def touch_user(self, user_directory: str, user_id: str) -> dict[str, t.Any]:
        """Return the full user, created if this is the first login."""
        row = self.find_user(user_directory, user_id)
        if row is None:
            # EVIDENCE(B; public gateway projects): the first login creates the repository's user
            row = self.stamped({field.name: field.default for field in USER.fields if field.kind in ("text", "flag")})
            row.update(
                userDirectory=user_directory, userId=user_id, name=user_id, roles=[], tags=[], customProperties=[]
            )
            self.save([Change("User", row["id"], row)])
        return self.view.full("User", row)

    def stamped(self, row: Row, *, by: str = SERVICE_ACCOUNT, old: Row | None = None) -> Row:
        """Return a copy of a row with identifier and dates, as changed now.

        Args:
            row: the changed row.
            by: "DIRECTORY\\user" for modifiedByUserName.
            old: the row as it was, None for a new one.
        """
        moment = now()
        if old is None:
            head = {"id": row.get("id") or str(uuid.uuid4()), "createdDate": to_text(moment)}
        else:
            # INVENTED(switch=none): two changes of one entity never have the same date, however quickly they follow
            moment = max(moment, from_text(old["modifiedDate"]) + _TICK)
            head = {"id": old["id"], "createdDate": old["createdDate"]}
        return {**row, **head, "modifiedDate": to_text(moment), "modifiedByUserName": by}

    def save(self, changes: t.Sequence[Change], *, names: t.Mapping[str, str] | None = None) -> None:
        """Apply changes, all or none, and call the functions of `on_save`.

        Args:
            changes: rows in their new form.
            names: names of the site file to store, with their identifiers.
        """
        with self._connection, contextlib.closing(self._connection.cursor()) as cursor:
            for change in changes:
                if change.row is None:
                    cursor.execute("DELETE FROM entities WHERE type = ? AND id = ?", (change.type, change.id))
                else:
                    cursor.execute(
                        "INSERT INTO entities (type, id, row) VALUES (?, ?, ?)"
                        " ON CONFLICT (type, id) DO UPDATE SET row = excluded.row",
                        (change.type, change.id, json.dumps(change.row)),
                    )
            cursor.executemany("INSERT OR REPLACE INTO names VALUES (?, ?)", (names or {}).items())
        for change in changes:
            rows = self._rows.setdefault(change.type, {})
            if change.row is None:
                rows.pop(change.id, None)
            else:
                rows[change.id] = change.row
        self._names.update(names or {})
        if any(change.type in _WATCHED for change in changes):
            self.generation += 1
            for callback in self._callbacks:
                callback()

    def clear(self) -> None:
        """Delete all entities."""
        with self._connection:
            self._connection.execute("DELETE FROM entities")
            self._connection.execute("DELETE FROM names")
        self._rows, self._names = {}, {}

    def on_save(self, callback: t.Callable[[], None]) -> None:
        """Register a function without arguments that is called after each save of a virtual proxy or proxy service."""
        self._callbacks.append(callback)


def now() -> datetime.datetime:
    """Return the current time in whole milliseconds."""
    moment = datetime.datetime.now(tz=datetime.UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def to_text(moment: datetime.datetime) -> str:
    """Return a date in its stored format: UTC, milliseconds, Z."""
    # EVIDENCE(A; Qlik help "Virtual proxy: Create"): dates look like 2017-02-22T18:09:51.896Z
    return moment.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_text(text: str) -> datetime.datetime:
    """Return a date from its stored format."""
    return datetime.datetime.fromisoformat(text)
