# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""What a text or a file with keys or certificates holds. Pure: no I/O, and nothing of the content is ever quoted."""

from __future__ import annotations

import base64
import codecs
import os
import re
import shlex
import typing as t

from ._errors import InputError

Holds = t.Literal["certificate", "CA certificate", "private key"]
"""What an option takes."""

_MARK = re.compile(r"-----(BEGIN|END) ([A-Z0-9 ]+)-----")
# PEM; and without PEM's lines, by the first bytes in base64: RSA and PKCS #8, EC, Ed25519, PKCS #8 with a passphrase,
# OpenSSH; and PEM in base64. A DER sequence that begins with an integer, which is a version, is no certificate.
_PRIVATE_KEY = re.compile(
    r"-----(?i:BEGIN [A-Z0-9 ]*PRIVATE KEY)|\bMII..[AQgw]IBA|\bMHcCAQEE|\bMIG.AgEA|\bMC4CAQAwBQYDK2V"
    r"|kqhkiG9w0BBQ0|KoZIhvcNAQUN|CSqGSIb3DQEFD|\bb3BlbnNzaC1rZXktdjE|\bLS0tLS1CRUdJTiB(?:QUklW|SU0EgU|FQyBQ|PUEVOU1|FTkNSWV)"
)
_CERTIFICATE = re.compile(r"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----")
_VAULT = "$ANSIBLE_VAULT;"
_ENCODINGS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


class Block(t.NamedTuple):
    """A complete block of a PEM text.

    Attributes:
        label: what its lines name, such as "CERTIFICATE".
        body: what is between its lines, base64.
    """

    label: str
    body: str

    @property
    def text(self) -> str:
        """The block with its lines."""
        return f"-----BEGIN {self.label}-----{self.body}-----END {self.label}-----"

    @property
    def der(self) -> bytes:
        """What the body stands for; nothing if it is not base64."""
        try:
            return base64.b64decode("".join(self.body.split()), validate=True)
        except ValueError:
            return b""

    @property
    def is_encrypted(self) -> bool:
        """Whether it is a private key with a passphrase, in either of the two usual forms."""
        return self.label == "ENCRYPTED PRIVATE KEY" or "Proc-Type: 4,ENCRYPTED" in self.body


def labels(text: str) -> list[str]:
    """Return what the BEGIN lines of a PEM text name, complete blocks or not."""
    return [mark[2] for mark in _MARK.finditer(text) if mark[1] == "BEGIN"]


def blocks(text: str) -> list[Block]:
    """Return the complete blocks of a PEM text. Takes time in proportion to its size."""
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
    """Return True if the text holds a private key, complete or not: PEM of any kind, or base64 without PEM's lines."""
    return bool(_PRIVATE_KEY.search(text))


def holds_certificate(text: str) -> bool:
    """Return True if the text holds a PEM certificate, complete or not."""
    return bool(_CERTIFICATE.search(text))


def is_vaulted(text: str) -> bool:
    """Return True if Ansible Vault encrypted the text."""
    return text.lstrip().startswith(_VAULT)


def unreadable(text: str) -> str | None:
    """Return why there is no PEM block in a text, as a sentence; None if nothing is known."""
    if not text.strip():
        return "The text is empty."
    if any(ord(character) < 9 or "\ud800" <= character <= "\udfff" or character == "\ufffd" for character in text):
        return "This is binary data, such as a DER or PFX file."
    if text.strip().startswith("MII"):
        return "This is base64 without its BEGIN and END lines."
    return None


class _Format(t.NamedTuple):
    """A format that has to be converted.

    Attributes:
        name: for messages.
        kind: what is in it, None if it can be both.
        command: makes a PEM file of it.
        begin: how the content of the outermost DER sequence begins, a regular expression for hexadecimal digits.
    """

    name: str
    kind: str | None
    command: str
    begin: str = ""


