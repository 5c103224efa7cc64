# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The clients of the collection: how each makes its request, and which request is attacked."""

from __future__ import annotations

import typing as t

Options = dict[str, t.Any]


class Client(t.NamedTuple):
    """A client.

    Attributes:
        module: the module that is run.
        target: method and path of the attacked requests, as a regular expression.
        options: of the module; URL and PORT are those of the server.
        is_first: True if the attacked request is the first one.
        exchanges: number of requests and connections that an attack can delay until the deadline.
        pauses: seconds between them.
    """

    module: str
    target: str
    options: Options
    is_first: bool = True
    exchanges: int = 1
    pauses: float = 0.0


_PORTAL: Options = {"prefix": "portal", "session_inactivity_timeout": 7}
_NEW: Options = {
    "prefix": "new",
    "jwt_public_key_certificate": "CERTIFICATE",
    "load_balancing_server_nodes": ["Central"],
}
_TICKET: Options = {**_PORTAL, "auth_method": "ticket", "user": "ACME\\smoke", "qps_port": "PORT"}
_LOGIN: Options = {
    "proxy_urls": ["URL"],
    "logins": [{"prefix": "portal", "token": "TOKEN"}],
    "wait": 0,
    "host": None,
}
_SESSIONS: Options = {"qps_urls": ["URL"], "prefix": "portal", "host": None, "retries": 1, "retry_deadline": 2}
_OTHERS = [
    "identity", "attributes", "cookie", "stickiness", "cookie_flags", "response_headers", "host_allow_list", "no_token",
    "forged_token", "wrong_key_token",
]  # fmt: skip

CLIENTS = {
    "repository": Client("jwt_virtual_proxy", "GET /qrs/virtualproxyconfig/full", _PORTAL),
    "repository, PUT": Client("jwt_virtual_proxy", "PUT /qrs/virtualproxyconfig/.*", _PORTAL, is_first=False),
    "repository, POST": Client("jwt_virtual_proxy", "POST /qrs/virtualproxyconfig", _NEW, is_first=False),
    "ticket": Client("jwt_virtual_proxy", "POST /qps/ticket", _TICKET),
    "sign-in": Client("jwt_virtual_proxy", "GET /(portal/)?qrs/about", _TICKET, is_first=False, exchanges=2),
    "NTLM": Client(
        "jwt_virtual_proxy",
        "GET /(portal/)?qrs/about",
        {**_PORTAL, "auth_method": "ntlm", "user": "ACME\\smoke", "password": "PASSWORD"},
        exchanges=2,
    ),
    "sessions": Client("logout", "GET /qps/portal/session", _SESSIONS, exchanges=2, pauses=2),
    "sessions, DELETE": Client(
        "logout", "DELETE /qps/portal/session/.*", _SESSIONS, is_first=False, exchanges=2, pauses=2
    ),
    "key set": Client("jwks_info", "GET /keys", {"url": "URL/keys", "retries": 0}),
    "login check": Client("login_check", "GET /portal/hub/", _LOGIN, exchanges=4),
    "login check, user": Client("login_check", "GET /portal/qps/user", _LOGIN, is_first=False, exchanges=4),
    "websocket": Client(
        "login_check", "GET /portal/app/engineData", {**_LOGIN, "skip_checks": _OTHERS}, is_first=False, exchanges=2
    ),
}


def arguments(client: Client, *, values: t.Mapping[str, t.Any], connection: Options) -> Options:
    """Return the arguments of the module.

    Args:
        client: the client.
        values: replaces names in capitals.
        connection: the options that all modules have.
    """
    if client.module == "jwks_info":
        connection = {name: connection[name] for name in ("ca_path", "connect_timeout", "read_timeout")}
    filled = _filled({**connection, **client.options}, values)
    return {name: value for name, value in filled.items() if value is not None}


def _filled(value: t.Any, values: t.Mapping[str, t.Any]) -> t.Any:
    if isinstance(value, dict):
        return {name: _filled(one, values) for name, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, values) for one in value]
    if value in values:
        return values[value]
    return value.replace("URL", values["URL"]) if isinstance(value, str) else value
