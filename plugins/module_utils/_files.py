# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""Read the files that options name, and keep texts in files for libraries that take only paths.

A value that is text instead of a path, such as a private key, is never quoted: not in a message, not in a result.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import signal
import stat
import threading
import typing as t

from ._errors import InputError

SIZE_LIMIT = 1_000_000
"""Bytes. Keys, certificates and key sets have some thousand."""

# POSIX: PATH_MAX and NAME_MAX of the usual file systems.
_LONGEST_PATH = 4096
_LONGEST_NAME = 255
# The usual names of the files that this collection reads and writes. A password has no such ending.
_ENDINGS = (
    ".ca", ".cer", ".cert", ".cfg", ".cnf", ".conf", ".crt", ".csr", ".der", ".html", ".j2", ".json", ".jwk", ".jwks",
    ".key", ".map", ".p12", ".p7b", ".pem", ".pfx", ".pub", ".txt", ".xml", ".yaml", ".yml",
)  # fmt: skip
# A signed or encrypted token, with or without the word Bearer: parts in base64url that are separated by dots.
_TOKEN = re.compile(r"(?:bearer\s+)?[\w-]{8,}\.[\w-]{8,}\.[\w.-]*", re.IGNORECASE | re.ASCII)
# PEM; or the base64 of a DER sequence that begins with an integer, which is a version: PKCS#1, PKCS#8 and PKCS#12 have
# one there, and certificates and public keys have not.
# PEM; and without PEM's lines, by the first bytes in base64: RSA and PKCS #8, EC, Ed25519, PKCS #8 with a passphrase,
# OpenSSH; and PEM in base64.
_PRIVATE_KEY = re.compile(
    r"-----(?i:BEGIN [A-Z0-9 ]*PRIVATE KEY)|\bMII..[AQgw]IBA|\bMHcCAQEE|\bMIG.AgEA|\bMC4CAQAwBQYDK2V"
    r"|kqhkiG9w0BBQ0|KoZIhvcNAQUN|CSqGSIb3DQEFD|\bb3BlbnNzaC1rZXktdjE|\bLS0tLS1CRUdJTiB(?:QUklW|SU0EgU|FQyBQ|PUEVOU1|FTkNSWV)"
)
_CERTIFICATE = re.compile(r"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----")
_VAULT = "$ANSIBLE_VAULT;"


def content_option(option: str) -> str:
    """Return the name of the option that takes the text of the file of an option ("ca_path": "ca_content")."""
    return f"{option.removesuffix('_path')}_content"


def holds_private_key(text: str) -> bool:
    """Return True if the text holds a private key, complete or not: PEM of any kind, or base64 without PEM's lines."""
    return bool(_PRIVATE_KEY.search(text))


def holds_certificate(text: str) -> bool:
    """Return True if the text holds a PEM certificate, complete or not."""
    return bool(_CERTIFICATE.search(text))


def text_kind(value: str, *, new: bool = False, base: str = "") -> str | None:
    """Return what a value is that was given for a path and is none, such as "PEM text"; None for a path.

    A password or another secret cannot always be told from a path. So a value that names no file counts as a path only
    if it has the ending of a file or lies in a directory that exists.

    Args:
        value: as given.
        new: the file or directory may be created, so that any name is a path.
        base: the directory of relative paths, the current directory if empty.
    """
    if not value.strip():
        return None
    if "-----BEGIN" in value or "-----END" in value:
        return "PEM text"
    if holds_private_key(value):
        return "a private key"
    if value.lstrip().startswith(_VAULT):
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
    # One password in sixty-four begins with a slash.
    known = directory not in ("", "/") and os.path.isdir(os.path.join(base, directory))  # noqa: PTH112, PTH118
    return None if known else "text"


def text_problem(
    option: str, value: str, *, alternative: str | None = None, new: bool = False, base: str = ""
) -> tuple[str, str] | None:
    """Return what is wrong and what to do if an option that takes a path holds text, None if it holds a path.

    Args:
        option: its name, as the user wrote it.
        value: what the user gave.
        alternative: the option that takes the text.
        new: as for text_kind.
        base: as for text_kind.
    """
    kind = text_kind(value, new=new, base=base)
    if kind is None:
        return None
    if kind == "text":
        return (
            f"{option} holds text, not a path: it names no file. The value is not shown, because it may be a secret.",
            _hint(alternative, "Correct the path"),
        )
    return f"{option} holds {kind}, not a path.", _hint(alternative, "Give the path of the file")


