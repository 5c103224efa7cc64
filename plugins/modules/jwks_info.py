#!/usr/bin/python
# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: jwks_info
short_description: Read the signing keys of an identity provider as certificates
version_added: 1.0.0
author:
  - The sensible.qlik contributors (@sensible-qlik)
description:
  - Reads the JSON Web Key Set (JWKS) of an identity provider such as Okta, Auth0, Keycloak or Entra ID, and says of
    each key whether Qlik Sense can verify tokens with it, and why not if it cannot.
  - Client-managed Qlik Sense cannot read a JWKS. It holds one certificate per virtual proxy. So each key comes as the
    certificate that M(sensible.qlik.jwt_virtual_proxy) takes.
  - Auth0, Keycloak and Entra ID publish a certificate with each key (C(x5c)), which is used if it belongs to the key.
    Okta does not; for its keys a small CA of your own can issue one (O(issue_certificates)).
  - What is wrong with one key is said of that key and does not stop the module. It fails only if there is no key set.
extends_documentation_fragment:
  - sensible.qlik.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details:
      - Nothing is changed.
  idempotent:
    support: full
options:
  url:
    description:
      - Address of the key set, with C(https). The provider's C(/.well-known/openid-configuration) has it as
        C(jwks_uri).
      - Redirects are not followed.
      - Exactly one of O(url), O(path) and O(jwks) is needed.
    type: str
  path:
    description:
      - File with the key set.
    type: path
  jwks:
    description:
      - The key set itself, as JSON text or as a dictionary, for instance what P(ansible.builtin.uri#module) got.
    type: raw
  http_proxy:
    description:
      - Address of the web proxy that this machine needs to reach O(url), such as V(http://proxy.example.com:3128).
        Environment variables for proxies are ignored.
    type: str
  ca_content:
    description:
      - The text of the CA certificates, instead of O(ca_path).
    type: str
  ca_path:
    description:
      - Path of the CA certificates to verify the provider with. Without it the bundle of the Python package C(certifi)
        is used.
      - The environment variables E(QLIK_SENSE_CA_PATH) and E(QLIK_SENSE_VALIDATE_CERTS) are not used here. They speak
        of the Qlik Sense site, and the provider is another server.
    type: path
  validate_certs:
    description:
      - Whether to verify the provider's certificate. Without it anybody on the way could put in a key of their own, so
        switch it off only to look for a fault.
    type: bool
    default: true
  connect_timeout:
    description:
      - Seconds to wait for a connection.
    type: float
    default: 10
  read_timeout:
    description:
      - Seconds to wait for an answer.
    type: float
    default: 30
  retries:
    description:
      - How often the request is repeated after a connection error or an answer 429, 502, 503 or 504, with growing
        pauses.
    type: int
    default: 3
  issue_certificates:
    description:
      - Whether to issue a certificate, with the CA given by the options C(ownca_*), for each sound signing key that
        comes without one.
      - The same key gets the same certificate, to the last byte, in each run and on each machine, as long as the CA's
        own certificate stays the same. Nothing is stored. Subject and serial number come from the key; it is valid as
        long as the CA's certificate is.
      - B(Not proven on a live site.) Such a certificate says the truth about the key, but it is not self-signed as all
        in Qlik's examples are, and nobody has published whether a virtual proxy cares. Try it on a test site first.
    type: bool
    default: false
  ownca_path:
    description:
      - File with the certificate of the CA. See the example for how to make one.
      - Keep it valid for long. When it is replaced, all certificates that it issued change.
    type: path
  ownca_content:
    description:
      - The CA's certificate itself, instead of O(ownca_path).
    type: str
  ownca_privatekey_path:
    description:
      - File with the private key of the CA, RSA with 2048 bits or more. It is only read.
    type: path
  ownca_privatekey_content:
    description:
      - The private key of the CA itself, instead of O(ownca_privatekey_path), for instance from a vault.
    type: str
  ownca_privatekey_passphrase:
    description:
      - Passphrase of the CA's private key.
    type: str
requirements:
  - cryptography >= 42
  - urllib3 >= 2.6.3, with O(url)
  - certifi, with O(url)
notes:
  - Results hold no private key and no secret, even if the provider publishes one by mistake.
  - It is not in the action group C(sensible.qlik.qlik), as it does not talk to a Qlik Sense site.
  - The options C(ownca_*) have the names of P(community.crypto.x509_certificate#module).
seealso:
  - module: sensible.qlik.jwt_virtual_proxy
  - plugin: sensible.qlik.jwt_claims
    plugin_type: filter
  - name: RFC 7517
    description: What a key set looks like.
    link: https://www.rfc-editor.org/rfc/rfc7517
"""

EXAMPLES = r"""
- name: Read the signing keys of Keycloak
  sensible.qlik.jwks_info:
    url: https://keycloak.example.com/realms/acme/protocol/openid-connect/certs
  register: provider

- name: Make a virtual proxy for each of them, also if one is listed under two names
  sensible.qlik.jwt_virtual_proxy:
    host: qlik1.example.com
    client_cert: client.pem
    client_key: client_key.pem
    ca_path: root.pem
    prefix: "jwt-{{ item.certificate.fingerprint_sha256[:8] }}"
    description: "Tokens signed with {{ item.kid }}"
    jwt_public_key_certificate: "{{ item.jwt_public_key_certificate }}"
    load_balancing_server_nodes: [Central]
    proxies: [Central]
  loop: "{{ provider.public_keys | selectattr('usable') | unique(attribute='thumbprint') }}"
  loop_control:
    label: "{{ item.kid }}"

- name: Say which keys cannot be used
  ansible.builtin.debug:
    msg: "{{ item.kid }}: {{ item.reasons | join(' ') }}"
  loop: "{{ provider.public_keys | rejectattr('usable') }}"
  loop_control:
    label: "{{ item.kid }}"

# Okta publishes no certificates, so a CA has to issue them. This makes it, once.
- name: Make the key of the CA
  community.crypto.openssl_privatekey:
    path: okta_ca_key.pem
    size: 4096

- name: Say what the CA is
  community.crypto.openssl_csr_pipe:
    privatekey_path: okta_ca_key.pem
    common_name: Keys of Okta for Qlik Sense
    basic_constraints: ['CA:TRUE', 'pathlen:0']
    basic_constraints_critical: true
    key_usage: [keyCertSign]
    key_usage_critical: true
  register: request
  changed_when: false

- name: Make its certificate
  community.crypto.x509_certificate:
    path: okta_ca.pem
    csr_content: "{{ request.csr }}"
    privatekey_path: okta_ca_key.pem
    provider: selfsigned
    selfsigned_not_after: +3650d

- name: Read the signing keys of Okta, with certificates from that CA
  sensible.qlik.jwks_info:
    url: https://acme.okta.example/oauth2/default/v1/keys
    issue_certificates: true
    ownca_path: okta_ca.pem
    ownca_privatekey_path: okta_ca_key.pem
  register: provider

- name: Read the signing keys of Entra ID, through the company's web proxy and with patience
  sensible.qlik.jwks_info:
    url: https://login.microsoftonline.com/acme.example.com/discovery/v2.0/keys
    http_proxy: http://proxy.example.com:3128
    connect_timeout: 20
    read_timeout: 60
    retries: 5

- name: Read those of a provider whose certificate is of the company's own CA
  sensible.qlik.jwks_info:
    url: https://login.acme.example.com/keys
    ca_path: company_ca.pem

- name: Read the keys with the text of the company's CA certificate
  sensible.qlik.jwks_info:
    url: https://login.acme.example.com/keys
    ca_content: "{{ lookup('ansible.builtin.file', 'company_ca.pem') }}"

- name: Look at keys that were saved to a file
  sensible.qlik.jwks_info:
    path: jwks.json

- name: Have a CA that lies in the vault issue certificates, for keys that another task has read
  sensible.qlik.jwks_info:
    jwks: "{{ key_set }}"
    issue_certificates: true
    ownca_content: "{{ vault_okta_ca }}"
    ownca_privatekey_content: "{{ vault_okta_ca_key }}"
    ownca_privatekey_passphrase: "{{ vault_okta_ca_passphrase }}"
"""

RETURN = r"""
public_keys:
  description:
    - The keys, sorted by C(kid) and C(thumbprint). The order of the provider, which has no meaning, is not kept.
    - The same key may be there under two names. To make one virtual proxy per key, take one per C(thumbprint).
  returned: success
  type: list
  elements: dict
  contains:
    kid:
      description: The key's name, which tokens have in their header. The thumbprint if the provider gives none.
      type: str
      sample: 0oa1b2c3
    thumbprint:
      description: The key's own name after RFC 7638, the same wherever it is published. Null if it cannot be computed.
      type: str
      sample: NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs
    kty:
      description: The kind of the key, such as V(RSA) or V(EC). Null if the provider does not say.
      type: str
      sample: RSA
    use:
      description: What the provider says that the key is for, V(sig) or V(enc). Null if it does not say.
      type: str
      sample: sig
    algorithms:
      description:
        - The algorithm that the provider says the key is for. For an RSA key for signatures without one, as Entra ID
          has them, those that Qlik Sense accepts.
      type: list
      elements: str
      sample: [RS256]
    key_size:
      description: Bits of an RSA key, else null.
      type: int
      sample: 2048
    usable:
      description: Whether Qlik Sense can verify tokens of this key, with RV(public_keys[].jwt_public_key_certificate).
      type: bool
      sample: true
    reasons:
      description: Why it is not usable, one sentence each.
      type: list
      elements: str
      sample: ["It is for encryption (use: enc)."]
    warnings:
      description:
        - What is odd about a key, usable or not, one sentence each. Those of usable keys are warnings of the task too.
      type: list
      elements: str
      sample: []
    jwt_public_key_certificate:
      description: The certificate as PEM, for the option of that name. Null if the key is not usable.
      type: str
      sample: "-----BEGIN CERTIFICATE-----\nMIID...\n-----END CERTIFICATE-----\n"
    certificate_source:
      description: V(x5c) if the provider published the certificate, V(issued) if the own CA issued it, else null.
      type: str
      sample: x5c
    certificate:
      description: What the certificate says. Null if there is none.
      type: dict
      contains:
        subject:
          description: Whose it is.
          type: str
          sample: CN=acme
        issuer:
          description: Who issued it.
          type: str
          sample: CN=acme
        not_before:
          description: From when it is valid, in UTC.
          type: str
          sample: '2026-11-01T00:00:00Z'
        not_after:
          description: Until when, in UTC.
          type: str
          sample: '2036-11-01T00:00:00Z'
        days_left:
          description: Days until then, negative once it has expired.
          type: int
          sample: 3628
        fingerprint_sha256:
          description: SHA-256 of the certificate, as M(sensible.qlik.jwt_virtual_proxy) returns it.
          type: str
          sample: 5c2b0a7f3e9d4c1b8a6f5e4d3c2b1a0f9e8d7c6b5a4f3e2d1c0b9a8f7e6d5c4b
        key_size:
          description: Bits of its key.
          type: int
          sample: 2048
source:
  description: V(provider) if O(url) was read, else V(path) or V(jwks).
  returned: success
  type: str
  sample: provider
"""

import typing as t

from ansible_collections.sensible.qlik.plugins.module_utils._argspec import QlikModule
from ansible_collections.sensible.qlik.plugins.module_utils._content import Holds
from ansible_collections.sensible.qlik.plugins.module_utils._errors import QlikError
from ansible_collections.sensible.qlik.plugins.module_utils._files import decode, read
from ansible_collections.sensible.qlik.plugins.module_utils._http import jwks_source as _jwks_source
from ansible_collections.sensible.qlik.plugins.module_utils._http.client import require_libraries
from ansible_collections.sensible.qlik.plugins.module_utils._keys import certificate as _certificate
from ansible_collections.sensible.qlik.plugins.module_utils._keys import jwks as _jwks
from ansible_collections.sensible.qlik.plugins.module_utils._keys.ca import OwnCA

Issue = t.Callable[[t.Any], str]


def argument_spec() -> dict[str, dict[str, t.Any]]:
    return {
        "url": {"type": "str"},
        "path": {"type": "path"},
        "jwks": {"type": "raw"},
        "http_proxy": {"type": "str", "no_log": True},
        # Not those of the connection: their environment variables are about the site.
        "ca_path": {"type": "path"},
        "ca_content": {"type": "str"},
        "validate_certs": {"type": "bool", "default": True},
        "connect_timeout": {"type": "float", "default": 10.0},
        "read_timeout": {"type": "float", "default": 30.0},
        "retries": {"type": "int", "default": 3},
        "issue_certificates": {"type": "bool", "default": False},
        "ownca_path": {"type": "path"},
        "ownca_content": {"type": "str"},
        "ownca_privatekey_path": {"type": "path", "no_log": False},
        "ownca_privatekey_content": {"type": "str", "no_log": True},
        "ownca_privatekey_passphrase": {"type": "str", "no_log": True},
    }


RULES: dict[str, t.Any] = {
    "required_one_of": [("url", "path", "jwks")],
    "mutually_exclusive": [("url", "path", "jwks")],
    "required_if": [
        ("issue_certificates", True, ("ownca_path", "ownca_content"), True),
        ("issue_certificates", True, ("ownca_privatekey_path", "ownca_privatekey_content"), True),
    ],
}


def own_ca(params: dict[str, t.Any]) -> OwnCA | None:
    """Return the CA to issue certificates with, None if there is to be none.

    Raises:
        InputError: it cannot be read or is none.
    """
    if not params["issue_certificates"]:
        return None
    passphrase = params["ownca_privatekey_passphrase"]
    return OwnCA(_text(params, "ownca", "certificate"), _text(params, "ownca_privatekey", "private key"), passphrase)


def _text(params: dict[str, t.Any], option: str, holds: Holds) -> str:
    content = params[f"{option}_content"]
    if content is not None:
        return decode(f"{option}_content", content, holds=holds)
    return read(f"{option}_path", params[f"{option}_path"], alternative=f"{option}_content", holds=holds).text


def to_result(key: _jwks.Key, issue: Issue | None) -> dict[str, t.Any]:
    """Return one key as the module returns it.

    Args:
        key: as read; it gets a reason if it has no certificate.
        issue: makes a certificate for a public key.
    """
    pem, source, reasons = None, None, list(key.reasons)
    if not reasons and key.certificate is not None:
        pem, source = key.certificate, "x5c"
    elif not reasons and issue is not None:
        pem, source = issue(key.public_key), "issued"
    elif not reasons:
        reasons.append("It comes without a certificate, and a virtual proxy wants one; see issue_certificates.")
    certificate = _certificate.inspect(pem) if pem else None
    warnings = list(key.warnings)
    if certificate is not None and certificate["days_left"] < 0:
        warnings.append(f"Its certificate expired at {certificate['not_after']}.")
    return {
        "kid": key.kid,
        "thumbprint": key.thumbprint,
        "kty": key.kind,
        "use": key.use,
        "algorithms": key.algorithms,
        "key_size": key.public_key.key_size if key.public_key is not None else None,
        "usable": not reasons,
        "reasons": reasons,
        "warnings": warnings,
        "jwt_public_key_certificate": pem,
        "certificate_source": source,
        "certificate": certificate,
    }


def run(module: QlikModule) -> dict[str, t.Any]:
    """Read the key set and return what the module returns.

    Raises:
        QlikError: there is no key set, or the CA cannot be used.
    """
    params = module.params
    authority = own_ca(params)
    if params["url"] is not None:
        require_libraries(module)
        jwks, source = _jwks_source.fetch(params), "provider"
    elif params["path"] is not None:
        jwks, source = read("path", params["path"]).text, "path"
    else:
        jwks, source = module.unlogged["jwks"], "jwks"
    keys = _jwks.read(jwks)
    public_keys = [to_result(key, authority.issue if authority else None) for key in keys]
    if _jwks.holds_private_key(_jwks.parse(jwks)):
        module.warn(
            "The key set holds private keys. Whoever has read it can sign tokens and be anybody: have the provider"
            " withdraw these keys, and see that no virtual proxy has their certificates."
        )
    if not any(key["usable"] for key in public_keys):
        module.warn(f"None of the {len(keys)} keys is usable." if keys else "The key set is empty.")
    for result, key in zip(public_keys, keys, strict=True):
        for warning in result["warnings"] if result["usable"] else ():
            module.warn(f"Key {key.short_name}: {warning}")
    if authority is not None and authority.details["days_left"] < 0:
        module.warn(f"The certificate of the own CA expired at {authority.details['not_after']}.")
    if params["url"] is not None and not params["validate_certs"]:
        module.warn("The keys come from a server whose certificate was not verified.")
    return {"public_keys": public_keys, "source": source}


def main() -> None:
    module = QlikModule(
        argument_spec=argument_spec(),
        # A key set may hold private keys, and holds words such as RSA that a no_log would hide everywhere.
        unlogged=("jwks",),
        supports_check_mode=True,
        **RULES,
    )
    try:
        result = run(module)
    except QlikError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
