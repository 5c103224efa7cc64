# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sessions and tickets of one proxy. Pure: no I/O, and the clock is an argument."""

from __future__ import annotations

import collections
import dataclasses
import secrets
import time
import typing as t
import uuid

from ..behaviors import Switches
from .identity import Identity

# EVIDENCE(A; Qlik support article tac-p/2103625): a user may have five parallel sessions
PARALLEL_SESSIONS = 5
_WINDOW_SECONDS = 300.0
# EVIDENCE(A; Qlik help "Add ticket"): a ticket is valid for one minute
TICKET_SECONDS = 60.0
_REMEMBERED_TARGETS = 1000

Clock = t.Callable[[], float]


@dataclasses.dataclass(kw_only=True)
class Session:
    """A session of a browser or client, on one virtual proxy of one proxy.

    Args:
        session_id: the value of the session cookie. It authenticates the user, so it is omitted from `repr`.
        virtual_proxy_id: the virtual proxy that it was created on; it is not valid on others.
        identity: the user.
        timeout: seconds of inactivity after which it ends.
        created: the time of its creation, by the clock of the table.
        last_used: the time of its last use, by the same clock.
        csrf_token: the token of GET /qps/csrftoken.
        at_end: called once when it ends, with the name of the message about it: OnSessionClosed, OnSessionLoggedOut or
            OnSessionTimedOut.
    """

    session_id: str = dataclasses.field(repr=False)
    virtual_proxy_id: str
    identity: Identity
    timeout: float
    created: float
    last_used: float
    csrf_token: str = dataclasses.field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    at_end: list[t.Callable[[str], None]] = dataclasses.field(default_factory=list, repr=False)


