# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The clock that tests move: a reload of half a minute is over at once."""

from __future__ import annotations

import pathlib

import requests
from running import Simulator


def test_reload_ends_when_the_clock_moves(tmp_path: pathlib.Path) -> None:
    moves = tmp_path / "moves"
    site = {"clock_file": str(moves), "switches": {"reload_seconds": 30}}
    with Simulator(tmp_path / "site", site) as running:
        hub = f"{running.ready['nodes'][0]['proxy_url']}/hub/"

        def status() -> int:
            ca = str(running.pki / "proxy_root.pem")
            return requests.get(hub, verify=ca, timeout=60, allow_redirects=False).status_code

        assert status() == 503
        moves.write_text("20\n")
        assert status() == 503
        with moves.open("a") as file:
            file.write("10.5\n")
        assert status() == 302
