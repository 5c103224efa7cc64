# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""The first messages on a websocket of the proxy: the user, and whether an engine is available. Pure, no I/O."""

from __future__ import annotations

import typing as t

from .._http.server_texts import known_cause, size_cause
from .._virtual_proxy.model import VirtualProxy
from .diagnosis import same_user, shown

CSRF_PATH = "qps/csrftoken"

_READY = ("SESSION_CREATED", "SESSION_ATTACHED")
_LIMIT = (
    "The user has more sessions than the five that Qlik Sense allows. Use a dedicated user for checks. The other "
    "sessions end by a logout or after their inactivity timeout."
)
_LICENSE = (
    "The user is signed in, but has no license. Assign professional or analyzer access in the license management of "
    "the QMC, or create a rule for it."
)
_REPOSITORY = "The proxy cannot reach the repository service. Check that the Qlik Sense services of this node run."
_ENDED = (
    "The session ended during the check, for example because another client logged out the same user or the proxy "
    "applied a change. Use a dedicated user for checks, and run the check again."
)
# Qlik help, "Messages from proxy to clients", and qlik-oss/gopherciser for the states of OnConnected.
_MEANINGS = {
    "OnMaxParallelSessionsExceeded": _LIMIT,
    "SESSION_ERROR_LIMIT_EXCEEDED": _LIMIT,
    "OnLicenseAccessDenied": _LICENSE,
    "SESSION_ERROR_NO_LICENSE": _LICENSE,
    "OnLicenseAccessDeniedPendingUserSync": (
        "The license of the user is only known after the next synchronization of its user directory. Run it in the QMC."
    ),
    "OnNoEngineAvailable": (
        "There is no engine for this virtual proxy. Add a load balancing node (load_balancing_server_nodes), and check "
        "that the engine service runs there."
    ),
    "OnNoRepositoryAvailable": _REPOSITORY,
    "OnRepositoryWebsocketFailed": _REPOSITORY,
    "OnSessionClosed": _ENDED,
    "OnSessionLoggedOut": _ENDED,
    "OnSessionTimedOut": _ENDED,
}
DECISIVE = frozenset(name for name in _MEANINGS if name.startswith("On"))


class Handshake(t.NamedTuple):
    """Result of an attempt to open a websocket. Its texts contain no secret.

    Attributes:
        status: HTTP status of the last answer, 101 if the websocket opened.
        ms: milliseconds until the last message.
        message: name of the decisive message or a description of the end, "" if it did not open.
        state: qSessionState of OnConnected.
        user: directory and id of the user that the proxy reported.
        must_authenticate: True if it requires a sign-in first.
        text: the beginning of the body of a refusal, or the text of the decisive message.
        protected: True if the release requires a csrf token.
        path: the path below the prefix.
        header_bytes: size of the headers of the request.
    """

    status: int
    ms: int = 0
    message: str = ""
    state: str = ""
    user: tuple[str, str] = ("", "")
    must_authenticate: bool = False
    text: str = ""
    protected: bool = True
    path: str = "app/engineData"
    header_bytes: int = 0

    def __str__(self) -> str:
        if self.status != 101:
            return f"{self.status} for {self.path}" + (f": {self.text}" if self.text else "")
        message = f"{self.message} ({self.state})" if self.state else self.message
        return f"{message}, as {shown(self.user)}" if any(self.user) else message


def handshake_fault(handshake: Handshake, *, expected: tuple[str, str], host: str, virtual_proxy: VirtualProxy) -> str:
    """Return the diagnosis for a websocket without an engine or with another user, "" if there is no fault.

    Args:
        handshake: the result of the attempt.
        expected: directory and id of the user.
        host: host name of the request and its Origin.
        virtual_proxy: its settings as far as they are known.
    """
    if handshake.status != 101:
        return _not_opened(handshake, host=host, virtual_proxy=virtual_proxy)
    if handshake.must_authenticate:
        return (
            "The websocket opens, but no user is signed in on it: the session cookie or the Authorization header did "
            "not arrive. A system in front of Qlik Sense removes it; test the node directly."
        )
    meaning = _MEANINGS.get(handshake.message) or _MEANINGS.get(handshake.state)
    # qlik-oss/enigma.js issue 713: a license that cannot be read
    if meaning == _LICENSE and "repository service" in handshake.text.lower():
        return _REPOSITORY
    if meaning:
        return meaning
    if any(handshake.user) and not same_user(handshake.user, expected):
        return (
            "The websocket belongs to another user than the session: a load balancer or a reverse proxy confuses "
            "connections. Test the node directly."
        )
    if handshake.message == "OnConnected" and handshake.state and handshake.state not in _READY:
        return "The engine has no session for this user. Check its log on the load balancing node."
    if handshake.message in ("OnConnected", "an answer of the engine"):
        return ""
    return (
        "The websocket opened, but no engine answered: it may be starting or overloaded, or a system in front of Qlik "
        "Sense closes websockets. Check the engine service, or test the node directly."
    )


def _not_opened(handshake: Handshake, *, host: str, virtual_proxy: VirtualProxy) -> str:
    status, size = handshake.status, handshake.header_bytes
    if cause := known_cause(status, handshake.text, header_bytes=size) or size_cause(status, size):
        return cause
    if handshake.path == CSRF_PATH:
        return (
            "Releases since November 2024 return a token for websockets in the header qlik-csrf-token of this answer. "
            "Either the session was not accepted, or a system in between removes the header. Test the node directly."
        )
    if handshake.status in (400, 403):
        names = virtual_proxy.allowed_hosts
        if host.casefold() not in [str(name).casefold() for name in names]:
            return (
                f"Most likely '{host}', the Origin of the request, is missing on the host allow list of the virtual "
                "proxy. Add it (websocket_cross_origin_white_list)."
            )
        token = ", the token in the query" if handshake.protected else ""
        return (
            f"The host name is on the host allow list. Either a system in between changes the cookie{token} or the "
            "Origin, or the proxy has not applied the list yet. In the second case its log contains Cross-Site "
            "Websocket Hijacking."
        )
    if handshake.status == 401:
        return (
            "The session was accepted for pages, but not for the websocket. Possible causes are a load balancer that "
            "distributes one session to several nodes, and a reverse proxy that removes headers. Test the node "
            "directly."
        )
    if handshake.status in (429, 500, 502, 503, 504):
        return "The proxy is restarting or overloaded, or a system in front of it cannot reach it. Try again."
    return (
        "A system in front of Qlik Sense does not forward websockets. Allow the upgrade of connections (Connection and "
        "Upgrade headers) there, or test the node directly."
    )
