# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Call methods of qsAPI as requested on standard input.

The first line of input is its configuration; every other line is a call, [method, ...arguments], and gets a line of
output: {"result": ...} or {"error": "..."}. Methods with a dot are those of its driver, which returns responses.
"""

from __future__ import annotations

import json
import platform
import sys
import typing as t

import qsAPI  # type: ignore[import-untyped]


def main() -> None:
    client: t.Any = None
    for line in sys.stdin:
        name, *values = json.loads(line)
        answer: dict[str, t.Any]
        try:
            if name == "configure":
                client = qsAPI.QRS(**values[0])
                answer = {"result": f"Python {platform.python_version()}"}
            elif name.startswith("driver."):
                response = getattr(client.driver, name.partition(".")[2])(*values)
                is_json = response.headers.get("Content-Type", "").startswith("application/json")
                body = response.json() if is_json else response.text
                answer = {"result": {"status": response.status_code, "body": body}}
            else:
                answer = {"result": getattr(client, name)(*values)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


main()
