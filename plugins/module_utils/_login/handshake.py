# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""What a websocket of the proxy says first: who we are, and whether there is an engine for us. Pure, no I/O."""

from __future__ import annotations

import typing as t

from .._virtual_proxy.model import VirtualProxy
from .diagnosis import same_user, shown

CSRF_PATH = "qps/csrftoken"

_READY = ("SESSION_CREATED", "SESSION_ATTACHED")
_LIMIT = (
    "The user has more sessions than the five that Qlik Sense allows. Use a user of its own for checks; the others end "
    "by a logout or after their inactivity timeout."
)
_LICENCE = (
    "The user gets in, but has no licence. Give it professional or analyzer access in the licence management of the "
    "QMC, or a rule that does."
)
_REPOSITORY = "The proxy does not reach the repository service. Check that the Qlik Sense services of this node run."
_ENDED = (
    "The session ended meanwhile, as it does when somebody else logs the same user out or the proxy takes over a "
    "change. Use a user of its own for checks, and run the check again."
)
# Qlik help, "Messages from proxy to clients", and qlik-oss/gopherciser for the states of OnConnected.
_MEANINGS = {
    "OnMaxParallelSessionsExceeded": _LIMIT,
    "SESSION_ERROR_LIMIT_EXCEEDED": _LIMIT,
    "OnLicenseAccessDenied": _LICENCE,
    "SESSION_ERROR_NO_LICENSE": _LICENCE,
    "OnLicenseAccessDeniedPendingUserSync": (
        "Whether the user has a licence is known only after the next synchronisation of its user directory. Run that "
        "in the QMC."
    ),
    "OnNoEngineAvailable": (
        "There is no engine for this virtual proxy. Give it a load balancing node (load_balancing_server_nodes), and "
        "check that the engine service runs there."
    ),
    "OnNoRepositoryAvailable": _REPOSITORY,
    "OnRepositoryWebsocketFailed": _REPOSITORY,
    "OnSessionClosed": _ENDED,
    "OnSessionLoggedOut": _ENDED,
    "OnSessionTimedOut": _ENDED,
}
DECISIVE = frozenset(name for name in _MEANINGS if name.startswith("On"))


class Greeting(t.NamedTuple):
    """How far an attempt to open a websocket got. No text in it holds a secret.

    Attributes:
        status: HTTP status of the last answer, 101 when the websocket opened.
        ms: milliseconds until the last word.
        message: name of the decisive message, or another word for the end; "" when it did not open.
        state: qSessionState of OnConnected.
        user: directory and id that the proxy named.
        must_authenticate: whether it wants a sign-in first.
        text: the beginning of the body of a refusal.
        protected: whether the release wants a csrf token.
        path: what was asked, below the prefix.
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

    def __str__(self) -> str:
        if self.status != 101:
            return f"{self.status} for {self.path}" + (f": {self.text}" if self.text else "")
        message = f"{self.message} ({self.state})" if self.state else self.message
        return f"{message}, as {shown(self.user)}" if any(self.user) else message


def greeting_fault(greeting: Greeting, *, expected: tuple[str, str], host: str, virtual_proxy: VirtualProxy) -> str:
    """Why a websocket did not lead to an engine as the expected user, and what to do; "" if it did.

    Args:
        greeting: what happened.
        expected: directory and id of the user.
        host: host name that the request was sent to and that its Origin named.
        virtual_proxy: its settings as far as they are known.
    """
    if greeting.status != 101:
        return _not_opened(greeting, host=host, virtual_proxy=virtual_proxy)
    if greeting.must_authenticate:
        return (
            "The websocket opens, but nobody is signed in on it: the session cookie or the Authorization header did "
            "not arrive. Something between here and Qlik Sense removes it; test the node directly."
        )
    meaning = _MEANINGS.get(greeting.message) or _MEANINGS.get(greeting.state)
    if meaning:
        return meaning
    if any(greeting.user) and not same_user(greeting.user, expected):
        return (
            "The websocket belongs to another user than the session: a balancer or a reverse proxy mixes up "
            "connections. Test the node directly."
        )
    if greeting.message == "OnConnected" and greeting.state and greeting.state not in _READY:
        return "The engine has no session for this user. Its log on the load balancing node says more."
    if greeting.message in ("OnConnected", "an answer of the engine"):
        return ""
    return (
        "The websocket opened, and then no engine answered: it may be starting or overloaded, or something in front of "
        "Qlik Sense cuts websockets off. Check the engine service, or test the node directly."
    )


def _not_opened(greeting: Greeting, *, host: str, virtual_proxy: VirtualProxy) -> str:
    if greeting.path == CSRF_PATH:
        return (
            "Releases since November 2024 hand out a token for websockets, in the header qlik-csrf-token of this "
            "answer. Either the session was not accepted, or something in between removes the header. Test the node "
            "directly."
        )
    if greeting.status in (400, 403):
        names = virtual_proxy.allowed_hosts
        if host.casefold() not in [str(name).casefold() for name in names]:
            return (
                f"Most likely the host allow list of the virtual proxy lacks '{host}', which the request named as its "
                "Origin. Add it (websocket_cross_origin_white_list)."
            )
        token = ", the token in the query" if greeting.protected else ""
        return (
            f"The host name is on the host allow list. So something in between changes the cookie{token} or the "
            "Origin, or the proxy has not taken over the list yet; its log speaks of Cross-Site Websocket Hijacking "
            "then."
        )
    if greeting.status == 401:
        return (
            "The session was good for pages, but not for the websocket: a balancer that spreads one session over "
            "several nodes does that, and so does a reverse proxy that removes headers. Test the node directly."
        )
    if greeting.status in (429, 500, 502, 503, 504):
        return "The proxy is restarting or overloaded, or something in front of it does not reach it. Try again."
    return (
        "Something in front of Qlik Sense does not pass websockets on. Allow the upgrade of connections (Connection "
        "and Upgrade headers) there, or test the node directly."
    )
