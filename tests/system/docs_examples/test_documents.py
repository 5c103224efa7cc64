# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The examples in README.md, the READMEs of roles and the guides work in their order and without changes."""

from __future__ import annotations

import json
import shutil

import pytest
from documents import Example, examples
from procedures import PROCEDURES, Procedure, commands, text_of
from workspace import Workspace, WorkspaceOf

DOCUMENTS = [example for example in examples() if not example.file.startswith("plugins/")]
FOLLOWED = [example for example in DOCUMENTS if not PROCEDURES.get(str(example), Procedure()).left_out]


def test_each_procedure_belongs_to_an_example() -> None:
    assert PROCEDURES.keys() <= {str(example) for example in DOCUMENTS}


@pytest.fixture
def workspace(request: pytest.FixtureRequest, workspace_of: WorkspaceOf) -> Workspace:
    """Return the workspace of a document, with all files that its examples name."""
    file = request.node.callspec.params["example"].file
    workspace, new = workspace_of(file)
    if new:
        for example in DOCUMENTS:
            if example.file == file:
                save(workspace, example)
    return workspace


def save(workspace: Workspace, example: Example) -> None:
    text = text_of(example)
    is_tasks = example.yaml and isinstance(example.yaml[0], list) and "hosts" not in example.yaml[0][-1]
    if is_tasks and not PROCEDURES.get(str(example), Procedure()).save:
        text = json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": example.yaml[0]}])
    workspace.save(file_of(example), text)
    for name, content in PROCEDURES.get(str(example), Procedure()).also.items():
        workspace.save(name, content)


def file_of(example: Example) -> str:
    return PROCEDURES.get(str(example), Procedure()).save or f"example-{example.number}.yml"


@pytest.mark.slow
@pytest.mark.parametrize("example", FOLLOWED, ids=str)
def test_examples_in_documents_work(workspace: Workspace, example: Example) -> None:
    procedure = PROCEDURES.get(str(example), Procedure())
    lines = commands(example, file_of(example))
    if not lines:
        assert any(
            procedure.save in other.text for other in DOCUMENTS if other.file == example.file and other != example
        )
        return
    program = next(word for word in lines[0].split() if "=" not in word)
    if program in ("haproxy", "node") and not shutil.which(program):
        pytest.skip(f"there is no {program}")
    if program != "cp":
        workspace.add_inventory()
    for one in filter(None, (procedure.before, *lines)):
        done = workspace.run(one)
        assert done.status == 0, f"$ {one}\n{done.output}"
