# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Provide sites and a working directory for each test module."""

from __future__ import annotations

import typing as t

import pytest
from descriptions import SOURCE
from laboratory import Laboratory
from walk import Reference, add_targets, outcomes, promote


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Laboratory]:
    laboratory = Laboratory(tmp_path_factory.mktemp("promotion"))
    yield laboratory
    laboratory.stop()


@pytest.fixture(scope="module")
def reference(laboratory: Laboratory) -> Reference:
    laboratory.add_all({"dev": SOURCE})
    add_targets(laboratory, {"clean": []})
    clean = laboratory.sites["clean"]
    old = clean.state()
    promotion = promote(laboratory, "clean")["clean"]
    assert not promotion.failed, promotion.message
    assert promotion.written
    requests = {"source": laboratory.sites["dev"].requests(), "target": clean.requests()}
    return Reference(old, clean.state(), requests, outcomes(promotion.written))
