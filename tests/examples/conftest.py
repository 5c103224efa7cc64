# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The world of the examples, and a desk at which somebody follows them."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from desk import Desk, DeskOf
from documents import COLLECTION

PROVIDER_KEYS = COLLECTION / "tests/integration/targets/role_follow_jwks/files/provider_keys.py"


def open_world(directory: Path) -> subprocess.Popen[str]:
    """Have the world that world.py describes, with its files in a directory, until nobody holds its standard input."""
    made = subprocess.run(
        [sys.executable, str(PROVIDER_KEYS), str(directory), "2026-a", "2026-b"], capture_output=True, check=True
    )
    key_sets = {shape: {"keys": list(keys.values())} for shape, keys in json.loads(made.stdout).items()}
    (directory / "providers.json").write_text(json.dumps(key_sets))
    log = directory / "log"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("world.py")), str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
    assert process.stdout is not None
    assert any(line == "ready\n" for line in process.stdout), log.read_text()
    return process


@pytest.fixture(scope="session")
def desk_of(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[DeskOf]:
    """The desk for a document, with sites that nobody has changed, and whether it is new.

    There is one world, so that a document cannot be taken up again after another.
    """
    desks: dict[str, Desk] = {}
    directory = tmp_path_factory.mktemp("world")
    with open_world(directory) as world:

        def desk_of(document: str) -> tuple[Desk, bool]:
            assert world.stdin is not None
            assert world.stdout is not None
            if document in desks:
                assert document == next(reversed(desks))
                return desks[document], False
            if desks:
                world.stdin.write("reset\n")
                world.stdin.flush()
                assert any(line == "ready\n" for line in world.stdout), (directory / "log").read_text()
            desks[document] = Desk(tmp_path_factory.mktemp("desk"), directory)
            return desks[document], True

        yield desk_of
