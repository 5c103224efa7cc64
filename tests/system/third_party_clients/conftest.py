# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Provide the simulated sites and the clients, and print a summary line for each client.

CLIENTS_DIRECTORY names a directory where the npm packages stay installed between runs, CLIENTS_SCREENSHOTS one for
screenshots of the browser. The summary is also written to summary.txt beside the JUnit file.
"""

from __future__ import annotations

import collections
import contextlib
import importlib.metadata
import json
import os
import pathlib
import re
import shutil
import subprocess
import typing as t

import pytest
from chromium import Chromium, find_chromium
from clients import (
    Client,
    Pouc,
    ProxyLogin,
    QlikApi,
    QlikRepoApi,
    QlikRestApi,
    QrsInteract,
    QsApi,
    install_npm_packages,
)
from curl import Curl
from enigma import Enigma
from virtual_proxies import PASSWORD, good, jwt_body

from qlik_sense_simulator.pki import Pki, ensure_pki
from qlik_sense_simulator.testing import RunningSite

OLDEST_NODE = 20
USERS = [
    {
        "user_directory": "EXAMPLE",
        "user_id": "admin",
        "name": "Ada Admin",
        "roles": ["RootAdmin"],
        "password": PASSWORD,
    },
    {"user_directory": "EXAMPLE", "user_id": "auditor", "name": "Otto Auditor", "roles": ["AuditAdmin"]},
    {"user_directory": "EXAMPLE", "user_id": "anna", "name": "Anna Example"},
]
# The host name of the site, and the host of a page that may embed it.
HOST, PORTAL = "qlik.example.com", "portal.example.com"
# What Qlik's support article ta-p/2509211 has for pages that read the csrf token.
PORTAL_HEADERS = f"""Access-Control-Allow-Origin: https://{PORTAL}
Access-Control-Allow-Credentials: true
Access-Control-Expose-Headers: qlik-csrf-token"""
# Name and version of each client, and how many tests had which outcome; a client that is missing has its reason.
VERSIONS = pytest.StashKey[dict[str, str]]()
OUTCOMES = pytest.StashKey[collections.defaultdict[str, collections.Counter[str]]]()
SCREENSHOTS = pytest.StashKey[pathlib.Path]()

Connect = t.Callable[..., Client]
Start = t.Callable[..., RunningSite]


def pytest_configure(config: pytest.Config) -> None:
    config.stash[VERSIONS] = {}
    counts: collections.defaultdict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    config.stash[OUTCOMES] = counts


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[RunningSite]:
    """Yield a running site with two nodes, for all tests of the repository."""
    with RunningSite(tmp_path_factory.mktemp("conformance") / "site", {"users": USERS}) as running:
        yield running


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """Create keys and certificates for all sites that are started later."""
    directory = tmp_path_factory.mktemp("authority")
    return ensure_pki(directory / "pki", authority_key=directory / "root_key.pem", host_names=[HOST])


@pytest.fixture(scope="session")
def start(authority: Pki, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Start]:
    """Yield a function that starts sites with a JWT virtual proxy, one for each combination of release and switches."""
    virtual_proxy = jwt_body(
        "jwt",
        jwtPublicKeyCertificate=authority.client.read_text(),
        loadBalancingServerNodes=["Central"],
        websocketCrossOriginWhiteList=[HOST, PORTAL],
        additionalResponseHeaders=PORTAL_HEADERS,
        proxies=["Central", "Rim1"],
    )
    running: dict[str, RunningSite] = {}
    with contextlib.ExitStack() as stack:

        def started(release: str, **switches: t.Any) -> RunningSite:
            name = json.dumps([release, switches])
            if name not in running:
                directory = tmp_path_factory.mktemp("jwt") / "site"
                shutil.copytree(authority.directory.parent, directory)
                site = {"release": release, "users": USERS, "virtual_proxies": [virtual_proxy], "switches": switches}
                running[name] = stack.enter_context(RunningSite(directory, site))
            return running[name]

        yield started


def _skip(config: pytest.Config, names: t.Iterable[str], reason: str) -> t.NoReturn:
    """Skip clients, and store the reason for the summary."""
    for name in names:
        config.stash[VERSIONS][name] = f"not tried: {reason}"
    pytest.skip(reason)


@pytest.fixture(scope="session")
def node_modules(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Return the directory of the installed npm packages."""
    reason = _missing_node()
    if reason:
        _skip(
            pytestconfig, [one.name for one in (QrsInteract, QlikRestApi, QlikRepoApi, Enigma, QlikApi, Pouc)], reason
        )
    directory = os.environ.get("CLIENTS_DIRECTORY")
    return install_npm_packages(pathlib.Path(directory) if directory else tmp_path_factory.mktemp("npm"))


