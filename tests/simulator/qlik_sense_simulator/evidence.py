# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write the evidence page: what the simulator does, and the source that says that Qlik Sense does so.

Usage: python -m qlik_sense_simulator.evidence [--check] PAGE

The page consists of the comments in the code, the docstrings of the switches, evidence_head.rst and
evidence_differences.rst. A comment has the format

    EVIDENCE(grade; source): behavior
    INVENTED(switch=name): behavior

and may have several entries. Each extends to the next entry or to the end of the comment. Several sources are separated
by semicolons, each after its grade. `switch=none` is an invention without a switch.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import io
import itertools
import pathlib
import re
import sys
import tokenize
import typing as t

from . import behaviors
from .behaviors import Switches

_PACKAGE = pathlib.Path(__file__).parent
_CODE = "https://github.com/sensible-ansible/sensible.qlik/blob/main/tests/simulator/qlik_sense_simulator"
_MARKER = re.compile(r"(EVIDENCE|INVENTED)\(((?:[^()]|\([^()]*\))*)\): ")
_SOURCE = re.compile(r"(?:^|; )([ABC]); ")
# The sections of the page, in their order, and the modules whose comments they show.
_AREAS = {
    "Authentication at the repository": ("repository/access",),
    "Paths, queries and answers of the repository": (
        "repository/app",
        "repository/queries",
        "repository/entities",
        "repository/views",
        "repository/refusals",
    ),
    "Filters": ("repository/filters", "repository/paths"),
    "Entities and their fields": (
        "repository/schema",
        "repository/enums",
        "repository/catalog",
        "repository/content",
        "repository/documents",
    ),
    "Writes": ("repository/bodies", "repository/rules", "repository/store"),
    "Selections": ("repository/selections", "repository/synthetic"),
    "How a proxy finds a virtual proxy": ("addresses", "proxy/configuration", "proxy/app"),
    "Tokens": ("proxy/tokens",),
    "Authentication at a proxy": ("proxy/signin", "proxy/windows", "proxy/forms", "proxy/identity"),
    "Sessions and cookies": ("proxy/sessions", "proxy/cookies"),
    "Tickets and sessions by the proxy's own API": ("proxy/qps",),
    "The hub and its paths": ("proxy/services", "proxy/hub_api", "proxy/pages", "proxy/answers"),
    "Websockets": ("proxy/websocket",),
    "The engine": ("proxy/engine", "proxy/engine_port"),
    "Releases": ("releases",),
    "The site itself": ("site", "repository/seed", "pki", "connections", "server"),
}
_OPEN = "Open questions"


