# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documents of the repository about itself: release, enums, relations, defaults, and its API."""

from __future__ import annotations

import json
import typing as t

from ..releases import Release
from .bodies import EMPTY_ID
from .catalog import PUBLIC, TYPES
from .enums import ENUMS, enum_values
from .refusals import RefusedError
from .schema import EntityType, Field
from .store import Store

# INVENTED(switch=none): the dates in about/api/default, of entities that do not exist
_NO_DATE = "1753-01-01T00:00:00.000Z"
# EVIDENCE(A; QRS API reference): the OpenAPI document is called Repository Main API, version 38.35.0
_TITLE, _VERSION = "Repository Main API", "38.35.0"
_JSON_TYPES: dict[str, dict[str, t.Any]] = {
    "text": {"type": "string"},
    "date": {"type": "string", "format": "date-time"},
    "guid": {"type": "string", "format": "uuid"},
    "flag": {"type": "boolean"},
    "number": {"type": "integer", "format": "int32"},
    "enum": {"type": "integer", "format": "int32"},
    "texts": {"type": "array", "items": {"type": "string"}},
    "fixed": {},
}


def about(release: Release) -> dict[str, t.Any]:
    """Return GET /qrs/about."""
    # EVIDENCE(B; capture in the qs-jwt documentation): `about` has buildVersion, nodeType (1 is the central node) and
    # the like
    return {
        "buildVersion": release.build_version,
        "buildDate": release.build_date,
        "databaseProvider": "Devart.Data.PostgreSql",
        "nodeType": 1,
        "sharedPersistence": True,
        "requiresBootstrap": False,
        "singleNodeOnly": False,
        "schemaPath": "About",
    }


def enums(release: Release) -> dict[str, t.Any]:
    """Return GET /qrs/about/api/enums."""
    # EVIDENCE(B; Qlik-Cli-Windows): about/api/enums is an object by name, with values "0: Ticket" and usages
    # "Schema.property"
    usages: dict[str, list[str]] = {enum.name: [] for enum in ENUMS}
    for kind in TYPES.values():
        for field in kind.fields_of(release):
            if field.enum is not None:
                usages[field.enum.name].append(f"{kind.schema_path or kind.name}.{field.name}")
    return {
        enum.name: {
            "values": [f"{number}: {name}" for number, name in enumerate(enum_values(enum, release))],
            "usages": usages[enum.name],
        }
        for enum in ENUMS
        if usages[enum.name]
    }


def relations(release: Release) -> list[str]:
    """Return GET /qrs/about/api/relations."""
    # EVIDENCE(B; Qlik-Cli-Windows): about/api/relations is an array of strings "Schema.property > OtherSchema"
    return [
        f"{kind.schema_path or kind.name}.{field.name} > {TYPES[field.target].schema_path or field.target}"
        for kind in TYPES.values()
        for field in kind.fields_of(release)
        if field.target
    ]


def default(kind: EntityType, store: Store) -> dict[str, t.Any]:
    """Return GET /qrs/about/api/default/{type}: an entity with default values."""
    # INVENTED(switch=none): the body of about/api/default, and that `listentries` changes nothing
    head = {"id": EMPTY_ID, "createdDate": _NO_DATE, "modifiedDate": _NO_DATE, "modifiedByUserName": ""}
    return store.view.full(kind.name, head)


def description(release: Release, *, extended: bool, method: str | None) -> list[str]:
    """Return GET /qrs/about/api/description: the endpoints, as strings.

    Args:
        release: decides which endpoints exist.
        extended: whether the strings hold JSON with more details.
        method: only those of one HTTP method.
    """
    # EVIDENCE(B; qlik-utils): about/api/description is an array of strings; the extended ones hold JSON with method and
    # path
    # INVENTED(switch=none): what else the extended strings hold
    wanted = [one for one in endpoints(release) if method is None or one[0] == method.upper()]
    if not extended:
        return [f"{verb} {path}" for verb, path in wanted]
    return [json.dumps({"method": verb, "path": path}) for verb, path in wanted]


def endpoints(release: Release) -> list[tuple[str, str]]:
    """Return method and path of all endpoints below /qrs."""
    found = [("GET", f"/qrs/about{path}") for path in ("", "/openapi/main") if not path or release.has("openapi")]
    found += [
        ("GET", f"/qrs/about/api/{path}") for path in ("description", "enums", "relations", "default", "default/{type}")
    ]
    for kind in PUBLIC.values():
        base = f"/qrs/{kind.path}"
        methods = t.cast("frozenset[str]", kind.methods)
        found += [("GET", f"{base}{path}") for path in ("", "/full", "/count", "/{id}")]
        found.append(("POST", f"{base}/table"))
        if kind.local:
            found.append(("GET", f"{base}/local"))
        if "POST" in methods:
            found += [("POST", f"{base}{path}") for path in ("", "/many", "/previewcreateprivilege")]
        found.append(("POST", f"{base}/previewprivileges"))
        found += [(verb, f"{base}/{{id}}") for verb in ("PUT", "DELETE") if verb in methods]
        base = f"/qrs/selection/{{id}}/{kind.path}"
        found += [("GET", f"{base}{path}") for path in ("", "/full", "/count", "/synthetic")]
        found += [("POST", f"/qrs/selection/{kind.path}"), ("POST", f"{base}/table"), ("PUT", f"{base}/synthetic")]
        if "DELETE" in methods:
            found.append(("DELETE", base))
    found += [(verb, "/qrs/selection") for verb in ("GET", "POST")]
    found += [(verb, "/qrs/selection/{id}") for verb in ("GET", "PUT", "DELETE")]
    return found


def openapi(release: Release) -> dict[str, t.Any]:
    """Return GET /qrs/about/openapi/main: the simulated part of the real document."""
    # EVIDENCE(A; Qlik help "Access the OpenAPI specification"): the OpenAPI document is at about/openapi and
    # about/openapi/main
    # INVENTED(switch=none): the extent of the OpenAPI document
    paths: dict[str, dict[str, t.Any]] = {}
    for verb, path in endpoints(release):
        names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
        parameters = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]
        operation: dict[str, t.Any] = {"responses": {"2XX": {"description": "Success"}}}
        paths.setdefault(path, {})[verb.lower()] = {"parameters": parameters, **operation} if names else operation
    schemas: dict[str, t.Any] = {}
    for kind in TYPES.values():
        for name, condensed in ((kind.name, False), (f"{kind.name}Condensed", True)):
            fields = [field for field in kind.fields_of(release) if field.condensed or not condensed]
            schemas[name] = {"type": "object", "properties": {field.name: _json_type(field) for field in fields}}
            required = [field.name for field in fields if field.required]
            if required:
                schemas[name]["required"] = required
    return {
        "openapi": "3.0.1",
        "info": {"title": _TITLE, "version": _VERSION},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _json_type(field: Field) -> dict[str, t.Any]:
    reference = {"$ref": f"#/components/schemas/{field.target}"}
    match field.kind:
        case "object":
            return reference
        case "items":
            return {"type": "array", "items": reference}
        case "reference":
            return {"$ref": f"{reference['$ref']}Condensed"}
        case "references":
            return {"type": "array", "items": {"$ref": f"{reference['$ref']}Condensed"}}
    return _JSON_TYPES[field.kind]


def find_type(name: str) -> EntityType:
    """Return a type by its path segment.

    Raises:
        RefusedError: 404, the type does not exist.
    """
    if name not in PUBLIC:
        raise RefusedError(404, "Not Found")
    return PUBLIC[name]
