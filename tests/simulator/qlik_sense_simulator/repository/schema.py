# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Types that describe an entity: fields, enums, and the releases that have them. See `catalog` for all entities."""

from __future__ import annotations

import dataclasses
import functools
import typing as t

from ..releases import Release

Kind = t.Literal[
    "text", "flag", "number", "enum", "guid", "date", "texts", "reference", "references", "object", "items", "fixed"
]
PLAIN: tuple[Kind, ...] = ("text", "flag", "number", "enum")

# The first month of which there is a profile; what has no other date exists since then.
_ALWAYS = "2017-06"
# EVIDENCE(B; qlik-repo-api typings, July 2021): sticky load balancing, secure and SameSite attributes, jwtAudience and
# OIDC exist since May 2021, not in 2017
BY_2021 = "2021-05"
# INVENTED(switch=none): disableOidcOptionalAttributesParsing came with May 2022; it is in the API reference, and not in
# those typings
BY_2022 = "2022-05"
# EVIDENCE(B; qlik-repo-api changelog 0.15.1, September 2024): clients got to know loadBalancingAlgorithm and the two
# fields of engine health in September 2024
# INVENTED(switch=none): they came with the release of May 2024
BY_2024 = "2024-05"
# EVIDENCE(A; QRS API reference): sessionCookieCustomPath is only in the newest API reference
# INVENTED(switch=none): sessionCookieCustomPath came with November 2025
BY_2025 = "2025-11"


@dataclasses.dataclass(frozen=True)
class Enum:
    """Numbers and their names. Args: name: as in about/api/enums; values: the names, in the order of their numbers."""

    name: str
    values: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Field:
    """A property of an entity.

    Args:
        name: in JSON.
        kind: its type; a reference is a condensed entity in responses, items and objects have a type of their own.
        default: for a new entity.
        enum: of an enum.
        target: name of the type of a reference, an object, or of each of several.
        condensed: whether the condensed format of the entity has it.
        writable: whether a body can change it.
        required: whether the body of a new entity must have it.
        late: a string that may be null or absent until it is set (see the switch unset_strings).
        low, high: limits of a number.
        since, until: the first month of releases that have it, and the first month of those that do not.
    """

    name: str
    kind: Kind = "text"
    default: t.Any = ""
    enum: Enum | None = None
    target: str = ""
    _keywords: dataclasses.KW_ONLY
    condensed: bool = True
    writable: bool = True
    required: bool = False
    late: bool = False
    low: int = -(2**31)
    high: int = 2**31 - 1
    since: str = _ALWAYS
    until: str | None = None


# Compared by identity: the types are constants, and they are keys of caches.
@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class EntityType:
    """A type of entity, or of a part of one.

    Args:
        name: for references.
        fields: in the order in which an answer has them.
        schema_path: the value of schemaPath in responses.
        route: the path, if it is not the name in lower case.
        methods: the methods of the collection and its members apart from GET; None if the type has no path.
        local: whether the path has /local, for the entity of this node.
    """

    name: str
    fields: tuple[Field, ...]
    schema_path: str = ""
    route: str = ""
    methods: frozenset[str] | None = None
    local: bool = False

    @property
    def path(self) -> str:
        """Return the path below /qrs, in lower case: one segment, or two."""
        return self.route or self.name.lower()

    def fields_of(self, release: Release) -> tuple[Field, ...]:
        """Return the fields that a release has."""
        return _fields_of(self, release)

    def find(self, name: str, release: Release) -> Field | None:
        """Return a field by its name in any case."""
        return _by_name(self, release).get(name.lower())


@functools.cache
def _fields_of(kind: EntityType, release: Release) -> tuple[Field, ...]:
    return tuple(field for field in kind.fields if release.includes(field.since, field.until))


@functools.cache
def _by_name(kind: EntityType, release: Release) -> dict[str, Field]:
    return {field.name.lower(): field for field in _fields_of(kind, release)}
