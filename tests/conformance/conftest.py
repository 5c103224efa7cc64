# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One simulated site, the clients, and a line for each of them at the end.

CONFORMANCE_CLIENTS names a directory where the npm packages stay installed from run to run.
"""

from __future__ import annotations

import collections
import contextlib
import importlib.metadata
import os
import pathlib
import re
import shutil
import subprocess
import typing as t

import pytest
from clients import Client, Door, QlikRepoApi, QlikRestApi, QrsInteract, QsApi, install_npm_packages
from curl import Curl
from virtual_proxies import good

from qlik_sense_simulator.testing import RunningSite

OLDEST_NODE = 18
# Name and version of each client, and how many tests had which outcome; a client that is missing has its reason.
VERSIONS = pytest.StashKey[dict[str, str]]()
OUTCOMES = pytest.StashKey[collections.defaultdict[str, collections.Counter[str]]]()

Connect = t.Callable[..., Client]


def pytest_configure(config: pytest.Config) -> None:
    config.stash[VERSIONS] = {}
    counts: collections.defaultdict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    config.stash[OUTCOMES] = counts


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[RunningSite]:
    """A running site, two nodes."""
    with RunningSite(tmp_path_factory.mktemp("conformance") / "site") as running:
        yield running


@pytest.fixture(scope="session")
def node_modules(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The npm packages, installed."""
    reason = _missing_node()
    if reason:
        for package in (QrsInteract, QlikRestApi, QlikRepoApi):
            pytestconfig.stash[VERSIONS][package.name] = reason
        pytest.skip(reason)
    directory = os.environ.get("CONFORMANCE_CLIENTS")
    return install_npm_packages(pathlib.Path(directory) if directory else tmp_path_factory.mktemp("npm"))


def _missing_node() -> str | None:
    """Why npm packages cannot be used here, or None."""
    if not shutil.which("node") or not shutil.which("npm"):
        return "not tried: there is no Node.js with npm on this machine"
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.removeprefix("v").partition(".")[0]) < OLDEST_NODE:
        return f"not tried: Node.js {version} is older than {OLDEST_NODE}"
    return None


class Guest(t.Protocol):
    """What is remembered of a client."""

    name: t.ClassVar[str]
    version: str

    def close(self) -> None: ...


G = t.TypeVar("G", bound=Guest)


class Reception:
    """Remembers clients: their versions for the end of the run, and that they have to be closed."""

    def __init__(self, versions: dict[str, str], stack: contextlib.ExitStack) -> None:
        self._versions = versions
        self._stack = stack

    def receive(self, client: G) -> G:
        """Remember a client that is connected."""
        self._versions[client.name] = client.version
        self._stack.callback(client.close)
        return client


@pytest.fixture(scope="session")
def reception(pytestconfig: pytest.Config) -> t.Iterator[Reception]:
    """Where all clients go by."""
    with contextlib.ExitStack() as stack:
        yield Reception(pytestconfig.stash[VERSIONS], stack)


@pytest.fixture(scope="session")
def connect_qrs_interact(site: RunningSite, node_modules: pathlib.Path, reception: Reception) -> Connect:
    """Makes clients of this kind."""

    def connect(user: tuple[str, str] | None = None) -> QrsInteract:
        header = f"UserDirectory={user[0]};UserId={user[1]}" if user else None
        return reception.receive(QrsInteract(site, node_modules, user=header))

    return connect


@pytest.fixture(scope="session")
def connect_qlik_rest_api(site: RunningSite, node_modules: pathlib.Path, reception: Reception) -> Connect:
    """Makes clients of this kind."""

    def connect(user: tuple[str, str] | None = None, *, door: Door | None = None) -> QlikRestApi:
        return reception.receive(QlikRestApi(site, node_modules, user=user, door=door))

    return connect


@pytest.fixture(scope="session")
def connect_qlik_repo_api(
    site: RunningSite, node_modules: pathlib.Path, reception: Reception
) -> t.Callable[..., QlikRepoApi]:
    """Makes clients of this kind."""

    def connect(user: tuple[str, str] | None = None, *, door: Door | None = None) -> QlikRepoApi:
        return reception.receive(QlikRepoApi(site, node_modules, user=user, door=door))

    return connect


@pytest.fixture(scope="session")
def connect_qsapi(site: RunningSite, pytestconfig: pytest.Config, reception: Reception) -> Connect:
    """Makes clients of this kind."""
    try:
        version = importlib.metadata.version("qsAPI")
    except importlib.metadata.PackageNotFoundError:
        pytestconfig.stash[VERSIONS]["qsAPI"] = "not tried: it is not installed"
        pytest.skip("qsAPI is not installed")

    def connect(user: tuple[str, str] | None = None) -> QsApi:
        return reception.receive(QsApi(site, version=version, user=user))

    return connect


@pytest.fixture(scope="session")
def connect_curl(
    site: RunningSite, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config, reception: Reception
) -> t.Callable[..., Curl]:
    """Makes clients of this kind."""
    if not shutil.which("curl"):
        reason = "not tried: there is no curl on this machine"
        pytestconfig.stash[VERSIONS][Curl.name] = reason
        pytest.skip(reason)

    def connect(user: tuple[str, str] | None = None, *, door: Door | None = None) -> Curl:
        return reception.receive(Curl(site, tmp_path_factory.mktemp("curl") / "files", user=user, door=door))

    return connect


@pytest.fixture(scope="session", params=["qrs_interact", "qlik_rest_api", "qsapi", "curl"])
def connect(request: pytest.FixtureRequest) -> Connect:
    """Makes clients of each kind in turn."""
    return t.cast("Connect", request.getfixturevalue(f"connect_{request.param}"))


@pytest.fixture(scope="session")
def client(connect: Connect) -> Client:
    """A client of each kind in turn, as administrator."""
    return connect()


@pytest.fixture
def prefix(client: Client) -> t.Iterator[str]:
    """A prefix of this client's own; nothing of it is left afterwards."""
    prefix = re.sub(r"\W", "", client.name).lower()
    yield prefix
    for entity in good(client.get("virtualproxyconfig", filter=f"prefix sw '{prefix}'")):
        good(client.delete(f"virtualproxyconfig/{entity['id']}"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> t.Iterator[None]:
    outcome: t.Any = yield
    report = outcome.get_result()
    client = getattr(item, "funcargs", {}).get("client")
    if report.when == "call" and client is not None:
        item.config.stash[OUTCOMES][client.name][report.outcome] += 1


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for name, version in config.stash[VERSIONS].items():
        counts = config.stash[OUTCOMES][name]
        checks = ", ".join(f"{count} checks {outcome}" for outcome, count in sorted(counts.items(), reverse=True))
        terminalreporter.write_line(f"{name} {version}" + (f": {checks}" if checks else ""))
