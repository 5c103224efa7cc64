# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import functools
import ssl
import sys
import typing as t
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from ansible_collections.sensible.qlik.plugins.module_utils._content import Holds
from ansible_collections.sensible.qlik.plugins.module_utils._errors import InputError, MissingLibraryError
from ansible_collections.sensible.qlik.plugins.module_utils._files import PrivateFiles, content_option
from ansible_collections.sensible.qlik.plugins.module_utils._keys.pem import client_certificate, pem_file, verification
from ansible_collections.sensible.qlik.tests.unit.plugins import key_sets

RSA = key_sets.key()
ELLIPTIC = ec.generate_private_key(ec.SECP256R1())
CERTIFICATE = key_sets.pem(key_sets.certificate(RSA))
PASSPHRASE = "correct horse battery staple"
VAULTED = "$ANSIBLE_VAULT;1.1;AES256\n3339623\n"
PKCS1, PKCS8 = PrivateFormat.TraditionalOpenSSL, PrivateFormat.PKCS8


@functools.cache
def private_pem(key: t.Any = RSA, form: PrivateFormat = PKCS8, passphrase: str = "") -> str:
    encryption = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    return t.cast("str", key.private_bytes(Encoding.PEM, form, encryption).decode())


KEY = private_pem()
ENCRYPTED = private_pem(passphrase=PASSPHRASE)


@pytest.fixture
def files() -> t.Iterator[PrivateFiles]:
    files = PrivateFiles()
    yield files
    files.close()


def options_of(
    tmp_path: Path, certificate: str, key: str, *, as_content: bool = False, encoding: str = "utf-8"
) -> dict[str, str]:
    if as_content:
        return {"client_cert_content": certificate, "client_key_content": key}
    options = {}
    for name, text in (("client_cert", certificate), ("client_key", key)):
        path = tmp_path / f"{name}.pem"
        path.write_bytes(text.encode(encoding))
        path.chmod(0o600)
        options[name] = str(path)
    return options


def assert_usable(pair: tuple[str, str]) -> None:
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(
        *pair, password=lambda: pytest.fail("asks for a passphrase")
    )


def test_plain_files_are_used_where_they_are(tmp_path: Path, files: PrivateFiles) -> None:
    pair = client_certificate(options_of(tmp_path, CERTIFICATE, KEY), files)
    assert pair == (str(tmp_path / "client_cert.pem"), str(tmp_path / "client_key.pem"))
    assert_usable(pair)


def test_certificate_and_key_may_be_in_one_file(tmp_path: Path, files: PrivateFiles) -> None:
    assert_usable(client_certificate(options_of(tmp_path, CERTIFICATE + KEY, CERTIFICATE + KEY), files))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_files_that_openssl_cannot_read_are_converted(encoding: str, tmp_path: Path, files: PrivateFiles) -> None:
    options = options_of(tmp_path, CERTIFICATE, KEY, encoding=encoding)
    assert_usable(client_certificate(options, files))

    path = verification({"validate_certs": True, "ca_path": options["client_cert"]}, "ca_path", files)
    assert isinstance(path, str)
    ssl.create_default_context(cafile=path)


@pytest.mark.parametrize("as_content", [False, True])
@pytest.mark.parametrize(
    "key",
    [ENCRYPTED, private_pem(form=PKCS1, passphrase=PASSPHRASE), f"Bag Attributes\n{CERTIFICATE}{ENCRYPTED}"],
    ids=["PKCS #8", "PKCS #1", "beside its certificate"],
)
def test_encrypted_key_is_usable_with_its_passphrase(
    key: str, as_content: bool, tmp_path: Path, files: PrivateFiles
) -> None:
    options = options_of(tmp_path, CERTIFICATE, key, as_content=as_content)
    assert_usable(client_certificate({**options, "client_key_passphrase": PASSPHRASE}, files))


def test_encrypted_elliptic_key_is_decrypted(files: PrivateFiles) -> None:
    options = {
        "client_key_content": private_pem(ELLIPTIC, passphrase=PASSPHRASE),
        "client_key_passphrase": PASSPHRASE,
    }
    path = pem_file(options, "client_key", files, holds="private key")
    assert path
    assert Path(path).read_text() == private_pem(ELLIPTIC)


