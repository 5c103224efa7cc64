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

from .._errors import InputError
from .._keys import certificate as _certificate

Entity = dict[str, t.Any]  # as QRS returns it
Options = dict[str, t.Any]  # in the words of our options

# Enumerations: the position is the number that QRS stores (Qlik QRS API reference, VirtualProxyConfig).
ENUMS: dict[str, tuple[str, ...]] = {
    "anonymous_access_mode": ("no_anonymous_user", "allow_anonymous", "always_anonymous"),
    "authentication_method": (
        "ticket",
        "header_static_user_directory",
        "header_dynamic_user_directory",
        "saml",
        "jwt",
        "oidc",
    ),
    "load_balancing_algorithm": ("round_robin", "memory_allocation"),
    "same_site_attribute_https": ("no_attribute", "none", "lax", "strict"),
    "same_site_attribute_http": ("no_attribute", "none", "lax", "strict"),
}
JWT = ENUMS["authentication_method"].index("jwt")
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
    """The options of one virtual proxy, as in the doc fragment sensible.qlik.virtual_proxy."""

    def names(**more: t.Any) -> dict[str, t.Any]:
        return {"type": "list", "elements": "str", **more}

    text, flag = {"type": "str"}, {"type": "bool"}
    return {
        "prefix": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "description": text,
        "session_inactivity_timeout": {"type": "int"},
        "session_cookie_header_name": text,
        "anonymous_access_mode": {"type": "str", "choices": list(ENUMS["anonymous_access_mode"])},
        "windows_authentication_enabled_device_pattern": text,
        "authentication_method": {"type": "str", "choices": ["jwt"]},
        # Public. QlikModule hides a private key that was pasted by mistake.
        "jwt_public_key_certificate": {"type": "str", "no_log": False},
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
        "allow_non_jwt": {"type": "bool", "default": False},
        "id": text,
        "certificate": {"type": "dict"},
    }


_SPEC = argument_spec()
# No fields of the entity. "id" and "certificate" are what a result says in addition.
_BESIDES = ("state", "proxies", "allow_non_jwt", "id", "certificate")
FIELDS = tuple(name for name in _SPEC if name not in _BESIDES)
QRS_NAMES = {name: next(iter(snake_dict_to_camel_dict({name: None}))) for name in FIELDS}
_LISTS = frozenset(name for name in FIELDS if _SPEC[name]["type"] == "list")
TEXTS = tuple(name for name in FIELDS if _SPEC[name]["type"] == "str" and name not in ENUMS)


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
    if name == "jwt_public_key_certificate" and _certificate.is_private_key(value or ""):
        return ""  # somebody has pasted the wrong file into the QMC; it must not travel any further
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


def normalised(declared: Options) -> tuple[Options, list[str]]:
    """A declared JWT virtual proxy in the form in which it is compared and sent.

    What only matters where it is written is left to require_valid: what a site holds already can be fed back, whoever
    has put it there.

    Args:
        declared: option values; an option that is None or absent is not managed.

    Returns:
        The options that are managed, and warnings.

    Raises:
        InputError: the default virtual proxy is meant, or there is a private key where the certificate belongs.
    """
    options = {name: value for name, value in declared.items() if value is not None}
    warnings: list[str] = []
    given = options["prefix"]
    options["prefix"] = given.lower()
    options["authentication_method"] = "jwt"
    if not given:
        raise InputError(
            "Tried to understand the prefix.",
            "The prefix is empty, which means the default virtual proxy, and that one is out of bounds.",
            "Choose a prefix such as 'jwt' or 'portal'.",
        )
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
    pem = options.get("jwt_public_key_certificate")
    if pem:
        _certificate.refuse_private_key(pem)
        if _certificate.fingerprint(pem):
            # Sent in the usual form, whatever a clipboard made of it: what QRS does to other forms is not known.
            options["jwt_public_key_certificate"] = _certificate.pem_of(pem)
    warnings += [
        f"{name} names the claim 'sub'. It is reported to work, but Qlik's article asks for names which are not "
        "reserved for JSON Web Tokens."
        for name in ("jwt_attribute_user_id", "jwt_attribute_user_directory")
        if options.get(name) == "sub"
    ]
    return options, warnings


def expiry_warning(virtual_proxy: Options) -> str | None:
    """What to say about the certificate of a described virtual proxy when it has expired."""
    certificate = virtual_proxy.get("certificate")
    if not certificate or certificate["days_left"] >= 0:
        return None
    return (
        f"The certificate of the virtual proxy '{virtual_proxy['prefix']}' expired on {certificate['not_after']}. "
        "Nothing documents that Qlik Sense refuses it, but do not count on it."
    )


def require_valid(tried: str, options: Options) -> None:
    """Insist that values can be right which are about to be written.

    Args:
        tried: the sentence that says what was attempted.
        options: normalised, and only those that will be written.

    Raises:
        InputError: one cannot be right.
    """
    if "prefix" in options:
        _check_prefix(options["prefix"])
    for name in ("jwt_attribute_user_id", "jwt_attribute_user_directory"):
        if name in options:
            _check_claim_name(tried, name, options[name])
    for item in options.get("jwt_attribute_map", ()):
        _check_claim_name(tried, "jwt_attribute_map", item["jwt_attribute"])
    if "session_cookie_header_name" in options and not re.fullmatch(
        r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", options["session_cookie_header_name"]
    ):
        raise InputError(
            tried,
            f"session_cookie_header_name is {options['session_cookie_header_name']!r}, which is no cookie name.",
            "Use letters, digits and hyphens, such as X-Qlik-Session-portal.",
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
        _certificate.require_rsa(options["jwt_public_key_certificate"])


def _check_prefix(prefix: str) -> None:
    if not re.fullmatch(r"[a-z0-9._~-]+", prefix) or prefix in (".", ".."):
        outcome = f"The prefix {prefix!r} holds something else than letters, digits, '-', '.', '_' and '~'."
    elif prefix in RESERVED_PREFIXES:
        outcome = f"The prefix {prefix!r} is one of the paths that Qlik Sense itself answers."
    else:
        return
    raise InputError("Tried to understand the prefix.", outcome, "Choose a prefix such as 'jwt' or 'portal'.")


def _check_claim_name(tried: str, option: str, claim: str) -> None:
    if claim in RESERVED_CLAIMS:
        raise InputError(
            tried,
            f"{option} names the claim {claim!r}, which is reserved for the token itself (RFC 7519).",
            "Choose another claim, such as 'userId' or 'userDirectory'.",
        )
    if not claim.strip():
        raise InputError(tried, f"{option} is empty.", "Give the name of a claim, such as 'userId' or 'userDirectory'.")


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
