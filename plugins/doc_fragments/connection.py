# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """How to reach a site. The options are in module_utils/_http/client.py."""

    # And how to sign in to its repository service.
    DOCUMENTATION = r"""
options:
  host:
    description:
      - Host name of the Qlik Sense server, without scheme and port.
      - With O(auth_method=certificate) the central node's name as its certificate carries it, usually the machine name.
      - Where the central node can fail over, give its name and those of the failover candidates. They are tried in this
        order, and the first one that answers is used.
      - A host does not answer if its name is unknown, no TLS connection comes about, or nothing comes back within
        O(read_timeout). Everything else is an answer, for example an untrusted certificate or a refusal, and no other
        host is tried then.
      - From the first write request on, the task contacts no other host.
      - If not set, the value of the environment variable E(QLIK_SENSE_HOST) is used, one name or several with commas
        between them.
    type: list
    elements: str
    required: true
  port:
    description:
      - Port of the repository service with O(auth_method=certificate), else of the proxy.
      - The default is V(4242) for O(auth_method=certificate) and V(443) for all others.
      - If not set, the value of the environment variable E(QLIK_SENSE_PORT) is used.
    type: int
  auth_method:
    description:
      - How to sign in to the repository.
      - V(certificate) and V(ticket) need O(client_cert) and O(client_key), or their texts.
      - V(certificate) uses the client certificate that the QMC exports, directly on the repository's port. Whoever has
        it can act as any user and do everything, and it cannot be revoked singly. So keep it in the safe, and use it
        only where there is no other way in.
      - All others go through a virtual proxy on the port of the users. The audit trail names a real user, who needs the
        role RootAdmin, or rights on C(VirtualProxyConfig) and C(ProxyService); without them nothing can be written.
      - V(jwt) uses a token, through an existing JWT virtual proxy. It needs no certificate and no password, and a token
        expires; this is the way for everyday work.
      - V(ntlm) uses a Windows user name and password, through a virtual proxy with the authentication method Ticket and
        Windows authentication, such as the default one. It is the way to the first JWT virtual proxy of a site without
        the client certificate. It needs the Python package C(pyspnego), and the algorithms MD4, MD5 and RC4, which
        are not allowed in FIPS mode.
      - V(header) names the user in a header, through an existing header virtual proxy. Such a virtual proxy believes
        everybody who can reach it, so it has to be out of the reach of users.
      - V(ticket) gets a ticket for the user from the proxy's own API on O(qps_port), which wants the client certificate
        as well, and uses it through a virtual proxy with the authentication method Ticket. It is for sites where the
        repository's port is closed.
      - V(session) uses a session that exists already, of whatever virtual proxy, as a portal or a person at a browser
        began it. It is not logged out.
      - Every other session is logged out at the end, which ends B(all) sessions of that user on that virtual proxy, so
        use a user of its own.
      - If not set, the value of the environment variable E(QLIK_SENSE_AUTH_METHOD) is used.
    type: str
    choices: [certificate, jwt, ticket, header, ntlm, session]
    default: certificate
  user:
    description:
      - The user to act as, in the form V(DIRECTORY\\user).
      - Required with O(auth_method=ticket), O(auth_method=header) and O(auth_method=ntlm). With
        O(auth_method=certificate) the default is V(INTERNAL\\sa_api).
      - With O(auth_method=header) the value of the header, in the form that the virtual proxy wants; that is the user
        id alone where it has a static user directory.
      - With O(auth_method=ntlm) the Windows user, in the form V(DOMAIN\\user).
      - If not set, the value of the environment variable E(QLIK_SENSE_USER) is used.
    type: str
  password:
    description:
      - The Windows password of O(user). Required with O(auth_method=ntlm).
      - If not set, the value of the environment variable E(QLIK_SENSE_PASSWORD) is used.
    type: str
  header_name:
    description:
      - Name of the header that the virtual proxy reads the user from. Required with O(auth_method=header).
      - If not set, the value of the environment variable E(QLIK_SENSE_HEADER_NAME) is used.
    type: str
  session_cookie:
    description:
      - The cookie of the session, as C(NAME=VALUE), for instance C(X-Qlik-Session=...). Required with
        O(auth_method=session).
      - If not set, the value of the environment variable E(QLIK_SENSE_SESSION_COOKIE) is used.
    type: str
  qps_port:
    description:
      - Port of the proxy's own API (QPS), with O(auth_method=ticket), and for addresses of it that have no port.
      - If not set, the value of the environment variable E(QLIK_SENSE_QPS_PORT) is used.
    type: int
    default: 4243
  virtual_proxy_prefix:
    description:
      - Prefix of the virtual proxy to sign in through. Required with O(auth_method=jwt).
      - With the other ways through a virtual proxy it is the default one, which has no prefix, if this is not set.
      - If not set, the value of the environment variable E(QLIK_SENSE_VIRTUAL_PROXY_PREFIX) is used.
    type: str
  token:
    description:
      - The token to sign in with, without C(Bearer). Required with O(auth_method=jwt).
      - The lookup P(sensible.qlik.jwt#lookup) mints one.
      - If not set, the value of the environment variable E(QLIK_SENSE_TOKEN) is used.
    type: str
  http_proxy:
    description:
      - Address of the web proxy that this machine needs to reach the site, such as V(http://proxy.example.com:3128). It
        is used for the repository, the proxies and their own API (QPS). It cannot have a user and a password.
      - The proxy variables of the environment, such as E(HTTPS_PROXY), are ignored.
      - If not set, the value of the environment variable E(QLIK_SENSE_HTTP_PROXY) is used.
    type: str
  retries:
    description:
      - How often a request is repeated after a connection error or an answer 429, 502, 503 or 504, with growing pauses
        and as the server's C(Retry-After) asks. A create is never repeated blindly, it is read back first.
      - With several values of O(host), a connection error leads to the next host at once. If none of them answers, all
        of them are tried again this often.
      - If not set, the value of the environment variable E(QLIK_SENSE_RETRIES) is used.
    type: int
    default: 3
  retry_deadline:
    description:
      - Seconds after which a request is not repeated any more. With several values of O(host), they are counted on each
        host, and for all of them together before they are tried again.
      - If not set, the value of the environment variable E(QLIK_SENSE_RETRY_DEADLINE) is used.
    type: float
    default: 120
requirements:
  - pyspnego >= 0.11, with O(auth_method=ntlm)
"""

    # For everything that uses the client certificate of the site.
    CLIENT_CERTIFICATE = r"""
options:
  client_cert:
    description:
      - Path of the client certificate, C(client.pem) as exported by the QMC in platform independent PEM format.
      - If neither this nor O(client_cert_content) is set, the value of the environment variable
        E(QLIK_SENSE_CLIENT_CERT) is used.
    type: path
  client_cert_content:
    description:
      - The text of the client certificate, instead of O(client_cert).
      - If neither this nor O(client_cert) is set, the value of the environment variable
        E(QLIK_SENSE_CLIENT_CERT_CONTENT) is used.
    type: str
  client_key:
    description:
      - Path of the private key of the client certificate, C(client_key.pem) as exported by the QMC.
      - A file that is encrypted with Ansible Vault cannot be read here. Give its text as O(client_key_content).
      - A warning is shown if other users may read or write the file.
      - If neither this nor O(client_key_content) is set, the value of the environment variable
        E(QLIK_SENSE_CLIENT_KEY) is used.
    type: path
  client_key_content:
    description:
      - The text of the private key of the client certificate, instead of O(client_key), for example from a variable
        that Ansible Vault encrypts.
      - It is held in memory. Where the system has no memory files (C(memfd_create)), it is in a temporary file with
        mode 0600 while the task runs.
      - If neither this nor O(client_key) is set, the value of the environment variable
        E(QLIK_SENSE_CLIENT_KEY_CONTENT) is used.
    type: str
  client_key_passphrase:
    description:
      - The passphrase of the private key of the client certificate, if it has one.
      - The key without its passphrase is held in memory, as the text of O(client_key_content) is.
      - If not set, the value of the environment variable E(QLIK_SENSE_CLIENT_KEY_PASSPHRASE) is used.
    type: str
requirements:
  - cryptography >= 42, with O(client_key_passphrase)
"""

    # For everything that talks to the repository or to the QPS, which have certificates of Qlik's own authority.
    CA = r"""
options:
  ca_path:
    description:
      - Path of the CA certificates that verify the repository (port 4242) and the proxy's own API (QPS, port 4243),
        which is C(root.pem) as exported by the QMC.
      - It does not verify the proxies.
      - If neither it nor the environment variable is set, the CA certificates of the Python package C(certifi) are
        used, which do not include Qlik's own CA.
      - If neither this nor O(ca_content) is set, the value of the environment variable E(QLIK_SENSE_CA_PATH) is used.
    type: path
  ca_content:
    description:
      - The text of the CA certificates, instead of O(ca_path).
      - If neither this nor O(ca_path) is set, the value of the environment variable E(QLIK_SENSE_CA_CONTENT) is used.
    type: str
"""

    # For everything that talks to the proxies on the port of the users.
    PROXY_CA = r"""
options:
  proxy_ca_path:
    description:
      - Path of the CA certificates that verify the proxies (port 443), such as those of the company.
      - If neither it nor the environment variable is set, the CA certificates of the Python package C(certifi) are
        used, which fit proxies with a certificate of a public CA. The CA certificates for the repository are never
        used.
      - Set it to C(root.pem) as exported by the QMC where the proxies have no certificate of their own in the QMC.
      - If neither this nor O(proxy_ca_content) is set, the value of the environment variable
        E(QLIK_SENSE_PROXY_CA_PATH) is used.
    type: path
  proxy_ca_content:
    description:
      - The text of the CA certificates, instead of O(proxy_ca_path).
      - If neither this nor O(proxy_ca_path) is set, the value of the environment variable
        E(QLIK_SENSE_PROXY_CA_CONTENT) is used.
    type: str
"""

    # For everything that talks to the site over HTTPS.
    HTTPS = r"""
options:
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
      - Seconds for a request and its whole answer, once the connection stands. Then the connection is closed, also if
        the server still sends.
      - A server that was idle can need twenty.
      - If not set, the value of the environment variable E(QLIK_SENSE_READ_TIMEOUT) is used.
    type: float
    default: 60
requirements:
  - urllib3 >= 2.6.3
  - certifi
  - idna, for host names with other letters than those of ASCII
"""

    # For plugins, on top of those above: where else their values come from. A module has that in its argument spec.
    PLUGINS = r"""
options:
  host:
    env:
      - name: QLIK_SENSE_HOST
  port:
    env:
      - name: QLIK_SENSE_PORT
  auth_method:
    env:
      - name: QLIK_SENSE_AUTH_METHOD
  client_cert:
    env:
      - name: QLIK_SENSE_CLIENT_CERT
  client_cert_content:
    env:
      - name: QLIK_SENSE_CLIENT_CERT_CONTENT
  client_key:
    env:
      - name: QLIK_SENSE_CLIENT_KEY
  client_key_content:
    env:
      - name: QLIK_SENSE_CLIENT_KEY_CONTENT
  client_key_passphrase:
    env:
      - name: QLIK_SENSE_CLIENT_KEY_PASSPHRASE
  user:
    env:
      - name: QLIK_SENSE_USER
  password:
    env:
      - name: QLIK_SENSE_PASSWORD
  header_name:
    env:
      - name: QLIK_SENSE_HEADER_NAME
  session_cookie:
    env:
      - name: QLIK_SENSE_SESSION_COOKIE
  qps_port:
    env:
      - name: QLIK_SENSE_QPS_PORT
  virtual_proxy_prefix:
    env:
      - name: QLIK_SENSE_VIRTUAL_PROXY_PREFIX
  token:
    env:
      - name: QLIK_SENSE_TOKEN
  http_proxy:
    env:
      - name: QLIK_SENSE_HTTP_PROXY
  retries:
    env:
      - name: QLIK_SENSE_RETRIES
  retry_deadline:
    env:
      - name: QLIK_SENSE_RETRY_DEADLINE
  ca_path:
    env:
      - name: QLIK_SENSE_CA_PATH
  ca_content:
    env:
      - name: QLIK_SENSE_CA_CONTENT
  proxy_ca_path:
    env:
      - name: QLIK_SENSE_PROXY_CA_PATH
  proxy_ca_content:
    env:
      - name: QLIK_SENSE_PROXY_CA_CONTENT
  validate_certs:
    env:
      - name: QLIK_SENSE_VALIDATE_CERTS
  connect_timeout:
    env:
      - name: QLIK_SENSE_CONNECT_TIMEOUT
  read_timeout:
    env:
      - name: QLIK_SENSE_READ_TIMEOUT
"""
