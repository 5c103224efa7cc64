# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""Read a site from its repository service (QRS)."""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from .._errors import AnswerError
from .._http.qrs import QrsClient
from .._virtual_proxy import convert
from .._virtual_proxy.model import Entity, Snapshot, VirtualProxy
from .._virtual_proxy.resolve import missing_lookups, whole_lists

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from .._virtual_proxy.plan import Write

# Up to this number of terms, a filter is cheaper than reading all virtual proxies, and its URL is short.
FILTER_TERMS = 60
# On some sites a list without a filter is reported to be truncated to this length (MaxRecordLimit; qlik-sense-mcp).
RECORD_LIMIT = 100

_Query: t.TypeAlias = "Mapping[str, str] | None"
# By attribute of the snapshot: path and conversion.
_LOOKUPS: dict[str, tuple[str, Callable[[t.Any], t.Any]]] = {
    "nodes": ("servernodeconfiguration", convert.named),
    "tags": ("tag", convert.named),
    "custom_properties": ("custompropertydefinition/full", convert.custom_properties),
    "build": ("about", lambda about: convert.text(about, "buildVersion")),
}
# Options whose names may be missing in a truncated list.
_NAMED_BY_OPTION = ("tags", "custom_properties")


@contextlib.contextmanager
def repository(options: Mapping[str, t.Any]) -> Iterator[Repository]:
    """Yield the repository of the connection options of a task, and close the connection afterwards.

    Raises:
        InputError: an option is not valid.
    """
    client = QrsClient(options)
    try:
        yield Repository(client)
    finally:
        client.close()


