# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A simulator in a process of its own, and HTTPS requests to its ports."""

from __future__ import annotations

import pathlib
import typing as t

import requests

from qlik_sense_simulator.testing import RunningSite

XRFKEY = "0123456789abcdef"
_TIMEOUT = 60.0


class Simulator(RunningSite):
    """A running site, with a session that uses its client certificate."""

    def __init__(
        self, directory: pathlib.Path, site: t.Mapping[str, t.Any] | None = None, *, arguments: t.Sequence[str] = ()
    ) -> None:
        super().__init__(directory, site, arguments=arguments)
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = str(self.pki / "root.pem")
        self.session.cert = (str(self.pki / "client.pem"), str(self.pki / "client_key.pem"))

    def qrs(
        self, method: str, path: str, content: t.Any = None, *, params: t.Mapping[str, str] | None = None
    ) -> requests.Response:
        """Send a request to the repository; the path is below /qrs/."""
        return self.session.request(
            method,
            f"{self.ready['qrs_url']}/qrs/{path}",
            params={"xrfkey": XRFKEY, **(params or {})},
            headers={"X-Qlik-Xrfkey": XRFKEY},
            json=content,
            timeout=_TIMEOUT,
        )

    def control(self, method: str, path: str, content: t.Any = None) -> requests.Response:
        """Send a request to the simulator itself; the path is below /simulator/."""
        url = f"{self.ready['qrs_url']}/simulator/{path}"
        return self.session.request(method, url, json=content, timeout=_TIMEOUT)

    def __exit__(self, *exception: object) -> None:
        self.session.close()
        super().__exit__(*exception)
