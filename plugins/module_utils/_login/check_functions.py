# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""The functions of the login checks: requests to a proxy and the expected answers."""

from __future__ import annotations

import contextlib
import functools
import typing as t

from .._keys.jose import inspect_token
from .._text import sentences
from .._tokens import negative as _negative
from . import attributes as _attributes
from . import cookie as _cookie
from . import diagnosis as _diagnosis
from . import response_headers as _headers
from . import websocket as _websocket
from .diagnosis import Answer, same_user, shown
from .handshake import handshake_fault
from .models import Outcome, SkipCheck

if t.TYPE_CHECKING:
    from .state import LoginState

# Together with the connection of the login as many as a browser opens to a host.
_NEW_CONNECTIONS = 5
# A name that does not exist (RFC 2606).
_FOREIGN_HOST = "not-on-the-host-allow-list.invalid"


def _outcome(expected: str, answer: Answer, fault: str = "", actual: str = "") -> Outcome:
    return Outcome(expected, actual or str(answer), fault, answer.status, answer.ms)


def _difference(what: str, faults: t.Sequence[str], reasons: str) -> str:
    """Return the diagnosis for differences from the settings, "" without faults."""
    return sentences(f"{what}: {', '.join(faults)}", f"Either the proxy has not applied {reasons}") if faults else ""


def log_in(state: LoginState) -> Outcome:
    """Open the page of the hub with the token."""
    login, expected = state.login, "200 with HTML"
    answer = state.session.get("hub/", token=login.token)
    state.remember(answer)
    state.answered_headers = answer.headers
    if answer.status == 200 and answer.kind == "HTML":
        state.response_ms = answer.ms
        return _outcome(expected, answer)
    local_time = state.options.wall_clock()
    reasons: list[str] = []
    if answer.refused:
        find = functools.partial(_diagnosis.token_reasons, login.token, login.virtual_proxy)
        now = answer.date or local_time
        state.permanent_failure = bool(find(now=now)) or _diagnosis.is_blocked_user(answer)
        reasons = find(now=now, leeway=0)
        if not find(now=local_time):  # then the clock of the server is the reason
            reasons = [] if _diagnosis.clock_difference(answer.date, local_time) else reasons
    fault = _diagnosis.failed_login(
        answer,
        prefix=login.prefix,
        host=state.host,
        virtual_proxy=login.virtual_proxy,
        reasons=reasons,
        local_time=local_time,
    )
    return _outcome(expected, answer, fault)


def identify(state: LoginState) -> Outcome:
    """Read the signed-in user from the proxy."""
    login = state.login
    answer = state.session.who_am_i(token=login.token)
    state.remember(answer)
    state.signed_in = answer.user
    fault = ""
    if not same_user(answer.user, login.user):
        fault = _diagnosis.wrong_identity(answer, expected=login.user, virtual_proxy=login.virtual_proxy)
    return _outcome(shown(login.user), answer, fault, shown(answer.user) if answer.kind == "JSON" else "")


def compare_attributes(state: LoginState) -> Outcome:
    """Compare the session in the proxy's own API with the token."""
    if not state.session.has_cookies:
        raise SkipCheck("there is no session cookie that identifies the session")
    session = _attributes.find_session(state)
    expected = _attributes.expected_attributes(state.login.claims, state.login.virtual_proxy)
    if session.attributes is None or (not session.attributes and any(expected.values())):
        # The documented answers are for tickets and for sessions that were added with the API.
        raise SkipCheck(
            "the proxy's own API lists the session without attributes, because it does not list those of sessions from "
            "tokens, or because no claim is mapped"
        )
    user = shown(state.login.user)
    return Outcome(
        _attributes.shown_attributes(user, expected),
        _attributes.shown_attributes(session.user, _attributes.mapped(session.attributes or (), expected)),
        _difference(
            "The session differs from the token",
            _attributes.attribute_faults(expected, session, user=state.login.user),
            "jwt_attribute_map yet, or the repository has another map, or the names of claims differ in upper and "
            "lower case.",
        ),
    )


