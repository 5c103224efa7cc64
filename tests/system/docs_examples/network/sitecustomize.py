# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Resolve the host names in the examples to the simulated sites.

Each Python with this directory on its path imports it when it starts. EXAMPLES_NETWORK names a file with the ports of
the simulation by name and port, such as {"qlik1.example.com": {"4242": 40001}}.
"""

from __future__ import annotations

import json
import os
import pathlib
import socket
import typing as t

if "EXAMPLES_NETWORK" in os.environ:
    _PORTS: dict[str, dict[str, int]] = json.loads(pathlib.Path(os.environ["EXAMPLES_NETWORK"]).read_text())
    _getaddrinfo = socket.getaddrinfo

    def getaddrinfo(host: t.Any, port: t.Any, *arguments: t.Any, **options: t.Any) -> t.Any:
        if host in _PORTS:
            host, port = "127.0.0.1", _PORTS[host].get(str(port), port)
        return _getaddrinfo(host, port, *arguments, **options)

    socket.getaddrinfo = getaddrinfo
