#!/usr/bin/python
# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: logout
short_description: End sessions on a virtual proxy
version_added: 1.0.0
author:
  - The sensible.qlik contributors (@sensible-qlik)
description:
  - Logs out the users that are signed in through a virtual proxy of Qlik Sense Enterprise on Windows, with the proxies'
    own API (QPS, port 4243). After a certificate is replaced, tokens of the old key are refused, but sessions that were
    opened with such a token continue. This module ends them.
  - In check mode no user is logged out, and the module only counts the sessions.
extends_documentation_fragment:
  - sensible.qlik.attributes
  - sensible.qlik.attributes.action_group
  - sensible.qlik.connection
  - sensible.qlik.connection.client_certificate
  - sensible.qlik.connection.ca
  - sensible.qlik.connection.proxy_ca
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
  qps_urls:
    description:
      - A list of the base URLs of the proxies' own API (QPS), such as V(https://qlik1:4243), or a dictionary of them by
        node name. A host name alone means HTTPS on O(qps_port).
      - A session is stored in the memory of one proxy, so name all proxies. Their certificates usually contain the
        short host name only.
      - If not set, the addresses are read from the repository on O(host).
    type: raw
  host:
    description:
      - Host name of the Qlik Sense server, without scheme and port. Of several hosts, the first one that answers is
        used.
      - Only used if O(qps_urls) is not set.
      - If not set, the value of the environment variable E(QLIK_SENSE_HOST) is used. Several names are separated by
        commas.
    type: list
    elements: str
    required: false
  prefix:
    description:
      - Prefix of the virtual proxy. Proxies to which it is not linked have none of its sessions and are reported as not
        linked.
    type: str
    required: true
  users:
    description:
      - The users to log out, in the form V(DIRECTORY\\user). The default is all users.
    type: list
    elements: str
notes:
  - Session ids are as sensitive as passwords. The results contain numbers, user names and addresses only.
  - The module must run on a host that can reach the proxies, for example a jump host with C(delegate_to). This host
    needs Python 3.11 or newer.
seealso:
  - module: sensible.qlik.login_check
"""

EXAMPLES = r"""
- name: Count the open sessions
  sensible.qlik.logout:
    qps_urls: [qlik1, qlik2]
    prefix: portal
    client_cert: certificates/client.pem
    client_key: certificates/client_key.pem
    ca_path: certificates/root.pem
  check_mode: true
  register: open_sessions

- name: End all sessions
  sensible.qlik.logout:
    qps_urls: [qlik1, qlik2]
    prefix: portal
    client_cert: certificates/client.pem
    client_key: certificates/client_key.pem
    ca_path: certificates/root.pem

- name: End the sessions of a user who has left the company
  sensible.qlik.logout:
    qps_urls: [qlik1, qlik2]
    prefix: portal
    users: ['ACME\bob']
    client_cert: certificates/client.pem
    client_key: certificates/client_key.pem
    ca_path: certificates/root.pem
"""

RETURN = r"""
addresses_from:
  description: Source of the addresses, V(options) or V(repository).
  returned: success
  type: str
  sample: options
sessions:
  description: Number of sessions that were ended on all proxies together. In check mode they are only counted.
  returned: success
  type: int
  sample: 12
users:
  description: Users of these sessions, sorted.
  returned: success
  type: list
  elements: str
  sample: ['ACME\anna', 'ACME\bert']
proxies:
  description: Number of sessions for each proxy.
  returned: success
  type: list
  elements: dict
  contains:
    proxy:
      description: Base URL of the proxy's API.
      type: str
      sample: https://qlik1:4243
    linked:
      description: Whether the virtual proxy is linked to this proxy.
      type: bool
    sessions:
      description: Number of sessions.
      type: int
