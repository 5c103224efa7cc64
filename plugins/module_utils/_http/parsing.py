# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""Parse JSON of a server, with limits for memory and depth. Pure, no I/O."""

from __future__ import annotations

import json
import re
import typing as t

_MOST_MEMORY = 120_000_000  # bytes; 500 virtual proxies that are linked to 12 proxies need 90 MB
_MOST_LEVELS = 100  # the entities of Qlik have less than ten; copying needs several calls for each
# Bytes of CPython objects, at most. Names of values are stored once, and the entities of Qlik have less than a hundred.
_OBJECT, _LIST, _STRING, _NUMBER, _NAME = 184, 64, 72, 40, 34
_NEW_NAME = 160
_MOST_NAMES = 1000
_NAMES = re.compile(rb'"([^"]*)":')
_UNUSUAL_NAMES = re.compile(rb'"\s+:|\\":')
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class LimitError(ValueError):
    """A text is JSON, but exceeds a limit. The text of the exception is a message for users."""


def parse(text: bytes) -> t.Any:
    """Return parsed JSON, in which halves of surrogate pairs are replaced.

    Raises:
        ValueError: it is not JSON.
        RecursionError: it is nested too deeply for the parser.
        LimitError: it exceeds a limit.
    """
    halves = _SURROGATE.search(text) is not None
    if _memory(text, halves=halves) > _MOST_MEMORY:
        raise LimitError(f"The answer has more data than fit into {_MOST_MEMORY // 1_000_000} MB of memory.")
    content = json.loads(text, parse_constant=_refuse)
    if halves:
        # A lone surrogate is not valid in other texts.
        content = json.loads(json.dumps(content, ensure_ascii=False).encode("utf-8", "replace"))
    level = [content]
    for _level in range(_MOST_LEVELS):
        level = [one for each in level for one in _values(each)]
        if not level:
            return content
    raise LimitError(f"The answer has more than {_MOST_LEVELS} levels of objects and lists.")


def _memory(text: bytes, *, halves: bool) -> int:
    """Return the maximum of the memory in bytes: the text as bytes, as text, and the values."""
    # Usual answers are far below the limit, which four counts show.
    most = text.count(b'"') // 2 * (_STRING + 4 + _NEW_NAME) + (text.count(b",") + 1) * _NUMBER
    most += len(text) * 18 + text.count(b"{") * _OBJECT + text.count(b"[") * _LIST
    if most <= _MOST_MEMORY:
        return most
    # A single character decides how many bytes each character of a text occupies.
    if halves or re.search(rb"[\xf0-\xff]", text):
        width = 4
    else:
        width = 2 if b"\\u" in text or re.search(rb"[\xc4-\xef]", text) else 1
    # Quotes within strings have a backslash before them. What is not certain counts as the larger object.
    names = text.count(b'":') - text.count(b'\\":')
    unusual = sum(1 for _match in _UNUSUAL_NAMES.finditer(text))
    empty = text.count(b'""') - text.count(b'\\""')
    strings = max(0, text.count(b'"') // 2 - names - unusual - empty)
    shared = sum(text.count(b'":' + one) - text.count(b'\\":' + one) for one in (b"null", b"true", b"false"))
    numbers = max(0, text.count(b",") + 1 - strings - empty - shared)
    values = text.count(b"{") * _OBJECT + text.count(b"[") * _LIST + strings * (_STRING + width) + numbers * _NUMBER
    # In usual texts, the values that are texts are a small part of it.
    copies = 1 + width if width == 1 else 1 + 2 * width
    whole = len(text) * copies * (2 if halves else 1) + values + unusual * _NEW_NAME
    if whole + names * _NEW_NAME <= _MOST_MEMORY:
        return whole + names * _NEW_NAME
    return whole + names * (_NAME if _has_few_names(text) else _NEW_NAME)


def _has_few_names(text: bytes) -> bool:
    found: set[bytes] = set()
    for match in _NAMES.finditer(text):
        found.add(match[1])
        if len(found) > _MOST_NAMES:
            return False
    return True


def _values(value: t.Any) -> t.Iterable[t.Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _refuse(constant: str) -> t.NoReturn:
    raise ValueError(f"{constant} is not JSON")
