# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Open a site for each site file of a directory, all in this process, until SIGTERM.

Usage: python -m qlik_sense_simulator.several DIRECTORY

DIRECTORY/<name>.yml is a site file, and DIRECTORY/<name>.json has the addresses of that site. The sites share
DIRECTORY/pki and store nothing. DIRECTORY/ready.json appears when all sites listen. They run in one process, because a
hundred processes would take minutes to start.
"""

from __future__ import annotations

import asyncio
import json
import os
import pathlib
import resource
import sys

from .pki import ensure_pki, write_atomically
from .repository.seed import seed
from .repository.store import Store
from .server import serve
from .site import SiteError, load_site


async def main(directory: pathlib.Path) -> None:
    """Serve all sites."""
    # Each site has five ports, or more if its engines have their own.
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    sites = {file.with_suffix(".json"): load_site(file) for file in sorted(directory.glob("*.yml"))}
    authorities = sorted({site.proxy_authority for site in sites.values()})
    if len(authorities) > 1:
        raise SiteError("proxy_authority must be the same for all sites, because they share their certificates.")
    pki = ensure_pki(
        directory / "pki",
        authority_key=directory / "root_key.pem",
        host_names=sorted({node.host_name for site in sites.values() for node in site.nodes}),
        proxy_authority=authorities[0],
    )
    tasks = []
    for ready, site in sites.items():
        store = Store(":memory:", release=site.release, switches=site.switches)
        seed(site, store)
        tasks.append(asyncio.create_task(serve(site, store=store, pki=pki, ready=ready)))
    while not all(ready.exists() for ready in sites):
        done, _pending = await asyncio.wait(tasks, timeout=0.05, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    content = {"pid": os.getpid(), "sites": {ready.stem: json.loads(ready.read_text()) for ready in sites}}
    write_atomically(directory / "ready.json", json.dumps(content).encode(), mode=0o644)
    # The handler of the site that registered last gets the signal. The others end with that site.
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main(pathlib.Path(sys.argv[1])))
