# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""Validate values before they are written to a virtual proxy. Pure, no I/O."""

from __future__ import annotations

import re
import typing as t

from .. import _identifiers
from .._errors import InputError, about
from .._keys import certificate as _certificate
from .model import LIST_CHANGES, Options

_IDENTIFIERS: dict[str, t.Callable[[str, str], str]] = {
    "prefix": _identifiers.prefix,
    "session_cookie_header_name": _identifiers.cookie_name,
    "jwt_attribute_user_id": _identifiers.claim_name,
    "jwt_attribute_user_directory": _identifiers.claim_name,
}


def require_valid(options: Options, held: Options | None = None, *, restore: bool = False) -> None:
    """Raise if a value is not valid. Current entries of the site count as valid.

    Args:
        options: the options that will be written, as from_options returns them.
        held: the current values of the site.
        restore: True to check only the identifiers of a virtual proxy and its sessions, because the site had the values
            before.

    Raises:
        InputError: a value is not valid.
    """
    new = {
        name: [one for one in options[name] if one not in (held or {}).get(name, ())]
        for name in LIST_CHANGES
        if name in options
    }
    options = options | new
    names = ("prefix", "session_cookie_header_name") if restore else tuple(_IDENTIFIERS)
    for name in filter(options.__contains__, names):
        _IDENTIFIERS[name](options[name], name)
    if not restore:
        _require_usable(options)


def _require_usable(options: Options) -> None:
    for item in options.get("jwt_attribute_map", ()):
        _identifiers.claim_name(item["jwt_attribute"], "jwt_attribute_map")
    if options.get("session_inactivity_timeout", 1) < 1:
        raise InputError("session_inactivity_timeout is below 1.", hint="Give the minutes, such as 30.")
    for host in options.get("websocket_cross_origin_white_list", ()):
        if not host or re.search(r"[/\s]", host) or (host.count(":") == 1 and not host.endswith(":")):
            raise InputError(
                f"The host allow list contains {host!r}, which is not a host name.",
                hint="Give exact host names without scheme, port and path, such as portal.example.com.",
            )
    for line in options.get("additional_response_headers", "").splitlines():
        name, colon, _value = line.partition(":")
        if line.strip() and not (colon and _identifiers.is_valid(_identifiers.header_name, name.strip())):
            raise InputError(
                f"additional_response_headers contains the line {line!r}, which is not a header.",
                hint="Give one 'Name: value' per line.",
            )
    if "jwt_public_key_certificate" in options:
        with about("jwt_public_key_certificate"):
            _certificate.require_rsa(options["jwt_public_key_certificate"])
