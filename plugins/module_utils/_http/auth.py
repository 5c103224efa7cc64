# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""The ways to sign in to the repository, one function for each.

The client certificate opens the repository's own port. All others go through a virtual proxy, below the name of a user
whom Qlik Sense knows, and end in a session cookie.
"""

from __future__ import annotations

import struct
import typing as t
import urllib.parse

from .._argspec import NEEDED, PEM_OPTIONS
from .._errors import AnswerError, InputError, TransportError
from .._files import PrivateFiles, content_option
from .._keys.pem import client_certificate

if t.TYPE_CHECKING:
    import requests

    from .client import Connection

Options = t.Mapping[str, t.Any]

# A login has one redirect to it, one back with a ticket, and perhaps one that takes the ticket out of the address.
_MOST_REDIRECTS = 8


class Way(t.NamedTuple):
    """What a connection does to be let in.

    Attributes:
        advice: what to check when nobody is signed in, a sentence.
        through_proxy: whether it leads through a virtual proxy and not to the repository's own port.
        ca_options: names of the options with the CAs of the servers that it reaches, first that of the server which
            answers the requests to the repository.
        client_cert: paths of the client certificate and of its key for the repository's own port.
        headers: sent with each request.
        cookie: name and value of a session that exists already.
        secrets: what no message may repeat.
        enter: makes the requests that come before the first one.
        leave: whether the session is this task's own, and logged out at its end.
    """

    advice: str
    through_proxy: bool = True
    ca_options: tuple[str, ...] = ("proxy_ca_path",)
    client_cert: tuple[str, str] | None = None
    headers: t.Mapping[str, str] = {}
    cookie: tuple[str, str] | None = None
    secrets: tuple[str, ...] = ()
    enter: t.Callable[[Connection], None] | None = None
    leave: bool = True


def _by_certificate(options: Options, files: PrivateFiles) -> Way:
    directory, name = _named_user(options["user"] or r"INTERNAL\sa_api")
    return Way(
        advice="Check that the client certificate is the one which the QMC of this site exported.",
        through_proxy=False,
        ca_options=("ca_path",),
        client_cert=client_certificate(options, files),
        headers={"X-Qlik-User": f"UserDirectory={directory}; UserId={name}"},
        leave=False,
    )


def _by_jwt(options: Options, _files: PrivateFiles) -> Way:
    token = options["token"].strip()
    return Way(
        advice="Check the virtual proxy prefix, that it is a JWT one, and that the token is not expired, is signed "
        "with the key of its certificate and carries its two claims.",
        headers={"Authorization": f"Bearer {token}"},
        secrets=(token,),
    )


def _by_header(options: Options, _files: PrivateFiles) -> Way:
    name, user = options["header_name"], options["user"]
    # Qlik help, "Virtual proxies": header authentication supports US-ASCII only.
    if not (name + user).isascii() or not (name + user).isprintable() or any(one in name for one in ": "):
        raise InputError(
            "Tried to sign in with a header.",
            f"The header {name!r} with the value {user!r} cannot be sent.",
            "Give the header's name as the virtual proxy has it and the user in plain ASCII.",
        )
    return Way(
        advice="Check the virtual proxy prefix, that it is a header one, and that the header's name and the form of "
        "the user are as the virtual proxy has them.",
        headers={name: user},
    )


def _by_session(options: Options, _files: PrivateFiles) -> Way:
    name, _equals, value = options["session_cookie"].strip().partition("=")
    if not name or not value or any(one in name + value for one in '; ,"\\\r\n\t'):
        raise InputError(
            "Tried to sign in with a session cookie.",
            "The option 'session_cookie' is not of the form NAME=VALUE.",
            "Give one cookie, such as X-Qlik-Session=..., without its attributes.",
        )
    return Way(
        advice="Check that the session has not ended, belongs to this virtual proxy and to this proxy, and that the "
        "cookie's name is the one of the virtual proxy.",
        cookie=(name, value),
        secrets=(value,),
        leave=False,
    )


def _by_ticket(options: Options, files: PrivateFiles) -> Way:
    directory, name = _named_user(options["user"])
    client_cert = client_certificate(options, files)
    advice = "Check the virtual proxy prefix, and that it is one with the authentication method Ticket."

    def enter(connection: Connection) -> None:
        # Qlik help, "Add ticket": POST /qps/{virtual proxy/}ticket; the ticket is good for one minute and one session
        url = f"https://{connection.host}:{options['qps_port']}/qps{connection.below}/ticket"
        tried = f"Tried to get a ticket (POST {url})."
        answer = connection.send(
            "POST",
            url,
            tried=tried,
            body={"UserDirectory": directory, "UserId": name, "Attributes": []},
            client_cert=client_cert,
            # The QPS has a certificate of Qlik's own authority, whatever the proxy shows to users.
            ca_option="ca_path",
        )
        where = "Check 'qps_port', and that the virtual proxy exists and is linked to the proxy of this host."
        if answer.status_code not in (200, 201):
            raise connection.refusal(answer, tried, advice=where)
        ticket = _json(answer).get("Ticket")
        if not isinstance(ticket, str) or not ticket:
            raise AnswerError(tried, "The answer holds no ticket.", where, status=answer.status_code)
        connection.secrets.append(ticket)
        _enter(connection, tried="Tried to sign in with a ticket", advice=advice, query={"qlikTicket": ticket})

    return Way(advice=advice, ca_options=("proxy_ca_path", "ca_path"), enter=enter)


def _by_ntlm(options: Options, _files: PrivateFiles) -> Way:
    try:
        from requests_ntlm import HttpNtlmAuth
        from spnego.exceptions import SpnegoError
    except ImportError:
        from ansible.module_utils.basic import missing_required_lib

        raise InputError(
            "Tried to sign in with NTLM.",
            missing_required_lib("requests-ntlm >= 1.3"),
            "Or sign in another way ('auth_method').",
        ) from None
    advice = (
        "Check the user name (DOMAIN\\user) and the password, that the account is neither locked nor expired, and that "
        "the virtual proxy is one with the authentication method Ticket."
    )

    class Handshake(HttpNtlmAuth):
        def response_hook(self, r: requests.Response, **kwargs: t.Any) -> requests.Response:
            try:
                return super().response_hook(r, **kwargs)
            except (PermissionError, ArithmeticError, LookupError, ValueError, struct.error, SpnegoError) as exc:
                raise TransportError(
                    f"Tried to sign in with NTLM (GET {r.url.partition('?')[0]}).",
                    f"The server asks for Windows authentication, but does not speak NTLM ({type(exc).__name__}).",
                    "Check that NTLM is allowed there, and that no other web server stands in front of Qlik Sense.",
                ) from None

    def enter(connection: Connection) -> None:
        auth = Handshake(options["user"], options["password"])
        _enter(connection, tried="Tried to sign in with NTLM", advice=advice, auth=auth)

    return Way(
        advice=advice,
        # Qlik help, "Virtual proxies": Windows authentication is for devices whose User-Agent has this word in it
        headers={"User-Agent": "Windows sensible.qlik"},
        secrets=(options["password"],),
        enter=enter,
    )


WAYS: dict[str, t.Callable[[Options, PrivateFiles], Way]] = {
    "certificate": _by_certificate,
    "jwt": _by_jwt,
    "ticket": _by_ticket,
    "header": _by_header,
    "ntlm": _by_ntlm,
    "session": _by_session,
}


def way_in(options: Options, files: PrivateFiles) -> Way:
    """Return the way that the options name.

    Args:
        options: the options of a task.
        files: keeps keys and certificates that were given as text, as long as the way is in use.

    Raises:
        InputError: an option is missing or cannot be right, or a library is missing.
    """
    method = options["auth_method"]
    for name in NEEDED[method]:
        if not options.get(name) and not (name in PEM_OPTIONS and options.get(content_option(name))):
            alternative = f" or '{content_option(name)}'" if name in PEM_OPTIONS else ""
            raise InputError("Tried to sign in.", f"The option '{name}' is empty.", f"{method} needs it{alternative}.")
    return WAYS[method](options, files)


def _enter(
    connection: Connection, *, tried: str, advice: str, query: t.Mapping[str, str] | None = None, auth: t.Any = None
) -> None:
    """Ask for something that everybody may read, and go through the login that comes before it.

    Credentials and ticket go to no other host: a redirect elsewhere is an error.

    Args:
        connection: gets the session cookie.
        tried: how the sentence "Tried to ..." begins.
        advice: what to check when nobody is signed in.
        query: sent with the first request.
        auth: for each request, as requests wants it.
    """
    url = f"{connection.base}/qrs/about"
    tried = f"{tried} (GET {url})."
    answer = connection.send("GET", url, tried=tried, query=query, auth=auth)
    for _redirect in range(_MOST_REDIRECTS):
        if not 300 <= answer.status_code < 400:
            break
        url = urllib.parse.urljoin(url, answer.headers.get("Location", ""))
        parts = urllib.parse.urlsplit(url)
        if parts.scheme != "https" or parts.hostname != urllib.parse.urlsplit(connection.base).hostname:
            outcome = f"The server sends us on to {parts.scheme}://{parts.hostname}, which is not the host asked."
            advice = "Check the virtual proxy prefix and its authentication method, or give that host name."
            raise AnswerError(tried, outcome, advice, status=answer.status_code)
        answer = connection.send("GET", url, tried=tried, auth=auth)
    if answer.status_code == 200 and "json" in answer.headers.get("Content-Type", ""):
        return
    if answer.status_code == 200 or 300 <= answer.status_code < 400:
        outcome = "The server shows a login form instead of letting us in."
        if auth is not None:
            advice = (
                "Check the virtual proxy prefix, that its authentication method is Ticket, and that its Windows "
                "authentication pattern is 'Windows'."
            )
        raise AnswerError(tried, outcome, advice, status=answer.status_code)
    raise connection.refusal(answer, tried)


def _json(answer: requests.Response) -> dict[str, t.Any]:
    """The object in an answer, empty when there is none."""
    try:
        content = answer.json()
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _named_user(user: str) -> tuple[str, str]:
    directory, _separator, name = user.partition("\\")
    if not (directory and name) or any(character in user for character in ";\r\n"):
        raise InputError(
            "Tried to tell the repository who is asking.",
            f"The option 'user' is {user!r}, which is not of the form DIRECTORY\\user.",
            r"Give for instance INTERNAL\sa_api.",
        )
    return directory, name
