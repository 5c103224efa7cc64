# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The HTML pages of a proxy: hub, login form and refusals. All text in a page is escaped here."""

from __future__ import annotations

import functools
import html
import pathlib
import string
import typing as t

from starlette.responses import HTMLResponse, PlainTextResponse, Response

from ..behaviors import Switches
from .configuration import VirtualProxy
from .identity import Identity

# EVIDENCE(A; Qlik support article ta-p/1716226): a request without an Authorization header is refused with "Could not
# authenticate the request: Expected an authentication header."
MISSING_HEADER = "Expected an authentication header."
REFUSED = "Could not authenticate the request: {reason}"
# EVIDENCE(A; Qlik support article ta-p/1713765): the message for an inactive user asks to contact the administrator
INACTIVE = "Your account is inactive. Contact your administrator to activate it."
# EVIDENCE(A; Qlik support article ta-p/1715138): the message for a user without a license is that there is no access
# pass
NO_ACCESS_PASS = "You cannot access Qlik Sense because you have no access pass."
# INVENTED(switch=none): the sentence about too many sessions; only OnMaxParallelSessionsExceeded is published
TOO_MANY_SESSIONS = "You cannot access Qlik Sense because you have too many parallel sessions."
# EVIDENCE(B; qlik-sense-mcp docs/AUTH_JWT.md): an unknown prefix gets "The http request header is incorrect", on a page
# of about 88 KB
BAD_REQUEST = "The http request header is incorrect"
BAD_REQUEST_PAGE_BYTES = 88 * 1024


@functools.cache
def _template(name: str) -> string.Template:
    return string.Template((pathlib.Path(__file__).parent / "pages" / name).read_text(encoding="utf-8"))


def _page(name: str, *, markup: t.Mapping[str, str] | None = None, **texts: str) -> str:
    """Return a page with texts, which are escaped, and markup, which comes from this module."""
    escaped = {key: html.escape(value) for key, value in texts.items()}
    return _template(name).substitute({**escaped, **(markup or {})})


def hub(
    *, identity: Identity, user_name: str, virtual_proxy: VirtualProxy, node: str, release: str, notice: str
) -> Response:
    """Return the hub page of a signed-in user.

    Args:
        identity: the user.
        user_name: the display name.
        virtual_proxy: the virtual proxy of the request.
        node: the name of the node.
        release: the name of the release.
        notice: a text to show instead of apps, or "".
    """
    rows = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in identity.attributes)
    return HTMLResponse(
        _page(
            "hub.html",
            user=f"{identity.user_directory}\\{identity.user_id}",
            user_name=user_name,
            virtual_proxy=virtual_proxy.get("description") or "",
            prefix=f"/{virtual_proxy.get('prefix') or ''}",
            node=node,
            release=release,
            markup={
                "attributes": rows,
                "notice": f'<p class="notice">{html.escape(notice)}</p>' if notice else "",
            },
        ),
        headers={"Cache-Control": "no-store"},
    )


def login(text: str, *, status: int = 200) -> Response:
    """Return the login form of a virtual proxy with ticket or Windows authentication."""
    return HTMLResponse(_page("login.html", text=text), status)


def message(status: int, *, title: str, text: str = "") -> Response:
    """Return a page with one sentence."""
    return HTMLResponse(_page("message.html", title=title, text=text), status)


def refused(status: int, text: str, *, switches: Switches) -> Response:
    """Return the refusal of a request without a valid session."""
    # INVENTED(switch=refusal_body): the body of a refusal is the bare sentence
    response = message(status, title=text) if switches.refusal_body == "html" else PlainTextResponse(text, status)
    # INVENTED(switch=www_authenticate): a 401 has no WWW-Authenticate
    if status == 401 and switches.www_authenticate:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


@functools.cache
def _bad_request_page() -> str:
    page = _page(
        "message.html",
        title=BAD_REQUEST,
        text="The virtual proxy is unknown or not linked to this proxy, or the host name is not on its allow list.",
    )
    # The real page embeds fonts and images. This one has the same size, for clients that read bodies.
    filling = "<!-- the real page is this long: fonts and pictures are part of it -->\n"
    missing = BAD_REQUEST_PAGE_BYTES - len(page.encode())
    return page + (filling * (missing // len(filling) + 1))[: max(missing, 0)].rpartition("<!--")[0]


def bad_request(status: int = 400) -> Response:
    """Return the styled page for an unknown prefix and for a host name that is not allowed."""
    return HTMLResponse(_bad_request_page(), status)


def bad_syntax() -> Response:
    """Return the response to a request that is not valid HTTP."""
    # INVENTED(switch=none): a request that is none is 400 with the text Bad Request, from the web server in front
    return PlainTextResponse("Bad Request", 400)
