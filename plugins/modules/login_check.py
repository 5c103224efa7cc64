#!/usr/bin/python
# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: login_check
short_description: Verify logins with a token
version_added: 1.0.0
author:
  - The sensible.qlik contributors (@sensible-qlik)
description:
  - Logs in through JWT virtual proxies of Qlik Sense Enterprise on Windows in the same way as a browser or an embedding
    application, on every proxy given. It checks that the expected user is logged in, and that requests without a valid
    token are refused.
  - Each failed check is reported with the most likely cause and a remedy. This diagnosis is more exact if the settings
    of the virtual proxy are given (O(logins[].virtual_proxy)).
  - Failed checks are repeated for up to O(wait) seconds, because Qlik Sense needs up to 30 seconds to apply a change,
    and its proxies do not answer for a part of that time.
  - If the login itself fails, most other checks are skipped, because in that case a refused request verifies nothing.
  - The inactivity timeout and the assignment of users to engines are not visible to clients and therefore not checked.
    M(sensible.qlik.jwt_virtual_proxy) in check mode compares these settings.
  - "The checks of each login on each proxy, in this order:"
  # generated: checks
  - "B(login): The token opens the page of the hub. Redirects below the prefix are followed."
  - "B(no_token): A request without a token is refused. If the virtual proxy allows anonymous access, the hub must
    open, but not as the user of the token."
  - "B(identity): The user that the proxy reports (C(/qps/user)) is the user of the token."
  - "B(attributes): The session has the user of the token and, for each entry of C(jwt_attribute_map), the values of
    the claim. The session is read from the proxy's own API (O(qps_urls)). Skipped without access to this API, and if
    it lists the session without attributes. Qlik does not document whether it lists attributes for sessions from
    tokens."
  - "B(cookie): The session cookie without the token opens the hub as the same user."
  - "B(stickiness): The session cookie is accepted on five new connections as well, because a browser opens several. A
    load balancer without sticky sessions sends some of them to nodes that do not know the session."
  - "B(cookie_flags): Name, C(Secure), C(HttpOnly), C(SameSite), domain and path of the session cookie are as in
    O(logins[].virtual_proxy). Settings that are not given are not compared."
  - "B(response_headers): The response has the additional response headers of O(logins[].virtual_proxy)."
  - "B(host_allow_list): Each name on the host allow list of O(logins[].virtual_proxy) is accepted as C(Host), and
    another name is refused."
  - "B(websocket): The session cookie opens a websocket to the engine as the same user, as required by hub and apps.
    The proxy's URL is sent as C(Origin). Releases since November 2024 also get a CSRF token, earlier releases the
    token of the login. Skipped if C(websocket-client) is not installed."
  - "B(forged_token): The token with a changed user id is refused."
  - "B(wrong_key_token): The same header and claims, signed with a new key, are refused."
  - "B(expired_token): O(logins[].expired_token) is refused. Skipped if it is not given."
  - "B(wrong_audience_token): O(logins[].wrong_audience_token) is refused. Skipped if it is not given."
  - "B(incomplete_token): O(logins[].incomplete_token) is refused. Skipped if it is not given."
  - "B(other_key_token): O(logins[].other_key_token) is refused. Skipped if it is not given."
  - "B(not_linked): The prefix is unknown on a proxy to which the virtual proxy is not linked. This is the only check
    on such a proxy. It requires O(proxy_urls) by node name, and C(proxies) in O(logins[].virtual_proxy)."
  - "B(logout): The logout works, and the cookie is no longer accepted. It is also run if other checks failed."
  # end
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
      - It changes no settings. In check mode it logs in and out as well.
  diff_mode:
    support: none
    details:
      - Nothing is changed.
  idempotent:
    support: full
