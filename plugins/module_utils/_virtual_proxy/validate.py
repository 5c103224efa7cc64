# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""Validate values before they are written to a virtual proxy. Pure, no I/O."""

from __future__ import annotations

import typing as t

from .. import _identifiers
from .._errors import InputError, about
from .._keys import certificate as _certificate
from .._text import sanitize
from .convert import same
from .model import LIST_CHANGES, Options

_Check = t.Callable[[t.Any, str], t.Any]


def require_valid(
    options: Options,
    held: Options | None = None,
    *,
    restore: bool = False,
    elsewhere: t.Callable[[], t.Iterable[Options]] = tuple,
) -> None:
    """Raise if a value is certain not to work. Values that the site has already count as valid.

    Args:
        options: the options that will be written, as from_options returns them.
        held: the current values of the virtual proxy.
        restore: True to check only the identifiers of a virtual proxy and its sessions, because the site had the values
            before.
        elsewhere: returns the current values of JWT virtual proxies that a new one can be a copy of, as in a rotation.
            Certificates and empty values do not count.

    Raises:
        InputError: a value is not valid.
    """
    for name, validator in _UNIQUE.items():
        if name in options:
            validator(options[name], name)
    for name in () if restore else filter(options.__contains__, _CHECKS):
        value = options[name]
        if name in LIST_CHANGES:
            value = [one for one in value if one not in (held or {}).get(name, ())]
        try:
            _CHECKS[name](value, name)
        except InputError:
            if not _is_held(name, value, elsewhere()):
                raise


def problems(fields: Options) -> t.Iterator[str]:
    """Yield the messages about values that require_valid refuses, except that of the certificate."""
    for name, check in _CHECKS.items():
        if name in fields and name != "jwt_public_key_certificate":
            try:
                check(fields[name], name)
            except InputError as error:
                yield error.message


def _is_held(name: str, value: t.Any, others: t.Iterable[Options]) -> bool:
    if not value or name == "jwt_public_key_certificate":
        return False
    if name in LIST_CHANGES:
        lists = [other[name] for other in others if name in other]
        return all(any(one in entries for entries in lists) for one in value)
    return any(same(name, {name: value}, other) for other in others)


def _attribute_map(rows: list[t.Any], option: str) -> None:
    for row in rows:
        _identifiers.claim_name(row["jwt_attribute"], option)


def _timeout(value: int, option: str) -> None:
    if value < 1:
        raise InputError(f"{option} is below 1.", hint="Give the minutes, such as 30.")


def _hosts(values: list[str], _option: str) -> None:
    for value in values:
        _identifiers.allowed_host(value)


def _headers(value: str, option: str) -> None:
    for line in value.splitlines():
        name, colon, _value = line.partition(":")
        if line.strip() and not (colon and _identifiers.is_valid(_identifiers.header_name, name.strip())):
            raise InputError(
                f"{option} contains the line {sanitize(line, 100)!r}, which is not a header.",
                hint="Give one 'Name: value' per line.",
            )


def _jwt_certificate(pem: str, option: str) -> None:
    with about(option):
        _certificate.require_rsa(pem)


_UNIQUE: dict[str, _Check] = {
    "prefix": _identifiers.prefix,
    "session_cookie_header_name": _identifiers.cookie_name,
}
_CHECKS: dict[str, _Check] = {
    "jwt_attribute_user_id": _identifiers.claim_name,
    "jwt_attribute_user_directory": _identifiers.claim_name,
    "jwt_attribute_map": _attribute_map,
    "session_inactivity_timeout": _timeout,
    "websocket_cross_origin_white_list": _hosts,
    "additional_response_headers": _headers,
    "jwt_public_key_certificate": _jwt_certificate,
}
