# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sites on which users cannot log in: the expected outcome is the right diagnosis."""

from __future__ import annotations

# Sites on which users cannot log in, by prefix: the check that fails, and a part of its diagnosis.
DEVIATIONS: dict[str, dict[str, tuple[str, str]]] = {
    # The virtual proxy "special" uses both; "plain" does not.
    "bracket_constant: false": {"special": ("login", "Try a claim instead of the fixed directory [EXAMPLE]")},
    "reserved_claims_work: false": {"special": ("login", "Try another claim than 'sub'")},
    # The user was not created before.
    "unknown_user: refuse": dict.fromkeys(("plain", "special"), ("login", "the user is unknown or blocked")),
    # A setting that the site does not enforce: the login works, and a check must report the setting.
    "host_allow_list: off": {"plain": ("host_allow_list", "not on the host allow list")},
    "own_host_names: listed": {"plain": ("login", "is missing in its host allow list")},
    "missing_mandatory_attribute: ignore": {"special": ("incomplete_token", "has not applied jwt_attribute_map yet")},
    "enforce_audience: false": {"special": ("wrong_audience_token", "does not enforce it")},
    # Without a license the hub opens, and no app.
    **dict.fromkeys(
        ("access_pass: false", "access_pass_notice: websocket", "websocket_refusal: session_state"),
        dict.fromkeys(("plain", "special"), ("websocket", "license")),
    ),
}
