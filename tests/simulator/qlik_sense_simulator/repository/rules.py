# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules that an entity as a whole must meet before it is saved, and the changes that a save or delete causes."""

from __future__ import annotations

import re
import typing as t

from cryptography import x509

from ..behaviors import Switches
from .bodies import GUID
from .catalog import PUBLIC, VIRTUAL_PROXY
from .refusals import RefusedError, bad
from .store import Change, Store
from .views import Row

# EVIDENCE(A; Qlik help "Creating a virtual proxy"): a prefix has lower case letters, digits, and the characters `-._~`
_PREFIX = re.compile(r"[a-z0-9._~-]+")
_PREFIX_WITH_CAPITALS = re.compile(r"[A-Za-z0-9._~-]+")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# EVIDENCE(A; Qlik help "Virtual proxies"): the header of header authentication must be none of Qlik's own, such as
# X-Qlik-User
_RESERVED_HEADERS = frozenset(
    f"x-qlik-{name}" for name in ("security", "user", "proxysession", "proxyid", "trace", "app", "capabilities")
)
# EVIDENCE(B; qlik-repo-api): names of custom properties have letters, digits and underscores
_PROPERTY_NAME = re.compile(r"\w+", re.ASCII)
_DERIVED_MODE = {1: 1, 2: 2}


def check(kind: str, row: Row, *, old: Row | None, store: Store, also: t.Sequence[Row] = ()) -> Row:
    """Return the row as it is saved.

    Args:
        kind: the name of its type.
        row: as merged from a body.
        old: as it was, None for a new one.
        store: the other entities.
        also: other changes of the same save.

    Raises:
        RefusedError: it breaks a rule.
    """
    others = [other for other in (*store.rows(kind), *also) if old is None or other["id"] != old["id"]]
    if any(other["id"] == row["id"] for other in others):
        raise _taken(store, kind, "id")
    match kind:
        case "VirtualProxyConfig":
            row = _check_virtual_proxy(row, old=old, store=store)
        case "CustomPropertyDefinition":
            if not _PROPERTY_NAME.fullmatch(row["name"]):
                raise bad("name must consist of letters, digits and underscores.")
            # EVIDENCE(A; QRS API reference, CustomPropertyDefinition): the valueType of a custom property is Text
            # INVENTED(switch=none): there is no other valueType
            if row["valueType"].lower() != "text":
                raise bad("valueType must be Text.")
        case "Selection":
            row = {**row, "items": [_check_selected(item, store) for item in row["items"]]}
    for item in row.get("customProperties") or ():
        _check_custom_property(kind, item, store)
    # EVIDENCE(A; Qlik help "Virtual proxy: Create"): `prefix` and sessionCookieHeaderName must be unique
    # INVENTED(switch=duplicate_status): what is not unique is 400
    # INVENTED(switch=none): names of nodes, tags, custom properties and users must be unique, too; case makes no
    # difference
    for fields in _UNIQUE.get(kind, ()):
        mine = [str(row[name]).casefold() for name in fields]
        if any([str(other[name]).casefold() for name in fields] == mine for other in others):
            raise _taken(store, kind, " and ".join(fields))
    return row


_UNIQUE: dict[str, tuple[tuple[str, ...], ...]] = {
    "VirtualProxyConfig": (("prefix",), ("sessionCookieHeaderName",)),
    "ServerNodeConfiguration": (("name",), ("hostName",)),
    "Tag": (("name",),),
    "CustomPropertyDefinition": (("name",),),
    "User": (("userDirectory", "userId"),),
}


def _taken(store: Store, kind: str, name: str) -> RefusedError:
    return RefusedError(int(store.view.switches.duplicate_status), f"{kind}: {name} is already in use.")


