#!/usr/bin/python
# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: login_check
short_description: Prove that people can log in with a token, or say why they cannot
version_added: 1.0.0
author:
  - The sensible.qlik contributors (@sensible-qlik)
description:
  - Logs in through JWT virtual proxies of Qlik Sense Enterprise on Windows as a browser or an embedding application
    would, on every proxy given, and checks that the right person gets in and nobody else does.
  - A check that fails comes with the most likely cause and what to do about it. The more the module knows of the
    virtual proxy (O(logins[].virtual_proxy)), the more exact that is.
  - It keeps trying for O(wait) seconds, because Qlik Sense takes up to half a minute to take over a change, and its
    proxies do not answer for some of that time.
  - "The checks of each login on each proxy:"
  - "B(login): with the token the hub's page opens, over redirects that stay below the prefix."
  - "B(no_token): without a token nobody gets in. If the virtual proxy allows anonymous access, the hub has to open, but
    not as the user of the token."
  - "B(identity): the proxy takes us for the user whom the token names (C(/qps/user))."
  - "B(cookie): the session cookie alone is enough to come back as that user."
  - "B(cookie_flags): name, C(Secure), C(HttpOnly), C(SameSite), domain and path of the session cookie are as
    configured, as far as O(logins[].virtual_proxy) says how."
  - "B(response_headers): the answer has the additional response headers that O(logins[].virtual_proxy) names."
  - "B(host_allow_list): each name on the host allow list of O(logins[].virtual_proxy) leads to the session when it is
    sent as C(Host), and a name that is not on it does not."
  - "B(websocket): with the session cookie a websocket to the engine opens, over which hub and apps do all their work,
    and it belongs to that user. It is asked for as releases since November 2024 want it, with a csrf token and the
    proxy's URL as C(Origin), and on earlier ones with the token. Skipped if C(websocket-client) is not installed."
  - "B(forged_token): the token with another user id in it is refused."
  - "B(wrong_key_token): the same header and claims, signed with a throw-away key, are refused."
  - "B(expired_token): O(logins[].expired_token) is refused. Skipped if there is none."
  - "B(wrong_audience_token), B(incomplete_token): O(logins[].wrong_audience_token) and O(logins[].incomplete_token)
    are refused. Skipped if there is none."
  - "B(other_key_token): O(logins[].other_key_token), a token of another key, is refused. Skipped if there is none."
  - "B(logout): the logout works, and the cookie is worth nothing afterwards. Done also when other checks failed."
  - If the login itself fails, most others are skipped, because a refusal would prove nothing then.
  - "On a proxy to which the virtual proxy is not linked there is one check only, B(not_linked): the proxy does not know
    the prefix. Which proxies these are is known if O(proxy_urls) has names and O(logins[].virtual_proxy) has C(proxies)."
  - Not to be seen from outside, and so not checked, are the mapping of attributes, the inactivity timeout and which
    engine serves whom. M(sensible.qlik.jwt_virtual_proxy) in check mode compares them.
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
    details:
      - It changes no settings. In check mode it logs in and out all the same.
  diff_mode:
    support: none
    details:
      - Nothing is changed.
  idempotent:
    support: full
