# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: restored
short_description: Convert snapshots of a site to the declaration that restores it
version_added: 1.0.0
author:
  - The sensible.qlik contributors (@sensible-qlik)
description:
  - Takes snapshots of promotions and returns the input of M(sensible.qlik.jwt_virtual_proxies) that restores the site.
    Virtual proxies, nodes and proxies are found by id, also if they have been renamed, otherwise by name. The role
    P(sensible.qlik.promotion#role) uses this filter.
  - A virtual proxy that was renamed keeps its new prefix. A virtual proxy that the promotion created and that has been
    deleted is omitted, even if there is another one with its prefix.
  - Keys that were rotated since are not restored. A certificate is omitted unless the site has one that the promotion
    expected, and the notes of a rotation in descriptions do not change.
positional: site, virtual_proxies
options:
  _input:
    description:
      - Snapshots, as P(sensible.qlik.promotion_snapshots#filter) returns them. If two contain the same virtual proxy,
        the first one is used.
    type: list
    elements: dict
    required: true
  site:
    description: The current result of M(sensible.qlik.site_info) for the site.
    type: dict
    required: true
  virtual_proxies:
    description: All current virtual proxies of the site, as M(sensible.qlik.virtual_proxy_info) returns them.
    type: list
    elements: dict
    required: true
  prefixes:
    description: Return only virtual proxies with these prefixes, on the site or in the snapshot. The default is all.
    type: list
    elements: str
  skip_missing_nodes:
    description: Whether nodes that the site no longer has are omitted. Otherwise they are a problem.
    type: bool
    default: false
  create_deleted:
    description: Whether virtual proxies that have been deleted since are created again. Otherwise they are a problem.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show the declaration that restores the site
  ansible.builtin.debug:
    msg: "{{ [snapshot] | sensible.qlik.restored(current_site, [], prefixes=['portal'], skip_missing_nodes=true,
                                                   create_deleted=true) }}"
  vars:
    snapshot:
      virtual_proxies: [{prefix: portal, proxies: [Rim1]}]
      nodes: [{id: 08a0aefb-88cd-4add-989b-53d0dce21b6c, name: Rim1}]
      proxies: [{id: ce4bf7b6-f56f-445d-806e-93fd57763d0c, name: Rim1}]
    current_site:
      nodes: [{id: 08a0aefb-88cd-4add-989b-53d0dce21b6c, name: Rim2}]
      proxies: [{id: ce4bf7b6-f56f-445d-806e-93fd57763d0c, name: Rim2}]
