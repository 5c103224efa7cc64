# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A site as its YAML file describes it: nodes, users, virtual proxies, switches and faults, checked and typed."""

from __future__ import annotations

import dataclasses
import pathlib
import typing as t

import yaml

from .behaviors import SwitchError, Switches
from .faults import Fault, FaultError
from .pki import PROXY_AUTHORITIES
from .releases import DEFAULT_RELEASE, RELEASES, Release

# EVIDENCE(B; captured VirtualProxyConfig): the central node carries all six roles
# EVIDENCE(A; QRS API reference, ServerNodeRoleCondensed): the roles are 0 to 5, from SchedulerMaster to CleanDatabase
NODE_ROLES = (
    "SchedulerMaster",
    "LicenceMaintenance",
    "UserSync",
    "NodeRegistration",
    "AppManagement",
    "CleanDatabase",
)

# The same in C, where PyYAML has it: a site of 500 virtual proxies then takes no second to read.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class SiteError(ValueError):
    """The site file does not describe a site. The message says where and what is known."""


@dataclasses.dataclass(kw_only=True)
class Node:
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
    """

    name: str
    host_name: str
    is_central: bool = False
    roles: tuple[str, ...] = ()
    node_purpose: int = 0
    engine_enabled: bool = True
    proxy_enabled: bool = True
    printing_enabled: bool = True
    scheduler_enabled: bool = True
    failover_candidate: bool = False
    proxy_port: int = 0
    qps_port: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class User:
    """A user of the repository.

    Args:
        user_directory: also the Windows domain.
        user_id: also the Windows user name.
        name: the display name, by default the id.
        roles: as in the QMC.
        inactive: whether the account is.
        password: for Windows authentication; without one there is no Windows account.
    """

    user_directory: str
    user_id: str
    name: str = ""
    roles: tuple[str, ...] = ()
    inactive: bool = False
    password: str = dataclasses.field(default="", repr=False)

    def __post_init__(self) -> None:
        # It is handed on in a line with colons.
        if any(character in ":\r\n" for character in self.password):
            raise SiteError(f"users: the password of {self.user_id} cannot hold a colon or a line break.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class CustomProperty:
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


@dataclasses.dataclass(kw_only=True)
class Site:
    """Everything that a simulated site starts with.

    Args:
        release: which Qlik Sense this is.
        nodes: at least the central one.
        users: besides the service accounts, which every site has.
        tags: names.
        custom_properties: definitions.
        virtual_proxies: bodies as for POST, with names instead of ids and a list "proxies" of node names.
        switches: what is unknown about Qlik Sense, decided.
        faults: what goes wrong, and when.
        proxy_authority: who issued the certificate of the proxies, one of `PROXY_AUTHORITIES`.
        qrs_port: TCP port of the repository, 0 until it listens.
    """

    release: Release = RELEASES[DEFAULT_RELEASE]
    nodes: list[Node] = dataclasses.field(default_factory=_default_nodes)
    users: list[User] = dataclasses.field(default_factory=_default_users)
    tags: list[str] = dataclasses.field(default_factory=lambda: ["ansible", "embedding", "production"])
    custom_properties: list[CustomProperty] = dataclasses.field(default_factory=_default_custom_properties)
    virtual_proxies: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)
    switches: Switches = dataclasses.field(default_factory=Switches)
    faults: list[Fault] = dataclasses.field(default_factory=list)
    proxy_authority: str = "site"
    qrs_port: int = 0

    @property
    def central(self) -> Node:
        """The central node."""
        return next(node for node in self.nodes if node.is_central)


def load_site(path: pathlib.Path) -> Site:
    """Read a site file.

    Raises:
        SiteError: it cannot be read, is no YAML, or says something that is not known.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _LOADER)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SiteError(f"The site file {path} cannot be read: {' '.join(str(error).split())}") from error
    try:
        return parse_site({} if content is None else content)
    except SiteError as error:
        raise SiteError(f"The site file {path} is wrong: {error}") from error


