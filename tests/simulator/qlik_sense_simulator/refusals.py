# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests that the repository refuses."""

from __future__ import annotations

# EVIDENCE(B; documentation of butler-sheet-icons): 403 and this sentence
XSRF_FAILED = "XSRF prevention check failed. Possible XSRF discovered."
# EVIDENCE(B; QlikSenseQMCUtility issue 34): 403 and this word
FORBIDDEN = "Forbidden"
# EVIDENCE(B; butler-sheet-icons, measured): these three texts for filters and query strings
CANNOT_PARSE = "Cannot parse the expression: {expression}"
INVALID_EXPRESSION = "Invalid expression"
MISSING_VALUE = "Missing parameter value(s)"


class RefusedError(Exception):
    """A request that gets a 4xx (or, by a switch, a 500).

    Args:
        status: the HTTP status.
        text: what the body says. INVENTED(switch=error_body) unless it is one of the sentences above.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


def bad(text: str) -> RefusedError:
    """A refusal of a body or query that is wrong."""
    # EVIDENCE(B; Qlik-Cli-Windows issues 90 and 163): 400 for bodies that are no proper entities
    # INVENTED(switch=none): the same status for every other mistake in a body, and all the texts
    return RefusedError(400, text)
