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
  - Reads the JSON Web Key Set (JWKS) of an identity provider such as Okta, Auth0, Keycloak or Entra ID. It reports for
    each key whether Qlik Sense can verify tokens with it, and if not, the reasons.
  - Client-managed Qlik Sense cannot read a JWKS. It stores one certificate per virtual proxy. Therefore each key is
    returned as the certificate that M(sensible.qlik.jwt_virtual_proxy) accepts.
  - Auth0, Keycloak and Entra ID publish a certificate with each key (C(x5c)), which is used if it belongs to the key.
    Okta does not. For its keys, a CA of your own can issue certificates (O(issue_certificates)).
  - A problem with one key is reported for that key and does not stop the module. The module fails only if the key set
    cannot be read.
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
      - URL of the key set, with C(https). The provider's C(/.well-known/openid-configuration) contains it as
        C(jwks_uri).
      - Redirects are not followed.
      - Exactly one of O(url), O(path) and O(jwks) is needed.
    type: str
  path:
    description:
      - File with the key set.
      - Exactly one of O(url), O(path) and O(jwks) is required.
    type: path
  jwks:
    description:
      - The key set itself, as JSON text or as a dictionary, for instance a result of P(ansible.builtin.uri#module).
      - A dictionary of PEM certificates or public keys by C(kid), as Google and Firebase publish it, is accepted from
        each source.
      - Exactly one of O(url), O(path) and O(jwks) is required.
    type: raw
  http_proxy:
    description:
      - Address of the web proxy that this machine needs to reach O(url), such as V(http://proxy.example.com:3128). It
        cannot contain a user and a password.
      - The proxy variables of the environment, such as E(HTTPS_PROXY), are ignored.
      - If not set, this machine connects to the provider directly.
    type: str
  ca_content:
    description:
      - The text of the CA certificates, instead of O(ca_path).
    type: str
  ca_path:
    description:
      - Path of the CA certificates to verify the provider with. The default is the bundle of the Python package
        C(certifi).
      - The environment variables E(QLIK_SENSE_CA_PATH) and E(QLIK_SENSE_VALIDATE_CERTS) are not used here. They are for
        the Qlik Sense site, and the provider is another server.
    type: path
  validate_certs:
    description:
      - Whether to verify the provider's certificate. Without verification, an attacker on the network can insert a key,
        so disable it only for troubleshooting.
    type: bool
    default: true
  connect_timeout:
    description:
      - Seconds to wait for a connection.
    type: float
    default: 10
  read_timeout:
    description:
      - Seconds for the request and its whole answer, once the connection is established.
    type: float
    default: 30
  retries:
    description:
      - Number of times that the request is repeated after a connection error or an answer with the status 429, 502, 503
        or 504, with growing pauses.
    type: int
    default: 3
  issue_certificates:
    description:
      - Whether to issue a certificate, with the CA given by the options C(ownca_*), for each valid signing key that is
        published without one.
      - The same key gets exactly the same certificate in each run and on each machine, as long as the certificate of
        the CA does not change. Nothing is stored. Subject and serial number are derived from the key. The certificate
        has the validity period of the CA's certificate.
      - B(Not verified on a live site.) Such a certificate belongs to the key, but it is not self-signed like those in
        Qlik's examples, and it is not published whether a virtual proxy accepts it. Try it on a test site first.
    type: bool
    default: false
  ownca_path:
    description:
      - File with the certificate of the CA. The examples show how to create one.
      - Use a long validity period. When the certificate of the CA is replaced, all issued certificates change.
      - Required with O(issue_certificates=true), unless O(ownca_content) is set.
    type: path
  ownca_content:
    description:
      - The CA's certificate itself, instead of O(ownca_path).
    type: str
  ownca_privatekey_path:
    description:
      - File with the private key of the CA, RSA with 2048 bits or more. It is only read.
      - Required with O(issue_certificates=true), unless O(ownca_privatekey_content) is set.
    type: path
  ownca_privatekey_content:
    description:
      - The private key of the CA itself, instead of O(ownca_privatekey_path), for instance from a vault.
    type: str
  ownca_privatekey_passphrase:
    description:
      - Passphrase of the CA's private key.
      - If not set, the key must not be encrypted.
    type: str
requirements:
  - cryptography >= 42
  - urllib3 >= 2.6.3, with O(url)
  - certifi, with O(url)
notes:
  - Results contain no private key and no secret, even if the provider publishes one by mistake.
  - It is not in the action group C(sensible.qlik.qlik), because it does not connect to a Qlik Sense site.
  - The options C(ownca_*) have the same names as in P(community.crypto.x509_certificate#module).
seealso:
  - module: sensible.qlik.jwt_virtual_proxy
  - plugin: sensible.qlik.jwt_claims
    plugin_type: filter
  - name: RFC7517
    description: The format of a key set.
    link: https://www.rfc-editor.org/rfc/rfc7517
"""

EXAMPLES = r"""
- name: Read the signing keys of Keycloak
  sensible.qlik.jwks_info:
    url: https://keycloak.example.com/realms/acme/protocol/openid-connect/certs
  register: provider

- name: Create one virtual proxy for each key, also if a key is listed under two names
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

- name: Show the keys that cannot be used
  ansible.builtin.debug:
    msg: "{{ item.kid }}: {{ item.reasons | join(' ') }}"
  loop: "{{ provider.public_keys | rejectattr('usable') }}"
  loop_control:
    label: "{{ item.kid }}"

# Okta publishes no certificates, so a CA must issue them. These tasks create it once.
- name: Create the key of the CA
  community.crypto.openssl_privatekey:
    path: okta_ca_key.pem
    size: 4096

- name: Create the certificate signing request of the CA
  community.crypto.openssl_csr_pipe:
    privatekey_path: okta_ca_key.pem
    common_name: Keys of Okta for Qlik Sense
    basic_constraints: ['CA:TRUE', 'pathlen:0']
    basic_constraints_critical: true
    key_usage: [keyCertSign]
    key_usage_critical: true
  register: request
  changed_when: false

- name: Create the certificate of the CA
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

- name: Read the signing keys of Entra ID through the company's web proxy, with long timeouts
  sensible.qlik.jwks_info:
    url: https://login.microsoftonline.com/acme.example.com/discovery/v2.0/keys
    http_proxy: http://proxy.example.com:3128
    connect_timeout: 20
    read_timeout: 60
    retries: 5

- name: Read the keys of a provider whose certificate is issued by the company's own CA
  sensible.qlik.jwks_info:
    url: https://login.acme.example.com/keys
    ca_path: company_ca.pem

- name: Read the keys with the text of the company's CA certificate
  sensible.qlik.jwks_info:
    url: https://login.acme.example.com/keys
    ca_content: "{{ lookup('ansible.builtin.file', 'company_ca.pem') }}"

- name: Read keys from a file
  sensible.qlik.jwks_info:
    path: jwks.json

- name: Read keys from another task's result, and issue certificates with a CA from the vault
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
    - The keys, sorted by C(kid) and C(thumbprint). The order of the provider has no meaning and is not preserved.
    - The same key can be listed under two names. To create one virtual proxy per key, use one entry per C(thumbprint).
  returned: success
  type: list
  elements: dict
  contains:
    kid:
      description: Name of the key in the header of tokens. The thumbprint if the provider publishes no name.
      type: str
      sample: 0oa1b2c3
    thumbprint:
      description: Thumbprint of the key (RFC 7638), the same wherever it is published. Null if it cannot be computed.
      type: str
      sample: NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs
    kty:
      description: The type of the key, such as V(RSA) or V(EC). Null if the provider does not publish it.
      type: str
      sample: RSA
    use:
      description: Purpose of the key, V(sig) or V(enc). Null if the provider does not publish it.
      type: str
      sample: sig
    algorithms:
      description:
        - The algorithm that the provider publishes for the key. For an RSA key for signatures without an algorithm, as
          published by Entra ID, the algorithms that Qlik Sense accepts.
      type: list
      elements: str
      sample: [RS256]
    key_size:
      description: Size of an RSA key in bits, otherwise null.
      type: int
      sample: 2048
    usable:
      description: Whether Qlik Sense can verify tokens of this key with RV(public_keys[].jwt_public_key_certificate).
      type: bool
      sample: true
    reasons:
      description: Reasons why the key is not usable, one sentence each.
      type: list
      elements: str
      sample: ["The key is for encryption (use: enc)."]
    warnings:
      description:
        - Unexpected properties of a key, usable or not, one sentence each. For usable keys, the task also shows them as
          warnings.
      type: list
      elements: str
      sample: []
    jwt_public_key_certificate:
      description: The certificate as PEM, for the option of that name. Null if the key is not usable.
      type: str
      sample: "-----BEGIN CERTIFICATE-----\nMIID...\n-----END CERTIFICATE-----\n"
    certificate_source:
      description: V(x5c) if the provider published the certificate, V(issued) if the CA of the options C(ownca_*)
        issued it, otherwise null.
      type: str
      sample: x5c
    certificate:
      description: Description of the certificate. Null if there is none.
      type: dict
      contains:
        subject:
          description: Subject of the certificate.
          type: str
          sample: CN=acme
        issuer:
          description: Issuer of the certificate.
          type: str
          sample: CN=acme
        not_before:
          description: Start of its validity, in UTC.
          type: str
          sample: '2026-11-01T00:00:00Z'
        not_after:
          description: End of its validity, in UTC.
          type: str
          sample: '2036-11-01T00:00:00Z'
        days_left:
          description: Days until it expires. Negative if it has expired.
          type: int
          sample: 3628
        fingerprint_sha256:
          description: SHA-256 of the certificate, as M(sensible.qlik.jwt_virtual_proxy) returns it.
          type: str
          sample: 5c2b0a7f3e9d4c1b8a6f5e4d3c2b1a0f9e8d7c6b5a4f3e2d1c0b9a8f7e6d5c4b
        key_size:
          description: Size of its key in bits.
          type: int
          sample: 2048
source:
  description: V(provider) if O(url) was read, otherwise V(path) or V(jwks).
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
        # Not those of the connection, because their environment variables are for the site.
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
    """Return the CA to issue certificates with, or None if no certificates are requested.

    Raises:
        InputError: it cannot be read or is not a CA.
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
        key: the key as it was read. A reason is added to the result if it has no certificate.
        issue: a function that returns a certificate for a public key.
    """
    pem, source, reasons = None, None, list(key.reasons)
    if not reasons and key.certificate is not None:
        pem, source = key.certificate, "x5c"
    elif not reasons and issue is not None:
        pem, source = issue(key.public_key), "issued"
    elif not reasons:
        if _jwks.OTHER_KEY in key.warnings:
            what = "The certificate in its x5c belongs to another key than its n and e"
        else:
            what = "The key has no certificate"
        reasons.append(f"{what}, and a virtual proxy requires one; see issue_certificates.")
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
            "The key set contains private keys. Every reader of the key set can sign tokens for any user: make the"
            " provider revoke these keys, and remove their certificates from all virtual proxies."
        )
    if not any(key["usable"] for key in public_keys):
        module.warn(f"None of the {len(keys)} keys is usable." if keys else "The key set is empty.")
    for result, key in zip(public_keys, keys, strict=True):
        for warning in result["warnings"] if result["usable"] else ():
            module.warn(f"Key {key.short_name}: {warning}")
    if authority is not None and authority.details["days_left"] < 0:
        module.warn(f"The certificate of the CA (ownca) expired at {authority.details['not_after']}.")
    if params["url"] is not None and not params["validate_certs"]:
        module.warn("The keys come from a server whose certificate was not verified.")
    return {"public_keys": public_keys, "source": source}


def main() -> None:
    module = QlikModule(
        argument_spec=argument_spec(),
        # A key set may contain private keys. It contains words such as RSA, which no_log would mask everywhere.
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
