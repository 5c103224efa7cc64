# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Request paths and host names, as a proxy reads them before anything else."""

from __future__ import annotations

import typing as t
import urllib.parse

from starlette.types import Scope

from .behaviors import Switches


class BadRequestError(ValueError):
    """A request line or header that is refused before any handler sees it."""


def segments(scope: Scope) -> list[str]:
    """Return the decoded segments of the request path, in the case of the caller.

    Double and trailing slashes are removed. Paths that another server could interpret in another way are refused.

    Raises:
        BadRequestError: dot segments, encoded slashes, backslashes, control characters, bytes that are not UTF-8.
    """
    # INVENTED(switch=none): dots, backslashes and encoded slashes in a path are 400; http.sys in front of a real proxy
    # refuses most of them so
    raw: bytes = scope.get("raw_path") or urllib.parse.quote(scope["path"]).encode()
    lowered = raw.lower()
    if b"%2f" in lowered or b"%5c" in lowered:
        raise BadRequestError("encoded slash")
    try:
        path = urllib.parse.unquote_to_bytes(raw).decode()
    except UnicodeDecodeError:
        raise BadRequestError("path is not UTF-8") from None
    if any(ord(character) < 0x20 or character in "\x7f\\" for character in path):
        raise BadRequestError("control character or backslash")
    found = [segment for segment in path.split("/") if segment]
    if "." in found or ".." in found:
        raise BadRequestError("dot segment")
    return found


def host_name(host: str) -> str:
    """Return the host name in a Host header: lower case, without port and brackets.

    Raises:
        BadRequestError: the header has no host name.
    """
    try:
        parts = urllib.parse.urlsplit(f"//{host.strip()}")
        name = parts.hostname
    except ValueError:
        name = None
    else:
        if parts.path or parts.query or parts.fragment or "@" in host:
            name = None
    if not name:
        raise BadRequestError("no usable Host header")
    return name.rstrip(".")


def own_names(host_name: str, switches: Switches) -> tuple[str, ...]:
    """Return the names of a node that are always allowed."""
    # INVENTED(switch=own_host_names): the node's own names never have to be on the host allow list
    return (host_name, "localhost", "127.0.0.1", "::1") if switches.own_host_names == "allowed" else ()


def host_is_allowed(name: str, *, allow_list: t.Iterable[str], own: t.Iterable[str], by_suffix: bool) -> bool:
    """Return True if a host name is one of the node's own or on a virtual proxy's host allow list.

    Args:
        name: as `host_name` returns it.
        allow_list: the virtual proxy's websocketCrossOriginWhiteList.
        own: the names of the node.
        by_suffix: entries also cover the names below them.
    """
    # EVIDENCE(B; qlik-sense-mcp docs/AUTH_JWT.md): entries of the host allow list are host names without scheme and
    # port
    entries = [entry.strip().lower().rstrip(".") for entry in (*own, *allow_list)]
    # INVENTED(switch=host_allow_list_match): an entry of the host allow list stands for itself only
    return any(entry and (name == entry or (by_suffix and name.endswith(f".{entry}"))) for entry in entries)
