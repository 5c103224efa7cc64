# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""The authentication methods for the repository, as flows that are independent of the HTTP client.

The client certificate is used on the repository's own port. All other methods use a virtual proxy, sign in as a user of
Qlik Sense and result in a session cookie.
"""

from __future__ import annotations

import typing as t
import urllib.parse

from .. import _identifiers
from .._argspec import NEEDED, PEM_OPTIONS
from .._errors import InputError
from .._files import PrivateFiles, content_option
from .._keys.jose import require_whole_token
from .._keys.pem import client_certificate
from .client import Request

if t.TYPE_CHECKING:
    from .._text import Sanitizer

Flow = t.Generator[Request, t.Any, t.Any]
"""Yields requests and receives their responses until the client has the session cookie, or returns a refusal."""

# A login needs one redirect to it, one back with a ticket, and possibly one that removes the ticket from the address.
_MOST_REDIRECTS = 8


class Auth(t.NamedTuple):
    """Authentication of a client.

    Attributes:
        hint: a sentence with checks for the case that no user is signed in.
        through_proxy: True if it uses a virtual proxy, False for the repository's own port.
        client_cert: paths of the client certificate and of its key for the repository's own port.
        headers: sent with each request.
        sign_in: returns the flow before the first request. Its argument is the URL before /qrs, with port.
        own_session: True if the session was opened by this task and is logged out at its end.
    """

    hint: str
    through_proxy: bool = True
    client_cert: tuple[str, str] | None = None
    headers: t.Mapping[str, str] = {}
    sign_in: t.Callable[[str], Flow] | None = None
    own_session: bool = True

    @property
    def ca_option(self) -> str:
        """Return the name of the option with the CA that verifies the server."""
        return "proxy_ca_path" if self.through_proxy else "ca_path"


class Source(t.NamedTuple):
    """Input of an authentication.

    Attributes:
        options: options of the task.
        prefix: of the virtual proxy, "" for the default one.
        files: stores keys and certificates that were given as text.
        sanitize: receives the secrets.
    """

    options: t.Mapping[str, t.Any]
    prefix: str
    files: PrivateFiles
    sanitize: Sanitizer


def _by_certificate(source: Source) -> Auth:
    directory, name = _identifiers.user(source.options["user"] or r"INTERNAL\sa_api")
    # Qlik help, "X-Qlik-User header": both parts are URL-encoded UTF-8.
    user = f"UserDirectory={urllib.parse.quote(directory, safe='')}; UserId={urllib.parse.quote(name, safe='')}"
    return Auth(
        hint="Check that the client certificate was exported by the QMC of this site.",
        through_proxy=False,
        client_cert=client_certificate(source.options, source.files),
        headers={"X-Qlik-User": user},
        own_session=False,
    )


def _by_jwt(source: Source) -> Auth:
    token = _identifiers.header_value(source.options["token"].strip(), "token")
    require_whole_token(token)
    source.sanitize.add([token])
    return Auth(
        hint="Check the virtual proxy prefix, that its authentication method is JWT, and that the token has not "
        "expired, is signed with the key of its certificate and has its two claims.",
        headers={"Authorization": f"Bearer {token}"},
    )


def _by_header(source: Source) -> Auth:
    # Qlik help, "Virtual proxies": header authentication supports US-ASCII only.
    name = _identifiers.header_name(source.options["header_name"])
    user = _identifiers.header_value(source.options["user"], "user")
    return Auth(
        hint="Check the virtual proxy prefix, that its authentication method is a header, and that the name of the "
        "header and the form of the user match the virtual proxy.",
        headers={name: user},
    )


def _by_session(source: Source) -> Auth:
    cookie = _identifiers.header_value(source.options["session_cookie"].strip(), "session_cookie")
    name, _equals, value = cookie.partition("=")
    if not name or not value or any(one in name + value for one in '; ,"\\'):
        raise InputError(
            "The option 'session_cookie' is not of the form NAME=VALUE.",
            hint="Give one cookie, such as X-Qlik-Session=..., without its attributes.",
        )
    source.sanitize.add([value])
    return Auth(
        hint="Check that the session has not ended, belongs to this virtual proxy and to this proxy, and that the "
        "name of the cookie is that of the virtual proxy.",
        headers={"Cookie": cookie},
        own_session=False,
    )


def _by_ticket(source: Source) -> Auth:
    from .qps import qps_opener  # imported only if needed, because it adds to the start-up time

    options = source.options
    directory, name = _identifiers.user(options["user"])
    hint = "Check the virtual proxy prefix, and that its authentication method is Ticket."
    port = _identifiers.port(options["qps_port"], "qps_port")
    open_qps = qps_opener(options, source.files)

    def sign_in(base: str) -> Flow:
        host = urllib.parse.urlsplit(base).netloc.rpartition(":")[0]
        qps = open_qps(f"https://{host}:{port}", source.prefix, sanitize=source.sanitize)
        try:
            ticket = qps.add_ticket(directory, name)
        finally:
            qps.close()
        return _enter(base, hint=hint, query={"qlikTicket": ticket})

    return Auth(hint=hint, sign_in=sign_in)


def _by_ntlm(source: Source) -> Auth:
    from . import ntlm  # compiled only where it is needed: each task pays for it

    if not ntlm.AVAILABLE:
        from ansible.module_utils.basic import missing_required_lib

        raise InputError(missing_required_lib("pyspnego >= 0.11"), hint="Or use another 'auth_method'.")
    user, password = source.options["user"], source.options["password"]
    source.sanitize.add([password])

    def sign_in(base: str) -> Flow:
        return _enter(
            base,
            hint="Check the virtual proxy prefix, that its authentication method is Ticket, and that its Windows "
            "authentication pattern is 'Windows'.",
            ask=lambda request: ntlm.handshake(request, user, password),
            # Qlik help, "Proxies": Windows authentication has a port of its own (4244).
            any_port=True,
        )

    return Auth(
        hint="Check the user name (DOMAIN\\user) and the password, that the account is neither locked nor expired, "
        "and that the authentication method of the virtual proxy is Ticket.",
        # Qlik help, "Virtual proxies": Windows authentication is for devices with this word in their User-Agent
        headers={"User-Agent": "Windows sensible.qlik"},
        sign_in=sign_in,
    )


_METHODS: dict[str, t.Callable[[Source], Auth]] = {
    "certificate": _by_certificate,
    "jwt": _by_jwt,
    "ticket": _by_ticket,
    "header": _by_header,
    "ntlm": _by_ntlm,
    "session": _by_session,
}


def authentication(source: Source) -> Auth:
    """Return the authentication that the options request.

    Raises:
        InputError: an option is missing or not valid, or a library is missing.
    """
    method = source.options["auth_method"]
    for name in NEEDED[method]:
        if not source.options.get(name) and not (name in PEM_OPTIONS and source.options.get(content_option(name))):
            alternative = f" or '{content_option(name)}'" if name in PEM_OPTIONS else ""
            raise InputError(f"The option '{name}' is empty.", hint=f"{method} needs it{alternative}.")
    return _METHODS[method](source)


def _ask(request: Request) -> Flow:
    return (yield request)


def _enter(
    base: str,
    *,
    hint: str,
    query: t.Mapping[str, str] | None = None,
    ask: t.Callable[[Request], Flow] = _ask,
    any_port: bool = False,
) -> Flow:
    """Request a resource that all users may read, and follow the login before it.

    Credentials and ticket are not sent to another host: a redirect to another host is an error.

    Args:
        base: the URL before /qrs.
        hint: the hint if the answer is a login form.
        query: sent with the first request.
        ask: sends a request and returns its answer.
        any_port: True if redirects to other ports of the same host are followed.
    """
    response = yield from ask(Request("GET", f"{base}/qrs/about", query=query or {}))
    for _redirect in range(_MOST_REDIRECTS):
        target = response.redirect_target(any_port=any_port)
        if not target:
            break
        response = yield from ask(Request("GET", target))
    if response.status == 200 and "json" in response.headers.get("Content-Type", ""):
        return None
    if response.status == 200 or 300 <= response.status < 400:
        raise response.error("The server answered with a login form.", hint)
    return response
