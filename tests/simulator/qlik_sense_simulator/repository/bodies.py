# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bodies of POST and PUT requests: parsed, checked against the schema, and merged with the current entity."""

from __future__ import annotations

import datetime
import json
import re
import typing as t
import uuid

from ..behaviors import Switches
from .catalog import TYPES
from .enums import enum_values
from .refusals import RefusedError, bad
from .schema import PLAIN, EntityType, Field
from .store import Store, from_text, now, to_text
from .views import Row, shown_date

EMPTY_ID = "00000000-0000-0000-0000-000000000000"
GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
# INVENTED(switch=none): a body may have 4 MiB
LARGEST_BODY = 4 * 1024 * 1024
# EVIDENCE(B; qrspy): clients send dates without leading zeros, such as 2017-2-3T4:5:6.7Z
_DATE = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ](\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,9}))?)?)?\s*(Z|[+-]\d{2}:?\d{2})?",
    re.IGNORECASE,
)
# A real repository stores text in PostgreSQL, which cannot store NUL.
_UNSTORABLE = "\0"


def parse(content: bytes) -> t.Any:
    """Return the JSON value in a body.

    Raises:
        RefusedError: it is not JSON, or cannot be stored.
    """
    try:
        # INVENTED(switch=none): a byte order mark before the JSON and any Content-Type are tolerated
        value = json.loads(content.decode("utf-8-sig"), parse_constant=_no_constant)
        if rb"\ud" in content.lower():
            # A lone surrogate cannot be encoded in the response.
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise bad("The request body is not valid JSON.") from None
    return value


def _no_constant(_name: str) -> t.NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


def parse_date(value: object) -> datetime.datetime | None:
    """Return a date in any format that clients send, in whole milliseconds, or None for other values.

    A date without a zone is UTC.
    """
    match = _DATE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        return None
    *numbers, fraction, zone = match.groups()
    year, month, day, hour, minute, second = (int(number or 0) for number in numbers)
    milliseconds = int((fraction or "0").ljust(3, "0")[:3])
    sign = "" if zone in (None, "Z", "z") else zone.replace(":", "")
    try:
        moment = datetime.datetime(year, month, day, hour, minute, second, milliseconds * 1000, datetime.UTC)
        if sign:
            offset = datetime.timedelta(hours=int(sign[1:3]), minutes=int(sign[3:5]))
            moment = moment - offset if sign[0] == "+" else moment + offset
    except (ValueError, OverflowError):
        return None
    return moment


def member(body: t.Mapping[str, t.Any], name: str) -> t.Any:
    """Return a member of a JSON object by its name in any case, or None."""
    # INVENTED(switch=none): names in a JSON body may be in any case, as .NET's usual parser takes them
    return next((value for key, value in body.items() if key.lower() == name.lower()), None)


def same_guid(value: object, entity_id: str) -> bool:
    """Return True if a JSON value is this identifier, in any case."""
    return isinstance(value, str) and value.lower() == entity_id


