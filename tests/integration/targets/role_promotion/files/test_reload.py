# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Promotion to a site whose proxies need half a minute after each change. Pauses take no time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from descriptions import SOURCE, TARGET
from laboratory import Laboratory

MOVED_CLOCK = Path(__file__).parents[4] / "tools" / "moved_clock"


@pytest.mark.parametrize(("wait", "code"), [(60, 0), pytest.param(10, 2, marks=pytest.mark.slow)])
def test_proxies_reload_for_half_a_minute(tmp_path: Path, wait: int, code: int) -> None:
    moves = tmp_path / "moves"
    slow = {"clock_file": str(moves), "switches": {"reload_seconds": 30}}
    laboratory = Laboratory(tmp_path)
    try:
        laboratory.add_all({"dev": SOURCE | slow, "test": TARGET | slow})
        for name, site in laboratory.sites.items():
            laboratory.hosts[name]["smoke_test_wait"] = 60 if name == "dev" else wait
            site.set_field("portal", jwtPublicKeyCertificate=site.certificate)
        laboratory.hosts["test"]["promotion_nodes"] = {"Dev2": "Rim1"}
        before = laboratory.sites["test"].state()
        arguments = ("-e", "promote_stages=dev,test", "-e", "promote_prefixes=portal")
        path = os.pathsep.join([str(MOVED_CLOCK), os.environ.get("PYTHONPATH", "")])
        done = laboratory.run("sensible.qlik.promote", *arguments, MOVED_CLOCK=str(moves), PYTHONPATH=path)
        assert done.code == code, done.text
        assert (laboratory.sites["test"].state() == before) == bool(code)
        assert sum(map(float, moves.read_text().split())) >= 30
    finally:
        laboratory.stop()
