# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.sensible.qlik.plugins.filter.path_problems import path_problems

KEY = "-----BEGIN {0}-----\nMIIEvQIBADANBg\n-----END {0}-----\n".format("PRIVATE KEY")

NOT_SHOWN = "The value is not shown, because it may be a secret."


def test_text_is_reported_by_the_name_of_its_variable() -> None:
    paths = {"a_path": KEY, "b_path": "b.pem", "c_path": "hunter2", "d_directory": "new", "e_path": ""}
    assert path_problems(paths, new=["d_directory"], contents=["a_content"]) == [
        "a_path contains PEM text, not a path. Give the path of the file, or give the text as a_content.",
        f"c_path contains text, not a path. {NOT_SHOWN} Correct the path.",
    ]


def test_lists_and_dictionaries_are_not_quoted() -> None:
    assert path_problems({"a_path": [KEY], "b_path": {KEY: 1}, "c_path": None}) == [
        "a_path must be a path, not a list.",
        "b_path must be a path, not a dictionary.",
    ]


def test_other_input_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="requires a dictionary"):
        path_problems([KEY])  # type: ignore[arg-type]
