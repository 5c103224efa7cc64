# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import textwrap

_DEFAULT = "      default: false\n"
_ROWS = """  suboptions:
    jwt_attribute:
      description: Name of the claim, case-sensitive.
      type: str
      required: true
    sense_attribute:
      description: Name of the attribute in Qlik Sense.
      type: str
      required: true
    is_mandatory:
      description: Whether a token without this claim is refused.
      type: bool
"""

_SETTINGS = r"""
prefix:
  description:
    - The part of the URL that leads to this virtual proxy, as in C(https://qlik.example.com/jwt/hub). It is the key.
    - QMC label B(Prefix). Compared without regard to case and kept in lower case.
    - Letters, digits, C(-), C(.), C(_) and C(~). It cannot be empty, because that is the default virtual proxy, nor
      one of Qlik's own paths such as V(hub) or V(qrs).
  type: str
  required: true
state:
  description:
    - Whether the virtual proxy exists.
  type: str
  choices: [present, absent]
  default: present
description:
  description:
    - QMC label B(Description). A new virtual proxy gets its prefix when this is not given.
  type: str
session_inactivity_timeout:
  description:
    - Minutes without activity after which a session ends. QMC label B(Session inactivity timeout).
      Qlik's default is V(30).
  type: int
session_cookie_header_name:
  description:
    - Name of the session cookie, unique among a site's virtual proxies. QMC label B(Session cookie header name).
    - A new virtual proxy gets V(X-Qlik-Session-PREFIX) when this is not given.
  type: str
anonymous_access_mode:
  description:
    - Whether people may come in without signing in. QMC label B(Anonymous access mode).
  type: str
  choices: [no_anonymous_user, allow_anonymous, always_anonymous]
windows_authentication_enabled_device_pattern:
  description:
    - Part of a user agent's name that is offered Windows authentication. Of no effect for JWT; listed because each
      virtual proxy has it. QMC label B(Windows authentication pattern).
  type: str
authentication_method:
  description:
    - How users sign in. Only V(jwt) can be declared, and it need not be. The option is there so that a result can
      be fed back. QMC label B(Authentication method).
  type: str
  choices: [jwt]
jwt_public_key_certificate:
  description:
    - The X.509 certificate, as PEM text, whose private key signs the tokens. QMC label B(JWT certificate).
    - Exactly one certificate with an RSA key of at least 2048 bits; no chain, no bare public key and above all no
      private key, which is refused before anything is sent.
    - Compared by the SHA-256 of its DER form, so line endings do not matter.
    - Required for a new virtual proxy.
  type: str
jwt_attribute_user_id:
  description:
    - Name of the claim with the user id, case-sensitive. QMC label B(JWT attribute for user ID).
    - A new virtual proxy gets V(userId) when this is not given.
  type: str
jwt_attribute_user_directory:
  description:
    - Name of the claim with the user directory, case-sensitive, or a fixed directory in brackets such as V([ACME]).
      QMC label B(JWT attribute for user directory).
    - A new virtual proxy gets V(userDirectory) when this is not given.
  type: str
jwt_attribute_map:
  description:
    - Further claims that become attributes of the session, for security rules C(user.environment.NAME) and for
      section access. QMC label B(JWT attribute mapping).
    - A list given is the whole list; V([]) empties it.
  type: list
  elements: dict
ROWS
jwt_audience:
  description:
    - The audience (claim C(aud)) that tokens must name; empty for any. Releases of 2017 and 2018 do not have it.
  type: str
load_balancing_server_nodes:
  description:
    - Nodes, by name or host name, whose engines serve this virtual proxy. Without one, people can sign in but not
      open apps. QMC label B(Load balancing nodes).
  type: list
  elements: str
use_sticky_load_balancing:
  description: Whether a user stays on the engine of the first session. QMC label B(Sticky load balancing).
  type: bool
load_balancing_algorithm:
  description: How an engine is chosen. Releases before 2024 do not have it.
  type: str
  choices: [round_robin, memory_allocation]
enable_engine_saturation_check:
  description: Whether saturated engines are left out. Releases before 2024 do not have it.
  type: bool
enable_engine_health_check_data:
  description: Whether the engines' health data is taken into account. Releases before 2024 do not have it.
  type: bool
authentication_module_redirect_uri:
  description: URL of an authentication module. Of no effect for JWT; listed because each virtual proxy has it.
  type: str
session_module_base_uri:
  description: Base URL of a session module. QMC label B(Session module base URI).
  type: str
load_balancing_module_base_uri:
  description: Base URL of a load balancing module. QMC label B(Load balancing module base URI).
  type: str
extended_security_environment:
  description:
    - Whether operating system, device, browser and IP address become part of the security environment; a session then
      is not shared between devices. QMC label B(Extended security environment).
  type: bool
session_cookie_domain:
  description: Domain of the session cookie; empty for the host name used. QMC label B(Session cookie domain).
  type: str
session_cookie_custom_path:
  description: Path of the session cookie. Only the releases of 2025 and later have it.
  type: str
has_secure_attribute_https:
  description:
    - Whether the session cookie has the attribute Secure over HTTPS. QMC label B(Has secure attribute) for https.
  type: bool
same_site_attribute_https:
  description:
    - SameSite attribute of the session cookie over HTTPS. In an iframe of another site a cookie needs V(none)
      together with C(has_secure_attribute_https=true). QMC label B(SameSite attribute) for https.
  type: str
  choices: [no_attribute, none, lax, strict]
has_secure_attribute_http:
  description:
    - Whether the session cookie has the attribute Secure over HTTP. QMC label B(Has secure attribute) for http.
  type: bool
same_site_attribute_http:
  description: SameSite attribute of the session cookie over HTTP. QMC label B(SameSite attribute) for http.
  type: str
  choices: [no_attribute, none, lax, strict]
additional_response_headers:
  description:
    - "Headers that the proxy adds to each answer, one C(Name: value) a line. QMC label
      B(Additional response headers)."
  type: str
websocket_cross_origin_white_list:
  description:
    - Host names from which the virtual proxy may be used, exact, without scheme, port and path. QMC label
      B(Host allow list).
    - A list given is the whole list; V([]) empties it. The options that change single entries are named after the
      alias, C(host_allow_list_add) and C(host_allow_list_remove).
  type: list
  elements: str
  aliases: [host_allow_list]
tags:
  description:
    - Names of existing tags. A list given is the whole list; V([]) removes all.
  type: list
  elements: str
custom_properties:
  description:
    - Values of existing custom properties, by name; a value or a list of values. What is given is the whole set;
      V({}) removes all.
  type: dict
proxies:
  description:
    - Nodes, by name or host name, whose proxies answer for this virtual proxy (the links). Without a link nobody can
      reach it; in a site of several nodes one to the central node's proxy is needed for any of them.
    - A list given is the whole list; V([]) unlinks it everywhere. Other virtual proxies' links are never touched.
  type: list
  elements: str
allow_non_jwt:
  description:
    - Whether a virtual proxy with that prefix may be converted or removed although its authentication method is not
      JWT. Its users then cannot sign in as before.
  type: bool
  default: false
id:
  description: Id that a result shows. Accepted so that a result can be fed back, otherwise without effect.
  type: str
certificate:
  description:
    - Description of the certificate that a result shows. Accepted so that a result can be fed back, otherwise without
      effect.
  type: dict
"""

