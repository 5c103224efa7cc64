# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""The repository service (QRS): read a site as a snapshot, carry out a plan, reconcile the two."""

from __future__ import annotations

import typing as t

from ._errors import AnswerError, ConflictError, QlikError
from ._plan import Change, Guards, Plan, Snapshot, Write, default_cookie_name, lookups, make_plan, options_in
from ._virtual_proxy import Entity, Options

if t.TYPE_CHECKING:
    from ._connection import Connection

# Up to that many terms a filter is cheaper than reading every virtual proxy, and its URL stays short.
FILTER_TERMS = 60

_EXTRA = {
    "nodes": ("servernodeconfiguration", "read the nodes"),
    "tags": ("tag", "read the tags"),
    "custom_property_definitions": ("custompropertydefinition/full", "read the custom properties"),
    "about": ("about", "read the release"),
}


class Outcome(t.NamedTuple):
    """What reconciling came to.

    Attributes:
        changed: whether the site changed because of us; in check mode whether it would.
        changes: one for each declared virtual proxy.
        virtual_proxies: the declared ones as they are now (in check mode: as they would be), in the option
            vocabulary; an absent one is an empty dict.
        writes: what was done, or in check mode what would be, in words.
    """

    changed: bool
    changes: list[Change]
    virtual_proxies: list[Options]
    writes: list[str]
    warnings: list[str]


class Repository:
    """The QRS verbs that we need, on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def _get(self, path: str, purpose: str, query: t.Mapping[str, str] | None = None) -> t.Any:
        return self._connection.request("GET", path, purpose=purpose, query=query).body

    def read(self, declared: list[Options]) -> Snapshot:
        """The site as far as the declared virtual proxies need it: two requests, more only for names yet unknown.

        Raises:
            QlikError: it could not be read, or the user has no rights to see it.
        """
        snapshot = Snapshot(
            virtual_proxies=self._entities("virtualproxyconfig/full", "read the virtual proxies", _filter(declared)),
            proxies=self._entities("proxyservice/full", "read the proxies"),
        )
        self._require_some(snapshot.proxies, "proxyservice/full", "proxy", "VirtualProxyConfig and ProxyService")
        extra = {name: self._get(*_EXTRA[name]) for name in lookups(snapshot, declared)}
        return snapshot._replace(**extra) if extra else snapshot

    def read_site(self) -> tuple[Entity, list[Entity], list[Entity]]:
        """What the repository says about itself, all nodes and all proxies: three requests.

        Raises:
            QlikError: they could not be read, or the user has no rights to see them.
        """
        about = self._get(*_EXTRA["about"])
        if not isinstance(about, dict):
            raise self._not_expected("about", "read the release", "an object")
        nodes = self._entities("servernodeconfiguration/full", "read the nodes")
        self._require_some(nodes, "servernodeconfiguration/full", "node", "ServerNodeConfiguration and ProxyService")
        proxies = self._entities("proxyservice/full", "read the proxies")
        self._require_some(proxies, "proxyservice/full", "proxy", "ServerNodeConfiguration and ProxyService")
        return about, nodes, proxies

    def _entities(self, path: str, purpose: str, query: t.Mapping[str, str] | None = None) -> list[Entity]:
        entities = self._get(path, purpose, query)
        if not isinstance(entities, list) or not all(isinstance(entity, dict) for entity in entities):
            raise self._not_expected(path, purpose, "a list of objects")
        return entities

    def _not_expected(self, path: str, purpose: str, expected: str) -> AnswerError:
        return AnswerError(
            f"Tried to {purpose} (GET {self._connection.base}/qrs/{path}).",
            f"The answer was JSON, but not {expected}.",
            "Check host, port and prefix: this does not look like a Qlik Sense repository.",
            status=200,
        )

    def _require_some(self, entities: list[Entity], path: str, what: str, types: str) -> None:
        """Who has no rights gets empty lists, and must not be told that there is nothing."""
        if not entities:
            raise AnswerError(
                f"Tried to read the site (GET {self._connection.base}/qrs/{path}).",
                f"The user that signed in sees no {what}, although each site has one.",
                f"Give the user the RootAdmin role, or rights to read {types}.",
                status=200,
            )

    def execute(self, write: Write, created: dict[str, str]) -> Entity | None:
        """Carry out one write and return the entity as it is now, None for a deleted one.

        Args:
            created: prefix to id of what this plan has created so far; extended by a create.
        """
        action, subject, path, body = write
        if action == "delete":
            self._connection.request("DELETE", path, purpose=_phrase(write))
            return None
        if action == "link" and body:
            elements = [
                {"id": created[element["prefix"]]} if "id" not in element else element
                for element in body["settings"]["virtualProxies"]
            ]
            body = {**body, "settings": {**body["settings"], "virtualProxies": elements}}
        method = "POST" if action == "create" else "PUT"
        entity = self._connection.request(method, path, purpose=_phrase(write), body=body).body
        if not isinstance(entity, dict):  # some servers answer a write without a body
            if action == "create":
                text = f"prefix eq '{subject}'"
                [entity] = self._entities("virtualproxyconfig/full", "read what was created", {"filter": text})
            else:
                entity = self._get(path, "read what was written")
        if action == "create":
            created[subject] = entity["id"]
        return t.cast("Entity", entity)

    def reconcile(self, declared: list[Options], guards: Guards, *, check_mode: bool = False) -> Outcome:
        """Make the site what is declared.

        A write that met a conflict or whose answer was lost is followed by another look at the site. What is then as
        it should be was done (by us, if the answer was lost); the rest is planned again and written once more.

        Raises:
            QlikError: with the writes that were carried out in its attribute done.
        """
        done: list[str] = []
        before: list[Options] = []
        failure: _Failure | None = None
        for attempt in range(3):  # the third look only tells what became of the second attempt
            try:
                snapshot = self.read(declared)
                plan = make_plan(snapshot, declared, guards)
            except QlikError as error:
                raise failure.told(done, "What became of it could not be read.") if failure else error from None
            before = before or [change.before for change in plan.changes]
            if failure:
                remains = any(write[:2] == failure.write[:2] for write in plan.writes)
                if failure.error.uncertain and not remains:
                    done.append(_phrase(failure.write))
                if (remains and not failure.repeatable) or (plan.writes and attempt == 2):
                    raise failure.told(done, _last_change(snapshot, failure.write))
            if check_mode:
                changes = [Change(old, change.after) for old, change in zip(before, plan.changes, strict=True)]
                words = [_phrase(write) for write in plan.writes]
                return Outcome(bool(words), changes, [change.after for change in changes], words, plan.warnings)
            failure = self._carry_out(plan, snapshot, done)
            if failure is None:
                break
            if not failure.worth_another_look:
                raise failure.told(done)
        changes = [Change(old, change.after) for old, change in zip(before, plan.changes, strict=True)]
        return Outcome(bool(done), changes, options_in(snapshot, declared), done, plan.warnings)

    def _carry_out(self, plan: Plan, snapshot: Snapshot, done: list[str]) -> _Failure | None:
        """Carry out the plan, keeping the snapshot's lists true, until the end or the first failure."""
        created: dict[str, str] = {}
        for write in plan.writes:
            try:
                entity = self.execute(write, created)
            except QlikError as error:
                return _Failure(write, error)
            done.append(_phrase(write))
            entities = snapshot.proxies if write.action == "link" else snapshot.virtual_proxies
            entities[:] = [other for other in entities if not write.path.endswith(other["id"])]
            if entity:
                entities.append(entity)
        return None


