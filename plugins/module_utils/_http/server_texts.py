# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""Known texts of servers in refusals, with their causes. Pure, no I/O.

The text of a server takes precedence over conclusions from its status. Texts of Qlik Sense are from its help, its
support articles and published clients, those of Windows from HTTP.sys, those of front ends from nginx and HAProxy.
"""

from __future__ import annotations

import html
import re
import typing as t

HEADER_LIMIT = 16384  # bytes; of HTTP.sys (MaxRequestBytes), and maxHeaderSizeBytes of a proxy of Qlik Sense
_FRONT_END_LIMIT = 8192  # bytes; nginx and Apache, of one header

# The time for these does not depend on what a page leaves open.
_HIDDEN = re.compile(r"<(/?)(script|style|head)\b", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")
_LONG_NUMBER = re.compile(r"&#[0-9]{8,}")
_TITLE = re.compile(r"<title[^<>]*>([^<]*)", re.IGNORECASE)
_TOO_LONG = re.compile(
    r"request too long|headers? (?:or cookie )?(?:is |are |fields? )?too (?:long|large)|request headers is too long",
    re.IGNORECASE,
)
BLOCKED_USER = r"\b(user|account) is (inactive|blocked)\b"
"""Matches the text for a user without access (Qlik article "Your account is inactive")."""
_CAUSES: tuple[tuple[str, str], ...] = (
    (
        r"xsrf prevention check failed",
        (
            "The XSRF key of the request did not arrive in its query and in its header alike. Configure the systems in "
            "front of Qlik Sense to forward both."
        ),
    ),
    (
        r"(no access pass|usage ?denied)",
        (
            "The user is signed in, but has no license. Assign an access pass or a license rule under License "
            "management in the QMC."
        ),
    ),
    (
        BLOCKED_USER,
        "The user is blocked or inactive. Activate it under Users in the QMC.",
    ),
    (
        r"missing parameter value|cannot parse the expression|invalid expression",
        (
            "The query of the request did not arrive as it was sent: a system between this machine and Qlik Sense "
            "changes it. Connect to the node directly."
        ),
    ),
    (
        r"hijacking attack prevention check",
        (
            "The proxy refuses the Origin or the csrf token of the websocket. Check the host allow list, and that no "
            "system in front of Qlik Sense changes the header Origin or the query."
        ),
    ),
    (
        r"authenticated by the saml response",
        ("The virtual proxy authenticates with SAML, not with JWT. Check its prefix and its authentication method."),
    ),
    (
        r"access is denied due to invalid credentials",
        (
            "IIS answers, not Qlik Sense, and it requires Windows authentication. Check host and port, or configure "
            "IIS to forward requests without authentication."
        ),
    ),
    (
        r'"code": ?"(login|internal-token|csrf-token|auth)-[0-9]',
        (
            "Qlik Cloud answers. This collection is for client-managed Qlik Sense on Windows: check the host name, "
            "which must be that of a node."
        ),
    ),
    (
        r"invalid hostname|request hostname is invalid",
        (
            "Windows (HTTP.sys) refuses the host name of the request before Qlik Sense receives it. Use a name that "
            "the proxy listens on."
        ),
    ),
    (
        r"bad request - invalid (header|verb|url)|request (verb|url) is invalid|invalid header name",
        (
            "Windows (HTTP.sys) refuses the form of the request before Qlik Sense receives it. A system in front of "
            "Qlik Sense changes it; test the node directly."
        ),
    ),
    (
        r"plain http request was sent to https port",
        "This port requires TLS, and the request was sent without it. Use https:// in the address.",
    ),
    (
        r"no required ssl certificate was sent|the ssl certificate error|client certificate required",
        "This port requires a client certificate. Check the port: proxies (443) require none.",
    ),
    (
        r"virtual proxy not possible to determine",
        (
            "The request reached the login form of Qlik Sense without a virtual proxy. Check the prefix and its "
            "authentication method."
        ),
    ),
    (
        r"http error 503\. the service is unavailable",
        (
            "Windows (HTTP.sys) has no service that answers for this address. The Qlik Sense service for this port is "
            "stopped or starting. Check the Qlik Sense services, and try again."
        ),
    ),
    (
        r"http error 404\. the requested resource is not found",
        "Windows (HTTP.sys) has no service for this address. Check the port and the Qlik Sense services.",
    ),
    (
        r"no server is available to handle this request|upstream connect error",
        "A load balancer has no working server for this address. Check its health checks and the Qlik Sense services.",
    ),
)


def page_text(page: str) -> str:
    """Return the text of an HTML page without tags, scripts and styles, or its title if it has no other text."""
    first, *parts = _HIDDEN.split(page)
    visible, hidden = [first], ""
    for slash, name, text in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        if not hidden and not slash:
            hidden = name.lower()
        elif slash and name.lower() == hidden:
            hidden = ""
            visible.append(f"<{text}")  # the rest of the tag
    title = _TITLE.search(page)
    return _plain("".join(visible)) or (_plain(title[1]) if title else "")


def _plain(markup: str) -> str:
    # The standard library refuses such numbers.
    return " ".join(html.unescape(_LONG_NUMBER.sub(" ", _TAG.sub(" ", markup))).split())


def headers_too_long(status: int, text: str, header_bytes: int) -> bool:
    """Return True if a server refuses the headers of a request. 413 can be about its body, too."""
    return status == 431 or bool(_TOO_LONG.search(text)) or (status == 413 and header_bytes >= _FRONT_END_LIMIT)


def header_size(method: str, url: str, headers: t.Iterable[tuple[str, str]]) -> int:
    """Return the size in bytes of the header of a request over HTTP/1.1."""
    host, _slash, path = url.partition("://")[2].partition("/")
    lines = [f"{method} /{path} HTTP/1.1", f"Host: {host}", *map(": ".join, headers)]
    return sum(len(line.encode("utf-8", "replace")) + 2 for line in lines) + 2


def size_sentence(size: int) -> str:
    """Return a sentence with the size of the headers of a request and the usual limits, "" for usual sizes."""
    if size < _FRONT_END_LIMIT:
        return ""
    return (
        f"The headers of the request have {size} bytes. Qlik Sense (HTTP.sys) accepts {HEADER_LIMIT} in total, and "
        f"front ends often {_FRONT_END_LIMIT} for one header. Shorten the token: fewer groups and claims."
    )


def size_cause(status: int, header_bytes: int) -> str:
    """Return a sentence if a refusal without a known text is most likely about the size of the headers, or ""."""
    return size_sentence(header_bytes) if status == 400 and header_bytes > HEADER_LIMIT else ""


def known_cause(status: int, text: str, *, header_bytes: int = 0) -> str:
    """Return cause and remedy for a known text of a server, "" for any other.

    Args:
        status: the HTTP status of the refusal.
        text: the body as plain text.
        header_bytes: the size of the headers of the request, 0 if it is not known.
    """
    if headers_too_long(status, text, header_bytes):
        known = f"They have {header_bytes} bytes. " if header_bytes else ""
        return size_sentence(header_bytes) or (
            f"The headers of the request are too long for this server. {known}Qlik Sense (HTTP.sys) accepts "
            f"{HEADER_LIMIT}, so a system in front of it has a lower limit. Check its configuration."
        )
    return next((cause for pattern, cause in _CAUSES if re.search(pattern, text, re.IGNORECASE)), "")