class Repository:
    """Reader of the repository.

    Args:
        client: sends the requests.
    """

    def __init__(self, client: QrsClient) -> None:
        self.client = client

    def get(self, path: str, query: _Query = None) -> t.Any:
        """Return the answer to one GET."""
        return self.client.request("GET", path, query=query).body

    def read(self, declared: Sequence[VirtualProxy], *, everything: bool = False) -> Snapshot:
        """Return the parts of the site for the declared virtual proxies: two requests, more only for unknown names.

        Args:
            declared: the declared virtual proxies.
            everything: True to read all virtual proxies, also those that are not declared.

        Raises:
            QlikError: it could not be read, or the user has no rights to read it.
        """
        query = None if everything else _filter(declared)
        entities = self._virtual_proxies(query)
        proxies = self.entities("proxyservice/full")
        self.require_some(proxies, "proxyservice/full", "proxy", "VirtualProxyConfig and ProxyService")
        snapshot = convert.snapshot(entities, proxies)
        if query is None and _possibly_truncated(snapshot, entities, declared, everything=everything):
            entities += self._missing(entities, declared, everything=everything)
            snapshot = convert.snapshot(entities, proxies)
        declared = [whole_lists(snapshot, one) for one in declared]
        while needed := missing_lookups(snapshot, declared):
            snapshot = dataclasses.replace(snapshot, **{name: self._look_up(name, declared) for name in needed})
        return snapshot

    def _look_up(self, name: str, declared: Sequence[VirtualProxy]) -> t.Any:
        """Return the value of an attribute of the snapshot."""
        if name == "documented_fields":
            try:
                # Qlik help, "Access the OpenAPI specification".
                return convert.documented_fields(self.get("about/openapi/main"))
            except AnswerError:
                return frozenset()
        path, conversion = _LOOKUPS[name]
        found = conversion(self.get(path))
        if name in _NAMED_BY_OPTION:
            # A long list may be truncated (qlik-sense-mcp: to 100 entities). Missing entities are requested by name.
            names = {text for one in declared for text in one.fields.get(name) or ()}
            missing = sorted(text for text in names if not any(one.is_called(text) for one in found))
            for start in range(0, len(missing), FILTER_TERMS):
                terms = [("name", text) for text in missing[start : start + FILTER_TERMS]]
                found += conversion(self.get(path, _any_of(terms)))
        return found

    def read_back(self, write: Write) -> list[t.Any]:
        """Return the entity of a write, as a list."""
        if write.action == "create":
            query = _any_of([("prefix", write.subject)])
            return self.entities("virtualproxyconfig/full", query)
        return [self.get(write.path)]

    def _virtual_proxies(self, query: _Query = None) -> list[Entity]:
        return self.entities("virtualproxyconfig/full", query)

    def _missing(self, entities: list[Entity], declared: Sequence[VirtualProxy], *, everything: bool) -> list[Entity]:
        """Return declared virtual proxies that are missing in a truncated list, read by name.

        Raises:
            AnswerError: all virtual proxies were requested, and the site returned only a part of them.
        """
        if everything:
            count = self.get("virtualproxyconfig/count")
            number = count.get("value") if isinstance(count, dict) else count  # both are reported
            if number != len(entities):
                raise self._error(
                    "virtualproxyconfig/full",
                    f"The site has {number} virtual proxies, but returned only {len(entities)}.",
                    "Select virtual proxies (prefixes of virtual_proxy_info), and purge manually.",
                )
        parts = [declared[start : start + FILTER_TERMS // 2] for start in range(0, len(declared), FILTER_TERMS // 2)]
        return [entity for part in parts for entity in self._virtual_proxies(_filter(part))]

    def entities(self, path: str, query: _Query = None) -> list[Entity]:
        """Return the entities in the answer to one GET.

        Raises:
            AnswerError: it is not a list of objects.
        """
        answer = self.get(path, query)
        entities = convert.objects(answer)
        if not isinstance(answer, list) or (answer and not entities):
            raise self.not_expected(path, "a list of objects")
        return entities

    def not_expected(self, path: str, expected: str) -> AnswerError:
        """Return the error for an answer in another format."""
        return self._error(
            path,
            f"The answer was JSON, but not {expected}.",
            "Check host, port and prefix: this does not look like a Qlik Sense repository.",
        )

    def _error(self, path: str, message: str, hint: str) -> AnswerError:
        return AnswerError(message, hint, context=f"GET {self.client.base}/qrs/{path}", status=200)

    def require_some(self, entities: list[Entity], path: str, what: str, types: str) -> None:
        """Raise if a list is empty, because a user without rights gets empty lists although entities exist.

        Raises:
            AnswerError: the list is empty.
        """
        if not entities:
            raise self._error(
                path,
                f"The signed-in user cannot read any {what}, although each site has one.",
                f"Give the user the RootAdmin role, or rights to read {types}.",
            )


def _possibly_truncated(
    snapshot: Snapshot, entities: list[Entity], declared: Sequence[VirtualProxy], *, everything: bool
) -> bool:
    """Return True if a list of virtual proxies may be truncated.

    It is complete if it contains all linked and all declared virtual proxies.
    """
    linked = {identity for proxy in snapshot.proxies for identity in proxy.links or ()}
    if not linked <= {one.id for one in snapshot.virtual_proxies}:
        return True
    absent = not all(one.prefix in snapshot.by_prefix for one in declared)
    return bool(entities) and len(entities) % RECORD_LIMIT == 0 and (everything or absent)


def _filter(declared: Sequence[VirtualProxy]) -> dict[str, str] | None:
    """Return a query for the declared prefixes and cookie names, None if it would be too long."""
    terms = []
    for one in declared:
        terms.append(("prefix", one.prefix))
        if one.state == "present":
            terms.append(("sessionCookieHeaderName", one.cookie_name))
    return None if len(terms) > FILTER_TERMS else _any_of(terms)


def _any_of(terms: list[tuple[str, str]]) -> dict[str, str]:
    """Return a query for the entities that have one of these values in one of these fields.

    QRS escapes quotes and backslashes in a literal with a backslash (measured by butler-sheet-icons).
    """
    escaped = [f"{name} eq '" + value.replace("\\", "\\\\").replace("'", "\\'") + "'" for name, value in terms]
    return {"filter": " or ".join(escaped)}
