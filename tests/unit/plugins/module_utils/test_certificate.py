# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import contextlib
import datetime
import subprocess
import sys
import typing as t

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.sensible.qlik.plugins.module_utils._errors import InputError
from ansible_collections.sensible.qlik.plugins.module_utils._keys import certificate as _certificate
from ansible_collections.sensible.qlik.tests.unit.plugins import key_sets

NOW = datetime.datetime.now(datetime.UTC).replace(microsecond=0)


def certificate_of(
    key: t.Any, *, name: str = "signing", days: int = 100, padding: PSS | None = None
) -> x509.Certificate:
    subject = x509.Name.from_rfc4514_string(f"CN={name}")
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(x509.Name.from_rfc4514_string("CN=authority,O=Example"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - datetime.timedelta(days=200))
        .not_valid_after(NOW + datetime.timedelta(days=days, hours=1))
        .sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256(), rsa_padding=padding)
    )


FUZZED = certificate_of(rsa.generate_private_key(65537, 2048)).public_bytes(Encoding.PEM).decode()


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="module")
def certificate(key: rsa.RSAPrivateKey) -> x509.Certificate:
    return certificate_of(key)


@pytest.fixture(scope="module")
def pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


VARIANTS: dict[str, t.Callable[[str], str]] = {
    "as it is": lambda pem: pem,
    "byte order mark": lambda pem: "\ufeff" + pem,
    "CRLF": lambda pem: pem.replace("\n", "\r\n"),
    "joined by blanks": lambda pem: pem.replace("\n", " "),
    "no final newline": lambda pem: pem.rstrip(),
    "indented": lambda pem: "\n".join("    " + line for line in pem.splitlines()),
    "text around it": lambda pem: f"Bag Attributes\n  friendlyName: x\n{pem}\nthe end",
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_all_notations_give_the_same_certificate(certificate: x509.Certificate, pem: str, variant: str) -> None:
    text = VARIANTS[variant](pem)

    assert _certificate.der_of(text) == certificate.public_bytes(Encoding.DER)
    assert _certificate.fingerprint(text) == certificate.fingerprint(hashes.SHA256()).hex()
    assert _certificate.pem_of(text) == pem


def private_pem(key: t.Any, form: PrivateFormat = PrivateFormat.PKCS8) -> str:
    return key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


def public_pem(key: t.Any) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def request_pem(key: t.Any) -> str:
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    return request.public_bytes(Encoding.PEM).decode()


REFUSED: dict[str, tuple[t.Callable[[rsa.RSAPrivateKey, str], str], str]] = {
    "private key, PKCS#8": (lambda key, pem: private_pem(key), "contains a private key"),
    "private key, PKCS#1": (
        lambda key, pem: private_pem(key, PrivateFormat.TraditionalOpenSSL),
        "contains a private key",
    ),
    "private key, cut off": (lambda key, pem: private_pem(key)[:300], "contains a private key"),
    "certificate and private key": (lambda key, pem: pem + private_pem(key), "contains a private key"),
    "public key": (lambda key, pem: public_pem(key), "contains a public key"),
    "certificate and public key": (lambda key, pem: pem + public_pem(key), "contains a public key"),
    "request": (lambda key, pem: request_pem(key), "contains a certificate request"),
    "two certificates": (lambda key, pem: pem + pem, "contains 2 certificates"),
    "nothing": (lambda key, pem: " \n", "is empty"),
    "words": (lambda key, pem: "/etc/ssl/cert.pem", "This is the name of a file"),
    "DER": (lambda key, pem: _certificate.der_of(pem).decode("utf-8", "replace"), "binary data"),
    "DER as Ansible reads it": (lambda key, pem: _certificate.der_of(pem).decode("utf-8", "surrogateescape"), "binary"),
    "bare base64": (lambda key, pem: "".join(pem.splitlines()[1:-1]), "without its BEGIN and END"),
    "cut off": (lambda key, pem: pem[:300], "has no line END CERTIFICATE"),
    "escaped newlines": (lambda key, pem: pem.replace("\n", "\\n"), "is not base64"),
    "empty block": (lambda key, pem: pem.splitlines()[0] + "\n" + pem.splitlines()[-1], "is not base64"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_anything_else_is_refused(key: rsa.RSAPrivateKey, pem: str, case: str) -> None:
    make, sentence = REFUSED[case]
    text = make(key, pem)

    with pytest.raises(InputError, match=sentence) as caught:
        _certificate.der_of(text)

    assert _certificate.fingerprint(text) is None
    for line in private_pem(key).splitlines()[1:-1] + pem.splitlines()[1:-1]:
        assert line not in str(caught.value)


def test_no_text_has_no_fingerprint() -> None:
    assert _certificate.fingerprint(None) is None


def test_inspect_returns_public_data_only(pem: str, certificate: x509.Certificate) -> None:
    assert _certificate.inspect(pem) == {
        "subject": "CN=signing",
        "issuer": "CN=authority,O=Example",
        "not_before": (NOW - datetime.timedelta(days=200)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "not_after": (NOW + datetime.timedelta(days=100, hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "days_left": 100,
        "fingerprint_sha256": certificate.fingerprint(hashes.SHA256()).hex(),
        "key_size": 2048,
    }
    assert _certificate.require_rsa(pem) == _certificate.inspect(pem)


def test_an_expired_certificate_is_reported_not_refused(key: rsa.RSAPrivateKey) -> None:
    expired = certificate_of(key, days=-10).public_bytes(Encoding.PEM).decode()

    assert _certificate.require_rsa(expired)["days_left"] == -10


def test_base64_without_a_certificate_is_refused() -> None:
    with pytest.raises(InputError, match="not a certificate") as caught:
        _certificate.inspect("-----BEGIN CERTIFICATE-----\nc29tZXRoaW5n\n-----END CERTIFICATE-----\n")

    assert caught.value.__context__ is None


def changed(certificate: x509.Certificate, old: bytes, new: bytes) -> str:
    der = certificate.public_bytes(Encoding.DER)
    assert old in der
    text = base64.b64encode(der.replace(old, new, 1)).decode()
    return f"-----BEGIN CERTIFICATE-----{text}-----END CERTIFICATE-----"


# The public test vectors have all of them. x509.InvalidVersion is no ValueError.
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x05"),  # its version
        (b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x80"),
        (b"Z0\x12", b"X0\x12"),  # the subject
        (b"\x17\x0d", b"\x17\x0e"),  # a date
        (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x63"),  # the kind of key
    ],
)
def test_parser_errors_become_input_errors(certificate: x509.Certificate, old: bytes, new: bytes) -> None:
    text = changed(certificate, old, new)

    for function in (_certificate.rsa_public_key, _certificate.require_rsa):
        with pytest.raises(InputError):
            function(text)


@settings(max_examples=300, deadline=None)
@given(position=st.integers(0, 400), value=st.integers(0, 255))
def test_any_changed_byte_gives_a_summary_or_an_input_error(position: int, value: int) -> None:
    der = bytearray(_certificate.der_of(FUZZED))
    der[position] = value
    text = f"-----BEGIN CERTIFICATE-----{base64.b64encode(der).decode()}-----END CERTIFICATE-----"

    for function in (_certificate.inspect, _certificate.rsa_public_key, _certificate.require_rsa):
        with contextlib.suppress(InputError):
            function(text)


def test_certificate_with_undecodable_name_is_refused(certificate: x509.Certificate) -> None:
    text = changed(certificate, b"signing", b"\xff" * 7)

    with pytest.raises(InputError, match="Names or dates of the certificate"):
        _certificate.inspect(text)


def test_other_kinds_of_keys_are_refused_by_name() -> None:
    for other, name, size in (
        (ec.generate_private_key(ec.SECP256R1()), "type EC", 256),
        (ed25519.Ed25519PrivateKey.generate(), "type Ed25519", None),
    ):
        text = certificate_of(other).public_bytes(Encoding.PEM).decode()
        assert _certificate.inspect(text)["key_size"] == size
        with pytest.raises(InputError, match=name):
            _certificate.require_rsa(text)


def test_short_keys_are_refused() -> None:
    short = certificate_of(rsa.generate_private_key(65537, 1024)).public_bytes(Encoding.PEM).decode()

    with pytest.raises(InputError, match="1024 bits, fewer than 2048"):
        _certificate.require_rsa(short)
    assert _certificate.require_rsa(short, minimum_bits=1024)["key_size"] == 1024


def test_a_key_must_fit_the_certificate(key: rsa.RSAPrivateKey, pem: str) -> None:
    _certificate.require_matching_key(pem, key)

    with pytest.raises(InputError, match=_certificate.fingerprint(pem)):
        _certificate.require_matching_key(pem, rsa.generate_private_key(65537, 2048))


def test_comparing_fingerprints_does_not_import_cryptography(pem: str) -> None:
    """A run without changes only compares fingerprints, and importing cryptography would take a tenth of its time."""
    script = (
        "import sys; from ansible_collections.sensible.qlik.plugins.module_utils._keys import certificate\n"
        "assert len(certificate.fingerprint(sys.stdin.read())) == 64\n"
        "sys.exit('cryptography' in sys.modules)"
    )
    subprocess.run(
        [sys.executable, "-c", script], input=pem, text=True, check=True, env={"PYTHONPATH": ":".join(sys.path)}
    )


def test_keys_for_rsassa_pss_only_are_refused() -> None:
    """A key for all algorithms is accepted, also in a certificate that is signed with RSASSA-PSS."""
    private = rsa.generate_private_key(65537, 2048)
    padding = PSS(MGF1(hashes.SHA256()), salt_length=32)
    signed = certificate_of(private, padding=padding)
    pem = signed.public_bytes(Encoding.PEM).decode()
    restricted = key_sets.restricted_to_pss(signed)

    assert _certificate.require_rsa(pem)["key_size"] == 2048
    for function in (_certificate.rsa_public_key, _certificate.require_rsa):
        with pytest.raises(
            InputError,
            match=r"The key of the certificate is restricted to RSASSA-PSS \(PS256, PS384, PS512\), and Qlik",
        ):
            function(restricted)
    with pytest.raises(InputError, match="restricted to RSASSA-PSS"):
        _certificate.require_matching_key(restricted, private)
    assert _certificate.inspect(restricted)["key_size"] == 2048
