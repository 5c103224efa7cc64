# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""Plan one virtual proxy (slot) for each signing key of a provider. Pure, no I/O.

The state is stored on the site, in a note at the end of a slot's description: the names of its key, and the time since
which the provider no longer publishes it. Therefore the next run can be on another machine.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
import re
import typing as t
import urllib.parse
from collections.abc import Mapping, Sequence

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from .. import _identifiers
from .._errors import InputError
from .._keys import certificate as _certificate
from .._keys.private_key import thumbprint
from .._text import sanitize
from .convert import from_options, same
from .model import SPEC, Options, VirtualProxy
from .validate import require_valid

Key = Mapping[str, t.Any]

_NOTE = re.compile(r"\s*\[kid ([^\[\];]*)(?:; gone since (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ))?\]\s*$")
_NOT_COMPARED = ("state", "allow_non_jwt", "id", "certificate")
# Options that differ for each slot.
_OWN = (
    "prefix",
    "session_cookie_header_name",
    "authentication_method",
    "jwt_public_key_certificate",
    *_NOT_COMPARED,
)
_DEFAULT_DESCRIPTION = "Tokens of an identity provider"
# Results are stored in variables, and ansible-core before 2.19 evaluates a text in a variable that looks like a
# template. Text of a provider must never be evaluated.
_TEMPLATE = re.compile(r"\{[{%#]")
_CLOCKS_DIFFER = datetime.timedelta(minutes=5)


@dataclasses.dataclass
class Slot:
    """One virtual proxy for one key.

    Attributes:
        prefix: its prefix, which is derived from the key.
        state: opened (now), open, gone (within the overlap), closed (after it) or evicted (earlier, for a new key).
        kids: the current and former names of its key.
        gone_since: the time at which the key was first missing.
        existing: the current virtual proxy, None if there is none.
        certificate: the certificate to declare, PEM, None for no change.
        required: the declaration, None for no change.
    """

    prefix: str
    state: str
    kids: list[str]
    gone_since: datetime.datetime | None = None
    existing: Options | None = None
    certificate: str | None = None
    required: Options | None = None

    @property
    def live(self) -> bool:
        return self.state in ("opened", "open", "gone")

    @property
    def differs(self) -> bool:
        """Return True if a write may be needed. The module that writes compares again."""
        if self.required is None or self.existing is None:
            return self.required is not None
        return self.required.get("state") == "absent" or not all(
            _same(name, self.required, self.existing) for name in self.required if name not in _NOT_COMPARED
        )


def slot_name(key_thumbprint: str) -> str:
    """Return the name of a slot: the first 12 hexadecimal digits of the RFC 7638 thumbprint (base64url) of its key."""
    return base64.urlsafe_b64decode(key_thumbprint + "=" * (-len(key_thumbprint) % 4)).hex()[:12]


def plan(
    keys: Sequence[Key],
    virtual_proxies: Sequence[Options],
    *,
    prefix: str,
    template: Mapping[str, t.Any],
    overlap: float,
    limit: int,
    now: datetime.datetime,
) -> dict[str, t.Any]:
    """Return the plan after which each key has its slot, as the filter jwks_slots returns it.

    Args:
        keys: as jwks_info returns them. If none of them is usable, they count as unknown, and nothing is changed.
        virtual_proxies: virtual proxies of the site with JWT, as virtual_proxy_info returns them.
        prefix: the first part of the prefixes of the slots.
        template: options for all slots.
        overlap: seconds after which a slot is removed when its key is no longer published.
        limit: maximum number of slots at any time.
        now: the current time with time zone.

    Raises:
        InputError: an argument is not valid, or two keys would have the same slot.
    """
    prefix = prefix.lower()
    options = _validated(template, prefix)
    now = now.replace(microsecond=0)
    warnings: list[str] = []
    listed = _by_prefix(keys, prefix, warnings)
    slots = _existing_slots(virtual_proxies, prefix, listed, warnings)
    unopened: list[str] = []
    known = any(key["usable"] for names in listed.values() for key in names)
    if known:
        for slot in slots:
            _follow(slot, listed, now, overlap, warnings)
        unopened = _open(slots, listed, limit, warnings)
        for slot in slots:
            slot.required = _required(slot, options) if slot.live else {"prefix": slot.prefix, "state": "absent"}
    slots.sort(key=lambda slot: slot.prefix)
    first, rest = _declarations(slots, limit)
    return {
        "keys_known": known,
        "differs": bool(first or rest),
        "make_room": first,
        "virtual_proxies": rest,
        "slots": [_to_result(slot, overlap) for slot in slots],
        "routes": _routes(slots, warnings),
        "unopened": unopened,
        "warnings": [_TEMPLATE.sub("(", warning) for warning in warnings],
    }


