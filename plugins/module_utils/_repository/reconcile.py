# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""Reconcile a site with a declaration: read, plan, write, and read again if the outcome of a write is unknown."""

from __future__ import annotations

import collections
import typing as t

from .._errors import AnswerError, ConflictError, QlikError, about
from .._virtual_proxy import convert
from .._virtual_proxy.model import ProxyService, Snapshot, VirtualProxy
from .._virtual_proxy.plan import Change, Plan, Rules, Write, make_plan, purge_targets
from .._virtual_proxy.settings_warnings import all_warnings
from .snapshot import Repository, repository

if t.TYPE_CHECKING:
    from .._argspec import QlikModule

_OUTCOMES = {"create": "created", "delete": "deleted", "update": "updated", "link": "updated"}


class Outcome:
    """The state of a reconciliation, and in the end its result.

    Args:
        declared: the declared virtual proxies.

    Attributes:
        required: the declared virtual proxies, then the absence of the purged ones.
        changes: one for each of these, from the first snapshot to the result of the last plan.
        virtual_proxies: the current declared ones, in check mode the predicted ones; None for an absent one.
        done: the writes that were carried out, in check mode the predicted ones.
        warnings: warnings of the last plan.
        snapshot: the last snapshot.
    """

    def __init__(self, declared: t.Sequence[VirtualProxy]) -> None:
        self.required = list(declared)
        self.changes: list[Change] = []
        self.virtual_proxies: list[VirtualProxy | None] = []
        self.done: list[Write] = []
        self.warnings: list[str] = []
        self.snapshot = Snapshot((), ())
        self._declared = len(declared)
        self._planned: list[Write] = []

    @property
    def changed(self) -> bool:
        return bool(self.done)

    @property
    def writes(self) -> list[str]:
        """Return descriptions of the writes."""
        return [str(write) for write in self.done]

    def take(self, plan: Plan) -> None:
        """Store a plan that was made from a new snapshot."""
        before = {change.prefix: change.before for change in self.changes}
        self.changes = [
            one._replace(before=before[one.prefix]) if one.prefix in before else one for one in plan.changes
        ]
        self.virtual_proxies = [change.after for change in plan.changes[: self._declared]]
        self.warnings = plan.warnings
        self._planned = plan.writes

    def read_back(self, snapshot: Snapshot) -> None:
        """Store the virtual proxies after the last write."""
        self.virtual_proxies = [snapshot.by_prefix.get(one.prefix) for one in self.required[: self._declared]]

    def still_planned(self, write: Write) -> bool:
        """Return True if the last plan contains a write with the same purpose."""
        return write.key in {one.key for one in self._planned}

    def entries(self, failed: Write | None = None) -> list[dict[str, t.Any]]:
        """Return prefix, outcome and writes of each virtual proxy, in the order of changes.

        The outcome is created, updated, deleted or unchanged. After a failure also failed (by the write that concerns
        it), incomplete (some of its writes were carried out) or pending (none was).

        Args:
            failed: the write that ended the run, if one did.
        """
        done_ids = {id(write) for write in self.done}
        planned = [write for write in self._planned if failed and id(write) not in done_ids]
        pending = {prefix for write in planned for prefix in write.prefixes}
        writes: dict[str, list[Write]] = {}
        for write in self.done:
            for prefix in write.prefixes:
                writes.setdefault(prefix, []).append(write)
        entries = []
        for prefix in (one.prefix for one in self.required):
            done = writes.get(prefix, [])
            if failed and prefix in failed.prefixes:
                outcome = "failed"
            elif prefix in pending:
                outcome = "incomplete" if done else "pending"
            else:
                # In the order of significance, because a virtual proxy is created or deleted only once.
                actions = [_OUTCOMES[write.action] for write in done]
                outcome = next((one for one in ("created", "deleted", "updated") if one in actions), "unchanged")
            entries.append({"prefix": prefix, "outcome": outcome, "writes": [str(write) for write in done]})
        return entries

    def as_error(self, write: Write, error: QlikError, more: str = "") -> QlikError:
        """Return the error that ended the run, with the writes that were carried out before it."""
        error.done = self.writes
        error.entries = self.entries(write)
        error.context = f"{write} ({error.context})" if error.context else str(write)
        error.message = f"{error.message} {more}".rstrip()
        return error


def declare(module: QlikModule, entries: t.Sequence[t.Mapping[str, t.Any]], **rules: t.Any) -> Outcome:
    """Reconcile the site of a module with the declaration, and show warnings about the declaration.

    Args:
        module: has the options for the connection, and allow_connection_virtual_proxy.
        entries: the options of virtual proxies.
        rules: attributes of Rules.

    Raises:
        QlikError: see reconcile.
    """
    declared = []
    for entry in entries:
        with about(f"Virtual proxy '{entry['prefix']}'"):
            virtual_proxy, warnings = convert.from_options(entry)
        declared.append(virtual_proxy)
        for warning in warnings:
            module.warn(warning)
    with repository(module.params) as site:
        guards = (site.client.signs_in_through, module.params["allow_connection_virtual_proxy"])
        outcome = reconcile(site, declared, Rules(*guards, **rules), check_mode=module.check_mode)
    try:
        present = [one for one in outcome.virtual_proxies if one]
        for warning in [*outcome.warnings, *all_warnings(outcome.snapshot, present)]:
            module.warn(warning)
    except QlikError as error:  # a library is missing
        error.done, error.entries = outcome.writes, outcome.entries()
        raise
    return outcome


