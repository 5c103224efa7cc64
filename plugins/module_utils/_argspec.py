# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""AnsibleModule with the rules for the options of all modules of this collection."""

from __future__ import annotations

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule, env_fallback

from ._content import holds_certificate, holds_private_key
from ._files import content_option, text_problem
from ._text import printable, register_secrets

Spec = t.Mapping[str, t.Mapping[str, t.Any]]

HIDDEN = "(not shown)"
"""Replaces a value that must not be shown."""

# Options for a certificate, by the end of their names. Any other text in them may be a key without its BEGIN line.
# Short texts are not keys, and masking them would mask parts of other words.
_CERTIFICATES = ("certificate", "cert_content", "ca_content")
_SHORTEST_KEY = 16
_REMEDY = "Remove it; if a certificate is expected, give only the certificate."


PEM_OPTIONS = ("client_cert", "client_key")
"""Options with a path that have an alternative option for the text."""

NEEDED: dict[str, tuple[str, ...]] = {
    "certificate": ("client_cert", "client_key"),
    "jwt": ("virtual_proxy_prefix", "token"),
    "ticket": ("client_cert", "client_key", "user"),
    "header": ("header_name", "user"),
    "ntlm": ("user", "password"),
    "session": ("session_cookie",),
}


class QlikModule(AnsibleModule):
    """AnsibleModule that keeps misplaced secrets out of logs and results.

    Text in an option for a path, and a private key in an option for something else, fail the module before
    AnsibleModule validates, logs or returns their values. Text in an option for a certificate that is not a certificate
    is masked. A path option and its content option are mutually exclusive, and the task takes precedence over the
    environment.

    Args:
        argument_spec: as for AnsibleModule.
        unlogged: names of options whose values may contain secrets among public data. A no_log would mask each part of
            such a value, and ansible-core 2.22 would do so in all output of the run.
        rules: further arguments of AnsibleModule.

    Attributes:
        unlogged: the values of these options, by name. The parameters contain HIDDEN in their place.
    """

    def __init__(
        self,
        argument_spec: dict[str, t.Any],
        *,
        unlogged: t.Collection[str] = (),
        **rules: t.Any,
    ) -> None:
        self._names_unlogged = unlogged
        self.unlogged: dict[str, t.Any] = {}
        self._problems: list[str] = []
        super().__init__(argument_spec=argument_spec, **rules)
        if self._problems:
            self.fail_json(msg="")

    def fail_json(self, msg: str, **result: t.Any) -> t.NoReturn:
        """Fail with the message, or with the misplaced values, because hiding them causes further problems."""
        super().fail_json(msg=" ".join(self._problems) or msg, **result)

    def warn(self, warning: str, **more: t.Any) -> None:
        """Warn on one line of printable characters, because warnings contain names of a site."""
        super().warn(printable(warning), **more)

    def _load_params(self) -> None:
        """Read the task's arguments, and hide values that must not be shown before they are processed."""
        super()._load_params()
        for name in self._names_unlogged:
            if self.params.get(name) is not None:
                self.unlogged[name], self.params[name] = self.params[name], HIDDEN
        self._problems = [
            *_use_one_source(self.argument_spec, self.params),
            *hide_misplaced(self.argument_spec, self.params, self._mask),
        ]

    def _mask(self, value: str) -> None:
        if value and not register_secrets([value]):
            self.no_log_values.add(value)


def path_pairs(spec: Spec) -> list[tuple[str, str]]:
    """Return the options of an argument spec for a path, each with the alternative option for the text."""
    return [
        (name, content_option(name))
        for name, rules in spec.items()
        if rules.get("type") == "path" and content_option(name) in spec
    ]


def environment_names(rules: t.Mapping[str, t.Any]) -> list[str]:
    """Return the names of the environment variables that are the fallback of an option."""
    return list(next(iter(rules.get("fallback", (None, []))[1:]), []))


