# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Options for the connection to a site. Their argument spec is in module_utils/_argspec.py."""

    # The connection to the repository service.
    DOCUMENTATION = r"""
options:
  host:
    description:
      - Host name of the Qlik Sense server, without scheme and port.
      - With O(auth_method=certificate), use the central node's name as it is in its certificate, usually the machine
        name.
      - If the central node can fail over, give its name and those of the failover candidates. They are tried in this
        order, and the first one that answers is used.
      - A host does not answer if its name is unknown, no TLS connection can be established, or no answer arrives within
        O(read_timeout). Everything else is an answer, for example an untrusted certificate or a refusal, and no other
        host is tried in that case.
      - After the first write request, the task contacts no other host.
      - If not set, the value of the environment variable E(QLIK_SENSE_HOST) is used. Several names are separated by
        commas.
    type: list
    elements: str
    required: true
  port:
    description:
      - Port of the repository service with O(auth_method=certificate), otherwise port of the proxy.
      - The default is V(4242) for O(auth_method=certificate) and V(443) for all others.
      - If not set, the value of the environment variable E(QLIK_SENSE_PORT) is used.
    type: int
  auth_method:
    description:
      - How to sign in to the repository.
      - V(certificate) and V(ticket) need O(client_cert) and O(client_key), or O(client_cert_content) and
        O(client_key_content).
      - V(certificate) uses the client certificate that the QMC exports, directly on the repository's port. Every holder
        of this certificate can act as any user without restrictions, and a single certificate cannot be revoked. Store
        it securely, and use it only if no other method is possible.
      - All other methods use a virtual proxy on the port of the users. The audit trail names a real user. This user
        needs the role RootAdmin, or rights on C(VirtualProxyConfig) and C(ProxyService); without them nothing can be
        written.
      - V(jwt) uses a token, through an existing JWT virtual proxy. It needs no certificate and no password, and a token
        expires. It is recommended for everyday work.
      - V(ntlm) uses a Windows user name and password, through a virtual proxy with the authentication method Ticket and
        Windows authentication, such as the default one. It can create the first JWT virtual proxy of a site without
        the client certificate. It needs the Python package C(pyspnego), and the algorithms MD4, MD5 and RC4, which
        are not allowed in FIPS mode.
      - V(header) sends the name of the user in a header, through an existing header virtual proxy. Such a virtual proxy
        accepts any user name from every client that can reach it, so users must not be able to reach it.
      - V(ticket) requests a ticket for the user from the proxy's own API on O(qps_port), which requires the client
        certificate as well, and uses it through a virtual proxy with the authentication method Ticket. It is for sites
        where the repository's port is closed.
      - V(session) uses an existing session of any virtual proxy, for example one that was started by a portal or in a
        browser. It is not logged out.
      - Sessions of the other methods are logged out at the end. This ends B(all) sessions of that user on that virtual
        proxy, so use a dedicated user.
      - If not set, the value of the environment variable E(QLIK_SENSE_AUTH_METHOD) is used.
    type: str
    choices: [certificate, jwt, ticket, header, ntlm, session]
    default: certificate
  user:
    description:
      - The user to act as, in the form V(DIRECTORY\\user).
      - Required with O(auth_method=ticket), O(auth_method=header) and O(auth_method=ntlm). With
        O(auth_method=certificate) the default is V(INTERNAL\\sa_api).
      - With O(auth_method=header), this is the value of the header, in the form that the virtual proxy requires. If the
        virtual proxy has a static user directory, it is the user id alone.
      - With O(auth_method=ntlm), this is the Windows user, in the form V(DOMAIN\\user).
      - If not set, the value of the environment variable E(QLIK_SENSE_USER) is used.
    type: str
  password:
    description:
      - The Windows password of O(user). Required with O(auth_method=ntlm).
      - If not set, the value of the environment variable E(QLIK_SENSE_PASSWORD) is used.
    type: str
  header_name:
    description:
      - Name of the header from which the virtual proxy reads the user. Required with O(auth_method=header).
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
      - Port of the proxy's own API (QPS). It is used with O(auth_method=ticket), and for QPS addresses without a port.
      - If not set, the value of the environment variable E(QLIK_SENSE_QPS_PORT) is used.
    type: int
    default: 4243
  virtual_proxy_prefix:
    description:
      - Prefix of the virtual proxy to sign in through. Required with O(auth_method=jwt).
      - The other methods that use a virtual proxy use the default virtual proxy, which has no prefix, if this is not
        set.
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
        is used for the repository, the proxies and their own API (QPS). It cannot contain a user and a password.
      - The proxy variables of the environment, such as E(HTTPS_PROXY), are ignored.
      - If not set, the value of the environment variable E(QLIK_SENSE_HTTP_PROXY) is used.
    type: str
  retries:
    description:
      - Number of times that a request is repeated after a connection error or an answer with the status 429, 502, 503
        or 504. The pauses grow up to 20 seconds, unless the server requests another pause with C(Retry-After). A create
        request is repeated only after the site has been read and the object does not exist.
      - With several values of O(host), the next host is tried immediately after a connection error. If none of them
        answers, all of them are tried again up to this number of times.
      - If not set, the value of the environment variable E(QLIK_SENSE_RETRIES) is used.
    type: int
    default: 3
  retry_deadline:
    description:
      - Seconds after which a request is no longer repeated. With several values of O(host), this limit applies to the
        requests to each host, and to the time in which all hosts are tried again.
      - If not set, the value of the environment variable E(QLIK_SENSE_RETRY_DEADLINE) is used.
    type: float
    default: 120
requirements:
  - pyspnego >= 0.11, with O(auth_method=ntlm)
"""

    # For plugins that use the client certificate of the site.
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
      - The decrypted key is held in memory, in the same way as the text of O(client_key_content).
      - If not set, the value of the environment variable E(QLIK_SENSE_CLIENT_KEY_PASSPHRASE) is used.
    type: str
