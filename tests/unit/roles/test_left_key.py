# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import typing as t

import jinja2
import pytest
import yaml

VARIABLES = pathlib.Path(__file__).parents[3] / "roles" / "key_rotation" / "vars" / "main.yml"
IN_USE = {"key_rotation_old_private_key_path": "/keys/in_use.pem"}


@pytest.mark.parametrize(
    ("replaced", "more", "path"),
    [
        ("portal", {}, "/keys/portal_key.pem"),
        ("portal", {"key_rotation_old_private_key_path": "/keys/old.pem"}, "/keys/old.pem"),
        ("portal", {"key_rotation_old_key": "keep"}, ""),
        ("portal", {"key_rotation_state": {"phase": "published", "replaced": "portal"}}, ""),
        # It has replaced none, or the run is about to rotate, or the path leads to the key in use.
        ("", IN_USE, ""),
        ("portal", {**IN_USE, "__key_rotation_finished": False}, "/keys/portal_key.pem"),
        ("portal", {**IN_USE, "__key_rotation_old_key_differs": False}, "/keys/portal_key.pem"),
    ],
)
def test_only_a_key_that_was_replaced_is_destroyed_later(replaced: str, more: dict[str, t.Any], path: str) -> None:
    expression = yaml.safe_load(VARIABLES.read_text())["__key_rotation_left_key_path"]
    variables = {
        "key_rotation_old_key": "destroy",
        "key_rotation_directory": "/keys",
        "key_rotation_state": {"phase": "idle", "replaced": replaced},
        "__key_rotation_finished": True,
        "__key_rotation_old_key_differs": True,
    }
    assert jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(expression).render(variables | more) == path
