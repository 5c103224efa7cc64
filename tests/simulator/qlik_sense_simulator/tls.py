# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""TLS alerts for clients that are refused during the handshake."""

from __future__ import annotations

import asyncio.sslproto
import typing as t


class _AlertingProtocol(asyncio.sslproto.SSLProtocol):
    """asyncio's TLS, which also sends the alert of a failed handshake.

    asyncio closes the connection while the alert ("certificate required", "unknown ca") is still in its buffer. Clients
    would only see a closed connection.
    """

    def _on_handshake_complete(self, handshake_exc: BaseException | None) -> None:
        if handshake_exc is not None:
            self._process_outgoing()  # type: ignore[attr-defined]
        super()._on_handshake_complete(handshake_exc)


def send_alerts() -> None:
    """Make every TLS server of this process send its alerts."""
    # These parts of asyncio are not public. If they are missing, connections are closed without an alert.
    needed = ("_on_handshake_complete", "_process_outgoing")
    if all(hasattr(asyncio.sslproto.SSLProtocol, name) for name in needed):
        t.cast("t.Any", asyncio.sslproto).SSLProtocol = _AlertingProtocol
