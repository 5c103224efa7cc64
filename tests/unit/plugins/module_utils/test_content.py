# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import functools
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs7,
    pkcs12,
)

from ansible_collections.sensible.qlik.plugins.module_utils import _content, _files
from ansible_collections.sensible.qlik.plugins.module_utils._errors import InputError
from ansible_collections.sensible.qlik.plugins.module_utils._keys.certificate import der_of
from ansible_collections.sensible.qlik.plugins.module_utils._keys.private_key import load_private_key
from ansible_collections.sensible.qlik.tests.unit.plugins import key_sets

KEY = "-----BEGIN {0}-----\nMIIEvQIBADANBg\n-----END {0}-----\n".format("PRIVATE KEY")
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIC\n-----END CERTIFICATE-----\n"
VAULTED = "$ANSIBLE_VAULT;1.1;AES256\n3339623\n"
SIGNING = key_sets.key()


@pytest.mark.parametrize(
    "text",
    [
        KEY,
        KEY.lower(),
        "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcw",
        "MHcCAQEEIIrYSSNQFaA2Hwf1duRSxKtLYX5CB04f",
        "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEH",
        "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v",
        "MIIFLTBXBgkqhkiG9w0BBQ0wSjApBgkqhkiG9w0BBQwwHAQI",
        "b3BlbnNzaC1rZXktdjEAAAAABG5vbmU",
        base64.b64encode(KEY.encode()).decode(),
        base64.b64encode(KEY.replace("PRIVATE", "RSA PRIVATE").encode()).decode(),
    ],
)
def test_private_keys_are_recognized_in_many_forms(text: str) -> None:
    assert _files.holds_private_key(text)


def test_certificates_and_words_are_no_private_keys() -> None:
    for text in (CERTIFICATE, base64.b64encode(CERTIFICATE.encode()).decode(), "portal", "MIIDNDCCAhygAwIBAgIUdM9lXnz"):
        assert not _files.holds_private_key(text)


def test_labels_and_complete_blocks_are_found() -> None:
    text = f"words\n{CERTIFICATE}{KEY[:30]}\n{CERTIFICATE}-----END PRIVATE KEY-----\n{KEY}"

    assert _content.labels(text) == ["CERTIFICATE", "PRIVATE KEY", "CERTIFICATE", "PRIVATE KEY"]
    assert [block.label for block in _content.blocks(text)] == ["CERTIFICATE", "CERTIFICATE", "PRIVATE KEY"]
    assert _content.private_keys(text)[0].text == KEY.rstrip()


LINES = (
    "-----BEGIN PRIVATE KEY-----\n",
    "-----BEGIN CERTIFICATE-----\n",
    "-----BEGIN PRIVATE KE",
    "-----BEGIN A",
    "eyJh",
)


@pytest.mark.parametrize("line", LINES)
def test_a_megabyte_of_begin_lines_is_read_quickly(line: str) -> None:
    """A pattern that searches for an END line from each BEGIN line would need 10^10 steps."""
    text = line * (1_000_000 // len(line))

    assert _content.blocks(text) == []
    for function in (_content.holds_private_key, _content.holds_certificate, _content.unreadable, _files.text_kind):
        function(text)
    for refuse in (der_of, load_private_key):
        with pytest.raises(InputError):
            refuse(text)


def der(form: PrivateFormat = PrivateFormat.PKCS8, passphrase: bytes = b"") -> bytes:
    encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return SIGNING.private_bytes(Encoding.DER, form, encryption)


def openssh() -> bytes:
    return SIGNING.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())


@functools.cache
def certificate() -> t.Any:
    return key_sets.certificate(SIGNING)


def pfx() -> bytes:
    return pkcs12.serialize_key_and_certificates(b"x", SIGNING, certificate(), None, BestAvailableEncryption(b"sesame"))


# What a file holds, what it is called, what its option takes, and the command to convert it.
CONVERTED: dict[str, tuple[t.Callable[[], bytes], str, _content.Holds, str]] = {
    "DER certificate": (
        lambda: certificate().public_bytes(Encoding.DER),
        "a DER certificate",
        "certificate",
        "openssl x509 -inform DER -in {old} -out {new}",
    ),
    "DER key, PKCS #8": (der, "a DER private key", "private key", "openssl pkey -inform DER -in {old} -out {new}"),
    "DER key, PKCS #1": (
        lambda: der(PrivateFormat.TraditionalOpenSSL),
        "a DER private key",
        "private key",
        "openssl pkey -inform DER -in {old} -out {new}",
    ),
    "DER key, encrypted": (
        lambda: der(passphrase=b"sesame"),
        "an encrypted DER private key",
        "private key",
        "openssl pkcs8 -inform DER -in {old} -out {new}",
    ),
    "certificate in PFX": (
        pfx,
        "a PFX (PKCS #12) archive",
        "CA certificate",
        "openssl pkcs12 -in {old} -nokeys -out {new}",
    ),
    "key in PFX": (
        pfx,
        "a PFX (PKCS #12) archive",
        "private key",
        "openssl pkcs12 -in {old} -nocerts -nodes -out {new}",
    ),
    "PKCS #7": (
        lambda: pkcs7.serialize_certificates([certificate()], Encoding.DER),
        "a PKCS #7 archive",
        "certificate",
        "openssl pkcs7 -print_certs -inform DER -in {old} -out {new}",
    ),
    "OpenSSH": (
        openssh,
        "an OpenSSH private key",
        "private key",
        "install -m 600 {old} {new} && ssh-keygen -p -N '' -m PKCS8 -f {new}",
    ),
}


