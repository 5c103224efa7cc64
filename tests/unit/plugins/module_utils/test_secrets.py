# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import sys

import pytest

from ansible_collections.sensible.qlik.plugins.module_utils import _text


def test_secrets_are_masked_where_core_supports_it() -> None:
    core = pytest.importorskip("ansible.module_utils.secrets", reason="ansible-core 2.22 introduced it")
    text = "the token is test_secrets.1 and the word is test_secrets.2"
    assert core.mask_secrets(text) == text
    assert _text.register_secrets(["test_secrets.1", None, "", "test_secrets.2"])
    assert core.mask_secrets(text) == "the token is $REDACTED$ and the word is $REDACTED$"


def test_secrets_are_not_registered_without_core_support(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ansible.module_utils.secrets", None)
    assert not _text.register_secrets(["test_secrets.3"])
