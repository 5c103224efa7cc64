# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from ansible_collections.sensible.qlik.plugins.module_utils._errors import InputError
from ansible_collections.sensible.qlik.plugins.module_utils._keys import certificate as _certificate
from ansible_collections.sensible.qlik.plugins.module_utils._keys.ca import OwnCA
from ansible_collections.sensible.qlik.plugins.module_utils._keys.private_key import thumbprint
from ansible_collections.sensible.qlik.tests.unit.plugins.key_sets import (
    NOW,
    certificate,
    key,
    pem,
    private_pem,
    pss_private_pem,
    restricted_to_pss,
)

CA_KEY = key(9)
CA = certificate(CA_KEY, "Keys of Okta", ca=True)


def own_ca() -> OwnCA:
    return OwnCA(pem(CA), private_pem(CA_KEY))


def test_the_certificate_has_the_public_key() -> None:
    text = own_ca().issue(key().public_key())
    issued = x509.load_pem_x509_certificate(text.encode())

    issued.verify_directly_issued_by(CA)
    assert issued.public_key() == key().public_key()
    assert issued.subject.rfc4514_string() == f"CN={thumbprint(key())}"
    assert issued.not_valid_before_utc == CA.not_valid_before_utc
    assert issued.not_valid_after_utc == CA.not_valid_after_utc
    assert not issued.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert 0 < issued.serial_number < 2**160
    _certificate.require_rsa(text)


def test_other_keys_get_other_certificates() -> None:
    first, second = (x509.load_pem_x509_certificate(own_ca().issue(key(n).public_key()).encode()) for n in (0, 1))

    assert first.serial_number != second.serial_number
    assert first.subject != second.subject


def test_the_same_key_always_gets_the_same_certificate(tmp_path: Path) -> None:
    """A changed byte would be a write, and a write restarts Qlik's proxies."""
    (tmp_path / "ca.pem").write_text(pem(CA))
    (tmp_path / "ca_key.pem").write_text(private_pem(CA_KEY))
    public = key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "key.pem").write_bytes(public)
    script = """
import datetime, sys
from pathlib import Path
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from ansible_collections.sensible.qlik.plugins.module_utils._keys.ca import OwnCA
directory = Path(sys.argv[1])
authority = OwnCA((directory / "ca.pem").read_text(), (directory / "ca_key.pem").read_text())
print(authority.issue(load_pem_public_key((directory / "key.pem").read_bytes())), end="")
"""
    command = [sys.executable, "-c", script, str(tmp_path)]
    environment = {"PYTHONPATH": ":".join(sys.path)}

    elsewhere = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60).stdout

    assert elsewhere == own_ca().issue(key().public_key())


def test_encrypted_ca_key_requires_its_passphrase() -> None:
    encrypted = CA_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"sesame")).decode()

    assert OwnCA(pem(CA), encrypted, "sesame").issue(key().public_key()) == own_ca().issue(key().public_key())
    for passphrase, sentence in ((None, "no passphrase"), ("wrong", "passphrase is wrong")):
        with pytest.raises(InputError, match=sentence):
            OwnCA(pem(CA), encrypted, passphrase)


def elliptic() -> tuple[str, str]:
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name.from_rfc4514_string("CN=ec")
    end = NOW + datetime.timedelta(days=10)
    builder = x509.CertificateBuilder(name, name, private.public_key(), 1, NOW, end)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    text = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return pem(builder.sign(private, hashes.SHA256())), text


REFUSED: dict[str, tuple[t.Callable[[], tuple[str, str]], str]] = {
    "not a CA": (lambda: (pem(certificate(CA_KEY)), private_pem(CA_KEY)), "is not a CA certificate"),
    "another key": (lambda: (pem(CA), private_pem(key())), "does not belong to the certificate"),
    "an EC key": (elliptic, "Only RSA"),
    "the files swapped": (lambda: (private_pem(CA_KEY), pem(CA)), "contains a private key"),
    "a key for RSASSA-PSS only": (
        lambda: (pem(CA), pss_private_pem(CA_KEY)),
        "The private key is restricted to RSASSA-PSS",
    ),
    "a certificate for RSASSA-PSS only": (
        lambda: (restricted_to_pss(CA), private_pem(CA_KEY)),
        "The key of the certificate is restricted to RSASSA-PSS",
    ),
    "no key": (lambda: (pem(CA), ""), "The text is empty"),
    "no certificate": (lambda: ("", private_pem(CA_KEY)), "is empty"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_invalid_cas_are_refused_without_quoting_the_key(case: str) -> None:
    make, sentence = REFUSED[case]
    texts = make()

    with pytest.raises(InputError, match=sentence) as caught:
        OwnCA(*texts)

    for line in "".join(texts).splitlines():
        assert line.startswith("-----") or line not in str(caught.value)
