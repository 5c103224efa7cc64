# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""Additional response headers: from their forms in options to the text that QRS stores. Pure, no I/O."""

from __future__ import annotations

import typing as t

from .._errors import InputError

_HINT = "Give one 'Name: value' per line, a list of such lines, or a dictionary of names and values."


def header_lines(value: t.Any) -> str:
    """Return the text with one "Name: value" per line for a text, a dictionary, or a list of texts or dictionaries.

    Raises:
        InputError: it has another form.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, t.Mapping):
        return "\n".join(f"{name}: {_text(one)}" for name, one in value.items())
    if isinstance(value, (list, tuple)) and not any(isinstance(one, (list, tuple)) for one in value):
        return "\n".join(header_lines(one) for one in value)
    raise InputError("additional_response_headers is neither text nor a list nor a dictionary.", hint=_HINT)


def _text(value: t.Any) -> str:
    """Return the value of a header. A boolean of YAML becomes a word in lower case."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (str, int, float)) and len(str(value).splitlines()) < 2:
        return str(value)
    raise InputError("additional_response_headers has a value that is not text of one line.", hint=_HINT)
