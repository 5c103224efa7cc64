# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: expected_logins
short_description: Determine on which proxies of a site logins are expected
version_added: 1.0.0
author:
  - The sensible.qlik contributors (@sensible-qlik)
description:
  - Takes virtual proxies and the addresses of a site's proxies, and returns them as arguments for
    P(sensible.qlik.smoke_test#role). The role then verifies that logins work only on proxies to which the virtual proxy
    is linked. Nodes whose proxy is disabled are omitted.
  - A list of addresses is converted to a dictionary by node name, with the host names and ports that the site has for
    its nodes.
positional: site, proxy_urls
options:
  _input:
    description: Virtual proxies with C(proxies), as M(sensible.qlik.virtual_proxy_info) returns them.
    type: list
    elements: dict
    required: true
  site:
    description: The result of M(sensible.qlik.site_info) for the site.
    type: dict
    required: true
  proxy_urls:
    description: Base URLs of the proxies, as a list or as a dictionary by node name. Empty if they are not known.
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: Read the site
  sensible.qlik.site_info:
    host: qlik1.example.com
    client_cert: certificates/client.pem
    client_key: certificates/client_key.pem
    ca_path: certificates/root.pem
  register: site

- name: Show on which proxies a login through the portal is expected
  ansible.builtin.debug:
    msg: "{{ [{'prefix': 'portal', 'proxies': ['Central']}] | sensible.qlik.expected_logins(site, []) }}"
"""

RETURN = r"""
_value:
  description: The arguments for the verification.
  type: dict
  contains:
    virtual_proxies:
      description: The virtual proxies. Their C(proxies) contain only nodes whose proxy is enabled.
      type: list
      elements: dict
      sample: [{prefix: portal, proxies: [Central]}]
    proxy_urls:
      description:
        - Base URLs by node name. A list if the nodes are not known and each virtual proxy is linked to each proxy.
          Empty if no URL was given.
      type: raw
      sample: {Central: https://qlik1.example.com}
    problem:
      description: The reason why the logins cannot be verified. Empty if they can.
      type: str
      sample: ''
"""

import typing as t
import urllib.parse
from collections.abc import Mapping, Sequence

from ansible_collections.sensible.qlik.plugins.module_utils import _proxies
from ansible_collections.sensible.qlik.plugins.module_utils._errors import InputError

Values = Mapping[str, t.Any]


def expected_logins(virtual_proxies: Sequence[Values], site: Values, proxy_urls: t.Any) -> dict[str, t.Any]:
    """Return the arguments for a verification. See RETURN."""
    disabled = {node["name"].casefold() for node in site["nodes"] if not node.get("proxy_enabled", True)}
    shown = [
        {**one, "proxies": [name for name in one["proxies"] if name.casefold() not in disabled]}
        for one in virtual_proxies
    ]
    try:
        given = _proxies.named_urls(proxy_urls) if proxy_urls else {}
    except InputError as error:
        return {"virtual_proxies": shown, "proxy_urls": [], "problem": str(error)}
    found = [(_node(url, name, site["proxies"]), url) for url, names in given.items() for name in names or [""]]
    enabled = [(node, url) for node, url in found if node.casefold() not in disabled]
    urls = list(dict.fromkeys(url for _node_name, url in enabled))
    linked = {name: one["prefix"] for one in shown for name in one["proxies"]}
    named = dict(enabled)
    problem = ""
    if "" in named or len(named) < len(enabled):
        everywhere = {proxy["name"] for proxy in site["proxies"]}
        everywhere = {name for name in everywhere if name.casefold() not in disabled}
        if all(set(one["proxies"]) == everywhere for one in shown):
            return {"virtual_proxies": shown, "proxy_urls": urls, "problem": ""}
        problem = "It is a list, and not all URLs have the host name of one node. Give a dictionary by node name."
    elif given and (missing := [name for name in linked if name not in named]):
        problem = f"It has no URL for the node '{missing[0]}', to which '{linked[missing[0]]}' is linked."
    return {"virtual_proxies": shown, "proxy_urls": named, "problem": problem}


def _node(url: str, name: str, proxies: Sequence[Values]) -> str:
    """Return the name of the node that has a URL, the given name or an empty text if the site has no such node."""
    host = urllib.parse.urlsplit(url).hostname or ""
    for is_meant in (
        lambda proxy: name.casefold() in (proxy["name"].casefold(), proxy["host_name"].casefold()),
        lambda proxy: proxy["url"].casefold() == url.casefold(),
        lambda proxy: proxy["host_name"].casefold() == host,
    ):
        found = [proxy["name"] for proxy in proxies if is_meant(proxy)]
        if len(found) == 1:
            return str(found[0])
    return name


class FilterModule:
    """Register the filter with Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"expected_logins": expected_logins}
