# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

from __future__ import annotations

import contextlib
import sys
import typing as t

from ._text import printable, sentences


class QlikError(Exception):
    """An error to report to the user. Its texts must not contain a private key, a token, a cookie or a password.

    All functions below a module's main() or a lookup's run() raise this class or a subclass, and none of them exits.

    Args:
        message: the object, the cause and, where it helps, the observed value ("The private key has 1024 bits.").
        hint: the remedy ("Create an RSA key pair of at least 2048 bits.").
        context: method and URL of the request that failed. They precede the message.

    Attributes:
        uncertain: True if the server may have carried out a write although no success was received.
        done: descriptions of the writes that were carried out before the error.
        entries: the outcome of each virtual proxy, if several were declared.
    """

    def __init__(self, message: str, hint: str = "", *, context: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint
        self.context = context
        self.uncertain = False
        self.done: list[str] = []
        self.entries: list[dict[str, t.Any]] = []

    def __str__(self) -> str:
        context = f"{self.context}: " if self.context else ""
        history = f"Done before that: {'; '.join(self.done)}." if self.done else ""
        # The texts contain names of a site and values of options.
        return printable(context + sentences(self.message, self.hint, history))


@contextlib.contextmanager
def about(subject: str) -> t.Iterator[None]:
    """Prefix the messages of errors that are raised inside with the name of their subject."""
    try:
        yield
    except QlikError as error:
        error.message = f"{subject}: {error.message}"
        raise


class InputError(QlikError):
    """An input of the task is not valid. Nothing was written."""


class MissingLibraryError(QlikError):
    """A Python library is not installed on this machine.

    Args:
        library: its name on the package index.
    """

    def __init__(self, library: str) -> None:
        super().__init__(
            f"The Python library {library} is missing for {sys.executable}.",
            f"Install it there, for example with: python -m pip install {library}",
        )


class TransportError(QlikError):
    """There was no usable answer: no connection, an untrusted certificate, a timeout or a lost connection.

    Attributes:
        lasting: True if the failure is permanent (an untrusted certificate, an unknown host name).
        unanswered: True if no server answered, so that another one can be tried.
    """

    lasting = False
    unanswered = False


class AnswerError(QlikError):
    """The server answered, but not with the expected content.

    Args:
        status: the HTTP status code.
    """

    def __init__(self, message: str, hint: str, *, context: str, status: int) -> None:
        super().__init__(message, hint, context=context)
        self.status = status


class ConflictError(AnswerError):
    """The entity changed between the read and the write (HTTP 409)."""
