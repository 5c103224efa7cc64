# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parts of responses: additional headers, and paths below a prefix."""

from __future__ import annotations

import re
import typing as t

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .configuration import VirtualProxy

_HEADER_LINE = re.compile(r"\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*:\s*([\x20-\x7e\xa0-\xff]*?)\s*")
# Headers that delimit a response cannot be set by a virtual proxy.
_FRAMING = frozenset(("connection", "content-length", "transfer-encoding", "upgrade"))


def additional_headers(virtual_proxy: VirtualProxy) -> list[tuple[str, str]]:
    """Return the additionalResponseHeaders of a virtual proxy, without lines that are not headers."""
    # EVIDENCE(A; Qlik support article ta-p/2509211): additionalResponseHeaders holds lines of "Name: value"
    lines = (virtual_proxy.get("additionalResponseHeaders") or "").splitlines()
    found = [match.groups() for match in map(_HEADER_LINE.fullmatch, lines) if match]
    return [(name, value) for name, value in found if name.lower() not in _FRAMING]


def below(virtual_proxy: VirtualProxy, path: str) -> str:
    """Return a path below the prefix of a virtual proxy."""
    prefix = (virtual_proxy.get("prefix") or "").strip("/")
    return f"/{prefix}/{path}" if prefix else f"/{path}"


def with_headers(app: ASGIApp, headers: t.Sequence[tuple[str, str]]) -> ASGIApp:
    """Return an application that adds headers to the response."""
    if not headers:
        return app
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_more(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start", "websocket.accept"):
                message = {**message, "headers": [*message.get("headers", ()), *raw]}
            await send(message)

        await app(scope, receive, send_more)

    return wrapped
