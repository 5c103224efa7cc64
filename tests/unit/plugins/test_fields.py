# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each field of a virtual proxy is an option, or the guide has the reason why it is not."""

from __future__ import annotations

import re
from pathlib import Path

from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy.model import QRS_NAMES
from qlik_sense_simulator.releases import RELEASES
from qlik_sense_simulator.repository.catalog import VIRTUAL_PROXY

GUIDE = Path(__file__).parents[3] / "docs/docsite/rst/guide_provisioning.rst"


def test_each_field_is_an_option_or_has_a_reason() -> None:
    newest = max(RELEASES.values(), key=lambda release: release.date)
    section = GUIDE.read_text().partition("\nFields that are not managed\n")[2]
    assert f"in {newest.name.replace('-', ' ').title()}, the newest release" in section
    rows = re.findall(r"^   \* - (``.+?)\n     - (.+?\.)$", section, re.MULTILINE | re.DOTALL)
    unmanaged = [field for fields, _reason in rows for field in re.findall(r"``(\w+)``", fields)]
    managed = ["id", *QRS_NAMES.values()]
    assert sorted([*managed, *unmanaged]) == sorted(field.name for field in VIRTUAL_PROXY.fields_of(newest))
    assert {"magicLinkHostUri", "magicLinkFriendlyName"} <= set(unmanaged)
