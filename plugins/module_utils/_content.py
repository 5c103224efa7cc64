# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""Detect keys and certificates in a text. Pure, no I/O. No part of the content is ever quoted."""

from __future__ import annotations

import base64
import re
import typing as t

Holds = t.Literal["certificate", "CA certificate", "private key"]
"""The content that an option expects."""

_MARK = re.compile(r"-----(BEGIN|END) ([A-Z0-9 ]+)-----")
# PEM, and without the lines of PEM by the first bytes in base64: RSA and PKCS #8, EC, Ed25519, PKCS #8 with a
# passphrase, OpenSSH; and PEM in base64. A DER sequence that begins with an integer (a version) is not a certificate.
# One by one, because each is found by its first characters, which takes a twentieth of the time of one pattern for all.
_PRIVATE_KEYS = tuple(
    re.compile(pattern)
    for pattern in (
        r"-----(?i:BEGIN [A-Z0-9 ]*PRIVATE KEY)",
        "MII..[AQgw]IBA",
        "MHcCAQEE",
        "MIG.AgEA",
        "MC4CAQAwBQYDK2V",
        "kqhkiG9w0BBQ0",
        "KoZIhvcNAQUN",
        "CSqGSIb3DQEFD",
        "b3BlbnNzaC1rZXktdjE",
        "LS0tLS1CRUdJTiB(?:QUklW|SU0EgU|FQyBQ|PUEVOU1|FTkNSWV)",
    )
)
_CERTIFICATE = re.compile(r"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----")
_FILE_NAME = re.compile(r"[^\n\r\0]{0,250}\.(?:pem|crt|cer|cert|der|key|p7b|pfx|p12|json|jwks)", re.IGNORECASE)
_VAULT = "$ANSIBLE_VAULT;"


class Block(t.NamedTuple):
    """A complete block of a PEM text.

    Attributes:
        label: the label in its BEGIN and END lines, such as "CERTIFICATE".
        body: the base64 text between these lines.
    """

    label: str
    body: str

    @property
    def text(self) -> str:
        """Return the block with its BEGIN and END lines."""
        return f"-----BEGIN {self.label}-----{self.body}-----END {self.label}-----"

    @property
    def der(self) -> bytes:
        """Return the decoded body, empty if it is not base64."""
        try:
            return base64.b64decode("".join(self.body.split()), validate=True)
        except ValueError:
            return b""

    @property
    def is_encrypted(self) -> bool:
        """Return True if it is a private key with a passphrase, in either of the two usual formats."""
        return self.label == "ENCRYPTED PRIVATE KEY" or "Proc-Type: 4,ENCRYPTED" in self.body


def labels(text: str) -> list[str]:
    """Return the labels of the BEGIN lines of a PEM text, also of incomplete blocks."""
    return [mark[2] for mark in _MARK.finditer(text) if mark[1] == "BEGIN"]


def blocks(text: str) -> list[Block]:
    """Return the complete blocks of a PEM text. The time is proportional to its size."""
    found = []
    begin: re.Match[str] | None = None
    for mark in _MARK.finditer(text):
        if mark[1] == "BEGIN":
            begin = mark
        elif begin is not None and begin[2] == mark[2]:
            found.append(Block(mark[2], text[begin.end() : mark.start()]))
            begin = None
    return found


def private_keys(text: str) -> list[Block]:
    """Return the complete private keys of a PEM text."""
    return [block for block in blocks(text) if block.label.endswith("PRIVATE KEY")]


def holds_private_key(text: str) -> bool:
    """Return True if the text contains a private key, also an incomplete one, in PEM or as base64 without its lines."""
    return any(pattern.search(text) for pattern in _PRIVATE_KEYS)


def holds_certificate(text: str) -> bool:
    """Return True if the text contains a PEM certificate, also an incomplete one."""
    return bool(_CERTIFICATE.search(text))


def is_vaulted(text: str) -> bool:
    """Return True if Ansible Vault encrypted the text."""
    return text.lstrip().startswith(_VAULT)


def unreadable(text: str) -> str | None:
    """Return a sentence with the reason why there is no PEM block in a text, None if the reason is not known."""
    if not text.strip():
        return "The text is empty."
    if any(ord(character) < 9 or "\ud800" <= character <= "\udfff" or character == "\ufffd" for character in text):
        return "This is binary data, such as a DER or PFX file."
    if _FILE_NAME.fullmatch(text.strip()):
        return "This is the name of a file, not its content; lookup('ansible.builtin.file', NAME) reads it."
    if text.strip().startswith("MII"):
        return "This is base64 without its BEGIN and END lines."
    return None
