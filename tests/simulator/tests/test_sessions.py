# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sessions and tickets, with a clock that the tests set."""

from __future__ import annotations

import typing as t
import uuid

import pytest

from qlik_sense_simulator.behaviors import Switches
from qlik_sense_simulator.proxy.identity import Identity
from qlik_sense_simulator.proxy.sessions import Session, SessionTable, TicketTable

ADA = Identity(user_directory="LAB", user_id="ada")
BOB = Identity(user_directory="LAB", user_id="bob")
ONE: dict[str, t.Any] = {"id": "one", "sessionInactivityTimeout": 30}
TWO: dict[str, t.Any] = {"id": "two", "sessionInactivityTimeout": 1}


class Clock:
    """A clock with the time that a test sets, in seconds."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def table(clock: Clock, **switches: t.Any) -> SessionTable:
    return SessionTable(Switches(**switches), clock=clock)


def opened(sessions: SessionTable, virtual_proxy: dict[str, t.Any] | None = None, identity: Identity = ADA) -> Session:
    session = sessions.open(virtual_proxy=virtual_proxy or ONE, identity=identity)
    assert session is not None
    return session


def test_session_is_a_guid_on_one_virtual_proxy(clock: Clock) -> None:
    sessions = table(clock)
    session = opened(sessions)
    assert str(uuid.UUID(session.session_id)) == session.session_id
    assert sessions.find(session.session_id, virtual_proxy_id="one") is session
    assert sessions.find(session.session_id, virtual_proxy_id="two") is None
    assert sessions.find(str(uuid.uuid4()), virtual_proxy_id="one") is None
    assert table(clock).find(session.session_id, virtual_proxy_id="one") is None, "another proxy knows it"


def test_session_id_may_be_opaque(clock: Clock) -> None:
    value = opened(table(clock, session_id="opaque")).session_id
    assert len(value) >= 32
    with pytest.raises(ValueError, match="UUID"):
        uuid.UUID(value)


def test_session_ends_after_minutes_of_inactivity(clock: Clock) -> None:
    sessions = table(clock)
    long, short = opened(sessions), opened(sessions, TWO)
    clock.now += 59
    assert sessions.find(short.session_id, virtual_proxy_id="two")
    clock.now += 59
    assert sessions.find(short.session_id, virtual_proxy_id="two", use=False), "used 59 seconds ago"
    clock.now += 1
    assert sessions.find(short.session_id, virtual_proxy_id="two") is None
    clock.now = long.created + 30 * 60 - 1
    assert sessions.of_virtual_proxy("one") == [long]
    clock.now += 1
    assert sessions.of_virtual_proxy("one") == []


def test_logout_ends_sessions_on_one_virtual_proxy(clock: Clock) -> None:
    sessions = table(clock)
    first, second = opened(sessions), opened(sessions, identity=Identity(user_directory="lab", user_id="ADA"))
    elsewhere, other = opened(sessions, TWO), opened(sessions, identity=BOB)
    assert sessions.of_virtual_proxy("one", identity=ADA) == [first, second]
    sessions.close(sessions.of_virtual_proxy("one", identity=ADA))
    assert sessions.of_virtual_proxy("one") == [other]
    assert sessions.of_virtual_proxy("two") == [elsewhere]


def test_drop_removes_sessions_of_virtual_proxies(clock: Clock) -> None:
    sessions = table(clock)
    _one, two = opened(sessions), opened(sessions, TWO)
    sessions.drop(["one"])
    assert sessions.of_virtual_proxy("one") == []
    assert sessions.of_virtual_proxy("two") == [two]
    sessions.drop()
    assert sessions.of_virtual_proxy("two") == []


def test_sixth_session_exceeds_the_limit(clock: Clock) -> None:
    sessions = table(clock)
    first, *others, sixth = [opened(sessions, ONE if number % 2 else TWO) for number in range(6)]
    assert [sessions.exceeds_limit(session) for session in (first, *others, sixth)] == [False] * 5 + [True]
    assert not sessions.exceeds_limit(opened(sessions, identity=BOB))
    sessions.close([first])
    assert not sessions.exceeds_limit(sixth)


def test_limit_refuses_by_switch(clock: Clock) -> None:
    sessions = table(clock, session_limit="refuse")
    first, *_others = [opened(sessions) for _number in range(5)]
    assert sessions.open(virtual_proxy=ONE, identity=ADA) is None
    assert opened(sessions, identity=BOB)
    sessions.close([first])
    assert opened(sessions)


def test_limit_drops_the_oldest_by_switch(clock: Clock) -> None:
    sessions = table(clock, session_limit="drop_oldest")
    first, *others = [opened(sessions) for _number in range(6)]
    assert sessions.of_virtual_proxy("one") == others
    assert first not in others


def test_limit_counts_five_minutes_by_switch(clock: Clock) -> None:
    sessions = table(clock, session_limit="refuse", session_limit_counts="five_minutes")
    sessions.close([opened(sessions) for _number in range(5)])
    assert sessions.open(virtual_proxy=ONE, identity=ADA) is None
    clock.now += 300
    assert opened(sessions)


def test_given_session_id_is_used(clock: Clock) -> None:
    sessions = table(clock)
    session = sessions.open(virtual_proxy=ONE, identity=ADA, session_id="chosen")
    assert sessions.find("chosen", virtual_proxy_id="one") is session
    again = sessions.open(virtual_proxy=TWO, identity=BOB, session_id="chosen")
    assert sessions.find("chosen", virtual_proxy_id="one") is None
    assert sessions.find("chosen", virtual_proxy_id="two") is again


def test_repr_has_no_secrets(clock: Clock) -> None:
    session = opened(table(clock))
    assert session.session_id not in repr(session)
    assert session.csrf_token not in repr(session)


def test_ticket_is_valid_once_within_a_minute(clock: Clock) -> None:
    tickets = TicketTable(clock=clock)
    ticket = tickets.issue(virtual_proxy_id="one", identity=ADA)
    clock.now += 59
    assert tickets.redeem(ticket, virtual_proxy_id="one") == ADA
    assert tickets.redeem(ticket, virtual_proxy_id="one") is None, "used twice"
    late = tickets.issue(virtual_proxy_id="one", identity=ADA)
    clock.now += 60
    assert tickets.redeem(late, virtual_proxy_id="one") is None, "too late"
    stray = tickets.issue(virtual_proxy_id="one", identity=ADA)
    assert tickets.redeem(stray, virtual_proxy_id="two") is None, "the wrong virtual proxy"
    assert tickets.redeem("unknown", virtual_proxy_id="one") is None


def test_number_of_targets_is_limited(clock: Clock) -> None:
    tickets = TicketTable(clock=clock)
    first = tickets.remember_target("https://localhost/hub/?a=1")
    assert tickets.target(first) == "https://localhost/hub/?a=1"
    for number in range(1000):
        last = tickets.remember_target(f"https://localhost/{number}")
    assert tickets.target(first) is None
    assert tickets.target(last) == "https://localhost/999"
