# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The virtual proxies that a node's proxy serves, and the reload after a change."""

from __future__ import annotations

import dataclasses
import time
import typing as t

from .sessions import Clock, SessionTable

if t.TYPE_CHECKING:
    from ..repository.store import Store
    from ..site import Node, Site

# A VirtualProxyConfig entity as the repository returns it in full.
VirtualProxy = t.Mapping[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Loaded:
    """The configuration that a proxy uses until its next reload.

    Args:
        virtual_proxies: those it serves, by lower-case prefix.
        settings: the settings of its ProxyService entity.
    """

    virtual_proxies: t.Mapping[str, VirtualProxy]
    settings: t.Mapping[str, t.Any]

    @property
    def default(self) -> VirtualProxy | None:
        """Return the virtual proxy without a prefix."""
        return self.virtual_proxies.get("")

    def route(self, segments: t.Sequence[str]) -> tuple[VirtualProxy | None, list[str]]:
        """Return the virtual proxy of a path, and the rest of the path.

        The longest prefix matches. A path without a known prefix belongs to the default virtual proxy only if it is one
        of `DEFAULT_PATHS`.
        """
        lowered = [segment.lower() for segment in segments]
        # EVIDENCE(A; Qlik help of Sense 2.x, "Virtual proxies properties"): a prefix may hold slashes
        for length in range(len(lowered), 0, -1):
            # INVENTED(switch=none): prefixes are compared without regard to case
            found = self.virtual_proxies.get("/".join(lowered[:length]))
            if found is not None:
                return found, list(segments[length:])
        if not lowered or lowered[0] in DEFAULT_PATHS:
            return self.default, list(segments)
        return None, list(segments)


# EVIDENCE(A; Qlik help, ProxyServiceAPI-Proxy-Settings): the prefix is what stands before the first of the reserved
# words, which include qmc, client, hub, qps and app; their case does not matter
# INVENTED(switch=none): the other reserved words, of which no list is published
DEFAULT_PATHS = frozenset(
    (
        "api",
        "app",
        "appcontent",
        "apps",
        "assets",
        "client",
        "content",
        "dataprepservice",
        "dev-hub",
        "engine",
        "extensions",
        "favicon.ico",
        "hub",
        "internal_forms_authentication",
        "internal_windows_authentication",
        "login",
        "printing",
        "qlik-embed",
        "qmc",
        "qps",
        "qrs",
        "resources",
        "sense",
        "single",
        "tempcontent",
    )
)


class Configuration:
    """The configuration of one proxy, read from the store after each change.

    Args:
        site: nodes and switches.
        store: where virtual proxies and links are saved.
        node: whose proxy this is.
        sessions: removed at a reload, depending on the switches.
        clock: monotonic seconds.
    """

    def __init__(
        self, *, site: Site, store: Store, node: Node, sessions: SessionTable, clock: Clock = time.monotonic
    ) -> None:
        self._site = site
        self._store = store
        self._node = node
        self._sessions = sessions
        self._clock = clock
        self._newest = self._read()
        self._back_at = clock()
        store.on_save(self._saved)

    def current(self) -> Loaded | None:
        """Return the loaded configuration, or None during the reload after a change."""
        # EVIDENCE(B; qlik-sense-mcp docs/AUTH_JWT.md): a change works 10 to 30 seconds after the save
        # INVENTED(switch=reload_seconds): how long that takes; every save of a virtual proxy or proxy service reloads
        # every proxy
        if self._clock() < self._back_at:
            return None
        return self._newest

    def _saved(self, *_details: object) -> None:
        before, after = self._newest, self._read()
        self._newest = after
        self._back_at = self._clock() + self._site.switches.reload_seconds
        # INVENTED(switch=reload_drops_sessions): sessions end when the proxy reloads
        match self._site.switches.reload_drops_sessions:
            case "all":
                self._sessions.drop()
            case "virtual_proxy":
                old = {entity["id"]: entity for entity in before.virtual_proxies.values()}
                new = {entity["id"]: entity for entity in after.virtual_proxies.values()}
                self._sessions.drop([vp_id for vp_id in old if old[vp_id] != new.get(vp_id)])

    def _read(self) -> Loaded:
        linked = self._store.linked_virtual_proxies(self._node.name)
        central = self._site.central
        # EVIDENCE(B; qlik-sense-mcp docs/AUTH_JWT.md): a prefix that is not linked to the central node's proxy is the
        # 400 page everywhere
        # INVENTED(switch=central_link_required): it is so on every multi-node site; it was measured once, in November
        # 2025
        if self._site.switches.central_link_required and central.name != self._node.name:
            known = {entity["id"] for entity in self._store.linked_virtual_proxies(central.name)}
            linked = [entity for entity in linked if entity["id"] in known]
        return Loaded(
            virtual_proxies={(entity.get("prefix") or "").strip("/").lower(): entity for entity in linked},
            settings=next(
                proxy["settings"]
                for proxy in self._store.rows("ProxyService")
                if proxy["serverNodeConfiguration"] == self._store.node_id(self._node.name)
            ),
        )
