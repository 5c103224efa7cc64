# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""Plan the writes from the snapshot of a site to the declared virtual proxies. Pure, no I/O."""

from __future__ import annotations

import functools
import typing as t
import urllib.parse
from collections.abc import Iterable

from .._errors import InputError, about
from .._identifiers import leads_to
from .._identifiers import prefix as valid_prefix
from .._text import sanitize
from .convert import linked, links_body, put_body, same, to_qrs
from .model import QRS_NAMES, Entity, Options, ProxyService, Snapshot, VirtualProxy, default_cookie_name
from .resolve import References, find, resolve, whole_lists
from .rotation_notes import with_notes
from .validate import require_valid

Link = tuple[str, str]  # ("id", "<guid>"), or ("prefix", "jwt") for a virtual proxy that does not exist yet


class Write(t.NamedTuple):
    """One request that changes the site.

    Attributes:
        action: create, update, link or delete.
        subject: the prefix, or for link the name of the proxy's node.
        prefixes: prefixes of the virtual proxies that it changes.
        id: id of the entity, empty for create.
        body: the body of the request. In a link, a virtual proxy that does not exist yet is {"prefix": ...}.
    """

    action: str
    subject: str
    prefixes: tuple[str, ...]
    id: str = ""
    body: Entity | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Return a key that is the same for two writes with the same purpose."""
        return self.action, self.subject

    @property
    def path(self) -> str:
        """Return the path below /qrs/."""
        entity_type = "proxyservice" if self.action == "link" else "virtualproxyconfig"
        return f"{entity_type}/{urllib.parse.quote(self.id, safe='')}" if self.id else entity_type

    def __str__(self) -> str:
        if self.action == "link":
            return f"set the links of the proxy '{self.subject}'"
        return f"{self.action} the virtual proxy '{self.subject}'"


class Change(t.NamedTuple):
    """The change of one virtual proxy. None means absent."""

    prefix: str
    before: VirtualProxy | None
    after: VirtualProxy | None

    @property
    def differs(self) -> bool:
        return (self.before and self.before.fields) != (self.after and self.after.fields)


class Plan(t.NamedTuple):
    writes: list[Write]
    changes: list[Change]
    warnings: list[str]


class Rules(t.NamedTuple):
    """Changes that a task must allow explicitly, because a mistake would lock users out.

    Attributes:
        signs_in_through: path of the virtual proxy that this connection uses, None for none.
        allow_connection_virtual_proxy: True if it may be changed.
        restore: True if former values are written as they were, without validation.
        purge: True if virtual proxies with JWT that are not declared are removed.
        purge_tag: tag of the virtual proxies that a purge removes, None for all.
        source: the name of the site of which the declared virtual proxies are copies, "" for none.
        copied: the values of the virtual proxies of that site.
    """

    signs_in_through: str | None = None
    allow_connection_virtual_proxy: bool = False
    restore: bool = False
    purge: bool = False
    purge_tag: str | None = None
    source: str = ""
    copied: t.Sequence[Options] = ()


def purge_targets(snapshot: Snapshot, declared: Iterable[VirtualProxy], rules: Rules) -> list[VirtualProxy]:
    """Return additional declarations for a purge: the absence of each virtual proxy with JWT that is not declared."""
    prefixes = {"", *(one.prefix for one in declared)}  # the default virtual proxy cannot be managed
    return [
        VirtualProxy({"prefix": prefix}, state="absent")
        for prefix, current in sorted(snapshot.by_prefix.items())
        if rules.purge
        and prefix not in prefixes
        and current.is_jwt
        and (rules.purge_tag is None or current.has_tag(rules.purge_tag))
    ]


def make_plan(snapshot: Snapshot, declared: list[VirtualProxy], rules: Rules) -> Plan:
    """Return the writes from the snapshot to the declaration, in an order in which each prefix always works.

    The order is: create, update, link or unlink (one write per proxy), delete.

    Args:
        snapshot: must contain the results of missing_lookups.
        declared: one for each prefix.
        rules: see Rules.

    Raises:
        InputError: the declaration is unknown to this site or release, in conflict with it, or not allowed.
    """
    declared = [whole_lists(snapshot, one) for one in declared]
    _check_collisions(snapshot, declared)
    writes: list[Write] = []
    deletes: list[Write] = []
    changes: list[Change] = []
    warnings: list[str] = []
    links: dict[str, dict[Link, bool]] = {proxy.id: {} for proxy in snapshot.proxies}
    for one in declared:
        with about(f"Virtual proxy '{one.prefix}'"):
            current = snapshot.by_prefix.get(one.prefix)
            _check_method(one, current)
            if one.state == "absent":
                after = None
                if current:
                    _set_links(links, ("id", current.id), ())
                    deletes.append(Write("delete", one.prefix, (one.prefix,), current.id))
            else:
                after, write = _upsert(snapshot, one, current, rules, warnings)
                writes += [write] if write else []
                if "proxies" in one.fields:
                    proxies = _named_proxies(snapshot, one.fields["proxies"])
                    _set_links(links, ("id", current.id) if current else ("prefix", one.prefix), proxies)
                    after.fields["proxies"] = sorted((proxy.node.name for proxy in proxies), key=str.casefold)
            changes.append(Change(one.prefix, current, after))
            _check_lockout(changes[-1], rules)
    prefixes = {current.id: prefix for prefix, current in snapshot.by_prefix.items()}
    for proxy in snapshot.proxies:
        if proxy.links is None and links[proxy.id]:
            name = sanitize(proxy.node.name)
            warnings.append(f"The list of virtual proxies of the proxy '{name}' cannot be read and is not changed.")
        writes += _link(proxy, links[proxy.id], prefixes)
    return Plan([*writes, *deletes], changes, warnings)


def _check_method(declared: VirtualProxy, current: VirtualProxy | None) -> None:
    if current and not current.is_jwt and not declared.allow_non_jwt:
        raise InputError(
            "It exists, but its authentication method is not JWT.",
            hint="Choose another prefix, or set allow_non_jwt to convert or remove it.",
        )


def _check_lockout(change: Change, rules: Rules) -> None:
    """Raise if a change concerns the virtual proxy that this connection uses."""
    if rules.allow_connection_virtual_proxy or not change.differs:
        return
    if leads_to(rules.signs_in_through, change.prefix):
        raise InputError(
            "This connection signs in through it, so the change could lock you out.",
            hint="Use another auth_method such as certificate, or set allow_connection_virtual_proxy.",
        )


def _check_collisions(snapshot: Snapshot, declared: list[VirtualProxy]) -> None:
    """Raise unless prefixes and cookie names are unique (Qlik help, "Creating a virtual proxy")."""
    by_prefix = {one.prefix: one for one in declared}
    if len(by_prefix) < len(declared):
        prefixes = [one.prefix for one in declared]
        twice = next(prefix for prefix in prefixes if prefixes.count(prefix) > 1)
        raise InputError(f"The prefix '{twice}' is declared twice.", hint="Declare it once.")
    present = [one for one in declared if one.state == "present"]
    cookies = {
        prefix: current.fields.get("session_cookie_header_name", "")
        for prefix, current in snapshot.by_prefix.items()
        if prefix not in by_prefix or by_prefix[prefix].state == "present"
    }
    for one in present:
        default = cookies.get(one.prefix) or default_cookie_name(one.prefix)
        cookies[one.prefix] = one.fields.get("session_cookie_header_name", default)
    owners: dict[str, list[str]] = {}
    for prefix, name in cookies.items():
        owners.setdefault(name.lower(), []).append(prefix)
    for one in present:
        cookie = cookies[one.prefix]
        others = [other for other in owners[cookie.lower()] if other != one.prefix and cookie]
        if others:
            owner = f"virtual proxy '{others[0]}'" if others[0] else "default virtual proxy"
            default = default_cookie_name(one.prefix)
            names = (default, *(f"{default}-{number}" for number in range(2, len(owners) + 2)))
            free = next(name for name in names if name.lower() not in owners)
            hint = f"Set another session_cookie_header_name, such as {free}."
            if others[0] and cookie == default and one.prefix not in snapshot.by_prefix:
                hint = f"If '{others[0]}' was '{one.prefix}' before, rename it back. Otherwise: {hint}"
            raise InputError(
                f"Virtual proxy '{one.prefix}': Its session cookie {cookie} is already that of the {owner}.", hint
            )


def _upsert(
    snapshot: Snapshot,
    declared: VirtualProxy,
    current: VirtualProxy | None,
    rules: Rules,
    warnings: list[str],
) -> tuple[VirtualProxy, Write | None]:
    """Return the planned virtual proxy and its write, None if it does not differ."""
    fields, references = resolve(snapshot, declared, current)
    before = current.fields if current else {}
    if "description" in fields and not rules.restore:
        fields["description"] = with_notes(fields["description"], before.get("description") or "")
    if current is None:
        valid_prefix(declared.prefix)
    if not (current and current.is_jwt):
        fields = _with_first_values(fields, before, warnings)
    differing = {name: value for name, value in fields.items() if not same(name, fields, before)}
    held = functools.partial(_held, snapshot)
    if invalid := require_valid(differing, before, restore=rules.restore, elsewhere=held, source=rules.copied):
        warnings.append(
            f"The virtual proxy '{declared.prefix}' gets values that cannot work, because {rules.source} has them: "
            f"{', '.join(invalid)}. Correct them there, or declare other values."
        )
    body = _qrs_fields(differing, current, references)
    after = VirtualProxy(
        {"proxies": [], **before, **differing},
        id=current.id if current else "",
        hidden=current.hidden if current and "jwt_public_key_certificate" not in differing else "",
    )
    if current is None:
        return after, Write("create", declared.prefix, (declared.prefix,), body=body)
    if not body:
        return after, None
    return after, Write("update", declared.prefix, (declared.prefix,), current.id, put_body(current, body))


def _held(snapshot: Snapshot) -> t.Iterator[Options]:
    """Yield the fields of each JWT virtual proxy that was read, also as a part of a proxy."""
    for one in (*snapshot.virtual_proxies, *(one for proxy in snapshot.proxies for one in linked(proxy))):
        if one.is_jwt:
            yield one.fields


def _qrs_fields(fields: Options, current: VirtualProxy | None, references: References) -> Entity:
    return {QRS_NAMES[name]: to_qrs(name, fields[name], current, references.get(name, ())) for name in fields}


def _with_first_values(fields: Options, before: Options, warnings: list[str]) -> Options:
    """Return the fields of a virtual proxy that is new, or new to JWT, with defaults for required fields."""
    prefix = fields["prefix"]
    if not {**before, **fields}.get("jwt_public_key_certificate"):
        raise InputError(
            "It does not exist yet, or does not use JWT, and no jwt_public_key_certificate to verify tokens is given.",
            hint="Give the PEM text of the certificate whose private key signs the tokens.",
        )
    if not {**before, **fields}.get("load_balancing_server_nodes"):
        warnings.append(
            f"The virtual proxy '{prefix}' has no load_balancing_server_nodes: users can sign in, but cannot open apps."
        )
    defaults = VirtualProxy({"prefix": prefix})
    first = {
        "description": prefix,
        "session_cookie_header_name": defaults.cookie_name,
        "jwt_attribute_user_id": defaults.user_id_claim,
        "jwt_attribute_user_directory": defaults.user_directory_claim,
    }
    return {**{name: value for name, value in first.items() if not before.get(name)}, **fields}


def _named_proxies(snapshot: Snapshot, names: list[str]) -> list[ProxyService]:
    proxies = {proxy.id: proxy for proxy in snapshot.proxies}
    found = find("proxy", names, snapshot.named_proxies)
    for one in found:
        if proxies[one.id].links is None:
            raise InputError(
                f"The list of virtual proxies of the proxy '{one.name}' cannot be read, so a write could lose links.",
                hint="Check this proxy in the QMC.",
            )
    return [proxies[one.id] for one in found]


def _set_links(links: dict[str, dict[Link, bool]], link: Link, proxies: Iterable[ProxyService]) -> None:
    """Store for each proxy whether a virtual proxy must be in its list."""
    linked = {proxy.id for proxy in proxies}
    for proxy_id, links_of_proxy in links.items():
        links_of_proxy[link] = proxy_id in linked


def _link(proxy: ProxyService, required: dict[Link, bool], prefixes: dict[str, str]) -> list[Write]:
    """Return the write that sets the list of a proxy, empty if the list does not differ.

    Qlik help, "Virtual proxy: Link": the whole proxy is sent, and an id is sufficient for an element.
    """
    if proxy.links is None:
        return []
    current: list[Link] = [("id", identity) for identity in proxy.links]
    kept = [link for link in current if required.get(link, True)]
    linked = set(current)
    new = [link for link, stays in required.items() if stays and link not in linked]
    if kept == current and not new:
        return []
    gone = [link for link in current if not required.get(link, True)]
    changed = tuple(value if key == "prefix" else prefixes[value] for key, value in [*new, *gone])
    body = links_body(proxy, [dict([link]) for link in [*kept, *new]])
    return [Write("link", proxy.node.name, changed, proxy.id, body)]
