# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""Diagnosis of a proxy's answer to a login: the most likely cause and the remedy. Pure, no I/O.

Qlik documents almost nothing about refusals (one sentence, for a request without an Authorization header). Therefore no
diagnosis depends only on the text of an answer. Status, redirect, the claims of the token, the settings of the virtual
proxy and the clock of the server are evaluated first.
"""

from __future__ import annotations

import re
import typing as t
import urllib.parse

from .._http.server_texts import BLOCKED_USER, known_cause, size_cause
from .._keys.jose import inspect_token
from .._text import sentences
from .._tokens.verify import constant_directory, diagnose
from .._virtual_proxy.model import VirtualProxy
from .cookie import Cookie

Mapping = t.Mapping[str, t.Any]

CLOCK_TOLERANCE = 60  # seconds; Qlik publishes no figure, so this limit is a decision of this collection

# Qlik support article "Qlik Sense: How to set up JWT authentication".
_HEADER_MISSING = "expected an authentication header"
# qlik-sense-mcp, docs/AUTH_JWT.md: one page for every unknown prefix. Users of Qlik Community also report it for a host
# name that is not on the host allow list.
_HEADER_INCORRECT = "http request header is incorrect"
# Words of pages that only name the status.
_STATUS_WORDS = frozenset(
    (
        "a", "access", "an", "apache", "bad", "code", "denied", "error", "forbidden", "found", "gateway", "html",
        "http", "internal", "is", "nginx", "not", "request", "requests", "server", "service", "status", "temporarily",
        "the", "timeout", "too", "many", "unauthorized", "unavailable", "was",
    )
)  # fmt: skip
_LOGIN_PATHS = ("login", "authentication", "saml", "oidc")


class Answer(t.NamedTuple):
    """The answer to one request after redirects within the prefix. Its texts contain no secret.

    Attributes:
        status: the HTTP status of the last answer.
        ms: response time in milliseconds, of all hops together.
        kind: "HTML", "JSON" or another word for the content.
        text: the beginning of the body as plain text, on one line.
        data: userDirectory and userId of a JSON object.
        location: the target of a redirect that was not followed, without its query, otherwise "".
        cookies: the cookies in the answers of all hops.
        headers: the requested headers of the last answer, by name in lower case.
        date: the clock of the server in seconds since 1970, if it sent a Date.
        header_bytes: size of the headers of the last request.
    """

    status: int
    ms: int
    kind: str = "nothing"
    text: str = ""
    data: t.Mapping[str, t.Any] = {}
    location: str = ""
    cookies: tuple[Cookie, ...] = ()
    headers: t.Mapping[str, t.Sequence[str]] = {}
    date: float | None = None
    header_bytes: int = 0

    @property
    def refused(self) -> bool:
        """Return True for 401, 403 and redirects. Qlik's own client treats them as "not signed in" (qlik-api-ts)."""
        return self.status in (401, 403) or bool(self.location)

    @property
    def overloaded(self) -> bool:
        """Return True if the server is temporarily not able to answer."""
        return self.status >= 500 or self.status == 429

    @property
    def user(self) -> tuple[str, str]:
        """Return directory and id of the user in /qps/user, ("", "") if no user is signed in."""
        return str(self.data.get("userDirectory") or ""), str(self.data.get("userId") or "")

    def __str__(self) -> str:
        if self.location:
            return f"{self.status}, a redirect to {self.location}"
        content = self.kind if self.kind != "nothing" else "an empty body"
        return f"{self.status} with {content}" + (f": {self.text}" if self.text and self.status >= 400 else "")


def shown(user: tuple[str, str]) -> str:
    r"""Return a user in the form DIRECTORY\user for messages."""
    return "\\".join(user) if any(user) else "no user"


