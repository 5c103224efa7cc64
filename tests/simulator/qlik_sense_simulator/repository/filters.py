# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter expressions of the repository: a grammar, and predicates for rows."""

from __future__ import annotations

import datetime
import functools
import operator
import re
import typing as t

import lark

from .bodies import GUID, parse_date
from .enums import enum_values
from .paths import Path, PathError, custom_property, resolve
from .refusals import CANNOT_PARSE, INVALID_EXPRESSION, RefusedError
from .schema import EntityType
from .store import Store, from_text
from .views import Row

Predicate = t.Callable[[Row], bool]

# EVIDENCE(A; Qlik help "Filtering"): a filter is "property operator value", joined by "and" or "or"
# EVIDENCE(B; butler-sheet-icons, measured): strings stand in single quotes, with a backslash before a quote or a
# backslash; doubled quotes and double-quoted strings are 400, and so is "()", with another text
# EVIDENCE(B; qlik-repo-api, ctrl-q, qrspy, gitoqlok): groups, bare GUIDs, True and False, and paths with dots work
# INVENTED(switch=none): "and" binds closer than "or", and keywords may be in any case
_GRAMMAR = r"""
start: disjunction
disjunction: conjunction ("or"i conjunction)*
conjunction: term ("and"i term)*
?term: comparison | "(" disjunction ")" | negation | empty
negation: _NOT term
empty: "(" ")"
comparison: NAME OPERATOR value
value: STRING -> string
     | GUID -> guid
     | DATE -> date
     | NUMBER -> number
     | WORD -> word

NAME: /@?[A-Za-z_]\w*(\.[A-Za-z_]\w*)*/
_NOT.2: /not(?![\w.])/i
OPERATOR.2: /(eq|ne|gt|ge|lt|le|sw|ew|so|like)(?![\w.])/i
STRING: /'(\\.|[^'\\])*'(?!')/s
GUID.4: /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![\w-])/i
DATE.3: /\d{4}-\d\d?-\d\d?(T[0-9:.]+(Z|[+-][0-9:]+)?)?(?![\w:.-])/i
NUMBER.2: /-?\d{1,18}(?![\w.-])/
WORD: /[A-Za-z_]\w*/
%ignore /[ \t\r\n]+/
"""


@functools.lru_cache(maxsize=64)
def _like(pattern: str) -> re.Pattern[str]:
    """Return the regular expression for a pattern in which % stands for any characters."""
    return re.compile(".*".join(re.escape(part) for part in pattern.split("%")), re.DOTALL)


