# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""Files with keys and certificates for TLS: from options to the paths that the libraries accept."""

from __future__ import annotations

import typing as t

from .._content import Holds, blocks, holds_certificate, labels, private_keys, unreadable
from .._errors import InputError, about
from .._files import PrivateFiles, content_option, decode, read


def verification(options: t.Mapping[str, t.Any], ca_option: str, files: PrivateFiles) -> bool | str:
    """Return the argument verify of HttpClient.

    Args:
        options: validate_certs, and the option with the CA file or the one with its text.
        ca_option: name of the option with the CA file. The default is the bundle of certifi and never another option,
            because the repository and the proxies have different CAs on most production sites.
        files: stores the text as long as the session is in use.

    Raises:
        InputError: the CA file cannot be read, or contains no certificate or a private key.
    """
    return (pem_file(options, ca_option, files, holds="CA certificate") or True) if options["validate_certs"] else False


def client_certificate(options: t.Mapping[str, t.Any], files: PrivateFiles) -> tuple[str, str]:
    """Return the paths of the client certificate and of its key.

    Raises:
        InputError: one is missing, cannot be read or has another content, or the passphrase of the key is missing or
            wrong.
        MissingLibraryError: the key has a passphrase, and the library cryptography is missing.
    """
    certificate = pem_file(options, "client_cert", files, holds="certificate")
    key = pem_file(options, "client_key", files, holds="private key")
    if certificate is None or key is None:
        name = "client_key" if certificate else "client_cert"
        raise InputError(f"The option '{name}' is empty.", hint=f"Set '{name}' or '{content_option(name)}'.")
    return certificate, key


def pem_file(options: t.Mapping[str, t.Any], option: str, files: PrivateFiles, *, holds: Holds) -> str | None:
    """Return the path of a PEM file that OpenSSL can read: the one of an option, or one in files.

    Args:
        options: the options of a task.
        option: the option for the path, such as client_key. client_key_content is the option for the text, and
            client_key_passphrase the one for the passphrase of a private key.
        files: stores a text, and the content of a file that is UTF-16 or has a passphrase.
        holds: the expected content.

    Returns:
        The path, None if neither option is set.

    Raises:
        InputError: the file cannot be read or has another content, or the passphrase is missing or wrong.
        MissingLibraryError: the key has a passphrase, and the library cryptography is missing.
    """
    alternative = content_option(option)
    path: str | None = None
    if content := options.get(alternative):
        name, text = alternative, decode(alternative, content, holds=holds)
    elif options.get(option):
        name = option
        text, is_plain = read(option, options[option], alternative=alternative, holds=holds)
        path = options[option] if is_plain else None
    else:
        return None
    _require(name, text, holds)
    if holds == "private key" and private_keys(text)[0].is_encrypted:
        text, path = _decrypted(name, text, option, options.get(f"{option}_passphrase")), None
    return path or files.path_of(text)


def _require(option: str, text: str, holds: Holds) -> None:
    """Raise if a text has another content than an option expects."""
    has_key, has_certificate = any("PRIVATE KEY" in label for label in labels(text)), holds_certificate(text)
    if has_key and holds == "CA certificate":
        raise InputError(
            f"{option} contains a private key, which only its owner must have.", hint="Give only the CA certificates."
        )
    if has_key if holds == "private key" else has_certificate:
        if not any(block.label.endswith(holds.rpartition(" ")[2].upper()) for block in blocks(text)):
            raise InputError(f"{option} has no END line of the {holds}.", hint="Give the whole text.")
        return
    if has_key or has_certificate:
        raise InputError(
            f"{option} contains a {'private key' if has_key else 'certificate'}, not a {holds}.",
            hint="Check whether certificate and key are exchanged.",
        )
    raise InputError(
        f"{option} contains no {holds} in PEM format. {unreadable(text) or ''}".rstrip(),
        hint="Give the file as exported by the QMC, in the platform independent PEM format.",
    )


def _decrypted(name: str, text: str, option: str, passphrase: str | None) -> str:
    from .private_key import without_passphrase

    if not passphrase:
        raise InputError(f"{name} is encrypted.", hint=f"Set {option}_passphrase.")
    with about(name):
        return without_passphrase(text, passphrase, option=option)
