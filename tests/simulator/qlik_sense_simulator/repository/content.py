# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Apps, streams, tasks, rules and licenses: a simulated site has none, but it has their types and their paths."""

from __future__ import annotations

import typing as t

from .schema import EntityType, Field, Kind

# EVIDENCE(B; qlik-api-qrs-schemas 16.5.5, generated from a site): dates that were never set are 1753-01-01
NO_DATE = "1753-01-01T00:00:00.000Z"


class _Reference(str):
    """The name of the type that a field refers to."""

    __slots__ = ()


_APP, _STREAM, _USER = _Reference("App"), _Reference("Stream"), _Reference("User")
_KINDS: dict[type, Kind] = {str: "text", bool: "flag", int: "number"}


def _field(name: str, default: t.Any, *, condensed: bool) -> Field:
    """Return a field, with a kind that fits its default value."""
    if isinstance(default, _Reference):
        return Field(name, "reference", None, target=str(default), condensed=condensed, writable=False)
    if default is None:
        return Field(name, "fixed", None, condensed=condensed, writable=False)
    kind: Kind = "date" if default == NO_DATE else _KINDS[type(default)]
    return Field(name, kind, default, condensed=condensed, writable=False)


def types(
    head: tuple[Field, ...], tail: tuple[Field, ...], tags: Field, custom_properties: Field
) -> tuple[EntityType, ...]:
    """Return the types, with the fields that all entities have.

    Args:
        head: identifier and dates.
        tail: privileges and schemaPath.
        tags, custom_properties: of entities that have them.
    """
    # EVIDENCE(B; qlik-api-qrs-schemas 16.5.5, generated from about/api/description): these entities have the paths "",
    # full, count and {id}, and their condensed form has these fields, with these values in about/api/default
    # EVIDENCE(B; qlik-repo-api typings): the fields of the full form
    # INVENTED(switch=none): a site without apps has none of them, not even the rules, streams and connections that
    # every site has from the start, and none can be added
    return tuple(
        EntityType(
            name=name.replace(".", ""),
            schema_path=name,
            route=path,
            methods=frozenset(),
            fields=(
                *head,
                *(_field(key, value, condensed=True) for key, value in condensed.items()),
                *(_field(key, value, condensed=False) for key, value in full.items()),
                *(() if name.startswith("License.") else (custom_properties, tags)),
                *tail,
            ),
        )
        for name, path, condensed, full in _TYPES
    )


_TASK = {
    "operational": None,
    "name": "",
    "taskType": 0,
    "enabled": True,
    "taskSessionTimeout": 1440,
    "maxRetries": 0,
}
_ACCESS = {"user": _USER, "lastUsed": NO_DATE, "excess": False, "quarantined": False, "quarantineEnd": NO_DATE}
_USAGE = {"user": _USER, "useStart": NO_DATE, "useStop": NO_DATE}


def _licenses() -> t.Iterator[tuple[str, str, dict[str, t.Any], dict[str, t.Any]]]:
    for name in ("User", "Login", "Professional", "Analyzer"):
        path = f"license/{name.lower()}access"
        yield f"License.{name}AccessType", f"{path}type", {"name": ""} if name == "Login" else {}, _ACCESS
        yield f"License.{name}AccessUsage", f"{path}usage", {}, _USAGE
        if name != "Login":
            yield f"License.{name}AccessGroup", f"{path}group", {"name": ""}, {}


