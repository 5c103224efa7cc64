# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Change one place in the plugins, roles or playbooks, selected by a seed, and check that tests detect the change.

Usage: mutants.py --tree DIRECTORY [--seeds 1-30] [COMMAND...]

DIRECTORY is a clone in which each change is made and reverted. Without a command the changes are only listed. A shell
runs the commands there in order until one fails, which means that the change was detected.

Operators for Python: another comparison, arithmetic or logical operator; a number plus one; a boolean turned around; a
text with letters around it; a negated condition; None returned; break for continue; a call left out. Operators for the
YAML of roles and playbooks: a task left out; one of its keywords left out; a boolean turned around; a number plus one;
another operator in a template.
"""

from __future__ import annotations

import argparse
import ast
import random
import re
import subprocess
import time
import typing as t
from pathlib import Path

import yaml

FOLDERS = ("plugins", "roles", "playbooks")
DOCUMENTATION = ("DOCUMENTATION", "EXAMPLES", "RETURN", "__all__")
KEYWORDS = {
    "always",
    "changed_when",
    "delay",
    "delegate_to",
    "environment",
    "failed_when",
    "ignore_errors",
    "loop",
    "no_log",
    "register",
    "rescue",
    "retries",
    "run_once",
    "throttle",
    "until",
    "vars",
    "when",
}
PYTHON_TOKENS = {
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Is: "is not",
    ast.IsNot: "is",
    ast.In: "not in",
    ast.NotIn: "in",
    ast.And: "or",
    ast.Or: "and",
    ast.Add: "-",
    ast.Sub: "+",
    ast.Mult: "/",
    ast.Div: "*",
    ast.FloorDiv: "*",
    ast.Mod: "*",
    ast.BitOr: "&",
    ast.BitAnd: "|",
}
TEMPLATE_TOKENS = [
    (r" == ", " != "),
    (r" != ", " == "),
    (r" and ", " or "),
    (r" or ", " and "),
    (r" not in ", " in "),
    (r"(?<!not) in ", " not in "),
    (r" is not ", " is "),
    (r" is (?!not )", " is not "),
    (r"\bnot (?!in )", ""),
    (r" < ", " <= "),
    (r" > ", " >= "),
    (r" <= ", " < "),
    (r" >= ", " > "),
]


class Change(t.NamedTuple):
    """One change: the text from start to end, offsets in a file's text, becomes another."""

    start: int
    end: int
    text: str
    operator: str


def python_changes(text: str) -> t.Iterator[Change]:
    """Yield all changes of a Python file. Annotations, docstrings and the documentation of plugins are left alone."""
    lines = [0]
    for line in text.encode().splitlines(keepends=True):
        lines.append(lines[-1] + len(line))
    raw = text.encode()

    def offset(line: int, column: int) -> int:
        return len(raw[: lines[line - 1] + column].decode())

    def span(node: t.Any) -> tuple[int, int]:
        return offset(node.lineno, node.col_offset), offset(node.end_lineno, node.end_col_offset)

    def between(left: ast.AST, right: ast.AST, operator: ast.AST) -> t.Iterator[Change]:
        start, end = span(left)[1], span(right)[0]
        old = text[start:end]
        new = PYTHON_TOKENS.get(type(operator))
        found = re.search(r"is not|not in|[=!<>]=|//|\b(?:is|in|and|or)\b|[<>+\-*/%|&]", old)
        if new and found:
            yield Change(start + found.start(), start + found.end(), new, f"{found[0]} for {new}")

    left_alone: set[int] = set()
    tree = ast.parse(text)
    for node in ast.walk(tree):
        annotations = [getattr(node, "annotation", None), getattr(node, "returns", None)]
        for one in filter(None, annotations):
            left_alone.update(map(id, ast.walk(one)))
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node, clean=False):
            left_alone.update(map(id, ast.walk(node.body[0])))
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in DOCUMENTATION:
            left_alone.update(map(id, ast.walk(node)))
        if isinstance(node, ast.JoinedStr):
            left_alone.update(id(part) for part in node.values if isinstance(part, ast.Constant))
    for node in ast.walk(tree):
        if id(node) in left_alone:
            continue
        if isinstance(node, ast.Compare):
            for left, operator, right in zip([node.left, *node.comparators], node.ops, node.comparators, strict=False):
                yield from between(left, right, operator)
        elif isinstance(node, ast.BoolOp):
            for left, right in zip(node.values, node.values[1:], strict=False):
                yield from between(left, right, node.op)
        elif isinstance(node, ast.BinOp):
            yield from between(node.left, node.right, node.op)
        elif isinstance(node, ast.Constant):
            start, end = span(node)
            if isinstance(node.value, bool):
                yield Change(start, end, str(not node.value), "boolean turned around")
            elif isinstance(node.value, (int, float)):
                yield Change(start, end, str(node.value + 1), "number plus one")
            elif isinstance(node.value, str) and text[end - 3 : end] != '"""':
                yield Change(start, end, repr(f"XX{node.value}XX"), "text with letters around it")
        elif isinstance(node, (ast.If, ast.While, ast.IfExp)):
            start, end = span(node.test)
            yield Change(start, end, f"(not ({text[start:end]}))", "condition negated")
        elif isinstance(node, ast.Return) and node.value is not None:
            yield Change(*span(node.value), "None", "None returned")
        elif isinstance(node, (ast.Break, ast.Continue)):
            new = "continue" if isinstance(node, ast.Break) else "break"
            yield Change(*span(node), new, f"{new} instead")
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            yield Change(*span(node), "pass", "call left out")


