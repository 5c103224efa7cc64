# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The repository's users, as far as a login needs them."""

from __future__ import annotations

import typing as t

from .identity import Identity

if t.TYPE_CHECKING:
    from .store import Store


class RepositoryUsers:
    """Looks users up in the store, without regard to case.

    Args:
        store: where the User entities are.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def find(self, identity: Identity) -> t.Mapping[str, t.Any] | None:
        """The User entity, or None."""
        for user in self._store.all("User"):
            if (user["userDirectory"].lower(), user["userId"].lower()) == identity.key:
                return user
        return None

    def create(self, identity: Identity) -> None:
        """Add the user of a first login."""
        self._store.touch_user(identity.user_directory, identity.user_id)