_CHANGES = """{name}_add:
  description:
    - Entries that C({name}) must hold. Its other entries stay as they are, so that several teams can share the list.
    - {entry}
    - Mutually exclusive with C({name}).
  type: list
  elements: {elements}
{rows}{name}_remove:
  description:
    - Entries that C({name}) must not hold. Its other entries stay as they are. An entry that is unknown on the site is
      ignored.
    - {entry}
    - Mutually exclusive with C({name}).
  type: list
  elements: {elements}
{rows}"""
_NODE = "Nodes by name or host name."
_TEXT = "Compared without regard to case."
_ROW = (
    "An entry is identified by C(jwt_attribute) and C(sense_attribute) together. When it is added without\n"
    "      C(is_mandatory), one that the list holds keeps it, and a new one is not mandatory. When it is removed,\n"
    "      C(is_mandatory) has no effect."
)

_OPTIONS = _SETTINGS.replace("ROWS\n", _ROWS + _DEFAULT) + "".join(
    _CHANGES.format(name=name, entry=entry, elements="dict" if rows else "str", rows=rows)
    for name, entry, rows in (
        ("host_allow_list", _TEXT, ""),
        ("jwt_attribute_map", _ROW, _ROWS),
        ("load_balancing_server_nodes", _NODE, ""),
        ("proxies", _NODE, ""),
        ("tags", "Names of existing tags, compared without regard to case.", ""),
    )
)

_REQUIREMENTS = """
requirements:
  - cryptography >= 42
"""


class ModuleDocFragment:
    """A JWT virtual proxy as options of a module, or as elements of a list: see module_utils/_virtual_proxy."""

    # With types: ansible-test's yamllint takes each plain assignment for a literal.
    DOCUMENTATION: str = "options:" + textwrap.indent(_OPTIONS, "  ") + _REQUIREMENTS

    LIST: str = (
        r"""
options:
  virtual_proxies:
    description:
      - The virtual proxies, with the options of M(sensible.qlik.jwt_virtual_proxy). What RV(virtual_proxies) of this
        module or of M(sensible.qlik.virtual_proxy_info) says can stand here.
    type: list
    elements: dict
    required: true
    suboptions:"""
        + textwrap.indent(_OPTIONS, "      ")
        + _REQUIREMENTS
    )
