# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The examples in README.md, the roles' READMEs and the guides work, one after the other as they stand there."""

from __future__ import annotations

import json
import shutil

import pytest
from desk import Desk, DeskOf
from documents import Example, examples
from ways import WAYS, Way, commands, text_of

DOCUMENTS = [example for example in examples() if not example.file.startswith("plugins/")]
FOLLOWED = [example for example in DOCUMENTS if not WAYS.get(str(example), Way()).left_out]


def test_each_way_is_the_way_of_an_example() -> None:
    assert WAYS.keys() <= {str(example) for example in DOCUMENTS}


@pytest.fixture
def desk(request: pytest.FixtureRequest, desk_of: DeskOf) -> Desk:
    """The desk for a document. Whatever it gives the name of a file is saved already, wherever it stands."""
    file = request.node.callspec.params["example"].file
    desk, new = desk_of(file)
    if new:
        for example in DOCUMENTS:
            if example.file == file:
                save(desk, example)
    return desk


def save(desk: Desk, example: Example) -> None:
    text = text_of(example)
    is_tasks = example.yaml and isinstance(example.yaml[0], list) and "hosts" not in example.yaml[0][-1]
    if is_tasks and not WAYS.get(str(example), Way()).save:
        text = json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": example.yaml[0]}])
    desk.save(file_of(example), text)
    for name, content in WAYS.get(str(example), Way()).also.items():
        desk.save(name, content)


def file_of(example: Example) -> str:
    return WAYS.get(str(example), Way()).save or f"example-{example.number}.yml"


@pytest.mark.slow
@pytest.mark.parametrize("example", FOLLOWED, ids=str)
def test_example(desk: Desk, example: Example) -> None:
    way = WAYS.get(str(example), Way())
    lines = commands(example, file_of(example))
    if not lines:
        assert any(way.save in other.text for other in DOCUMENTS if other.file == example.file and other != example)
        return
    program = lines[0].split()[0]
    if program == "haproxy" and not shutil.which(program):
        pytest.skip("there is no HAProxy")
    if program != "cp":
        desk.add_inventory()
    for one in filter(None, (way.before, *lines)):
        done = desk.run(one)
        assert done.status == 0, f"$ {one}\n{done.output}"
