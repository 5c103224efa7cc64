# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Report each task that begins to the audit hook in sitecustomize."""

from __future__ import annotations

import sys
import typing as t

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: inject
type: aggregate
short_description: Say which task begins
version_added: 1.0.0
description: [For tests only.]
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "inject"

    def v2_playbook_on_task_start(self, task: t.Any, is_conditional: bool) -> None:
        sys.audit("inject.task", task.get_name().rpartition(" : ")[2])
