# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""Files with keys and certificates for TLS: what the options name, as the paths that the libraries take."""

from __future__ import annotations

import typing as t

from .._errors import InputError
from .._files import PrivateFiles, content_option, holds_certificate, holds_private_key, read_text, refuse_vault


def verification(options: t.Mapping[str, t.Any], ca_option: str, files: PrivateFiles) -> bool | str:
    """Return what verifies a server, as http_session takes it.

    Args:
        options: validate_certs, and the option with the CA file or the one with its text.
        ca_option: name of the option with the CA file. Without a value it means the bundle of certifi, never another
            option: the repository and the proxies have different authorities on most production sites.
        files: keeps the text, as long as the session is in use.

    Raises:
        InputError: the CA file cannot be read, or holds no certificate.
    """
    return (pem_file(options, ca_option, files, holds="certificate") or True) if options["validate_certs"] else False


def client_certificate(options: t.Mapping[str, t.Any], files: PrivateFiles) -> tuple[str, str]:
    """Return the paths of the client certificate and of its key.

    Raises:
        InputError: one is missing or cannot be read, or holds something else.
    """
    certificate = pem_file(options, "client_cert", files, holds="certificate")
    key = pem_file(options, "client_key", files, holds="private key")
    if certificate is None or key is None:
        name = "client_key" if certificate else "client_cert"
        raise InputError(
            "Tried to read the client certificate.",
            f"The option '{name}' is empty.",
            f"Set '{name}' or '{content_option(name)}'.",
        )
    return certificate, key


def pem_file(
    options: t.Mapping[str, t.Any], option: str, files: PrivateFiles, *, holds: t.Literal["certificate", "private key"]
) -> str | None:
    """Return the path of a PEM file that an option names, or of one that holds the text of its content option.

    Args:
        options: the options of a task.
        option: the one that takes the path, such as client_key; client_key_content then takes the text.
        files: keeps the text.
        holds: what has to be in it.

    Returns:
        The path, None if neither option is set.

    Raises:
        InputError: the file cannot be read, or holds something else.
    """
    alternative = content_option(option)
    path, content = options.get(option), options.get(alternative)
    if content:
        refuse_vault(alternative, content)
        _require_pem(alternative, content, holds)
        return files.path_of(content)
    if not path:
        return None
    _require_pem(option, read_text(option, path, alternative=alternative), holds)
    return t.cast("str", path)


def _require_pem(option: str, text: str, holds: str) -> None:
    found = holds_certificate(text) if holds == "certificate" else "PRIVATE KEY-----" in text
    tried = f"Tried to read the option '{option}'."
    if not found:
        raise InputError(tried, f"It holds no {holds} in PEM format.", _other_kind(text, holds))
    if holds == "private key" and ("BEGIN ENCRYPTED PRIVATE KEY" in text or "Proc-Type: 4,ENCRYPTED" in text):
        raise InputError(
            tried,
            "Its private key is protected by a passphrase, for which there is no option.",
            "Give the key without a passphrase, for example as a text that Ansible Vault protects.",
        )


def _other_kind(text: str, holds: str) -> str:
    if holds == "certificate" and holds_private_key(text):
        return "It holds a private key: are certificate and key exchanged?"
    if holds == "private key" and holds_certificate(text):
        return "It holds a certificate: are certificate and key exchanged?"
    return "Give the file as the QMC exports it, in the platform independent PEM format."
