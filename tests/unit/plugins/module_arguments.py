# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run modules in the test's process, in the same way with all releases of ansible-core."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import typing as t

import pytest
from ansible.module_utils import basic
from ansible.module_utils.common.parameters import PASS_VARS

try:
    from ansible.module_utils.testing import patch_module_args as _patch_module_args
except ImportError:  # ansible-core before 2.18

    @contextlib.contextmanager
    def _patch_module_args(args: dict[str, t.Any] | None = None) -> t.Iterator[None]:
        basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": args}).encode()
        try:
            yield
        finally:
            basic._ANSIBLE_ARGS = None


_SECRETS = "ansible.module_utils.secrets"
core_secrets = importlib.import_module(_SECRETS) if importlib.util.find_spec(_SECRETS) else None


def patch_module_args(args: dict[str, t.Any]) -> t.ContextManager[None]:
    """Give arguments to the module that runs in this context. Its result holds its invocation."""
    # From ansible-core 2.21 on, modules return it only if they are asked to.
    asked = {"_ansible_inject_invocation": True} if "inject_invocation" in PASS_VARS else {}
    return _patch_module_args({**args, **asked})


def capture_log(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that receives what modules write to the log of the system."""
    logged: list[str] = []
    core = getattr(basic, "_logging", None)
    if core is not None:  # from ansible-core 2.22 on
        monkeypatch.setattr(core, "log_to_system", lambda msg, **more: logged.append(f"{msg} {more['log_args']}"))
    else:
        monkeypatch.setattr(basic.AnsibleModule, "_log_to_syslog", lambda self, msg: logged.append(msg))
        monkeypatch.setattr(basic, "has_journal", False)
    return logged


def displayed(output: str) -> str:
    """Return what Ansible displays of a module's output.

    From ansible-core 2.22 on, a module names its secrets to the controller, which masks them.
    """
    if core_secrets is None:
        return output
    result = json.loads(output)
    result.pop("_ansible_new_secrets", None)
    return str(core_secrets.mask_secrets(json.dumps(result)))


__all__ = ["capture_log", "displayed", "patch_module_args"]