def _declarations(slots: Sequence[Slot], limit: int) -> tuple[list[Options], list[Options]]:
    """Return the slots to remove before new ones are created, and the other changes."""
    going = [slot.required for slot in slots if slot.existing and not slot.live and slot.required]
    count = sum(1 for slot in slots if slot.existing or slot.live)
    first = going[: max(0, count - limit)] if any(slot.state == "opened" for slot in slots) else []
    return first, [slot.required for slot in slots if slot.required and slot.required not in first and slot.differs]


def _validated(template: Mapping[str, t.Any], prefix: str) -> Options:
    if own := sorted(template.keys() & set(_OWN)):
        raise InputError(f"The virtual proxy has {', '.join(own)}, which differs for each slot.", hint="Omit it.")
    result = ArgumentSpecValidator(SPEC).validate({**template, "prefix": prefix})
    if result.error_messages:
        raise InputError(
            f"The virtual proxy is not valid: {result.error_messages[0]}.",
            hint="Give options of sensible.qlik.jwt_virtual_proxy.",
        )
    options = from_options(result.validated_parameters)[0].fields
    require_valid(options)
    if _NOTE.search(options.get("description", "")):
        raise InputError("The description ends with a note in the format of slots.", hint="Choose another description.")
    return options


def _by_prefix(keys: Sequence[Key], prefix: str, warnings: list[str]) -> dict[str, list[Key]]:
    """Return the keys by the prefix of their slot, including unusable keys, because they are published."""
    listed: dict[str, list[Key]] = {}
    for key in keys:
        if _TEMPLATE.search(key["kid"]):
            raise InputError(
                "A key has a name that Ansible could evaluate as a template.",
                hint="Do not trust the provider until the cause is known, and rename the key there.",
            )
        if not _identifiers.is_valid(_identifiers.key_id, key["kid"]):
            warnings.append(f"No front end can route tokens by the kid '{sanitize(key['kid'])}' of a key.")
        elif re.search(r"^#|\s", key["kid"]):
            warnings.append(
                f"The kid '{sanitize(key['kid'])}' contains a blank or begins with '#', so a map file with lines, such "
                "as that of HAProxy, cannot contain it. The tokens of its key need another front end."
            )
        if key["thumbprint"]:
            listed.setdefault(f"{prefix}-{slot_name(key['thumbprint'])}", []).append(key)
    for name, sharing in listed.items():
        if len({key["thumbprint"] for key in sharing}) > 1:
            raise InputError(
                f"Two keys would have the same slot {name}: {', '.join(sorted(key['kid'] for key in sharing))}.",
                hint="Replace one of them at the provider.",
            )
    return listed


def _existing_slots(
    virtual_proxies: Sequence[Options], prefix: str, listed: Mapping[str, t.Any], warnings: list[str]
) -> list[Slot]:
    """Return the slots of the site. A virtual proxy without a note and without a key is not a slot."""
    slots = []
    for existing in virtual_proxies:
        name = existing["prefix"].lower()
        if not re.fullmatch(re.escape(prefix) + "-[0-9a-f]{12}", name):
            continue
        note = _NOTE.search(existing.get("description") or "")
        if note is None and name not in listed:
            warnings.append(f"The virtual proxy {name} has no note of a slot in its description, so it is ignored.")
            continue
        kids = [urllib.parse.unquote(kid) for kid in note[1].split()] if note else []
        kids = [kid for kid in kids if _identifiers.is_valid(_identifiers.key_id, kid) and not _TEMPLATE.search(kid)]
        gone = _time(note[2]) if note else None
        slots.append(Slot(name, "gone" if gone else "open", kids, gone, existing))
    return slots


def _follow(
    slot: Slot, listed: Mapping[str, list[Key]], now: datetime.datetime, overlap: float, warnings: list[str]
) -> None:
    """Set the state of an existing slot."""
    keys = listed.get(slot.prefix)
    if keys is None:
        if slot.gone_since is not None and slot.gone_since > now + _CLOCKS_DIFFER:
            warnings.append(f"The time in the note of {slot.prefix} is in the future, so the overlap starts now.")
            slot.gone_since = None
        slot.gone_since = slot.gone_since or now
        slot.state = "gone" if now < slot.gone_since + datetime.timedelta(seconds=overlap) else "closed"
        return
    slot.state, slot.gone_since = "open", None
    usable = [key for key in keys if key["usable"]]
    _name(slot, keys, listed)
    if usable:
        slot.certificate = _certificate_for(usable[0], slot.existing or {})
    else:
        warnings.append(
            f"The key of {slot.prefix} is still published but cannot be used. Its slot is kept: "
            + " ".join(keys[0]["reasons"])
        )


