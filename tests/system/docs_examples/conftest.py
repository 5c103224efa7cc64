# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Provide the simulated environment of the examples, and a workspace for each document."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from documents import COLLECTION
from workspace import Workspace, WorkspaceOf

PROVIDER_KEYS = COLLECTION / "tests/integration/targets/role_follow_jwks/files/provider_keys.py"


def start_environment(directory: Path) -> subprocess.Popen[str]:
    """Start environment.py with its files in a directory. It ends when its standard input is closed."""
    made = subprocess.run(
        [sys.executable, str(PROVIDER_KEYS), str(directory), "2026-a", "2026-b"], capture_output=True, check=True
    )
    key_sets = {shape: {"keys": list(keys.values())} for shape, keys in json.loads(made.stdout).items()}
    (directory / "providers.json").write_text(json.dumps(key_sets))
    log = directory / "log"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("environment.py")), str(directory)],
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
def workspace_of(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[WorkspaceOf]:
    """Return a function: the workspace for a document, with unchanged sites, and whether it is new.

    There is one environment, so that a document cannot be taken up again after another.
    """
    workspaces: dict[str, Workspace] = {}
    directory = tmp_path_factory.mktemp("environment")
    with start_environment(directory) as environment:

        def workspace_of(document: str) -> tuple[Workspace, bool]:
            assert environment.stdin is not None
            assert environment.stdout is not None
            if document in workspaces:
                assert document == next(reversed(workspaces))
                return workspaces[document], False
            if workspaces:
                environment.stdin.write("reset\n")
                environment.stdin.flush()
                assert any(line == "ready\n" for line in environment.stdout), (directory / "log").read_text()
            workspaces[document] = Workspace(tmp_path_factory.mktemp("workspace"), directory)
            return workspaces[document], True

        yield workspace_of
