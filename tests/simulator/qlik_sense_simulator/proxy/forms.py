# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The login form of a virtual proxy with ticket authentication."""

from __future__ import annotations

import secrets
import typing as t
import urllib.parse

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from . import pages
from .configuration import VirtualProxy
from .sessions import TicketTable
from .windows import address_with_ticket, find_user

if t.TYPE_CHECKING:
    from ..site import User

# EVIDENCE(B; public addresses of login pages, qlik-sense-mcp docs/AUTH_FORM.md): the form is at
# /<prefix>/internal_forms_authentication/?targetId=<GUID>
PATH = "internal_forms_authentication"
# EVIDENCE(B; qlik-sense-mcp docs/AUTH_FORM.md, measured): a POST without targetId is 400 with this text
NO_TARGET = "Virtual proxy not possible to determine, since neither TargetId nor Virtual Proxy were specified"
_LARGEST_BODY = 64 * 1024


class FormLogin:
    """The page behind `PATH`, which returns a ticket for a user name and password.

    Args:
        users: those with a password can sign in.
        tickets: the tickets of this proxy.
    """

    def __init__(self, *, users: t.Iterable[User], tickets: TicketTable) -> None:
        self._users = [user for user in users if user.password]
        self._tickets = tickets

    def answer(self, request: Request, virtual_proxy: VirtualProxy) -> ASGIApp:
        """Return the response to a request for the form, or with its content."""
        if request.method != "POST":
            return pages.login("Enter your user name and password.")

        async def log_in(scope: Scope, receive: Receive, send: Send) -> None:
            content = bytearray()
            try:
                async for piece in request.stream():
                    content += piece[: _LARGEST_BODY - len(content)]
            except ClientDisconnect:
                return
            await self._log_in(request, virtual_proxy, bytes(content))(scope, receive, send)

        return log_in

    def _log_in(self, request: Request, virtual_proxy: VirtualProxy, content: bytes) -> Response:
        # INVENTED(switch=none): a targetId that is not known (any more) is treated like none
        if self._tickets.target(request.query_params.get("targetId", "")) is None:
            return PlainTextResponse(NO_TARGET, 400)
        # EVIDENCE(B; qlik-sense-mcp docs/AUTH_FORM.md, public scripts): the fields are username, as DIRECTORY\user, and
        # pwd
        fields = dict(urllib.parse.parse_qsl(content.decode("latin-1")))
        user = find_user(self._users, fields.get("username", ""))
        if user is None or not secrets.compare_digest(user.password.encode(), fields.get("pwd", "").encode()):
            # INVENTED(switch=none): after a wrong password the form comes again, with 401; the directory may be left
            # out
            return pages.login("The user name or password is incorrect.", status=401)
        # EVIDENCE(B; qlik-sense-mcp docs/AUTH_FORM.md): a client that follows the redirects has the session cookie
        # INVENTED(switch=none): the form returns with a ticket, as Windows authentication does
        return RedirectResponse(address_with_ticket(self._tickets, request, virtual_proxy, user), 302)
