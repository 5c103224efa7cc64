# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The query strings of the repository, and the order of rows."""

from __future__ import annotations

import typing as t
import urllib.parse

from .paths import PathError, resolve
from .refusals import MISSING_VALUE, RefusedError, bad
from .schema import EntityType
from .store import Store
from .views import Row

_LARGEST_NUMBER = 2**31 - 1


class Query:
    """The parameters of a request, by names in any case.

    Args:
        raw: the query string as received.

    Raises:
        RefusedError: 400, it is not UTF-8.
    """

    def __init__(self, raw: bytes) -> None:
        self._pairs: list[tuple[str, str]] = []
        self._broken = False
        for part in raw.decode("latin-1").split("&"):
            if not part:
                continue
            name, equals, value = part.partition("=")
            # EVIDENCE(B; butler-sheet-icons, measured): an unescaped & inside a filter leaves a piece without a value,
            # which is 400
            self._broken = self._broken or not equals
            # EVIDENCE(B; qlik-cli, go-qlik; A; Qlik help, xrfkey headers): names in a query may be in any case
            # EVIDENCE(B; Qlik-Cli-Windows): a plus sign is a blank, like %20
            self._pairs.append((_decoded(name).lower(), _decoded(value)))

    def values(self, name: str) -> list[str]:
        """Return all values of a parameter; the name is in lower case."""
        return [value for other, value in self._pairs if other == name]

    def get(self, name: str) -> str | None:
        """Return the first value of a parameter, or None."""
        return next(iter(self.values(name)), None)

    def is_true(self, name: str) -> bool:
        """Return True if the value of a parameter is true."""
        return (self.get(name) or "").strip().lower() == "true"

    def number(self, name: str, default: int) -> int:
        """Return the value of a parameter that is a count.

        Raises:
            RefusedError: 400, it is not a count.
        """
        value = self.get(name)
        if value is None:
            return default
        if not (value.isascii() and value.isdecimal() and len(value) <= 10 and int(value) <= _LARGEST_NUMBER):
            raise bad(f"{name} must be a number.")
        return int(value)

    def check(self) -> None:
        """Refuse a query string with a missing value.

        Raises:
            RefusedError: 400.
        """
        filters = self.values("filter")
        if self._broken or any(not value.strip() for value in filters):
            raise RefusedError(400, MISSING_VALUE)
        # INVENTED(switch=none): a second filter in a query is 400
        if len(filters) > 1:
            raise bad("filter must be given once.")


def _decoded(text: str) -> str:
    try:
        return urllib.parse.unquote_plus(text, encoding="utf-8", errors="strict")
    except UnicodeDecodeError:
        raise bad("The query string is not UTF-8.") from None


def ordered(rows: list[Row], orderby: str, kind: EntityType, store: Store) -> list[Row]:
    """Return rows in the order of an orderby parameter: names, each with asc or desc, separated by commas.

    Raises:
        RefusedError: 400, the field does not exist.
    """
    # EVIDENCE(A; Qlik help of Sense 2.1, xrfkey headers): `orderby` is the name of a field with asc or desc
    # INVENTED(switch=none): `orderby` takes several names with commas between; what has no value comes first
    terms = []
    for term in orderby.split(","):
        name, _blank, direction = term.strip().partition(" ")
        if direction.strip().lower() not in ("", "asc", "desc"):
            raise bad(f"Cannot order by: {orderby}")
        terms.append((name, direction.strip().lower() == "desc"))
    for name, descending in reversed(terms):
        rows = sorted_by(rows, name, kind, store, descending=descending)
    return rows


def sorted_by(rows: list[Row], name: str, kind: EntityType, store: Store, *, descending: bool) -> list[Row]:
    """Return rows in the order of one field, which may be a path.

    Raises:
        RefusedError: 400, the field does not exist.
    """
    try:
        path = resolve(kind, name, store)
    except PathError:
        raise bad(f"Cannot order by: {name}") from None

    def key(row: Row) -> tuple[bool, t.Any]:
        value = next(iter(path.values(row)), None)
        return value is not None, value.casefold() if isinstance(value, str) else value or 0

    return sorted(rows, key=key, reverse=descending)
