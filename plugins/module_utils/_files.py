# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""Read the files of options, and write texts to files for libraries that accept only paths.

A value that is text instead of a path, such as a private key, is never quoted in a message or a result.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import os
import re
import shlex
import signal
import stat
import threading
import typing as t

from ansible.module_utils.common.warnings import warn as warn_user

from ._content import Holds, holds_private_key, is_vaulted, labels
from ._errors import InputError

SIZE_LIMIT = 1_000_000
"""Bytes. Keys, certificates and key sets have a few thousand."""

# POSIX: PATH_MAX and NAME_MAX of the usual file systems.
_LONGEST_PATH = 4096
_LONGEST_NAME = 255
_ENCODINGS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_OTHERS = stat.S_IRGRP | stat.S_IWGRP | stat.S_IROTH | stat.S_IWOTH
# The usual extensions of the files that this collection reads and writes. Passwords do not end like this.
_ENDINGS = (
    ".ca", ".cer", ".cert", ".cfg", ".cnf", ".conf", ".crt", ".csr", ".der", ".html", ".j2", ".json", ".jwk", ".jwks",
    ".key", ".map", ".p12", ".p7b", ".pem", ".pfx", ".pub", ".txt", ".xml", ".yaml", ".yml",
)  # fmt: skip
# A signed or encrypted token, with or without the word Bearer: parts in base64url, separated by dots.
_TOKEN = re.compile(r"(?:bearer\s+)?[\w-]{8,}\.[\w-]{8,}\.[\w.-]*", re.IGNORECASE | re.ASCII)


def content_option(option: str) -> str:
    """Return the name of the option for the text of the file of an option ("ca_path": "ca_content")."""
    return f"{option.removesuffix('_path')}_content"


def text_kind(value: str, *, new: bool = False, base: str = "") -> str | None:
    """Return the kind of a value that is not a path, such as "PEM text", or None for a path.

    A password or another secret cannot always be distinguished from a path. A value without an existing file therefore
    counts as a path only if it has a file extension or is in an existing directory.

    Args:
        value: the value of an option for a path.
        new: True if the file or directory may be created, so that any name is a path.
        base: the directory of relative paths, the current directory if empty.
    """
    if not value.strip():
        return None
    if "-----BEGIN" in value or "-----END" in value:
        return "PEM text"
    if holds_private_key(value):
        return "a private key"
    if is_vaulted(value):
        return "text that is encrypted with Ansible Vault"
    if _TOKEN.fullmatch(value.strip()) and not value.lower().endswith(_ENDINGS):
        return "a token"
    if "\n" in value or "\r" in value or "\0" in value or len(value) > _LONGEST_PATH:
        return "text"
    # os.path, because pathlib is expensive to import
    path = os.path.expanduser(os.path.expandvars(value))  # noqa: PTH111
    directory, name = os.path.split(path.rstrip("/"))
    if len(name.encode("utf-8", "replace")) > _LONGEST_NAME:
        return "text"
    if new or name.lower().endswith(_ENDINGS) or os.path.lexists(os.path.join(base, path)):  # noqa: PTH118
        return None
    # One in 64 random passwords begins with a slash.
    known = directory not in ("", "/") and os.path.isdir(os.path.join(base, directory))  # noqa: PTH112, PTH118
    return None if known else "text"


def text_problem(
    option: str, value: str, *, alternative: str | None = None, new: bool = False, base: str = ""
) -> tuple[str, str] | None:
    """Return message and hint if an option for a path contains text, None if it contains a path.

    Args:
        option: the name of the option, as the user wrote it.
        value: its value.
        alternative: the option for the text.
        new: as for text_kind.
        base: as for text_kind.
    """
    kind = text_kind(value, new=new, base=base)
    if kind is None:
        return None
    if kind == "text":
        return (
            f"{option} contains text, not a path. The value is not shown, because it may be a secret.",
            _hint(alternative, "Correct the path"),
        )
    return f"{option} contains {kind}, not a path.", _hint(alternative, "Give the path of the file")


def _hint(alternative: str | None, otherwise: str) -> str:
    return f"{otherwise}, or give the text as {alternative}." if alternative else f"{otherwise}."


class Content(t.NamedTuple):
    """The content of a file.

    Attributes:
        text: its text.
        is_plain: True if the file contains exactly this text in UTF-8, so that other libraries can read it as well.
    """

    text: str
    is_plain: bool


