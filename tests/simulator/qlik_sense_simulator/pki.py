# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The certificates of a site: one authority, a server and a client certificate, as the QMC exports them."""

from __future__ import annotations

import dataclasses
import datetime
import ipaddress
import os
import pathlib
import typing as t

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "simulated-site-CA")])
"""Who issues the certificates of every simulated site."""
_KEY_SIZE = 2048
_YEARS = 10
_OWN_HOSTS = ("localhost", "127.0.0.1", "::1")
# Two certificates that end together, and a moment of grace before they do.
_RENEW_BEFORE = datetime.timedelta(days=1)
_BACKDATED = datetime.timedelta(days=1)


@dataclasses.dataclass(frozen=True)
class Pki:
    """Paths of PEM files below a directory. Key files can be read by their owner alone."""

    directory: pathlib.Path

    def __getattr__(self, name: str) -> pathlib.Path:
        if name in ("root", "client", "client_key", "server", "server_key"):
            return self.directory / f"{name}.pem"
        raise AttributeError(name)


def ensure_pki(directory: pathlib.Path, *, authority_key: pathlib.Path, host_names: t.Iterable[str]) -> Pki:
    """Make what is missing, and a new server certificate when the nodes have other names than before.

    Args:
        directory: for root, client, client_key, server and server_key.
        authority_key: where the authority's own key is kept; not among the others, as the QMC does not export it.
        host_names: of the nodes; localhost and its addresses are always covered.
    """
    pki = Pki(directory)
    directory.mkdir(parents=True, exist_ok=True)
    names = list(dict.fromkeys([*_OWN_HOSTS, *(name.lower() for name in host_names)]))
    authority = _load(pki.root, authority_key)
    if authority is None:
        authority = _make_authority()
        _write_pair(authority, certificate=pki.root, key=authority_key)
        for path in (pki.client, pki.server):
            path.unlink(missing_ok=True)
    if _load(pki.client, pki.client_key) is None:
        # EVIDENCE(B; Qlik-Cli-Windows): the subject of the client certificate is `CN=QlikClient`
        pair = _issue(authority, common_name="QlikClient", usage=[ExtendedKeyUsageOID.CLIENT_AUTH], host_names=[])
        _write_pair(pair, certificate=pki.client, key=pki.client_key)
    server = _load(pki.server, pki.server_key)
    if server is None or not set(names) <= _names_in(server[0]):
        # Qlik's server certificate is used for both sides of its services' own connections.
        usage = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        common_name = next((name for name in names if len(name) <= 64), names[0])
        pair = _issue(authority, common_name=common_name, usage=usage, host_names=names)
        _write_pair(pair, certificate=pki.server, key=pki.server_key)
    return pki


_Pair = tuple[x509.Certificate, rsa.RSAPrivateKey]


def _load(certificate: pathlib.Path, key: pathlib.Path) -> _Pair | None:
    """A certificate with its key, if both are there, fit each other, and the certificate will not end soon."""
    try:
        loaded = x509.load_pem_x509_certificate(certificate.read_bytes())
        private = serialization.load_pem_private_key(key.read_bytes(), password=None)
    except (OSError, ValueError, TypeError):
        return None
    now = datetime.datetime.now(tz=datetime.UTC)
    fits = isinstance(private, rsa.RSAPrivateKey) and private.public_key() == loaded.public_key()
    if not fits or loaded.not_valid_after_utc - _RENEW_BEFORE < now:
        return None
    return loaded, t.cast("rsa.RSAPrivateKey", private)


def _make_authority() -> _Pair:
    key = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_SIZE)
    name = AUTHORITY
    usage = _key_usage(key_cert_sign=True, crl_sign=True)
    builder = (
        _builder(name, key.public_key())
        .issuer_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    return builder.sign(key, hashes.SHA256()), key


def _issue(
    authority: _Pair, *, common_name: str, usage: list[x509.ObjectIdentifier], host_names: t.Sequence[str]
) -> _Pair:
    """A certificate by the authority, with a new key."""
    authority_certificate, authority_key = authority
    key = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_SIZE)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    builder = (
        _builder(_name(common_name), key.public_key())
        .issuer_name(authority_certificate.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(digital_signature=True, key_encipherment=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usage), critical=False)
        .add_extension(identifier, critical=False)
    )
    if host_names:
        names = [_general_name(name) for name in host_names]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(authority_key, hashes.SHA256()), key


def _builder(subject: x509.Name, public_key: rsa.RSAPublicKey) -> x509.CertificateBuilder:
    start = datetime.datetime.now(tz=datetime.UTC) - _BACKDATED
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=365 * _YEARS))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _key_usage(
    *,
    digital_signature: bool = False,
    key_encipherment: bool = False,
    key_cert_sign: bool = False,
    crl_sign: bool = False,
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=key_encipherment,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _names_in(certificate: x509.Certificate) -> set[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return {str(name.value) for name in names}


def _write_pair(pair: _Pair, *, certificate: pathlib.Path, key: pathlib.Path) -> None:
    # INVENTED(switch=none): exported keys are PEM of the type PKCS#1
    pem = pair[1].private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    # The certificate comes last: a pair that was not written to the end does not fit, and is made again.
    write_atomically(key, pem, mode=0o600)
    write_atomically(certificate, pair[0].public_bytes(serialization.Encoding.PEM), mode=0o644)


def write_atomically(path: pathlib.Path, content: bytes, *, mode: int) -> None:
    """Write a file so that nobody ever sees half of it, or sees it with other rights.

    Args:
        path: replaced if it exists.
        content: what is in it.
        mode: its access rights, from its first moment.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    temporary.replace(path)