@pytest.mark.parametrize("case", CONVERTED)
def test_command_in_the_message_creates_a_readable_file(case: str, tmp_path: Path) -> None:
    make, name, holds, command = CONVERTED[case]
    old, new = tmp_path / "it's; a file.bin", tmp_path / "it's; a file-converted.pem"
    old.write_bytes(make())

    with pytest.raises(InputError) as caught:
        _files.read("client_key", str(old), holds=holds)

    quoted = {place: "'" + str(path).replace("'", "'\"'\"'") + "'" for place, path in (("old", old), ("new", new))}
    assert caught.value.message == f"client_key: {old} contains {name}."
    assert caught.value.hint == f"Convert it with: {command.format(**quoted)}"
    tool = "ssh-keygen" if case == "OpenSSH" else "openssl"
    if shutil.which(tool) is None:
        pytest.skip(f"there is no {tool}")
    words = caught.value.hint.removeprefix("Convert it with: ")
    for asks, passphrase in (("pkcs12", "-passin pass:sesame"), ("pkcs8 ", "-passin pass:sesame")):
        words = words.replace(f"openssl {asks}", f"openssl {asks} {passphrase} ")
    subprocess.run(["sh", "-c", words], check=True, capture_output=True, stdin=subprocess.DEVNULL)
    warned: list[str] = []
    text = _files.read("client_key", str(new), holds=holds, warn=warned.append).text
    assert warned == []
    if holds == "private key":
        assert load_private_key(text).private_numbers() == SIGNING.private_numbers()
    else:
        assert der_of(text) == certificate().public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    ("content", "holds", "outcome", "advice"),
    [
        (VAULTED, None, "client_key_content is encrypted with Ansible Vault.", "Give it as a variable that"),
        (
            openssh().decode(),
            "private key",
            "client_key_content contains an OpenSSH private key.",
            "Convert it with: install -m 600 FILE FILE-converted.pem && ssh-keygen -p -N '' -m PKCS8 -f FILE-conv",
        ),
        (
            openssh().decode(),
            "certificate",
            "client_key_content contains an OpenSSH private key.",
            "Give the certificate.",
        ),
    ],
)  # fmt: skip
def test_command_for_a_text_contains_no_path(
    content: str, holds: _content.Holds | None, outcome: str, advice: str
) -> None:
    with pytest.raises(InputError) as caught:
        _files.decode("client_key_content", content, holds=holds)
    assert caught.value.message == outcome
    assert caught.value.hint.startswith(advice)


def test_file_of_the_wrong_kind_gets_no_command(tmp_path: Path) -> None:
    path = tmp_path / "client.pem"
    path.write_bytes(der())
    with pytest.raises(InputError, match=r"client.pem contains a DER private key\. Give the certificate\."):
        _files.read("client_cert", str(path), holds="certificate")


def test_the_converted_file_never_replaces_the_original(tmp_path: Path) -> None:
    path = tmp_path / "client.pem"
    path.write_bytes(der())
    with pytest.raises(InputError, match=f"-in {path} -out {tmp_path}/client-converted.pem"):
        _files.read("client_key", str(path), holds="private key")


@pytest.mark.parametrize("alternative", [None, "client_key_content"])
def test_vault_file_is_refused_with_a_hint(alternative: str | None, tmp_path: Path) -> None:
    path = tmp_path / "client_key.pem"
    path.write_text(VAULTED)
    with pytest.raises(InputError) as caught:
        _files.read("client_key", str(path), alternative=alternative)
    assert caught.value.message == f"client_key: {path} is encrypted with Ansible Vault."
    expected = (
        f"client_key_content: \"{{{{ lookup('ansible.builtin.unvault', '{path}') }}}}\""
        if alternative
        else f"Decrypt it with: ansible-vault decrypt {path}"
    )
    assert expected in caught.value.hint
    assert "3339623" not in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"", b"0", b"0\x82", b"0 words", b"{}", CERTIFICATE.encode(), b"\xff\xfe", b"\x80"]
)
def test_other_content_is_accepted_as_text(content: bytes) -> None:
    _files.decode("path", content)


def test_other_encodings_around_a_certificate_are_ignored() -> None:
    text = _files.decode("client_cert", "friendlyName: Zoë\n".encode("latin-1") + CERTIFICATE.encode())
    assert [block.label for block in _content.blocks(text)] == ["CERTIFICATE"]


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP521R1()], ids=lambda curve: curve.name)
def test_elliptic_keys_in_der_are_recognized(curve: ec.EllipticCurve, form: PrivateFormat) -> None:
    content = ec.generate_private_key(curve).private_bytes(Encoding.DER, form, NoEncryption())
    with pytest.raises(InputError, match="contains a DER private key"):
        _files.decode("client_key", content)
