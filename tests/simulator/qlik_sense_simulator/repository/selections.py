# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Selections: sets of entities that are read, changed or deleted together."""

from __future__ import annotations

import typing as t

from .entities import Endpoints
from .schema import EntityType


def select(endpoints: Endpoints) -> dict[str, t.Any]:
    """Return the body of a selection of all entities that the caller may read and the filter matches."""
    # EVIDENCE(A; Qlik help "Create selection by type"): a selection by type is a set of items that refer to entities of
    # this type
    name = endpoints.kind.name
    return {"items": [{"type": name, "objectID": row["id"]} for row in endpoints.selected()]}


def selected_ids(selection: dict[str, t.Any], kind: EntityType) -> frozenset[str]:
    """Return the identifiers of the entities of one type in a full selection."""
    return frozenset(item["objectID"] for item in selection["items"] or () if item["type"] == kind.name)
