# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""The proxies of a site in options: base URLs, and to which of them a virtual proxy is linked. Pure, no I/O."""

from __future__ import annotations

import typing as t
import urllib.parse

from ansible.module_utils.common.validation import check_type_list

from ._errors import InputError
from ._identifiers import base_url


def named_urls(proxies: t.Any, option: str = "proxy_urls") -> dict[str, list[str]]:
    """Return the base URLs of proxies, without duplicates and in their order, with the names of their nodes.

    Args:
        proxies: a list of base URLs, or a dictionary of them by node name. There are no names for a list, and several
            for the address of a load balancer in front of several nodes.
        option: the name of the option, for messages.

    Raises:
        InputError: it is neither, or an entry is not a base URL.
    """
    if not isinstance(proxies, (str, list, tuple, t.Mapping)):
        raise InputError(
            f"Expected a list or a dictionary as '{option}', got a {type(proxies).__name__}.",
            hint="Give base URLs such as https://qlik1.example.com, or a dictionary of them by node name.",
        )
    if isinstance(proxies, t.Mapping):
        pairs = [(str(name), url) for name, url in proxies.items()]
    else:
        pairs = [("", url) for url in names(proxies)]
    result: dict[str, list[str]] = {}
    for number, (name, url) in enumerate(pairs, start=1):
        result.setdefault(base_url(str(url or ""), option, number), []).extend([name] if name else [])
    return result


def qps_urls(proxies: t.Any, port: int) -> dict[str, list[str]]:
    """Return the base URLs of the proxies' own API (QPS), in the format of named_urls.

    Args:
        proxies: as for named_urls; a host name alone is enough.
        port: added to addresses without a port.

    Raises:
        InputError: it is neither a list nor a dictionary, or an entry is not the https URL of a host.
    """
    result = {}
    for number, (url, nodes) in enumerate(named_urls(proxies, "qps_urls").items(), start=1):
        if url.startswith("http:"):
            raise InputError(
                f"Entry {number} of the option 'qps_urls' is not https.",
                hint="Give host names or URLs such as https://qlik1:4243.",
            )
        result[url if urllib.parse.urlsplit(url).port else f"{url}:{port}"] = nodes
    return result


def qps_urls_of(proxy: str, proxies: t.Mapping[str, list[str]], urls: t.Mapping[str, list[str]]) -> list[str]:
    """Return the addresses of the API that may belong to a proxy: by node names, by host name, otherwise all.

    Args:
        proxy: its base URL.
        proxies: the result of named_urls.
        urls: the result of qps_urls.
    """
    host = urllib.parse.urlsplit(proxy).hostname
    nodes = _casefolded(proxies[proxy])
    named = [url for url, names_ in urls.items() if nodes & _casefolded(names_)]
    return named or [url for url in urls if urllib.parse.urlsplit(url).hostname == host] or list(urls)


def _casefolded(values: t.Iterable[str]) -> set[str]:
    return {value.casefold() for value in values}


def names(value: t.Any) -> list[str]:
    """Return a list of texts. As in Ansible, the input can also be one text with commas, or None.

    Raises:
        InputError: the input has another type.
    """
    try:
        return [str(item).strip() for item in check_type_list(value or [])]
    except TypeError:
        raise InputError(f"Expected a list of names, got a {type(value).__name__}.", hint="Give a list.") from None


def linked_urls(
    proxies: t.Mapping[str, list[str]], links: t.Sequence[str] | None, option: str = "proxy_urls"
) -> list[str]:
    """Return the base URLs of the proxies to which a virtual proxy is linked, in the order of the proxies.

    Args:
        proxies: the result of named_urls. Without node names, the virtual proxy counts as linked to all. If an address
            has several nodes, it counts as linked there if it is linked to one of them.
        links: node names or host names of the proxies to which it is linked. None if they are not known, which counts
            as linked to all.
        option: the name of the option, for messages.

    Raises:
        InputError: it is linked to a proxy without a URL, so that a login there could not be verified.
    """
    if links is None or not proxies or not all(proxies.values()):
        return list(proxies)
    linked = []
    for name in links:
        urls = [
            url
            for url, nodes in proxies.items()
            if name.casefold() in _casefolded([*nodes, urllib.parse.urlsplit(url).hostname or ""])
        ]
        if not urls:
            raise InputError(
                f"The virtual proxy is linked to the proxy of '{name}', for which '{option}' has no URL.",
                hint=f"Add it; there are URLs for: {', '.join(name for nodes in proxies.values() for name in nodes)}.",
            )
        linked += urls
    return [url for url in proxies if url in linked]
