# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write the public names of the collection into a file, or check that the file is as it would be written.

Usage: public_names.py [--check] FILE

Semantic versioning applies to these names, which users write and read. Each has one line, so that a review shows a
change of the interface. The names come from the documentation with its fragments, the argument specs of the roles, and
what playbooks and roles read and set. What belongs to ansible-core is left out: it differs between releases.
"""

from __future__ import annotations

import argparse
import difflib
import importlib.util
import json
import re
import sys
import types
import typing as t
from pathlib import Path

import jinja2
import yaml
from ansible.utils.plugin_docs import get_docstring
from jinja2 import meta, nodes

ROOT = Path(__file__).parents[2]
NAMESPACE = "sensible.qlik."
REGENERATE = "make generate"
KINDS = {"modules": "module", "lookup": "lookup", "filter": "filter", "inventory": "inventory"}
"""The directories of plugins, and what Ansible calls what is in them."""
HEADER = f"""\
# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The public names of the collection, written by `{REGENERATE}` and compared in `make lint`. After 1.0, a line that is
# removed or changed needs a new major version, unless the change only permits more; a new line needs a minor one.
"""
# What Ansible defines itself.
_ANSIBLE = re.compile(r"ansible_\w+|groups|hostvars|inventory_\w+|item|lookup|now|omit|playbook_dir|query|role_\w+")
# Their values are expressions without braces.
_EXPRESSIONS = ("that", "when", "until", "failed_when", "changed_when")
# The form of the sentence is the same everywhere. Others mention variables that are not read.
_ENVIRONMENT = re.compile(r"value of the environment variable E\((\w+)\)")


class Name(t.NamedTuple):
    """A public name.

    Attributes:
        owner: the plugin, role or playbook, such as "module logout".
        kind: the kind of name, such as "option".
        name: with dots before the names of suboptions and of what is in a return value.
        details: properties that must not change, such as type and default.
    """

    owner: str
    kind: str
    name: str
    details: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.owner, self.kind, self.name))) + (
            f": {self.details}" if self.details else ""
        )


class Fragments:
    """The doc fragments of a tree, in place of ansible-core's loader, which loads those of installed collections only.

    Attributes:
        foreign: names of requested fragments that are not part of this collection. They are empty.
    """

    def __init__(self, tree: Path) -> None:
        self._directory = tree / "plugins/doc_fragments"
        self.foreign: list[str] = []

    def get(self, name: str) -> t.Any:
        """Return the class of a fragment; None if there is none with this name."""
        own = name.removeprefix(NAMESPACE)
        if own == name:
            self.foreign.append(name)
            return types.SimpleNamespace(DOCUMENTATION="options: {}", ansible_name=name)
        spec = importlib.util.spec_from_file_location(f"fragment_{own}", self._directory / f"{own}.py")
        if "." in own or spec is None or spec.loader is None:
            return None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        module.ModuleDocFragment.ansible_name = name
        return module.ModuleDocFragment


def public_names(tree: Path, connection: t.Collection[str] = ()) -> list[Name]:
    """Return the names of a tree in their order.

    Args:
        tree: the directory of the collection.
        connection: the names of the connection options, each of which is a variable of a site.
    """
    found = [*_plugins(tree), *_roles(tree, connection), *_playbooks(tree, connection)]
    groups = yaml.safe_load((tree / "meta/runtime.yml").read_text()).get("action_groups", {})
    found += [Name(f"action_group {group}", "module", name) for group, names in groups.items() for name in names]
    facts = {one.name for one in found if one.kind == "fact"}
    return sorted({one for one in found if one.kind != "variable" or one.name not in facts})


def options(tree: Path) -> list[Name]:
    """Return the options of modules, plugins and roles, suboptions among them."""
    return [one for one in (*_plugins(tree), *_role_options(tree)) if one.kind == "option"]


def _plugins(tree: Path) -> t.Iterator[Name]:
    for directory, kind in KINDS.items():
        for path in sorted((tree / "plugins" / directory).glob("[!_]*.py")):
            owner = f"{kind} {path.stem}"
            fragments = Fragments(tree)
            documentation, _examples, returns, _metadata = get_docstring(str(path), fragments, plugin_type=kind)
            yield Name(owner, "", "")
            yield from (Name(owner, "fragment", foreign) for foreign in fragments.foreign)
            positional = documentation.get("positional", "").replace(" ", "").split(",")
            for name, option in _nested(documentation.get("options"), "suboptions"):
                place = [f"argument={positional.index(name) + 1}"] if name in positional else []
                yield Name(owner, "option", name, _details(option, *place))
                yield from (Name("environment", "", variable) for variable in environment(option))
            yield from (Name(owner, "return", name, _type(value)) for name, value in _nested(returns, "contains"))


def _role_options(tree: Path) -> t.Iterator[Name]:
    for path in sorted(tree.glob("roles/*/meta/argument_specs.yml")):
        for entry_point, spec in yaml.safe_load(path.read_text())["argument_specs"].items():
            owner = f"role {path.parts[-3]}" + ("" if entry_point == "main" else f" {entry_point}")
            yield Name(owner, "", "")
            for name, option in _nested(spec.get("options"), "options"):
                yield Name(owner, "option", name, _details(option))
                yield from (Name("environment", "", variable) for variable in environment(option))


def _nested(values: dict[str, t.Any] | None, below: str, above: str = "") -> t.Iterator[tuple[str, dict[str, t.Any]]]:
    for name, value in (values or {}).items():
        yield above + name, value
        yield from _nested(value.get(below), below, f"{above}{name}.")


def _type(value: dict[str, t.Any]) -> str:
    return value.get("type", "str") + (f" of {value['elements']}" if "elements" in value else "")


def environment(option: dict[str, t.Any]) -> list[str]:
    """Return the environment variables that an option is read from: that of a module has them in its description."""
    described = _ENVIRONMENT.findall(str(option["description"]))
    return sorted({*described, *(one["name"] for one in option.get("env", ()))})


def _details(option: dict[str, t.Any], *more: str) -> str:
    aliases = sorted(option.get("aliases", ()))
    lists = {"choices": option.get("choices"), "aliases": aliases, "env": environment(option)}
    return ", ".join(
        [
            _type(option),
            *(["required"] if option.get("required") else []),
            *more,
            *([f"default={json.dumps(option['default'])}"] if option.get("default") is not None else []),
            *(f"{name}={','.join(map(str, values))}" for name, values in lists.items() if values),
        ]
    )


class _Uses:
    """The variables that files with tasks or templates read and set.

    Attributes:
        read: names of variables, and of those of another host.
        given: names of variables that are set for a task, a play or a role.
        facts: names that tasks set for those after them.
        environment: names of environment variables.
    """

    def __init__(self, connection: t.Collection[str]) -> None:
        self._connection = [f"qlik_{name}" for name in connection]
        self.read: set[str] = set()
        self.given: set[str] = set()
        self.facts: set[str] = set()
        self.environment: set[str] = set()

    def add(self, path: Path) -> None:
        """Add a file."""
        text = path.read_text()
        if path.suffix == ".yml":
            self._walk(yaml.safe_load(text))
        else:
            self._template(text)

    def names(self, owner: str, prefix: str = "") -> t.Iterator[Name]:
        """Return what is public of it: what is not private by its name, or set for one place only.

        Args:
            owner: what the names are of.
            prefix: of variables that are public.
        """
        read = {name for name in self.read - self.given if name.startswith(prefix) and not _ANSIBLE.fullmatch(name)}
        yield from (Name(owner, "variable", name) for name in read)
        yield from (Name(owner, "fact", name) for name in self.facts if not name.startswith("__"))
        yield from (Name("environment", "", name) for name in self.environment)

    def _walk(self, node: t.Any, key: str = "") -> None:
        if isinstance(node, dict):
            self.given.update(node["vars"] if isinstance(node.get("vars"), dict) else ())
            self.facts.update(
                node.get("ansible.builtin.set_fact", ()), [node["register"]] if "register" in node else ()
            )
            for name, value in node.items():
                self._walk(value, str(name))
        elif isinstance(node, list):
            for value in node:
                self._walk(value, key)
        elif isinstance(node, str):
            self._template(f"{{{{ {node} }}}}" if key in _EXPRESSIONS and "{{" not in node else node)

    def _template(self, text: str) -> None:
        engine = jinja2.Environment(extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"])
        tree = engine.parse(text)
        # Jinja stops at filters and tests that it does not know, which are those of Ansible.
        filters = {one.name for one in tree.find_all(nodes.Filter)}
        engine.filters = {**dict.fromkeys(filters, _never_called), **engine.filters}
        engine.tests = {**dict.fromkeys([one.name for one in tree.find_all(nodes.Test)], _never_called), **engine.tests}
        if f"{NAMESPACE}connection_options" in filters:
            self.read.update(self._connection)
        self.read.update(meta.find_undeclared_variables(tree) - set(engine.globals))
        for attribute in tree.find_all(nodes.Getattr):
            if isinstance(attribute.node, nodes.Getitem) and getattr(attribute.node.node, "name", "") == "hostvars":
                self.read.add(attribute.attr)
        for call in tree.find_all(nodes.Call):
            words = [word.value for word in call.args if isinstance(word, nodes.Const)]
            if getattr(call.node, "name", "") == "lookup" and words[:1] == ["ansible.builtin.env"]:
                self.environment.update(words[1:])


def _never_called(value: t.Any) -> t.Any:
    """Stand for a filter or test of Ansible."""
    return value


def _roles(tree: Path, connection: t.Collection[str]) -> t.Iterator[Name]:
    yield from _role_options(tree)
    for role in sorted(tree.glob("roles/*")):
        uses = _Uses(connection)
        for pattern in ("tasks/**/*.yml", "defaults/*.yml", "vars/*.yml", "templates/**/*.j2"):
            for path in sorted(role.glob(pattern)):
                uses.add(path)
        # The others are its options, or are private: templates get them from those that include them.
        yield from uses.names(f"role {role.name}", "qlik_")


def _playbooks(tree: Path, connection: t.Collection[str]) -> t.Iterator[Name]:
    for path in sorted(tree.glob("playbooks/*.yml")):
        uses = _Uses(connection)
        uses.add(path)
        yield Name(f"playbook {path.stem}", "", "")
        yield from uses.names(f"playbook {path.stem}")


def main() -> int:
    """Write or compare. Returns 1 if the file differs."""
    from ansible_collections.sensible.qlik.plugins.module_utils._argspec import connection_argument_spec

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    arguments = parser.parse_args()
    text = HEADER + "".join(f"{name}\n" for name in public_names(ROOT, connection_argument_spec()))
    if not arguments.check:
        arguments.file.write_text(text)
        return 0
    stored = arguments.file.read_text() if arguments.file.exists() else ""
    differences = list(difflib.unified_diff(stored.splitlines(), text.splitlines(), "stored", "now", n=0, lineterm=""))
    if differences:
        print("\n".join(differences))
        print(f"{arguments.file} does not hold these public names. If the change is intended, run `{REGENERATE}`.")
    return bool(differences)


if __name__ == "__main__":
    sys.exit(main())