class Merger:
    """Merges bodies into rows.

    Args:
        store: for the entities that bodies refer to, for release and switches.
        user: "DIRECTORY\\user", the author of the change.
        partial: whether fields that a body leaves out stay as they are, regardless of the switches.
    """

    def __init__(self, store: Store, *, user: str, partial: bool = False) -> None:
        self._store = store
        self._user = user
        self._partial = partial
        self._release = store.view.release
        self._switches = store.view.switches

    def merge(self, kind: EntityType, body: t.Any, *, old: Row | None = None) -> Row:
        """Return the row that a body creates or changes.

        Args:
            kind: the type of the entity.
            body: the JSON value.
            old: the row that it changes, None for a new one.

        Raises:
            RefusedError: the body is not an entity of this type.
        """
        if not isinstance(body, dict):
            raise bad(f"The request body is not a {kind.name}.")
        row = self._fields(kind, body, old)
        if old is None:
            # EVIDENCE(A; Qlik help "Add"): an empty id may be sent with a new entity
            # INVENTED(switch=none): any other id that is sent with a new entity is taken over
            sent = member(body, "id")
            row["id"] = "" if sent in (None, EMPTY_ID) else _guid(sent, "id")
        return self._store.stamped(row, by=self._user, old=old)

    def _fields(self, kind: EntityType, body: dict[str, t.Any], old: Row | None) -> Row:
        """Merge the fields of an entity, or of a part of one."""
        # Fields of other releases are kept, so that a site can be upgraded and downgraded.
        row = dict(old or {})
        sent: dict[str, t.Any] = {}
        for name, value in body.items():
            field = kind.find(name, self._release)
            if field is not None:
                sent[field.name] = value
            elif self._switches.unknown_fields == "400":
                # INVENTED(switch=unknown_fields): fields in a body that this release does not have are ignored
                raise bad(f"Could not find member '{_short(name)}' on object of type '{kind.name}'.")
        for field in kind.fields_of(self._release):
            if field.kind in ("fixed", "guid"):
                continue
            if not field.writable:
                if field.kind == "date" and sent.get(field.name) is not None and parse_date(sent[field.name]) is None:
                    raise bad(f"Could not convert string to DateTime: {field.name}.")
                if field.kind != "date" and field.name not in row and field.name != "modifiedByUserName":
                    row[field.name] = _default(field)
            elif field.name in sent:
                row[field.name] = self._value(field, sent[field.name], None if old is None else old.get(field.name))
            elif old is None or field.name not in old or self._forgets(field):
                row[field.name] = self._value(field, {}, None) if field.kind == "object" else _default(field)
            if field.required and field.writable and not row[field.name]:
                # INVENTED(switch=invalid_status): a value that cannot be is refused with 400
                raise RefusedError(int(self._switches.invalid_status), f"{kind.name}: {field.name} must have a value.")
        return row

    def _forgets(self, field: Field) -> bool:
        """Return True if a PUT resets a field that it leaves out."""
        # EVIDENCE(A; Qlik help "Conflict handling"): fields that a PUT leaves out are sometimes left untouched,
        # sometimes reset to the default
        # INVENTED(switch=omitted_fields): plain values are reset; lists and objects, which would be null, stay
        match "keep" if self._partial else self._switches.omitted_fields:
            case "reset":
                return True
            case "keep":
                return False
        return field.kind in PLAIN

    def _value(self, field: Field, value: t.Any, old: t.Any) -> t.Any:
        """Return the value of a field in a body, checked and in the format of a row."""
        match field.kind:
            case "text":
                return _default(field) if value is None else _text(value, field.name)
            case "flag":
                if value is not None and not isinstance(value, bool):
                    raise bad(f"Could not convert to boolean: {field.name}.")
                return _default(field) if value is None else value
            case "number" | "enum":
                return _default(field) if value is None else self._number(field, value)
            case "object":
                if value is None:
                    value = {}
                if not isinstance(value, dict):
                    raise bad(f"Could not convert to object: {field.name}.")
                return self._fields(TYPES[field.target], value, old)
            case "reference":
                return None if value is None else self._reference(field, value)
        return self._list(field, value, old or [])

    def _number(self, field: Field, value: t.Any) -> int:
        # EVIDENCE(B; Qlik-Cli-Windows, formatted objects): enums must be numbers in a body; their names are not
        # accepted
        if not isinstance(value, int) or isinstance(value, bool):
            raise bad(f"Could not convert to integer: {field.name}.")
        low, high = field.low, field.high
        if field.enum is not None:
            low, high = 0, len(enum_values(field.enum, self._release)) - 1
        if not low <= value <= high:
            raise bad(f"{field.name} must be between {low} and {high}.")
        return value

    def _list(self, field: Field, value: t.Any, old: list[t.Any]) -> list[t.Any]:
        if value is None:
            # EVIDENCE(B; Qlik-Cli-Windows issue 63): null for a list made a server of 2018 fail with 500
            # INVENTED(switch=null_lists): null for a list is an empty list today
            if self._switches.null_lists != "empty":
                raise RefusedError(int(self._switches.null_lists), f"{field.name} must not be null.")
            return []
        # INVENTED(switch=none): a bare string in place of a list is 400
        if not isinstance(value, list):
            raise bad(f"Could not convert to array: {field.name}.")
        if field.kind == "texts":
            return [_text(item, field.name) for item in value]
        if field.kind == "references":
            # EVIDENCE(B; Qlik-Cli-Windows): the list that is sent becomes the list
            # INVENTED(switch=none): an entity that is twice in a list of references counts once
            return list(dict.fromkeys(self._reference(field, item) for item in value))
        return [self._item(field, item, old) for item in value]

    def _item(self, field: Field, item: t.Any, old: list[Row]) -> Row:
        """Return an element that belongs to this entity alone, such as a row of an attribute map."""
        if not isinstance(item, dict):
            raise bad(f"Could not convert to object: {field.name}.")
        sent = member(item, "id")
        before = next((row for row in old if same_guid(sent, row["id"])), None)
        row = self._fields(TYPES[field.target], item, before)
        if before is not None and row == before:
            return row
        # EVIDENCE(A; QRS API reference, VirtualProxyConfigJwtAttributeMapItem): items of attribute maps have ids and
        # dates of their own
        # INVENTED(switch=none): an item that is sent back with its id keeps it, every other one is new
        moment = to_text(now())
        head = before or {"id": str(uuid.uuid4()), "createdDate": moment}
        return {
            **row,
            "id": head["id"],
            "createdDate": head["createdDate"],
            "modifiedDate": moment,
            "modifiedByUserName": self._user,
        }

    def _reference(self, field: Field, value: t.Any) -> str:
        """Return the identifier in {"id": ...}, the only part of a reference that is used."""
        # EVIDENCE(A; Qlik help "Virtual proxy: Link"; B; three clients): an object with nothing but an id refers to an
        # entity
        if not isinstance(value, dict):
            raise bad(f"Could not convert to object: {field.name}.")
        entity_id = _guid(member(value, "id"), f"{field.name}.id")
        if self._store.row(field.target, entity_id) is None:
            # INVENTED(switch=invalid_status): the status for a reference to an entity that does not exist
            # INVENTED(switch=none): the text for a reference to an entity that does not exist
            text = f"{field.name}: there is no {field.target} with the id {entity_id}."
            raise RefusedError(int(self._switches.invalid_status), text)
        return entity_id