_COMPARE: dict[str, t.Callable[[t.Any, t.Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
    "sw": lambda value, part: value.startswith(part),
    "ew": lambda value, part: value.endswith(part),
    "so": lambda value, part: part in value,
    "like": lambda value, pattern: _like(pattern).fullmatch(value) is not None,
}
_SAME = ("eq", "ne")
_DEEPEST = 50
_NO_PARENTHESIS = re.compile(r"'(?:\\.|[^'\\])*'|[^()]", re.DOTALL)
_ORDERED = (*_SAME, "gt", "ge", "lt", "le")
# EVIDENCE(A; Qlik help "Filtering"): eq and ne go with all types, gt, ge, lt and le with numbers, enums and dates, and
# sw, ew and so with strings
_ALLOWED = {
    "text": (*_SAME, "sw", "ew", "so", "like"),
    "texts": (*_SAME, "sw", "ew", "so", "like"),
    "guid": _SAME,
    "flag": _SAME,
    "number": _ORDERED,
    "enum": _ORDERED,
    "date": _ORDERED,
}


class _InvalidExpressionError(Exception):
    """An expression with an empty group."""


class _MeaninglessError(Exception):
    """A comparison with a property that does not exist, or with a value of another type."""


def compile_filter(expression: str, kind: EntityType, store: Store) -> Predicate:
    """Return a predicate for the rows of a type.

    Args:
        expression: as decoded from the query.
        kind: the type of the rows; all fields of the full format are known, even if the list is condensed.
        store: for the entities that paths lead to, and the switches.

    Raises:
        RefusedError: 400, the expression is not valid.
    """
    # Expressions of real clients have few nested groups. Very deep nesting would exhaust the stack.
    if _depth(expression) > _DEEPEST:
        raise RefusedError(400, CANNOT_PARSE.format(expression=expression))
    try:
        tree = _parser().parse(expression)
        return _Compiler(kind, store).transform(tree)
    except lark.exceptions.VisitError as error:
        cause = error.orig_exc
    except lark.exceptions.LarkError as error:
        cause = error
    if isinstance(cause, _InvalidExpressionError):
        raise RefusedError(400, INVALID_EXPRESSION)
    if isinstance(cause, (_MeaninglessError, PathError, lark.exceptions.LarkError)):
        # INVENTED(switch=none): unknown properties and values of another type get the text of a syntax error
        raise RefusedError(400, CANNOT_PARSE.format(expression=expression))
    raise cause


def _depth(expression: str) -> int:
    """Return the largest number of open groups. Parentheses inside strings do not count."""
    deepest = depth = 0
    for character in _NO_PARENTHESIS.sub("", expression):
        depth += 1 if character == "(" else -1
        deepest = max(deepest, depth)
    return deepest


@functools.cache
def _parser() -> lark.Lark:
    return lark.Lark(_GRAMMAR, parser="lalr", lexer="contextual")


class _Compiler(lark.Transformer[lark.Token, Predicate]):
    """Builds predicates from a parsed expression, bottom up."""

    def __init__(self, kind: EntityType, store: Store) -> None:
        super().__init__()
        self._kind = kind
        self._store = store

    def start(self, children: list[Predicate]) -> Predicate:
        return children[0]

    def disjunction(self, children: list[Predicate]) -> Predicate:
        return children[0] if len(children) == 1 else lambda row: any(child(row) for child in children)

    def conjunction(self, children: list[Predicate]) -> Predicate:
        return children[0] if len(children) == 1 else lambda row: all(child(row) for child in children)

    def negation(self, children: list[Predicate]) -> Predicate:
        # INVENTED(switch=not_in_filter): a filter has no "not"; neither the help nor any client uses it
        if self._store.view.switches.not_in_filter == "400":
            raise _MeaninglessError
        [child] = children
        return lambda row: not child(row)

    def empty(self, _children: list[t.Any]) -> t.NoReturn:
        raise _InvalidExpressionError

    def string(self, children: list[lark.Token]) -> tuple[str, str]:
        # INVENTED(switch=none): a backslash before anything but a quote or a backslash stands for itself
        return "string", re.sub(r"\\(['\\])", r"\1", children[0][1:-1])

    def guid(self, children: list[lark.Token]) -> tuple[str, str]:
        return "guid", str(children[0])

    def date(self, children: list[lark.Token]) -> tuple[str, str]:
        return "date", str(children[0])

    def number(self, children: list[lark.Token]) -> tuple[str, str]:
        return "number", str(children[0])

    def word(self, children: list[lark.Token]) -> tuple[str, str]:
        return "word", str(children[0])

    def comparison(self, children: list[t.Any]) -> Predicate:
        name, operation, literal = str(children[0]), str(children[1]).lower(), children[2]
        if name.startswith("@"):
            # EVIDENCE(B; public DSC configurations of Qlik sites): `@name` is a custom property, and its value may be a
            # bare word: "@location eq north and @role eq engine", on nodes
            # INVENTED(switch=custom_property_filter): it works on all entities with custom properties
            if self._store.view.switches.custom_property_filter == "400":
                raise _MeaninglessError
            path = custom_property(self._kind, name[1:], self._store)
        else:
            path = resolve(self._kind, name, self._store)
        if literal[0] == "word" and literal[1].lower() == "null":
            return self._null(path, operation)
        # INVENTED(switch=like_in_filter): a filter has no "like"; neither the help nor any client uses it
        if operation == "like" and self._store.view.switches.like_in_filter == "400":
            raise _MeaninglessError
        if operation not in _ALLOWED.get(path.field.kind, ()):
            raise _MeaninglessError
        if name.startswith("@") and literal[0] in ("word", "number"):
            literal = ("string", literal[1])
        wanted = self._literal(path, *literal)
        compare = _COMPARE[operation]
        read = _READERS.get(path.field.kind, _as_it_is)
        # EVIDENCE(B; gitoqlok, qlik-repo-api): a comparison with a list holds if any of its members matches
        # INVENTED(switch=none): that is so for ne, too
        return lambda row: any(value is not None and compare(read(value), wanted) for value in path.values(row))

    def _null(self, path: Path, operation: str) -> Predicate:
        # INVENTED(switch=null_in_filter): `null` stands for what has no value
        if self._store.view.switches.null_in_filter == "400" or operation not in _SAME:
            raise _MeaninglessError
        return lambda row: (not any(value is not None for value in path.values(row))) == (operation == "eq")

    def _literal(self, path: Path, form: str, text: str) -> t.Any:
        """Return the value of a literal, in the type of the field that it is compared with."""
        match path.field.kind, form:
            case (("text" | "texts"), "string"):
                # EVIDENCE(A; Qlik help "Filtering"): strings are compared without regard to case
                return text.casefold()
            case "guid", ("string" | "guid") if GUID.fullmatch(text):
                return text.lower()
            case "flag", "word" if text.lower() in ("true", "false"):
                return text.lower() == "true"
            case (("number" | "enum"), "number"):
                return int(text)
            case "enum", ("word" | "string") if path.field.enum is not None:
                # EVIDENCE(A; Qlik help "Filtering"): an enum is compared by name (ServiceType eq Engine) or number
                names = [name.lower() for name in enum_values(path.field.enum, self._store.view.release)]
                if text.lower() in names:
                    return names.index(text.lower())
            case "date", ("string" | "date"):
                moment = parse_date(text)
                if moment is not None:
                    return moment
        raise _MeaninglessError


def _as_it_is(value: t.Any) -> t.Any:
    return value


def _folded(value: str) -> str:
    return value.casefold()


def _moment(value: str) -> datetime.datetime:
    return from_text(value)


_READERS: dict[str, t.Callable[[t.Any], t.Any]] = {"text": _folded, "texts": _folded, "date": _moment}
