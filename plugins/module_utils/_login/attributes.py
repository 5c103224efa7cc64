# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""Compare the attributes of a session with those that the token and the virtual proxy imply.

Values of claims are compared and never shown.
"""

from __future__ import annotations

import collections
import contextlib
import typing as t

from .._errors import QlikError
from .._text import sanitize
from .diagnosis import same_user
from .models import SkipCheck

if t.TYPE_CHECKING:
    from .._http.qps import Session
    from .._virtual_proxy.model import VirtualProxy
    from .state import LoginState

Attributes = dict[str, list[str]]


def find_session(state: LoginState) -> Session:
    """Return the session of a login with its attributes.

    Raises:
        SkipCheck: no API of a proxy has it.
    """
    reasons = []
    if not all(state.signed_in):
        raise SkipCheck("no user is signed in")
    cookies = state.session.cookies.values()
    for api in state.options.session_apis(state.login.prefix, state.login.proxy):
        with contextlib.closing(api):
            try:
                sessions = api.user_sessions(*state.signed_in)
            except QlikError as error:
                reasons.append(f"{api.base} gave no usable answer: {error.message.rstrip('.')}")
                continue
        if session := next((one for one in sessions or () if one.id in cookies), None):
            return session._replace(user=state.sanitize(session.user, 255, is_user=True))
        reasons.append(f"{api.base} does not list the session")
    raise SkipCheck("; ".join(reasons) or state.options.no_session_apis)


def _texts(claim: t.Any) -> list[str]:
    """Return the values of a claim as texts; an object and null have none."""
    # Qlik help, header X-Qlik-Security: each value of a list becomes a separate attribute.
    values = claim if isinstance(claim, list) else [claim]
    return [str(value).casefold() for value in values if isinstance(value, str | int | float) and value != ""]


def expected_attributes(claims: t.Mapping[str, t.Any], virtual_proxy: VirtualProxy) -> Attributes:
    """Return the expected values of each attribute of a session, by name. The case of names does not matter."""
    expected: Attributes = {}
    spelled: dict[str, str] = {}
    for entry in virtual_proxy.fields.get("jwt_attribute_map") or ():
        name, claim = entry.get("sense_attribute"), entry.get("jwt_attribute")
        if name and claim:
            name = spelled.setdefault(str(name).casefold(), str(name))
            expected.setdefault(name, []).extend(_texts(claims.get(str(claim))))
    return expected


def mapped(found: t.Iterable[tuple[str, str]], expected: Attributes) -> Attributes:
    """Return the values of those attributes of a session that are expected, by name."""
    result: Attributes = {name: [] for name in expected}
    names = {name.casefold(): name for name in expected}
    for name, value in found:
        if value and name.casefold() in names:
            result[names[name.casefold()]].append(value.casefold())
    return result


def attribute_faults(expected: Attributes, session: Session, *, user: tuple[str, str]) -> list[str]:
    """Return the differences between a session and the expectations from its token."""
    directory, _backslash, name = session.user.partition("\\")
    faults = [] if same_user((directory, name), user) else [f"the user is {session.user}"]
    for name, found in mapped(session.attributes or (), expected).items():
        wanted = expected[name]
        if len(found) != len(wanted):
            faults.append(f"{sanitize(name, 60)} has {len(found)} of {len(wanted)} values")
        elif collections.Counter(found) != collections.Counter(wanted):
            faults.append(f"{sanitize(name, 60)} has other values")
    return faults


def shown_attributes(user: str, attributes: Attributes) -> str:
    """Return a user with the numbers of values of its attributes."""
    # The map can come from a site.
    counts = [
        f"{sanitize(name, 60)} ({len(values)} value{'' if len(values) == 1 else 's'})"
        for name, values in attributes.items()
    ]
    return ", ".join([user, *counts])
