# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the documentation: its examples, and all options."""

from __future__ import annotations

import dataclasses
import functools
import json
import re
import subprocess
import typing as t
from pathlib import Path

import yaml
from antsibull_docutils.rst_code_finder import find_code_blocks
from markdown_it import MarkdownIt

COLLECTION = Path(__file__).parents[3]
NAMESPACE = "sensible.qlik."
KINDS = {"modules": "module", "lookup": "lookup", "filter": "filter", "inventory": "inventory"}
"""The directories of plugins, and what ansible-doc calls what is in them."""


@dataclasses.dataclass(frozen=True)
class Example:
    """A part of the documentation that users may copy.

    Args:
        file: its file, relative to the collection.
        number: its position among the examples of that file, from 1.
        language: as given in the document: yaml, console, text, ...
        text: the text to copy.
    """

    file: str
    number: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.file} {self.number}"

    @property
    def yaml(self) -> list[t.Any]:
        """Return its YAML documents, none if it has another format."""
        return list(yaml.safe_load_all(self.text)) if self.language.startswith("yaml") else []


@dataclasses.dataclass(frozen=True)
class Option:
    """An option as it is documented.

    Args:
        owner: the full name of the plugin or role that has it.
        path: its name, after the names of the options that it is in.
        names: its name and its aliases.
        text: its description, which identifies an option that several plugins share.
        type: its type.
        required: True if it must be set.
        default: its default.
    """

    owner: str
    path: tuple[str, ...]
    names: frozenset[str]
    text: str
    type: str
    required: bool
    default: t.Any

    def __str__(self) -> str:
        return f"{self.owner}: {'.'.join(self.path)}"


@functools.cache
def documented() -> dict[str, dict[str, t.Any]]:
    """Return the output of ansible-doc for each plugin and role, by kind and full name."""
    names = {
        kind: sorted(f"{NAMESPACE}{file.stem}" for file in (COLLECTION / "plugins" / folder).glob("*.py"))
        for folder, kind in KINDS.items()
    }
    names["role"] = sorted(f"{NAMESPACE}{file.name}" for file in (COLLECTION / "roles").iterdir())
    running = {
        kind: subprocess.Popen(["ansible-doc", "--json", "--type", kind, *some], stdout=subprocess.PIPE, text=True)
        for kind, some in names.items()
    }
    answers = {kind: json.loads(process.communicate()[0]) for kind, process in running.items()}
    assert all(sorted(answers[kind]) == some for kind, some in names.items()), answers
    return answers


@functools.cache
def examples() -> list[Example]:
    """Return all examples, those of one file in their order."""
    found = []
    for folder, kind in KINDS.items():
        for name, answer in documented()[kind].items():
            file = COLLECTION / f"plugins/{folder}/{name.removeprefix(NAMESPACE)}.py"
            found += _numbered(file, [("yaml", text) for text in _parts(kind, answer["examples"])])
    for path in [COLLECTION / "README.md", *sorted(COLLECTION.glob("roles/*/README.md"))]:
        blocks = [token for token in MarkdownIt().parse(path.read_text()) if token.type in ("fence", "code_block")]
        found += _numbered(path, [(block.info, block.content) for block in blocks])
    for path in sorted(COLLECTION.glob("docs/docsite/rst/guide_*.rst")):
        found += _numbered(
            path, [(block.language or "", block.content) for block in find_code_blocks(path.read_text())]
        )
    return found


def _parts(kind: str, text: str) -> list[str]:
    """Split the examples of an inventory plugin, each of which is a file of its own.

    All but the first are comments: the sanity tests of ansible-core 2.16 accept one YAML document only.
    """
    if kind != "inventory":
        return [text]
    paragraphs = [
        re.sub(r"(?m)^#   ", "", part) for part in text.split("\n\n") if re.search(r"(?m)^(#   )?plugin:", part)
    ]
    assert len(paragraphs) > 1
    return [f"{paragraph}\n" for paragraph in paragraphs]


def _numbered(path: Path, blocks: list[tuple[str, str]]) -> list[Example]:
    file = str(path.relative_to(COLLECTION))
    return [Example(file, number, language, text) for number, (language, text) in enumerate(blocks, 1)]


def options() -> list[Option]:
    """Return all options of all plugins and roles, including suboptions."""
    found: list[Option] = []
    for kind, answers in documented().items():
        for name, answer in answers.items():
            parts = answer["entry_points"].values() if kind == "role" else [answer["doc"]]
            for part in parts:
                found += _options(name, (), part.get("options") or {})
    return found


def _options(owner: str, above: tuple[str, ...], documentation: dict[str, t.Any]) -> t.Iterator[Option]:
    for name, option in documentation.items():
        path = (*above, name)
        names = frozenset({name, *option.get("aliases", ())})
        details = (option.get("type", "str"), bool(option.get("required")), option.get("default"))
        yield Option(owner, path, names, json.dumps(option["description"]), *details)
        yield from _options(owner, path, option.get("suboptions") or option.get("options") or {})
