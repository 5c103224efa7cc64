# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import typing as t
from unittest import mock

import pytest

from ansible_collections.sensible.qlik.plugins.module_utils._http.client import Request, Response
from ansible_collections.sensible.qlik.plugins.module_utils._text import Sanitizer

pytest.importorskip("spnego")

from ansible_collections.sensible.qlik.plugins.module_utils._http import ntlm

REQUEST = Request("GET", "https://qlik.example.com/jwt/qrs/about")


def answer(status: int, offer: str = "", certificate: bytes | None = None) -> Response:
    headers = {"WWW-Authenticate": offer} if offer else {}
    return Response(REQUEST, status, "", headers, b"", False, False, Sanitizer(), certificate)


def test_credentials_are_bound_to_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    client = mock.Mock(**{"step.side_effect": [b"one", b"three"]})
    new = mock.Mock(return_value=client)
    monkeypatch.setattr(ntlm.spnego, "client", new)
    flow = ntlm.handshake(REQUEST, r"ACME\anna", "a-secret")

    assert next(flow) == REQUEST
    assert flow.send(answer(401, "Negotiate, NTLM", b"der")).headers == {"Authorization": "NTLM b25l"}
    assert flow.send(answer(401, "NTLM dHdv")).headers == {"Authorization": "NTLM dGhyZWU="}
    with pytest.raises(StopIteration) as end:
        flow.send(answer(200))

    assert end.value.value.status == 200
    assert client.step.call_args.args == (b"two",)
    bindings: t.Any = new.call_args.kwargs["channel_bindings"]
    assert bindings.application_data == b"tls-server-end-point:" + hashlib.sha256(b"der").digest()


def test_answer_without_a_challenge_is_returned() -> None:
    flow = ntlm.handshake(REQUEST, r"ACME\anna", "a-secret")
    next(flow)
    with pytest.raises(StopIteration) as end:
        flow.send(answer(401, "Basic realm=x"))
    assert end.value.value.status == 401
