# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write the checks of the table into the documentation of login_check, which Ansible reads without running code.

    make generate

With --check, nothing is written, and the exit status is 1 if the documentation differs from the table.
"""

from __future__ import annotations

import pathlib
import re
import sys
import textwrap

from ansible_collections.sensible.qlik.plugins.module_utils._login.checks import CHECKS, OPTIONAL, TOKEN_OPTIONS

MODULE = pathlib.Path(__file__).resolve().parents[2] / "plugins" / "modules" / "login_check.py"
_WIDTH = 120


def _item(text: str, indent: str) -> list[str]:
    """Return an item of a YAML list."""
    if ": " not in text and text[0].isalpha():
        return textwrap.wrap(text, _WIDTH, initial_indent=f"{indent}- ", subsequent_indent=f"{indent}  ")
    wrapped = textwrap.wrap(text, _WIDTH - 1, initial_indent=f'{indent}- "', subsequent_indent=f"{indent}  ")
    return [*wrapped[:-1], f'{wrapped[-1]}"']


def _checks() -> list[str]:
    return [line for check in CHECKS for line in _item(f"B({check.name}): {check.doc}", "  ")]


def _tokens() -> list[str]:
    lines = []
    for name, text in TOKEN_OPTIONS.items():
        lines += [
            f"      {name}:",
            "        description:",
            *_item(f"{text} It must be refused. If not set, this is not checked.", " " * 10),
        ]
        lines.append("        type: str")
    return lines


def _choices() -> list[str]:
    return ["    choices:", *(f"      - {name}" for name in OPTIONAL)]


def generated(text: str) -> str:
    """Return the source of the module with what is generated in it."""
    for name, lines in (("checks", _checks()), ("tokens", _tokens()), ("choices", _choices())):
        pattern = re.compile(rf"(?P<begin> *# generated: {name}\n).*?(?P<end> *# end\n)", re.DOTALL)
        place = pattern.search(text)
        if not place:
            raise SystemExit(f"{MODULE.name} has no place for: {name}")
        content = "\n".join(lines)
        text = f"{text[: place.start()]}{place['begin']}{content}\n{place['end']}{text[place.end() :]}"
    return text


def main() -> int:
    text = MODULE.read_text()
    new = generated(text)
    if new == text:
        return 0
    if "--check" in sys.argv[1:]:
        print("login_check's documentation differs from the table of checks. Run: make generate", file=sys.stderr)
        return 1
    MODULE.write_text(new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
