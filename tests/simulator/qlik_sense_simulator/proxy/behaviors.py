# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Switches of the proxies.

Each field of `ProxySwitches` is a question that the public sources leave open or answer in two ways. The default is
the answer with the better evidence. The other values exist so that clients can be tested against either answer.
"""

from __future__ import annotations

import dataclasses
import typing as t


@dataclasses.dataclass(frozen=True, kw_only=True)
class ProxySwitches:
    """How the simulated site behaves where a real one could behave either way."""

    # --- How the proxy finds a virtual proxy

    unknown_prefix: t.Literal["400", "403", "404", "302"] = "400"
    """A prefix that no linked virtual proxy has: the styled 400 page (measured on a multi-node site of November 2025,
    qlik-sense-mcp), 403, 404, or a redirect to the login of the default virtual proxy (guessed for single nodes)."""

    central_link_required: bool = True
    """In a multi-node site, a virtual proxy that is not linked to the central node's proxy gets the 400 page from every
    proxy (measured, qlik-sense-mcp). False: each proxy serves whatever is linked to it."""

    host_allow_list: t.Literal["400", "403", "off"] = "400"
    """The status when the host name of a request is neither the node's own nor on the virtual proxy's host allow list.
    Community reports say 400, qlik-sense-mcp says 403; off: not checked."""

    host_allow_list_match: t.Literal["exact", "suffix"] = "exact"
    """exact: a host name equals an entry (qlik-sense-mcp). suffix: an entry also covers the names below it."""

    hub_redirect: bool = True
    """/hub answers 302 to /hub/. False: it answers 200 itself."""

    hub_redirect_signs_in: bool = True
    """That redirect is behind the login and brings the cookie. False: everybody gets it, and the hub brings the
    cookie."""

    # --- How a proxy takes over a saved change

    reload_seconds: float = 0.0
    """How long (seconds) a proxy is away after a save of a virtual proxy or proxy service; then the change works.
    Reported: 10 to 30 on real sites; 0 takes it over at once."""

    reload_answer: t.Literal["503", "disconnect"] = "503"
    """What a request gets during that time: a 503 page, or a connection closed without an answer."""

    reload_drops_sessions: t.Literal["none", "virtual_proxy", "all"] = "all"
    """Which sessions end with the reload: none, those of the virtual proxies that changed, or all of this proxy."""

    # --- How a token is judged

    leeway_seconds: float = 0.0
    """Clock tolerance (seconds) for exp, nbf and iat. No figure is published."""

    refuse_future_iat: bool = False
    """Refuse a token only because iat is in the future. NPrinting's help page counts exp and nbf alone."""

    bracket_constant: bool = True
    """A value in brackets as user directory attribute, "[DOMAIN]", is a constant and not a claim name."""

    enforce_audience: bool = True
    """A virtual proxy with a jwtAudience wants the same value in aud. False: aud is ignored altogether."""

    accept_bare_public_key: bool = False
    """A PUBLIC KEY block in jwtPublicKeyCertificate works like a certificate. Reports contradict each other."""

    refuse_expired_certificate: bool = False
    """Refuse every token when the certificate itself is outside its validity dates. Nobody documents that."""

    refuse_several_certificates: bool = False
    """Refuse every token when jwtPublicKeyCertificate has more than one certificate, instead of using the first."""

    refuse_foreign_issuer: bool = False
    """Refuse every token when the certificate is neither self-signed nor issued by the authority of the site. Nothing
    says that a chain is looked at."""

    refuse_short_keys: bool = False
    """Refuse every token when the certificate's RSA key has fewer than 2048 bits. Published examples have 1024."""

    case_sensitive_claims: bool = True
    """The names of claims count with their capitals (two reports). False: any case will do."""

    reserved_claims_work: bool = True
    """A claim of the standard (sub, ...) works as user id or user directory. Qlik's article calls some reserved without
    a list; a public guide uses them."""

    # --- What a refused caller sees

    refused_token_status: t.Literal["401", "403", "302"] = "401"
    """The status for a token that is refused. 401 is the expected family; Qlik's own client tolerates all three."""

    signed_out_status: t.Literal["401", "403", "302"] = "401"
    """The status for somebody with neither header nor cookie where a virtual proxy wants a token, on paths other than
    the hub, for which Qlik's article has 401."""

    refusal_body: t.Literal["text", "html"] = "text"
    """Whether the sentence of a refusal comes as plain text or inside an HTML page."""

    www_authenticate: bool = False
    """A 401 carries "WWW-Authenticate: Bearer". Nothing is published about it."""

    blocked_user_status: t.Literal["403", "401"] = "403"
    """The status for an inactive or blocked user."""

    unknown_user: t.Literal["create", "refuse"] = "create"
    """A user that the repository does not know yet: created at the first login, or refused with 401."""

    windows_challenge: t.Literal["both", "ntlm", "negotiate"] = "both"
    """What Windows authentication offers with its 401: Negotiate and NTLM, or one of them. NTLM goes through either."""

    user_endpoint_refuses: bool = False
    """GET /qps/user answers a caller who is not signed in like any other path, instead of 200 with a loginUri."""

    # --- Sessions and cookies

    other_user_with_cookie: t.Literal["new_session", "keep_session"] = "new_session"
    """A valid token of another user than the session in the cookie: a new session for the new user (NPrinting twin of
    the help page), or the cookie wins."""

    invalid_token_with_cookie: t.Literal["refuse", "ignore"] = "refuse"
    """An invalid token next to a valid cookie: refused (NPrinting twin of the help page), or the cookie is enough."""

    repeat_set_cookie: bool = False
    """Send Set-Cookie on every answer to a request that carries credentials, not only when a session is created."""

    session_id: t.Literal["guid", "opaque"] = "guid"
    """The value of the session cookie: a GUID (support article), or other text (the help warns that it may be)."""

    csrf_status: t.Literal["204", "200"] = "204"
    """The status of GET /qps/csrftoken, where the release has it."""

    session_limit: t.Literal["websocket", "refuse", "drop_oldest"] = "websocket"
    """What happens to the sixth parallel session of a user. websocket: it exists, and only a websocket is refused (the
    one documented effect). refuse: the login gets 403. drop_oldest: the oldest one ends."""

    session_limit_counts: t.Literal["parallel", "five_minutes"] = "parallel"
    """Whether the limit counts the sessions that are alive, or all that began within the last five minutes."""

    logout_status: t.Literal["200", "204"] = "200"
    """The status of DELETE /qps/user."""

    repository_requires_csrf: bool = False
    """A request to the repository with a session cookie wants the header qlik-csrf-token, on releases that have the
    token. Qlik's own client sends only the xrfkey."""

    logout_requires_csrf: bool = False
    """DELETE /qps/user wants the header qlik-csrf-token, on releases that have the token."""

    ticket_redirect: bool = False
    """A request signed in by ?qlikTicket= is redirected to the same address without the ticket."""

    qps_created_status: t.Literal["201", "200"] = "201"
    """The status of POST ticket and POST session on the proxy's own API."""

    token_session_attributes: t.Literal["listed", "empty", "absent"] = "listed"
    """How the proxy's own API shows the attributes of a session that a token opened: all of them, none, or without the
    member Attributes."""

    # --- The hub and what is around it

    access_pass: bool = True
    """Users have a licence. False: hub or websocket say that there is no access pass."""

    access_pass_notice: t.Literal["hub", "websocket"] = "hub"
    """Where somebody without a licence sees that first: the hub's page says so already (status 200 all the same), or
    the hub looks as it always does."""

    product_info_anonymous: bool = False
    """product-info.json is readable without a session."""

    # --- Websockets

    websocket_authorization: t.Literal["ignored", "allowed", "refused"] = "ignored"
    """An Authorization header on a websocket's upgrade, on releases that want the csrf token. ignored: the cookie has
    to be there. allowed: it signs in as well (Qlik's own enigma.js example sends it next to the token). refused: 403
    (community, qlik-sense-mcp)."""

    websocket_origin: t.Literal["required", "checked", "ignored"] = "required"
    """The Origin of a websocket. required: it has to be there since November 2024 (qlik-sense-mcp), and to be allowed.
    checked: it has to be allowed if there is one. ignored: it may be anything."""

    websocket_greeting: t.Literal["at_once", "first_message"] = "at_once"
    """Whether OnAuthenticationInformation comes at once, or only after the client's first message. The help says that
    it may."""

    websocket_asks_to_sign_in: bool = True
    """Somebody without cookie and header, on releases without the csrf token: the websocket opens and says that they
    must authenticate (message in the help). False: the upgrade is refused like any other request."""

    websocket_refusal: t.Literal["notification", "session_state"] = "notification"
    """How somebody without a licence or with too many sessions is refused: by OnLicenseAccessDenied and
    OnMaxParallelSessionsExceeded of the proxy, or by OnConnected with a SESSION_ERROR state of the engine."""
