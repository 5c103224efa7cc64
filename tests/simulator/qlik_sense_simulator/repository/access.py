# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Authentication and access rights in the repository: xrfkey, X-Qlik-User and roles."""

from __future__ import annotations

import dataclasses
import re
import typing as t
from urllib.parse import unquote

from starlette.datastructures import Headers
from starlette.types import Scope

from .queries import Query
from .refusals import FORBIDDEN, XSRF_FAILED, RefusedError
from .schema import EntityType
from .store import SERVICE_ACCOUNT, Store

_XRFKEY = re.compile(r"[0-9A-Za-z]{16}")
# EVIDENCE(A; Qlik help, xrfkey headers; B; qrspy): the keys UserDirectory and UserId in X-Qlik-User may be in any case,
# and a blank may follow the semicolon
_USER = re.compile(r"\s*UserDirectory\s*=([^;]+);\s*UserId\s*=([^;]+?)\s*;?\s*", re.IGNORECASE)
_USER_TURNED = re.compile(r"\s*UserId\s*=([^;]+);\s*UserDirectory\s*=([^;]+?)\s*;?\s*", re.IGNORECASE)

READ: t.Final = "read"
WRITES: t.Final = ("create", "update", "delete")
# INVENTED(switch=none): five roles read everything, DeploymentAdmin also writes nodes and proxies; real sites have
# rules that can be changed
_READERS = frozenset(("rootadmin", "auditadmin", "deploymentadmin", "securityadmin", "contentadmin"))
_DEPLOYERS = frozenset(("VirtualProxyConfig", "ProxyService", "ServerNodeConfiguration"))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Caller:
    """The user of a request to the repository.

    Args:
        name: "DIRECTORY\\user".
        roles: in lower case.
    """

    name: str
    roles: frozenset[str]

    def may(self, action: str, kind: EntityType) -> bool:
        """Return True if the user may read, create, update or delete entities of a type."""
        if "rootadmin" in self.roles:
            return True
        if "deploymentadmin" in self.roles and kind.name in _DEPLOYERS:
            return True
        if kind.name == "Selection":
            # INVENTED(switch=none): a user who may read an entity may select it; selections are not private
            return not self.roles.isdisjoint(_READERS)
        return action == READ and not self.roles.isdisjoint(_READERS)

    def privileges(self, kind: EntityType) -> list[str]:
        """Return the privileges that a response lists for privileges=true."""
        # EVIDENCE(A; Qlik help "Adding privileges"): `privileges` lists what the caller may do: create, read, update,
        # delete
        return [action for action in ("create", READ, "update", "delete") if self.may(action, kind)]

    def check(self, action: str, kind: EntityType) -> None:
        """Refuse an action that the user may not take."""
        # EVIDENCE(B; Qlik-Cli-Windows issues 44 and 123): an action without the right to it is 403
        # EVIDENCE(B; QlikSenseQMCUtility issue 34): the body of such a 403 is the word Forbidden
        if not self.may(action, kind):
            raise RefusedError(403, FORBIDDEN)


def check_xrfkey(query: Query, headers: Headers) -> None:
    """Refuse a request without the same key in the query and in the header.

    Raises:
        RefusedError: 403.
    """
    # EVIDENCE(A; Qlik help, xrfkey headers): the xrfkey is sixteen letters and digits, the same in query and header, on
    # every verb
    # EVIDENCE(B; documentation of butler-sheet-icons): an xrfkey that is missing or differs is 403
    keys = query.values("xrfkey")
    if len(keys) != 1 or not _XRFKEY.fullmatch(keys[0]) or headers.get("x-qlik-xrfkey") != keys[0]:
        raise RefusedError(403, XSRF_FAILED)


def identify(scope: Scope, headers: Headers, store: Store) -> Caller:
    """Return the user of a request.

    Raises:
        RefusedError: 403, a certificate or a user is missing, depending on the switches.
    """
    state = scope["state"]
    if state.get("via_proxy"):
        user_directory, user_id = state["identity"]
        return _caller(user_directory, user_id, store)
    if state.get("client_certificate") is None:
        # EVIDENCE(B; QlikSenseQMCUtility issue 34): a caller without a client certificate gets 403, if the TLS
        # handshake succeeds at all
        raise RefusedError(403, FORBIDDEN)
    value = headers.get("x-qlik-user")
    if value is None:
        # EVIDENCE(A; Qlik help, connecting with certificates): a client certificate has full administrator rights
        # INVENTED(switch=missing_user_header): it has them without X-Qlik-User, too
        if store.view.switches.missing_user_header == "403":
            raise RefusedError(403, FORBIDDEN)
        return Caller(name=SERVICE_ACCOUNT, roles=frozenset(("rootadmin",)))
    # EVIDENCE(A; Qlik help, X-Qlik-User header): both parts are URL-encoded UTF-8
    match = _USER.fullmatch(value)
    if match is not None:
        return _caller(unquote(match[1].strip()), unquote(match[2].strip()), store)
    match = _USER_TURNED.fullmatch(value)
    if match is not None:
        return _caller(unquote(match[2].strip()), unquote(match[1].strip()), store)
    # EVIDENCE(B; butler-sheet-icons, measured): an X-Qlik-User with an unknown user is no error
    # INVENTED(switch=none): such a caller has no rights
    return Caller(name="NONE\\unknown", roles=frozenset())


def _caller(user_directory: str, user_id: str, store: Store) -> Caller:
    row = store.find_user(user_directory, user_id)
    if row is None or row["inactive"]:
        return Caller(name=f"{user_directory}\\{user_id}", roles=frozenset())
    return Caller(
        name=f"{row['userDirectory']}\\{row['userId']}", roles=frozenset(role.lower() for role in row["roles"])
    )
