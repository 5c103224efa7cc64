# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

from __future__ import annotations

import contextlib
import sys
import typing as t

from ._text import printable


class QlikError(Exception):
    """Something a user has to be told. None of its texts may hold a private key, a token, a cookie or a password.

    Everything below a module's main() or a lookup's run() raises this or a subclass, and nothing below them exits.

    Args:
        message: the object, the cause and, where it helps, the observed value ("The private key has 1024 bits.").
        hint: what to do about it ("Make an RSA key pair of at least 2048 bits.").
        context: of an error of a request: method and URL, which come first.

    Attributes:
        uncertain: whether the server may have carried out a write although we saw no success.
        done: the writes that were carried out before this happened, in words.
        entries: what became of each virtual proxy, where several were declared.
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
        # Names of a site and values of options stand in it.
        return printable(f"{context}{self.message} {self.hint} {history}")


@contextlib.contextmanager
def about(subject: str) -> t.Iterator[None]:
    """Put the name of what they are about in front of the messages of errors that are raised inside."""
    try:
        yield
    except QlikError as error:
        error.message = f"{subject}: {error.message}"
        raise


class InputError(QlikError):
    """What the task asked for cannot be right. Nothing was written."""


class MissingLibraryError(QlikError):
    """A Python library is not installed where this runs.

    Args:
        library: its name on the package index.
    """

    def __init__(self, library: str) -> None:
        super().__init__(
            f"The Python library {library} is missing for {sys.executable}.",
            f"Install it there, for example with: python -m pip install {library}",
        )


class TransportError(QlikError):
    """No usable answer: no connection, wrong certificates, a time-out, a connection lost half-way.

    Attributes:
        lasting: whether waiting cannot help (an untrusted certificate, an unknown host name).
        unanswered: whether no server answered at all, so that another one can be asked.
    """

    lasting = False
    unanswered = False


class AnswerError(QlikError):
    """The server answered, but not with what was asked for.

    Args:
        status: the HTTP status code.
    """

    def __init__(self, message: str, hint: str, *, context: str, status: int) -> None:
        super().__init__(message, hint, context=context)
        self.status = status


class ConflictError(AnswerError):
    """The entity changed between our read and our write (HTTP 409)."""
