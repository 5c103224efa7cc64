# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: linked_proxies
short_description: Select the proxies to which a virtual proxy is linked
version_added: 1.0.0
author:
  - The sensible.qlik contributors (@sensible-qlik)
description:
  - Takes the base URLs of a site's proxies and returns those of the proxies to which a virtual proxy is linked. The
    rule is the same as that of M(sensible.qlik.login_check) for the proxies on which a login must work.
positional: links
options:
  _input:
    description:
      - >-
        A dictionary of base URLs by node name, such as V({Central: https://qlik1.example.com}), or a list of base URLs.
      - With a list, the virtual proxy counts as linked to all of them. A list with more entries than O(links) is an
        error, because logins would fail on some of the proxies.
    type: raw
    required: true
  links:
    description:
      - Names of the nodes to whose proxies the virtual proxy is linked, C(proxies) in the results of
        M(sensible.qlik.virtual_proxy_info). Host names of the URLs are accepted as well.
      - With V(none), which is the default, the virtual proxy counts as linked to all proxies.
      - A name without a URL is an error.
    type: list
    elements: str
  option:
    description: Name of the variable with the URLs, for messages.
    type: str
    default: proxy_urls
seealso:
  - module: sensible.qlik.login_check
  - module: sensible.qlik.virtual_proxy_info
"""

EXAMPLES = r"""
- name: Show on which proxies users of a virtual proxy can log in
  ansible.builtin.debug:
    msg: "{{ qlik_proxy_urls | sensible.qlik.linked_proxies(['Central'], option='qlik_proxy_urls') }}"
  vars:
    qlik_proxy_urls:
      Central: https://qlik1.example.com
      Rim1: https://qlik2.example.com
"""

RETURN = r"""
_value:
  description: Base URLs without a trailing slash, in the order of the input.
  type: list
  elements: str
  sample: [https://qlik1.example.com]
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.sensible.qlik.plugins.module_utils import _proxies
from ansible_collections.sensible.qlik.plugins.module_utils._errors import InputError


def linked_proxies(proxies: t.Any, links: t.Any = None, option: str = "proxy_urls") -> list[str]:
    """Return the base URLs. See RETURN.

    Raises:
        AnsibleFilterError: the input is not a list or dictionary of base URLs, or does not match the links.
    """
    try:
        known = None if links is None else _proxies.names(links)
        urls = _proxies.named_urls(proxies, option)
        if known and not any(urls.values()) and len(urls) > len(known):
            raise InputError(
                f"{option} is a list of {len(urls)} proxies, which means that logins work on each of them, but the "
                f"virtual proxy is linked to the proxy of {', '.join(known)} only.",
                hint=f"Give a dictionary of URLs by node name, such as {{{known[0]}: {next(iter(urls))}}}, with all "
                "proxies.",
            )
        return _proxies.linked_urls(urls, known, option)
    except InputError as error:
        raise AnsibleFilterError(str(error)) from None


class FilterModule:
    """Register the filter with Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"linked_proxies": linked_proxies}
