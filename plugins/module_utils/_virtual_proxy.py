# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""What a virtual proxy is, in two vocabularies: QRS entities and this collection's options. Pure, no I/O.

An option is the QRS field's name in snake_case, so the mapping between the two is a rule. What the rule cannot know
(numbers that mean words, entities that are meant by name) is said here once.
"""

from __future__ import annotations

import re
import typing as t

from ansible.module_utils.common.dict_transformations import camel_dict_to_snake_dict, snake_dict_to_camel_dict

from . import _certificate
from ._errors import InputError

Entity = dict[str, t.Any]  # as QRS returns it
Options = dict[str, t.Any]  # in the words of our options

JWT = 4  # authenticationMethod (Qlik QRS API reference, VirtualProxyConfig)

# Enumerations: the position is the number that QRS stores (Qlik QRS API reference, VirtualProxyConfig).
ENUMS: dict[str, tuple[str, ...]] = {
    "anonymous_access_mode": ("no_anonymous_user", "allow_anonymous", "always_anonymous"),
    "load_balancing_algorithm": ("round_robin", "memory_allocation"),
    "same_site_attribute_https": ("no_attribute", "none", "lax", "strict"),
    "same_site_attribute_http": ("no_attribute", "none", "lax", "strict"),
}
MAP_KEYS = ("jwt_attribute", "sense_attribute", "is_mandatory")

# Registered claims of RFC 7519: Qlik's article says that the names of the two claims must not be among them, and
# does not publish the list. "sub" is reported to work as a user id, so that one is only warned about.
RESERVED_CLAIMS = ("iss", "aud", "exp", "nbf", "iat", "jti")

# First path segments that Qlik Sense itself answers on a proxy. No list is published; these are the known ones.
RESERVED_PREFIXES = frozenset(
    (
        "api",
        "app",
        "appcontent",
        "content",
        "dev-hub",
        "engine",
        "extensions",
        "hub",
        "identity",
        "internal_forms_authentication",
        "internal_windows_authentication",
        "qlik-embed",
        "qmc",
        "qps",
        "qrs",
        "resources",
        "sense",
        "single",
        "tempcontent",
        "ttl",
    )
)


def argument_spec() -> dict[str, dict[str, t.Any]]:
    """The options of the doc fragment sensible.qlik.virtual_proxy."""

    def names(**more: t.Any) -> dict[str, t.Any]:
        return {"type": "list", "elements": "str", **more}

    text, flag = {"type": "str"}, {"type": "bool"}
    return {
        "prefix": {"type": "str", "required": True},
        "description": text,
        "session_inactivity_timeout": {"type": "int"},
        "session_cookie_header_name": text,
        "anonymous_access_mode": {"type": "str", "choices": list(ENUMS["anonymous_access_mode"])},
        "windows_authentication_enabled_device_pattern": text,
        # Public. But until it is known not to be a private key, pasted by mistake, it must not be logged.
        "jwt_public_key_certificate": {"type": "str", "no_log": True},
        "jwt_attribute_user_id": text,
        "jwt_attribute_user_directory": text,
        "jwt_attribute_map": {
            "type": "list",
            "elements": "dict",
            "options": {
                "jwt_attribute": {"type": "str", "required": True},
                "sense_attribute": {"type": "str", "required": True},
                "is_mandatory": {"type": "bool", "default": False},
            },
        },
        "jwt_audience": text,
        "load_balancing_server_nodes": names(),
        "use_sticky_load_balancing": flag,
        "load_balancing_algorithm": {"type": "str", "choices": list(ENUMS["load_balancing_algorithm"])},
        "enable_engine_saturation_check": flag,
        "enable_engine_health_check_data": flag,
        "authentication_module_redirect_uri": text,
        "session_module_base_uri": text,
        "load_balancing_module_base_uri": text,
        "extended_security_environment": flag,
        "session_cookie_domain": text,
        "session_cookie_custom_path": text,
        "has_secure_attribute_https": flag,
        "same_site_attribute_https": {"type": "str", "choices": list(ENUMS["same_site_attribute_https"])},
        "has_secure_attribute_http": flag,
        "same_site_attribute_http": {"type": "str", "choices": list(ENUMS["same_site_attribute_http"])},
        "additional_response_headers": text,
        "websocket_cross_origin_white_list": names(aliases=["host_allow_list"]),
        "tags": names(),
        "custom_properties": {"type": "dict"},
        "proxies": names(),
        "id": text,
        "certificate": {"type": "dict"},
    }


def reveal_certificate(pem: str | None, no_log_values: set[str]) -> None:
    """Let results show a certificate that the argument spec keeps out of logs; anything else stays hidden.

    Args:
        no_log_values: the set of that name of the AnsibleModule.
    """
    if _certificate.fingerprint(pem):
        no_log_values.discard(pem or "")


_SPEC = argument_spec()
# "id" and "certificate" are what a result says in addition; they are accepted so that a result can be fed back.
FIELDS = tuple(name for name in _SPEC if name not in ("proxies", "id", "certificate"))
QRS_NAMES = {name: next(iter(snake_dict_to_camel_dict({name: None}))) for name in FIELDS}
_LISTS = frozenset(name for name in FIELDS if _SPEC[name]["type"] == "list")
TEXTS = frozenset(name for name in FIELDS if _SPEC[name]["type"] == "str" and name not in ENUMS)


def to_options(entity: Entity) -> Options:
    """A virtual proxy as QRS returns it, in the words of our options (without its links)."""
    options: Options = {}
    for name, qrs_name in QRS_NAMES.items():
        if qrs_name in entity:
            options[name] = _read(name, entity[qrs_name])
    if "id" in entity:
        options["id"] = entity["id"]
    return options


def _read(name: str, value: t.Any) -> t.Any:
    if name in ENUMS:
        words = ENUMS[name]
        return words[value] if isinstance(value, int) and 0 <= value < len(words) else value
    if name in ("load_balancing_server_nodes", "tags"):
        return sorted((item["name"] for item in value or []), key=str.casefold)
    if name == "custom_properties":
        properties: dict[str, list[str]] = {}
        for item in value or []:
            properties.setdefault(item["definition"]["name"], []).append(item["value"])
        return {key: sorted(properties[key]) for key in sorted(properties)}
    if name == "jwt_attribute_map":
        items = [camel_dict_to_snake_dict(item) for item in value or []]
        return [{key: item[key] for key in MAP_KEYS} for item in items]
    if value is None:  # never set: releases differ between null, "" and absent
        return [] if name in _LISTS else (False if _SPEC[name]["type"] == "bool" else "")
    return value


def comparable(name: str, value: t.Any) -> t.Any:
    """The form in which two values of an option are equal if and only if they mean the same to Qlik."""
    if name == "jwt_public_key_certificate":
        return _certificate.fingerprint(value) or value.strip()
    if name == "jwt_attribute_map":
        return sorted(tuple(item[key] for key in MAP_KEYS) for item in value)
    if name == "custom_properties":
        return {key.casefold(): sorted(values) for key, values in value.items() if values}
    if name in _LISTS or name == "proxies":  # order means nothing, and neither does the case of a name
        return sorted({item.casefold() for item in value})
    if name == "additional_response_headers":
        return [line.strip() for line in value.splitlines() if line.strip()]
    if name == "prefix":
        return value.casefold()
    return value


def validated(declared: Options) -> tuple[Options, list[str]]:
    """A declared virtual proxy with everything checked that can be checked without a server.

    Args:
        declared: option values; an option that is None or absent is not managed.

    Returns:
        The options that are managed, normalised, and warnings.

    Raises:
        InputError: something cannot be right.
    """
    options = {name: value for name, value in declared.items() if value is not None}
    warnings: list[str] = []
    given = options["prefix"]
    options["prefix"] = _valid_prefix(given)
    tried = f"Tried to understand the virtual proxy '{options['prefix']}'."
    if given != options["prefix"]:
        warnings.append(
            f"The prefix {given!r} will be {options['prefix']!r}: Qlik Sense keeps prefixes in lower case, "
            "and tokens must be sent to that one."
        )
    if "custom_properties" in options:
        options["custom_properties"] = {
            str(name): [str(value) for value in (values if isinstance(values, list) else [values])]
            for name, values in options["custom_properties"].items()
        }
    for name in ("jwt_attribute_user_id", "jwt_attribute_user_directory"):
        if name in options:
            _check_claim_name(tried, name, options[name], warnings)
    for item in options.get("jwt_attribute_map", ()):
        _check_claim_name(tried, "jwt_attribute_map", item["jwt_attribute"], warnings)
    if "session_cookie_header_name" in options and not re.fullmatch(
        r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", options["session_cookie_header_name"]
    ):
        raise InputError(
            tried,
            f"session_cookie_header_name is {options['session_cookie_header_name']!r}, which is no cookie name.",
            f"Use letters, digits and hyphens, such as X-Qlik-Session-{options['prefix']}.",
        )
    if options.get("session_inactivity_timeout", 1) < 1:
        raise InputError(tried, "session_inactivity_timeout is below 1.", "Give the minutes, such as 30.")
    for host in options.get("websocket_cross_origin_white_list", ()):
        if not host or re.search(r"[/\s]", host) or (host.count(":") == 1 and not host.endswith(":")):
            raise InputError(
                tried,
                f"The host allow list holds {host!r}, which is not a host name.",
                "Give exact host names without scheme, port and path, such as portal.example.com.",
            )
    for line in options.get("additional_response_headers", "").splitlines():
        if line.strip() and not re.match(r"\s*[!#$%&'*+.^_`|~0-9A-Za-z-]+\s*:", line):
            raise InputError(
                tried,
                f"additional_response_headers holds the line {line!r}, which is no header.",
                "Give one 'Name: value' a line.",
            )
    if "jwt_public_key_certificate" in options:
        certificate = _certificate.require_rsa(options["jwt_public_key_certificate"])
        # Sent in the usual form, whatever a clipboard made of it: what QRS does to other forms is not known.
        options["jwt_public_key_certificate"] = _certificate.pem_of(options["jwt_public_key_certificate"])
        options["certificate"] = certificate
        if certificate["days_left"] < 0:
            warnings.append(
                f"The certificate of the virtual proxy '{options['prefix']}' expired on {certificate['not_after']}. "
                "Nothing documents that Qlik Sense refuses it, but do not count on it."
            )
    return options, warnings


def _valid_prefix(prefix: str) -> str:
    lower = prefix.lower()
    if not lower:
        outcome = "The prefix is empty, which means the default virtual proxy, and that one is out of bounds."
    elif not re.fullmatch(r"[a-z0-9._~-]+", lower) or lower in (".", ".."):
        outcome = f"The prefix {prefix!r} holds something else than letters, digits, '-', '.', '_' and '~'."
    elif lower in RESERVED_PREFIXES:
        outcome = f"The prefix {prefix!r} is one of the paths that Qlik Sense itself answers."
    else:
        return lower
    raise InputError("Tried to understand the prefix.", outcome, "Choose a prefix such as 'jwt' or 'portal'.")


def _check_claim_name(tried: str, option: str, claim: str, warnings: list[str]) -> None:
    if claim in RESERVED_CLAIMS:
        raise InputError(
            tried,
            f"{option} names the claim {claim!r}, which is reserved for the token itself (RFC 7519).",
            "Choose another claim, such as 'userId' or 'userDirectory'.",
        )
    if not claim.strip():
        raise InputError(tried, f"{option} is empty.", "Give the name of a claim, such as 'userId' or 'userDirectory'.")
    if claim == "sub":
        warnings.append(
            f"{option} names the claim 'sub'. It is reported to work, but Qlik's article asks for names which are not "
            "reserved for JSON Web Tokens."
        )


def described(options: Options) -> Options:
    """The virtual proxy with its certificate in words, as results show it."""
    if not options:
        return {}
    pem = options.get("jwt_public_key_certificate", "")
    try:
        certificate: t.Any = _certificate.inspect(pem) if pem else None
    except InputError:  # stored by somebody else, and no certificate
        certificate = None
    return {**options, "certificate": certificate}


def for_diff(options: Options) -> Options:
    """The virtual proxy as a diff shows it: with the certificate in one line, without what only results say."""
    shown = {name: value for name, value in options.items() if name not in ("id", "certificate")}
    certificate = described(options).get("certificate")
    if certificate:
        shown["jwt_public_key_certificate"] = (
            f"{certificate['subject']}, expires {certificate['not_after']}, SHA-256 {certificate['fingerprint_sha256']}"
        )
    return shown
