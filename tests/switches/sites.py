# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Open a simulated site for each value of each switch, all in this process, until SIGTERM.

Usage: sites.py DIRECTORY

A line "ready" says that each has written its DIRECTORY/<name>.json. They share DIRECTORY/pki. One process, because a
hundred of them would take minutes to start.
"""

from __future__ import annotations

import asyncio
import resource
import sys
from pathlib import Path

from cases import cases

from qlik_sense_simulator.pki import ensure_pki
from qlik_sense_simulator.seed import seed
from qlik_sense_simulator.server import serve
from qlik_sense_simulator.site import parse_site
from qlik_sense_simulator.store import Store


async def main(directory: Path) -> None:
    # Five ports each.
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    pki = ensure_pki(directory / "pki", authority_key=directory / "root_key.pem", host_names=["localhost"])
    tasks, ready = [], []
    for case in cases():
        site = parse_site(case.site(pki.server.read_text()))
        store = Store(":memory:", release=site.release, switches=site.switches)
        seed(site, store)
        ready.append(directory / f"{case.name}.json")
        tasks.append(asyncio.create_task(serve(site, store=store, pki=pki, ready=ready[-1])))
    while not all(file.exists() for file in ready):
        done, _pending = await asyncio.wait(tasks, timeout=0.05, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    print("ready", flush=True)
    # A signal reaches the site that has asked for it last, and the others end with that one.
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
