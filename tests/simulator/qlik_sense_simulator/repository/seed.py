# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The entities of a new site."""

from __future__ import annotations

import typing as t
import uuid

from ..site import Site, User
from . import rules
from .bodies import Merger
from .catalog import TYPES, VIRTUAL_PROXY
from .enums import NODE_ROLE
from .refusals import RefusedError
from .store import SERVICE_ACCOUNT, Change, Store
from .views import Row

# INVENTED(switch=none): the service accounts that every site has are users with the role RootAdmin
_SERVICE_ACCOUNTS = ("sa_repository", "sa_api", "sa_proxy", "sa_engine", "sa_scheduler")


class SeedError(ValueError):
    """A site file with an entity that cannot exist, or with other nodes than the database."""


def seed(site: Site, store: Store) -> None:
    """Fill a new database with the content of the site file. A database that is not new stays as it is.

    Raises:
        SeedError: a virtual proxy of the site file is not valid, or the database has other nodes.
    """
    if store.node_names:
        theirs, ours = sorted(store.node_names), sorted(node.name for node in site.nodes)
        if theirs != ours:
            raise SeedError(
                f"The directory has the nodes {', '.join(theirs)}, not {', '.join(ours)}. Use another directory."
            )
        return
    # Remove what an interrupted start left, for example after an error in the site file.
    store.clear()
    _Seeder(site, store).run()


class _Seeder:
    def __init__(self, site: Site, store: Store) -> None:
        self._site = site
        self._store = store
        self._merger = Merger(store, user=SERVICE_ACCOUNT)

    def run(self) -> None:
        self._add_users()
        for name in self._site.tags:
            self._add("Tag", {"name": name})
        for definition in self._site.custom_properties:
            self._add(
                "CustomPropertyDefinition",
                {
                    "name": definition.name,
                    "valueType": "Text",
                    "choiceValues": list(definition.choice_values),
                    "objectTypes": list(definition.object_types),
                    "description": definition.description,
                },
            )
        nodes = self._add_nodes()
        self._add_virtual_proxies(nodes)
        # Added last: a database with nodes is complete and is not filled again.
        self._store.save([], names={f"node:{name}": node_id for name, node_id in nodes.items()})

    def _add(self, kind: str, body: Row, **more: t.Any) -> Row:
        """Add an entity from a body, with values that a body cannot set."""
        try:
            row = self._merger.merge(TYPES[kind], body)
            row = rules.check(kind, {**row, **more}, old=None, store=self._store)
        except RefusedError as error:
            raise SeedError(f"The site file has a {kind} that the repository refuses: {error}") from error
        self._store.save([Change(kind, row["id"], row)])
        return row

    def _add_users(self) -> None:
        accounts = [
            User(user_directory="INTERNAL", user_id=name, name=name, roles=("RootAdmin",)) for name in _SERVICE_ACCOUNTS
        ]
        # A service account in the site file replaces the default one.
        users = {(user.user_directory.lower(), user.user_id.lower()): user for user in accounts}
        described = {(user.user_directory.lower(), user.user_id.lower()): user for user in self._site.users}
        for key, user in {**users, **described}.items():
            body = {
                "userDirectory": user.user_directory,
                "userId": user.user_id,
                "name": user.name or user.user_id,
                "roles": list(user.roles),
                "inactive": user.inactive,
            }
            self._add("User", body, deleteProhibited=key in users)

    def _add_nodes(self) -> dict[str, str]:
        # EVIDENCE(B; captured VirtualProxyConfig): the cluster of a site is called ServiceCluster
        cluster = self._store.stamped({"name": "ServiceCluster"})
        self._store.save([Change("ServiceCluster", cluster["id"], cluster)])
        ids: dict[str, str] = {}
        for node in self._site.nodes:
            roles = [{"id": str(uuid.uuid4()), "definition": NODE_ROLE.values.index(role)} for role in node.roles]
            row = self._add(
                "ServerNodeConfiguration",
                {
                    "name": node.name,
                    "hostName": node.host_name,
                    "nodePurpose": node.node_purpose,
                    "engineEnabled": node.engine_enabled,
                    "proxyEnabled": node.proxy_enabled,
                    "printingEnabled": node.printing_enabled,
                    "schedulerEnabled": node.scheduler_enabled,
                    "failoverCandidate": node.failover_candidate,
                },
                isCentral=node.is_central,
                roles=roles,
                serviceCluster=cluster["id"],
            )
            self._add("ProxyService", {}, serverNodeConfiguration=row["id"])
            ids[node.name] = row["id"]
        return ids

    def _add_virtual_proxies(self, nodes: t.Mapping[str, str]) -> None:
        # EVIDENCE(B; captured ProxyService): the default virtual proxy is linked to each proxy
        default: Row = {
            "prefix": "",
            "description": "Central Proxy (Default)",
            "sessionCookieHeaderName": "X-Qlik-Session",
            "loadBalancingServerNodes": [self._site.central.name],
            "proxies": list(nodes),
        }
        bodies = list(self._site.virtual_proxies)
        own = next((body for body in bodies if not body.get("prefix")), {})
        others = [body for body in bodies if body is not own]
        links: dict[str, list[str]] = {node_id: [] for node_id in nodes.values()}
        for position, body in enumerate([{**default, **own}, *others]):
            content = dict(body)
            linked = [self._named(nodes, name, "proxies") for name in _names(content.pop("proxies", []), "proxies")]
            row = self._add("VirtualProxyConfig", self._with_ids(content, nodes), defaultVirtualProxy=position == 0)
            for node_id in linked:
                links[node_id].append(row["id"])
        changes = []
        for proxy in self._store.rows("ProxyService"):
            settings = {**proxy["settings"], "virtualProxies": links[proxy["serverNodeConfiguration"]]}
            changes.append(Change("ProxyService", proxy["id"], {**proxy, "settings": settings}))
        self._store.save(changes)

    def _with_ids(self, body: Row, nodes: t.Mapping[str, str]) -> Row:
        """Return a virtual proxy of the site file as a body, with identifiers in place of names."""
        unknown = [name for name in body if VIRTUAL_PROXY.find(name, self._site.release) is None]
        if unknown:
            known = ", ".join(field.name for field in VIRTUAL_PROXY.fields_of(self._site.release) if field.writable)
            raise SeedError(f"A virtual proxy has unknown fields: {', '.join(unknown)}. Known are: {known}, proxies.")
        tags = {row["name"]: row["id"] for row in self._store.rows("Tag")}
        properties = {row["name"]: row["id"] for row in self._store.rows("CustomPropertyDefinition")}
        content = dict(body)
        for name, ids in (("loadBalancingServerNodes", nodes), ("tags", tags)):
            if name in content:
                content[name] = [{"id": self._named(ids, one, name)} for one in _names(content[name], name)]
        if "customProperties" in content:
            if not isinstance(content["customProperties"], dict):
                raise SeedError(
                    "customProperties of a virtual proxy must be a mapping of names to values or lists of values."
                )
            content["customProperties"] = [
                {"value": value, "definition": {"id": self._named(properties, name, "customProperties")}}
                for name, values in content["customProperties"].items()
                for value in (values if isinstance(values, list) else [values])
            ]
        return content

    def _named(self, ids: t.Mapping[str, str], name: str, where: str) -> str:
        if name not in ids:
            raise SeedError(f"A virtual proxy has an unknown name in {where}: {name}. Known are: {', '.join(ids)}.")
        return ids[name]


def _names(value: t.Any, where: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise SeedError(f"{where} of a virtual proxy must be a list of names.")
    return value