# Name, path, the fields of the condensed form with their defaults, and the other fields.
_TYPES: tuple[tuple[str, str, dict[str, t.Any], dict[str, t.Any]], ...] = (
    (
        "App",
        "app",
        {
            "name": "",
            "appId": "",
            "publishTime": NO_DATE,
            "published": False,
            "stream": _STREAM,
            "savedInProductVersion": "",
            "migrationHash": "",
            "availabilityStatus": 0,
        },
        {
            "owner": _USER,
            "sourceAppId": "",
            "targetAppId": "",
            "description": "",
            "fileSize": 0,
            "lastReloadTime": NO_DATE,
            "thumbnail": "",
            "dynamicColor": "",
        },
    ),
    (
        "App.Object",
        "app/object",
        {
            "engineObjectType": "",
            "description": "",
            "objectType": "",
            "publishTime": NO_DATE,
            "published": False,
            "name": "",
            "engineObjectId": "",
            "contentHash": "",
        },
        {"owner": _USER, "app": _APP},
    ),
    ("Stream", "stream", {"name": ""}, {"owner": _USER}),
    (
        "SystemRule",
        "systemrule",
        {
            "category": "",
            "type": "Custom",
            "name": "",
            "rule": "",
            "resourceFilter": "",
            "actions": 0,
            "comment": "",
            "disabled": False,
        },
        {"ruleContext": 0, "seedId": "", "version": 0},
    ),
    ("ReloadTask", "reloadtask", _TASK, {"app": _APP, "isManuallyTriggered": False}),
    ("ExternalProgramTask", "externalprogramtask", _TASK, {"path": "", "parameters": ""}),
    ("UserSyncTask", "usersynctask", _TASK, {}),
    ("ContentLibrary", "contentlibrary", {"name": "", "type": "Media"}, {"owner": _USER}),
    ("Extension", "extension", {"name": ""}, {"owner": _USER}),
    (
        "DataConnection",
        "dataconnection",
        {
            "name": "",
            "connectionstring": "",
            "type": "",
            "engineObjectId": "",
            "username": "",
            "logOn": 0,
            "architecture": 0,
        },
        {"owner": _USER},
    ),
    *_licenses(),
)


def license_document(path: str) -> dict[str, t.Any] | None:
    """Return GET /qrs/license and the overviews below it, or None for other paths."""
    match path:
        case "license":
            # EVIDENCE(B; qlik-repo-api typings; agents that read lef, serial and isExpired): the fields of the license
            # INVENTED(switch=none): without a license all of its values are empty
            return {
                "id": "00000000-0000-0000-0000-000000000000",
                "createdDate": NO_DATE,
                "modifiedDate": NO_DATE,
                "modifiedByUserName": "",
                **dict.fromkeys(("lef", "serial", "check", "key", "name", "organization"), ""),
                "product": 0,
                "numberOfCores": 0,
                "isExpired": False,
                "expiredReason": "",
                **dict.fromkeys(
                    ("isBlacklisted", "isInvalid", "isSubscription", "isCloudServices", "isElastic"), False
                ),
                "privileges": None,
                "schemaPath": "License",
            }
        case "license/accesstypeinfo":
            # EVIDENCE(B; qlik-api-qrs-schemas 16.5.5, AccessTypesInfo; qlik-repo-api typings): the fields of
            # accesstypeinfo
            tokens = dict.fromkeys(("tokenCost", "allocatedTokens", "usedTokens", "quarantinedTokens"), 0)
            kinds = ("userAccessType", "loginAccessType", "professionalAccessType", "analyzerAccessType")
            return {"totalTokens": 0, "availableTokens": 0, **{kind: dict(tokens) for kind in kinds}}
        case "license/accesstypeoverview":
            # EVIDENCE(B; butler, and agents that read it): the fields of accesstypeoverview
            return {
                "totalTokens": 0,
                "availableTokens": 0,
                "tokensEnabled": False,
                "userAccess": _overview("allocatedTokens", "usedTokens", "quarantinedTokens"),
                "loginAccess": _overview("allocatedTokens", "usedTokens", "unavailableTokens"),
                "professionalAccess": _overview("allocated", "available", "excess", "quarantined", "total", "used"),
                "analyzerAccess": _overview("allocated", "available", "excess", "quarantined", "total", "used"),
                "analyzerTimeAccess": _overview("allocatedMinutes", "unavailableMinutes", "usedMinutes"),
            }
    return None


def _overview(*names: str) -> dict[str, t.Any]:
    return {"enabled": False, **dict.fromkeys(names, 0)}
