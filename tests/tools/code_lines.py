# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Count the lines of code in plugins/, and list files and functions that are too long.

A line counts if it contains a token that is neither a comment nor part of a docstring or of a text of several lines
that is assigned to a name, which is documentation (DOCUMENTATION, EXAMPLES, RETURN, doc fragments).
"""

from __future__ import annotations

import argparse
import ast
import sys
import tokenize
import typing as t
from pathlib import Path

_NO_CODE = (
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
)
FILE_LIMIT = 300
MODULE_LIMIT = 150
FUNCTION_LIMIT = 50


class Count(t.NamedTuple):
    """The lines of code of one file, and of each of its functions by name."""

    path: Path
    lines: int
    functions: dict[str, int]


def count(path: Path) -> Count:
    """Count the lines of one Python file."""
    with tokenize.open(path) as file:
        text = file.read()
    tree = ast.parse(text)
    documentation = {number for node in ast.walk(tree) for number in _documentation(node)}
    code: set[int] = set()
    for token in tokenize.generate_tokens(iter(text.splitlines(keepends=True)).__next__):
        if token.type not in _NO_CODE:
            code.update(range(token.start[0], token.end[0] + 1))
    code -= documentation
    functions = {
        node.name: len(code.intersection(range(node.lineno, (node.end_lineno or node.lineno) + 1)))
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }
    return Count(path, len(code), functions)


def _documentation(node: ast.AST) -> range:
    """Return the lines of a docstring or of a constant with documentation."""
    if not isinstance(node, (ast.Assign, ast.Expr)) or not isinstance(node.value, ast.Constant):
        return range(0)
    value = node.value.value
    is_text = isinstance(value, str) and (isinstance(node, ast.Expr) or "\n" in value)
    return range(node.lineno, (node.end_lineno or node.lineno) + 1) if is_text else range(0)


def main() -> int:
    """Print the table. Returns 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directories", nargs="*", type=Path, default=[Path("plugins")])
    counts = [count(path) for directory in parser.parse_args().directories for path in sorted(directory.rglob("*.py"))]
    for one in sorted(counts, key=lambda one: -one.lines):
        limit = MODULE_LIMIT if one.path.parent.name == "modules" else FILE_LIMIT
        mark = f"  more than {limit}" if one.lines > limit else ""
        print(f"{one.lines:6}  {one.path}{mark}")
        for name, lines in one.functions.items():
            if lines > FUNCTION_LIMIT:
                print(f"{lines:6}    {name}()  more than {FUNCTION_LIMIT}")
    print(f"{sum(one.lines for one in counts):6}  in total")
    return 0


if __name__ == "__main__":
    sys.exit(main())
