# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run enigma.js, Qlik's own client of the engine, which uses a websocket."""

from __future__ import annotations

import json
import pathlib
import typing as t
import urllib.parse

from clients import HERE, Pipe

from qlik_sense_simulator.testing import RunningSite


class SignedIn(t.NamedTuple):
    """The result of a login with a token: if it is refused, the cookie is empty and the csrf token None."""

    cookie: str
    csrf_token: str | None
    status: int


class Enigma:
    """The npm package enigma.js, in a process of its own with one websocket at a time.

    Args:
        site: where to connect to, on the first node.
        modules: the node_modules directory that it is installed in.
        prefix: of the virtual proxy.
    """

    name: t.ClassVar[str] = "enigma.js"

    def __init__(self, site: RunningSite, modules: pathlib.Path, *, prefix: str) -> None:
        self.version: str = json.loads((modules / self.name / "package.json").read_text())["version"]
        self.origin: str = site.ready["nodes"][0]["proxy_url"]
        self._url = f"{self.origin}/{prefix}"
        parts = urllib.parse.urlsplit(self.origin)
        self._address = {"host": parts.hostname, "port": parts.port, "prefix": f"/{prefix}"}
        environment = {"NODE_PATH": str(modules), "NODE_EXTRA_CA_CERTS": str(site.pki / "proxy_root.pem")}
        self.pipe = Pipe(["node", str(HERE / "enigma.mjs")], environment)
        self.version += f" on Node {self.pipe.call('configure', {})}"
        self.close = self.pipe.close

    def sign_in(self, token: str) -> SignedIn:
        """Exchange a token for a cookie and a csrf token."""
        answer = self.pipe.call("signIn", self._url, token)
        return SignedIn(answer["cookie"], answer["csrfToken"], answer["status"])

    def sign_out(self, cookie: str) -> int:
        """End the session of a cookie, and return the status."""
        return t.cast("int", self.pipe.call("signOut", self._url, cookie))

    def open(
        self,
        *,
        query: t.Mapping[str, str] | None = None,
        headers: t.Mapping[str, str] | None = None,
        delta: bool = True,
        **address: t.Any,
    ) -> list[tuple[str, dict[str, t.Any]]]:
        """Open a websocket.

        Args:
            query: of its address.
            headers: of the upgrade.
            delta: whether the engine may answer with changes only.
            address: more for SenseUtilities.buildUrl.

        Returns:
            The notifications up to the first that is no mere greeting: name and content of each.

        Raises:
            ClientError: the upgrade was refused.
        """
        where = {**self._address, "urlParams": dict(query or {}), **address}
        notifications = self.pipe.call("open", where, dict(headers or {}), {"delta": delta})
        return [(one[0], one[1]) for one in notifications]

    def call(self, method: str, *arguments: t.Any) -> t.Any:
        """Return the result of a method of the engine's Global."""
        return self.pipe.call(f"global.{method}", *arguments)