options:
  host:
    description:
      - Host name of the Qlik Sense server, without scheme and port. Of several hosts, the first one that answers is
        used.
      - Used to read the addresses if O(proxy_urls) is not set, and to read the certificates of the virtual proxies
        (RV(endpoints[].site_certificate)).
      - If not set, the value of the environment variable E(QLIK_SENSE_HOST) is used. Several names are separated by
        commas.
    type: list
    elements: str
    required: false
  proxy_urls:
    description:
      - A list of the base URLs of the proxies, such as V(https://qlik1.example.com) or
        V(https://qlik1.example.com:8443). A host name alone means HTTPS. Each login is tried on each of them.
      - "A dictionary of such URLs by node name is accepted as well, such as V({Central: https://qlik1.example.com}). In
        this case a login must work on the proxies in C(proxies) of O(logins[].virtual_proxy), and the prefix must be
        unknown on the others."
      - Use the address of each node and not that of a load balancer in front of them. Behind a load balancer, a proxy
        that is not linked or has not applied a change can remain undetected. Each host name must be on the host allow
        list.
      - "Nodes that can only be reached through a load balancer have the same URL, such as V({Central:
        https://qlik.example.com, Rim1: https://qlik.example.com}). A login must work there if the virtual proxy is
        linked to one of them."
      - If not set, the addresses are read from the repository on O(host), with the host names and ports that the site
        has for its nodes.
    type: raw
  qps_urls:
    description:
      - A list of the base URLs of the proxies' own API (QPS), such as V(https://qlik1:4243), or a dictionary of them by
        node name. A host name alone means HTTPS on O(qps_port).
      - If this option, O(client_cert) and O(client_key) are set, the session of each login is read, and the check
        B(attributes) compares its user and its attributes with the token.
      - If O(proxy_urls) is not set, they are read from the repository as well.
    type: raw
  logins:
    description:
      - The logins to check, each with a virtual proxy and a token.
    type: list
    elements: dict
    required: true
    suboptions:
      virtual_proxy:
        description:
          - Settings of the virtual proxy, in the format that M(sensible.qlik.jwt_virtual_proxy) accepts and returns.
            Settings that are not given are not compared.
          - If the settings contain the certificate, most causes of a failed login are found without the logs of the
            proxy.
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
      # generated: tokens
      expired_token:
        description:
          - A token of the same user that has expired. It must be refused. If not set, this is not checked.
        type: str
      wrong_audience_token:
        description:
          - A token of the same user for another audience than C(jwt_audience). Whether all releases enforce the
            audience is not published. It must be refused. If not set, this is not checked.
        type: str
      incomplete_token:
        description:
          - A token of the same user without the attributes that are mandatory in C(jwt_attribute_map). It must be
            refused. If not set, this is not checked.
        type: str
      other_key_token:
        description:
          - A token of the same user that is signed with another key than that of the virtual proxy, for example with
            the key that was replaced. The refusal is only meaningful if the login with O(logins[].token) on the same
            proxy succeeds. It must be refused. If not set, this is not checked.
        type: str
      # end
      user_id:
        description:
          - Expected id of the user.
          - The default is the claim of O(logins[].token) that O(logins[].virtual_proxy) names, or C(userId).
        type: str
      user_directory:
        description:
          - Expected directory of the user.
          - The default is the claim of O(logins[].token) that O(logins[].virtual_proxy) names, or C(userDirectory). If
            O(logins[].virtual_proxy) has a fixed directory in brackets, such as V([ACME]), that is the default.
        type: str
  wait:
    description:
      - Seconds for which failed checks are repeated, for all logins together. With V(0) each check is tried once.
      - A failure that is permanent is reported immediately, for example a token that the virtual proxy cannot accept, a
        blocked user or a server whose certificate is not trusted.
    type: float
    default: 120
  skip_checks:
    description:
      - Checks to skip. They are reported as skipped. With V(not_linked), the results omit the proxies to which the
        virtual proxy is not linked. Checks that are not among the choices are always run.
    type: list
    elements: str
    # generated: choices
    choices:
      - no_token
      - identity
      - attributes
      - cookie
      - stickiness
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
    # end
    default: []
  threads:
    description:
      - Number of logins that are tried at the same time.
      - At most four sessions of one user are open at a time, because Qlik Sense allows five. For many logins, use
        several users to shorten the check.
    type: int
    default: 64
requirements:
  - cryptography >= 42
  - websocket-client >= 1.6, for the check of websockets, which is skipped without it
notes:
  - The logout ends B(all) sessions of the user on that virtual proxy. Use a dedicated user for checks, not the account
    of a person.
  - Results contain no token and no cookie, and no claims of the tokens except the user. Therefore the task does not
    need C(no_log), which would hide the diagnosis. Tokens are masked in the invocation.
  - The module must run on a host that can reach the proxies, for example a jump host with C(delegate_to). This host
    needs Python 3.11 or newer.
seealso:
  - module: sensible.qlik.jwt_virtual_proxy
  - plugin: sensible.qlik.jwt
    plugin_type: lookup
  - name: Set up JWT authentication
    description: Qlik's article, which contains a manual login check.
    link: https://community.qlik.com/t5/Official-Support-Articles/Qlik-Sense-How-to-set-up-JWT-authentication/ta-p/1716226
"""

EXAMPLES = r"""
- name: Create or update the virtual proxy
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

- name: Verify the login on both proxies
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

- name: Verify that the login works on linked proxies and is refused on the others
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

- name: Compare the attributes of the session with the token, over the proxies' own API
  sensible.qlik.login_check:
    proxy_urls:
      Central: https://qlik1.example.com
    qps_urls:
      Central: https://qlik1:4243
    client_cert: certificates/client.pem
    client_key: certificates/client_key.pem
    ca_path: certificates/root.pem
    proxy_ca_path: certificates/proxy_ca.pem
    logins:
      - virtual_proxy:
          prefix: portal
          proxies: [Central]
          jwt_attribute_map:
            - jwt_attribute: groups
              sense_attribute: group
        token: "{{ lookup('sensible.qlik.jwt', user, private_key_path='keys/portal_key.pem', groups=['Testers']) }}"
  vars:
    user: ACME\smoketest

- name: Check a login on a site that another team manages, without waiting
  sensible.qlik.login_check:
    proxy_urls: [qlik1.example.com]
    wait: 0
    logins:
      - prefix: portal
        token: "{{ monitoring_token }}"
        user_directory: ACME
        user_id: monitoring

- name: Verify that tokens for another audience, and tokens without a mandatory claim, are refused
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
        wrong_audience_token: "{{ lookup('sensible.qlik.jwt', user, audience='another', claims=claims, **key) }}"
        incomplete_token: "{{ lookup('sensible.qlik.jwt', user, audience='qlik', **key) }}"
  vars:
    user: ACME\smoketest
    key: {private_key_path: keys/portal_key.pem}
    claims: {department: Quality}

- name: Verify that tokens of the replaced key are refused
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
  description: Whether all checks passed or were skipped.
  returned: always
  type: bool
  sample: true
summary:
  description: The outcome in one sentence.
  returned: always
  type: str
  sample: 'All 4 logins work (2 proxies, 68 checks: 50 passed, 18 skipped).'
lines:
  description: One line for each login on each proxy, with the checks and their results.
  returned: always
  type: list
  elements: str
  sample: ['portal on https://qlik2.example.com as ACME\smoketest: 1 passed (not_linked)']
addresses_from:
  description: Source of the addresses of the proxies, V(options) or V(repository).
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
      description: Whether the virtual proxy is linked to this proxy, so that the login must work. True if not known.
      type: bool
      sample: true
    user:
      description: The expected user.
      type: str
      sample: ACME\smoketest
    passed:
      description: Whether all checks passed or were skipped.
      type: bool
      sample: true
    seconds_waited:
      description: Seconds from the start until the last attempt began.
      type: float
      sample: 12.4
    response_ms:
      description: Hub response time in milliseconds. Null if the hub did not open.
      type: int
      sample: 84
    tls_certificate:
      description:
        - The certificate that the proxy presents. Null over HTTP, or if it could not be read.
      type: dict
      contains: &certificate
        subject:
          description: Subject of the certificate.
          type: str
          sample: CN=qlik1.example.com
        issuer:
          description: Issuer of the certificate.
          type: str
          sample: CN=qlik1.example.com-CA
        not_after:
          description: End of its validity, in UTC.
          type: str
          sample: '2027-11-01T00:00:00Z'
        days_left:
          description: Days until it expires. Negative if it has expired.
          type: int
          sample: 342
        fingerprint_sha256:
          description: SHA-256 fingerprint in hexadecimal.
          type: str
          sample: 5c2b0a7f3e9d4c1b8a6f5e4d3c2b1a0f9e8d7c6b5a4f3e2d1c0b9a8f7e6d5c4b
    jwt_certificate:
      description: The certificate of O(logins[].virtual_proxy). Null if it is not given.
      type: dict
      contains: *certificate
    site_certificate:
      description:
        - The certificate that the virtual proxy has on the site, which verifies tokens. If it differs from
          RV(endpoints[].jwt_certificate), a warning is shown.
        - Null without O(host), and if it could not be read. If O(proxy_urls) is set, it is only read with
          O(auth_method=certificate), because other ways to sign in open a session.
      type: dict
      contains: *certificate
    checks:
      description: Results of the checks, in the order of the list above.
      type: list
      elements: dict
      contains:
        name:
          description: Name of the check.
          type: str
          sample: login
        title:
          description: Title of the check in reports.
          type: str
          sample: Log in with the token
        status:
          description: V(passed), V(failed) or V(skipped).
          type: str
          sample: passed
        expected:
          description: The expected answer.
          type: str
          sample: 200 with HTML
        actual:
          description: The actual answer, or the reason why the check was skipped.
          type: str
          sample: 200 with HTML
        status_code:
          description: HTTP status. Null if there was no answer or no request was sent.
          type: int
          sample: 200
        ms:
          description: Response time in milliseconds. Null if there was no answer or no request was sent.
          type: int
          sample: 84
        diagnosis:
          description: Most likely cause and a remedy if the check failed, otherwise null.
          type: str
          sample: The user is blocked or inactive. Activate it under Users in the QMC.
"""

import contextlib
import typing as t

from ansible.module_utils.basic import missing_required_lib

from ansible_collections.sensible.qlik.plugins.module_utils import _proxies
from ansible_collections.sensible.qlik.plugins.module_utils._argspec import QlikModule, connection_argument_spec
from ansible_collections.sensible.qlik.plugins.module_utils._errors import QlikError
from ansible_collections.sensible.qlik.plugins.module_utils._files import PrivateFiles
from ansible_collections.sensible.qlik.plugins.module_utils._http.client import require_libraries
from ansible_collections.sensible.qlik.plugins.module_utils._http.qps import QpsClient, qps_opener
from ansible_collections.sensible.qlik.plugins.module_utils._keys.pem import verification
from ansible_collections.sensible.qlik.plugins.module_utils._login import report
from ansible_collections.sensible.qlik.plugins.module_utils._login.checks import OPTIONAL, TOKEN_OPTIONS
from ansible_collections.sensible.qlik.plugins.module_utils._login.diagnosis import shown
from ansible_collections.sensible.qlik.plugins.module_utils._login.inputs import logins
from ansible_collections.sensible.qlik.plugins.module_utils._login.models import RunOptions
from ansible_collections.sensible.qlik.plugins.module_utils._login.runner import run_logins
from ansible_collections.sensible.qlik.plugins.module_utils._repository.site import read_proxies
from ansible_collections.sensible.qlik.plugins.module_utils._repository.snapshot import repository
from ansible_collections.sensible.qlik.plugins.module_utils._tokens.negative import new_foreign_key
from ansible_collections.sensible.qlik.plugins.module_utils._tokens.verify import token_warnings
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy.model import VirtualProxy

if t.TYPE_CHECKING:
    from collections.abc import Collection, Sequence


def argument_spec() -> dict[str, dict[str, t.Any]]:
    """Return the options of the module."""
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
                **{name: {"type": "str", "no_log": True} for name in TOKEN_OPTIONS},
                "user_id": {"type": "str"},
                "user_directory": {"type": "str"},
            },
        },
        "wait": {"type": "float", "default": 120.0},
        "skip_checks": {"type": "list", "elements": "str", "choices": OPTIONAL, "default": []},
        "threads": {"type": "int", "default": 64},
        **connection_argument_spec(host_required=False),
    }


def _session_apis(params: dict[str, t.Any], files: PrivateFiles) -> dict[str, t.Any]:
    """Return the run options for the proxies' own API."""
    if not params["qps_urls"]:
        return {}
    if not (params["client_cert"] or params["client_cert_content"]):
        return {"no_session_apis": "no client certificate for the proxies' own API was given"}
    proxies = _proxies.named_urls(params["proxy_urls"])
    urls = _proxies.qps_urls(params["qps_urls"], params["qps_port"])
    open_api = qps_opener(params, files)

    def session_apis(prefix: str, proxy: str) -> Sequence[QpsClient]:
        return [open_api(url, prefix) for url in _proxies.qps_urls_of(proxy, proxies, urls)]

    return {"session_apis": session_apis}


def _site_certificates(params: dict[str, t.Any], prefixes: set[str]) -> dict[str, str]:
    """Return the certificates that the site has, by prefix in lower case. Empty if they could not be read."""
    if not params["host"]:
        return {}
    wanted = [VirtualProxy({"prefix": prefix}, state="absent") for prefix in sorted(prefixes)]
    try:
        with repository({**params, "retries": 0}) as site:
            found = site.read(wanted).virtual_proxies
    except QlikError:  # it is only information
        return {}
    return {one.prefix.lower(): one.fields.get("jwt_public_key_certificate") or "" for one in found}


def run(module: QlikModule) -> tuple[dict[str, t.Any], list[str]]:
    """Check the logins, and return the result of the module and warnings about the tokens. Failed checks do not raise.

    Raises:
        QlikError: an option is not valid, or the addresses could not be read. No token was sent.
    """
    params, addresses_from = dict(module.params), "options"
    out_of_service: Collection[str] = ()
    if params["proxy_urls"] is None:
        (found, out_of_service), addresses_from = read_proxies(params), "repository"
        params["proxy_urls"] = {proxy["name"]: proxy["url"] for proxy in found}
        if params["qps_urls"] is None:
            params["qps_urls"] = {proxy["name"]: proxy["qps_url"] for proxy in found}
    todo = logins(params, out_of_service)
    with contextlib.closing(PrivateFiles()) as files:
        options = RunOptions(
            verify=verification(params, "proxy_ca_path", files),
            timeout=(params["connect_timeout"], params["read_timeout"]),
            wait=max(0.0, params["wait"]),
            threads=params["threads"],
            foreign_key=new_foreign_key(),
            skip=frozenset(params["skip_checks"]),
            http_proxy=params["http_proxy"],
            **_session_apis(params, files),
        )
        runs = run_logins(todo, options)
    certificates = {}
    if addresses_from == "repository" or params["auth_method"] == "certificate":
        certificates = _site_certificates(params, {login.prefix for login in todo})
    results = [report.to_result(one, certificates) for one in runs]
    mapping = [
        f"The token of {shown(login.user)} for {login.prefix}: {warning}"
        for login in todo
        for warning in token_warnings(login.claims, login.virtual_proxy)
    ]
    return {
        "passed": all(result["passed"] for result in results),
        "summary": report.summary(results),
        "lines": [report.line(result) for result in results],
        "addresses_from": addresses_from,
        "endpoints": results,
    }, list(dict.fromkeys(mapping))


def main() -> None:
    module = QlikModule(
        argument_spec=argument_spec(),
        required_one_of=[("proxy_urls", "host")],
        supports_check_mode=True,
    )
    require_libraries(module)
    try:
        result, mapping = run(module)
    except QlikError as error:
        module.fail_json(msg=str(error))
    except ImportError:
        module.fail_json(msg=missing_required_lib("cryptography >= 42"))
    if not module.params["validate_certs"]:
        module.warn("Tokens were sent to servers whose certificates were not verified.")
    for warning in [*report.warnings(result["endpoints"]), *mapping]:
        module.warn(warning)
    if not result["passed"]:
        module.fail_json(msg=report.failure(result["endpoints"]), changed=False, **result)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
