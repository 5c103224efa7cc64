# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Authentication at a virtual proxy: the credentials of a request, and the session that they lead to."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from starlette.datastructures import Headers, QueryParams
from starlette.requests import HTTPConnection, cookie_parser

from ..behaviors import Switches
from .configuration import VirtualProxy
from .cookies import cookie_name
from .identity import Identity, Refusal
from .pages import MISSING_HEADER
from .sessions import Session, SessionTable, TicketTable
from .tokens import judge_authorization

if t.TYPE_CHECKING:
    from ..repository.store import Store

# EVIDENCE(A; QRS API reference, VirtualProxyConfig): authenticationMethod is 0 Ticket, 1 and 2 header with static and
# dynamic user directory, 3 SAML, 4 JWT, 5 OIDC
TICKET, HEADER_STATIC, HEADER_DYNAMIC, SAML, JWT, OIDC = range(6)
# EVIDENCE(A; QRS API reference, VirtualProxyConfig): anonymousAccessMode is 0 NoAnonymousUser, 1 AllowAnonymous, 2
# AlwaysAnonymous
NO_ANONYMOUS, ALLOW_ANONYMOUS, ALWAYS_ANONYMOUS = range(3)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Visit:
    """The result of an authentication: a session, or the reason why there is none.

    Args:
        session: the caller's session.
        created: whether this request created it.
        presented: whether the request carried credentials other than a cookie.
        refusal: why there is no session; None if the caller sent no credentials.
        blocked: the refusal is about an inactive or blocked user.
        over_limit: the refusal is about the number of parallel sessions.
    """

    session: Session | None = None
    created: bool = False
    presented: bool = False
    refusal: Refusal | None = None
    blocked: bool = False
    over_limit: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class SignIn:
    """The authentication of one proxy.

    Args:
        switches: the switches of the site.
        sessions: the sessions of this proxy.
        tickets: the tickets of this proxy.
        store: the users of the site.
        http_suffix: whether the names of cookies over plain http have a suffix.
    """

    switches: Switches
    sessions: SessionTable
    tickets: TicketTable
    store: Store
    http_suffix: bool = True

    def visit(self, request: HTTPConnection, virtual_proxy: VirtualProxy) -> Visit:
        """Find or create the caller's session. It is created only for a user who is allowed to sign in."""
        session = self.session_of_cookie(request, virtual_proxy)
        mode = virtual_proxy.get("anonymousAccessMode") or NO_ANONYMOUS
        # INVENTED(switch=none): where all users are anonymous, credentials are ignored
        presented = None if mode == ALWAYS_ANONYMOUS else self.credentials(request, virtual_proxy)
        if isinstance(presented, Refusal):
            # EVIDENCE(A; NPrinting help "JWT authentication", same text family): a token is judged again next to a
            # valid cookie, and an invalid one refuses the call
            # INVENTED(switch=invalid_token_with_cookie): Sense does with an invalid token what NPrinting does
            if session is None or self.switches.invalid_token_with_cookie == "refuse":
                return Visit(presented=True, refusal=presented)
            presented = None
        if presented is None:
            if session is not None:
                # EVIDENCE(A; NPrinting help "JWT authentication", same text family): the cookie alone is enough after
                # the first call
                return Visit(session=session)
            if mode != NO_ANONYMOUS:
                return self._begin(virtual_proxy, Identity.anonymous())
            return Visit()
        if session is not None:
            # EVIDENCE(A; NPrinting help "JWT authentication", same text family): a token of another user than the
            # cookie's gets a new session
            # INVENTED(switch=other_user_with_cookie): Sense does with another user what NPrinting does; the old session
            # lives on
            same_user = session.identity.key == presented.key
            if same_user or self.switches.other_user_with_cookie == "keep_session":
                return Visit(session=session, presented=True)
        return self._begin(virtual_proxy, presented)

    def user(self, identity: Identity) -> dict[str, t.Any] | None:
        """Return the row of a user in the repository, or None."""
        return None if identity.is_anonymous else self.store.find_user(identity.user_directory, identity.user_id)

    def user_name(self, identity: Identity) -> str:
        """Return the display name of a user from the repository, or else the identifier."""
        user = self.user(identity)
        return (user and user.get("name")) or identity.user_id

    def _begin(self, virtual_proxy: VirtualProxy, identity: Identity) -> Visit:
        if not identity.is_anonymous:
            user = self.store.find_user(identity.user_directory, identity.user_id)
            if user is None:
                # EVIDENCE(B; public gateway guide): the first login creates the repository's user
                # INVENTED(switch=unknown_user): unknown users are accepted everywhere; according to qlik-sense-mcp they
                # are refused
                if self.switches.unknown_user == "refuse":
                    return Visit(presented=True, refusal=Refusal("The user is not known."))
                self.store.touch_user(identity.user_directory, identity.user_id)
            elif user.get("inactive") or user.get("blacklisted") or user.get("removedExternally"):
                return Visit(presented=True, refusal=Refusal("The user is not allowed to log in."), blocked=True)
        session = self.sessions.open(virtual_proxy=virtual_proxy, identity=identity)
        if session is None:
            return Visit(presented=True, refusal=Refusal("Too many parallel sessions."), over_limit=True)
        return Visit(session=session, created=True, presented=not identity.is_anonymous)

    def session_of_cookie(self, request: HTTPConnection, virtual_proxy: VirtualProxy) -> Session | None:
        """Return the active session of the request's cookie, or None."""
        name = cookie_name(virtual_proxy, https=is_encrypted(request), http_suffix=self.http_suffix)
        for header in request.headers.getlist("cookie"):
            value = cookie_parser(header).get(name)
            session = self.sessions.find(value, virtual_proxy_id=virtual_proxy["id"]) if value else None
            if session is not None:
                return session
        return None

    def credentials(self, request: HTTPConnection, virtual_proxy: VirtualProxy) -> Identity | Refusal | None:
        """Authenticate by the credentials other than a cookie. Returns None if the request has none."""
        method = virtual_proxy.get("authenticationMethod") or TICKET
        if method == JWT:
            header = request.headers.get("authorization")
            if header is None:
                return None
            return judge_authorization(header, virtual_proxy, switches=self.switches)
        if method in (HEADER_STATIC, HEADER_DYNAMIC):
            return _header_identity(request.headers, virtual_proxy, dynamic=method == HEADER_DYNAMIC)
        if method == TICKET:
            ticket = query_value(request.query_params, "qlikticket")
            # INVENTED(switch=none): a ticket that is no longer good counts as none, which leads to the login
            return self.tickets.redeem(ticket, virtual_proxy_id=virtual_proxy["id"]) if ticket else None
        # Identity providers of SAML and OIDC are not simulated, so these methods authenticate no requests.
        return None


