# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Replace the package of this name, so that the CA of proxies and web server is the only public one."""

from __future__ import annotations

import os


def where() -> str:
    return os.environ["SSL_CERT_FILE"]
