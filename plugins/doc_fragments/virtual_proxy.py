# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import textwrap

_DEFAULT = "      default: false\n"
_UNSET = "If not set, it is not managed, and a new virtual proxy gets the value that Qlik Sense chooses."
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
    - The part of the URL that selects this virtual proxy, such as V(jwt) in C(https://qlik.example.com/jwt/hub). It
      identifies the virtual proxy.
    - QMC label B(Prefix). Compared without regard to case and stored in lower case.
    - Letters, digits, C(-), C(.), C(_) and C(~) are allowed. The empty prefix is refused, because it is that of the
      default virtual proxy. Paths of Qlik Sense itself, such as V(hub) and V(qrs), are refused as well.
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
    - Description of the virtual proxy. QMC label B(Description). The default for a new virtual proxy is its prefix.
    - Notes at its end with which P(sensible.qlik.key_rotation#role) stores the state of a rotation are kept.
  type: str
session_inactivity_timeout:
  description:
    - Minutes without activity after which a session ends. QMC label B(Session inactivity timeout).
      Qlik's default is V(30).
    - UNSET
  type: int
session_cookie_header_name:
  description:
    - Name of the session cookie, unique among a site's virtual proxies. QMC label B(Session cookie header name).
    - The default for a new virtual proxy is V(X-Qlik-Session-PREFIX).
  type: str
anonymous_access_mode:
  description:
    - Whether unauthenticated requests are allowed. QMC label B(Anonymous access mode).
    - UNSET
  type: str
  choices: [no_anonymous_user, allow_anonymous, always_anonymous]
windows_authentication_enabled_device_pattern:
  description:
    - Text in the C(User-Agent) of clients that are offered Windows authentication. It has no effect for JWT and is
      listed because each virtual proxy has it. QMC label B(Windows authentication pattern).
    - UNSET
  type: str
authentication_method:
  description:
    - How users sign in. Only V(jwt) is accepted, which is also the default for a new virtual proxy. The option exists
      so that a result can be used as input. QMC label B(Authentication method).
  type: str
  choices: [jwt]
jwt_public_key_certificate:
  description:
    - The X.509 certificate, as PEM text, whose private key signs the tokens. QMC label B(JWT certificate).
    - It must be exactly one certificate with an RSA key of at least 2048 bits, and not a chain or a bare public key. A
      private key is refused before anything is sent.
    - Compared by the SHA-256 of its DER form, so line endings do not matter.
    - Required for a new virtual proxy.
    - A result has V(null) if the field contains a private key or another text that must not be shown. As input, it does
      not change the field.
  type: str
jwt_attribute_user_id:
  description:
    - Name of the claim with the user id, case-sensitive. QMC label B(JWT attribute for user ID).
    - The default for a new virtual proxy is V(userId).
  type: str
jwt_attribute_user_directory:
  description:
    - Name of the claim with the user directory, case-sensitive, or a fixed directory in brackets such as V([ACME]).
      QMC label B(JWT attribute for user directory).
    - The default for a new virtual proxy is V(userDirectory).
  type: str
jwt_attribute_map:
  description:
    - Further claims that become attributes of the session, for security rules C(user.environment.NAME) and for
      section access. QMC label B(JWT attribute mapping).
    - The list replaces the current list. V([]) empties it.
    - UNSET
  type: list
  elements: dict
ROWS
jwt_audience:
  description:
    - The audience (claim C(aud)) that tokens must name. If it is empty, any audience is accepted. Releases of 2017 and
      2018 do not have it.
    - UNSET
  type: str
load_balancing_server_nodes:
  description:
    - Nodes, by name or host name, whose engines serve this virtual proxy. Without such a node, users can sign in but
      cannot open apps. QMC label B(Load balancing nodes).
    - UNSET
  type: list
  elements: str
use_sticky_load_balancing:
  description:
    - Whether all sessions of a user use the engine of the first session. QMC label B(Sticky load balancing).
    - UNSET
  type: bool
load_balancing_algorithm:
  description:
    - How an engine is chosen. Releases before 2024 do not have it.
    - UNSET
  type: str
  choices: [round_robin, memory_allocation]
enable_engine_saturation_check:
  description:
    - Whether saturated engines are omitted when an engine is chosen. Releases before 2024 do not have it.
    - UNSET
  type: bool
enable_engine_health_check_data:
  description:
    - Whether the health data of the engines is used to choose an engine. Releases before 2024 do not have it.
    - UNSET
  type: bool
authentication_module_redirect_uri:
  description:
    - URL of an authentication module. It has no effect for JWT and is listed because each virtual proxy has it.
    - UNSET
  type: str
session_module_base_uri:
  description:
    - Base URL of a session module. QMC label B(Session module base URI).
    - UNSET
  type: str
load_balancing_module_base_uri:
  description:
    - Base URL of a load balancing module. QMC label B(Load balancing module base URI).
    - UNSET
  type: str
extended_security_environment:
  description:
    - Whether operating system, device, browser and IP address become part of the security environment. If so, a session
      is not shared between devices. QMC label B(Extended security environment).
    - UNSET
  type: bool
session_cookie_domain:
  description:
    - Domain of the session cookie. If it is empty, the host name of the request is used. QMC label B(Session cookie
      domain).
    - UNSET
  type: str
session_cookie_custom_path:
  description:
    - Path of the session cookie. Only releases of 2025 and later have it.
    - UNSET
  type: str
has_secure_attribute_https:
  description:
    - Whether the session cookie has the attribute Secure over HTTPS. QMC label B(Has secure attribute) for https.
    - UNSET
  type: bool
same_site_attribute_https:
  description:
    - SameSite attribute of the session cookie over HTTPS. In an iframe of another site, the cookie requires V(none)
      together with C(has_secure_attribute_https=true). QMC label B(SameSite attribute) for https.
    - UNSET
  type: str
  choices: [no_attribute, none, lax, strict]
has_secure_attribute_http:
  description:
    - Whether the session cookie has the attribute Secure over HTTP. QMC label B(Has secure attribute) for http.
    - UNSET
  type: bool
same_site_attribute_http:
  description:
    - SameSite attribute of the session cookie over HTTP. QMC label B(SameSite attribute) for http.
    - UNSET
  type: str
  choices: [no_attribute, none, lax, strict]
additional_response_headers:
  description:
    - "Headers that the proxy adds to each response, one C(Name: value) per line. QMC label
      B(Additional response headers)."
    - A dictionary of names and values, or a list of such lines, is converted to this text, which results contain.
    - UNSET
  type: raw
websocket_cross_origin_white_list:
  description:
    - Exact host names from which the virtual proxy may be used. QMC label B(Host allow list).
    - A scheme, a port or a wildcard causes a warning, because such an entry may have no effect.
    - The list replaces the current list. V([]) empties it. The options that change single entries are named after the
      alias, C(host_allow_list_add) and C(host_allow_list_remove).
    - UNSET
  type: list
  elements: str
  aliases: [host_allow_list]
tags:
  description:
    - Names of existing tags. The list replaces the current list. V([]) removes all tags.
    - UNSET
  type: list
  elements: str
custom_properties:
  description:
    - Values of existing custom properties by name, each a value or a list of values. They replace all current values.
      V({}) removes all values.
    - UNSET
  type: dict
proxies:
  description:
    - Nodes, by name or host name, to whose proxies this virtual proxy is linked. Without a link users cannot reach it.
      On a site with several nodes, the links work only if one of them is the link to the proxy of the central node.
    - The list replaces the current links. V([]) removes all of them. Links of other virtual proxies never change.
    - UNSET
  type: list
  elements: str
allow_non_jwt:
  description:
    - Whether a virtual proxy with another authentication method than JWT may be converted to JWT, or removed. After
      that, its users cannot sign in with the former method.
  type: bool
  default: false
id:
  description: Id that a result contains. It is accepted so that a result can be used as input, and has no effect.
  type: str
certificate:
  description:
    - Description of the certificate that a result contains, of the first one if there are several. It is accepted so
      that a result can be used as input, and has no effect.
  type: dict
"""

_CHANGES = """{name}_add:
  description:
    - Entries that C({name}) must contain. Its other entries do not change, so that several teams can share the list.
    - {entry}
    - Mutually exclusive with C({name}). If not set, no entry is added.
  type: list
  elements: {elements}
{rows}{name}_remove:
  description:
    - Entries that C({name}) must not contain. Its other entries do not change. An entry that is unknown on the site is
      ignored.
    - {entry}
    - Mutually exclusive with C({name}). If not set, no entry is removed.
  type: list
  elements: {elements}
{rows}"""
_NODE = "Nodes by name or host name."
_TEXT = "Compared without regard to case."
_ROW = (
    "An entry is identified by C(jwt_attribute) and C(sense_attribute) together. When it is added without\n"
    "      C(is_mandatory), an existing entry keeps its value, and a new one is not mandatory. When it is removed,\n"
    "      C(is_mandatory) has no effect."
)

_OPTIONS = _SETTINGS.replace("ROWS\n", _ROWS + _DEFAULT).replace("UNSET\n", f"{_UNSET}\n") + "".join(
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
    """Options for a JWT virtual proxy, directly or as elements of a list. See module_utils/_virtual_proxy."""

    # With types, because ansible-test's yamllint assumes that each plain assignment is a literal.
    DOCUMENTATION: str = "options:" + textwrap.indent(_OPTIONS, "  ") + _REQUIREMENTS

    LIST: str = (
        r"""
options:
  virtual_proxies:
    description:
      - The virtual proxies, with the options of M(sensible.qlik.jwt_virtual_proxy). RV(virtual_proxies) of this module
        and of M(sensible.qlik.virtual_proxy_info) can be used as a value.
    type: list
    elements: dict
    required: true
    suboptions:"""
        + textwrap.indent(_OPTIONS, "      ")
        + _REQUIREMENTS
    )
