# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests that the repository refuses."""

from __future__ import annotations

# EVIDENCE(B; documentation of butler-sheet-icons): the text for a wrong xrfkey is "XSRF prevention check failed.
# Possible XSRF discovered."
XSRF_FAILED = "XSRF prevention check failed. Possible XSRF discovered."
# EVIDENCE(B; QlikSenseQMCUtility issue 34): the text for a missing permission is "Forbidden"
FORBIDDEN = "Forbidden"
# EVIDENCE(B; butler-sheet-icons, measured): the texts for wrong filters and query strings are "Cannot parse the
# expression: ...", "Invalid expression" and "Missing parameter value(s)"
CANNOT_PARSE = "Cannot parse the expression: {expression}"
INVALID_EXPRESSION = "Invalid expression"
MISSING_VALUE = "Missing parameter value(s)"


class RefusedError(Exception):
    """A request that is answered with a 4xx status (or, by a switch, with 500).

    Args:
        status: the HTTP status.
        text: the text of the body.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


def bad(text: str) -> RefusedError:
    """Return the refusal of a wrong body or query."""
    # EVIDENCE(B; Qlik-Cli-Windows issues 90 and 163): bodies that are no proper entities are 400
    # INVENTED(switch=none): every other error in a body is 400, too; the texts are not published
    return RefusedError(400, text)