class _Failure(t.NamedTuple):
    """A write that did not succeed."""

    write: Write
    error: QlikError

    @property
    def repeatable(self) -> bool:
        """Whether the same wish may succeed when it is planned and written again."""
        gone = isinstance(self.error, AnswerError) and self.error.status == 404
        return self.error.uncertain or gone or isinstance(self.error, ConflictError)

    @property
    def worth_another_look(self) -> bool:
        # A refused create may mean that somebody else was faster: then there is nothing left to create.
        return self.repeatable or self.write.action == "create"

    def told(self, done: list[str], more: str = "") -> QlikError:
        """The error, with what was done before it."""
        self.error.done = list(done)
        if more:
            self.error.outcome += f" {more}"
        return self.error


def _phrase(write: Write) -> str:
    if write.action == "link":
        return f"set the links of the proxy '{write.subject}'"
    return f"{write.action} the virtual proxy '{write.subject}'"


def _last_change(snapshot: Snapshot, write: Write) -> str:
    """Who changed what we could not write, and when."""
    for entity in [*snapshot.virtual_proxies, *snapshot.proxies]:
        if write.path.endswith(entity["id"]) and entity.get("modifiedByUserName"):
            return f"It was last changed by {entity['modifiedByUserName']} at {entity.get('modifiedDate')}."
    return ""


def _filter(declared: list[Options]) -> dict[str, str] | None:
    """A query for the declared prefixes and cookie names, None when it would be too long.

    QRS escapes a quote in a literal with a backslash (measured by butler-sheet-icons); names here hold no backslash.
    """
    terms = []
    for options in declared:
        terms.append(("prefix", options["prefix"]))
        if options["state"] == "present":
            cookie = options.get("session_cookie_header_name") or default_cookie_name(options["prefix"])
            terms.append(("sessionCookieHeaderName", cookie))
    if len(terms) > FILTER_TERMS:
        return None
    escaped = [f"{name} eq '" + value.replace("'", "\\'") + "'" for name, value in terms]
    return {"filter": " or ".join(escaped)}
