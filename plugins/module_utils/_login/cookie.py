# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""Compare the session cookie with the settings of the virtual proxy. Pure, no I/O."""

from __future__ import annotations

import typing as t

from .._virtual_proxy.model import VirtualProxy

COOKIE_REFUSED = (
    "The session cookie without the token is refused. Possible causes are a load balancer that distributes one session "
    "to several nodes (a session is in the memory of one proxy), and two virtual proxies with the same cookie name."
)
SEVERAL_NODES = (
    "The session is known on the connection of the login, but not on a new one. A load balancer sends the connections "
    "of one browser to different nodes, and a session is in the memory of one proxy. Configure sticky sessions on the "
    "load balancer, by the session cookie or by the client's address, or let users connect to the nodes directly."
)


class Cookie(t.NamedTuple):
    """The attributes of one Set-Cookie header, without the value.

    same_site, domain and path are "" if the attribute is missing.
    """

    name: str
    secure: bool
    http_only: bool
    same_site: str
    domain: str
    path: str


def cookie_faults(
    cookies: t.Sequence[Cookie], *, https: bool, virtual_proxy: VirtualProxy
) -> tuple[str, str, list[str]]:
    """Compare the session cookie with the settings of the virtual proxy.

    Settings that are not given are not compared. HttpOnly is always required (Qlik's article on sessions), and
    SameSite=None always requires Secure, because browsers drop such a cookie otherwise.

    Returns:
        The expected cookie, the actual cookie, and the differences.
    """
    scheme = "https" if https else "http"
    name = str(virtual_proxy.fields.get("session_cookie_header_name") or "")
    # Qlik help, "Virtual proxies": with http the name of the cookie gets this suffix.
    names = {name} if https else {name, f"{name}-HTTP"}
    wanted = {
        "Secure": virtual_proxy.fields.get(f"has_secure_attribute_{scheme}"),
        "SameSite": virtual_proxy.fields.get(f"same_site_attribute_{scheme}"),
        "Domain": (virtual_proxy.fields.get("session_cookie_domain") or "").lstrip(".").lower(),
        "Path": virtual_proxy.fields.get("session_cookie_custom_path"),
    }
    expected = [name or "a cookie", "HttpOnly"]
    if wanted["Secure"] is not None:
        expected.append("Secure" if wanted["Secure"] else "no Secure")
    if wanted["SameSite"]:
        expected.append("no SameSite" if wanted["SameSite"] == "no_attribute" else f"SameSite={wanted['SameSite']}")
    expected += [f"{key}={wanted[key]}" for key in ("Domain", "Path") if wanted[key]]

    found = [cookie for cookie in cookies if not name or cookie.name in names]
    if not found:
        others = ", ".join(sorted({cookie.name for cookie in cookies})) or "no cookie at all"
        return "; ".join(expected), others, [f"there is no cookie {name}" if name else "there is no cookie"]
    cookie = found[-1]
    faults = [] if cookie.http_only else ["HttpOnly is missing"]
    if wanted["Secure"] is not None and cookie.secure != wanted["Secure"]:
        faults.append("Secure is missing" if wanted["Secure"] else "Secure is set")
    same_site = cookie.same_site.lower()
    if wanted["SameSite"] and (same_site or "no_attribute") != wanted["SameSite"]:
        faults.append(f"SameSite is {cookie.same_site}" if same_site else "SameSite is missing")
    if same_site == "none" and not cookie.secure:
        faults.append("SameSite=None needs Secure, or browsers drop the cookie")
    if wanted["Domain"] and cookie.domain.lstrip(".").lower() != wanted["Domain"]:
        faults.append(f"Domain is {cookie.domain or 'missing'}")
    if wanted["Path"] and cookie.path != wanted["Path"]:
        faults.append(f"Path is {cookie.path or 'missing'}")
    return "; ".join(expected), _described(cookie), faults


def _described(cookie: Cookie) -> str:
    parts = [cookie.name]
    parts += ["HttpOnly"] if cookie.http_only else []
    parts += ["Secure"] if cookie.secure else []
    parts += [f"SameSite={cookie.same_site}"] if cookie.same_site else []
    parts += [f"Domain={cookie.domain}"] if cookie.domain else []
    parts += [f"Path={cookie.path}"] if cookie.path else []
    return "; ".join(parts)


def no_usable_cookie(cookies: t.Sequence[Cookie]) -> str:
    """Return the reason why there is no cookie to send."""
    if any(cookie.domain for cookie in cookies):
        return (
            "The session cookie is for another domain than this host name, so browsers do not store it. Use a host "
            "name in that domain, or clear the cookie domain of the virtual proxy."
        )
    if cookies:
        return "Browsers do not store the cookie: it is Secure over http, or has expired. See the check cookie_flags."
    return (
        "The proxy set no session cookie, so each request with a token may open a session of its own. Check that Qlik "
        "Sense itself answers here."
    )