def _check_virtual_proxy(row: Row, *, old: Row | None, store: Store) -> Row:
    switches = store.view.switches
    prefix: str = row["prefix"]
    if switches.upper_case_prefix == "lower" and (old is None or not old["defaultVirtualProxy"]):
        # EVIDENCE(A; Qlik help "Creating a virtual proxy"): the upgrade to release 3.0 made capitals in prefixes small
        # INVENTED(switch=upper_case_prefix): the repository still does so
        prefix = prefix.lower()
    if old is not None and old["defaultVirtualProxy"]:
        # INVENTED(switch=none): the default virtual proxy keeps its empty prefix
        if prefix:
            raise bad("The prefix of the default virtual proxy cannot be changed.")
    else:
        allowed = _PREFIX_WITH_CAPITALS if switches.upper_case_prefix == "keep" else _PREFIX
        # EVIDENCE(A; Qlik help of Sense 2.x): a prefix may have slashes, but not at begin and end
        # INVENTED(switch=slash_in_prefix): slashes in a prefix are not allowed today
        segments = prefix.split("/") if switches.slash_in_prefix == "accept" else [prefix]
        if prefix and not all(allowed.fullmatch(segment) for segment in segments):
            raise _invalid(switches, "prefix may have lower case letters, digits, and the characters - . _ ~ only.")
    # EVIDENCE(A; QRS API reference, VirtualProxyConfig): sessionCookieHeaderName and headerAuthenticationHeaderName are
    # names of HTTP headers
    if not _HEADER_NAME.fullmatch(row["sessionCookieHeaderName"]):
        raise _invalid(switches, "sessionCookieHeaderName is not a valid header name.")
    header: str = row["headerAuthenticationHeaderName"]
    if header and (not _HEADER_NAME.fullmatch(header) or header.lower() in _RESERVED_HEADERS):
        raise _invalid(switches, "headerAuthenticationHeaderName is not a valid header name.")
    certificate: str = row["jwtPublicKeyCertificate"]
    # INVENTED(switch=certificate_check): the repository does not look at jwtPublicKeyCertificate
    if switches.certificate_check == "400" and certificate and not _is_certificate(certificate):
        raise bad("jwtPublicKeyCertificate is not a valid certificate.")
    return {
        **row,
        "prefix": prefix,
        # INVENTED(switch=certificate_text): jwtPublicKeyCertificate is stored as it came
        "jwtPublicKeyCertificate": _lines(certificate, switches.certificate_text),
        # INVENTED(switch=response_headers_text): additionalResponseHeaders are stored as they came
        "additionalResponseHeaders": _lines(row["additionalResponseHeaders"], switches.response_headers_text),
        # EVIDENCE(B; QRSMeteor): authenticationMethod 2 without a headerAuthenticationMode comes back with mode 2
        # INVENTED(switch=none): method 1 has mode 1, and every other one has mode 0
        "headerAuthenticationMode": _DERIVED_MODE.get(row["authenticationMethod"], 0),
    }


def _invalid(switches: Switches, text: str) -> RefusedError:
    # INVENTED(switch=invalid_status): a value that cannot be is refused with 400
    return RefusedError(int(switches.invalid_status), text)


def _lines(text: str, form: str) -> str:
    """Return a text of several lines in the format of a switch: verbatim, normalized or crlf."""
    if form == "verbatim":
        return text
    lines = [line.strip() for line in text.strip().splitlines()]
    return ("\r\n" if form == "crlf" else "\n").join(lines)


def _is_certificate(pem: str) -> bool:
    try:
        x509.load_pem_x509_certificate(pem.encode())
    except (ValueError, x509.InvalidVersion):
        return False
    return True


def _check_custom_property(kind: str, item: Row, store: Store) -> None:
    # INVENTED(switch=none): a custom property has to be one for this kind of entity, and its value one of the choices
    definition = t.cast("Row", store.row("CustomPropertyDefinition", item["definition"]))
    if kind not in definition["objectTypes"]:
        raise bad(f"The custom property {definition['name']} is not for {kind}.")
    if item["value"] not in definition["choiceValues"]:
        raise bad(f"The custom property {definition['name']} has no such value.")