def _use_one_source(spec: Spec, params: dict[str, t.Any]) -> list[str]:
    """Give the task precedence over the environment for a path and its content option, and return the problems."""
    problems = []
    for pair in path_pairs(spec):
        # An empty value counts as not set, so that a variable of a host can override one of its group.
        given = [name for name in pair if params.get(name)]
        for other in pair:
            # Without a value, it would get the value of its environment variable.
            if len(given) == 1 and other not in given and environment_names(spec[other]):
                params.setdefault(other, None)
        if not given:
            given = [name for one in pair for name in environment_names(spec[one]) if os.environ.get(name)]
        if len(given) > 1:
            problems.append(f"{given[0]} and {given[1]} are both set. Set one of them.")
    return problems


def hide_misplaced(spec: Spec, params: dict[str, t.Any], mask: t.Callable[[str], None]) -> list[str]:
    """Replace text in options for a path, and private keys in options for something else, and return the problems.

    Args:
        spec: the argument spec.
        params: the arguments of the task; changed in place.
        mask: a function that masks a value in logs and results, if the value stays in the arguments.
    """
    problems: list[str] = []
    for name, rules in spec.items():
        content = content_option(name)
        given = [key for key in (name, *rules.get("aliases", ())) if params.get(key) is not None]
        for key in given:
            alternative = content if content in spec else None
            found = misplaced(key, params[key], rules, mask, alternative=alternative)
            if found:
                params[key] = HIDDEN
                problems += found
        for variable in environment_names(rules) if name not in params else ():
            alternative = next(iter(environment_names(spec.get(content, {}))), None)
            found = misplaced(variable, os.environ.get(variable, ""), rules, mask, alternative=alternative)
            if found:
                params[name] = HIDDEN
                problems += found
    known = {key for name, rules in spec.items() for key in (name, *rules.get("aliases", ()))}
    # ansible-core also logs and returns unknown options.
    for key in [key for key in params if key not in known and not key.startswith("_ansible_")]:
        if found := misplaced(key, params[key], {}, mask):
            params[key] = HIDDEN
            problems += found
    return problems


def misplaced(
    name: str,
    value: t.Any,
    rules: t.Mapping[str, t.Any],
    mask: t.Callable[[str], None],
    *,
    alternative: str | None = None,
    base: str = "",
) -> list[str]:
    """Return the problems, as sentences, with a value that must not be shown.

    Args:
        name: the name of the option in messages.
        value: the value of the option.
        rules: the rules of the option in the argument spec.
        mask: as for hide_misplaced.
        alternative: the option for the text, if this one is for a path.
        base: as for text_kind.
    """
    if rules.get("type") == "path":
        if not isinstance(value, str):
            return [f"{name} must be the path of a file, not a {type(value).__name__}."]
        problem = text_problem(name, value, alternative=alternative, base=base)
        return [" ".join(problem)] if problem else []
    if isinstance(value, str):
        if rules.get("no_log"):
            # In a list or dictionary, ansible-core logs a text with escaped line breaks, and masks it only unescaped.
            mask(repr(value)[1:-1])
            return []
        if holds_private_key(value):
            return [f"{name} contains a private key, which is not allowed there. Nothing was sent. {_REMEDY}"]
        if name.lower().endswith(_CERTIFICATES) and len(value) >= _SHORTEST_KEY and not holds_certificate(value):
            mask(value)
        return []
    if rules.get("no_log") and rules.get("type", "str") == "str" and isinstance(value, (dict, list)):
        return [f"{name} must be text, not a {type(value).__name__}."]  # ansible-core would log it with its content
    if rules.get("no_log"):
        return []
    if isinstance(value, dict):
        options = rules.get("options") or {}
        found = [misplaced(f"{name}.{one}", below, options.get(one, {}), mask) for one, below in value.items()]
        if any(holds_private_key(str(one)) for one in value):
            return [f"{name} has a private key as the name of an entry. Nothing was sent. {_REMEDY}"]
        return [problem for problems in found for problem in problems]
    if isinstance(value, list):
        element = {**rules, "type": rules.get("elements")}
        found = [misplaced(f"{name}[{number}]", below, element, mask) for number, below in enumerate(value)]
        return [problem for problems in found for problem in problems]
    return []


