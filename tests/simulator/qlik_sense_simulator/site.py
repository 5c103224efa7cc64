# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The site file: nodes, users, virtual proxies, switches and faults, as typed models."""

from __future__ import annotations

import pathlib
import typing as t

import msgspec
import yaml

from .behaviors import Switches, read_words
from .faults import Fault
from .models import SiteError, convert
from .pki import ProxyAuthority
from .releases import DEFAULT_RELEASE, RELEASES, Release

# EVIDENCE(B; captured VirtualProxyConfig): the central node carries all six roles
# EVIDENCE(A; QRS API reference, ServerNodeRoleCondensed): the roles are 0 to 5, from SchedulerMaster to CleanDatabase
NodeRole = t.Literal[
    "SchedulerMaster",
    "LicenceMaintenance",
    "UserSync",
    "NodeRegistration",
    "AppManagement",
    "CleanDatabase",
]
NODE_ROLES: tuple[NodeRole, ...] = t.get_args(NodeRole)

# The C implementation, if PyYAML has it: it reads a site of 500 virtual proxies in less than a second.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_Port = t.Annotated[int, msgspec.Meta(ge=0, le=65535)]


class Node(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A server node with its proxy service.

    Args:
        name: its name in the QMC, unique.
        host_name: its host name, unique.
        is_central: exactly one node of a site is the central one.
        roles: names from `NODE_ROLES`.
        node_purpose: 0 for production, 1 for development, 2 for both.
        engine_enabled, proxy_enabled, printing_enabled, scheduler_enabled, failover_candidate: as in the repository.
        proxy_port: TCP port of the proxy, 0 until it listens.
        qps_port: TCP port of the proxy's own REST API, 0 until it listens.
        engine_port: TCP port of the engine, 0 until it listens; None if it does not listen.
    """

    name: str
    host_name: str
    is_central: bool = False
    roles: tuple[NodeRole, ...] = ()
    node_purpose: int = 0
    engine_enabled: bool = True
    proxy_enabled: bool = True
    printing_enabled: bool = True
    scheduler_enabled: bool = True
    failover_candidate: bool = False
    proxy_port: _Port = 0
    qps_port: _Port = 0
    engine_port: _Port | None = None

    def __post_init__(self) -> None:
        if self.is_central and not self.roles:
            self.roles = NODE_ROLES


class User(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A user of the repository.

    Args:
        user_directory: also the Windows domain.
        user_id: also the Windows user name.
        name: the display name, by default the user id.
        roles: as in the QMC.
        inactive: whether the account is inactive.
        password: for Windows authentication; without one there is no Windows account.
    """

    user_directory: str
    user_id: str
    name: str = ""
    roles: tuple[str, ...] = ()
    inactive: bool = False
    password: str = ""

    def __post_init__(self) -> None:
        # The password is passed to pyspnego in a line with colons.
        if any(character in ":\r\n" for character in self.password):
            raise ValueError("password should not have a colon or a line break")

    def __repr__(self) -> str:
        return f"User({self.user_directory}\\{self.user_id})"


class CustomProperty(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A custom property definition. Args are the fields of the entity in snake_case."""

    name: str
    choice_values: tuple[str, ...] = ()
    object_types: tuple[str, ...] = ("VirtualProxyConfig", "ProxyService", "ServerNodeConfiguration")
    description: str = ""


def _default_nodes() -> list[Node]:
    return [
        Node(name="Central", host_name="localhost", is_central=True, roles=NODE_ROLES),
        Node(name="Rim1", host_name="127.0.0.1"),
    ]


def _default_users() -> list[User]:
    return [
        User(user_directory="EXAMPLE", user_id="admin", name="Ada Admin", roles=("RootAdmin",)),
        User(user_directory="EXAMPLE", user_id="auditor", name="Otto Auditor", roles=("AuditAdmin",)),
        User(user_directory="EXAMPLE", user_id="anna", name="Anna Example"),
        User(user_directory="EXAMPLE", user_id="blocked", name="Bo Blocked", inactive=True),
    ]


def _default_custom_properties() -> list[CustomProperty]:
    return [
        CustomProperty(name="Environment", choice_values=("Development", "Test", "Production")),
        CustomProperty(name="Owner", choice_values=("Platform", "Analytics")),
    ]


class Site(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A simulated site as it starts.

    Args:
        release_name: the release of Qlik Sense, a key of `RELEASES`; "release" in the file.
        nodes: at least the central one.
        users: besides the service accounts, which every site has.
        tags: names.
        custom_properties: definitions.
        virtual_proxies: bodies as for POST, with names instead of ids and a list "proxies" of node names.
        switches: how the site behaves where public sources leave it open.
        faults: requests that fail, and how.
        clock_file: a file whose lines move the clock of reloads, sessions and tickets, see `MovableClock`.
        proxy_authority: the issuer of the certificate of the proxies, see `ProxyAuthority`.
        qrs_port: TCP port of the repository, 0 until it listens.
    """

    release_name: str = msgspec.field(default=DEFAULT_RELEASE, name="release")
    nodes: list[Node] = msgspec.field(default_factory=_default_nodes)
    users: list[User] = msgspec.field(default_factory=_default_users)
    tags: list[str] = msgspec.field(default_factory=lambda: ["ansible", "embedding", "production"])
    custom_properties: list[CustomProperty] = msgspec.field(default_factory=_default_custom_properties)
    virtual_proxies: list[dict[str, t.Any]] = msgspec.field(default_factory=list)
    switches: Switches = msgspec.field(default_factory=Switches)
    clock_file: str = ""
    faults: list[Fault] = msgspec.field(default_factory=list)
    proxy_authority: ProxyAuthority = "site"
    qrs_port: _Port = 0

    def __post_init__(self) -> None:
        if self.release_name not in RELEASES:
            raise ValueError(f"release should be one of {', '.join(RELEASES)}, not {self.release_name!r}")
        if [node.is_central for node in self.nodes].count(True) != 1:
            raise ValueError("nodes should have exactly one with is_central: true")
        for attribute in ("name", "host_name"):
            values = [getattr(node, attribute) for node in self.nodes]
            if len({value.lower() for value in values}) < len(values):
                raise ValueError(f"nodes should differ in their {attribute}, and these do not: {', '.join(values)}")

    @property
    def release(self) -> Release:
        """Return the release that the name stands for."""
        return RELEASES[self.release_name]

    @property
    def central(self) -> Node:
        """Return the central node."""
        return next(node for node in self.nodes if node.is_central)


def load_site(path: pathlib.Path) -> Site:
    """Read a site file.

    Raises:
        SiteError: it cannot be read, is not YAML, or does not describe a site.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _LOADER)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SiteError(f"The site file {path} cannot be read: {' '.join(str(error).split())}") from error
    try:
        return parse_site({} if content is None else content)
    except SiteError as error:
        raise SiteError(f"The site file {path} is wrong: {error}") from error


def parse_site(content: object) -> Site:
    """Return the site that the content of a site file describes.

    Raises:
        SiteError: for unknown names, values that are not allowed, and nodes that make no site.
    """
    if isinstance(content, dict) and isinstance(content.get("switches"), dict):
        content = {**content, "switches": read_words(content["switches"])}
    return convert(content, Site)
