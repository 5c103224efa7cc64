# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find a secret in a text, in each form in which a program may print it."""

from __future__ import annotations

import base64
import json
import re
import urllib.parse

_SHORTEST = 10
# A JWT whose three parts are all there, and a session cookie of a simulated site.
_TOKEN = re.compile(r"eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{40,}")
_COOKIE = re.compile(r"X-Qlik-Session[\w-]*[=\"': ]+[0-9a-f]{8}-[0-9a-f]{4}-")


def found(secret: str, text: str) -> list[str]:
    """Return the forms of a secret that a text holds: parts of its lines, also encoded."""
    lines = [line for line in re.split(r"\\n|\n", secret) if "-----" not in line and not line.startswith("$ANSIBLE")]
    # A private key begins with its public half, which is in the certificate as well.
    lines = lines[len(lines) * 2 // 5 :]
    parts = {line[start : start + 16] for line in lines for start in (0, 16, len(line) // 2)}
    parts = {part for part in parts if len(part) >= min(_SHORTEST, len(secret))}
    assert parts
    # Base64 depends on where in a text the secret begins: three shifts.
    half = secret[len(secret) // 2 :].encode()
    encoded = {base64.b64encode(half[shift:]).decode()[:24].rstrip("=")[:-1] for shift in range(3)}
    encoded = {form for form in encoded if len(form) >= _SHORTEST}
    forms = parts | encoded
    forms |= {urllib.parse.quote(part, safe="") for part in parts} | {json.dumps(part)[1:-1] for part in parts}
    return sorted(form for form in forms if form in text)


def tokens(text: str) -> list[str]:
    """Return the tokens in a text, shortened."""
    return [token[:20] for token in _TOKEN.findall(text)]


def cookies(text: str) -> list[str]:
    """Return the session cookies in a text, shortened."""
    return [cookie[:40] for cookie in _COOKIE.findall(text)]
