# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""Sanitize text from servers and sites before it is shown, and register secrets before they can be printed."""

from __future__ import annotations

import importlib
import re
import typing as t

EXCERPT = 200
"""Maximum number of characters of a server's text in a message."""

_SHORTEST_SECRET = 4  # characters; hiding shorter texts would make messages unreadable
# Every JWT begins with the base64 of '{"'.
_TOKEN_LIKE = re.compile(r"eyJ[\w-]{6,}(\.[\w-]*)*")


def sanitize(text: str, limit: int = EXCERPT, *, secrets: t.Iterable[str] = ()) -> str:
    """Return text of a server on one line of printable characters, without secrets and tokens.

    Args:
        text: of the server.
        limit: maximum number of characters of the result.
        secrets: texts to hide wherever they appear. Texts with fewer than four characters are not hidden.
    """
    for secret in sorted(filter(_can_be_hidden, secrets), key=len, reverse=True):
        text = text.replace(secret, "***")
    text = printable(_TOKEN_LIKE.sub("***", text))
    return text if len(text) <= limit else f"{text[: limit - 3].rstrip()}..."


def printable(text: str) -> str:
    """Return a text on one line, with blanks for non-printable characters such as the escape sequences of terminals."""
    return " ".join(_visible(text).split())


def sentences(*parts: str) -> str:
    """Return texts as one text, with a full stop before the next one where the end of a sentence is not marked.

    Empty texts are omitted. The last text does not change, because it may end with a command.
    """
    *texts, last = [text for text in map(str.strip, parts) if text] or [""]
    return " ".join([*(text if text.endswith((".", "!", "?", '."', ":")) else f"{text}." for text in texts), last])


def printable_data(value: t.Any) -> t.Any:
    """Return data with printable texts, for a report. Line breaks do not change."""
    if isinstance(value, dict):
        return {printable_data(name): printable_data(one) for name, one in value.items()}
    if isinstance(value, list):
        return list(map(printable_data, value))
    return "\n".join(map(_visible, value.split("\n"))) if isinstance(value, str) else value


def _visible(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)


def _can_be_hidden(secret: str) -> bool:
    return len(secret) >= _SHORTEST_SECRET


class Sanitizer:
    """Callable that sanitizes text with the known secrets.

    Args:
        secrets: texts to hide wherever they appear.
        private: texts to hide everywhere except in the name of a user.
    """

    def __init__(self, secrets: t.Iterable[str] = (), *, private: t.Iterable[str] = ()) -> None:
        self._secrets = set(secrets)
        self._private = set(private)

    def add(self, secrets: t.Iterable[str]) -> None:
        """Add further secrets."""
        self._secrets.update(secrets)

    def __call__(self, text: str, limit: int = EXCERPT, *, is_user: bool = False) -> str:
        return sanitize(text, limit, secrets=self._secrets | (set() if is_user else self._private))


def register_secrets(secrets: t.Iterable[t.Any]) -> bool:
    """Register secrets with ansible-core, which replaces them by a placeholder in all output of the run.

    Args:
        secrets: texts; None and empty texts are ignored.

    Returns:
        True if ansible-core supports it, as from 2.22 on.
    """
    try:
        core = importlib.import_module("ansible.module_utils.secrets")
    except ImportError:
        return False
    core.register_secrets([str(secret) for secret in secrets if secret])
    return True