def reconcile(
    site: Repository, declared: t.Sequence[VirtualProxy], rules: Rules, *, check_mode: bool = False
) -> Outcome:
    """Reconcile the site with the declaration.

    After a write with a conflict or without an answer, the site is read again. Objects that are then as declared count
    as written (by this run, if the answer was lost). The other changes are planned again and written once more.

    Args:
        site: the repository of the site.
        declared: results of from_options, one for each prefix.
        rules: guards, and whether others are removed.
        check_mode: True to plan only.

    Raises:
        QlikError: the attribute done has the writes that were carried out, and entries the outcome of each virtual
            proxy.
    """
    outcome = Outcome(declared)
    failures: collections.Counter[tuple[str, str]] = collections.Counter()
    failed: list[tuple[Write, QlikError]] = []  # one at the most
    while True:
        try:
            snapshot = site.read(outcome.required, everything=rules.purge)
            outcome.required += purge_targets(snapshot, outcome.required, rules)
            outcome.snapshot = snapshot
            outcome.take(plan := make_plan(snapshot, outcome.required, rules))
        except QlikError as error:
            if not failed:
                raise
            raise outcome.as_error(*failed[0], "The result could not be read.") from error
        for write, cause in failed:
            failures[write.key] += 1
            if outcome.still_planned(write):
                if not can_retry(cause) or failures[write.key] > 1:
                    raise outcome.as_error(write, cause, _last_change(snapshot, write))
            elif cause.uncertain and not any(one is write for one in outcome.done):
                outcome.done.append(write)
        if check_mode:
            outcome.done = plan.writes
            return outcome
        snapshot, failed = _carry_out(site, plan.writes, snapshot, outcome.done)
        if not failed:
            break
        if not should_reread(*failed[0]):
            raise outcome.as_error(*failed[0])
    if outcome.done:
        outcome.read_back(snapshot)
    return outcome


def can_retry(error: QlikError) -> bool:
    """Return True if the write can succeed when it is planned and sent again, such as after HTTP 409 (conflict)."""
    gone = isinstance(error, AnswerError) and error.status == 404
    return error.uncertain or gone or isinstance(error, ConflictError)


def should_reread(write: Write, error: QlikError) -> bool:
    """Return True if a new snapshot can show the outcome of the write."""
    # A create request may be refused because another client has created the object.
    return can_retry(error) or write.action == "create"


def _carry_out(
    site: Repository, writes: list[Write], snapshot: Snapshot, done: list[Write]
) -> tuple[Snapshot, list[tuple[Write, QlikError]]]:
    """Carry out the writes in order. Return the snapshot after them, and the write that failed with its error, if any.

    Args:
        done: extended by each write that was carried out.
    """
    created: dict[str, str] = {}
    for write in writes:
        try:
            entity = _execute(site, write, created, done)
        except QlikError as error:
            return snapshot, [(write, error)]
        snapshot = snapshot.after_write(write.id, entity)
    return snapshot, []


def _last_change(snapshot: Snapshot, write: Write) -> str:
    """Return user and time of the last change of the entity of a failed write, empty if they are not known."""
    raw = {one.id: one.raw for one in snapshot.virtual_proxies} | {one.id: one.raw for one in snapshot.proxies}
    return convert.last_change(raw.get(write.id, {}))


def _execute(
    site: Repository, write: Write, created: dict[str, str], done: list[Write]
) -> VirtualProxy | ProxyService | None:
    """Carry out one write and return the entity as it is now, None for a deleted one.

    Args:
        created: prefix to id of what this plan has created so far; extended by a create.
        done: extended by the write as soon as it was carried out.
    """
    body = write.body
    if write.action == "link" and body:
        links = body["settings"]["virtualProxies"]
        links = [{"id": created[one["prefix"]]} if "id" not in one else one for one in links]
        body = {**body, "settings": {**body["settings"], "virtualProxies": links}}
    method = {"create": "POST", "delete": "DELETE"}.get(write.action, "PUT")
    answer = site.client.request(method, write.path, body=body).body
    done.append(write)
    if write.action == "delete":
        return None
    convert_all = convert.proxy_services if write.action == "link" else convert.virtual_proxies
    # Some servers answer a write without a body.
    entities = convert_all([answer]) or convert_all(site.read_back(write))
    if not entities:
        raise AnswerError(
            "It was carried out, but the answer contains no id.",
            "Run the task again.",
            context=f"{method} {write.path}",
            status=200,
        )
    if write.action == "create":
        created[write.subject] = entities[0].id
    return entities[0]
