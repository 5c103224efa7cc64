# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The result of an authentication: an identity, or a refusal with its reason."""

from __future__ import annotations

import dataclasses
import typing as t
import uuid

# INVENTED(switch=none): an anonymous user is in the directory NONE, with a random id
ANONYMOUS_DIRECTORY = "NONE"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Identity:
    """A user as named by a token, a header, a ticket or the session API.

    Args:
        user_directory: the user directory, in the spelling of the caller.
        user_id: the user id, in the spelling of the caller.
        attributes: session attributes (name, value), names may repeat. They exist in the session only.
        by_token: whether the identity comes from a token.
    """

    user_directory: str
    user_id: str
    attributes: tuple[tuple[str, str], ...] = ()
    by_token: bool = dataclasses.field(default=False, compare=False)

    @classmethod
    def anonymous(cls) -> Identity:
        """Return a new identity for an anonymous user."""
        return cls(user_directory=ANONYMOUS_DIRECTORY, user_id=f"anonymous\\{uuid.uuid4()}")

    @property
    def is_anonymous(self) -> bool:
        """Return True for an anonymous user."""
        return self.user_directory == ANONYMOUS_DIRECTORY and self.user_id.startswith("anonymous\\")

    @property
    def key(self) -> tuple[str, str]:
        """Return the key under which spellings of the same user are equal."""
        # INVENTED(switch=none): user directory and user id are compared without regard to case
        return self.user_directory.casefold(), self.user_id.casefold()


@dataclasses.dataclass(frozen=True)
class Refusal:
    """The reason of a refusal, the second part of "Could not authenticate the request: ...".

    Args:
        reason: a sentence without anything that the caller sent.
    """

    reason: str


def is_text(value: object) -> t.TypeGuard[str]:
    """Return True for a string that can be displayed and stored. JSON allows NUL and lone surrogates."""
    if not isinstance(value, str) or "\0" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
