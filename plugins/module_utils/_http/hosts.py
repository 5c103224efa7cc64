# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""The hosts of a repository. A task uses the first one that answers."""

from __future__ import annotations

import time
import typing as t

from ansible.module_utils.common.warnings import warn

from .._errors import QlikError, TransportError

_FIRST_PAUSE = 0.5  # seconds before all hosts are tried again; doubled each time
_LONGEST_PAUSE = 20.0


class Hosts:
    """Hosts of the same site, such as the central node and its failover candidates.

    Args:
        names: in the order in which they are tried.
        retries: how often all are tried again if none answers.
        retry_deadline: seconds after which they are not tried again.

    Attributes:
        current: the host in use.
    """

    def __init__(self, names: t.Sequence[str], *, retries: int, retry_deadline: float) -> None:
        self.current = names[0]
        self._reasons: dict[str, str] = {}
        self._warned = False
        self._names = list(names)
        self._retries = retries
        self._retry_deadline = retry_deadline

    @property
    def several(self) -> bool:
        """Return True if there is another host to try."""
        return len(self._names) > 1

    def settle(self) -> None:
        """Use only the current host from now on."""
        self._names = [self.current]

    def attempts(self) -> t.Iterator[str]:
        """Yield the hosts to try for one request, the current one first, and several hosts again after pauses."""
        start = self._names.index(self.current)
        order = self._names[start:] + self._names[:start]
        until, pause = time.monotonic() + self._retry_deadline, _FIRST_PAUSE
        yield from order
        for _repetition in range(self._retries if self.several else 0):
            if time.monotonic() + pause > until:
                return
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
            yield from order

    def failed(self, error: TransportError) -> None:
        """Store the reason why the current host did not answer."""
        self._reasons[self.current] = error.message

    def explained(self, error: QlikError | None) -> QlikError:
        """Return the last error, with the other hosts that were tried and the reasons why they did not answer."""
        error = t.cast("QlikError", error)  # there is at least one attempt
        if others := self._reasons_of_others():
            error.message = f"{error.message} Other hosts did not answer: {others}"
        return error

    def warn_once(self) -> None:
        """Warn once about the hosts that did not answer, after another one has answered."""
        if (reasons := self._reasons_of_others()) and not self._warned:
            warn(f"The repository on {self.current} is used, because other hosts did not answer: {reasons}")
            self._warned = True

    def _reasons_of_others(self) -> str:
        return " ".join(f"{host}: {reason}" for host, reason in self._reasons.items() if host != self.current)
