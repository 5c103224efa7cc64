# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All switches of a site: how it behaves where public sources leave open how Qlik Sense does."""

from __future__ import annotations

import dataclasses
import typing as t

from .proxy.behaviors import ProxySwitches
from .repository.behaviors import RepositorySwitches


class SwitchError(ValueError):
    """A switch that does not exist, or a value that it does not know. The message names the known ones."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Switches(RepositorySwitches, ProxySwitches):
    """The switches of the proxies and of the repository, as a site file has them."""

    @classmethod
    def from_mapping(cls, values: t.Mapping[str, t.Any]) -> t.Self:
        """Check and take over what a site file says.

        Numbers and words are interchangeable where no doubt is possible (404 for "404"), because YAML makes
        numbers of unquoted ones.

        Raises:
            SwitchError: for an unknown name or value; the message lists the known ones.
        """
        kinds = t.get_type_hints(cls)
        unknown = sorted(str(name) for name in values if name not in kinds)
        if unknown:
            raise SwitchError(f"Unknown switches: {', '.join(unknown)}. Known are: {', '.join(kinds)}.")
        return cls(**{name: _checked(name=name, value=value, kind=kinds[name]) for name, value in values.items()})


def _checked(*, name: str, value: object, kind: t.Any) -> t.Any:
    """The value in its declared type, or a SwitchError that says what is allowed."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if t.get_origin(kind) is t.Literal:
        # YAML 1.1 reads an unquoted off as false.
        word = "off" if value is False else str(value)
        if word in t.get_args(kind):
            return word
        raise SwitchError(f"Switch {name} cannot be {value!r}. Known values are: {', '.join(t.get_args(kind))}.")
    if kind is bool and not isinstance(value, bool):
        raise SwitchError(f"Switch {name} cannot be {value!r}. Known values are: true, false.")
    if kind in (int, float):
        if not is_number or not 0 <= t.cast("float", value) < float("inf"):
            raise SwitchError(f"Switch {name} cannot be {value!r}. It takes a number that is not negative.")
        return kind(value)
    return value
