# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find the options that an example uses."""

from __future__ import annotations

import itertools
import re
import typing as t

import jinja2
import yaml
from documents import COLLECTION, NAMESPACE, Example, documented

Path = tuple[str, ...]
_EXTRA_VARIABLE = re.compile(r"(?:^|\s)(?:-e|--extra-vars)\s+(\w+)=")
_LOOKUPS = ("lookup", "query", "q")


def used(example: Example) -> set[tuple[str, Path]]:
    """Return the options that an example uses, as owner and path.

    A variable of a role counts wherever it is set, because that can be far from the role: in an inventory, say.
    """
    found: set[tuple[str, Path]] = set()
    keys: set[str] = set(_EXTRA_VARIABLE.findall(example.text))
    for document in example.yaml:
        for node in _walk(document):
            if isinstance(node, dict):
                keys.update(key for key in node if isinstance(key, str))
                found.update(_of_mapping(node))
            elif isinstance(node, str):
                found.update(_of_template(node, keys))
    for role, answer in documented()["role"].items():
        for part in answer["entry_points"].values():
            found.update((role, (name,)) for name in part["options"] if name in keys)
    # What goes into a lookup or filter can come out of variables, so that its keys can be anywhere.
    for owner in {owner for owner, _path in found}:
        for name in _inputs(owner):
            found.update((owner, (name, key)) for key in keys)
    return found


def _walk(node: t.Any) -> t.Iterator[t.Any]:
    yield node
    for below in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _walk(below)


def _of_mapping(node: dict[str, t.Any]) -> t.Iterator[tuple[str, Path]]:
    """Yield the options in a task, in the defaults of a group of modules, or in the file of an inventory plugin."""
    for key, value in node.items():
        if not isinstance(value, dict):
            continue
        if key.startswith("group/"):
            group = yaml.safe_load((COLLECTION / "meta/runtime.yml").read_text())["action_groups"]
            for module in group[key.rpartition(".")[2]]:
                yield from ((f"{NAMESPACE}{module}", path) for path in _paths(value))
        elif key in documented()["module"]:
            yield from ((key, path) for path in _paths(value))
    if node.get("plugin") in documented()["inventory"]:
        yield from ((node["plugin"], path) for path in _paths(node))


def _paths(value: t.Any, above: Path = ()) -> t.Iterator[Path]:
    if isinstance(value, list):
        yield from itertools.chain.from_iterable(_paths(one, above) for one in value)
    elif isinstance(value, dict):
        for key, below in value.items():
            yield (*above, key)
            yield from _paths(below, (*above, key))


def _of_template(text: str, keys: set[str]) -> t.Iterator[tuple[str, Path]]:
    """Lookups and filters in a template. The keys of its dictionaries are added to `keys`."""
    tree = jinja2.Environment().parse(text)
    keys.update(pair.key.value for pair in tree.find_all(jinja2.nodes.Pair) if isinstance(pair.key, jinja2.nodes.Const))
    for call in tree.find_all(jinja2.nodes.Call):
        if isinstance(call.node, jinja2.nodes.Name) and call.node.name in _LOOKUPS:
            name = call.args[0].value if isinstance(call.args[0], jinja2.nodes.Const) else ""
            if name in documented()["lookup"]:
                yield from ((name, (keyword.key,)) for keyword in call.kwargs)
                yield name, ("_terms",)
    for one in tree.find_all(jinja2.nodes.Filter):
        if one.name in documented()["filter"]:
            positional = documented()["filter"][one.name]["doc"].get("positional", "").replace(" ", "").split(",")
            yield from ((one.name, (option,)) for option, _given in zip(positional, one.args, strict=False))
            yield from ((one.name, (str(keyword.key),)) for keyword in one.kwargs)
            yield one.name, ("_input",)


def _inputs(owner: str) -> list[str]:
    return ["_terms"] if owner in documented()["lookup"] else ["_input"] if owner in documented()["filter"] else []
