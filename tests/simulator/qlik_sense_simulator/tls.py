# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""TLS alerts: a caller that is refused during the handshake is told why, as by any other server."""

from __future__ import annotations

import asyncio.sslproto
import typing as t


class _AlertingProtocol(asyncio.sslproto.SSLProtocol):
    """asyncio's TLS, except that the last words of a failed handshake get out.

    asyncio closes the connection with the alert ("certificate required", "unknown ca") still in its buffer, so that
    clients see nothing but a closed connection.
    """

    def _on_handshake_complete(self, handshake_exc: BaseException | None) -> None:
        if handshake_exc is not None:
            self._process_outgoing()  # type: ignore[attr-defined]
        super()._on_handshake_complete(handshake_exc)


def send_alerts() -> None:
    """Make every TLS server of this process send its alerts."""
    # Parts of asyncio that are not public: where they are gone, connections just close.
    needed = ("_on_handshake_complete", "_process_outgoing")
    if all(hasattr(asyncio.sslproto.SSLProtocol, name) for name in needed):
        t.cast("t.Any", asyncio.sslproto).SSLProtocol = _AlertingProtocol