_LENGTH = "(?:[0-7].|80|81..|82....|83......)"
_DER = "openssl {} -inform DER -in OLD -out NEW"
# RFC 7292, RFC 8018, RFC 5958 with RFC 8017 and RFC 5915, RFC 5280, RFC 2315
_FORMATS = (
    _Format("a PFX (PKCS #12) archive", None, "openssl pkcs12 -in OLD ONLY -out NEW", "02010330"),
    _Format("an encrypted DER private key", "private key", _DER.format("pkcs8"), f"30{_LENGTH}06092a864886f70d0105"),
    _Format("a DER private key", "private key", _DER.format("pkey"), "02010[01](?:02|04|30)"),
    _Format("a DER certificate", "certificate", _DER.format("x509"), f"30{_LENGTH}a0030201"),
    _Format("a PKCS #7 archive", "certificate", _DER.format("pkcs7 -print_certs"), "06092a864886f70d010702"),
)
_OPENSSH = _Format(
    "an OpenSSH private key",
    "private key",
    # ssh-keygen writes into the file that it reads, and refuses one that others may read.
    "install -m 600 OLD NEW && ssh-keygen -p -N '' -m PKCS8 -f NEW",
)


def decode(
    option: str,
    content: bytes | str,
    *,
    path: str | None = None,
    alternative: str | None = None,
    holds: Holds | None = None,
) -> str:
    """Return the text of a file or of an option. Files in UTF-8, or in UTF-16 with a byte order mark, are read.

    Args:
        option: its name, for messages.
        content: of the file, or the text that the option holds.
        path: of the file, None if the option holds the text itself.
        alternative: the option that takes the text of the file.
        holds: what the option takes.

    Raises:
        InputError: the content has to be decrypted or converted first. The message has the command for it.
    """
    text = content if isinstance(content, str) else _text(content)
    form = _format_of(content, text)
    if form is None and not is_vaulted(text):
        return text
    tried = f"Tried to read the {'file of the ' if path else ''}option '{option}'."
    what = path or "The text"
    if form is None:
        raise InputError(tried, f"{what} is encrypted with Ansible Vault.", _vault_advice(option, path, alternative))
    advice = f"Convert it with: {_command(form, path, holds)}"
    if holds is not None and form.kind is not None and not holds.endswith(form.kind):
        advice = f"Give the {holds}."
    raise InputError(tried, f"{what} holds {form.name}.", advice)


def _text(content: bytes) -> str:
    encoding = next((name for mark, name in _ENCODINGS.items() if content.startswith(mark)), "utf-8")
    return content.decode(encoding, "replace")


def _format_of(content: bytes | str, text: str) -> _Format | None:
    if "OPENSSH PRIVATE KEY" in labels(text):
        return _OPENSSH
    if isinstance(content, str):
        return None
    # A text never begins like this: all of these have a control character in the first bytes.
    begin = content[:32].hex()
    return next((form for form in _FORMATS if re.match(f"30{_LENGTH}{form.begin}", begin)), None)


def _command(form: _Format, path: str | None, holds: Holds | None) -> str:
    old = path or "FILE"
    stem, ending = os.path.splitext(old)  # noqa: PTH122 (pathlib is expensive to import)
    new = f"{stem}-converted.pem" if ending == ".pem" else f"{stem}.pem"
    only = "-nocerts -nodes" if holds == "private key" else "-nokeys"
    words = {"OLD": shlex.quote(old), "NEW": shlex.quote(new), "ONLY": only}
    return " ".join(words.get(word, word) for word in form.command.split(" "))


def _vault_advice(option: str, path: str | None, alternative: str | None) -> str:
    if path is None:
        return "Give it as a variable that Ansible decrypts (!vault), or with lookup('ansible.builtin.unvault', FILE)."
    if alternative is None:
        return f"Decrypt it with: ansible-vault decrypt {shlex.quote(path)}"
    file = "FILE" if "'" in path or '"' in path else path
    return (
        f"Remove {option} and set {alternative}: \"{{{{ lookup('ansible.builtin.unvault', '{file}') }}}}\", which"
        f" Ansible decrypts. If a variable with a prefix sets {option}, such as qlik_, use that prefix here, too."
    )
