# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The certificates of a site: a certificate authority with server and client certificates, as the QMC exports them.

The proxies use the same server certificate, or one of another authority.
"""

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
_OTHER_AUTHORITY = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "simulated-company-CA")])
ProxyAuthority = t.Literal["site", "other"]
"""Who may have issued the certificates of the proxies."""
_KEY_SIZE = 2048
_YEARS = 10
_OWN_HOSTS = ("localhost", "127.0.0.1", "::1")
# Certificates of one site expire together, and are replaced some time before.
_RENEW_BEFORE = datetime.timedelta(days=1)
_BACKDATED = datetime.timedelta(days=1)


@dataclasses.dataclass(frozen=True)
class Pki:
    """The paths of PEM files below a directory. Only the owner can read key files.

    Args:
        directory: root, client, client_key, server and server_key are those of the site. proxy_root verifies the
            proxies. proxy and proxy_key exist only with another authority.
        proxy_authority: one of `ProxyAuthority`.
    """

    directory: pathlib.Path
    proxy_authority: ProxyAuthority = "site"

    def __getattr__(self, name: str) -> pathlib.Path:
        if name in ("root", "client", "client_key", "server", "server_key", "proxy_root", "proxy", "proxy_key"):
            return self.directory / f"{name}.pem"
        raise AttributeError(name)

    @property
    def proxy_pair(self) -> tuple[pathlib.Path, pathlib.Path]:
        """Return the paths of the certificate and the key of the proxies."""
        return (self.proxy, self.proxy_key) if self.proxy_authority == "other" else (self.server, self.server_key)

    @property
    def proxy_thumbprint(self) -> str:
        """Return the thumbprint for the settings of a ProxyService: empty if the certificate is that of the site."""
        if self.proxy_authority == "site":
            return ""
        # EVIDENCE(A; Qlik support article ta-p/1716657): the thumbprint of the certificate of a proxy is the SHA-1
        # fingerprint that Windows shows, in upper case
        certificate = x509.load_pem_x509_certificate(self.proxy.read_bytes())
        return certificate.fingerprint(hashes.SHA1()).hex().upper()


def ensure_pki(
    directory: pathlib.Path,
    *,
    authority_key: pathlib.Path,
    host_names: t.Iterable[str],
    proxy_authority: ProxyAuthority = "site",
) -> Pki:
    """Create missing files, and a new server certificate if the host names changed.

    Args:
        directory: for root, client, client_key, server, server_key and proxy_root, and with another authority of the
            proxies for proxy and proxy_key.
        authority_key: the file of the authority's own key; not in the directory, because the QMC does not export it.
            The key of the other authority is stored beside it, with "proxy_" before the file name.
        host_names: of the nodes; localhost and its addresses are always covered.
        proxy_authority: one of `ProxyAuthority`.
    """
    pki = Pki(directory, proxy_authority)
    directory.mkdir(parents=True, exist_ok=True)
    names = list(dict.fromkeys([*_OWN_HOSTS, *(name.lower() for name in host_names)]))
    authority = _load(pki.root, authority_key)
    if authority is None:
        authority = _make_authority(AUTHORITY)
        _write_pair(authority, certificate=pki.root, key=authority_key)
        for path in (pki.client, pki.server):
            path.unlink(missing_ok=True)
    if _load(pki.client, pki.client_key) is None:
        # EVIDENCE(B; Qlik-Cli-Windows): the subject of the client certificate is `CN=QlikClient`
        pair = _issue(authority, common_name="QlikClient", usage=[ExtendedKeyUsageOID.CLIENT_AUTH], host_names=[])
        _write_pair(pair, certificate=pki.client, key=pki.client_key)
    # Qlik services use the server certificate as client and as server.
    usage = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    _ensure_server_pair(authority, certificate=pki.server, key=pki.server_key, usage=usage, host_names=names)
    _ensure_proxy_pki(pki, authority_key=authority_key.with_name(f"proxy_{authority_key.name}"), host_names=names)
    return pki


def _ensure_proxy_pki(pki: Pki, *, authority_key: pathlib.Path, host_names: t.Sequence[str]) -> None:
    """Create the certificate files of the proxies.

    Args:
        pki: its proxy_authority selects the authority.
        authority_key: the file of the key of the other authority.
        host_names: for the certificate.
    """
    # EVIDENCE(A; Qlik support article ta-p/1716657): a proxy shows users the certificate whose thumbprint its settings
    # name (sslBrowserCertificateThumbprint), and Qlik's own without one
    # INVENTED(switch=none): the proxy's own API keeps the server certificate of the site
    # INVENTED(switch=none): which authority issued the certificate of the proxies; `proxy_authority` in the site file
    # decides it, and the default is that of the site
    if pki.proxy_authority == "site":
        content = pki.root.read_bytes()
        if not pki.proxy_root.exists() or pki.proxy_root.read_bytes() != content:
            write_atomically(pki.proxy_root, content, mode=0o644)
        return
    authority = _load(pki.proxy_root, authority_key)
    if authority is None:
        authority = _make_authority(_OTHER_AUTHORITY)
        _write_pair(authority, certificate=pki.proxy_root, key=authority_key)
        pki.proxy.unlink(missing_ok=True)
    usage = [ExtendedKeyUsageOID.SERVER_AUTH]
    _ensure_server_pair(authority, certificate=pki.proxy, key=pki.proxy_key, usage=usage, host_names=host_names)


def _ensure_server_pair(
    authority: _Pair,
    *,
    certificate: pathlib.Path,
    key: pathlib.Path,
    usage: list[x509.ObjectIdentifier],
    host_names: t.Sequence[str],
) -> None:
    """Create a server certificate with its key, unless there is one that covers the names."""
    server = _load(certificate, key)
    if server is None or not set(host_names) <= _names_in(server[0]):
        common_name = next((name for name in host_names if len(name) <= 64), host_names[0])
        pair = _issue(authority, common_name=common_name, usage=usage, host_names=host_names)
        _write_pair(pair, certificate=certificate, key=key)


_Pair = tuple[x509.Certificate, rsa.RSAPrivateKey]


def _load(certificate: pathlib.Path, key: pathlib.Path) -> _Pair | None:
    """Return a certificate with its key, if both exist, match each other, and the certificate does not expire soon."""
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


def _make_authority(name: x509.Name) -> _Pair:
    key = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_SIZE)
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
    """Issue a certificate by the authority, with a new key."""
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
    # The certificate is written last: if writing is interrupted, the pair does not match and is created again.
    write_atomically(key, pem, mode=0o600)
    write_atomically(certificate, pair[0].public_bytes(serialization.Encoding.PEM), mode=0o644)


def write_atomically(path: pathlib.Path, content: bytes, *, mode: int) -> None:
    """Write a file so that no reader sees a part of it, or other permissions.

    Args:
        path: replaced if it exists.
        content: the content.
        mode: the permissions, set before the content is written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    temporary.replace(path)
