# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""Warnings about the settings of a virtual proxy that may not work. Pure, no I/O.

validate.py refuses new values that are certain not to work. Everything else is a warning, as is a value of the site.
"""

from __future__ import annotations

import re
import typing as t

from .. import _identifiers
from .._errors import InputError
from .._keys import certificate as _certificate
from .._text import sanitize
from . import convert
from .model import Entity, Options, Snapshot, VirtualProxy
from .validate import problems

_CORS = "access-control-allow-"
# A second "Name: value" in a value. The names of nearly all headers that are set there contain a hyphen.
_SECOND_HEADER = re.compile(r"(?:\\r|\\n|[\s,;])((?:[A-Z][A-Za-z0-9]*-)+[A-Z][A-Za-z0-9]*):\s")


def all_warnings(snapshot: Snapshot, virtual_proxies: t.Iterable[VirtualProxy]) -> list[str]:
    """Return warnings about the virtual proxies with JWT among these.

    Args:
        snapshot: the proxies of the site.
        virtual_proxies: the current or planned ones, with their links.
    """
    return [one for each in virtual_proxies if _is_jwt(each) for one in (*_links(snapshot, each), *warnings_of(each))]


def link_warnings(proxy_entities: list[Entity]) -> list[str]:
    """Return warnings about the links of the virtual proxies with JWT in proxies, as QRS returns them."""
    links = [dict(one.raw) for proxy in convert.proxy_services(proxy_entities) for one in convert.linked(proxy)]
    snapshot = convert.snapshot(links, proxy_entities)
    return [one for each in snapshot.by_prefix.values() if _is_jwt(each) for one in _links(snapshot, each)]


def _is_jwt(virtual_proxy: VirtualProxy) -> bool:
    return virtual_proxy.fields.get("authentication_method", "jwt") == "jwt"


def _links(snapshot: Snapshot, virtual_proxy: VirtualProxy) -> t.Iterator[str]:
    """Yield a warning if the link to a proxy is missing without which users cannot reach the virtual proxy."""
    if any(proxy.links is None for proxy in snapshot.proxies):
        return
    links, name = virtual_proxy.fields.get("proxies", ()), f"The virtual proxy '{virtual_proxy.prefix}' is not linked"
    central = [proxy.node.name for proxy in snapshot.proxies if proxy.is_central]
    if not links:
        yield f"{name} to any proxy, so users cannot reach it. Set proxies."
    elif central and not set(central) & set(links):
        yield (
            f"{name} to the proxy of the central node '{central[0]}'. Other proxies may then answer its prefix with "
            "status 400. Add the node to proxies."
        )


def warnings_of(virtual_proxy: VirtualProxy) -> list[str]:
    """Return warnings about the settings of a virtual proxy. Text of the certificate field is not quoted."""
    fields = virtual_proxy.fields
    name = f"The virtual proxy '{virtual_proxy.prefix}'"
    found = [f"{name}: {one}" for one in (*problems(fields), *_all(fields))]
    field = f"certificate of the virtual proxy '{virtual_proxy.prefix}'"
    expiry = [
        _certificate.expiry_warning(f"{'A further' if number else 'The JWT'} {field}", one)
        for number, one in enumerate(virtual_proxy.certificates)
    ]
    return [*_certificate_problem(name, virtual_proxy), *filter(None, expiry), *found]


def _certificate_problem(name: str, virtual_proxy: VirtualProxy) -> t.Iterator[str]:
    text = virtual_proxy.hidden or virtual_proxy.fields.get("jwt_public_key_certificate") or ""
    if _certificate.is_private_key(text):
        yield (
            f"{name} has a private key in the field of its JWT certificate, where each administrator can read it and "
            "sign tokens for any user. Replace the key pair, and give the new certificate."
        )
    elif text:
        try:
            _certificate.require_rsa(text)
        except InputError as error:
            yield f"{name} has a text in the field of its JWT certificate that cannot verify tokens: {error.message}"


def _all(fields: Options) -> t.Iterator[str]:
    yield from _hosts(fields)
    yield from _cookie(fields)
    yield from _headers(fields.get("additional_response_headers") or "")
    yield from _claims(fields)


def _hosts(fields: Options) -> t.Iterator[str]:
    for entry in fields.get("websocket_cross_origin_white_list") or ():
        try:
            kinds = _identifiers.allowed_host(entry)
        except InputError:  # one of the problems
            continue
        if kinds:
            yield (
                f"The entry {sanitize(entry, 60)!r} of the host allow list contains {kinds}. Qlik Sense compares exact "
                "host names, so it may have no effect. Add the host name alone."
            )


def _cookie(fields: Options) -> t.Iterator[str]:
    for kind in ("https", "http"):
        secure = f"has_secure_attribute_{kind}"
        if fields.get(f"same_site_attribute_{kind}") == "none" and fields.get(secure) is False:
            yield (
                f"same_site_attribute_{kind} is none without {secure}. Browsers discard such a session cookie. "
                f"Set {secure} to true."
            )
    domain = fields.get("session_cookie_domain") or ""
    if re.search(r"[:/\s]", domain):
        yield (
            f"session_cookie_domain is {sanitize(domain, 60)!r}. A domain has no scheme, port or path, so browsers "
            "discard the session cookie. Give for example .example.com."
        )


def _headers(text: str) -> t.Iterator[str]:
    lines = [line.partition(":") for line in text.splitlines() if ":" in line]
    headers = [(name.strip(), value.strip()) for name, _colon, value in lines]
    for name, value in headers:
        if second := _SECOND_HEADER.search(f" {value}"):
            yield (
                f"additional_response_headers has {second[1]} in the line of {sanitize(name, 60)}. Give one header per "
                "line."
            )
    values: dict[str, list[str]] = {}
    for name, value in headers:
        values.setdefault(name.lower(), []).append(_SECOND_HEADER.split(f" {value}")[0].strip(" ,;"))
    origins = values.get(f"{_CORS}origin", [])
    credentials = values.get(f"{_CORS}credentials", [])
    several = [one for origin in origins for one in re.split(r"[\s,;]+", origin) if one]
    if len(several) > 1 or len(origins) > 1:
        yield (
            "Access-Control-Allow-Origin has several origins, which browsers refuse. Give one origin, and a virtual "
            "proxy for each further origin."
        )
    if "*" in several and "true" in [one.lower() for one in credentials]:
        yield (
            "Access-Control-Allow-Origin is * together with Access-Control-Allow-Credentials, which browsers refuse. "
            "Give the origin of the page, such as https://portal.example.com."
        )
    for origin in several:
        if origin != "*" and (fault := _origin_fault(origin)):
            yield (
                f"The origin {sanitize(origin, 80)!r} in Access-Control-Allow-Origin {fault}, so it is not equal to "
                "that of any page. Give scheme, host and port, such as https://portal.example.com."
            )
    for value in credentials:
        if value != "true":
            yield f"Access-Control-Allow-Credentials is {sanitize(value, 40)!r}. Browsers accept only 'true'."


def _origin_fault(origin: str) -> str:
    """Return the difference between a text and an origin (RFC 6454), "" for an origin."""
    if "://" not in origin:
        return "" if origin == "null" else "has no scheme"
    rest = origin.partition("://")[2]
    if rest.endswith("/") and rest.count("/") == 1:
        return "ends with a slash"
    if "/" in rest:
        return "contains a path"
    return "contains a wildcard" if "*" in rest else ""


def _claims(fields: Options) -> t.Iterator[str]:
    options = ("jwt_attribute_user_id", "jwt_attribute_user_directory")
    names = [(option, fields.get(option) or "") for option in options]
    if names[0][1] and names[0][1] == names[1][1]:
        yield f"The claim {sanitize(names[0][1], 60)} is both the user id and the user directory. Use two claims."
    rows = fields.get("jwt_attribute_map") or ()
    names += [("jwt_attribute_map", str(row.get("jwt_attribute") or "")) for row in rows]
    for option, name in names:
        if re.search(r"\s", name) and not name.startswith("["):
            yield f"{option} has the claim {name[:60]!r}, which contains a blank. Compare it with a token."
    for row in rows:
        claim, attribute = (sanitize(str(row.get(key) or ""), 60) for key in ("jwt_attribute", "sense_attribute"))
        if not attribute:
            yield f"jwt_attribute_map maps the claim {claim} to an empty attribute. Set sense_attribute."
        elif attribute.lower().startswith(("user.", "environment.")):
            plain = attribute.rpartition(".")[2]
            yield (
                f"jwt_attribute_map maps the claim {claim} to the attribute {attribute}. Security rules add "
                f"user.environment. themselves. Set sense_attribute to {plain}."
            )