options:
  host:
    description:
      - Host name of the Qlik Sense server, without scheme and port.
      - Only used if O(proxy_urls) is not set.
      - If not set, the value of the environment variable E(QLIK_SENSE_HOST) is used.
    type: str
    required: false
  proxy_urls:
    description:
      - A list of the base URLs of the proxies, such as V(https://qlik1.example.com) or
        V(https://qlik1.example.com:8443). A host name alone means HTTPS. Each login is tried on each of them.
      - "Or a dictionary of such URLs by the name of the node, such as V({Central: https://qlik1.example.com}). Then a
        login is tried where C(proxies) of O(logins[].virtual_proxy) says that it is linked, and has to be refused on
        the others."
      - Name each node itself and not a load balancer in front of them, because a proxy that is not linked, or has
        missed a change, otherwise hides behind the others. Each name has to be on the host allow list.
      - If not set, the addresses are read from the repository on O(host), with the host names and ports that the site
        has for its nodes. Nothing else of this module needs access to the repository.
    type: raw
  qps_urls:
    description:
      - A list of the base URLs of the proxies' own API (QPS), such as V(https://qlik1:4243), or a dictionary of them by
        node name. A host name alone means HTTPS on O(qps_port).
      - With them, O(client_cert) and O(client_key), the session of each login is read, and the check B(attributes)
        compares its user and its attributes with the token.
      - If O(proxy_urls) is not set, they are read from the repository as well.
    type: raw
  logins:
    description:
      - Who logs in where.
    type: list
    elements: dict
    required: true
    suboptions:
      virtual_proxy:
        description:
          - Settings of the virtual proxy, as M(sensible.qlik.jwt_virtual_proxy) takes and returns them. Settings that
            are not given are not compared.
          - With the certificate in it, a failed check can be traced to its cause before any log is read.
        type: dict
      prefix:
        description:
          - Prefix of the virtual proxy. The default is that of O(logins[].virtual_proxy).
        type: str
      token:
        description:
          - A token of the user, without C(Bearer). The lookup P(sensible.qlik.jwt#lookup) mints one.
        type: str
        required: true
      expired_token:
        description:
          - A token of the same user that has expired, to see that it is refused.
        type: str
      wrong_audience_token:
        description:
          - A token of the same user for another audience than C(jwt_audience), to see that it is refused. Whether all
            releases enforce the audience is not published.
        type: str
      incomplete_token:
        description:
          - A token of the same user without the attributes that C(jwt_attribute_map) calls mandatory, to see that it is
            refused.
        type: str
      other_key_token:
        description:
          - A token of the same user that is signed with another key than that of the virtual proxy, for example with
            the key that was replaced, to check that it is refused.
          - The refusal counts only beside a successful login with O(logins[].token) on the same proxy.
        type: str
      user_id:
        description:
          - Id of the user that has to be logged in.
          - The default is the claim of O(logins[].token) that O(logins[].virtual_proxy) names, or C(userId).
        type: str
      user_directory:
        description:
          - Directory of the user that has to be logged in.
          - The default is the claim of O(logins[].token) that O(logins[].virtual_proxy) names, or C(userDirectory).
        type: str
  wait:
    description:
      - Seconds to keep trying, all logins together, until everything passes. V(0) tries once.
      - It is not used up when waiting cannot help, as for a token that the virtual proxy cannot accept, a blocked user
        or a server whose certificate is not trusted.
    type: float
    default: 120
  skip_checks:
    description:
      - Checks to leave out. They are reported as skipped, but for V(not_linked), which is not reported then. B(login)
        and B(logout) are always done.
    type: list
    elements: str
    choices:
      - no_token
      - identity
      - cookie
      - cookie_flags
      - response_headers
      - host_allow_list
      - websocket
      - forged_token
      - wrong_key_token
      - expired_token
      - wrong_audience_token
      - incomplete_token
      - other_key_token
      - not_linked
    default: []
  threads:
    description:
      - How many logins are tried at the same time.
      - At most four sessions of one user are open at a time, since Qlik Sense allows five. So many logins are proved
        faster by several users.
    type: int
    default: 64
requirements:
  - cryptography >= 42
  - websocket-client >= 1.6 for the check B(websocket), which is skipped without it
notes:
  - The logout ends B(all) sessions of the user on that virtual proxy. Use a user of its own for checks, never a person.
  - Results hold no token and no cookie, and of the tokens' claims only the user. So the task needs no C(no_log), which
    would hide the diagnosis. Tokens are masked in the invocation.
  - The module runs where the proxies can be reached; with C(delegate_to) that can be a jump host. It needs Python 3.11
    or newer there.
seealso:
  - module: sensible.qlik.jwt_virtual_proxy
  - plugin: sensible.qlik.jwt
    plugin_type: lookup
  - name: How to set up JWT authentication
    description: Qlik's article, which ends with this proof by hand.
    link: https://community.qlik.com/t5/Official-Support-Articles/Qlik-Sense-How-to-set-up-JWT-authentication/ta-p/1716226
"""

EXAMPLES = r"""
- name: Declare the virtual proxy
  sensible.qlik.jwt_virtual_proxy:
    host: qlik1.example.com
    client_cert: certificates/client.pem
    client_key: certificates/client_key.pem
    ca_path: certificates/root.pem
    prefix: portal
    jwt_public_key_certificate: "{{ lookup('ansible.builtin.file', 'certificates/portal.pem') }}"
    load_balancing_server_nodes: [Central]
    proxies: [Central, Rim1]
  register: declared

- name: Prove that it works on both proxies, and find out why if it does not
  sensible.qlik.login_check:
    proxy_urls:
      - https://qlik1.example.com
      - https://qlik2.example.com
    proxy_ca_path: certificates/proxy_ca.pem
    logins:
      - virtual_proxy: "{{ declared.virtual_proxy }}"
        token: "{{ lookup('sensible.qlik.jwt', user, private_key_path=key) }}"
        expired_token: "{{ lookup('sensible.qlik.jwt', user, private_key_path=key, expires_in='-5m') }}"
  vars:
    user: ACME\smoketest
    key: keys/portal_key.pem

- name: Prove that it works where it is linked, and that it does not where it is not
  sensible.qlik.login_check:
    proxy_urls:
      Central: https://qlik1.example.com
      Rim1: https://qlik2.example.com
      Rim2: https://qlik3.example.com
    proxy_ca_path: certificates/proxy_ca.pem
    skip_checks: [websocket]
    logins:
      - virtual_proxy: "{{ declared.virtual_proxy }}"
        token: "{{ lookup('sensible.qlik.jwt', 'ACME\\smoketest', private_key_path='keys/portal_key.pem') }}"

- name: Watch a login that somebody else manages, without waiting
  sensible.qlik.login_check:
    proxy_urls: [qlik1.example.com]
    wait: 0
    logins:
      - prefix: portal
        token: "{{ monitoring_token }}"
        user_directory: ACME
        user_id: monitoring

- name: Prove that tokens for somebody else, and those without what is mandatory, are refused
  sensible.qlik.login_check:
    proxy_urls: [https://qlik1.example.com]
    proxy_ca_path: certificates/proxy_ca.pem
    threads: 4
    logins:
      - virtual_proxy:
          prefix: mashup
          jwt_audience: qlik
          jwt_attribute_map:
            - jwt_attribute: department
              sense_attribute: department
              is_mandatory: true
        token: "{{ lookup('sensible.qlik.jwt', user, audience='qlik', claims=claims, **key) }}"
        wrong_audience_token: "{{ lookup('sensible.qlik.jwt', user, audience='somebody else', claims=claims, **key) }}"
        incomplete_token: "{{ lookup('sensible.qlik.jwt', user, audience='qlik', **key) }}"
  vars:
    user: ACME\smoketest
    key: {private_key_path: keys/portal_key.pem}
    claims: {department: Quality}

- name: Check that tokens of the key that was replaced are refused
  sensible.qlik.login_check:
    proxy_urls: [https://qlik1.example.com]
    proxy_ca_path: certificates/company_ca.pem
    logins:
      - prefix: portal
        token: "{{ lookup('sensible.qlik.jwt', 'ACME\\smoketest', private_key_path='keys/portal_key.pem') }}"
        other_key_token: "{{ lookup('sensible.qlik.jwt', 'ACME\\smoketest', private_key_path='keys/old_key.pem') }}"
"""

RETURN = r"""
passed:
  description: Whether no check failed.
  returned: always
  type: bool
  sample: true
summary:
  description: The outcome in one sentence.
  returned: always
  type: str
  sample: 'All 4 logins work (2 proxies, 60 checks: 40 passed, 20 skipped).'
addresses_from:
  description: Where the addresses of the proxies come from, V(options) or V(repository).
  returned: always
  type: str
  sample: options
endpoints:
  description: One entry for each login on each proxy, in the order of O(logins), then of O(proxy_urls).
  returned: always
  type: list
  elements: dict
  contains:
    proxy:
      description: Base URL of the proxy.
      type: str
      sample: https://qlik1.example.com
    prefix:
      description: Prefix of the virtual proxy.
      type: str
      sample: portal
    linked:
      description: Whether the virtual proxy is linked to this proxy as far as is known, so that the login has to work.
      type: bool
      sample: true
    user:
      description: The user that has to be logged in.
      type: str
      sample: ACME\smoketest
    passed:
      description: Whether no check failed.
      type: bool
      sample: true
    seconds_waited:
      description: Seconds from the start until the last attempt began.
      type: float
      sample: 12.4
    response_ms:
      description: Milliseconds until the hub's page was there. Null if it did not open.
      type: int
      sample: 84
    tls_certificate:
      description:
        - The certificate that the proxy shows. Null over HTTP, or if it could not be had.
      type: dict
      contains: &certificate
        subject:
          description: Whose it is.
          type: str
          sample: CN=qlik1.example.com
        issuer:
          description: Who issued it.
          type: str
          sample: CN=qlik1.example.com-CA
        not_after:
          description: When it expires, in UTC.
          type: str
          sample: '2027-11-01T00:00:00Z'
        days_left:
          description: Days until then, negative once it has expired.
          type: int
          sample: 342
    jwt_certificate:
      description: The certificate of O(logins[].virtual_proxy), for verifying tokens. Null if it is not given.
      type: dict
      contains: *certificate
    checks:
      description: Outcomes, in this order - V(login), V(no_token), V(identity), V(cookie), V(cookie_flags),
        V(response_headers), V(host_allow_list), V(websocket), V(forged_token), V(wrong_key_token), V(expired_token),
        V(wrong_audience_token), V(incomplete_token), V(other_key_token), V(logout). Or V(not_linked) alone.
      type: list
      elements: dict
      contains:
        name:
          description: Which check.
          type: str
          sample: login
        status:
          description: V(passed), V(failed) or V(skipped).
          type: str
          sample: passed
        expected:
          description: What had to come back.
          type: str
          sample: 200 with HTML
        actual:
          description: What came back, or why the check was skipped.
          type: str
          sample: 200 with HTML
        status_code:
          description: HTTP status. Null if there was no answer or nothing was asked.
          type: int
          sample: 200
        ms:
          description: Milliseconds that the answer took. Null as above.
          type: int
          sample: 84
        diagnosis:
          description: Most likely cause and what to do, if the check failed; otherwise null.
          type: str
          sample: The user is blocked or inactive. Activate it under Users in the QMC.
"""

import concurrent.futures
import contextlib
import functools
import ssl
import time
import typing as t
import urllib.parse

from ansible.module_utils.basic import missing_required_lib

from ansible_collections.sensible.qlik.plugins.module_utils import _identifiers, _proxies
from ansible_collections.sensible.qlik.plugins.module_utils._argspec import QlikModule, connection_argument_spec
from ansible_collections.sensible.qlik.plugins.module_utils._errors import InputError, QlikError
from ansible_collections.sensible.qlik.plugins.module_utils._files import PrivateFiles
from ansible_collections.sensible.qlik.plugins.module_utils._http.client import require_requests
from ansible_collections.sensible.qlik.plugins.module_utils._keys import certificate as _certificate
from ansible_collections.sensible.qlik.plugins.module_utils._keys.jose import inspect_token
from ansible_collections.sensible.qlik.plugins.module_utils._keys.pem import verification
from ansible_collections.sensible.qlik.plugins.module_utils._login import diagnosis as _diagnosis
from ansible_collections.sensible.qlik.plugins.module_utils._login.runner import (
    GIVEN_TOKENS,
    OPTIONAL_CHECKS,
    Endpoint,
    Login,
    Manner,
    prove,
)
from ansible_collections.sensible.qlik.plugins.module_utils._repository.site import read_proxies
from ansible_collections.sensible.qlik.plugins.module_utils._tokens import negative as _forgery
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy.model import VirtualProxy

_SHOWN = ("subject", "issuer", "not_after", "days_left")


def argument_spec() -> dict[str, dict[str, t.Any]]:
    return {
        "proxy_urls": {"type": "raw"},
        "qps_urls": {"type": "raw"},
        "logins": {
            "type": "list",
            "elements": "dict",
            "required": True,
            "options": {
                "virtual_proxy": {"type": "dict"},
                "prefix": {"type": "str"},
                "token": {"type": "str", "required": True, "no_log": True},
                "expired_token": {"type": "str", "no_log": True},
                "wrong_audience_token": {"type": "str", "no_log": True},
                "incomplete_token": {"type": "str", "no_log": True},
                "other_key_token": {"type": "str", "no_log": True},
                "user_id": {"type": "str"},
                "user_directory": {"type": "str"},
            },
        },
        "wait": {"type": "float", "default": 120.0},
        "skip_checks": {"type": "list", "elements": "str", "choices": list(OPTIONAL_CHECKS), "default": []},
        "threads": {"type": "int", "default": 64},
        **connection_argument_spec(host_required=False),
    }


def _known(virtual_proxy: dict[str, t.Any]) -> VirtualProxy:
    """Return a virtual proxy with the settings that are given."""
    known = {name: value for name, value in virtual_proxy.items() if value is not None}
    if "host_allow_list" in known:
        known.setdefault("websocket_cross_origin_white_list", known.pop("host_allow_list"))
    lists = [name for name in ("websocket_cross_origin_white_list", "proxies") if name in known]
    return VirtualProxy(known | {name: _proxies.names(known[name]) for name in lists})


def logins(params: dict[str, t.Any]) -> list[Login]:
    """Each login on each proxy.

    Raises:
        InputError: something cannot be right.
    """
    proxies = _proxies.named_urls(params["proxy_urls"])
    if not proxies or not params["logins"]:
        raise InputError(
            "Tried to find out what to check.",
            f"The option '{'logins' if proxies else 'proxy_urls'}' is empty.",
            "Give at least one proxy and one login.",
        )
    result = []
    for number, given in enumerate(params["logins"], start=1):
        tried = f"Tried to understand login {number}."
        virtual_proxy = _known(given["virtual_proxy"] or {})
        prefix = str(given["prefix"] or virtual_proxy.prefix).strip("/")
        prefix = _identifiers.prefix(prefix, f"prefix of login {number}")
        tokens = {name: (given[name] or "").strip() for name in ("token", *GIVEN_TOKENS)}
        for name, token in tokens.items():
            if token or name == "token":
                _require_token(token, name=name, number=number)
        directory, user_id = _diagnosis.expected_user(inspect_token(tokens["token"])["claims"], virtual_proxy)
        if tokens["other_key_token"]:
            _require_comparable(tokens["other_key_token"], (directory, user_id), virtual_proxy, number=number)
        linked = _proxies.linked_urls(proxies, virtual_proxy.fields.get("proxies"), tried=tried)
        result += [
            Login(
                proxy=proxy,
                prefix=prefix,
                token=tokens["token"],
                to_be_refused={name: tokens[name] for name in GIVEN_TOKENS if tokens[name]},
                user=(given["user_directory"] or directory, given["user_id"] or user_id),
                virtual_proxy=virtual_proxy,
                linked=proxy in linked,
            )
            for proxy in proxies
            if proxy in linked or "not_linked" not in params["skip_checks"]
        ]
    return result


def _require_comparable(
    token: str, user: tuple[str | None, str | None], virtual_proxy: VirtualProxy, *, number: int
) -> None:
    """Raise if a virtual proxy could refuse a token of another key for another reason than its key."""
    claims = inspect_token(token)["claims"]
    expires = claims.get("exp")
    if isinstance(expires, int | float) and expires <= time.time():
        outcome = "It has expired, so that a refusal would say nothing about its key."
    elif _diagnosis.expected_user(claims, virtual_proxy) != user:
        outcome = "It is of another user, so that a refusal would say nothing about its key."
    else:
        return
    raise InputError(
        f"Tried to read the other_key_token of login {number}.",
        outcome,
        "Mint it in the same way as the token, with the other key.",
    )


def _require_token(token: str, *, name: str, number: int) -> None:
    try:
        inspect_token(token)
    except InputError as error:
        outcome = error.outcome if token else "It is empty."
        raise InputError(f"Tried to read the {name} of login {number}.", outcome, error.advice) from None


def shown_certificate(pem: str | None) -> dict[str, t.Any] | None:
    """What may be shown of a certificate, None if there is none or it cannot be read."""
    try:
        content = t.cast("dict[str, t.Any]", _certificate.inspect(pem or ""))
    except QlikError:
        return None
    return {name: content[name] for name in _SHOWN}


def server_certificate(proxy: str, timeout: float) -> dict[str, t.Any] | None:
    """The certificate that a proxy shows, None if it shows none. It is not verified here."""
    parts = urllib.parse.urlsplit(proxy)
    if parts.scheme != "https":
        return None
    try:
        return shown_certificate(ssl.get_server_certificate((parts.hostname or "", parts.port or 443), timeout=timeout))
    except (OSError, ValueError):  # the checks have said more about that already
        return None


def described(
    endpoint: Endpoint, tls: dict[str, t.Any] | None, read: t.Callable[[str | None], dict[str, t.Any] | None]
) -> dict[str, t.Any]:
    """One endpoint as returned."""
    login = endpoint.login
    return {
        "proxy": login.proxy,
        "prefix": login.prefix,
        "linked": login.linked,
        "user": _diagnosis.shown(login.user),
        "passed": endpoint.passed,
        "seconds_waited": round(endpoint.seconds_waited, 1),
        "response_ms": endpoint.response_ms,
        "tls_certificate": tls,
        "jwt_certificate": read(login.virtual_proxy.fields.get("jwt_public_key_certificate")),
        "checks": endpoint.checks,
    }


def run(module: QlikModule) -> dict[str, t.Any]:
    """Prove the logins and return what the module returns, without failing.

    Raises:
        InputError: something in the options cannot be right; nothing was sent.
    """
    params = dict(module.params)
    addresses_from = "options"
    if params["proxy_urls"] is None:
        found = read_proxies(params)
        addresses_from = "repository"
        params["proxy_urls"] = {proxy["name"]: proxy["url"] for proxy in found}
    todo = logins(params)
    timeout = (params["connect_timeout"], params["read_timeout"])
    with contextlib.closing(PrivateFiles()) as files:
        manner = Manner(
            verify=verification(params, "proxy_ca_path", files),
            timeout=timeout,
            wait=max(0.0, params["wait"]),
            threads=params["threads"],
            stranger_key=_forgery.stranger_key(),
            skip=frozenset(params["skip_checks"]),
        )
        endpoints = prove(todo, manner)
    proxies = list(dict.fromkeys(login.proxy for login in todo))
    with concurrent.futures.ThreadPoolExecutor(max_workers=max(1, params["threads"])) as pool:
        certificates = pool.map(lambda proxy: server_certificate(proxy, timeout[0]), proxies)
        tls = dict(zip(proxies, certificates, strict=True))
    read = functools.cache(shown_certificate)
    results = [described(endpoint, tls[endpoint.login.proxy], read) for endpoint in endpoints]
    return {
        "passed": all(endpoint.passed for endpoint in endpoints),
        "addresses_from": addresses_from,
        "summary": summary(results),
        "endpoints": results,
    }


def summary(endpoints: list[dict[str, t.Any]]) -> str:
    """The outcome in one sentence."""
    statuses = [check["status"] for endpoint in endpoints for check in endpoint["checks"]]
    counts = ", ".join(f"{statuses.count(word)} {word}" for word in ("failed", "passed", "skipped") if word in statuses)
    proxies = len({endpoint["proxy"] for endpoint in endpoints})
    place = f"{proxies} {'proxy' if proxies == 1 else 'proxies'}, {len(statuses)} checks: {counts}"
    working, total = sum(endpoint["passed"] for endpoint in endpoints), len(endpoints)
    if working < total:
        if total == 1:
            return f"The login does not work as it should ({place})."
        return f"{working or 'None'} of {total} logins work{'s' if working == 1 else ''} as they should ({place})."
    linked = sum(endpoint["linked"] for endpoint in endpoints)
    parts = [f"All {linked} logins work" if linked > 1 else "The login works"] if linked else []
    if linked < total:
        parts.append(f"{total - linked} {'is' if total - linked == 1 else 'are'} refused where there is no link")
    return f"{', and '.join(parts)} ({place})."


def failure(endpoints: list[dict[str, t.Any]]) -> str:
    """The first check that failed, why, and how many more did."""
    failed = [(end, check) for end in endpoints for check in end["checks"] if check["status"] == "failed"]
    endpoint, check = failed[0]
    place = f"{endpoint['proxy']}/{endpoint['prefix']} as {endpoint['user']}"
    actual = check["actual"].rstrip(".")
    more = f" {len(failed) - 1} more failed." if len(failed) > 1 else ""
    return f"The check {check['name']} failed on {place}: {actual}. {check['diagnosis']}{more}"


def warn(module: QlikModule, result: dict[str, t.Any]) -> None:
    """Warn about what works today and will not soon, or should not."""
    warnings = {}
    if not module.params["validate_certs"]:
        warnings["validate_certs"] = "Tokens were sent to servers whose certificates were not verified."
    for endpoint in result["endpoints"]:
        if endpoint["proxy"].startswith("http:"):
            warnings[endpoint["proxy"]] = f"The tokens were sent to {endpoint['proxy']} without encryption."
        for kind, place in (("tls_certificate", endpoint["proxy"]), ("jwt_certificate", endpoint["prefix"])):
            certificate = endpoint[kind]
            name = "The TLS certificate of" if kind == "tls_certificate" else "The JWT certificate of the virtual proxy"
            warning = certificate and _certificate.expiry_warning(f"{name} {place}", certificate)
            if warning:
                warnings[kind + place] = warning
    for warning in warnings.values():
        module.warn(warning)


def main() -> None:
    module = QlikModule(
        argument_spec=argument_spec(),
        required_one_of=[("proxy_urls", "host")],
        supports_check_mode=True,
    )
    require_requests(module)
    try:
        result = run(module)
    except QlikError as error:
        module.fail_json(msg=str(error))
    except ImportError:
        module.fail_json(msg=missing_required_lib("cryptography >= 42"))
    warn(module, result)
    if not result["passed"]:
        module.fail_json(msg=failure(result["endpoints"]), changed=False, **result)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