"""

import collections
import contextlib
import typing as t

from ansible_collections.sensible.qlik.plugins.module_utils import _identifiers, _proxies
from ansible_collections.sensible.qlik.plugins.module_utils._argspec import QlikModule, connection_argument_spec
from ansible_collections.sensible.qlik.plugins.module_utils._errors import InputError, QlikError
from ansible_collections.sensible.qlik.plugins.module_utils._files import PrivateFiles
from ansible_collections.sensible.qlik.plugins.module_utils._http.client import require_libraries
from ansible_collections.sensible.qlik.plugins.module_utils._http.qps import QpsClient, Session, qps_opener
from ansible_collections.sensible.qlik.plugins.module_utils._repository.site import read_proxies


def run(module: QlikModule) -> dict[str, t.Any]:
    """Find the sessions, end them unless in check mode, and return the result of the module.

    Raises:
        QlikError: an option is not valid, or an answer cannot be used. Its attribute done lists the sessions that had
            been ended before.
    """
    params = module.params
    prefix = _identifiers.prefix(params["prefix"].strip("/"))
    given = params["qps_urls"]
    if given is None:
        given = [proxy["qps_url"] for proxy in read_proxies(params)[0]]
    bases = _proxies.qps_urls(given, params["qps_port"])
    if not bases:
        raise InputError("The option 'qps_urls' is empty.", hint="Give at least one address.")
    users = wanted_users(params["users"])
    with contextlib.ExitStack() as stack:
        open_api = qps_opener(params, stack.enter_context(contextlib.closing(PrivateFiles())))
        retry_deadline = _identifiers.seconds(params["retry_deadline"], "retry_deadline")
        again = {"retries": params["retries"], "retry_deadline": retry_deadline}
        apis = [stack.enter_context(contextlib.closing(open_api(base, prefix, **again))) for base in bases]
        # All proxies are read before the first session is ended, so that nothing changes if one cannot be reached.
        found = [(api, api.sessions()) for api in apis]
        chosen = [
            (api, one)
            for api, sessions in found
            for one in sessions or ()
            if users is None or one.user.casefold() in users
        ]
        if not module.check_mode:
            end_sessions(chosen)
    if all(sessions is None for _api, sessions in found):
        module.warn(
            f"None of the proxies knows a virtual proxy with the prefix '{prefix}', so no session was ended. Check the "
            "prefix, its links, and that qps_urls and qps_port lead to the proxies' own API (4243)."
        )
    counts = collections.Counter(api.base for api, _session in chosen)
    # Names of users are not case-sensitive.
    names = {one.user.casefold(): one.user for _api, one in reversed(chosen)}
    return {
        "addresses_from": "repository" if params["qps_urls"] is None else "options",
        "sessions": len(chosen),
        "users": [names[user] for user in sorted(names)],
        "proxies": [
            {"proxy": api.base, "linked": sessions is not None, "sessions": counts[api.base]} for api, sessions in found
        ],
    }


def wanted_users(users: list[str] | None) -> set[str] | None:
    r"""Return the users in the form DIRECTORY\user in which sessions are compared, or None for all users.

    Raises:
        InputError: a user has another form.
    """
    if users is None:
        return None
    # As in the lookup, two backslashes count as one, because YAML has both forms.
    parts = [_identifiers.user(user.replace("\\\\", "\\"), "users") for user in users]
    return {"\\".join(user).casefold() for user in parts}


def end_sessions(chosen: list[tuple[QpsClient, Session]]) -> None:
    """End sessions on their proxies.

    Raises:
        QlikError: a session may still be open.
    """
    done: list[str] = []
    for api, session in chosen:
        try:
            api.end(session)
        except QlikError as error:
            error.done = done
            if _is_open(api, session, error):
                raise
        done.append(f"end a session of {session.user} on {api.base}")


def _is_open(api: QpsClient, session: Session, error: QlikError) -> bool:
    """Return True if a session is open, or if that is not known, which the message says then."""
    try:
        return session.id in [one.id for one in api.sessions() or ()]
    except QlikError:
        error.message += " It is not known if the session has ended."
        return True


def main() -> None:
    module = QlikModule(
        argument_spec={
            "qps_urls": {"type": "raw"},
            "prefix": {"type": "str", "required": True},
            "users": {"type": "list", "elements": "str"},
            **connection_argument_spec(host_required=False),
        },
        required_one_of=[("qps_urls", "host")],
        supports_check_mode=True,
    )
    require_libraries(module)
    try:
        result = run(module)
    except QlikError as error:
        module.fail_json(msg=str(error), changed=bool(error.done))
    module.exit_json(changed=result["sessions"] > 0, **result)


if __name__ == "__main__":
    main()