requirements:
  - cryptography >= 42, with O(client_key_passphrase)
"""

    # For plugins that connect to the repository or to the QPS, whose certificates are issued by Qlik's own CA.
    CA = r"""
options:
  ca_path:
    description:
      - Path of the CA certificates that verify the repository (port 4242) and the proxy's own API (QPS, port 4243),
        which is C(root.pem) as exported by the QMC.
      - It does not verify the proxies.
      - If neither this nor O(ca_content) is set, the value of the environment variable E(QLIK_SENSE_CA_PATH) is used.
      - If none of them is set, the CA certificates of the Python package C(certifi) are used, which do not include
        Qlik's own CA.
    type: path
  ca_content:
    description:
      - The text of the CA certificates, instead of O(ca_path).
      - If neither this nor O(ca_path) is set, the value of the environment variable E(QLIK_SENSE_CA_CONTENT) is used.
    type: str
"""

    # For plugins that connect to the proxies on the port of the users.
    PROXY_CA = r"""
options:
  proxy_ca_path:
    description:
      - Path of the CA certificates that verify the proxies (port 443), such as those of the company.
      - Set it to C(root.pem) as exported by the QMC if the proxies have no certificate of their own in the QMC.
      - If neither this nor O(proxy_ca_content) is set, the value of the environment variable
        E(QLIK_SENSE_PROXY_CA_PATH) is used.
      - If none of them is set, the CA certificates of the Python package C(certifi) are used, which verify proxies with
        a certificate of a public CA. The CA certificates for the repository are never used.
    type: path
  proxy_ca_content:
    description:
      - The text of the CA certificates, instead of O(proxy_ca_path).
      - If neither this nor O(proxy_ca_path) is set, the value of the environment variable
        E(QLIK_SENSE_PROXY_CA_CONTENT) is used.
    type: str
"""

    # For plugins that connect to the site over HTTPS.
    HTTPS = r"""
options:
  validate_certs:
    description:
      - Whether to verify the server's certificate. Disable it only for troubleshooting.
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
      - Seconds for a request and its whole answer, once the connection is established. After this time the connection
        is closed, even if the server is still sending.
      - A server that was idle can need 20 seconds.
      - If not set, the value of the environment variable E(QLIK_SENSE_READ_TIMEOUT) is used.
    type: float
    default: 60
requirements:
  - urllib3 >= 2.6.3
  - certifi
  - idna, for host names with non-ASCII characters
"""

    # For plugins, in addition to the options above: the environment variables. A module has them in its argument spec.
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
