# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The session cookie of a virtual proxy."""

from __future__ import annotations

import re

from .configuration import VirtualProxy

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_ATTRIBUTE_VALUE = re.compile(r"[^\x00-\x20;,\x7f-\U0010ffff]+")
# EVIDENCE(A; QRS API reference, VirtualProxyConfig): SameSite is 0 NoAttribute, 1 None, 2 Lax, 3 Strict
_SAME_SITE = {1: "None", 2: "Lax", 3: "Strict"}


def cookie_name(virtual_proxy: VirtualProxy, *, https: bool, http_suffix: bool = True) -> str:
    """Return the name of the session cookie in requests and responses.

    Args:
        virtual_proxy: its sessionCookieHeaderName is the name.
        https: the scheme of the request.
        http_suffix: whether this release marks cookies of plain http.
    """
    name: str = virtual_proxy["sessionCookieHeaderName"]
    # EVIDENCE(A; Qlik help "Editing a virtual proxy"): from February 2019 the cookie's name has a suffix `-HTTP` over
    # plain http
    return name if https or not http_suffix else f"{name}-HTTP"


def set_cookie(virtual_proxy: VirtualProxy, *, value: str, https: bool, http_suffix: bool = True) -> str | None:
    """Return the Set-Cookie header for a session, or None if the cookie name of the virtual proxy is not valid.

    Args:
        virtual_proxy: name, domain, path and the Secure and SameSite attributes for either scheme.
        value: the session id.
        https: the scheme of the request.
        http_suffix: whether this release marks cookies of plain http.
    """
    name = cookie_name(virtual_proxy, https=https, http_suffix=http_suffix)
    if not _TOKEN.fullmatch(name):
        return None
    # EVIDENCE(B; captured exchange): Set-Cookie is `X-Qlik-Session=<guid>; Path=/; HttpOnly; Secure`
    # EVIDENCE(A; Qlik support article ta-p/1783975): the session cookie is HttpOnly and Secure
    # INVENTED(switch=none): sessionCookieCustomPath, where it is set, replaces the path; there is never an Expires
    parts = [f"{name}={value}", f"Path={_clean(virtual_proxy.get('sessionCookieCustomPath')) or '/'}", "HttpOnly"]
    scheme = "Https" if https else "Http"
    # INVENTED(switch=none): releases without the field for Secure behave like its default
    if virtual_proxy.get(f"hasSecureAttribute{scheme}", https):
        parts.append("Secure")
    same_site = _SAME_SITE.get(virtual_proxy.get(f"sameSiteAttribute{scheme}") or 0)
    if same_site:
        parts.append(f"SameSite={same_site}")
    # EVIDENCE(A; Qlik help "Virtual proxies"): the cookie belongs to the host by default, and sessionCookieDomain
    # widens it
    domain = _clean(virtual_proxy.get("sessionCookieDomain"))
    if domain:
        parts.append(f"Domain={domain}")
    return "; ".join(parts)


def _clean(value: str | None) -> str | None:
    """Return an attribute value without the characters that end an attribute or a header."""
    return value if value and _ATTRIBUTE_VALUE.fullmatch(value) else None