def _name(slot: Slot, keys: Sequence[Key], listed: Mapping[str, list[Key]]) -> None:
    """Set the names of a key: the current ones, and the former ones unless another key has them now."""
    others = {key["kid"] for prefix, same in listed.items() if prefix != slot.prefix for key in same}
    kids = {key["kid"] for key in keys if _identifiers.is_valid(_identifiers.key_id, key["kid"])}
    slot.kids = sorted(kids | (set(slot.kids) - others))


def _certificate_for(key: Key, existing: Options) -> str | None:
    """Return the certificate to declare, None to keep the current one if it has the same key.

    Another certificate of the same key (reissued by the provider, or by another own CA) is not written, because a write
    restarts Qlik's proxies, as long as the current one does not expire soon.
    """
    try:
        held = existing.get("jwt_public_key_certificate", "")
        same = bool(held) and thumbprint(_certificate.rsa_public_key(held)) == key["thumbprint"]
    except InputError:
        same = False
    days = (existing.get("certificate") or {}).get("days_left", -1)
    if same and (days >= _certificate.SOON or days >= key["certificate"]["days_left"]):
        return None
    return str(key["jwt_public_key_certificate"])


def _open(slots: list[Slot], listed: Mapping[str, list[Key]], limit: int, warnings: list[str]) -> list[str]:
    """Add the slots of new keys as far as the limit allows, and evict slots of keys that are no longer published.

    A published key takes precedence, because users get its tokens now.

    Returns:
        The names of the keys without a free slot.
    """
    there = {slot.prefix for slot in slots}
    new = []
    for name, keys in listed.items():
        usable = [key for key in keys if key["usable"]]
        if usable and name not in there:
            slot = Slot(name, "opened", [], certificate=usable[0]["jwt_public_key_certificate"])
            _name(slot, keys, listed)
            new.append(slot)
    new.sort(key=lambda slot: slot.kids)
    gone = sorted((slot.gone_since, slot.prefix, slot) for slot in slots if slot.state == "gone" and slot.gone_since)
    excess = sum(slot.live for slot in slots) + len(new) - limit
    for _since, _prefix, slot in gone[: max(0, excess)]:
        slot.state = "evicted"
        warnings.append(
            f"The slot {slot.prefix} is removed before the end of its overlap, because the limit is {limit}."
        )
    room = max(0, limit - sum(slot.live for slot in slots))
    slots += new[:room]
    return [kid for slot in new[room:] for kid in slot.kids]


def _required(slot: Slot, options: Options) -> Options:
    names = " ".join(urllib.parse.quote(kid, safe="!#$&'()*+,/:=?@^`|~") for kid in slot.kids)
    since = f"; gone since {_text(slot.gone_since)}" if slot.gone_since else ""
    description = options.get("description") or _DEFAULT_DESCRIPTION
    required = {**options, "prefix": slot.prefix, "description": f"{description} [kid {names}{since}]"}
    if slot.certificate:
        required["jwt_public_key_certificate"] = slot.certificate
    return required


def _same(name: str, required: Options, existing: Options) -> bool:
    try:
        return same(name, required, existing)
    except (AttributeError, KeyError, TypeError):  # the existing one is not a result of virtual_proxy_info
        return False


def _routes(slots: Sequence[Slot], warnings: list[str]) -> dict[str, str]:
    """Return the prefix for tokens by their kid. Current names of keys take precedence over former names of others."""
    routes: dict[str, str] = {}
    for slot in sorted(slots, key=lambda slot: slot.state != "gone"):
        for kid in slot.kids if slot.live else ():
            if slot.state != "gone" and kid in routes and routes[kid] in _published(slots):
                warnings.append(f"Two published keys have the kid {kid}; tokens are sent to {routes[kid]} only.")
                continue
            routes[kid] = slot.prefix
    return dict(sorted(routes.items()))


def _published(slots: Sequence[Slot]) -> set[str]:
    return {slot.prefix for slot in slots if slot.state in ("opened", "open")}


def _to_result(slot: Slot, overlap: float) -> dict[str, t.Any]:
    closes = slot.gone_since + datetime.timedelta(seconds=overlap) if slot.gone_since else None
    cookie = VirtualProxy({**(slot.existing or {}), "prefix": slot.prefix}).cookie_name
    return {
        "prefix": slot.prefix,
        "state": slot.state,
        "kids": slot.kids,
        "gone_since": _text(slot.gone_since),
        "closes_at": _text(closes),
        "session_cookie_header_name": cookie,
    }


def _time(text: str | None) -> datetime.datetime | None:
    """Return the time in a note; None if there is none, or the note was edited."""
    try:
        return datetime.datetime.fromisoformat(text or "")
    except ValueError:
        return None


def _text(time: datetime.datetime | None) -> str | None:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ") if time else None