def return_with_cookie(state: LoginState) -> Outcome:
    """Open the page of the hub with the session cookie alone."""
    if not state.session.has_cookies:
        return Outcome("a session cookie", "none", _cookie.no_usable_cookie(list(state.cookies.values())))
    page = state.session.get("hub/")
    expected = f"200 with HTML, as {shown(state.signed_in)}"
    if page.status != 200 or page.kind != "HTML":
        return _outcome(expected, page, _cookie.COOKIE_REFUSED)
    who = state.session.who_am_i()
    fault = "" if same_user(who.user, state.signed_in) else _cookie.COOKIE_REFUSED
    return _outcome(expected, page._replace(ms=page.ms + who.ms), fault, f"200 with HTML, as {shown(who.user)}")


def use_new_connections(state: LoginState) -> Outcome:
    """Send the session cookie on several new connections, all open at the same time."""
    if not state.session.has_cookies:
        raise SkipCheck("there is no session cookie to send")
    expected = f"{shown(state.signed_in)} on {_NEW_CONNECTIONS} new connections"
    answers: list[Answer] = []
    with contextlib.ExitStack() as stack:
        for _number in range(_NEW_CONNECTIONS):
            session = stack.enter_context(contextlib.closing(state.new_session()))
            answers.append(session.who_am_i(cookies=state.session.cookies))
            if not same_user(answers[-1].user, state.signed_in):
                break
    answer = answers[-1]
    if same_user(answer.user, state.signed_in):
        return _outcome(expected, answer, actual=expected)
    actual = f"{shown(answer.user) if answer.status == 200 else answer} on new connection {len(answers)}"
    if len(answers) == 1 and not same_user(state.session.who_am_i().user, state.signed_in):
        raise SkipCheck("the session cookie is refused on the connection of the login as well")
    fault = _diagnosis.not_a_refusal(answer) if answer.overloaded else _cookie.SEVERAL_NODES
    return _outcome(expected, answer, fault, actual)


def compare_cookie(state: LoginState) -> Outcome:
    """Compare the session cookie with the settings."""
    expected, actual, faults = _cookie.cookie_faults(
        list(state.cookies.values()),
        https=state.login.proxy.startswith("https:"),
        virtual_proxy=state.login.virtual_proxy,
    )
    return Outcome(
        expected,
        actual,
        _difference("The session cookie differs", faults, "the settings yet, or a system in between rewrites cookies."),
    )


def compare_headers(state: LoginState) -> Outcome:
    """Compare the response headers with the settings."""
    if not state.declared_headers:
        raise SkipCheck("no additional_response_headers are known")
    faults = _headers.header_faults(state.declared_headers, state.answered_headers)
    expected = "; ".join(f"{name}: {value}" for name, value in state.declared_headers)
    return Outcome(
        expected,
        "; ".join(faults) or "all of them",
        _difference(
            "The answer's headers differ",
            faults,
            "additional_response_headers yet, or a system in between changes headers.",
        ),
    )


def try_hosts(state: LoginState) -> Outcome:
    """Send each name of the host allow list, and another one.

    Qlik help, "Virtual proxies": all host names of the virtual proxy must be on the list. Other names are reported to
    get 400 or 403 (qlik-sense-mcp, docs/AUTH_JWT.md; Qlik Community).
    """
    hosts = state.login.virtual_proxy.fields.get("websocket_cross_origin_white_list")
    if hosts is None:
        raise SkipCheck("no host allow list is known")
    if not state.session.has_cookies:
        raise SkipCheck("there is no session cookie to send")
    expected = ", ".join([*hosts, "no other name"])
    for host in (*hosts, _FOREIGN_HOST):
        with state.refusal_expected() as session:
            answer = session.who_am_i(cookies=state.session.cookies, host=host)
        accepted, listed = same_user(answer.user, state.signed_in), host != _FOREIGN_HOST
        fault = ""
        if listed and not accepted:
            fault = _diagnosis.host_is_refused(host)
        elif accepted and not listed:
            fault = _diagnosis.HOST_ACCEPTED
        elif not listed and answer.overloaded:
            fault = _diagnosis.not_a_refusal(answer)
        if fault:
            return _outcome(expected, answer, fault, f"{answer} for {host}")
    return _outcome(expected, answer, actual=f"all of them; {answer.status} for another name")


