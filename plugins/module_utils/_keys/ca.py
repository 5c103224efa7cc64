# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""Certificates for public keys without access to their private keys, issued by the user's own CA."""

from __future__ import annotations

import hashlib
import typing as t

from .._errors import InputError
from . import certificate as _certificate
from .parsing import attempt
from .private_key import load_private_key, thumbprint

if t.TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey


class OwnCA:
    """CA that always issues exactly the same certificate for the same key, on each machine.

    Otherwise each run would find a difference and write, and each save restarts Qlik's proxies. Therefore no part is
    random or depends on the current time: subject and serial number are derived from the key, the dates are those of
    the CA's certificate, and the signature is RSA with PKCS#1 v1.5, which has no random part.

    Args:
        certificate: of the CA, PEM.
        private_key: its RSA key, PEM.
        passphrase: of an encrypted key.

    Raises:
        InputError: certificate and key are not those of a CA.
        MissingLibraryError: the library cryptography is missing.
    """

    def __init__(self, certificate: str, private_key: str, passphrase: str | None = None) -> None:
        der = _certificate.der_of(certificate)
        self.details = _certificate.inspect(certificate)
        try:
            self._key = load_private_key(private_key, passphrase=passphrase, option="ownca_privatekey")
            _certificate.require_matching_key(certificate, self._key)
        except InputError as exc:
            raise InputError(
                f"The certificate and the key of the CA (ownca) cannot be used: {exc.message}",
                hint="Give the certificate of a CA and the RSA key that belongs to it (and its passphrase). Only RSA"
                " signatures are reproducible.",
            ) from None

        from cryptography import x509

        self._certificate = x509.load_der_x509_certificate(der)
        if not self._may_issue():
            raise InputError(
                "The certificate of the CA (ownca) is not a CA certificate.",
                hint="Create one with basic_constraints: ['CA:TRUE'], as in the documentation of the module.",
            )

    def _may_issue(self) -> bool:
        from cryptography import x509

        extensions = attempt(lambda: self._certificate.extensions.get_extension_for_class(x509.BasicConstraints))
        return extensions is not None and extensions.value.ca

    def issue(self, key: RSAPublicKey) -> str:
        """Return the certificate of a public key, as PEM."""
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.serialization import Encoding

        name = thumbprint(key)
        no_use = {
            "content_commitment": False,
            "key_encipherment": False,
            "data_encipherment": False,
            "key_agreement": False,
            "key_cert_sign": False,
            "crl_sign": False,
            "encipher_only": False,
            "decipher_only": False,
        }
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
            .issuer_name(self._certificate.subject)
            .public_key(key)
            # RFC 5280, 4.1.2.2: positive, at most 20 octets.
            .serial_number((int.from_bytes(hashlib.sha256(name.encode()).digest()[:20], "big") >> 1) | 1)
            .not_valid_before(self._certificate.not_valid_before_utc)
            .not_valid_after(self._certificate.not_valid_after_utc)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(digital_signature=True, **no_use), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return certificate.public_bytes(Encoding.PEM).decode("ascii")
