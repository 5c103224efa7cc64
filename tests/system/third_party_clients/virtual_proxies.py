# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manage virtual proxies with any client."""

from __future__ import annotations

import time
import typing as t

import jwt
from clients import Answer, Client

from qlik_sense_simulator.testing import RunningSite

# Of the user EXAMPLE\admin, for Windows authentication.
PASSWORD = "correct horse"


def good(answer: Answer) -> t.Any:
    """Return the body of an answer, which must not be a refusal."""
    assert answer.status in (200, 201, 204), answer
    return answer.body


def jwt_body(prefix: str, **more: t.Any) -> dict[str, t.Any]:
    """Return a JWT virtual proxy as users write it by hand."""
    return {
        "prefix": prefix,
        "description": f"For {prefix}",
        "authenticationMethod": 4,
        "sessionCookieHeaderName": f"X-Qlik-Session-{prefix}",
        "jwtAttributeUserId": "userId",
        "jwtAttributeUserDirectory": "userDirectory",
        **more,
    }


def proxies(client: Client) -> list[dict[str, t.Any]]:
    """Return the proxy services, in full."""
    return t.cast("list[dict[str, t.Any]]", good(client.get("proxyservice/full")))


def set_links(client: Client, proxy: dict[str, t.Any], links: list[dict[str, t.Any]]) -> Answer:
    """Replace the virtual proxies of a proxy service, the way Qlik's help shows it."""
    return client.put(
        f"proxyservice/{proxy['id']}", {**proxy, "settings": {**proxy["settings"], "virtualProxies": links}}
    )


def token(site: RunningSite, user_id: str, *, seconds: int = 600, key: str = "client_key", **more: t.Any) -> str:
    """Return a token for EXAMPLE\\user, signed with the key of the client certificate or with a named one."""
    claims = {"userId": user_id, "userDirectory": "EXAMPLE", "exp": int(time.time()) + seconds, **more}
    return jwt.encode(claims, (site.pki / f"{key}.pem").read_text(), algorithm="RS256")