def yaml_changes(text: str) -> t.Iterator[Change]:
    """Yield all changes of a YAML file."""
    tree = yaml.compose(text)
    if tree is None:
        return

    def lines_of(start: yaml.Mark, end: yaml.Mark, operator: str) -> Change:
        """Leave out whole lines: a key with its value, or the entry of a list."""
        begin, stop = (text.rfind("\n", 0, mark.index) + 1 for mark in (start, end))
        if text[stop : end.index].strip():  # it ends in the middle of a line
            stop = text.find("\n", end.index) + 1 or len(text)
        return Change(begin, stop, "", operator)

    def walk(node: yaml.Node, tasks: bool) -> t.Iterator[Change]:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value in KEYWORDS and node.value[0][0] is not key and not node.flow_style:
                    yield lines_of(key.start_mark, value.end_mark, f"{key.value} left out")
                yield from walk(value, key.value in ("block", "rescue", "always", "tasks", "pre_tasks", "post_tasks"))
        elif isinstance(node, yaml.SequenceNode):
            for entry in node.value:
                if tasks and isinstance(entry, yaml.MappingNode) and len(node.value) > 1:
                    yield lines_of(entry.start_mark, entry.end_mark, "task left out")
                yield from walk(entry, False)
        elif isinstance(node, yaml.ScalarNode):
            start, end = node.start_mark.index, node.end_mark.index
            if node.tag == "tag:yaml.org,2002:bool":
                new = {"true": "false", "false": "true"}[node.value]
                yield Change(start, end, new, "boolean turned around")
            elif node.tag == "tag:yaml.org,2002:int":
                yield Change(start, end, str(int(node.value) + 1), "number plus one")
            else:
                for pattern, new in TEMPLATE_TOKENS:
                    for found in re.finditer(pattern, text[start:end]):
                        if "{{" in node.value or "{%" in node.value or _is_condition(text, start):
                            yield Change(start + found.start(), start + found.end(), new, f"{found[0]!r} for {new!r}")

    yield from walk(tree, tasks=True)


def _is_condition(text: str, start: int) -> bool:
    """Return True if the text is the value of a keyword that takes an expression."""
    before = text[:start].splitlines()[-1]
    if re.search(r"\b(?:when|until|failed_when|changed_when|that): *$", before):
        return True
    if re.fullmatch(r" *- *", before):
        indent = len(before) - len(before.lstrip())
        for line in reversed(text[:start].splitlines()[:-1]):
            if line.strip() and len(line) - len(line.lstrip()) < indent:
                return bool(re.search(r"\b(?:when|until|failed_when|changed_when|that):$", line))
    return False


def changes(tree: Path) -> list[tuple[Path, Change]]:
    """Return all changes of a tree, in the order of the files and places."""
    found = []
    listed = subprocess.run(["git", "ls-files", *FOLDERS], cwd=tree, capture_output=True, text=True, check=True).stdout
    for name in sorted(listed.splitlines()):
        path = tree / name
        text = path.read_text()
        if path.suffix == ".py" and "doc_fragments" not in path.parts:
            some = list(python_changes(text))
        elif path.suffix == ".yml" and not {"meta", "inventory"} & set(path.parts):
            some = list(yaml_changes(text))
        else:
            continue
        found += [(path, change) for change in sorted(set(some))]
    return found


def apply(text: str, change: Change) -> str:
    return text[: change.start] + change.text + text[change.end :]


def _is_valid(path: Path, old: str, new: str) -> bool:
    """Return True if the changed file can be parsed and is not the same by another text."""
    try:
        if path.suffix == ".py":
            return ast.dump(ast.parse(old)) != ast.dump(ast.parse(new))
        return bool(yaml.safe_load(old) != yaml.safe_load(new))
    except (SyntaxError, yaml.YAMLError):
        return False


def select(all_changes: t.Sequence[tuple[Path, Change]], seed: int) -> tuple[Path, Change]:
    """Return the change of a seed: Python or YAML with the same likelihood, and then each place."""
    chance = random.Random(seed)
    suffix = chance.choice([".py", ".yml"])
    candidates = [one for one in all_changes if one[0].suffix == suffix]
    while True:
        path, change = chance.choice(candidates)
        text = path.read_text()
        if _is_valid(path, text, apply(text, change)):
            return path, change


def describe(tree: Path, path: Path, change: Change) -> str:
    text = path.read_text()
    line = text[: change.start].count("\n") + 1
    old = " ".join(text[change.start : change.end].split())
    new = " ".join(change.text.split())
    return f"{path.relative_to(tree)}:{line}: {change.operator}: {old[:80]} -> {new[:80] or '(nothing)'}"


def run(tree: Path, path: Path, change: Change, commands: t.Sequence[str]) -> str:
    """Make a change, run the commands, and take the change back.

    Returns:
        The command that noticed the change, empty if none did.
    """
    text = path.read_text()
    path.write_text(apply(text, change))
    try:
        for command in commands:
            done = subprocess.run(
                command, shell=True, cwd=tree, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
            )
            if done.returncode:
                return command
        return ""
    finally:
        path.write_text(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tree", type=Path, required=True)
    parser.add_argument("--seeds", default="1-30", help="one, or first-last; default %(default)s")
    parser.add_argument("commands", nargs="*")
    options = parser.parse_args()
    first, _dash, last = options.seeds.partition("-")
    all_changes = changes(options.tree)
    for seed in range(int(first), int(last or first) + 1):
        path, change = select(all_changes, seed)
        print(f"{seed:3} {describe(options.tree, path, change)}", flush=True)
        if options.commands:
            started = time.monotonic()
            noticed = run(options.tree, path, change, options.commands)
            verdict = f"noticed by: {noticed}" if noticed else "NOT NOTICED"
            print(f"    {verdict} ({time.monotonic() - started:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
