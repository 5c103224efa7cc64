# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""AnsibleModule with the rules that hold for the options of all modules of this collection."""

from __future__ import annotations

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule

from . import _secrets
from ._files import content_option, holds_certificate, holds_private_key, text_problem

Spec = t.Mapping[str, t.Mapping[str, t.Any]]

HIDDEN = "(not shown)"
"""What takes the place of a value that must not be shown."""

# Options for a certificate, by the end of their names. Anything else in them may be a key without its BEGIN line. Short
# texts are none, and to mask them would mask parts of other words.
_CERTIFICATES = ("certificate", "cert_content", "ca_content")
_SHORTEST_KEY = 16
_REMEDY = "Remove it; where a certificate is expected, give the certificate alone."


class QlikModule(AnsibleModule):
    """AnsibleModule that keeps misplaced secrets out of logs and results.

    An option that takes a path and was given text, and a private key in an option that is not meant for one, fail the
    module before AnsibleModule validates, logs or returns their values. Text that is no certificate in an option for
    one is masked. A path and its content option exclude each
    other; what the task gives wins over the environment.

    Args:
        argument_spec: as for AnsibleModule.
        new_files: names of options with files that may not exist yet.
        unlogged: names of options whose values may hold secrets among much that is public. A no_log would hide each
            part of such a value, and ansible-core 2.22 would do so in all output of the run.
        rules: further arguments of AnsibleModule.

    Attributes:
        unlogged: the values of these options, by name. The parameters hold HIDDEN in their place.
    """

    def __init__(
        self,
        argument_spec: dict[str, t.Any],
        *,
        new_files: t.Collection[str] = (),
        unlogged: t.Collection[str] = (),
        **rules: t.Any,
    ) -> None:
        self._new_files = new_files
        self._names_unlogged = unlogged
        self.unlogged: dict[str, t.Any] = {}
        self._problems: list[str] = []
        super().__init__(argument_spec=argument_spec, **rules)
        if self._problems:
            self.fail_json(msg="")

    def fail_json(self, msg: str, **result: t.Any) -> t.NoReturn:
        """Fail with the misplaced values, which come first, and the message."""
        super().fail_json(msg=" ".join(filter(None, [*self._problems, msg])), **result)

    def _load_params(self) -> None:
        """Read the task's arguments, and hide what must not be shown before anything else sees them."""
        super()._load_params()
        for name in self._names_unlogged:
            if self.params.get(name) is not None:
                self.unlogged[name], self.params[name] = self.params[name], HIDDEN
        self._problems = [
            *_use_one_source(self.argument_spec, self.params),
            *hide_misplaced(self.argument_spec, self.params, self._mask, new_files=self._new_files),
        ]

    def _mask(self, value: str) -> None:
        if not _secrets.register([value]):
            self.no_log_values.add(value)


def path_pairs(spec: Spec) -> list[tuple[str, str]]:
    """Return the options of an argument spec that take a path, each with the option that takes the text instead."""
    return [
        (name, content_option(name))
        for name, rules in spec.items()
        if rules.get("type") == "path" and content_option(name) in spec
    ]


def environment_names(rules: t.Mapping[str, t.Any]) -> list[str]:
    """Return the environment variables that an option falls back to."""
    return list(next(iter(rules.get("fallback", (None, []))[1:]), []))


def _use_one_source(spec: Spec, params: dict[str, t.Any]) -> list[str]:
    """Let the task win over the environment for a path and its content option. Returns what is wrong, in sentences."""
    problems = []
    for pair in path_pairs(spec):
        # An empty value sets nothing, so that a variable of a host can take back one of its group.
        given = [name for name in pair if params.get(name)]
        for other in pair:
            # Without a value of its own, it would take the value of its environment variable.
            if len(given) == 1 and other not in given and environment_names(spec[other]):
                params.setdefault(other, None)
        if not given:
            given = [name for one in pair for name in environment_names(spec[one]) if os.environ.get(name)]
        if len(given) > 1:
            problems.append(f"{given[0]} and {given[1]} are both set. Set one of them.")
    return problems


def hide_misplaced(
    spec: Spec, params: dict[str, t.Any], mask: t.Callable[[str], None], *, new_files: t.Collection[str] = ()
) -> list[str]:
    """Replace text in options that take a path, and private keys where none belongs. Returns sentences to report.

    Args:
        spec: the argument spec.
        params: the arguments as the task gave them; changed in place.
        mask: keeps a value that stays in the arguments out of logs and results.
        new_files: as for QlikModule.
    """
    problems: list[str] = []
    for name, rules in spec.items():
        for key in (name, *rules.get("aliases", ())):
            if params.get(key) is not None:
                problems += _hide(params, key, key, rules, mask, spec, new_files)
        if rules.get("type") == "path" and name not in params:
            for variable in environment_names(rules):
                alternative = next(iter(environment_names(spec.get(content_option(name), {}))), None)
                problem = text_problem(variable, os.environ.get(variable, ""), alternative=alternative)
                if problem:
                    params[name] = HIDDEN
                    problems.append(" ".join(problem))
    return problems


def _hide(
    container: t.Any,
    key: t.Any,
    name: str,
    rules: t.Mapping[str, t.Any],
    mask: t.Callable[[str], None],
    spec: Spec | None = None,
    new_files: t.Collection[str] = (),
) -> list[str]:
    """Check container[key], which the messages call by the name."""
    value = container[key]
    problem: tuple[str, str] | None = None
    if rules.get("type") == "path" and isinstance(value, str):
        alternative = content_option(name) if content_option(name) in (spec or ()) else None
        problem = text_problem(name, value, alternative=alternative, new=name in new_files)
    elif rules.get("no_log"):
        pass
    elif isinstance(value, str):
        if holds_private_key(value):
            problem = f"{name} holds a private key, which does not belong there. Nothing was sent.", _REMEDY
        elif name.endswith(_CERTIFICATES) and len(value) >= _SHORTEST_KEY and not holds_certificate(value):
            mask(value)
    elif isinstance(value, dict):
        options = rules.get("options") or {}
        found = [_hide(value, one, f"{name}.{one}", options.get(one, {}), mask) for one in list(value)]
        return [problem for problems in found for problem in problems]
    elif isinstance(value, list):
        found = [
            _hide(value, number, f"{name}[{number}]", {**rules, "type": rules.get("elements")}, mask)
            for number in range(len(value))
        ]
        return [problem for problems in found for problem in problems]
    if problem is None:
        return []
    container[key] = HIDDEN
    return [" ".join(problem)]
