# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Windows authentication at a proxy: NTLM messages, checked against the passwords in the site file."""

from __future__ import annotations

import base64
import collections
import contextlib
import os
import struct
import tempfile
import typing as t
import urllib.parse

from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from ..behaviors import Switches
from .answers import below
from .configuration import VirtualProxy
from .identity import Identity
from .sessions import TicketTable

if t.TYPE_CHECKING:
    from spnego import ContextProxy

    from ..site import User

# EVIDENCE(B; documentation of butler-sheet-icons): Windows authentication is at
# /<prefix>/internal_windows_authentication/?targetId=<GUID>
PATH = "internal_windows_authentication"
_LARGEST_TOKEN = 64 * 1024
_OPEN_HANDSHAKES = 1000
_STORE = "NTLM_USER_FILE"


def is_for_windows(request: HTTPConnection, virtual_proxy: VirtualProxy) -> bool:
    """Return True if a request without a session gets Windows authentication and not the login form."""
    # EVIDENCE(A; Qlik help, connecting with cURL; B; documentation of butler-sheet-icons): the User-Agent decides
    # between Windows authentication and the form
    # INVENTED(switch=none): the pattern is text that stands somewhere in the User-Agent, in the same case
    pattern: str = virtual_proxy.get("windowsAuthenticationEnabledDevicePattern") or ""
    return pattern != "" and pattern in request.headers.get("user-agent", "")


class WindowsLogin:
    """The page behind `PATH`, which returns a ticket for a user name and password.

    Args:
        users: those with a password can sign in; the user directory is the domain.
        tickets: the tickets of this proxy.
        switches: the authentication schemes to offer.
    """

    def __init__(self, *, users: t.Iterable[User], tickets: TicketTable, switches: Switches) -> None:
        self._users = [user for user in users if user.password]
        self._tickets = tickets
        # INVENTED(switch=windows_challenge): Negotiate and NTLM are both offered
        self._schemes = {"both": ("Negotiate", "NTLM"), "ntlm": ("NTLM",), "negotiate": ("Negotiate",)}[
            switches.windows_challenge
        ]
        # NTLM authenticates a connection, not a request.
        self._handshakes: collections.OrderedDict[int, ContextProxy] = collections.OrderedDict()

    def answer(self, request: Request, virtual_proxy: VirtualProxy) -> Response:
        """Return the next response of the handshake, at its end a redirect with a ticket."""
        connection = request.scope["state"]["connection"]
        scheme, _blank, encoded = request.headers.get("authorization", "").partition(" ")
        offered = next((one for one in self._schemes if one.lower() == scheme.lower()), None)
        if offered is None or len(encoded) > _LARGEST_TOKEN:
            return self._challenge()
        context = self._handshakes.pop(connection, None)
        try:
            token = base64.b64decode(encoded.strip(), validate=True)
            context, reply = self._step(context, token)
        except _refusals():
            # The response does not reveal whether the user or the password was wrong.
            return self._challenge()
        if not context.complete:
            self._handshakes[connection] = context
            if len(self._handshakes) > _OPEN_HANDSHAKES:
                self._handshakes.popitem(last=False)
            return self._challenge((f"{offered} {base64.b64encode(reply or b'').decode()}",))
        user = find_user(self._users, context.client_principal or "")
        if user is None:
            return self._challenge()
        # EVIDENCE(B; public scripts that sign in so): Windows authentication ends with 302 back to what was asked for,
        # with qlikTicket
        address = address_with_ticket(self._tickets, request, virtual_proxy, user)
        headers = {"WWW-Authenticate": f"{offered} {base64.b64encode(reply).decode()}"} if reply else {}
        return RedirectResponse(address, 302, headers=headers)

    def _challenge(self, challenges: t.Sequence[str] | None = None) -> Response:
        # INVENTED(switch=none): the text of the 401 that asks for Windows authentication
        response = PlainTextResponse("Unauthorized", 401)
        for challenge in challenges or self._schemes:
            response.headers.append("WWW-Authenticate", challenge)
        return response

    def _step(self, context: ContextProxy | None, token: bytes) -> tuple[ContextProxy, bytes | None]:
        """Process the client's message and return the response."""
        import spnego

        bare = token.startswith(b"NTLMSSP\0")
        with self._passwords():
            if context is None:
                context = spnego.server(
                    protocol="ntlm" if bare else "negotiate",
                    options=spnego.NegotiateOptions.use_ntlm if bare else spnego.NegotiateOptions.use_negotiate,
                )
            return context, context.step(token)

    @contextlib.contextmanager
    def _passwords(self) -> t.Iterator[None]:
        """Provide the passwords to pyspnego: in a file whose name is in the environment."""
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", prefix="qlik-sense-simulator-") as file:
            for user in self._users:
                # INVENTED(switch=none): the domain may be omitted
                for domain in (user.user_directory, ""):
                    file.write(f"{domain}:{user.user_id}:{user.password}\n")
            file.flush()
            before = os.environ.get(_STORE)
            os.environ[_STORE] = file.name
            try:
                yield
            finally:
                if before is None:
                    del os.environ[_STORE]
                else:
                    os.environ[_STORE] = before


def find_user(users: t.Iterable[User], principal: str) -> User | None:
    """Return a user by "DOMAIN\\user" or "user", or None."""
    domain, _backslash, name = principal.rpartition("\\")
    for user in users:
        if user.user_id.casefold() == name.casefold() and domain.casefold() in ("", user.user_directory.casefold()):
            return user
    return None


def address_with_ticket(tickets: TicketTable, request: Request, virtual_proxy: VirtualProxy, user: User) -> str:
    """Return the address that a user requested before the login, with a ticket that signs in the user."""
    ticket = tickets.issue(
        virtual_proxy_id=virtual_proxy["id"],
        identity=Identity(user_directory=user.user_directory, user_id=user.user_id),
    )
    target = tickets.target(request.query_params.get("targetId", "")) or below(virtual_proxy, "hub/")
    joint = "&" if urllib.parse.urlsplit(target).query else "?"
    return f"{target}{joint}qlikTicket={ticket}"


def _refusals() -> tuple[type[Exception], ...]:
    """Return the exceptions of pyspnego for invalid messages and wrong passwords."""
    from spnego.exceptions import SpnegoError

    return SpnegoError, struct.error, ArithmeticError, AttributeError, LookupError, TypeError, ValueError
