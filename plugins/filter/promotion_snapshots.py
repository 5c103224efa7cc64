# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: promotion_snapshots
short_description: Read the snapshot files of promotions
version_added: 1.0.0
author:
  - The sensible.qlik contributors (@sensible-qlik)
description:
  - Takes the contents of snapshot files and returns the snapshots, or the reasons why they are not snapshots. The role
    P(sensible.qlik.promotion#role) uses this filter.
positional: paths
options:
  _input:
    description: Contents of the files.
    type: list
    elements: str
    required: true
  paths:
    description: Paths of the files, in the same order.
    type: list
    elements: str
    required: true
  host:
    description: Return only unfinished snapshots of this host of the inventory, with the virtual proxies that are
      unfinished.
    type: str
    default: ''
  site:
    description:
      - The result of M(sensible.qlik.site_info) for that host. A snapshot without a proxy of this site belongs to
        another site, from an inventory with a host of the same name, and is omitted.
      - If not set, snapshots of other sites are not recognized.
    type: dict
"""

EXAMPLES = r"""
- name: Show the site of a snapshot
  ansible.builtin.debug:
    msg: "{{ ([text] | sensible.qlik.promotion_snapshots(['test.yml']) | first).site }}"
  vars:
    text: "{site: test, source: dev, virtual_proxies: [], nodes: [], proxies: []}"

- name: Show the unfinished snapshots of a site
  ansible.builtin.debug:
    msg: "{{ [text] | sensible.qlik.promotion_snapshots(['test.yml'], host='test', site={'proxies': []}) }}"
  vars:
    text: "{site: test, unfinished: [portal]}"
"""

RETURN = r"""
_value:
  description: The snapshots.
  type: list
  elements: dict
  contains:
    path:
      description: Path of the file.
      type: str
    problem:
      description: The reason why the file is not a snapshot, without its content. Empty if it is a snapshot.
      type: str
    site:
      description: The host of the inventory.
      type: str
      sample: test
    source:
      description: The site that was promoted.
      type: str
      sample: dev
    unfinished:
      description: Prefixes whose promotion was neither completed nor rolled back.
      type: list
      elements: str
      sample: [portal]
    virtual_proxies:
      description: The virtual proxies, as a value for O(sensible.qlik.jwt_virtual_proxies#module:virtual_proxies).
      type: list
      elements: dict
    certificates:
      description: SHA-256 fingerprints of the certificates that are replaced when the snapshot is restored, by prefix.
      type: dict
    created:
      description: Ids of the virtual proxies that the promotion created, by prefix.
      type: dict
    nodes:
      description: Names and ids of the nodes.
      type: list
      elements: dict
    proxies:
      description: Names and ids of the proxies.
      type: list
      elements: dict
"""

import typing as t
from collections.abc import Mapping, Sequence

import yaml

_LISTS = ("unfinished", "virtual_proxies", "nodes", "proxies")


def promotion_snapshots(
    texts: Sequence[t.Any], paths: Sequence[str], host: str = "", site: Mapping[str, t.Any] | None = None
) -> list[dict[str, t.Any]]:
    """Return snapshots. See DOCUMENTATION."""
    found = [{"path": path, **_snapshot(text)} for text, path in zip(texts, paths, strict=True)]
    if not host:
        return found
    here = {proxy["id"] for proxy in (site or {}).get("proxies", ())}
    return [
        {**one, "virtual_proxies": [entry for entry in one["virtual_proxies"] if entry["prefix"] in one["unfinished"]]}
        for one in found
        if not one["problem"] and one["site"] == host and one["unfinished"]
        if here & {proxy["id"] for proxy in one["proxies"]}
    ]


def _snapshot(text: t.Any) -> dict[str, t.Any]:
    """Return the content of a file, with the attribute problem."""
    empty = {"site": "", "source": "", "created": {}, "certificates": {}, **{name: [] for name in _LISTS}}
    if not isinstance(text, str):
        return {**empty, "problem": "It cannot be read."}
    if not text.strip():
        return {**empty, "problem": "It is empty, because the promotion was interrupted before the first write."}
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError:
        content = None
    if not isinstance(content, dict) or not isinstance(content.get("site"), str):
        return {**empty, "problem": "It is not a snapshot of a promotion."}
    snapshot = {**empty, **{name: content[name] for name in empty if name in content}, "problem": ""}
    if not _is_intact(snapshot):
        return {**empty, "problem": "It is a snapshot of a promotion, but it was changed and cannot be read."}
    return snapshot


def _is_intact(snapshot: Mapping[str, t.Any]) -> bool:
    """Return True if all values have the types that a promotion writes."""
    return (
        all(isinstance(snapshot[name], list) for name in _LISTS)
        and isinstance(snapshot["created"], dict)
        and isinstance(snapshot["certificates"], dict)
        and all(isinstance(one, list) for one in snapshot["certificates"].values())
        and all(isinstance(text, str) for text in (*snapshot["unfinished"], *snapshot["created"].values()))
        and all(
            isinstance(one, dict) and isinstance(one.get("id"), str) and isinstance(one.get("name"), str)
            for one in (*snapshot["nodes"], *snapshot["proxies"])
        )
        and all(
            isinstance(one, dict)
            and isinstance(one.get("prefix"), str)
            and "allow_non_jwt" not in one
            and all(
                isinstance(one.get(name, []), list) and all(isinstance(text, str) for text in one.get(name, []))
                for name in ("proxies", "load_balancing_server_nodes")
            )
            for one in snapshot["virtual_proxies"]
        )
    )


class FilterModule:
    """Register the filter with Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"promotion_snapshots": promotion_snapshots}