def _hint(alternative: str | None, otherwise: str) -> str:
    return f"{otherwise}, or give the text as {alternative}." if alternative else f"{otherwise}."


def read_text(option: str, path: str, *, alternative: str | None = None) -> str:
    """Return the content of a file that an option names, as text.

    Args:
        option: its name, for messages.
        path: of the file.
        alternative: the option that takes the text itself.

    Raises:
        InputError: the value is no path, or the file cannot be read, is larger than SIZE_LIMIT or is encrypted with
            Ansible Vault. The message quotes nothing of its content.
    """
    tried = f"Tried to read the file of the option '{option}'."
    problem = text_problem(option, path, alternative=alternative)
    if problem:
        raise InputError(tried, *problem)
    try:
        # O_NONBLOCK: a FIFO without a writer would block for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                kind = "a directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "not a regular file"
                raise InputError(tried, f"{path} is {kind}.", "Give the path of a file.")
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                content = file.read(SIZE_LIMIT + 1)
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as exc:
        raise InputError(tried, _reason(path, exc), "Check the path, and who may read the file.") from None
    if len(content) > SIZE_LIMIT:
        raise InputError(tried, f"{path} is larger than {SIZE_LIMIT} bytes.", "Check the path.")
    text = content.decode("utf-8", "replace")
    refuse_vault(option, text, path=path, alternative=alternative)
    return text


def _reason(path: str, exc: Exception) -> str:
    if isinstance(exc, FileNotFoundError):
        where = "" if os.path.isabs(path) else f" in {os.getcwd()}"  # noqa: PTH109, PTH117
        return f"There is no file {path}{where}."
    if getattr(exc, "errno", None) in (errno.EACCES, errno.EPERM):
        return f"The file {path} is not readable for this user."
    return f"The file {path} cannot be read: {getattr(exc, 'strerror', None) or 'its name is not valid'}."


def refuse_vault(option: str, text: str, *, path: str | None = None, alternative: str | None = None) -> None:
    """Raise if a text is encrypted with Ansible Vault.

    Args:
        option: where it comes from, for messages.
        text: the content.
        path: of the file that holds it, None if the option holds the text itself.
        alternative: the option that takes the text of the file.

    Raises:
        InputError: it is encrypted.
    """
    if not text.lstrip().startswith(_VAULT):
        return
    if path is None:
        advice = (
            "Give it as a variable that Ansible decrypts (!vault), or with lookup('ansible.builtin.unvault', FILE)."
        )
    elif alternative:
        file = "FILE" if "'" in path or '"' in path else path
        advice = (
            f"Remove {option} and set {alternative}: \"{{{{ lookup('ansible.builtin.unvault', '{file}') }}}}\", which"
            f" Ansible decrypts. If a variable with a prefix sets {option}, such as qlik_, use that prefix here, too."
        )
    else:
        advice = f"Decrypt it with: ansible-vault decrypt {path}"
    raise InputError(
        f"Tried to read the {'file of the ' if path else ''}option '{option}'.",
        f"{path or 'The text'} is encrypted with Ansible Vault.",
        advice,
    )


class PrivateFiles:
    """Texts in files, for libraries that take only paths.

    They are in memory where the system has memfd_create. Elsewhere they are in a directory of their own, with mode
    0600, that close, the end of the process, SIGTERM and SIGHUP remove.
    """

    def __init__(self) -> None:
        self._descriptors: list[int] = []
        self._directory: str | None = None
        self._previous: dict[int, t.Any] = {}

    def path_of(self, text: str) -> str:
        """Write a text into a new file and return its path, which is valid until close."""
        return self._in_memory(text) or self._on_disk(text)

    def _in_memory(self, text: str) -> str | None:
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
            file.write(text.encode())
        return path

    def _on_disk(self, text: str) -> str:
        import tempfile

        if self._directory is None:
            self._directory = self._new_directory()
        descriptor, path = tempfile.mkstemp(dir=self._directory)  # mode 0600
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode())
        return path

    def _new_directory(self) -> str:
        import atexit
        import tempfile

        directory = tempfile.mkdtemp(prefix="sensible.qlik-")  # mode 0700
        atexit.register(self.close)
        # Only the main thread may set a handler; in another one the end of the process has to do.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGHUP):
                self._previous[number] = signal.signal(number, self._terminated)
        return directory

    def _terminated(self, number: int, _frame: t.Any) -> None:
        """Remove the files, and then do what the signal did before."""
        self.close()
        os.kill(os.getpid(), number)

    def close(self) -> None:
        """Remove the files. Doing so again does nothing."""
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