def same_user(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Return True if two names belong to the same user. The repository compares them without regard to case."""
    return any(one) and [part.casefold() for part in one] == [part.casefold() for part in other]


def expected_user(claims: Mapping, virtual_proxy: VirtualProxy) -> tuple[str, str]:
    """Return directory and id of the user of a token by the claim names of the virtual proxy, "" if missing."""
    directory, user_id = virtual_proxy.user_directory_claim, virtual_proxy.user_id_claim
    constant = constant_directory(directory)
    return str((claims.get(directory) if constant is None else constant) or ""), str(claims.get(user_id) or "")


def allows_anonymous(virtual_proxy: VirtualProxy) -> bool:
    """Return True if the virtual proxy allows unauthenticated requests."""
    return virtual_proxy.fields.get("anonymous_access_mode") in ("allow_anonymous", "always_anonymous")


def is_login_page(location: str) -> bool:
    """Return True if the target of a redirect is a login page."""
    return any(word in urllib.parse.urlsplit(location).path.lower() for word in _LOGIN_PATHS)


def is_blocked_user(answer: Answer) -> bool:
    """Return True if the proxy reports an inactive account (Qlik article "Your account is inactive")."""
    return answer.status in (401, 403) and bool(re.search(BLOCKED_USER, answer.text, re.IGNORECASE))


def failed_login(
    answer: Answer, *, prefix: str, host: str, virtual_proxy: VirtualProxy, reasons: t.Sequence[str], local_time: float
) -> str:
    """Return the diagnosis for a request with a token that did not open the hub.

    Args:
        answer: the answer.
        prefix: prefix of the virtual proxy.
        host: host name that the request was sent to.
        virtual_proxy: its settings as far as they are known.
        reasons: reasons why a virtual proxy with these settings would refuse the token.
        local_time: the clock of this machine in seconds since 1970.
    """
    if cause := _text_cause(answer, prefix=prefix, host=host, virtual_proxy=virtual_proxy):
        return cause
    guess = _guess(
        answer, prefix=prefix, host=host, virtual_proxy=virtual_proxy, reasons=reasons, local_time=local_time
    )
    # A text that is not known can still be the only one that names the cause.
    said = answer.text.strip() if answer.status >= 400 and not reasons else ""
    return sentences(f"The server's text is: {said}" if _says_more(said) else "", guess)


def _text_cause(answer: Answer, *, prefix: str, host: str, virtual_proxy: VirtualProxy) -> str:
    """Return the diagnosis for a known text of the answer, "" for other texts."""
    text = answer.text.lower()
    if cause := known_cause(answer.status, answer.text, header_bytes=answer.header_bytes):
        return cause
    if _HEADER_MISSING in text:
        return (
            "The token was sent, but did not arrive: a reverse proxy or a load balancer in front of Qlik Sense removes "
            "the Authorization header. Configure it to forward the header, or test the node directly."
        )
    if answer.status == 400 and _HEADER_INCORRECT in text:
        return _incorrect_header(prefix=prefix, host=host, virtual_proxy=virtual_proxy)
    return ""


def _says_more(text: str) -> bool:
    """Return True if a text says more than the name of a status."""
    words = re.sub(r"[^a-z ]", " ", text.lower()).split()
    return bool(set(words) - _STATUS_WORDS)


def _guess(
    answer: Answer, *, prefix: str, host: str, virtual_proxy: VirtualProxy, reasons: t.Sequence[str], local_time: float
) -> str:
    """Return the diagnosis by status, redirect, the token and the settings. See failed_login for the arguments."""
    if cause := size_cause(answer.status, answer.header_bytes):
        return cause
    if answer.status == 400 and answer.kind == "HTML":
        return _incorrect_header(prefix=prefix, host=host, virtual_proxy=virtual_proxy)
    schemes = [value.split()[0] for value in answer.headers.get("www-authenticate", ()) if value]
    if answer.status == 401 and not reasons and {"NTLM", "Negotiate"} & set(schemes):
        return (
            f"The server requires Windows authentication: '{prefix}' is not a JWT virtual proxy, or a system in front "
            "of Qlik Sense signs in users. Check the authentication method, or test the node directly."
        )
    if answer.location and not reasons:
        return (
            f"The redirect to a login means that '{prefix}' is not a JWT virtual proxy, or that this proxy does not "
            "know the prefix and its default virtual proxy answers. Check its authentication method and its links."
        )
    if answer.refused:
        return _refused_token(answer, reasons=reasons, virtual_proxy=virtual_proxy, local_time=local_time)
    if answer.status == 404:
        return (
            f"This proxy has no page /{prefix}/hub/: the virtual proxy is not linked to it, or another web server "
            "answers here. Check the links, host and port."
        )
    if answer.status in (429, 500, 502, 503, 504):
        return (
            "The proxy is restarting or overloaded, or it has no engine for users. Check that the virtual proxy has a "
            "load balancing node and that the Qlik Sense services run, then try again."
        )
    return (
        f"The hub is an HTML page, but the answer was {answer.kind}, probably of another web server or a page in front "
        "of Qlik Sense. Check host, port and prefix."
    )


_CHECK_LINKS = (
    "Check prefix, links and host allow list. If the virtual proxy is linked to some proxies only, give the proxies as "
    "a dictionary by node name, so that logins are expected only on linked proxies."
)


def _incorrect_header(*, prefix: str, host: str, virtual_proxy: VirtualProxy) -> str:
    names = virtual_proxy.allowed_hosts
    allowed = [str(name).casefold() for name in names]
    unknown = (
        f"this proxy does not know the prefix '{prefix}': the virtual proxy does not exist, or is not linked to this "
        "proxy or to the one of the central node"
    )
    if host.casefold() in allowed:
        return f"Most likely {unknown}. {_CHECK_LINKS}"
    return f"Either {unknown}; or the name '{host}' is missing in its host allow list. {_CHECK_LINKS}"


def _refused_token(answer: Answer, *, reasons: t.Sequence[str], virtual_proxy: VirtualProxy, local_time: float) -> str:
    clock = clock_difference(answer.date, local_time)
    if reasons:
        advice = "Mint the token according to the settings of the virtual proxy, or correct the settings."
        return sentences(*reasons, clock, advice)
    if clock:
        return f"{clock} Synchronize both clocks, because a token that is not yet valid or has expired is refused."
    if answer.status == 403:
        return (
            "The user is blocked, inactive or has no access; or this host name is missing on the host allow list; or "
            "the virtual proxy is not linked to this proxy and the one of the central node. Check the user and the "
            "virtual proxy in the QMC."
        )
    if virtual_proxy.fields.get("jwt_public_key_certificate"):
        return (
            "The token matches the given settings. Either the proxy has not applied a change yet, or the repository "
            "has other settings (certificate, claim names), or the user is unknown or blocked. jwt_virtual_proxy in "
            "check mode shows a difference; the proxy's audit log at level DEBUG contains the reason."
            + "".join(f" {doubt}" for doubt in _doubts(virtual_proxy))
        )
    return (
        "Most likely the token is not signed with the key of the virtual proxy's certificate, the virtual proxy has "
        "other names for its two claims (case-sensitive), or the user is blocked. Give the settings in virtual_proxy "
        "for an exact diagnosis."
    )


def _doubts(virtual_proxy: VirtualProxy) -> t.Iterator[str]:
    """Yield alternatives for settings that work according to some reports only."""
    directory = str(virtual_proxy.fields.get("jwt_attribute_user_directory") or "")
    if constant_directory(directory) is not None:
        yield f"Try a claim instead of the fixed directory {directory}: Qlik documents brackets for SAML, not for JWT."
    if "sub" in (directory, virtual_proxy.fields.get("jwt_attribute_user_id")):
        yield "Try another claim than 'sub': Qlik's article reserves some names without listing them."


def clock_difference(server_time: float | None, local_time: float) -> str:
    """Return a sentence if the two clocks differ by more than CLOCK_TOLERANCE, otherwise ""."""
    seconds = 0 if server_time is None else round(server_time - local_time)
    if abs(seconds) <= CLOCK_TOLERANCE:
        return ""
    return f"The server's clock is {abs(seconds)} seconds {'ahead of' if seconds > 0 else 'behind'} this machine's."


def wrong_identity(answer: Answer, *, expected: tuple[str, str], virtual_proxy: VirtualProxy) -> str:
    """Return the diagnosis if /qps/user does not return the expected user although the hub opened."""
    if answer.kind != "JSON":
        return (
            f"/qps/user answers with {answer.kind} instead of JSON: another web server is in between, or the session "
            "was lost. Test the node directly."
        )
    if not any(expected):
        return (
            "The token has no user in the known claims. Give user_directory and user_id, or the claim names in "
            "virtual_proxy."
        )
    if virtual_proxy.fields.get("anonymous_access_mode") == "always_anonymous" or is_anonymous(answer.user):
        return "The virtual proxy treats all users as anonymous and ignores tokens. Change its anonymous access mode."
    if not any(answer.user):
        return (
            "The hub opened, but no user is signed in: anonymous access, a page in front of Qlik Sense, or a load "
            "balancer that distributes one session to several nodes. Test the node directly and check the anonymous "
            "access mode."
        )
    return (
        "Qlik Sense read the user from other claims than expected, or maps the token to a fixed user. Compare the "
        "claim names of the virtual proxy with the token."
    )


STILL_SIGNED_IN = (
    "The session continues after the logout. It ends after its inactivity timeout. Until then it counts as one of the "
    "user's five sessions."
)
ANONYMOUS_REFUSED = "Anonymous access is configured, but not granted: the proxy may not have applied the setting yet."
ANONYMOUS_ACCEPTED = (
    "The virtual proxy allows anonymous users. If this is intended, set anonymous_access_mode in virtual_proxy; "
    "otherwise set it to no_anonymous_user."
)
OPEN_PAGE = (
    "The page opens without a sign-in, although not as a user: a system in front of Qlik Sense may answer, or the "
    "virtual proxy does not authenticate with JWT. Test the node directly and check its authentication method."
)


def is_anonymous(user: tuple[str, str]) -> bool:
    """Return True for an anonymous user of Qlik Sense (directory NONE)."""
    return user[0].casefold() == "none"


SIGNED_IN_WITHOUT_TOKEN = (
    "Requests without a token are signed in as this user: a system in front of Qlik Sense signs them in. Test the node "
    "directly."
)
NOT_VERIFIED = (
    "The signature of the token is not verified, so a forged token can sign in as any user. The answer does not come "
    "from the JWT authentication of Qlik Sense. Unlink the virtual proxy until the cause is found."
)


def still_linked(answer: Answer) -> str:
    """Return the diagnosis for an answer where the prefix must be unknown, "" if it is unknown.

    Known answers are a page with 400 for every unknown prefix (qlik-sense-mcp, docs/AUTH_JWT.md), 404, and the login of
    the default virtual proxy.
    """
    if answer.status in (400, 404) or answer.location:
        return ""
    if answer.overloaded:
        return not_a_refusal(answer)
    return (
        "This proxy serves the virtual proxy, although it is not linked to it by its settings: it has not applied the "
        "change yet, or the links in the repository differ. jwt_virtual_proxy in check mode shows a difference."
    )


def host_is_refused(host: str) -> str:
    """Return the diagnosis for a host name of the host allow list that is refused."""
    return (
        f"The name '{host}' is on the host allow list, but the proxy refuses it: it has not applied the list yet, or "
        "the repository has another list."
    )


HOST_ACCEPTED = (
    "A host name was accepted that is not on the host allow list, so pages of any site can use sessions. A system in "
    "front of Qlik Sense may replace the Host header; test the node directly, and check the list in the QMC."
)


def not_a_refusal(answer: Answer) -> str:
    """Return the diagnosis for an answer that is neither a success nor a refusal."""
    if answer.overloaded:
        return "The proxy is restarting or overloaded, so the answer is no result. Run the check again."
    return "The answer is neither the hub nor a refusal. Check that Qlik Sense itself answers here."


def token_reasons(token: str, virtual_proxy: VirtualProxy, *, now: float, leeway: float = CLOCK_TOLERANCE) -> list[str]:
    """Return the reasons why a virtual proxy with these settings would refuse the token.

    Args:
        token: a signed token.
        virtual_proxy: its settings as far as they are known. Unknown claim names are not checked.
        now: the clock of the server in seconds since 1970.
        leeway: seconds by which clocks may differ.
    """
    claims = inspect_token(token)["claims"]
    some_text = next((name for name, value in claims.items() if value and isinstance(value, str)), "userId")
    unknown = {"jwt_attribute_user_id": some_text, "jwt_attribute_user_directory": "[any]"}
    known = {name: value for name, value in virtual_proxy.fields.items() if value is not None}
    return diagnose(token, {**unknown, **known}, now=now, leeway=leeway)
