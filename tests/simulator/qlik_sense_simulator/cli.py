# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command line: qlik-sense-simulator serve --directory DIR [--site FILE]."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import importlib.metadata
import logging
import pathlib
import signal
import sys
import typing as t

from .pki import ensure_pki
from .releases import RELEASES
from .repository.seed import SeedError, seed
from .repository.store import Store, StoreError
from .server import ServeError, serve
from .site import Site, SiteError, load_site


def main(arguments: t.Sequence[str] | None = None) -> int:
    """Run a command and return its exit status: 0 on success, 1 with one line on standard error."""
    options = _parser().parse_args(arguments)
    # Until the ports are open, a signal ends the process at once; `serve` installs handlers of its own.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: sys.exit(0))
    logging.basicConfig(level=logging.WARNING, format="qlik-sense-simulator: %(levelname)s: %(message)s")
    try:
        _serve(options)
    except (SiteError, SeedError, StoreError, ServeError, OSError) as error:
        print(f"qlik-sense-simulator: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="qlik-sense-simulator", description="A simulated Qlik Sense site for tests.")
    parser.add_argument("--version", action="version", version=importlib.metadata.version("qlik-sense-simulator"))
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser(
        "serve",
        help="start a site and run until SIGTERM or Ctrl-C",
        description=(
            "Start a site on free loopback ports and run until SIGTERM or Ctrl-C. "
            "DIR/pki has its certificates. DIR/ready.json has its addresses, and appears when all ports listen."
        ),
    )
    command.add_argument(
        "--directory",
        type=pathlib.Path,
        required=True,
        metavar="DIR",
        help="the state of the site; created if it does not exist",
    )
    command.add_argument(
        "--site",
        type=pathlib.Path,
        metavar="FILE",
        help=f"YAML: release ({', '.join(RELEASES)}), nodes, users, virtual_proxies, switches, faults, ...",
    )
    command.add_argument("--qrs-port", type=_port, default=0, metavar="PORT", help="TCP port of the repository")
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port number")
    return int(text)


def _serve(options: argparse.Namespace) -> None:
    site = load_site(options.site) if options.site else Site()
    site.qrs_port = options.qrs_port or site.qrs_port
    directory: pathlib.Path = options.directory.absolute()
    directory.mkdir(parents=True, exist_ok=True)
    with _locked(directory):
        ready = directory / "ready.json"
        ready.unlink(missing_ok=True)
        pki = ensure_pki(
            directory / "pki",
            authority_key=directory / "root_key.pem",
            host_names=[node.host_name for node in site.nodes],
            proxy_authority=site.proxy_authority,
        )
        store = Store(directory / "repository.sqlite", release=site.release, switches=site.switches)
        with contextlib.closing(store):
            seed(site, store)
            asyncio.run(serve(site, store=store, pki=pki, ready=ready))


@contextlib.contextmanager
def _locked(directory: pathlib.Path) -> t.Iterator[None]:
    """Lock a directory against other simulators."""
    with (directory / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ServeError(f"Another simulator runs in {directory}: stop it, or use another directory.") from None
        yield
