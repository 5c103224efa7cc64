# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""Compare additional response headers with the settings of a virtual proxy. Pure, no I/O."""

from __future__ import annotations

import typing as t

from .._virtual_proxy.model import VirtualProxy

# Headers that frame an answer or that the server sets itself cannot be compared.
_NOT_COMPARED = frozenset(("connection", "content-length", "transfer-encoding", "upgrade", "date", "set-cookie"))


def declared_headers(virtual_proxy: VirtualProxy) -> list[tuple[str, str]]:
    """Return names and values of additional_response_headers, one "Name: value" per line (article ta-p/2509211)."""
    lines = str(virtual_proxy.fields.get("additional_response_headers") or "").splitlines()
    pairs = [line.partition(":") for line in lines if ":" in line]
    return [
        (name.strip(), " ".join(value.split()))
        for name, _colon, value in pairs
        if name.strip().lower() not in _NOT_COMPARED
    ]


def header_faults(declared: t.Iterable[tuple[str, str]], answered: t.Mapping[str, t.Sequence[str]]) -> list[str]:
    """Return the differences between the headers of an answer and the settings.

    Args:
        declared: names and values of the expected headers.
        answered: the actual values, by the name in lower case.
    """
    faults = []
    for name, value in declared:
        values = answered.get(name.lower(), ())
        if not values:
            faults.append(f"{name} is missing")
        elif value not in values:
            faults.append(f"{name} is {' and '.join(values)}")
    return faults
