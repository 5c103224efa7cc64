# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: drift
short_description: Report differences between sites and their declaration
version_added: 1.0.0
author:
  - The sensible.qlik contributors (@sensible-qlik)
description:
  - Returns one report for several sites. It contains the changes that M(sensible.qlik.jwt_virtual_proxies) predicts for
    each site, and the certificates that M(sensible.qlik.virtual_proxy_info) returns. The role
    P(sensible.qlik.drift#role) writes the report as text, HTML, JSON and JUnit XML.
options:
  _input:
    description:
      - The results by the name of the site. V({}) for a site without a result.
    type: dict
    required: true
    suboptions:
      error:
        description: The reason why the site could not be compared. Empty if it could.
        type: str
        default: ''
      checked:
        description:
          - The result of M(sensible.qlik.jwt_virtual_proxies) in check mode, without C(purge).
          - Not needed for a site with C(error).
        type: dict
      found:
        description:
          - The C(virtual_proxies) that M(sensible.qlik.virtual_proxy_info) returned.
          - Not needed for a site with C(error).
        type: list
        elements: dict
      warnings:
        description:
          - The warnings of M(sensible.qlik.virtual_proxy_info), which its result contains as C(warnings), such as that
            of a private key in the field of a certificate. Those of O(_input.checked) are added.
        type: list
        elements: str
        default: []
      undeclared_tag:
        description: Only undeclared JWT virtual proxies with this tag count as drift. Empty for all.
        type: str
        default: ''
  expires_within:
    description: Number of days. A certificate that expires within them, or has expired, is listed as expiring soon.
    type: int
    default: 30
seealso:
  - plugin: sensible.qlik.drift
    plugin_type: role
"""

EXAMPLES = r"""
- name: Predict the changes
  sensible.qlik.jwt_virtual_proxies:
    host: qlik1.example.com
    client_cert: certificates/client.pem
    client_key: certificates/client_key.pem
    ca_path: certificates/root.pem
    virtual_proxies: "{{ qlik_virtual_proxies }}"
  check_mode: true
  register: checked

- name: Read the virtual proxies
  sensible.qlik.virtual_proxy_info:
    host: qlik1.example.com
    client_cert: certificates/client.pem
    client_key: certificates/client_key.pem
    ca_path: certificates/root.pem
  register: info

- name: Report the result in one sentence
  ansible.builtin.debug:
    msg: "{{ (sites | sensible.qlik.drift(expires_within=60)).summary }}"
  vars:
    sites:
      prod:
        checked: "{{ checked }}"
        found: "{{ info.virtual_proxies }}"
        warnings: "{{ info.warnings | default([]) }}"
        undeclared_tag: portal
      test:
        error: The site is being upgraded.
"""

RETURN = r"""
_value:
  description: The report.
  type: dict
  contains:
    passed:
      description: Whether each site could be compared and is as declared. Certificates do not change it.
      type: bool
    summary:
      description: The outcome in one sentence.
      type: str
      sample: 1 of 3 sites is as declared, 1 has drifted (2 virtual proxies), 1 could not be compared.
    sites:
      description: The sites, in the order of the input.
      type: list
      elements: dict
      contains:
        site:
          description: Name of the site.
          type: str
        status:
          description: V(same), V(drifted) or V(unreadable).
          type: str
        error:
          description: The reason why it could not be compared, otherwise empty.
          type: str
        warnings:
          description: Warnings about its virtual proxies. They have no influence on V(status).
          type: list
          elements: str
        virtual_proxies:
          description: The declared virtual proxies, in the order of the declaration, then those that are not declared.
          type: list
          elements: dict
          contains:
            prefix:
              description: Prefix of the virtual proxy.
              type: str
            status:
              description:
                - V(same) if it is as declared, V(absent) if it is absent as declared, V(differs) if a setting differs,
                  V(missing) if it is declared and not present, V(unwanted) if it is declared absent and present,
                  V(undeclared) if it is present and not declared.
              type: str
            drifted:
              description: Whether this status counts as drift.
              type: bool
            differences:
              description: The options that differ.
              type: list
              elements: dict
              contains:
                option:
                  description: Name of the option.
                  type: str
                expected:
                  description: The declared value. A certificate is shown as its subject, expiry and fingerprint.
                  type: raw
                actual:
                  description: The value on the site.
                  type: raw
            certificate:
              description: The certificate on the site, as M(sensible.qlik.virtual_proxy_info) shows it, or null.
              type: dict
    prefixes:
      description: The prefixes of all virtual proxies of all sites, declared ones first.
      type: list
      elements: str
    certificates:
      description: The certificates on all sites, by expiry date.
      type: list
      elements: dict
      contains:
        site:
          description: Name of the site.
          type: str
        prefix:
          description: Prefix of the virtual proxy.
          type: str
        subject:
          description: Subject of the certificate.
          type: str
        not_after:
          description: End of its validity, in UTC.
          type: str
        days_left:
          description: Days until it expires. Negative if it has expired.
          type: int
        soon:
          description: Whether it expires within O(expires_within) days.
          type: bool
"""

import typing as t

from ansible.errors import AnsibleError

from ansible_collections.sensible.qlik.plugins.module_utils._text import printable_data

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Row = dict[str, t.Any]  # one virtual proxy of one site, as documented above

_STATUS = {"created": "missing", "updated": "differs", "deleted": "unwanted", "unchanged": "same"}


def drift(sites: Mapping[str, Mapping[str, t.Any]], expires_within: int = 30) -> dict[str, t.Any]:
    """Return one report about several sites.

    Args:
        sites: the results of the modules, by the name of the site.
        expires_within: days.

    Raises:
        AnsibleError: these are not results of the modules.
    """
    try:
        # Text from a site must not break a report or control a terminal.
        compared = [printable_data(_site(name, dict(outcome or {}))) for name, outcome in sites.items()]
    except (AttributeError, KeyError, TypeError, ValueError) as exc:
        raise AnsibleError(
            "The input does not look like results of "
            f"jwt_virtual_proxies and virtual_proxy_info ({type(exc).__name__}: {exc}). "
            "Give each site 'checked' and 'found', or 'error'."
        ) from exc
    rows = [(site["site"], row) for site in compared for row in site["virtual_proxies"]]
    declared = [row["prefix"] for _site_name, row in rows if row["status"] != "undeclared"]
    undeclared = sorted(row["prefix"] for _site_name, row in rows if row["status"] == "undeclared")
    return {
        "passed": all(site["status"] == "same" for site in compared),
        "summary": _summary(compared),
        "sites": compared,
        "prefixes": list(dict.fromkeys([*declared, *undeclared])),
        "certificates": sorted(
            (
                {
                    "site": name,
                    "prefix": row["prefix"],
                    **{key: row["certificate"][key] for key in ("subject", "not_after", "days_left")},
                    "soon": row["certificate"]["days_left"] < expires_within,
                }
                for name, row in rows
                if row["certificate"]
            ),
            key=lambda certificate: certificate["days_left"],
        ),
    }


def _site(name: str, outcome: Mapping[str, t.Any]) -> dict[str, t.Any]:
    error = str(outcome.get("error") or "")
    if not error and "checked" not in outcome:
        error = "The play ended for this site before it was compared. See its own error."
    rows = [] if error else _rows(outcome)
    drifted = any(row["drifted"] for row in rows)
    status = "unreadable" if error else "drifted" if drifted else "same"
    found = () if error else (*(outcome["checked"].get("warnings") or ()), *(outcome.get("warnings") or ()))
    warnings = list(dict.fromkeys(map(str, found)))
    return {"site": name, "status": status, "error": error, "warnings": warnings, "virtual_proxies": rows}


def _rows(outcome: Mapping[str, t.Any]) -> list[Row]:
    found = {one["prefix"].lower(): one for one in outcome["found"]}
    changes = {(change["after"] or change["before"])["prefix"]: change for change in outcome["checked"]["diff"]}
    rows = []
    for entry in outcome["checked"]["outcomes"]:
        prefix = entry["prefix"]
        status = _STATUS[entry["outcome"]]
        differences = _differences(changes[prefix]) if status == "differs" else []
        drifted = status != "same"
        if not drifted and prefix not in found:
            status = "absent"
        certificate = found.pop(prefix, {}).get("certificate")
        rows.append(_row(prefix, status, certificate, drifted=drifted, differences=differences))
    tag = str(outcome.get("undeclared_tag") or "").casefold()
    for prefix, one in sorted(found.items()):
        tags = [name.casefold() for name in one.get("tags", ())]
        counts = not tag or tag in tags
        rows.append(_row(prefix, "undeclared", one.get("certificate"), drifted=counts, differences=[]))
    return rows


def _row(prefix: str, status: str, certificate: t.Any, *, drifted: bool, differences: list[Row]) -> Row:
    return {
        "prefix": prefix,
        "status": status,
        "drifted": drifted,
        "differences": differences,
        "certificate": certificate or None,
    }


def _differences(change: Mapping[str, t.Any]) -> list[Row]:
    before, after = change["before"], change["after"]
    return [
        {"option": name, "expected": after[name], "actual": before.get(name)}
        for name in sorted(after)
        if after[name] != before.get(name)
    ]


def _summary(sites: Sequence[Mapping[str, t.Any]]) -> str:
    statuses = [site["status"] for site in sites]
    same, drifted, unreadable = (statuses.count(status) for status in ("same", "drifted", "unreadable"))
    if same == len(sites):
        return "The site is as declared." if same == 1 else f"All {same} sites are as declared."
    virtual_proxies = sum(row["drifted"] for site in sites for row in site["virtual_proxies"])
    total = f"{len(sites)} site{'s' if len(sites) > 1 else ''}"
    parts = [f"{same or 'none'} of {total} {'is' if same <= 1 else 'are'} as declared"]
    if drifted:
        what = f"{virtual_proxies} virtual prox{'y' if virtual_proxies == 1 else 'ies'}"
        parts.append(f"{drifted} {'has' if drifted == 1 else 'have'} drifted ({what})")
    if unreadable:
        parts.append(f"{unreadable} could not be compared")
    sentence = ", ".join(parts)
    return f"{sentence[0].upper()}{sentence[1:]}."


class FilterModule:
    """Register the filter with Ansible."""

    def filters(self) -> dict[str, Callable[..., t.Any]]:
        return {"drift": drift}
