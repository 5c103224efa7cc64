# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A laboratory for each file of tests."""

from __future__ import annotations

import typing as t

import pytest
from laboratory import Laboratory


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Laboratory]:
    laboratory = Laboratory(tmp_path_factory.mktemp("promotion"))
    yield laboratory
    laboratory.stop()
