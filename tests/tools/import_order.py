# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check that the packages of plugins/module_utils import each other in one direction, and that there is no cycle."""

from __future__ import annotations

import ast
import graphlib
import sys
from pathlib import Path

ROOT = Path("plugins/module_utils")
PLUGINS = "ansible_collections.sensible.qlik.plugins."
# Each package, and the packages that it may import. All may import the single modules, which import no package.
MAY_IMPORT = {
    "_keys": (),
    "_virtual_proxy": ("_keys",),
    "_tokens": ("_keys", "_virtual_proxy"),
    "_http": ("_keys",),
    "_repository": ("_keys", "_virtual_proxy", "_http"),
    "_login": ("_keys", "_virtual_proxy", "_tokens", "_http"),
}


def imported(path: Path) -> set[Path]:
    """Return the files of ROOT that a file imports, also those that it imports late or for types only."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        base = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
        for candidate in [base, *(base / alias.name for alias in node.names)]:
            if candidate.with_suffix(".py").is_file():
                found.add(candidate.with_suffix(".py"))
    return found


def problems() -> list[str]:
    """Return a line for each import that is not allowed, and one for a cycle."""
    graph = {path: imported(path) for path in sorted(ROOT.rglob("*.py"))}
    found = []
    for path, others in graph.items():
        package = path.relative_to(ROOT).parts[0]
        if path.parent != ROOT and package not in MAY_IMPORT:
            found.append(f"{path}: the package {package} is not in the list of {__file__}")
        if PLUGINS in path.read_text(encoding="utf-8"):
            found.append(f"{path}: imports {PLUGINS}* by its full name; use a relative import")
        for other in others:
            target = other.relative_to(ROOT).parts[0]
            if other.parent != ROOT and target not in (package, *MAY_IMPORT.get(package, ())):
                found.append(f"{path}: imports {other.relative_to(ROOT)}, which {package} must not")
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        found.append(f"cycle: {' -> '.join(str(path.relative_to(ROOT)) for path in error.args[1])}")
    return found


if __name__ == "__main__":
    lines = problems()
    print("\n".join(lines), end="\n" if lines else "")
    sys.exit(bool(lines))