def parse_site(content: t.Any) -> Site:
    """Check and take over the content of a site file.

    Raises:
        SiteError: for unknown keys, values of the wrong type and nodes that make no site.
    """
    known = [field.name for field in dataclasses.fields(Site)]
    values = _mapping(content, where="it", known=known)
    site = Site()
    if "release" in values:
        name = _checked(values["release"], kind=str, where="release")
        if name not in RELEASES:
            raise SiteError(f"release cannot be {name!r}. Known releases are: {', '.join(RELEASES)}.")
        site.release = RELEASES[name]
    if "nodes" in values:
        site.nodes = _nodes(values["nodes"])
    for name, kind in (("users", User), ("custom_properties", CustomProperty)):
        if name in values:
            setattr(site, name, [_record(kind, item, where=name) for item in _list(values[name], where=name)])
    if "tags" in values:
        site.tags = [_checked(item, kind=str, where="tags") for item in _list(values["tags"], where="tags")]
    if "virtual_proxies" in values:
        proxies = _list(values["virtual_proxies"], where="virtual_proxies")
        # Their keys are checked by the repository, which knows the fields of the release.
        site.virtual_proxies = [_mapping(item, where="virtual_proxies", known=None) for item in proxies]
    try:
        site.switches = Switches.from_mapping(_mapping(values.get("switches", {}), where="switches", known=None))
        site.faults = [Fault.from_mapping(item) for item in _list(values.get("faults", []), where="faults")]
    except (SwitchError, FaultError) as error:
        raise SiteError(str(error)) from error
    site.proxy_authority = _checked(values.get("proxy_authority", "site"), kind=str, where="proxy_authority")
    if site.proxy_authority not in PROXY_AUTHORITIES:
        raise SiteError(
            f"proxy_authority cannot be {site.proxy_authority!r}. Known are: {', '.join(PROXY_AUTHORITIES)}."
        )
    site.qrs_port = _port(values.get("qrs_port", 0), where="qrs_port")
    return site


def _nodes(content: t.Any) -> list[Node]:
    nodes: list[Node] = [_record(Node, item, where="nodes") for item in _list(content, where="nodes")]
    if [node.is_central for node in nodes].count(True) != 1:
        raise SiteError("nodes must have exactly one with is_central: true.")
    for attribute in ("name", "host_name"):
        if len({getattr(node, attribute).lower() for node in nodes}) < len(nodes):
            raise SiteError(f"nodes must differ in their {attribute}.")
    for node in nodes:
        unknown = sorted(set(node.roles) - set(NODE_ROLES))
        if unknown:
            raise SiteError(f"nodes: unknown roles {', '.join(unknown)}. Known are: {', '.join(NODE_ROLES)}.")
        node.roles = node.roles or (NODE_ROLES if node.is_central else ())
        _port(node.proxy_port, where="nodes: proxy_port")
        _port(node.qps_port, where="nodes: qps_port")
    return nodes


def _record(kind: type[t.Any], content: t.Any, *, where: str) -> t.Any:
    """A dataclass from a mapping with the same names."""
    fields = {field.name: field for field in dataclasses.fields(kind)}
    hints = t.get_type_hints(kind)
    values = _mapping(content, where=where, known=list(fields))
    required = [name for name, field in fields.items() if field.default is dataclasses.MISSING]
    missing = [name for name in required if name not in values]
    if missing:
        raise SiteError(f"{where}: {', '.join(missing)} missing in {values!r}.")
    return kind(**{name: _checked(value, kind=hints[name], where=f"{where}: {name}") for name, value in values.items()})


def _checked(value: t.Any, *, kind: t.Any, where: str) -> t.Any:
    """The value, if it is of a kind: str, int, bool, or a tuple of str (a list in YAML)."""
    if kind == tuple[str, ...]:
        return tuple(_checked(item, kind=str, where=where) for item in _list(value, where=where))
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise SiteError(f"{where} takes a value of type {kind.__name__}, not {value!r}.")
    return value


def _port(value: t.Any, *, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 65535:
        raise SiteError(f"{where} takes a port number (0 to 65535), not {value!r}.")
    return value


def _list(value: t.Any, *, where: str) -> list[t.Any]:
    if not isinstance(value, list):
        raise SiteError(f"{where} takes a list, not {value!r}.")
    return value


def _mapping(value: t.Any, *, where: str, known: t.Sequence[str] | None) -> dict[str, t.Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise SiteError(f"{where} takes a mapping of names to values, not {value!r}.")
    unknown = [key for key in value if known is not None and key not in known]
    if unknown and known is not None:
        raise SiteError(f"{where} has unknown keys: {', '.join(unknown)}. Known are: {', '.join(known)}.")
    return value
