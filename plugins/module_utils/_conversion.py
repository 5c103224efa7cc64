# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""Formats of keys and certificates that are not supported, with the commands to convert them. Pure, no I/O."""

from __future__ import annotations

import os
import re
import shlex
import typing as t

from ._content import Holds, is_vaulted, labels
from ._errors import InputError


class _Format(t.NamedTuple):
    """A format that must be converted.

    Attributes:
        name: for messages.
        kind: its content, None if it can be both.
        command: converts it to a PEM file.
        begin: regular expression for the first hexadecimal digits of the content of the outermost DER sequence.
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
    # ssh-keygen writes to the file that it reads, and refuses a file that other users may read.
    "install -m 600 OLD NEW && ssh-keygen -p -N '' -m PKCS8 -f NEW",
)


def require_pem(
    option: str, content: bytes | str, text: str, *, path: str | None, alternative: str | None, holds: Holds | None
) -> None:
    """Raise if a content is encrypted with Ansible Vault or in one of the formats above.

    Args:
        option: as for decode, like the arguments below.
        content: of the file or the option.
        text: the decoded content.
        path: of the file.
        alternative: the option for the text.
        holds: the content that the option expects.

    Raises:
        InputError: it is. The message contains the command that converts it to a PEM file.
    """
    what = f"{option}: {path}" if path else option
    if is_vaulted(text):
        raise InputError(f"{what} is encrypted with Ansible Vault.", hint=_vault_hint(option, path, alternative))
    form = _format_of(content, text)
    if form is None:
        return
    hint = f"Convert it with: {_command(form, path, holds)}"
    if holds is not None and form.kind is not None and not holds.endswith(form.kind):
        hint = f"Give the {holds}."
    raise InputError(f"{what} contains {form.name}.", hint=hint)


def _format_of(content: bytes | str, text: str) -> _Format | None:
    if "OPENSSH PRIVATE KEY" in labels(text):
        return _OPENSSH
    # A text never begins like this, because all of these formats have a control character in the first bytes.
    begin = content[:32].hex() if isinstance(content, bytes) else ""
    return next((form for form in _FORMATS if re.match(f"30{_LENGTH}{form.begin}", begin)), None)


def _command(form: _Format, path: str | None, holds: Holds | None) -> str:
    old = path or "FILE"
    # A name of its own, because client.pem may exist beside client.pfx.
    new = f"{os.path.splitext(old)[0]}-converted.pem"  # noqa: PTH122 (pathlib is expensive to import)
    only = "-nocerts -nodes" if holds == "private key" else "-nokeys"
    words = {"OLD": shlex.quote(old), "NEW": shlex.quote(new), "ONLY": only}
    return " ".join(words.get(word, word) for word in form.command.split(" "))


def _vault_hint(option: str, path: str | None, alternative: str | None) -> str:
    if path is None:
        return "Give it as a variable that Ansible decrypts (!vault), or with lookup('ansible.builtin.unvault', FILE)."
    if alternative is None:
        return f"Decrypt it with: ansible-vault decrypt {shlex.quote(path)}"
    file = "FILE" if "'" in path or '"' in path else path
    return (
        f"Remove {option} and set {alternative}: \"{{{{ lookup('ansible.builtin.unvault', '{file}') }}}}\", which"
        f" Ansible decrypts. If a variable with a prefix sets {option}, such as qlik_, use that prefix here, too."
    )