class SessionTable:
    """The sessions in the memory of one proxy. Other proxies do not have them, and a restart clears them.

    Args:
        switches: what the limit counts, and its effect.
        clock: monotonic seconds.
    """

    # EVIDENCE(A; Qlik support article ta-p/1783975): sessions live in the memory of a proxy

    def __init__(self, switches: Switches, *, clock: Clock = time.monotonic) -> None:
        self._switches = switches
        self._clock = clock
        self._sessions: dict[str, Session] = {}
        self._of_user: dict[tuple[str, str], dict[str, Session]] = {}
        # No session times out before this time.
        self._first_expiry = float("inf")
        self._begun: collections.deque[tuple[float, tuple[str, str]]] = collections.deque()

    def open(
        self, *, virtual_proxy: t.Mapping[str, t.Any], identity: Identity, session_id: str | None = None
    ) -> Session | None:
        """Create a session.

        Args:
            virtual_proxy: the entity it belongs to; its sessionInactivityTimeout is in minutes (default 30).
            identity: the user.
            session_id: the cookie value, if the caller of the session API chose it; else a new GUID.

        Returns:
            The session, or None when the limit refuses it.
        """
        if self._count(identity) >= PARALLEL_SESSIONS:
            # INVENTED(switch=session_limit): the sixth session is created like the others; only the refusal of its
            # websocket is documented
            if self._switches.session_limit == "refuse":
                return None
            if self._switches.session_limit == "drop_oldest":
                self.close(self._live(identity)[:1])
        now = self._clock()
        # EVIDENCE(A; Qlik support article ta-p/1783975): the value of the session cookie is a GUID
        # INVENTED(switch=session_id): it always is; according to the help on X-Qlik-ProxySession it need not be one
        value = str(uuid.uuid4()) if self._switches.session_id == "guid" else secrets.token_urlsafe(30)
        session = Session(
            session_id=session_id or value,
            virtual_proxy_id=virtual_proxy["id"],
            identity=identity,
            # EVIDENCE(A; Qlik help "Editing a virtual proxy"): a session ends after minutes of inactivity, 30 by
            # default
            timeout=60.0 * (virtual_proxy.get("sessionInactivityTimeout") or 30),
            created=now,
            last_used=now,
        )
        # INVENTED(switch=none): a session id that is chosen a second time begins a new session
        self.close(filter(None, [self._sessions.get(session.session_id)]))
        self._sessions[session.session_id] = session
        self._of_user.setdefault(identity.key, {})[session.session_id] = session
        self._first_expiry = min(self._first_expiry, now + session.timeout)
        self._recently_begun().append((now, identity.key))
        return session

    def find(self, session_id: str, *, virtual_proxy_id: str, use: bool = True) -> Session | None:
        """Return the active session of a cookie value on this virtual proxy, or None.

        Args:
            session_id: the cookie value.
            virtual_proxy_id: the virtual proxy of the request.
            use: whether this counts as activity.
        """
        self._expire()
        session = self._sessions.get(session_id)
        if session is None or session.virtual_proxy_id != virtual_proxy_id:
            return None
        if use:
            session.last_used = self._clock()
        return session

    def of_virtual_proxy(self, virtual_proxy_id: str, *, identity: Identity | None = None) -> list[Session]:
        """Return the active sessions on a virtual proxy, of one user or of all, oldest first."""
        self._expire()
        return [
            session
            for session in self._sessions.values()
            if session.virtual_proxy_id == virtual_proxy_id
            and (identity is None or session.identity.key == identity.key)
        ]

    def close(self, sessions: t.Iterable[Session], *, reason: str = "OnSessionClosed") -> None:
        """End sessions.

        Args:
            sessions: the sessions; those that have ended already are ignored.
            reason: see `Session.at_end`.
        """
        for session in sessions:
            if self._sessions.pop(session.session_id, None):
                of_user = self._of_user[session.identity.key]
                del of_user[session.session_id]
                if not of_user:
                    del self._of_user[session.identity.key]
                for call in tuple(session.at_end):
                    call(reason)

    def drop(self, virtual_proxy_ids: t.Collection[str] | None = None) -> None:
        """Remove the sessions of some virtual proxies, or all sessions."""
        self.close(
            [
                session
                for session in self._sessions.values()
                if virtual_proxy_ids is None or session.virtual_proxy_id in virtual_proxy_ids
            ]
        )

    def exceeds_limit(self, session: Session) -> bool:
        """Return True if this is the user's sixth session or a later one, for which websockets are refused."""
        return session in self._live(session.identity)[PARALLEL_SESSIONS:]

    def _live(self, identity: Identity) -> list[Session]:
        self._expire()
        # INVENTED(switch=none): the sessions of a user are counted per proxy, over all its virtual proxies
        return list(self._of_user.get(identity.key, {}).values())

    def _count(self, identity: Identity) -> int:
        """Return the number of sessions of the user that the limit counts."""
        # INVENTED(switch=session_limit_counts): the sessions that are alive count, not those of the last five minutes
        if self._switches.session_limit_counts == "parallel":
            return len(self._live(identity))
        return sum(1 for _begun, key in self._recently_begun() if key == identity.key)

    def _recently_begun(self) -> collections.deque[tuple[float, tuple[str, str]]]:
        while self._begun and self._begun[0][0] <= self._clock() - _WINDOW_SECONDS:
            self._begun.popleft()
        return self._begun

    def _expire(self) -> None:
        now = self._clock()
        if now < self._first_expiry:
            return
        over = [session for session in self._sessions.values() if now - session.last_used >= session.timeout]
        self.close(over, reason="OnSessionTimedOut")
        ends = (session.last_used + session.timeout for session in self._sessions.values())
        self._first_expiry = min(ends, default=float("inf"))


class TicketTable:
    """The tickets of one proxy, and the URLs to which users return with a ticket.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, *, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._tickets: dict[str, tuple[float, str, Identity]] = {}
        self._targets: collections.OrderedDict[str, str] = collections.OrderedDict()

    def issue(self, *, virtual_proxy_id: str, identity: Identity) -> str:
        """Return a new ticket, which signs the user in once, on this virtual proxy, within a minute."""
        now = self._clock()
        self._tickets = {name: entry for name, entry in self._tickets.items() if entry[0] > now}
        # INVENTED(switch=none): a ticket has sixteen characters
        ticket = secrets.token_urlsafe(12)
        self._tickets[ticket] = (now + TICKET_SECONDS, virtual_proxy_id, identity)
        return ticket

    def redeem(self, ticket: str, *, virtual_proxy_id: str) -> Identity | None:
        """Return the user of a valid ticket, or None. The ticket is used up, also by the wrong virtual proxy."""
        entry = self._tickets.pop(ticket, None)
        if entry is None or entry[0] <= self._clock() or entry[1] != virtual_proxy_id:
            return None
        return entry[2]

    def remember_target(self, uri: str) -> str:
        """Store the URL that a user requested before the login, and return its identifier."""
        target_id = str(uuid.uuid4())
        self._targets[target_id] = uri
        if len(self._targets) > _REMEMBERED_TARGETS:
            self._targets.popitem(last=False)
        return target_id

    def target(self, target_id: str) -> str | None:
        """Return the URL of an identifier from `remember_target`."""
        return self._targets.get(target_id)
