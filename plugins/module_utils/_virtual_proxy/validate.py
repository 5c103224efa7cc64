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

_CERTIFICATE = "jwt_public_key_certificate"
_Check = t.Callable[[t.Any, str], t.Any]


def require_valid(
    options: Options,
    held: Options | None = None,
    *,
    restore: bool = False,
    elsewhere: t.Callable[[], t.Iterable[Options]] = tuple,
    source: t.Sequence[Options] = (),
) -> list[str]:
    """Raise if a value is certain not to work. Values that the site has already count as valid.

    Args:
        options: the options that will be written, as from_options returns them.
        held: the current values of the virtual proxy.
        restore: True to check only the identifiers of a virtual proxy and its sessions, because the site had the values
            before.
        elsewhere: returns the current values of the JWT virtual proxies of the site, because this one can be a copy of
            one of them, as in a rotation. Certificates and empty values do not count.
        source: the values on another site, of which this is a copy.

    Returns:
        The options with a value that is not valid, but the same as in source.

    Raises:
        InputError: a value is not valid.
    """
    copied = []
    for name, check in (_UNIQUE if restore else _UNIQUE | _CHECKS).items():
        if name not in options:
            continue
        value = options[name]
        if name in LIST_CHANGES:
            value = [one for one in value if one not in (held or {}).get(name, ())]
        try:
            check(value, name)
        except InputError:
            others = [*source, *(elsewhere() if value and name != _CERTIFICATE else ())]
            if name in LIST_CHANGES:  # again, because the message must name an entry that is not held
                check([one for one in value if not any(one in other.get(name, ()) for other in others)], name)
            elif not any(same(name, options, other) for other in others):
                raise
            if source:
                copied.append(name)
    return copied


def problems(fields: Options) -> t.Iterator[str]:
    """Yield the messages about values that require_valid refuses, except that of the certificate."""
    for name, check in _CHECKS.items():
        if name in fields and name != _CERTIFICATE:
            try:
                check(fields[name], name)
            except InputError as error:
                yield error.message


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
    _CERTIFICATE: _jwt_certificate,
}