def open_websocket(state: LoginState) -> Outcome:
    """Open a websocket with the session cookie."""
    if not _websocket.AVAILABLE:
        raise SkipCheck("the Python package websocket-client is not installed")
    if not state.session.has_cookies:
        raise SkipCheck("there is no session cookie to send")
    handshake = state.session.open_websocket(token=state.login.token)
    fault = handshake_fault(
        handshake, expected=state.signed_in, host=state.host, virtual_proxy=state.login.virtual_proxy
    )
    return Outcome(f"OnConnected, as {shown(state.signed_in)}", str(handshake), fault, handshake.status, handshake.ms)


def refuse_without_token(state: LoginState) -> Outcome:
    """Send a request without a token."""
    return _refuse(state, None, accepted=_diagnosis.SIGNED_IN_WITHOUT_TOKEN)


def refuse_altered(state: LoginState) -> Outcome:
    """Send the token with another user id."""
    claim = state.login.virtual_proxy.user_id_claim
    return _refuse(state, _negative.forged(state.login.token, claim), accepted=_diagnosis.NOT_VERIFIED)


def refuse_foreign_key(state: LoginState) -> Outcome:
    """Send the token signed with a key that no virtual proxy knows."""
    token = _negative.signed_with(state.options.foreign_key, state.login.token)
    return _refuse(state, token, accepted=_diagnosis.NOT_VERIFIED)


def refuse_given(name: str, accepted: str) -> t.Callable[[LoginState], Outcome]:
    """Return the function of a check for a token that the caller mints."""

    def refuse_token(state: LoginState) -> Outcome:
        token = state.login.negative_tokens.get(name)
        if not token:
            raise SkipCheck(f"no {name} was given")
        return _refuse(state, token, accepted=accepted)

    return refuse_token


def _refuse(state: LoginState, token: str | None, *, accepted: str) -> Outcome:
    """Send a request that must be refused.

    Args:
        state: the state of the login.
        token: the token to send, if any.
        accepted: the diagnosis if the request is accepted as the user.
    """
    login = state.login
    anonymous = _diagnosis.allows_anonymous(login.virtual_proxy)
    expected = "200 as an anonymous user" if anonymous and not token else "401"
    with state.refusal_expected() as session:
        answer = session.get("hub/", token=token)
        if answer.refused and (token or not anonymous):
            return _outcome(expected, answer)
        if answer.status != 200:
            fault = _diagnosis.ANONYMOUS_REFUSED if answer.refused else _diagnosis.not_a_refusal(answer)
            return _outcome(expected, answer, fault)
        # If unauthenticated requests are allowed, a bad token may be accepted as well, but not as the user.
        user = session.who_am_i(token=token).user
    claims = inspect_token(token)["claims"] if token else {}
    claimed = _diagnosis.expected_user(claims, login.virtual_proxy)
    fault = ""
    if same_user(user, login.user) or same_user(user, claimed):
        fault = accepted
    elif not anonymous:
        fault = _diagnosis.ANONYMOUS_ACCEPTED if _diagnosis.is_anonymous(user) else _diagnosis.OPEN_PAGE
    return _outcome(expected, answer, fault, f"200 with {answer.kind}, as {shown(user)}")


def stay_out(state: LoginState) -> Outcome:
    """Send the token to a proxy on which the prefix must be unknown."""
    answer = state.session.get("hub/", token=state.login.token)
    return _outcome("400, 404 or a redirect to a login", answer, _diagnosis.still_linked(answer))


def log_out(state: LoginState) -> Outcome:
    """Log out, and use the cookie again."""
    if not state.session.has_cookies:
        raise SkipCheck("there was no session")
    cookies = state.session.take_cookies()
    answer = state.session.log_out(cookies)
    after = state.session.who_am_i(cookies=cookies)
    expected = "200 or 204, and the cookie is no longer accepted"
    if same_user(after.user, state.signed_in):
        return _outcome(expected, answer, _diagnosis.STILL_SIGNED_IN, f"{answer}; the cookie is still accepted")
    # 401 or 403: the logout of another login of the same user was faster and ended this session as well.
    if answer.status not in (200, 204) and not answer.refused:
        return _outcome(expected, answer, _diagnosis.not_a_refusal(answer))
    return _outcome(expected, answer, actual=f"{answer.status}, and the cookie is refused")