"""

RETURN = r"""
_value:
  description: The declaration that restores the site.
  type: dict
  contains:
    virtual_proxies:
      description: The value for O(sensible.qlik.jwt_virtual_proxies#module:virtual_proxies).
      type: list
      elements: dict
      sample: [{prefix: portal, proxies: [Rim2]}, {prefix: embedded, state: absent}]
    notes:
      description: Sentences about virtual proxies and nodes that were renamed, and about values that are omitted.
      type: list
      elements: str
      sample: ["The virtual proxy 'portal' was renamed to 'portal-old'."]
    problem:
      description: The reason why the site cannot be restored completely. Empty if it can.
      type: str
      sample: "The site no longer has these nodes: 'Rim1' (portal)."
"""

import typing as t
from collections.abc import Callable, Collection, Mapping, Sequence

from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy.rotation_notes import (
    with_notes,
    without_notes,
)

Values = Mapping[str, t.Any]
_Translate = t.Callable[[str], "str | None"]


def restored(
    snapshots: Sequence[Values],
    site: Values,
    virtual_proxies: Sequence[Values],
    prefixes: Collection[str] | None = None,
    skip_missing_nodes: bool = False,
    create_deleted: bool = False,
) -> dict[str, t.Any]:
    """Return the declaration that restores a site. See RETURN."""
    now = {one["prefix"]: one for one in virtual_proxies}
    prefixes_now = {one["id"].lower(): prefix for prefix, one in now.items() if one.get("id")}
    entries: dict[str, dict[str, t.Any]] = {}
    notes: list[str] = []
    missing: dict[str, list[str]] = {}
    deleted: list[str] = []
    for snapshot in snapshots:
        lists = _list_translations(snapshot, site)
        for old in snapshot["virtual_proxies"]:
            prefix = _prefix_now({"id": snapshot.get("created", {}).get(old["prefix"], ""), **old}, prefixes_now)
            if prefix in entries or (prefixes is not None and not {prefix, old["prefix"]} & set(prefixes)):
                continue
            if not prefix:
                notes.append(f"The virtual proxy '{old['prefix']}' is not the one that the promotion created.")
                continue
            if prefix != old["prefix"]:
                notes.append(f"The virtual proxy '{old['prefix']}' was renamed to '{prefix}'.")
            if prefix not in now and old.get("state") != "absent":
                deleted.append(f"'{prefix}'")
            entry = entries[prefix] = {**old, "prefix": prefix}
            if prefix in now and not _keep_rotations(
                entry, now[prefix], snapshot.get("certificates", {}).get(old["prefix"], ())
            ):
                notes.append(f"The certificate of '{prefix}' is not restored, because it was replaced since.")
            for option in lists.keys() & old.keys():
                names = {name: lists[option](name) for name in old[option]}
                entries[prefix][option] = [name for name in names.values() if name]
                for name in (name for name, now_ in names.items() if not now_):
                    missing.setdefault(name, []).append(prefix)
    problems = [_foreign(snapshots, site)]
    if deleted and not create_deleted:
        problems.append(
            f"These virtual proxies have been deleted since: {', '.join(deleted)}. If a key rotation has replaced "
            "them, their old keys would be accepted again. To create them anyway: -e promotion_create_deleted=true"
        )
    if missing:
        gone = [f"'{name}' ({', '.join(dict.fromkeys(users))})" for name, users in missing.items()]
        sentence = f"The site no longer has these nodes: {', '.join(gone)}."
        if skip_missing_nodes:
            notes.append(f"{sentence} They are omitted.")
        else:
            problems.append(
                f"{sentence} Add the nodes again, or restore the rest without them: "
                "-e promotion_skip_missing_nodes=true"
            )
    return {
        "virtual_proxies": list(entries.values()),
        "notes": notes,
        "problem": next(filter(None, problems), ""),
    }


def _keep_rotations(entry: dict[str, t.Any], now: Values, certificates: Collection[str]) -> bool:
    """Remove what a key rotation has changed since from a virtual proxy to restore.

    Args:
        entry: the virtual proxy of the snapshot.
        now: the current one.
        certificates: fingerprints of the certificates that promotions expected.

    Returns:
        False if the certificate was removed.
    """
    if entry.get("description") is not None:
        entry["description"] = with_notes(without_notes(entry["description"]), now.get("description") or "")
    if "jwt_public_key_certificate" not in entry or _fingerprint(now) in (_fingerprint(entry), *certificates):
        return True
    del entry["jwt_public_key_certificate"]
    return False


def _fingerprint(virtual_proxy: Values) -> str:
    """Return the fingerprint of a certificate, empty if there is none that can be read."""
    return str((virtual_proxy.get("certificate") or {}).get("fingerprint_sha256", ""))


def _prefix_now(old: Values, prefixes_now: Mapping[str, str]) -> str:
    """Return the current prefix of a virtual proxy of a snapshot, empty if the virtual proxy must not be changed."""
    identity = str(old.get("id") or "").lower()
    if identity in prefixes_now:
        return prefixes_now[identity]
    if identity and old.get("state") == "absent" and old["prefix"] in prefixes_now.values():
        return ""
    return str(old["prefix"])


def _list_translations(snapshot: Values, site: Values) -> dict[str, _Translate]:
    return {
        "load_balancing_server_nodes": _translation(snapshot.get("nodes", ()), site["nodes"]),
        "proxies": _translation(snapshot.get("proxies", ()), site["proxies"]),
    }


def _translation(old: Sequence[Values], now: Sequence[Values]) -> Callable[[str], str | None]:
    """Return a function from a name in a snapshot to the current name, or to the id if the name is not unique."""
    ids = {one["name"].casefold(): one["id"] for one in old}
    names_now = {one["id"]: one["name"] for one in now}
    known = [name.casefold() for name in names_now.values()]

    def translate(name: str) -> str | None:
        identity = ids.get(name.casefold())
        if identity in names_now:
            unique = known.count(names_now[identity].casefold()) == 1
            return str(names_now[identity] if unique else identity)
        return name if name.casefold() in known else None

    return translate


def _foreign(snapshots: Sequence[Values], site: Values) -> str:
    """Return a sentence if a snapshot has no proxy of the site, not even by name after a new installation."""
    here = {proxy["id"] for proxy in site["proxies"]}
    for snapshot in snapshots:
        proxies = snapshot.get("proxies", ())
        if proxies and not here & {proxy["id"] for proxy in proxies}:
            return "The site has none of the proxies in the snapshot. It is another site, or was installed again."
    return ""


class FilterModule:
    """Register the filter with Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"restored": restored}
