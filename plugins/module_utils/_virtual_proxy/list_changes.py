# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""Add single entries to the lists of a virtual proxy, or remove them. Pure, no I/O."""

from __future__ import annotations

import typing as t

from .._errors import InputError
from .model import LIST_CHANGES, SPEC, Options

OPTIONS = tuple(option for options in LIST_CHANGES.values() for option in options)


def require_one_way(declared: t.Mapping[str, t.Any]) -> None:
    """Raise if a list is given as a whole and entry by entry."""
    for name, changes in LIST_CHANGES.items():
        whole, change = (
            next((one for one in names if declared.get(one) is not None), None)
            for names in ((*SPEC[name].get("aliases", ()), name), changes)
        )
        if whole and change:
            raise InputError(
                f"Both {whole} and {change} are given.",
                hint=f"Give the whole list, or its changes with {' and '.join(changes)}.",
            )


def entry_key(name: str, entry: t.Any) -> t.Any:
    """Return the key of an entry of a list option: a text without regard to case, a row of the mapping by its names."""
    if name == "jwt_attribute_map":
        return entry["jwt_attribute"], entry["sense_attribute"]
    return entry.casefold()


def with_whole_lists(options: Options, held: Options, key: t.Callable[[str, t.Any], t.Any] = entry_key) -> Options:
    """Return options with whole lists instead of the options that add and remove entries.

    Args:
        options: values by option name.
        held: the current lists, by option. Changes of other lists are not replaced.
        key: returns the key of an entry from the name of its list and its value.

    Raises:
        InputError: the same entry is added and removed.
    """
    result = dict(options)
    for name, changes in LIST_CHANGES.items():
        if name not in held or not any(change in options for change in changes):
            continue
        added, removed = ({key(name, entry): entry for entry in result.pop(change, ())} for change in changes)
        if both := [entry for one, entry in added.items() if one in removed]:
            shown = ", ".join(map(str, both))
            raise InputError(f"Both {' and '.join(changes)} contain: {shown}.", hint="Use one of them.")
        keys = [key(name, entry) for entry in held[name]]
        kept = [
            _changed(entry, added[one]) if one in added else entry
            for one, entry in zip(keys, held[name], strict=True)
            if one not in removed
        ]
        result[name] = kept + [_changed({}, entry) for one, entry in added.items() if one not in keys]
    return result


def _changed(held: t.Any, added: t.Any) -> t.Any:
    """Return the new entry. A row of the mapping keeps the values that are not given."""
    if not isinstance(added, dict):
        return added
    return {"is_mandatory": False, **held, **{key: value for key, value in added.items() if value is not None}}
