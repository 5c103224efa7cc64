#!/usr/bin/python
# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: logout
short_description: End the sessions on a virtual proxy, or count them
version_added: 1.0.0
author:
  - The sensible.qlik contributors (@sensible-qlik)
description:
  - Logs everybody out who is signed in through a virtual proxy of Qlik Sense Enterprise on Windows, over the API that
    each proxy has for it (QPS, port 4243). Replacing a certificate keeps the old key's tokens out, but not the people
    who came in with one before; this does.
  - In check mode nobody is logged out, so that it counts who is there.
extends_documentation_fragment:
  - sensible.qlik.attributes
  - sensible.qlik.connection.client_certificate
  - sensible.qlik.connection.ca
  - sensible.qlik.connection.https
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details:
      - Sessions have no content to compare.
  idempotent:
    support: full
options:
  proxies:
    description:
      - Base URLs of the APIs of all proxies, such as V(https://qlik1:4243). A host name alone means HTTPS on port 4243.
      - Sessions live in the memory of one proxy, so name every one of them. Their certificate usually carries the short
        host name only.
    type: list
    elements: str
    required: true
  prefix:
    description:
      - Prefix of the virtual proxy. On a proxy to which it is not linked there is nobody to log out.
    type: str
    required: true
  users:
    description:
      - Only these users, in the form V(DIRECTORY\\user). The default is everybody.
    type: list
    elements: str
notes:
  - Session ids are as good as passwords. They are not in the results, only numbers and user names are.
  - The module runs where the proxies can be reached; with C(delegate_to) that can be a jump host. It needs Python 3.11
    or newer there.
seealso:
  - module: sensible.qlik.login_check
"""

EXAMPLES = r"""
- name: See how many are still there
  sensible.qlik.logout:
    proxies: [qlik1, qlik2]
    prefix: portal
    client_cert: certificates/client.pem
    client_key: certificates/client_key.pem
    ca_path: certificates/root.pem
  check_mode: true
  register: there

- name: Log everybody out
  sensible.qlik.logout:
    proxies: [qlik1, qlik2]
    prefix: portal
    client_cert: certificates/client.pem
    client_key: certificates/client_key.pem
    ca_path: certificates/root.pem

- name: Log out one person, who has left the company
  sensible.qlik.logout:
    proxies: [qlik1, qlik2]
    prefix: portal
    users: ['ACME\bob']
    client_cert: certificates/client.pem
    client_key: certificates/client_key.pem
    ca_path: certificates/root.pem
"""

RETURN = r"""
sessions:
  description: How many sessions there were, on all proxies together; in check mode there still are.
  returned: success
  type: int
  sample: 12
users:
  description: Whose they were, sorted.
  returned: success
  type: list
  elements: str
  sample: ['ACME\anna', 'ACME\bert']
proxies:
  description: The same for each proxy.
  returned: success
  type: list
  elements: dict
  contains:
    proxy:
      description: Base URL.
      type: str
      sample: https://qlik1:4243
    linked:
      description: Whether the virtual proxy is linked to this proxy.
      type: bool
    sessions:
      description: How many sessions there were.
      type: int
"""

import os
import typing as t
import urllib.parse

from ansible_collections.sensible.qlik.plugins.module_utils import _identifiers
from ansible_collections.sensible.qlik.plugins.module_utils._argspec import (
    QlikModule,
    ca_argument_spec,
    client_certificate_argument_spec,
    https_argument_spec,
)
from ansible_collections.sensible.qlik.plugins.module_utils._errors import AnswerError, InputError, QlikError
from ansible_collections.sensible.qlik.plugins.module_utils._files import PrivateFiles
from ansible_collections.sensible.qlik.plugins.module_utils._http import client as _connection
from ansible_collections.sensible.qlik.plugins.module_utils._http.session import http_session, transport_error
from ansible_collections.sensible.qlik.plugins.module_utils._keys.pem import client_certificate, verification

QPS_PORT = 4243
_RETRIES = 3


class ProxyApi:
    """The sessions of one virtual proxy on one proxy.

    Args:
        base: URL of the API.
        prefix: of the virtual proxy.
        session: of requests, with the client certificate.
        timeout: (connect, read) in seconds.
    """

    def __init__(self, base: str, prefix: str, session: t.Any, timeout: tuple[float, float]) -> None:
        self.base = base
        self._prefix = prefix
        self._session = session
        self._timeout = timeout

    def sessions(self) -> list[dict[str, t.Any]] | None:
        """Those that are alive, None if the virtual proxy is not linked here.

        Raises:
            QlikError: there was no usable answer.
        """
        # Qlik help, Proxy Service API: GET /qps/{virtual proxy/}session lists them
        tried = f"Tried to list the sessions of the virtual proxy '{self._prefix}' on {self.base}."
        answer = self._send("GET", "session", tried)
        if answer.status_code == 404:
            return None
        content = None
        if answer.status_code == 200:
            try:
                content = answer.json()
            except ValueError:
                content = None
        if not isinstance(content, list) or not all(isinstance(one, dict) and one.get("SessionId") for one in content):
            raise _refused(tried, answer.status_code)
        return content

    def end(self, session_id: str) -> None:
        """End one session; one that has ended meanwhile is fine, too.

        Raises:
            QlikError: it may be alive still.
        """
        # Qlik help, Proxy Service API: DELETE /qps/{virtual proxy/}session/{id}
        tried = f"Tried to end a session on the virtual proxy '{self._prefix}' on {self.base}."
        answer = self._send("DELETE", f"session/{urllib.parse.quote(session_id, safe='')}", tried)
        if answer.status_code not in (200, 204, 404):
            raise _refused(tried, answer.status_code)

    def _send(self, method: str, resource: str, tried: str) -> t.Any:
        xrfkey = os.urandom(8).hex()
        # With requests' own exceptions only: their text, which has the session's id in it, is not shown.
        try:
            return self._session.request(
                method,
                f"{self.base}/qps/{self._prefix}/{resource}",
                params={"xrfkey": xrfkey},
                headers={"X-Qlik-Xrfkey": xrfkey, "Accept": "application/json"},
                timeout=self._timeout,
                allow_redirects=False,
            )
        except OSError as exc:  # which requests' exceptions are
            raise transport_error(exc, tried, ca_option="ca_path") from None


def _refused(tried: str, status: int) -> AnswerError:
    return AnswerError(
        tried,
        f"The answer was {status} and not what this API says.",
        "Check that the port is that of the proxy's own API (4243) and that the client certificate is of this site.",
        status=status,
    )


def base_url(proxy: str) -> str:
    """A proxy as given, as a URL without a trailing slash.

    Raises:
        InputError: it is not the URL of a host.
    """
    try:
        parts = urllib.parse.urlsplit(proxy if "://" in proxy else f"https://{proxy}")
        usable = (
            parts.scheme == "https" and bool(parts.hostname) and parts.path in ("", "/") and "@" not in parts.netloc
        )
        netloc = parts.netloc if parts.port else f"{parts.netloc}:{QPS_PORT}"
    except ValueError:
        usable = False
    if not usable:
        raise InputError(
            "Tried to find the proxies.",
            "An entry of the option 'proxies' is not the base URL of a proxy's API.",
            "Give host names or URLs such as https://qlik1:4243.",
        )
    return f"https://{netloc}"


def user_of(session: dict[str, t.Any]) -> str:
    """Who it is, as DIRECTORY\\user."""
    return f"{session.get('UserDirectory', '')}\\{session.get('UserId', '')}"


def run(module: QlikModule) -> dict[str, t.Any]:
    """Find the sessions, and end them.

    Raises:
        QlikError: the options cannot be right, or an answer was no use. Its attribute done says where sessions had been
            ended before.
    """
    params = module.params
    prefix = _identifiers.prefix(params["prefix"].strip("/"))
    wanted = None if params["users"] is None else {user.casefold() for user in params["users"]}
    files = PrivateFiles()  # closed at the end of the process, too, should the options be wrong
    session = http_session(
        verify=verification(params, "ca_path", files),
        retries=_RETRIES,
        client_cert=client_certificate(params, files),
    )
    timeout = (params["connect_timeout"], params["read_timeout"])
    apis = [ProxyApi(base_url(proxy), prefix, session, timeout) for proxy in dict.fromkeys(params["proxies"])]
    try:
        # All are asked before the first session ends: a proxy that cannot be reached leaves everything as it was.
        found = [(api, api.sessions()) for api in apis]
        proxies: list[dict[str, t.Any]] = []
        done: list[str] = []
        users: dict[str, str] = {}  # the case of a name means nothing
        for api, all_sessions in found:
            chosen = [one for one in all_sessions or () if wanted is None or user_of(one).casefold() in wanted]
            for one in chosen:
                users.setdefault(user_of(one).casefold(), user_of(one))
            proxies.append({"proxy": api.base, "linked": all_sessions is not None, "sessions": len(chosen)})
            if not module.check_mode:
                for one in chosen:
                    try:
                        api.end(str(one["SessionId"]))
                    except QlikError as error:
                        error.done = done
                        raise
                    done.append(f"end a session of {user_of(one)} on {api.base}")
    finally:
        session.close()
        files.close()
    return {
        "sessions": sum(proxy["sessions"] for proxy in proxies),
        "users": [users[user] for user in sorted(users)],
        "proxies": proxies,
    }


def main() -> None:
    module = QlikModule(
        argument_spec={
            "proxies": {"type": "list", "elements": "str", "required": True},
            "prefix": {"type": "str", "required": True},
            "users": {"type": "list", "elements": "str"},
            **client_certificate_argument_spec(),
            **ca_argument_spec(),
            **https_argument_spec(),
        },
        supports_check_mode=True,
    )
    _connection.require_requests(module)
    try:
        result = run(module)
    except QlikError as error:
        module.fail_json(msg=str(error), changed=bool(error.done))
    module.exit_json(changed=result["sessions"] > 0, **result)


if __name__ == "__main__":
    main()
