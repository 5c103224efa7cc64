# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The switches of a site: how it behaves where the public sources leave open how Qlik Sense does.

Each field is a question that the sources leave open or answer in two ways. The default is the answer with the better
evidence. The other values exist so that clients can be tested against either answer.
"""

from __future__ import annotations

import math
import sys
import typing as t

import msgspec

_Seconds = t.Annotated[float, msgspec.Meta(ge=0, le=sys.float_info.max)]


class Switches(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the simulated site behaves where a real one could behave either way."""

    # --- The repository: authentication

    missing_client_certificate: t.Literal["tls", "403"] = "tls"
    """A request without a client certificate: the TLS handshake fails, or 403 Forbidden (both are reported)."""

    missing_user_header: t.Literal["administrator", "403"] = "administrator"
    """A client certificate without X-Qlik-User: full rights (Qlik help, "requests are made with full administrator
    rights"), or refused."""

    unauthorized_list: t.Literal["empty", "403"] = "empty"
    """A list for a user without rights: 200 and nothing in it, or 403."""

    # --- The repository: the format of responses

    error_body: t.Literal["text", "json_string", "json_object"] = "text"
    """The body of a refusal: bare text, the same as a JSON string, or inside a JSON object."""

    create_status: t.Literal["201", "200"] = "201"
    """The status of a successful POST."""

    update_status: t.Literal["200", "204"] = "200"
    """The status of a successful PUT: 200 with the entity, or 204 without a body."""

    count_body: t.Literal["object", "number"] = "object"
    """GET .../count: an object with a value (measured, qlik-sense-mcp), or the bare number of the reference."""

    local_node: t.Literal["entity", "container"] = "entity"
    """GET servernodeconfiguration/local: the entity (generated clients), or the older container around it."""

    date_suffix: t.Literal["Z", "+00:00"] = "Z"
    """The format of UTC in a response."""

    date_fraction: t.Literal["3", "7", "trimmed", "0"] = "3"
    """The fraction of a second in the dates of a response: three digits (all published responses), seven, without
    trailing zeros (both are usual in .NET), or none. A modifiedDate in a body is compared with the same precision."""

    unset_strings: t.Literal["empty", "null", "absent"] = "empty"
    """Strings that were never set, in the fields that came after 2017: "", null, or omitted."""

    unset_lists: t.Literal["empty", "null"] = "empty"
    """Empty lists: [] or null."""

    list_order: t.Literal["kept", "reversed"] = "kept"
    """The order of lists inside an entity: as they were sent, or another one."""

    secret_in_answer: t.Literal["echo", "mask", "absent"] = "echo"
    """oidcClientSecret in a response: as it is, masked, or omitted."""

    record_limit: t.Annotated[int, msgspec.Meta(ge=0)] = 0
    """How many entities an unfiltered list has at most. 0: all. A limit of 100 is reported for /full."""

    # --- The repository: what a write does

    omitted_fields: t.Literal["mixed", "reset", "keep"] = "mixed"
    """How a PUT treats fields that it leaves out. mixed: plain values are reset to their defaults, lists and objects
    stay (Qlik help: sometimes untouched, sometimes reset). reset: everything. keep: nothing."""

    unknown_fields: t.Literal["ignore", "400"] = "ignore"
    """Fields in a body that this release does not have: ignored, or refused."""

    null_lists: t.Literal["empty", "400", "500"] = "empty"
    """A list field that is null in a body: treated as an empty list, or refused. 500 was reported in 2018."""

    duplicate_status: t.Literal["400", "409", "422", "500"] = "400"
    """The status for a prefix, cookie name or other unique value that already exists."""

    invalid_status: t.Literal["400", "409", "422", "500"] = "400"
    """The status for an invalid value: a prefix with other characters, no cookie name, the id of an entity that does
    not exist."""

    upper_case_prefix: t.Literal["lower", "keep", "400"] = "lower"
    """A prefix with capitals: stored in lower case (as the upgrade to release 3.0 did), stored as it is, or refused."""

    slash_in_prefix: t.Literal["400", "accept"] = "400"
    """A prefix of several segments. The help of Sense 2.x allowed it, the current one lists no slash."""

    certificate_check: t.Literal["none", "400"] = "none"
    """Whether the repository checks jwtPublicKeyCertificate. none: an invalid one only fails in the proxy."""

    certificate_text: t.Literal["verbatim", "normalized", "crlf"] = "verbatim"
    """jwtPublicKeyCertificate is returned exactly as sent; with LF line ends and no blanks around; or with CRLF."""

    response_headers_text: t.Literal["verbatim", "normalized", "crlf"] = "verbatim"
    """The same for additionalResponseHeaders."""

    delete_linked: t.Literal["cascade", "400", "409"] = "cascade"
    """DELETE of a linked virtual proxy: the links are deleted too, or it is refused."""

    delete_default: t.Literal["400", "403", "409", "accept"] = "400"
    """DELETE of the default virtual proxy."""

    link_touches_virtual_proxy: bool = False
    """Linking or unlinking a virtual proxy also changes its own modifiedDate."""

    save_touches_proxy_service: bool = False
    """Saving a virtual proxy also changes the modifiedDate of the proxy services that it is linked to."""

    missing_route: t.Literal["405", "404"] = "405"
    """The status for a method that a path does not have, such as POST on proxyservice."""

    unknown_id: t.Literal["404", "400", "403"] = "404"
    """The status for the id of an entity that does not exist, in the path of a GET, PUT or DELETE."""

    # --- The repository: filters

    custom_property_filter: t.Literal["accept", "400"] = "accept"
    """@name in a filter, for the value of a custom property, which may be a bare word: "@location eq north" (public
    configurations of the DSC module use it on nodes), or refused."""

    not_in_filter: t.Literal["400", "accept"] = "400"
    """not before a comparison or a group. No public source has it."""

    like_in_filter: t.Literal["400", "accept"] = "400"
    """The operator like, with % for any characters. No public source has it."""

    null_in_filter: t.Literal["accept", "400"] = "accept"
    """The literal null in a filter."""

    # --- The proxies: how the proxy finds a virtual proxy

    unknown_prefix: t.Literal["400", "403", "404", "302"] = "400"
    """A request with a prefix that no linked virtual proxy has: the styled 400 page (measured on a multi-node site of
    November 2025, qlik-sense-mcp), 403, 404, or a redirect to the login of the default virtual proxy (guessed for
    single nodes)."""

    central_link_required: bool = True
    """In a multi-node site, a virtual proxy that is not linked to the central node's proxy gets the 400 page from every
    proxy (measured, qlik-sense-mcp). False: each proxy serves whatever is linked to it."""

    host_allow_list: t.Literal["400", "403", "off"] = "400"
    """The status when the host name of a request is neither the node's own nor on the virtual proxy's host allow list.
    400 in community reports, 403 in qlik-sense-mcp; off: not checked."""

    host_allow_list_match: t.Literal["exact", "suffix"] = "exact"
    """exact: a host name equals an entry (qlik-sense-mcp). suffix: an entry also covers the names below it."""

    own_host_names: t.Literal["allowed", "listed"] = "allowed"
    """The node's own host name and localhost. allowed: they never have to be on a host allow list. listed: they must be
    listed like any other name."""

    preflight: t.Literal["answered", "refused"] = "answered"
    """A browser's preflight (OPTIONS without credentials, with Origin and Access-Control-Request-Method). answered: 200
    with the additional response headers, without which Qlik's own browser clients do not work. refused: the same status
    as any request without credentials."""

    hub_redirect: bool = True
    """/hub answers 302 to /hub/. False: it answers 200 itself."""

    hub_redirect_signs_in: bool = True
    """The redirect requires the login and sets the cookie. False: every request is redirected, and the hub sets the
    cookie."""

    # --- The proxies: how a proxy reloads after a change

    reload_seconds: _Seconds = 0.0
    """How long (seconds) a proxy is not available after a save of a virtual proxy or proxy service; then the change is
    active. Reported: 10 to 30 on real sites. With 0 it is active at once."""

    reload_answer: t.Literal["503", "disconnect"] = "503"
    """The response during that time: a 503 page, or a connection closed without a response."""

    reload_drops_sessions: t.Literal["none", "virtual_proxy", "all"] = "all"
    """Which sessions end with the reload: none, those of the virtual proxies that changed, or all of this proxy."""

    # --- The proxies: how a token is validated

    leeway_seconds: _Seconds = 0.0
    """Clock tolerance (seconds) for exp, nbf and iat. No figure is published."""

    refuse_future_iat: bool = False
    """Refuse a token with iat in the future. NPrinting's help page names exp and nbf alone."""

    bracket_constant: bool = True
    """A value in brackets as user directory attribute, "[DOMAIN]", is a constant and not a claim name."""

    enforce_audience: bool = True
    """A virtual proxy with a jwtAudience requires the same value in aud. False: aud is ignored."""

    accept_bare_public_key: bool = False
    """A PUBLIC KEY block in jwtPublicKeyCertificate works like a certificate. Reports contradict each other."""

    refuse_expired_certificate: bool = False
    """Refuse every token when the certificate is outside its validity dates. No source documents that."""

    refuse_several_certificates: bool = False
    """Refuse every token when jwtPublicKeyCertificate has more than one certificate, instead of using the first."""

    refuse_foreign_issuer: bool = False
    """Refuse every token when the certificate is neither self-signed nor issued by the authority of the site. No source
    says that the chain is checked."""

    refuse_short_keys: bool = False
    """Refuse every token when the certificate's RSA key has fewer than 2048 bits. Published examples have 1024."""

    missing_mandatory_attribute: t.Literal["refuse", "ignore"] = "refuse"
    """A token without an attribute that the attribute map calls mandatory: refused, or accepted without it."""

    case_sensitive_claims: bool = True
    """The names of claims are case-sensitive (two reports). False: they are not."""

    reserved_claims_work: bool = True
    """A claim of the standard (sub, ...) works as user id or user directory. Qlik's article calls some reserved without
    listing them; a public guide uses them."""

    # --- The proxies: how a request is refused

    refused_token_status: t.Literal["401", "403", "302"] = "401"
    """The status for a token that is refused. 401 is the expected family; Qlik's own client tolerates all three."""

    signed_out_status: t.Literal["401", "403", "302"] = "401"
    """The status for requests without header and cookie where a virtual proxy requires a token, on paths other than the
    hub, for which Qlik's article has 401."""

    refusal_body: t.Literal["text", "html"] = "text"
    """Whether a refusal is plain text or an HTML page."""

    www_authenticate: bool = False
    """A 401 carries "WWW-Authenticate: Bearer". No source documents it."""

    blocked_user_status: t.Literal["403", "401"] = "403"
    """The status for an inactive or blocked user."""

    unknown_user: t.Literal["create", "refuse"] = "create"
    """A user that does not exist in the repository: created at the first login, or refused with 401."""

    windows_challenge: t.Literal["both", "ntlm", "negotiate"] = "both"
    """What Windows authentication offers with its 401: Negotiate and NTLM, or one of them. Both accept NTLM."""

    user_endpoint_refuses: bool = False
    """GET /qps/user without a session is refused like on any other path, instead of 200 with a loginUri."""

    # --- The proxies: sessions and cookies

    other_user_with_cookie: t.Literal["new_session", "keep_session"] = "new_session"
    """A valid token of another user than the session in the cookie: a new session for the new user (help page of
    NPrinting), or the session of the cookie."""

    invalid_token_with_cookie: t.Literal["refuse", "ignore"] = "refuse"
    """An invalid token next to a valid cookie: refused (help page of NPrinting), or ignored."""

    repeat_set_cookie: bool = False
    """Send Set-Cookie on every answer to a request that carries credentials, not only when a session is created."""

    session_id: t.Literal["guid", "opaque"] = "guid"
    """The value of the session cookie: a GUID (support article), or other text (according to the help it may be)."""

    csrf_status: t.Literal["204", "200"] = "204"
    """The status of GET /qps/csrftoken, where the release has it."""

    session_limit: t.Literal["websocket", "refuse", "drop_oldest"] = "websocket"
    """The sixth parallel session of a user. websocket: it is created, and only its websocket is refused (the one
    documented effect). refuse: the login gets 403. drop_oldest: the oldest session ends."""

    session_limit_counts: t.Literal["parallel", "five_minutes"] = "parallel"
    """Whether the limit counts active sessions, or all that were created within the last five minutes."""

    logout_status: t.Literal["200", "204"] = "200"
    """The status of DELETE /qps/user."""

    repository_requires_csrf: bool = False
    """A request to the repository with a session cookie requires the header qlik-csrf-token, on releases that have the
    token. Qlik's own client sends only the xrfkey."""

    logout_requires_csrf: bool = False
    """DELETE /qps/user requires the header qlik-csrf-token, on releases that have the token."""

    ticket_redirect: bool = False
    """A request signed in by ?qlikTicket= is redirected to the same address without the ticket."""

    qps_created_status: t.Literal["201", "200"] = "201"
    """The status of POST ticket and POST session on the proxy's own API."""

    token_session_attributes: t.Literal["listed", "empty", "absent"] = "listed"
    """How the proxy's own API shows the attributes of a session that a token opened: all of them, none, or without the
    member Attributes."""

    # --- The proxies: the hub and its paths

    access_pass: bool = True
    """Users have a license. False: hub or websocket report that there is no access pass."""

    access_pass_notice: t.Literal["hub", "websocket"] = "hub"
    """Where a missing license is reported first: on the hub's page (with status 200), or only in the websocket."""

    product_info_anonymous: bool = False
    """product-info.json can be read without a session."""

    # --- The proxies: websockets

    websocket_authorization: t.Literal["ignored", "allowed", "refused"] = "ignored"
    """An Authorization header on a websocket's upgrade, on releases that require the csrf token. ignored: the cookie is
    required. allowed: it authenticates as well (Qlik's own enigma.js example sends it next to the token). refused: 403
    (community, qlik-sense-mcp)."""

    websocket_origin: t.Literal["checked", "required", "ignored"] = "checked"
    """The Origin of a websocket. checked: it must be allowed if it is sent (@qlik/api in Node.js and gopherciser, both
    by Qlik, send none). required: since November 2024 it must also be sent (qlik-sense-mcp). ignored: any value is
    accepted."""

    websocket_greeting: t.Literal["at_once", "first_message"] = "at_once"
    """Whether OnAuthenticationInformation is sent at once, or only after the client's first message, which the help
    allows."""

    websocket_asks_to_sign_in: bool = True
    """A request without cookie and header, on releases without the csrf token: the websocket opens and reports that the
    user must authenticate (message in the help). False: the upgrade is refused like any other request."""

    websocket_refusal: t.Literal["notification", "session_state"] = "notification"
    """How a user without a license or with too many sessions is refused: by OnLicenseAccessDenied and
    OnMaxParallelSessionsExceeded of the proxy, or by OnConnected with a SESSION_ERROR state of the engine."""


def read_words(values: t.Mapping[t.Any, t.Any]) -> dict[t.Any, t.Any]:
    """Return the switches of a site file with words in place of numbers where a switch takes words (404 for "404").
    YAML makes numbers of words that are not quoted, and false of off."""
    return {name: _read_word(_KINDS.get(name), value) for name, value in values.items()}


def _read_word(kind: t.Any, value: t.Any) -> t.Any:
    if t.get_origin(kind) is t.Literal and isinstance(value, int) and value is not True:
        return "off" if value is False else str(value)
    if kind is int and isinstance(value, float) and math.isfinite(value):
        return int(value)
    return value


_KINDS = t.get_type_hints(Switches)
