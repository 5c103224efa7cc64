# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""The table of login checks.

To add a check, write its function in check_functions.py, insert an entry into CHECKS at the place where it is to run,
and run `make generate`, which writes the documentation of the module login_check. The first check logs in, the last one
logs out.
"""

from __future__ import annotations

import dataclasses
import typing as t

from . import check_functions as _functions

if t.TYPE_CHECKING:
    from .models import Outcome
    from .state import LoginState


@dataclasses.dataclass(frozen=True, kw_only=True)
class Check:
    """One login check.

    Attributes:
        name: name in results and in the option skip_checks.
        title: title in reports.
        doc: description for the documentation of the module.
        function: runs the check.
        optional: True if it can be skipped.
        linked: True for proxies to which the virtual proxy is linked, False for the others.
        after_failed_login: True if it is also meaningful after the login itself was refused.
        renews_session: True if the session is renewed before it is repeated, because its result depends on the cookie.
        token: documentation of the option with the token for this check, if only the caller can mint it.
    """

    name: str
    title: str
    doc: str
    function: t.Callable[[LoginState], Outcome]
    optional: bool = True
    linked: bool = True
    after_failed_login: bool = False
    renews_session: bool = False
    token: str = ""


def _given(name: str, title: str, token: str, accepted: str) -> Check:
    """Return the check that a token of the caller is refused."""
    return Check(
        name=name,
        title=title,
        doc=f"O(logins[].{name}) is refused. Skipped if it is not given.",
        function=_functions.refuse_given(name, accepted),
        token=token,
    )


CHECKS = (
    Check(
        name="login",
        title="Log in with the token",
        doc="The token opens the page of the hub. Redirects below the prefix are followed.",
        function=_functions.log_in,
        optional=False,
    ),
    Check(
        name="no_token",
        title="Request without a token is refused",
        doc="A request without a token is refused. If the virtual proxy allows anonymous access, the hub must open, "
        "but not as the user of the token.",
        function=_functions.refuse_without_token,
        after_failed_login=True,
    ),
    Check(
        name="identity",
        title="Signed in as the expected user",
        doc="The user that the proxy reports (C(/qps/user)) is the user of the token.",
        function=_functions.identify,
    ),
    Check(
        name="attributes",
        title="Attributes of the session as in the token",
        doc="The session has the user of the token and, for each entry of C(jwt_attribute_map), the values of the "
        "claim. The session is read from the proxy's own API (O(qps_urls)). Skipped without access to this API, and if "
        "it lists the session without attributes. Qlik does not document whether it lists attributes for sessions from "
        "tokens.",
        function=_functions.compare_attributes,
        renews_session=True,
    ),
    Check(
        name="cookie",
        title="Return with the session cookie",
        doc="The session cookie without the token opens the hub as the same user.",
        function=_functions.return_with_cookie,
        renews_session=True,
    ),
    Check(
        name="stickiness",
        title="Session on new connections",
        doc="The session cookie is accepted on five new connections as well, because a browser opens several. A load "
        "balancer without sticky sessions sends some of them to nodes that do not know the session.",
        function=_functions.use_new_connections,
    ),
    Check(
        name="cookie_flags",
        title="Session cookie as configured",
        doc="Name, C(Secure), C(HttpOnly), C(SameSite), domain and path of the session cookie are as in "
        "O(logins[].virtual_proxy). Settings that are not given are not compared.",
        function=_functions.compare_cookie,
        renews_session=True,
    ),
    Check(
        name="response_headers",
        title="Response headers as configured",
        doc="The response has the additional response headers of O(logins[].virtual_proxy).",
        function=_functions.compare_headers,
    ),
    Check(
        name="host_allow_list",
        title="Host allow list as configured",
        doc="Each name on the host allow list of O(logins[].virtual_proxy) is accepted as C(Host), and another name is "
        "refused.",
        function=_functions.try_hosts,
    ),
    Check(
        name="websocket",
        title="Websocket to the engine",
        doc="The session cookie opens a websocket to the engine as the same user, as required by hub and apps. The "
        "proxy's URL is sent as C(Origin). Releases since November 2024 also get a CSRF token, earlier releases the "
        "token of the login. Skipped if C(websocket-client) is not installed.",
        function=_functions.open_websocket,
    ),
    Check(
        name="forged_token",
        title="Altered token is refused",
        doc="The token with a changed user id is refused.",
        function=_functions.refuse_altered,
    ),
    Check(
        name="wrong_key_token",
        title="Token of an unknown key is refused",
        doc="The same header and claims, signed with a new key, are refused.",
        function=_functions.refuse_foreign_key,
    ),
    _given(
        "expired_token",
        title="Expired token is refused",
        token="A token of the same user that has expired.",
        accepted=(
            "An expired token was accepted. Check the clock of the server, and whether a system in front of Qlik Sense"
            " signs in users."
        ),
    ),
    _given(
        "wrong_audience_token",
        title="Token for another audience is refused",
        token=(
            "A token of the same user for another audience than C(jwt_audience). Whether all releases enforce the "
            "audience is not published."
        ),
        accepted=(
            "A token for another audience was accepted: the proxy has not applied jwt_audience yet, or this release "
            "does not enforce it."
        ),
    ),
    _given(
        "incomplete_token",
        title="Token without a mandatory attribute is refused",
        token="A token of the same user without the attributes that are mandatory in C(jwt_attribute_map).",
        accepted=(
            "A token without the mandatory attributes was accepted: the proxy has not applied jwt_attribute_map yet, "
            "or a system in front of Qlik Sense signs in users."
        ),
    ),
    _given(
        "other_key_token",
        title="Token of another key is refused",
        token=(
            "A token of the same user that is signed with another key than that of the virtual proxy, for example with"
            " the key that was replaced. The refusal is only meaningful if the login with O(logins[].token) on the "
            "same proxy succeeds."
        ),
        accepted=(
            "A token of another key was accepted: the proxy has not applied the certificate yet, or both keys are the "
            "same, or the certificate on the virtual proxy is that of the other key. Compare the certificate with both"
            " keys."
        ),
    ),
    Check(
        name="not_linked",
        title="Prefix is unknown where it is not linked",
        doc="The prefix is unknown on a proxy to which the virtual proxy is not linked. This is the only check on such "
        "a proxy. It requires O(proxy_urls) by node name, and C(proxies) in O(logins[].virtual_proxy).",
        function=_functions.stay_out,
        linked=False,
    ),
    Check(
        name="logout",
        title="Log out",
        doc="The logout works, and the cookie is no longer accepted. It is also run if other checks failed.",
        function=_functions.log_out,
        optional=False,
    ),
)
"""All checks, in their order; the last one ends the session."""

TOKEN_OPTIONS = {check.name: check.token for check in CHECKS if check.token}
OPTIONAL = [check.name for check in CHECKS if check.optional]