def is_conflict(body: t.Mapping[str, t.Any], old: Row, switches: Switches) -> bool:
    """Return True if the entity changed after the sender of a PUT read it.

    Raises:
        RefusedError: the modifiedDate in the body is not a date.
    """
    # EVIDENCE(A; Qlik help "Conflict handling"): a PUT is a conflict only if the stored modifiedDate is more recent
    # than the one sent
    # EVIDENCE(B; qlik-oss/qlik-cli issue 32): a PUT without modifiedDate is a conflict, too
    # EVIDENCE(B; qlik-repo-api, qlik-utils): a date of the client's own clock, newer than the stored one, is accepted
    value = member(body, "modifiedDate")
    sent = parse_date(value)
    if value is not None and sent is None:
        raise bad("Could not convert string to DateTime: modifiedDate.")
    return sent is None or sent < from_text(shown_date(old["modifiedDate"], switches))


def _default(field: Field) -> t.Any:
    return [] if field.kind in ("texts", "references", "items") else field.default


def _text(value: t.Any, name: str) -> str:
    if not isinstance(value, str) or _UNSTORABLE in value:
        raise bad(f"Could not convert to string: {name}.")
    return value


def _guid(value: t.Any, name: str) -> str:
    if not isinstance(value, str) or not GUID.fullmatch(value):
        raise bad(f"Could not convert to Guid: {name}.")
    return value.lower()


def _short(name: str) -> str:
    """Return the name of something from a request, shortened for a message."""
    return name.replace(_UNSTORABLE, "?")[:60]