def _missing_node() -> str | None:
    """Return the reason why npm packages cannot be used here, or None."""
    if not shutil.which("node") or not shutil.which("npm"):
        return "there is no Node.js with npm on this machine"
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.removeprefix("v").partition(".")[0]) < OLDEST_NODE:
        return f"Node.js {version} is older than {OLDEST_NODE}"
    return None


class Closable(t.Protocol):
    """A client with a name and a version that can be closed."""

    name: t.ClassVar[str]
    version: str

    def close(self) -> None:
        """End the client's process or session."""


C = t.TypeVar("C", bound=Closable)


class ClientRegistry:
    """Store clients: their versions for the summary, and their functions to close them."""

    def __init__(self, versions: dict[str, str], stack: contextlib.ExitStack) -> None:
        self._versions = versions
        self._stack = stack

    def register(self, client: C) -> C:
        """Add a connected client."""
        self._versions[client.name] = client.version
        self._stack.callback(client.close)
        return client


@pytest.fixture(scope="session")
def registry(pytestconfig: pytest.Config) -> t.Iterator[ClientRegistry]:
    """Yield the registry that all clients are added to."""
    with contextlib.ExitStack() as stack:
        yield ClientRegistry(pytestconfig.stash[VERSIONS], stack)


@pytest.fixture(scope="session")
def connect_qrs_interact(site: RunningSite, node_modules: pathlib.Path, registry: ClientRegistry) -> Connect:
    """Return a function that creates clients of this kind."""

    def connect(user: tuple[str, str] | None = None, *, login: ProxyLogin | None = None) -> QrsInteract:
        header = f"UserDirectory={user[0]};UserId={user[1]}" if user else None
        return registry.register(QrsInteract(site, node_modules, user=header, login=login))

    return connect


@pytest.fixture(scope="session")
def connect_qlik_rest_api(site: RunningSite, node_modules: pathlib.Path, registry: ClientRegistry) -> Connect:
    """Return a function that creates clients of this kind."""

    def connect(user: tuple[str, str] | None = None, *, login: ProxyLogin | None = None) -> QlikRestApi:
        return registry.register(QlikRestApi(site, node_modules, user=user, login=login))

    return connect


@pytest.fixture(scope="session")
def connect_qlik_repo_api(
    site: RunningSite, node_modules: pathlib.Path, registry: ClientRegistry
) -> t.Callable[..., QlikRepoApi]:
    """Return a function that creates clients of this kind."""

    def connect(user: tuple[str, str] | None = None, *, login: ProxyLogin | None = None) -> QlikRepoApi:
        return registry.register(QlikRepoApi(site, node_modules, user=user, login=login))

    return connect


@pytest.fixture(scope="session")
def connect_qsapi(site: RunningSite, pytestconfig: pytest.Config, registry: ClientRegistry) -> Connect:
    """Return a function that creates clients of this kind."""
    try:
        version = importlib.metadata.version("qsAPI")
    except importlib.metadata.PackageNotFoundError:
        _skip(pytestconfig, [QsApi.name], "it is not installed")

    def connect(user: tuple[str, str] | None = None, **more: t.Any) -> QsApi:
        return registry.register(QsApi(site, version=version, user=user, **more))

    return connect