def is_encrypted(request: HTTPConnection) -> bool:
    """Return True if a request or websocket came over TLS."""
    return request.scope["scheme"] in ("https", "wss")


def missing_credentials(virtual_proxy: VirtualProxy) -> Refusal | None:
    """Return the refusal of a request without credentials, or None if a login page is shown instead."""
    method = virtual_proxy.get("authenticationMethod") or TICKET
    # INVENTED(switch=none): without its header, header authentication is refused with the text of JWT authentication
    return Refusal(MISSING_HEADER) if method in (JWT, HEADER_STATIC, HEADER_DYNAMIC) else None


def _header_identity(headers: Headers, virtual_proxy: VirtualProxy, *, dynamic: bool) -> Identity | Refusal | None:
    """Return the user that a trusted reverse proxy names in a header."""
    value = headers.get((virtual_proxy.get("headerAuthenticationHeaderName") or "").strip())
    if value is None:
        return None
    # EVIDENCE(A; Qlik help "Virtual proxies properties"): header authentication supports US-ASCII only
    if not value.isascii() or not value.strip():
        return Refusal("The authentication header is not usable.")
    if not dynamic:
        directory = virtual_proxy.get("headerAuthenticationStaticUserDirectory") or ""
        return Identity(user_directory=directory, user_id=value.strip()) if directory else _no_directory()
    found = _dynamic_pattern(virtual_proxy.get("headerAuthenticationDynamicUserDirectory") or "").fullmatch(
        value.strip()
    )
    if found is None or set(found.groupdict()) != {"ud", "id"}:
        return _no_directory()
    return Identity(user_directory=found["ud"], user_id=found["id"])


def _no_directory() -> Refusal:
    return Refusal("The authentication header names no user directory.")


def _dynamic_pattern(pattern: str) -> re.Pattern[str]:
    r"""Return the regular expression for a pattern such as `$ud\\$id`, in which a doubled backslash is one."""
    expression = re.escape(pattern.replace("\\\\", "\\"))
    for name in ("ud", "id"):
        expression = expression.replace(re.escape(f"${name}"), f"(?P<{name}>.+?)", 1)
    return re.compile(expression)


def query_value(query: QueryParams, name: str) -> str | None:
    """Return a query value by its name in any case."""
    return next((value for key, value in query.multi_items() if key.lower() == name), None)
