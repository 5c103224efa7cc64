# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""The session cookie: what it has to look like, and what is wrong with it. Pure, no I/O."""

from __future__ import annotations

import typing as t

from .._virtual_proxy.model import VirtualProxy

COOKIE_REFUSED = (
    "The session cookie alone does not lead back into the session. A balancer that spreads one session over several "
    "nodes does that (sessions live in one proxy's memory), and so does a cookie name that two virtual proxies share."
)
SEVERAL_NODES = (
    "The session is known on the connection of the login, but not on a new one. A load balancer sends the connections "
    "of one browser to different nodes, and a session lives in the memory of one proxy. Set the balancer to sticky "
    "sessions, by the session cookie or by the client's address, or let users connect to the nodes themselves."
)


class Cookie(t.NamedTuple):
    """The attributes of one Set-Cookie header. The value is left out on purpose.

    same_site is "" when the attribute is missing, and so are domain and path.
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

    Settings that are not given are not compared. HttpOnly always has to be there (Qlik's article on sessions), and
    SameSite=None without Secure never is right, because every browser drops such a cookie.

    Returns:
        What was expected, what came, and what is wrong with it.
    """
    scheme = "https" if https else "http"
    name = str(virtual_proxy.fields.get("session_cookie_header_name") or "")
    # Qlik help, "Virtual proxies": over plain http the name of the cookie gets this suffix.
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
    """Why there is no cookie to come back with."""
    if any(cookie.domain for cookie in cookies):
        return (
            "The session cookie is meant for another domain than this host name, so browsers do not keep it. Use a "
            "host name within that domain, or clear the cookie domain of the virtual proxy."
        )
    if cookies:
        return "The cookie is not kept: Secure over plain http, or already expired. Look at the check cookie_flags."
    return (
        "The proxy set no session cookie, so each request with a token may open a session of its own. Check that Qlik "
        "Sense itself answers here."
    )