def _env(name: str) -> tuple[t.Any, list[str]]:
    return (env_fallback, [f"QLIK_SENSE_{name}"])


def https_argument_spec() -> dict[str, dict[str, t.Any]]:
    """Return the options of the doc fragment sensible.qlik.connection.https."""
    return {
        "validate_certs": {"type": "bool", "default": True, "fallback": _env("VALIDATE_CERTS")},
        "connect_timeout": {"type": "float", "default": 10.0, "fallback": _env("CONNECT_TIMEOUT")},
        "read_timeout": {"type": "float", "default": 60.0, "fallback": _env("READ_TIMEOUT")},
    }


def client_certificate_argument_spec() -> dict[str, dict[str, t.Any]]:
    """Return the options of the doc fragment sensible.qlik.connection.client_certificate."""
    return {
        "client_cert": {"type": "path", "fallback": _env("CLIENT_CERT")},
        "client_cert_content": {"type": "str", "fallback": _env("CLIENT_CERT_CONTENT")},
        "client_key": {"type": "path", "no_log": False, "fallback": _env("CLIENT_KEY")},
        "client_key_content": {"type": "str", "no_log": True, "fallback": _env("CLIENT_KEY_CONTENT")},
        "client_key_passphrase": {"type": "str", "no_log": True, "fallback": _env("CLIENT_KEY_PASSPHRASE")},
    }


def ca_argument_spec() -> dict[str, dict[str, t.Any]]:
    """Return the options of the doc fragment sensible.qlik.connection.ca."""
    return {
        "ca_path": {"type": "path", "fallback": _env("CA_PATH")},
        "ca_content": {"type": "str", "fallback": _env("CA_CONTENT")},
    }


def proxy_ca_argument_spec() -> dict[str, dict[str, t.Any]]:
    """Return the options of the doc fragment sensible.qlik.connection.proxy_ca."""
    return {
        "proxy_ca_path": {"type": "path", "fallback": _env("PROXY_CA_PATH")},
        "proxy_ca_content": {"type": "str", "fallback": _env("PROXY_CA_CONTENT")},
    }


def connection_argument_spec(*, host_required: bool = True) -> dict[str, dict[str, t.Any]]:
    """Return the options of the doc fragments sensible.qlik.connection, its client_certificate, ca, proxy_ca and https.

    Args:
        host_required: False for modules of the action group that do not always need the repository.
    """
    return {
        "host": {"type": "list", "elements": "str", "required": host_required, "fallback": _env("HOST")},
        "port": {"type": "int", "fallback": _env("PORT")},
        "auth_method": {
            "type": "str",
            "choices": list(NEEDED),
            "default": "certificate",
            "fallback": _env("AUTH_METHOD"),
        },
        **client_certificate_argument_spec(),
        "user": {"type": "str", "fallback": _env("USER")},
        "password": {"type": "str", "no_log": True, "fallback": _env("PASSWORD")},
        "header_name": {"type": "str", "fallback": _env("HEADER_NAME")},
        "session_cookie": {"type": "str", "no_log": True, "fallback": _env("SESSION_COOKIE")},
        "qps_port": {"type": "int", "default": 4243, "fallback": _env("QPS_PORT")},
        "virtual_proxy_prefix": {"type": "str", "fallback": _env("VIRTUAL_PROXY_PREFIX")},
        "token": {"type": "str", "no_log": True, "fallback": _env("TOKEN")},
        "http_proxy": {"type": "str", "no_log": True, "fallback": _env("HTTP_PROXY")},
        "retries": {"type": "int", "default": 3, "fallback": _env("RETRIES")},
        "retry_deadline": {"type": "float", "default": 120.0, "fallback": _env("RETRY_DEADLINE")},
        **ca_argument_spec(),
        **proxy_ca_argument_spec(),
        **https_argument_spec(),
    }


# Without paths that can be given as text instead. They are checked when signing in.
REQUIRED_IF = [
    ("auth_method", method, tuple(name for name in needed if name not in PEM_OPTIONS))
    for method, needed in NEEDED.items()
]
