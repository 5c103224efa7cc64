# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sites import Site

from qlik_sense_simulator.testing import RunningSite


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Yield a simulated site with two nodes."""
    with RunningSite(tmp_path_factory.mktemp("site")) as running:
        yield Site(
            running.pki, str(running.ready["qrs_url"]).rpartition(":")[2].strip("/"), list(running.ready["nodes"])
        )
