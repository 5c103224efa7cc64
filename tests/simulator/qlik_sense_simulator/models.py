# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Convert the content of a site file to its models, with errors that name the place in the file."""

from __future__ import annotations

import re
import typing as t

import msgspec

_ERROR = re.compile(r"(?P<text>.*?)(?: - at `(?P<key>key` in `)?\$(?P<place>.*)`)?", re.DOTALL)
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")
_KINDS = {
    "str": "text",
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a mapping of names to values",
}
_FOUND: dict[type, str] = {dict: "a mapping", list: "a list"}
_Kind = t.TypeVar("_Kind")


class SiteError(ValueError):
    """A site file, or a part of it, that is not accepted. The message names the place, and says what is allowed."""


def convert(content: object, kind: type[_Kind]) -> _Kind:
    """Return the content of a site file, or of a part of it, as a model. Types are not converted.

    A check of a model's own (`__post_init__`) raises ValueError with a text that begins with the name of a field.

    Raises:
        SiteError: for unknown names, values that are not allowed, and what models refuse themselves.
    """
    try:
        return msgspec.convert(content, kind)
    except msgspec.ValidationError as error:
        raise SiteError(_explain(str(error), content, kind)) from None


def _explain(message: str, content: t.Any, kind: t.Any) -> str:
    """Return a message of msgspec as a sentence. It shows no password, and no list or mapping, which may hold one."""
    match = t.cast("re.Match[str]", _ERROR.fullmatch(message))
    text, place = match["text"], (match["place"] or "").removeprefix(".")
    for name, index in _STEP.findall(match["place"] or ""):
        content = content[name or int(index)]
        kind = _kind_of(kind, name)
    subject = place or "the content"
    if text.startswith("Object contains unknown field"):
        return f"{subject} has the unknown name {text.split('`')[1]}. Known are: {', '.join(_names(kind))}."
    if text.startswith("Object missing required field"):
        return f"{place}.{text.split('`')[1]}".removeprefix(".") + " is missing."
    if t.get_origin(kind) is t.Literal:
        allowed = f"one of {', '.join(t.get_args(kind))}"
    elif text.startswith("Expected "):
        allowed = text.removeprefix("Expected ").partition(", got ")[0]
        allowed = re.sub(r"`(\w+)(?: \| null)?`", lambda one: _KINDS.get(one[1], one[1]), allowed)
    else:
        return f"{place}.{text}.".removeprefix(".")
    if match["key"] or subject.endswith(("[...]", ".password")):
        return f"{subject} should {'have names that are' if match['key'] else 'be'} {allowed}."
    found = _FOUND[type(content)] if type(content) in _FOUND else repr(content)
    return f"{subject} should be {allowed}, not {found}."


def _kind_of(kind: t.Any, name: str) -> t.Any:
    """Return the type of a field by its name in the file, or without a name the type of the items of a list."""
    return t.get_type_hints(kind)[_names(kind)[name]] if name else t.get_args(kind)[0]


def _names(kind: type[msgspec.Struct]) -> dict[str, str]:
    """Return the names that a model has in the file, with those of its attributes."""
    return dict(zip(kind.__struct_encode_fields__, kind.__struct_fields__, strict=True))
