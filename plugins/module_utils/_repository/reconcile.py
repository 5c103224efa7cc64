# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""The repository service (QRS): read a site as a snapshot, carry out a plan, reconcile the two."""

from __future__ import annotations

import itertools
import typing as t

from .._errors import AnswerError, ConflictError, QlikError
from .._virtual_proxy.model import Entity, Options
from .._virtual_proxy.plan import (
    Change,
    Guards,
    Purge,
    Snapshot,
    Write,
    default_cookie_name,
    linked_ids,
    lookups,
    make_plan,
    options_in,
    purged,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from .._http.qrs import QrsClient

# Up to that many terms a filter is cheaper than reading every virtual proxy, and its URL stays short.
FILTER_TERMS = 60
# A list without a filter is reported to be cut there, on some sites (MaxRecordLimit; qlik-sense-mcp).
RECORD_LIMIT = 100

_EXTRA = {
    "nodes": ("servernodeconfiguration", "read the nodes"),
    "tags": ("tag", "read the tags"),
    "custom_property_definitions": ("custompropertydefinition/full", "read the custom properties"),
    "about": ("about", "read the release"),
}
# Where the names come from that such a list has to hold.
_NAMED = {"tags": "tags", "custom_property_definitions": "custom_properties"}


class Entry(t.TypedDict):
    """What became of one virtual proxy.

    outcome is created, updated, deleted or unchanged. After a failure also failed (by a write that concerns it),
    incomplete (some of its writes were carried out) or pending (none was). writes are those carried out, in words.
    """

    prefix: str
    outcome: str
    writes: list[str]


class Outcome(t.NamedTuple):
    """What reconciling came to.

    Attributes:
        changed: whether the site changed because of us; in check mode whether it would.
        changes: one for each declared virtual proxy, then one for each purged one.
        virtual_proxies: the declared ones as they are now (in check mode: as they would be), in the option
            vocabulary; an absent one is an empty dict.
        writes: what was done, or in check mode what would be, in words.
        entries: likewise by virtual proxy, in the order of changes.
    """

    changed: bool
    changes: list[Change]
    virtual_proxies: list[Options]
    writes: list[str]
    entries: list[Entry]
    warnings: list[str]


class Repository:
    """The QRS verbs that we need, on one connection."""

    def __init__(self, connection: QrsClient) -> None:
        self._connection = connection

    def _get(self, path: str, purpose: str, query: t.Mapping[str, str] | None = None) -> t.Any:
        return self._connection.request("GET", path, purpose=purpose, query=query).body

    def read(self, declared: list[Options], *, everything: bool = False) -> Snapshot:
        """The site as far as the declared virtual proxies need it: two requests, more only for names yet unknown.

        Args:
            everything: all virtual proxies, also those that are not declared.

        Raises:
            QlikError: it could not be read, or the user has no rights to see it.
        """
        query = None if everything else _filter(declared)
        snapshot = Snapshot(
            virtual_proxies=self._virtual_proxies(query),
            proxies=self._entities("proxyservice/full", "read the proxies"),
        )
        self._require_some(snapshot.proxies, "proxyservice/full", "proxy", "VirtualProxyConfig and ProxyService")
        if query is None:
            self._complete(snapshot, declared, everything=everything)
        while needed := lookups(snapshot, declared):
            snapshot = snapshot._replace(**{name: self._look_up(name, declared) for name in needed})
        return snapshot

    def _look_up(self, name: str, declared: list[Options]) -> t.Any:
        """What an attribute of the snapshot has to be."""
        if name == "fields":
            return self._fields()
        found = self._get(*_EXTRA[name])
        option = _NAMED.get(name)
        if option:
            # A long list may be cut (qlik-sense-mcp, after 100 entities): what is missing is asked for by name.
            wanted = {one for options in declared for one in options.get(option) or ()}
            missing = sorted(wanted - {one for one in wanted for entity in found if _is_called(entity, one)})
            for start in range(0, len(missing), FILTER_TERMS):
                terms = [("name", one) for one in missing[start : start + FILTER_TERMS]]
                found += self._get(*_EXTRA[name], _any_of(terms))
        return found

    def _fields(self) -> list[str]:
        """The fields of a VirtualProxyConfig by the release's own OpenAPI document, none where it cannot be had.

        Qlik help, "Access the OpenAPI specification". What the document looks like on each release is not known.
        """
        try:
            document = self._get("about/openapi/main", "read what the release knows")
        except AnswerError:
            return []
        for path in (("components", "schemas"), ("definitions",)):
            part = document
            for name in (*path, "VirtualProxyConfig", "properties"):
                part = part.get(name) if isinstance(part, dict) else None
            if isinstance(part, dict):
                return list(part)
        return []

    def _virtual_proxies(self, query: t.Mapping[str, str] | None = None) -> list[Entity]:
        return self._entities("virtualproxyconfig/full", "read the virtual proxies", query)

    def _complete(self, snapshot: Snapshot, declared: list[Options], *, everything: bool) -> None:
        """Add what is missing from a list that the site has cut.

        A list is complete when all that must be in it is there: what is linked, and what is declared. Else it may have
        been cut, and then the declared ones are read by name.

        Raises:
            AnswerError: everything was wanted, and there is more than the site gives away.
        """
        entities = snapshot.virtual_proxies
        found = {entity["id"] for entity in entities}
        full_to_the_brim = bool(entities) and len(entities) % RECORD_LIMIT == 0
        absent = {options["prefix"] for options in declared} - {str(entity["prefix"]).lower() for entity in entities}
        if linked_ids(snapshot) <= found and not (full_to_the_brim and (everything or absent)):
            return
        if everything:
            count = self._get("virtualproxyconfig/count", "count the virtual proxies")
            number = count.get("value") if isinstance(count, dict) else count  # both are reported
            if number != len(entities):
                raise AnswerError(
                    f"Tried to read all virtual proxies (GET {self._connection.base}/qrs/virtualproxyconfig/full).",
                    f"The site has {number} of them, but gave only {len(entities)}.",
                    "Name those that you want (prefixes of virtual_proxy_info), and purge by hand.",
                    status=200,
                )
        size = FILTER_TERMS // 2
        for start in range(0, len(declared), size):
            more = self._virtual_proxies(_filter(declared[start : start + size]))
            entities += [entity for entity in more if entity["id"] not in found]
            found.update(entity["id"] for entity in more)

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
        action, subject, path, body = write.action, write.subject, write.path, write.body
        if action == "delete":
            self._connection.request("DELETE", path, purpose=str(write))
            return None
        if action == "link" and body:
            elements = [
                {"id": created[element["prefix"]]} if "id" not in element else element
                for element in body["settings"]["virtualProxies"]
            ]
            body = {**body, "settings": {**body["settings"], "virtualProxies": elements}}
        method = "POST" if action == "create" else "PUT"
        entity = self._connection.request(method, path, purpose=str(write), body=body).body
        if not isinstance(entity, dict):  # some servers answer a write without a body
            if action == "create":
                text = f"prefix eq '{subject}'"
                [entity] = self._entities("virtualproxyconfig/full", "read what was created", {"filter": text})
            else:
                entity = self._get(path, "read what was written")
        if action == "create":
            created[subject] = entity["id"]
        return t.cast("Entity", entity)

    def reconcile(
        self,
        declared: list[Options],
        guards: Guards,
        *,
        purge: Purge | None = None,
        parallel_writes: int = 1,
        check_mode: bool = False,
    ) -> Outcome:
        """Make the site what is declared.

        A write that met a conflict or whose answer was lost is followed by another look at the site. What is then as
        it should be was done (by us, if the answer was lost); the rest is planned again and written once more.

        Args:
            declared: normalised options, one for each prefix.
            purge: which others are removed.
            parallel_writes: how many writes may be under way at once; never two to the same entity.

        Raises:
            QlikError: with the writes that were carried out in its attribute done, and what became of each virtual
                proxy in entries.
        """
        run = _Run(declared)
        failures: list[_Failure] = []
        while True:
            try:
                snapshot = self.read(run.wanted, everything=purge is not None)
                if purge:
                    run.wanted += purged(snapshot, run.wanted, purge)
                plan = make_plan(snapshot, run.wanted, guards)
            except QlikError as error:
                if not failures:
                    raise
                raise run.told(failures[0], "What became of it could not be read.") from error
            run.planned(plan.writes, plan.changes, failures)
            for failure in failures:
                if run.remains(failure.write) and not (failure.repeatable and run.may_repeat(failure.write)):
                    raise run.told(failure, _last_change(snapshot, failure.write))
            changes = run.changes(plan.changes)
            if check_mode:
                after = [change.after for change in changes[: len(declared)]]
                words = [str(write) for write in plan.writes]
                return Outcome(bool(words), changes, after, words, run.entries(plan.writes), plan.warnings)
            failures = list(self._carry_out(plan.writes, snapshot, run.done, parallel_writes))
            if not failures:
                break
            for failure in failures:
                if not failure.worth_another_look:
                    raise run.told(failure)
        now = options_in(snapshot, declared) if run.done else [change.after for change in changes[: len(declared)]]
        return Outcome(bool(run.done), changes, now, run.words, run.entries(run.done), plan.warnings)

    def _carry_out(
        self, writes: list[Write], snapshot: Snapshot, done: list[Write], parallel_writes: int
    ) -> Iterator[_Failure]:
        """Carry out the writes, keeping the snapshot's lists true, until the end or the first failures."""
        created: dict[str, str] = {}

        def attempt(write: Write) -> _Attempt:
            try:
                return _Attempt(write, self.execute(write, created))
            except QlikError as error:
                return _Attempt(write, error=error)

        # What is created is linked later, and what is deleted has been unlinked before.
        order = {"create": 0, "update": 0, "link": 1, "delete": 2}
        for _stage, some in itertools.groupby(writes, key=lambda write: order[write.action]):
            failed = False
            for write, entity, error in _results(attempt, list(some), parallel_writes):
                if error:
                    failed = True
                    yield _Failure(write, error)
                    continue
                done.append(write)
                entities = snapshot.proxies if write.action == "link" else snapshot.virtual_proxies
                entities[:] = [other for other in entities if not write.path.endswith(other["id"])]
                if entity:
                    entities.append(entity)
            if failed:
                return


class _Attempt(t.NamedTuple):
    """What came of a write: the entity as it is now (None for a deleted one), or the error."""

    write: Write
    entity: Entity | None = None
    error: QlikError | None = None


def _results(attempt: t.Callable[[Write], _Attempt], writes: list[Write], parallel: int) -> Iterator[_Attempt]:
    """Attempt the writes; begin no further one after a failure."""
    if parallel == 1 or len(writes) == 1:
        for write in writes:
            result = attempt(write)
            yield result
            if result.error:
                return
        return
    from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait  # dear, and rarely needed

    waiting, failed = list(writes), False
    under_way: set[Future[_Attempt]] = set()
    with ThreadPoolExecutor(parallel) as pool:
        while under_way or (waiting and not failed):
            while waiting and not failed and len(under_way) < parallel:
                under_way.add(pool.submit(attempt, waiting.pop(0)))
            finished, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            for future in finished:
                result = future.result()
                failed = failed or result.error is not None
                yield result


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


class _Run:
    """What one call of reconcile has wanted, planned and done so far.

    Attributes:
        wanted: the declared virtual proxies, and the absence of the purged ones.
        done: the writes that were carried out.
    """

    def __init__(self, declared: list[Options]) -> None:
        self.wanted = list(declared)
        self.done: list[Write] = []
        self._before: dict[str, Options] = {}
        self._open: list[Write] = []
        self._failed: list[tuple[str, str]] = []

    @property
    def words(self) -> list[str]:
        return [str(write) for write in self.done]

    def planned(self, writes: list[Write], changes: list[Change], failures: list[_Failure]) -> None:
        """Take notice of a plan, made after these failures."""
        for options, change in zip(self.wanted, changes, strict=True):
            self._before.setdefault(options["prefix"], change.before)
        self._open = writes
        for failure in failures:
            self._failed.append(failure.write.key)
            if failure.error.uncertain and not self.remains(failure.write):
                self.done.append(failure.write)

    def remains(self, write: Write) -> bool:
        """Whether the last plan is after the same thing."""
        return write.key in {other.key for other in self._open}

    def may_repeat(self, write: Write) -> bool:
        """Whether it has failed only once."""
        return self._failed.count(write.key) < 2

    def changes(self, changes: list[Change]) -> list[Change]:
        """From what was there at the beginning to what the last plan leads to."""
        return [
            Change(self._before[options["prefix"]], change.after)
            for options, change in zip(self.wanted, changes, strict=True)
        ]

    def entries(self, writes: list[Write], failed: Write | None = None) -> list[Entry]:
        """What these writes have come to (in check mode would come to), by virtual proxy.

        Args:
            writes: those carried out.
            failed: the one that ended it all, if one did.
        """
        actions: dict[str, list[Write]] = {}
        for write in writes:
            for prefix in write.prefixes:
                actions.setdefault(prefix, []).append(write)
        finished = {id(write) for write in writes}
        open_prefixes = {
            prefix for write in self._open if failed and id(write) not in finished for prefix in write.prefixes
        }
        entries: list[Entry] = []
        for options in self.wanted:
            prefix = options["prefix"]
            done = actions.get(prefix, [])
            if failed and prefix in failed.prefixes:
                outcome = "failed"
            elif prefix in open_prefixes:
                outcome = "incomplete" if done else "pending"
            else:
                outcome = _outcome([write.action for write in done])
            entries.append({"prefix": prefix, "outcome": outcome, "writes": [str(write) for write in done]})
        return entries

    def told(self, failure: _Failure, more: str = "") -> QlikError:
        """The error, with what was done before it."""
        error = failure.error
        error.done = self.words
        error.entries = t.cast("list[dict[str, t.Any]]", self.entries(self.done, failure.write))
        if more:
            error.outcome += f" {more}"
        return error


def _outcome(actions: list[str]) -> str:
    for action, outcome in (("create", "created"), ("delete", "deleted")):
        if action in actions:
            return outcome
    return "updated" if actions else "unchanged"


def _last_change(snapshot: Snapshot, write: Write) -> str:
    """Who changed what we could not write, and when."""
    for entity in [*snapshot.virtual_proxies, *snapshot.proxies]:
        if write.path.endswith(entity["id"]) and entity.get("modifiedByUserName"):
            return f"It was last changed by {entity['modifiedByUserName']} at {entity.get('modifiedDate')}."
    return ""


def _filter(declared: list[Options]) -> dict[str, str] | None:
    """A query for the declared prefixes and cookie names, None when it would be too long."""
    terms = []
    for options in declared:
        terms.append(("prefix", options["prefix"]))
        if options["state"] == "present":
            cookie = options.get("session_cookie_header_name") or default_cookie_name(options["prefix"])
            terms.append(("sessionCookieHeaderName", cookie))
    return None if len(terms) > FILTER_TERMS else _any_of(terms)


def _any_of(terms: list[tuple[str, str]]) -> dict[str, str]:
    """A query for the entities that have one of these values in one of these fields.

    QRS escapes quotes and backslashes in a literal with a backslash (measured by butler-sheet-icons).
    """
    escaped = [f"{name} eq '" + value.replace("\\", "\\\\").replace("'", "\\'") + "'" for name, value in terms]
    return {"filter": " or ".join(escaped)}


def _is_called(entity: Entity, name: str) -> bool:
    return str(entity["name"]).casefold() == name.casefold()