class EvidenceError(Exception):
    """A comment, file or switch that cannot be shown on the page. The message names it and the reason."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Claim:
    """A behavior and its sources.

    Args:
        behavior: a phrase.
        where: the name of the function or value in the code.
        sources: pairs of grade and source; none for an invention.
        switch: the name of a switch, if there is one.
    """

    behavior: str
    where: str
    sources: tuple[tuple[str, str], ...] = ()
    switch: str | None = None


def claims(code: str) -> list[Claim]:
    """Return the claims in the comments of a module, in their order.

    Raises:
        EvidenceError: a comment cannot be read.
    """
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _MARKER.search(node.value):
            raise EvidenceError(f"line {node.lineno}: evidence must be in a comment, not in a string")
    return [
        claim
        for line, comment in _comments(code)
        if "EVIDENCE" in comment or "INVENTED" in comment
        for claim in _claims_of(comment, where=_name_at(tree, line), line=line)
    ]


def _comments(code: str) -> t.Iterator[tuple[int, str]]:
    """Yield the comments with their first line number; consecutive comment lines are one comment."""
    begin, last, texts = 0, -1, [""]
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type == tokenize.COMMENT:
            text = token.string.removeprefix("#").strip()
            if token.start[0] == last + 1 and token.line.lstrip().startswith("#"):
                texts.append(text)
            else:
                yield begin, " ".join(texts)
                begin, texts = token.start[0], [text]
            last = token.start[0]
    yield begin, " ".join(texts)


def _claims_of(comment: str, *, where: str, line: int) -> t.Iterator[Claim]:
    found = list(_MARKER.finditer(comment))
    if not found or found[0].start() or len(found) < comment.count("EVIDENCE") + comment.count("INVENTED"):
        raise EvidenceError(f"line {line}: the comment does not begin with EVIDENCE(...): or INVENTED(...):")
    ends = [match.start() for match in found[1:]] + [len(comment)]
    for match, end in zip(found, ends, strict=True):
        behavior = comment[match.end() : end].strip().rstrip(";.")
        if not behavior:
            raise EvidenceError(f"line {line}: the behavior is missing")
        if match[1] == "INVENTED":
            word, _equals, name = match[2].partition("=")
            if word != "switch" or not name:
                raise EvidenceError(f"line {line}: an invention needs a switch, which may be none")
            yield Claim(behavior=behavior, where=where, switch=None if name == "none" else name)
            continue
        _nothing, *parts = _SOURCE.split(match[2])
        if _nothing or not parts:
            raise EvidenceError(f"line {line}: a source has no grade")
        yield Claim(
            behavior=behavior, where=where, sources=tuple(zip(parts[::2], map(str.strip, parts[1::2]), strict=True))
        )


def _name_at(node: ast.Module | ast.ClassDef, line: int) -> str:
    """Return the name of the function, class or value at a line; between two, that of the next one."""
    for name, statement in _named(node):
        if t.cast("int", statement.end_lineno) >= line:
            inner = _name_at(statement, line) if isinstance(statement, ast.ClassDef) and statement.lineno < line else ""
            return f"{name}.{inner}" if inner else name
    return ""


def _named(node: ast.Module | ast.ClassDef) -> t.Iterator[tuple[str, ast.stmt]]:
    """Yield the statements of a module or class that define a name, with the name."""
    for child in node.body:
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield child.name, child
        elif isinstance(child, (ast.Assign, ast.AnnAssign)):
            target = child.targets[0] if isinstance(child, ast.Assign) else child.target
            yield ast.unparse(target).strip("()"), child


def page() -> str:
    """Return the page as reStructuredText.

    Raises:
        EvidenceError: a comment, a file or a switch is wrong.
    """
    found = {}
    for path in sorted(_PACKAGE.rglob("*.py")):
        if path != pathlib.Path(__file__):
            try:
                found[path.relative_to(_PACKAGE).with_suffix("").as_posix()] = claims(path.read_text(encoding="utf-8"))
            except EvidenceError as error:
                raise EvidenceError(f"{path.name}, {error}.") from None
    unassigned = {name for name, content in found.items() if content}.difference(*_AREAS.values())
    if unassigned:
        raise EvidenceError(f"Not in any section of the page: {', '.join(sorted(unassigned))}.")
    settings = dict(_switches())
    named = {claim.switch: claim for content in found.values() for claim in content if claim.switch}
    if named.keys() != {name for group in settings.values() for name in group}:
        raise EvidenceError("The switches and the comments INVENTED(switch=...) do not have the same names.")
    parts = [(_PACKAGE / "evidence_head.rst").read_text(encoding="utf-8")]
    for area, names in _AREAS.items():
        parts += [_heading(area, "="), *_table([(name, claim) for name in names for claim in found[name]])]
    parts += [_heading(_OPEN, "="), _OPEN_INTRODUCTION]
    for title, group in settings.items():
        parts.append(_heading(title, "-"))
        parts += [_switch(name, *described) for name, described in group.items()]
    parts.append((_PACKAGE / "evidence_differences.rst").read_text(encoding="utf-8"))
    return "\n".join(parts)


_OPEN_INTRODUCTION = """\
The public sources leave each of these questions open, or answer it in two ways. The switch of this name, under
``switches:`` in the simulator's site file, selects the answer. The first value is the default: it has the better
evidence.
"""


def _heading(title: str, line: str) -> str:
    return f"{title}\n{line * len(title)}\n"


def _table(rows: t.Iterable[tuple[str, Claim]]) -> t.Iterator[str]:
    yield (
        ".. list-table::\n   :header-rows: 1\n   :widths: 46 8 28 18\n\n"
        "   * - Behavior\n     - Grade\n     - Source\n     - Simulated in"
    )
    linked: set[str] = set()
    for name, claim in rows:
        grades = ", ".join(dict.fromkeys(grade for grade, _source in claim.sources)) or "invented"
        sources = _literal("; ".join(source for _grade, source in claim.sources))
        if claim.switch:
            sources = f"`{claim.switch}`_"
        # The first reference to a file defines its link.
        file = f"{name}.py" if name in linked else f"{name}.py <{_CODE}/{name}.py>"
        linked.add(name)
        yield "\n".join(
            [
                f"   * - {_sentence(claim.behavior)}",
                f"     - {grades}",
                f"     - {sources}" if sources else "     -",
                f"     - `{file}`_, ``{claim.where}``",
            ]
        )
    yield ""


def _switches() -> t.Iterator[tuple[str, dict[str, tuple[str, str]]]]:
    """Yield the groups of switches: a title, and the values and the description of each switch."""
    defaults, kinds = Switches(), t.get_type_hints(Switches)
    code = pathlib.Path(behaviors.__file__).read_text(encoding="utf-8")
    titles = [(line, text.removeprefix("--- ")) for line, text in _comments(code) if text.startswith("--- ")]
    [body] = [one.body for one in ast.parse(code).body if isinstance(one, ast.ClassDef)]
    for line, title in titles:
        until = min((other for other, _title in titles if other > line), default=sys.maxsize)
        group = {}
        for field, text in itertools.pairwise(body):
            if isinstance(field, ast.AnnAssign) and line < field.lineno < until:
                name = t.cast("ast.Name", field.target).id
                described = t.cast("str", t.cast("ast.Constant", t.cast("ast.Expr", text).value).value)
                group[name] = (_values(kinds[name], getattr(defaults, name)), " ".join(described.split()))
        yield title, group


def _values(kind: t.Any, default: t.Any) -> str:
    """Return the values of a switch, the default first."""
    if kind is bool:
        choices: list[object] = [default, not default]
        return ", ".join(f"``{str(value).lower()}``" for value in choices)
    if t.get_origin(kind) is t.Literal:
        return ", ".join(f"``{value}``" for value in sorted(t.get_args(kind), key=lambda value: value != default))
    return f"``{default:g}`` or another number"


def _switch(name: str, values: str, description: str) -> str:
    return f"_`{name}`: {values}\n   {_literal(description)}\n"


# Text between backticks, and text that looks like a path or like the name of a field, header, message or constant.
_NAME = re.compile(
    r"`([^`]+)`"
    r"|(?<![\w.-])(?!OpenAPI|[KM]iB)(\w*[a-z][A-Z]\w*|[A-Z]+(?:_[A-Z]+)+)"
    r"|(?<![\w-])(?!US-|JSON-|Cross-)([A-Z]\w*(?:-[A-Z]\w*)+)"
    r"|(?<![\w\"/])([\w-]*/[\w<>{}/?=.-]*[\w<>{}/])"
)


def _sentence(text: str) -> str:
    """Return a phrase as a sentence, with the names of code as literals, which keep their case."""
    if not _NAME.match(text):
        text = text[0].upper() + text[1:]
    sentence, begin = "", 0
    for match in _NAME.finditer(text):
        name = next(filter(None, match.groups()))
        sentence += f"{_literal(text[begin : match.start()])}``{name}``"
        begin = match.end()
    sentence += _literal(text[begin:])
    return sentence if sentence.endswith('."') else f"{sentence}."


def _literal(text: str) -> str:
    """Return text with the special characters of reStructuredText escaped."""
    return re.sub(r"([\\*`|])", r"\\\1", re.sub(r"_(?=\W|$)", r"\\_", text))


def main(arguments: t.Sequence[str] | None = None) -> int:
    """Write or compare the page, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m qlik_sense_simulator.evidence")
    parser.add_argument("page", type=pathlib.Path, metavar="PAGE", help="the file")
    parser.add_argument("--check", action="store_true", help="compare the page with the code, and write nothing")
    options = parser.parse_args(arguments)
    try:
        content = page()
        if not options.check:
            options.page.parent.mkdir(parents=True, exist_ok=True)
            options.page.write_text(content, encoding="utf-8")
        elif options.page.read_text(encoding="utf-8") != content:
            raise EvidenceError(f"{options.page} does not match the comments in the code: run make generate.")
    except (EvidenceError, OSError) as error:
        print(f"Evidence page: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
