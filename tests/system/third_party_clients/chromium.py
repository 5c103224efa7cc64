# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the Chromium of this machine, without a window."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import subprocess
import typing as t

from playwright.sync_api import Browser, BrowserContext, sync_playwright

_FLAGS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    # Names in place of addresses, for pages that are not of the site.
    "--host-resolver-rules=MAP *.example.com 127.0.0.1",
)


def find_chromium() -> str | None:
    """Return the program, or None. One in a snap is left out: it cannot read other directories."""
    found = (shutil.which(name) for name in ("chromium", "google-chrome"))
    return next((path for path in found if path and pathlib.Path(path).resolve().name != "snap"), None)


class Chromium:
    """The browser, with its own home directory.

    Args:
        program: its path.
        authority: the certificate of an authority that it trusts.
        home: an empty directory.
    """

    name: t.ClassVar[str] = "Chromium"

    def __init__(self, program: str, authority: pathlib.Path, home: pathlib.Path) -> None:
        database = home / ".pki" / "nssdb"
        database.mkdir(parents=True)
        for command in (
            ["-N", "--empty-password"],
            ["-A", "-n", "simulated site", "-t", "C,,", "-i", str(authority)],
        ):
            subprocess.run(["certutil", *command, "-d", f"sql:{database}"], check=True, timeout=60)
        directories = {"HOME": home, "XDG_CONFIG_HOME": home / "config", "XDG_CACHE_HOME": home / "cache"}
        with contextlib.ExitStack() as stack:
            playwright = stack.enter_context(sync_playwright())
            self._browser: Browser = playwright.chromium.launch(
                executable_path=program,
                args=_FLAGS,
                # Root, as in many a CI, has no sandbox.
                chromium_sandbox=False,
                env={**os.environ, **{name: str(path) for name, path in directories.items()}},
            )
            stack.callback(self._browser.close)
            self.version: str = self._browser.version
            self.close = stack.pop_all().close

    def new_context(self, *, width: int = 1280, scheme: t.Literal["light", "dark"] = "light") -> BrowserContext:
        """Return a browser context without cookies.

        Args:
            width: width of the window in pixels.
            scheme: the color scheme that the user prefers.
        """
        return self._browser.new_context(viewport={"width": width, "height": 720}, color_scheme=scheme)
