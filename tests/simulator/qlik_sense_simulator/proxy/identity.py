# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who a caller is, as a proxy sees it: known, or refused for a reason."""

from __future__ import annotations

import dataclasses
import typing as t
import uuid

# INVENTED(switch=none): an anonymous visitor is in the directory NONE, with a random id
ANONYMOUS_DIRECTORY = "NONE"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Identity:
    """A user as named by a token, a header, a ticket or the session API.

    Args:
        user_directory: the user directory, as the caller spelt it.
        user_id: the user id, as the caller spelt it.
        attributes: session attributes (name, value), names may repeat. They live in the session only.
        by_token: whether a token named it.
    """

    user_directory: str
    user_id: str
    attributes: tuple[tuple[str, str], ...] = ()
    by_token: bool = dataclasses.field(default=False, compare=False)

    @classmethod
    def anonymous(cls) -> Identity:
        """A visitor without a name."""
        return cls(user_directory=ANONYMOUS_DIRECTORY, user_id=f"anonymous\\{uuid.uuid4()}")

    @property
    def is_anonymous(self) -> bool:
        """Whether this is such a visitor."""
        return self.user_directory == ANONYMOUS_DIRECTORY and self.user_id.startswith("anonymous\\")

    @property
    def key(self) -> tuple[str, str]:
        """What two names of the same user have in common."""
        # INVENTED(switch=none): user directory and user id are compared without regard to case
        return self.user_directory.casefold(), self.user_id.casefold()


@dataclasses.dataclass(frozen=True)
class Refusal:
    """Why somebody was not let in: the second half of "Could not authenticate the request: ...".

    Args:
        reason: a sentence without anything that the caller sent.
    """

    reason: str


def is_text(value: object) -> t.TypeGuard[str]:
    """Whether this is a string that can be shown and stored: JSON allows NUL and halves of characters."""
    if not isinstance(value, str) or "\0" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
