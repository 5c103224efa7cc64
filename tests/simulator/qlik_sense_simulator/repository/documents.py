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
from .content import NO_DATE
from .enums import ENUMS, enum_values
from .refusals import RefusedError
from .schema import EntityType, Field
from .store import Store

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
    # EVIDENCE(B; qlik-api-qrs-schemas 16.5.5): a usage is "ServerNodeConfiguration.NodePurpose", in PascalCase
    usages: dict[str, list[str]] = {enum.name: [] for enum in ENUMS}
    for kind in TYPES.values():
        for field in kind.fields_of(release):
            if field.enum is not None:
                usages[field.enum.name].append(f"{kind.name}.{field.name[0].upper()}{field.name[1:]}")
    return {
        enum.name: {
            "values": [f"{number}: {name}" for number, name in enumerate(enum_values(enum, release))],
            "usages": usages[enum.name],
            "schemaPath": "EnumDescription",
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


_REQUIRED_NAMES = {"sessionCookieHeaderName": "X-Qlik-Session", "valueType": "Text"}


def default(kind: EntityType, store: Store) -> dict[str, t.Any]:
    """Return GET /qrs/about/api/default/{type}: an entity with default values."""
    # INVENTED(switch=none): the body of about/api/default, and that `listentries` changes nothing
    head = {"id": EMPTY_ID, "createdDate": NO_DATE, "modifiedDate": NO_DATE, "modifiedByUserName": ""}
    # EVIDENCE(B; qlik-api-qrs-schemas 16.5.5): the defaults of names that an entity must have
    required = (field for field in kind.fields if field.required and field.kind == "text")
    names = {field.name: _REQUIRED_NAMES.get(field.name, "") for field in required}
    return store.view.full(kind.name, {**names, **head})


def description(release: Release, *, extended: bool, method: str | None) -> list[str]:
    """Return GET /qrs/about/api/description: the endpoints, as strings.

    Args:
        release: decides which endpoints exist.
        extended: whether the strings hold JSON with more details.
        method: only those of one HTTP method.
    """
    # EVIDENCE(B; qlik-utils): about/api/description is an array of strings; the extended ones hold JSON with method and
    # path
    # EVIDENCE(B; qlik-api-qrs, generateSchema): they also hold "extended": "[bodytype=Void, returntype=About]"
    wanted = [one for one in endpoints(release) if method is None or one[0] == method.upper()]
    if not extended:
        return [f"{verb} {path}" for verb, path in wanted]
    return [json.dumps({"method": verb, "path": path, "extended": _extended(verb, path)}) for verb, path in wanted]


_NAMED_TYPES = {
    "about": "About",
    "count": "Int32",
    "default": "IDictionary<String>",
    "description": "IList<String>",
    "enums": "IDictionary<String>",
    "license": "License",
    "main": "Object",
    "previewcreateprivilege": "Boolean",
    "previewprivileges": "IList<String>",
    "relations": "IList<String>",
    "synthetic": "SyntheticEntity",
    "table": "Table",
}


def _extended(verb: str, path: str) -> str:
    """Return the types of an endpoint's body and answer."""
    # EVIDENCE(B; qlik-api-qrs-schemas 16.5.5): the types of bodies and answers
    *segments, last = path.removeprefix("/qrs/").split("/")
    below = segments[2:] if segments[:2] == ["selection", "{id}"] else segments
    selected = "Selection" if path.startswith("/qrs/selection") else "Object"
    kind = PUBLIC.get("/".join([*below, last])) or PUBLIC.get("/".join(below))
    name = kind.name if kind else selected
    is_list = last in ("full", "many") or (verb == "GET" and (kind.path if kind else "selection").endswith(last))
    returned = _NAMED_TYPES.get(last) or (f"IList<{name}>" if is_list else name)
    if verb == "DELETE" or (verb == "PUT" and last == "synthetic"):
        returned = "Void"
    elif path.startswith("/qrs/selection/") and verb == "POST" and last != "table":
        returned, name = "Selection", "Object"
    sent = (
        "Void" if verb in ("GET", "DELETE") else {"table": "TableDefinition", "many": f"IList<{name}>"}.get(last, name)
    )
    return f"[bodytype={sent}, returntype={returned}]"


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


def find_type(segments: t.Sequence[str]) -> tuple[EntityType, list[str]]:
    """Return the type at the beginning of a path, and the rest of the path.

    Raises:
        RefusedError: 404, the type does not exist.
    """
    for length in (2, 1):
        kind = PUBLIC.get("/".join(segments[:length]))
        if kind is not None:
            return kind, list(segments[length:])
    raise RefusedError(404, "Not Found")
