# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each client of the collection ends in time, within its memory, with a clear message, whatever a server sends."""

from __future__ import annotations

import json
import re
import typing as t

import pytest
from attacks import ATTACKS
from clients import CLIENTS
from conftest import Outcome
from lies import LIES
from wire import Attack

MEMORY = 100_000_000  # bytes above a run against a healthy server
KINDS = ["slow", "endless", "deep", "compressed", "redirecting", "escaping", "lying"]
# Names of classes, and texts of libraries, are no messages for users.
_RAW = re.compile(r"[a-z]Error\b|Exception|Traceback|<class|object at 0x|urllib3\.|errno", re.IGNORECASE)

Outcomes = t.Callable[[str | None, str], Outcome]


def table() -> t.Iterator[t.Any]:
    """Yield each attack with each client. In `make test` it meets one of them, and half of the lies meet none."""
    for number, attack in enumerate([*ATTACKS, *LIES]):
        names = [
            name
            for name, client in CLIENTS.items()
            if (name == "websocket" if attack.frames else client.is_first or attack.at == "answer")
        ]
        is_quick = number % 2 == 0 or attack.kind not in ("redirecting", "escaping", "lying")
        for name in names:
            marks = [] if is_quick and name == names[number % len(names)] else [pytest.mark.slow]
            yield pytest.param(attack, name, marks=marks, id=f"{attack.name}-{name}")


def test_the_table_has_attacks_of_each_kind() -> None:
    attacks = [*ATTACKS, *LIES]
    assert len({attack.name for attack in attacks}) == len(attacks)
    assert [kind for kind in KINDS if sum(attack.kind == kind for attack in attacks) >= 15] == KINDS


@pytest.mark.parametrize("client", CLIENTS)
def test_a_healthy_server_is_no_failure(outcomes: Outcomes, client: str) -> None:
    outcome = outcomes(None, client)
    assert outcome.run.result is not None, outcome.run.errors
    assert not outcome.run.result.get("failed"), outcome.run.result["msg"]
    assert outcome.run.result["changed"] is outcome.wrote


@pytest.mark.parametrize(("attack", "client"), list(table()))
def test_attack(outcomes: Outcomes, attack: Attack, client: str) -> None:
    outcome, healthy = outcomes(attack.name, client), outcomes(None, client)
    run, result = outcome.run, outcome.run.result
    assert run.status >= 0, f"killed after {run.seconds} seconds"
    assert result is not None, run.errors
    assert "Traceback" not in run.errors
    assert outcome.attacked or attack.certificate != "server"
    assert run.peak - healthy.run.peak <= MEMORY
    for secret in outcome.secrets:
        assert secret not in _without_arguments(result)
    check_changed(outcome)
    if not result.get("failed"):
        return
    message = result["msg"]
    assert message.isprintable()
    assert len(message) < 2000
    assert not _RAW.search(message), message
    if attack.words and CLIENTS[client].module != "login_check":
        assert any(words in message for words in attack.words), message
    # Windows authentication has a port of its own.
    assert outcome.trapped is ((attack.name, client) == ("redirect to another port", "NTLM"))


def _without_arguments(result: dict[str, t.Any]) -> str:
    return json.dumps({name: value for name, value in result.items() if name != "invocation"})


def check_changed(outcome: Outcome) -> None:
    """Check that the result says that the server changed, or that this is not known."""
    result = outcome.run.result or {}
    unknown = "not known" in result.get("msg", "") or "could not be read" in result.get("msg", "")
    assert result.get("changed", False) is outcome.wrote or (outcome.wrote and unknown), result.get("msg")