def read(
    option: str,
    path: str,
    *,
    alternative: str | None = None,
    holds: Holds | None = None,
    warn: t.Callable[[str], None] = warn_user,
) -> Content:
    """Return the content of the file of an option.

    Args:
        option: the name of the option, for messages.
        path: of the file.
        alternative: the option for the text.
        holds: the content that the option expects.
        warn: a function for a warning about a private key that other users may read or write. By default it is a
            warning of the module.

    Raises:
        InputError: the value is not a path, or the file cannot be read, is larger than SIZE_LIMIT, or must be decrypted
            or converted first. The message quotes no part of its content.
    """
    problem = text_problem(option, path, alternative=alternative)
    if problem:
        raise InputError(*problem)
    try:
        # O_NONBLOCK, because a FIFO without a writer would block forever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                raise InputError(f"{option}: {path} is {_kind_of(mode)}.", hint="Give the path of a file.")
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                content = file.read(SIZE_LIMIT + 1)
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as exc:
        raise InputError(f"{option}: {_reason(path, exc)}", hint="Check the path and the file permissions.") from None
    if len(content) > SIZE_LIMIT:
        raise InputError(f"{option}: {path} is larger than {SIZE_LIMIT} bytes.", hint="Check the path.")
    text = decode(option, content, path=path, alternative=alternative, holds=holds)
    if mode & _OTHERS and any(label.endswith("PRIVATE KEY") for label in labels(text)):
        warn(
            f"{option}: other users may read or write the private key in {path} (mode {stat.S_IMODE(mode):04o})."
            f" Restrict it with: chmod 600 {shlex.quote(path)}"
        )
    return Content(text, text.encode("utf-8", "replace") == content)


def decode(
    option: str,
    content: bytes | str,
    *,
    path: str | None = None,
    alternative: str | None = None,
    holds: Holds | None = None,
) -> str:
    """Return the text of a file or of an option. UTF-8, and UTF-16 with a byte order mark, are supported.

    Args:
        option: the name of the option, for messages.
        content: of the file, or the text of the option.
        path: of the file, None if the option contains the text itself.
        alternative: the option for the text of the file.
        holds: the content that the option expects.

    Raises:
        InputError: the content must be decrypted or converted first. The message contains the command.
    """
    text = content if isinstance(content, str) else _text(content)
    # DER begins with the tag of a sequence, which is the digit 0 in ASCII.
    if is_vaulted(text) or "OPENSSH PRIVATE KEY" in labels(text) or content[:1] == b"0":
        from ._conversion import require_pem  # imported only if needed, because it adds to the start-up time

        require_pem(option, content, text, path=path, alternative=alternative, holds=holds)
    return text


def _text(content: bytes) -> str:
    encoding = next((name for mark, name in _ENCODINGS.items() if content.startswith(mark)), "utf-8")
    return content.decode(encoding, "replace")


def _kind_of(mode: int) -> str:
    kinds = {stat.S_IFDIR: "a directory", stat.S_IFIFO: "a named pipe (FIFO)"}
    return kinds.get(stat.S_IFMT(mode), "a device")


def _reason(path: str, exc: Exception) -> str:
    if isinstance(exc, FileNotFoundError):
        where = "" if os.path.isabs(path) else f" in {os.getcwd()}"  # noqa: PTH109, PTH117
        return f"There is no file {path}{where}."
    if getattr(exc, "errno", None) == errno.ENXIO:
        return f"{path} is a socket."
    if getattr(exc, "errno", None) in (errno.EACCES, errno.EPERM):
        return f"The file {path} is not readable for this user."
    return f"The file {path} cannot be read: {getattr(exc, 'strerror', None) or 'its name is not valid'}."


class PrivateFiles:
    """Texts in files, for libraries that accept only paths.

    The files are in memory if the system has memfd_create. Otherwise they have mode 0600 and are in a temporary
    directory, which is removed by close, at the end of the process, and on SIGTERM and SIGHUP.
    """

    def __init__(self) -> None:
        self._descriptors: list[int] = []
        self._directory: str | None = None
        self._previous: dict[int, t.Any] = {}

    def path_of(self, text: str) -> str:
        """Write a text to a new file and return its path, which is valid until close."""
        content = text.encode("utf-8", "replace")
        return self._in_memory(content) or self._on_disk(content)

    def _in_memory(self, content: bytes) -> str | None:
        if not hasattr(os, "memfd_create"):
            return None
        try:
            descriptor = os.memfd_create("sensible.qlik", os.MFD_CLOEXEC)
        except OSError:  # an old kernel, or a sandbox that refuses the call
            return None
        path = f"/proc/self/fd/{descriptor}"
        if not os.path.exists(path):  # noqa: PTH110 (a container without /proc)
            os.close(descriptor)
            return None
        self._descriptors.append(descriptor)
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(content)
        return path

    def _on_disk(self, content: bytes) -> str:
        import tempfile

        if self._directory is None:
            self._directory = self._new_directory()
        descriptor, path = tempfile.mkstemp(dir=self._directory)  # mode 0600
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        return path

    def _new_directory(self) -> str:
        import atexit
        import tempfile

        directory = tempfile.mkdtemp(prefix="sensible.qlik-")  # mode 0700
        atexit.register(self.close)
        # Only the main thread can set a signal handler. Otherwise, the files are removed at the end of the process.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGHUP):
                self._previous[number] = signal.signal(number, self._terminated)
        return directory

    def _terminated(self, number: int, _frame: t.Any) -> None:
        """Remove the files, and then run the previous handler of the signal."""
        self.close()
        os.kill(os.getpid(), number)

    def close(self) -> None:
        """Remove the files. A second call has no effect."""
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors = []
        if self._directory is not None:
            import atexit
            import shutil

            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None
            atexit.unregister(self.close)
            for number, handler in self._previous.items():
                with contextlib.suppress(ValueError):  # close was called in another thread
                    signal.signal(number, handler)
            self._previous = {}