def _check_selected(item: Row, store: Store) -> Row:
    """Return an item of a selection with the name of its entity."""
    # INVENTED(switch=none): the type of a selected item is one that has a path, in any case; the entity need not exist
    # (any more)
    kind = next((kind for kind in PUBLIC.values() if kind.name.lower() == item["type"].lower()), None)
    if kind is None:
        raise bad(f"There is no type {item['type'][:60]}.")
    if not GUID.fullmatch(item["objectID"]):
        raise bad("Could not convert to Guid: objectID.")
    entity_id: str = item["objectID"].lower()
    return {
        **item,
        "type": kind.name,
        "objectID": entity_id,
        "objectName": name_of(store.row(kind.name, entity_id) or {}),
    }


def name_of(row: Row) -> str:
    """Return the name of an entity in a selection."""
    # INVENTED(switch=none): the objectName of a selected item is its name, or else its description
    return str(row.get("name") or row.get("description") or "")


def consequences(kind: str, row: Row, *, old: Row | None, store: Store, user: str) -> list[Change]:
    """Return the other changes that the save of an entity causes."""
    switches = store.view.switches
    touched: list[tuple[str, Row]] = []
    # INVENTED(switch=save_touches_proxy_service): saving a virtual proxy leaves the dates of its proxy services alone
    if kind == "VirtualProxyConfig" and switches.save_touches_proxy_service:
        touched = [("ProxyService", proxy) for proxy in _linking(row["id"], store)]
    # INVENTED(switch=link_touches_virtual_proxy): linking leaves the virtual proxy's own date alone
    if kind == "ProxyService" and old is not None and switches.link_touches_virtual_proxy:
        before, after = (set(one["settings"]["virtualProxies"]) for one in (old, row))
        linked = (store.row(VIRTUAL_PROXY.name, entity_id) for entity_id in before ^ after)
        touched = [(VIRTUAL_PROXY.name, one) for one in linked if one is not None]
    return [Change(name, one["id"], store.stamped(one, by=user, old=one)) for name, one in touched]


def deletion(kind: str, row: Row, *, store: Store, user: str) -> list[Change]:
    """Return all changes that the deletion of an entity causes.

    Raises:
        RefusedError: it cannot be deleted.
    """
    entity_id: str = row["id"]
    changes = [Change(kind, entity_id, None)]
    if kind == "User" and row["deleteProhibited"]:
        raise bad("This user cannot be deleted.")
    if kind == "VirtualProxyConfig":
        # INVENTED(switch=delete_default): the default virtual proxy cannot be deleted; no public source reports an
        # attempt
        wanted = store.view.switches.delete_default
        if row["defaultVirtualProxy"] and wanted != "accept":
            raise RefusedError(int(wanted), "The default virtual proxy cannot be deleted.")
        linking = _linking(entity_id, store)
        # INVENTED(switch=delete_linked): links go with the virtual proxy that is deleted
        if linking and store.view.switches.delete_linked != "cascade":
            raise RefusedError(int(store.view.switches.delete_linked), "The virtual proxy is in use.")
        for proxy in linking:
            settings = {**proxy["settings"]}
            settings["virtualProxies"] = [one for one in settings["virtualProxies"] if one != entity_id]
            changed = {**proxy, "settings": settings}
            changes.append(Change("ProxyService", proxy["id"], store.stamped(changed, by=user, old=proxy)))
    # INVENTED(switch=none): tags and custom properties that are deleted are removed from all entities that have them,
    # and the dates of these stay
    for holder in ("VirtualProxyConfig", "ProxyService", "ServerNodeConfiguration", "User"):
        for other in store.rows(holder):
            tags = [one for one in other["tags"] if kind != "Tag" or one != entity_id]
            values = [
                item
                for item in other["customProperties"]
                if kind != "CustomPropertyDefinition" or item["definition"] != entity_id
            ]
            if (tags, values) != (other["tags"], other["customProperties"]):
                changes.append(Change(holder, other["id"], {**other, "tags": tags, "customProperties": values}))
    return changes


def _linking(virtual_proxy_id: str, store: Store) -> list[Row]:
    """Return the proxy services that a virtual proxy is linked to."""
    return [proxy for proxy in store.rows("ProxyService") if virtual_proxy_id in proxy["settings"]["virtualProxies"]]
