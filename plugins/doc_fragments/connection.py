# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """How to reach a site. The options are in module_utils/_connection.py."""

    # And how to sign in to its repository service.
    DOCUMENTATION = r"""
options:
  host:
    description:
      - Host name of the Qlik Sense server, without scheme and port.
      - With O(auth_method=certificate) the central node's name as its certificate carries it, usually the machine name.
      - If not set, the value of the environment variable E(QLIK_SENSE_HOST) is used.
    type: str
    required: true
  port:
    description:
      - Port of the repository service, or with O(auth_method=jwt) of the proxy.
      - The default is V(4242) for O(auth_method=certificate) and V(443) for O(auth_method=jwt).
      - If not set, the value of the environment variable E(QLIK_SENSE_PORT) is used.
    type: int
  auth_method:
    description:
      - How to sign in to the repository.
      - V(certificate) uses the client certificate that the QMC exports, directly on the repository's port. It can do
        everything, and it cannot be revoked singly; keep it in the safe.
      - V(jwt) uses a token through an existing JWT virtual proxy. The audit trail names a real user, who needs the
        role RootAdmin, or rights on C(VirtualProxyConfig) and C(ProxyService). The session is logged out at the end,
        which ends B(all) sessions of that user on that virtual proxy, so use a user of its own.
      - If not set, the value of the environment variable E(QLIK_SENSE_AUTH_METHOD) is used.
    type: str
    choices: [certificate, jwt]
    default: certificate
  client_cert:
    description:
      - Path of the client certificate, C(client.pem) as exported by the QMC in platform independent PEM format.
      - Required with O(auth_method=certificate).
      - If not set, the value of the environment variable E(QLIK_SENSE_CLIENT_CERT) is used.
    type: path
  client_key:
    description:
      - Path of the private key of O(client_cert), C(client_key.pem) as exported by the QMC.
      - Required with O(auth_method=certificate).
      - If not set, the value of the environment variable E(QLIK_SENSE_CLIENT_KEY) is used.
    type: path
  user:
    description:
      - With O(auth_method=certificate) the user to act as, in the form C(DIRECTORY\\user).
      - If not set, the value of the environment variable E(QLIK_SENSE_USER) is used.
    type: str
    default: INTERNAL\sa_api
  virtual_proxy_prefix:
    description:
      - Prefix of the JWT virtual proxy to sign in through. Required with O(auth_method=jwt).
      - If not set, the value of the environment variable E(QLIK_SENSE_VIRTUAL_PROXY_PREFIX) is used.
    type: str
  token:
    description:
      - The token to sign in with, without C(Bearer). Required with O(auth_method=jwt).
      - The lookup P(sensible.qlik.jwt#lookup) mints one.
      - If not set, the value of the environment variable E(QLIK_SENSE_TOKEN) is used.
    type: str
  retries:
    description:
      - How often a request is repeated after a connection error or an answer 429, 502, 503 or 504, with growing pauses
        and as the server's C(Retry-After) asks. A create is never repeated blindly, it is read back first.
      - If not set, the value of the environment variable E(QLIK_SENSE_RETRIES) is used.
    type: int
    default: 3
  retry_deadline:
    description:
      - Seconds after which a request is not repeated any more.
      - If not set, the value of the environment variable E(QLIK_SENSE_RETRY_DEADLINE) is used.
    type: float
    default: 120
"""

    # For everything that talks to the site over HTTPS.
    HTTPS = r"""
options:
  ca_path:
    description:
      - Path of the CA certificates to verify the server with, for Qlik's own certificates C(root.pem) as exported by
        the QMC.
      - Without it the bundle of the Python package C(certifi) is used, which does not know Qlik's own CA.
      - If not set, the value of the environment variable E(QLIK_SENSE_CA_PATH) is used.
    type: path
  validate_certs:
    description:
      - Whether to verify the server's certificate. Switch it off only to look for a fault.
      - If not set, the value of the environment variable E(QLIK_SENSE_VALIDATE_CERTS) is used.
    type: bool
    default: true
  connect_timeout:
    description:
      - Seconds to wait for a connection.
      - If not set, the value of the environment variable E(QLIK_SENSE_CONNECT_TIMEOUT) is used.
    type: float
    default: 10
  read_timeout:
    description:
      - Seconds to wait for an answer. A server that was idle can need twenty.
      - If not set, the value of the environment variable E(QLIK_SENSE_READ_TIMEOUT) is used.
    type: float
    default: 60
requirements:
  - requests >= 2.31
  - urllib3 >= 2.0
"""