@pytest.fixture(scope="session")
def connect_curl(
    site: RunningSite, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config, registry: ClientRegistry
) -> t.Callable[..., Curl]:
    """Return a function that creates clients of this kind."""
    if not shutil.which("curl"):
        _skip(pytestconfig, [Curl.name], "there is no curl on this machine")

    def connect(user: tuple[str, str] | None = None, *, login: ProxyLogin | None = None) -> Curl:
        return registry.register(Curl(site, tmp_path_factory.mktemp("curl") / "files", user=user, login=login))

    return connect


@pytest.fixture(scope="session")
def connect_enigma(node_modules: pathlib.Path, registry: ClientRegistry) -> t.Callable[[RunningSite], Enigma]:
    """Return a function that creates clients of this kind."""

    def connect(site: RunningSite) -> Enigma:
        return registry.register(Enigma(site, node_modules, prefix="jwt"))

    return connect


@pytest.fixture(scope="session")
def connect_qlik_api(node_modules: pathlib.Path, registry: ClientRegistry) -> t.Callable[..., QlikApi]:
    """Return a function that creates clients of this kind."""

    def connect(site: RunningSite, **configuration: str) -> QlikApi:
        return registry.register(QlikApi(site, node_modules, **configuration))

    return connect


@pytest.fixture(scope="session")
def connect_pouc(site: RunningSite, node_modules: pathlib.Path, registry: ClientRegistry) -> t.Callable[[], Pouc]:
    """Return a function that creates clients of this kind."""
    return lambda: registry.register(Pouc(site, node_modules))


@pytest.fixture(scope="session")
def chromium(
    authority: Pki, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config, registry: ClientRegistry
) -> Chromium:
    """Return the browser."""
    program = find_chromium()
    if program is None:
        _skip(pytestconfig, [Chromium.name], "there is no Chromium on this machine")
    if not shutil.which("certutil"):
        _skip(
            pytestconfig, [Chromium.name], "there is no certutil on this machine to install the certificate of the CA"
        )
    return registry.register(Chromium(program, authority.proxy_root, tmp_path_factory.mktemp("chromium")))


@pytest.fixture(scope="session")
def screenshots(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Return the directory for screenshots."""
    name = os.environ.get("CLIENTS_SCREENSHOTS")
    directory = pathlib.Path(name) if name else tmp_path_factory.mktemp("screenshots")
    directory.mkdir(parents=True, exist_ok=True)
    pytestconfig.stash[SCREENSHOTS] = directory
    return directory


@pytest.fixture(scope="session", params=["qrs_interact", "qlik_rest_api", "qsapi", "curl"])
def connect(request: pytest.FixtureRequest) -> Connect:
    """Return a function that creates clients, of each kind in turn."""
    return t.cast("Connect", request.getfixturevalue(f"connect_{request.param}"))


@pytest.fixture(scope="session")
def client(connect: Connect) -> Client:
    """Return a client of each kind in turn, as administrator."""
    return connect()


@pytest.fixture
def prefix(client: Client) -> t.Iterator[str]:
    """Yield a prefix of this client, and remove its virtual proxies afterwards."""
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
    lines = []
    for name, version in config.stash[VERSIONS].items():
        counts = config.stash[OUTCOMES][name]
        checks = ", ".join(f"{count} checks {outcome}" for outcome, count in sorted(counts.items(), reverse=True))
        lines.append(f"{name} {version}" + (f": {checks}" if checks else ""))
    if SCREENSHOTS in config.stash:
        lines.append(f"Screenshots: {config.stash[SCREENSHOTS]}")
    for line in lines:
        terminalreporter.write_line(line)
    if config.option.xmlpath:
        pathlib.Path(config.option.xmlpath).with_name("summary.txt").write_text("".join(f"{line}\n" for line in lines))