def test_unneeded_passphrase_is_ignored(tmp_path: Path, files: PrivateFiles) -> None:
    options = {**options_of(tmp_path, CERTIFICATE, KEY), "client_key_passphrase": PASSPHRASE}
    assert client_certificate(options, files)[1] == options["client_key"]


@pytest.mark.parametrize("as_content", [False, True])
@pytest.mark.parametrize(
    ("passphrase", "message"),
    [
        (None, "{0} is encrypted. Set client_key_passphrase."),
        ("", "{0} is encrypted. Set client_key_passphrase."),
        (
            "another",
            (
                "{0}: The private key cannot be decrypted: the passphrase is wrong, or the key is"
                " damaged. Check client_key_passphrase, for example with: openssl pkey -noout -in FILE"
            ),
        ),
    ],
)
def test_missing_or_wrong_passphrase_is_refused(
    passphrase: str | None, message: str, as_content: bool, tmp_path: Path, files: PrivateFiles
) -> None:
    options = options_of(tmp_path, CERTIFICATE, ENCRYPTED, as_content=as_content)
    with pytest.raises(InputError) as caught:
        client_certificate({**options, "client_key_passphrase": passphrase}, files)
    assert str(caught.value) == message.format("client_key_content" if as_content else "client_key")


def test_only_a_passphrase_needs_cryptography(
    tmp_path: Path, files: PrivateFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.serialization", None)
    client_certificate(options_of(tmp_path, CERTIFICATE, KEY), files)
    options = {**options_of(tmp_path, CERTIFICATE, ENCRYPTED), "client_key_passphrase": PASSPHRASE}
    with pytest.raises(MissingLibraryError, match="The Python library cryptography is missing"):
        client_certificate(options, files)


@pytest.mark.parametrize("as_content", [False, True])
@pytest.mark.parametrize(
    ("option", "holds", "text", "words"),
    [
        ("client_cert", "certificate", KEY, "{} contains a private key, not a certificate. Check whether"),
        ("client_cert", "certificate", ENCRYPTED, "{} contains a private key, not a certificate. Check whether"),
        ("client_key", "private key", CERTIFICATE, "{} contains a certificate, not a private key. Check whether"),
        ("client_key", "private key", KEY[:300], "{} has no END line of the private key. Give the whole"),
        ("client_cert", "certificate", CERTIFICATE[:300], "{} has no END line of the certificate. Give"),
        ("client_key", "private key", "kaputt", "{} contains no private key in PEM format. Give the file as exported"),
        ("client_key", "private key", "\n", "{} contains no private key in PEM format. The text is empty. Give"),
        ("client_key", "private key", VAULTED, "is encrypted with Ansible Vault"),
        (
            "ca_path",
            "CA certificate",
            "kaputt",
            "{} contains no CA certificate in PEM format. Give the file as exported",
        ),
        ("ca_path", "CA certificate", KEY, "{} contains a private key, which only its owner must have. Give only"),
        ("proxy_ca_path", "CA certificate", CERTIFICATE + ENCRYPTED, "{} contains a private key, which only its owner"),
    ],
)
def test_content_of_another_kind_is_refused(
    option: str, holds: Holds, text: str, words: str, as_content: bool, tmp_path: Path, files: PrivateFiles
) -> None:
    (tmp_path / "file.pem").write_text(text)
    (tmp_path / "file.pem").chmod(0o600)
    name = content_option(option) if as_content else option
    with pytest.raises(InputError) as caught:
        pem_file({name: text if as_content else str(tmp_path / "file.pem")}, option, files, holds=holds)
    assert words.format(name) in str(caught.value)
    assert name in str(caught.value)
    for line in text.splitlines()[1:-1]:
        assert line not in str(caught.value)


def test_missing_client_key_is_refused(files: PrivateFiles) -> None:
    assert pem_file({}, "ca_path", files, holds="CA certificate") is None
    with pytest.raises(InputError, match=r"'client_key' is empty. Set 'client_key' or 'client_key_content'"):
        client_certificate({"client_cert_content": CERTIFICATE}, files)


def test_surrogates_in_a_text_are_accepted(files: PrivateFiles) -> None:
    path = pem_file({"ca_content": f"\udcff\ud800{CERTIFICATE}"}, "ca_path", files, holds="CA certificate")
    assert path
