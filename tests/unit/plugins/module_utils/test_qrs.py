# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import datetime
import http.server
import ipaddress
import json
import os
import re
import socket
import ssl
import threading
import typing as t
from pathlib import Path
from unittest.mock import Mock

import pytest
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from ansible_collections.sensible.qlik.plugins.module_utils._errors import (
    AnswerError,
    ConflictError,
    InputError,
    QlikError,
    TransportError,
)
from ansible_collections.sensible.qlik.plugins.module_utils._http import hosts, ntlm
from ansible_collections.sensible.qlik.plugins.module_utils._http.qrs import QrsClient

_SIGNATURE = "c2VjcmV0LXNpZ25hdHVyZQ" * 8
TOKEN = f"eyJhbGciOiAiUlMyNTYifQ.eyJ1c2VySWQiOiAic2VjcmV0LXBheWxvYWQifQ.{_SIGNATURE}"


class Authority:
    """A CA that writes PEM files for servers and clients."""

    def __init__(self, directory: Path, name: str) -> None:
        self.directory = directory
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.certificate = self._sign(self.name, self.key, ca=True)
        self.path = directory / f"{name}.pem"
        self.path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def _sign(self, subject: x509.Name, key: rsa.RSAPrivateKey, *, ca: bool) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        identifier = x509.SubjectKeyIdentifier.from_public_key(self.key.public_key())
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
        builder = builder.not_valid_after(now + datetime.timedelta(days=30))
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        if ca:
            usage = dict.fromkeys(
                ["digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"],
                False,
            )
            usage |= {"key_cert_sign": True, "crl_sign": True, "encipher_only": False, "decipher_only": False}
            builder = builder.add_extension(x509.KeyUsage(**usage), critical=True).add_extension(
                identifier, critical=False
            )
        else:
            names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.2"))]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
            authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
            builder = builder.add_extension(authority, critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def issue(self, name: str, bits: int = 2048) -> tuple[str, str]:
        key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate_path, key_path = self.directory / f"{name}.crt", self.directory / f"{name}.key"
        certificate = self._sign(subject, key, ca=False)
        certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        key_path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return str(certificate_path), str(key_path)


class Server(http.server.ThreadingHTTPServer):
    """A server that sends the given answers in order, and records the requests."""

    daemon_threads = True

    def __init__(self, context: ssl.SSLContext, address: tuple[str, int] = ("127.0.0.1", 0)) -> None:
        super().__init__(address, Handler)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.connections: set[tuple[str, int]] = set()

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        """Handshakes that are meant to fail would otherwise fill the screen."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        server = t.cast("Server", self.server)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        server.asked.append((self.command, self.path, dict(self.headers), body))
        server.connections.add(self.client_address)
        status, headers, content = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
        if status == 0:  # hang up
            self.connection.close()
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815 - the names that http.server looks for

    def log_message(self, *args: t.Any) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki"), "root")


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("other"), "foreign")


@pytest.fixture(scope="module")
def client(authority: Authority) -> tuple[str, str]:
    return authority.issue("client")


@pytest.fixture(scope="module")
def context(authority: Authority) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("localhost"))
    context.load_verify_locations(authority.path)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


@pytest.fixture(scope="module")
def proxy_context(foreign: Authority) -> ssl.SSLContext:
    """TLS of a proxy that has a certificate of another authority and requires none of its clients."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*foreign.issue("localhost"))
    return context


@contextlib.contextmanager
def serving(context: ssl.SSLContext, address: tuple[str, int] = ("127.0.0.1", 0)) -> t.Iterator[Server]:
    server = Server(context, address)
    server.answers = [(200, {}, b"{}")]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def server(context: ssl.SSLContext) -> t.Iterator[Server]:
    with serving(context) as server:
        yield server


@pytest.fixture
def proxy(proxy_context: ssl.SSLContext) -> t.Iterator[Server]:
    with serving(proxy_context) as server:
        yield server


@pytest.fixture
def options(server: Server, authority: Authority, client: tuple[str, str]) -> dict[str, t.Any]:
    return {
        "host": ["localhost"],
        "port": server.server_port,
        "auth_method": "certificate",
        "client_cert": client[0],
        "client_key": client[1],
        "user": r"INTERNAL\sa_api",
        "password": None,
        "header_name": None,
        "session_cookie": None,
        "qps_port": server.server_port,
        "virtual_proxy_prefix": None,
        "token": None,
        "ca_path": str(authority.path),
        "proxy_ca_path": str(authority.path),
        "validate_certs": True,
        "connect_timeout": 5.0,
        "read_timeout": 5.0,
        "retries": 0,
        "retry_deadline": 20.0,
    }


def ask(options: dict[str, t.Any], method: str = "GET", **kwargs: t.Any) -> t.Any:
    connection = QrsClient(options)
    try:
        return connection.request(method, "about", **kwargs).body
    finally:
        connection.close()


def failure(options: dict[str, t.Any], method: str = "GET") -> QlikError:
    with pytest.raises(QlikError) as caught:
        ask(options, method)
    message = str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert TOKEN not in message
    assert "PRIVATE KEY" not in message
    return caught.value


def test_requests_have_the_required_headers(server: Server, options: dict[str, t.Any]) -> None:
    server.answers = [(200, {}, b'{"buildVersion": "31.60.0.0"}')]
    connection = QrsClient(options)
    assert connection.request("GET", "about", query={"filter": "name eq 'a b'"}).body == {"buildVersion": "31.60.0.0"}
    connection.request("PUT", "tag/1", body={"name": "ü"})
    connection.close()
    (_get, path, headers, _body), (method, _path, put_headers, body) = server.asked
    key = headers["X-Qlik-Xrfkey"]
    assert len(key) == 16
    assert key.isalnum()
    assert f"xrfkey={key}" in path
    assert headers["X-Qlik-User"] == "UserDirectory=INTERNAL; UserId=sa_api"
    assert "Authorization" not in headers
    assert method == "PUT"
    assert put_headers["Content-Type"] == "application/json"
    assert json.loads(body) == {"name": "ü"}
    assert len(server.connections) == 1


@pytest.mark.parametrize("in_memory", [True, False])
def test_keys_and_certificates_can_be_texts(
    server: Server, options: dict[str, t.Any], in_memory: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not in_memory:
        monkeypatch.delattr(os, "memfd_create")
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    server.answers = [(200, {}, b'{"buildVersion": "31.60.0.0"}')]
    for path, content in (
        ("client_cert", "client_cert_content"),
        ("client_key", "client_key_content"),
        ("ca_path", "ca_content"),
    ):
        options |= {path: None, content: Path(options[path]).read_text()}
    connection = QrsClient(options)
    assert len(list(tmp_path.iterdir())) == (0 if in_memory else 1)
    assert connection.request("GET", "about").body == {"buildVersion": "31.60.0.0"}
    connection.close()
    assert list(tmp_path.iterdir()) == []


def test_a_text_of_another_authority_is_not_trusted(
    server: Server, options: dict[str, t.Any], foreign: Authority
) -> None:
    options |= {"ca_path": None, "ca_content": foreign.path.read_text()}
    assert "not trusted" in failure(options).message


def test_token_session_uses_the_prefix_and_logs_out(server: Server, options: dict[str, t.Any]) -> None:
    options |= {"auth_method": "jwt", "virtual_proxy_prefix": "/Admin/", "token": TOKEN}
    server.answers = [(200, {"Set-Cookie": "X-Qlik-Session-admin=1; Path=/; HttpOnly; Secure"}, b"{}")]
    # This server insists on a client certificate, so only the requests themselves are of interest.
    connection = QrsClient(options)
    connection._http._pools.connection_pool_kw.update(cert_file=options["client_cert"], key_file=options["client_key"])
    connection.request("GET", "about")
    connection.close()
    (_method, path, headers, _body), (last_method, last_path, _headers, _none) = server.asked
    assert path.startswith("/admin/qrs/about?")
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert "X-Qlik-User" not in headers
    assert (last_method, last_path) == ("DELETE", "/admin/qps/user")


def signed_in(options: dict[str, t.Any], **changed: t.Any) -> QrsClient:
    """Return a connection through a virtual proxy to a server that requires a client certificate."""
    connection = QrsClient(options | changed)
    connection._http._pools.connection_pool_kw.update(cert_file=options["client_cert"], key_file=options["client_key"])
    return connection


def test_default_user_is_the_service_account(server: Server, options: dict[str, t.Any]) -> None:
    ask(options | {"user": None})
    assert server.asked[0][2]["X-Qlik-User"] == "UserDirectory=INTERNAL; UserId=sa_api"


@pytest.mark.parametrize(
    ("user", "header"),
    [
        ("ACME\\jürgen", "UserDirectory=ACME; UserId=j%C3%BCrgen"),
        ("ACME\\a;b=c/d", "UserDirectory=ACME; UserId=a%3Bb%3Dc%2Fd"),
        ("Ä ö\\中", "UserDirectory=%C3%84%20%C3%B6; UserId=%E4%B8%AD"),
    ],
)
def test_both_parts_of_the_user_are_url_encoded(
    server: Server, options: dict[str, t.Any], user: str, header: str
) -> None:
    ask(options | {"user": user})
    assert server.asked[0][2]["X-Qlik-User"] == header


TICKET: tuple[int, dict[str, str], bytes] = (
    201,
    {},
    b'{"UserDirectory": "ACME", "UserId": "anna", "Ticket": "one-time-secret", "TargetUri": null}',
)
COOKIE = {"Set-Cookie": "X-Qlik-Session=1; Path=/; HttpOnly; Secure"}


@pytest.mark.parametrize(("prefix", "below"), [(None, ""), ("", ""), ("/Tickets/", "/tickets")])
def test_a_ticket_is_fetched_used_once_and_logged_out(
    server: Server, options: dict[str, t.Any], prefix: str | None, below: str
) -> None:
    moved = f"https://localhost:{server.server_port}{below}/qrs/about"
    server.answers = [TICKET, (302, {**COOKIE, "Location": moved}, b""), (200, {}, b"{}"), (200, {}, b"[]")]
    connection = signed_in(options, auth_method="ticket", user=r"ACME\anna", virtual_proxy_prefix=prefix)
    assert connection.signs_in_through == below.strip("/")
    for _time in range(2):
        assert connection.request("GET", "tag").body == []
    connection.close()
    fetched, used, followed, *asked, left = server.asked
    assert (fetched[0], fetched[1].partition("?")[0]) == ("POST", f"/qps{below}/ticket")
    assert json.loads(fetched[3]) == {"UserDirectory": "ACME", "UserId": "anna", "Attributes": []}
    assert "qlikTicket=one-time-secret" in used[1]
    for _method, path, headers, _body in (used, followed, *asked):
        assert path.startswith(f"{below}/qrs/")
        assert f"xrfkey={headers['X-Qlik-Xrfkey']}" in path
        assert "X-Qlik-User" not in headers
    assert all("qlikTicket" not in path and "X-Qlik-Session=1" in headers["Cookie"] for _m, path, headers, _b in asked)
    assert left[:2] == ("DELETE", f"{below}/qps/user")


@pytest.mark.parametrize(
    ("answers", "outcome", "advice"),
    [
        ([(403, {}, b"XSRF")], "403 Forbidden: XSRF", "'qps_port'"),
        ([(200, {}, b"[]")], "contains no ticket", "'qps_port'"),
        ([(202, {}, TICKET[2])], '"Ticket": "***"', "'qps_port'"),
        ([TICKET, (302, {"Location": "/internal_forms_authentication/?targetId=1"}, b"")], "login form", "Ticket"),
        ([TICKET, (200, {"Content-Type": "text/html"}, b"<html>")], "login form", "Ticket"),
        (
            [TICKET, (302, {"Location": "https://elsewhere.example/?a=1"}, b"")],
            "not the host of the request",
            "host name",
        ),
        ([TICKET, (302, {"Location": "http://localhost/qrs/about"}, b"")], "not the host of the request", "host name"),
        ([TICKET, (400, {}, b"bad: one-time-secret")], "bad: ***", "log"),
        ([TICKET, (403, {}, b"Your account is inactive.")], "inactive", "Activate it under Users"),
    ],
)
def test_a_refused_ticket_fails_with_a_hint(
    server: Server, options: dict[str, t.Any], answers: list[t.Any], outcome: str, advice: str
) -> None:
    server.answers = answers
    with pytest.raises(AnswerError) as caught:
        signed_in(options, auth_method="ticket", user=r"ACME\anna").request("GET", "about")
    assert outcome in caught.value.message
    assert advice in caught.value.hint
    assert "one-time-secret" not in str(caught.value)


def test_a_session_lost_in_a_restart_is_renewed(server: Server, options: dict[str, t.Any]) -> None:
    entered = [TICKET, (200, COOKIE, b"{}")]
    lost = (302, {"Location": "/internal_forms_authentication/"}, b"")
    server.answers = [*entered, (201, {}, b'{"id": 1}'), lost, *entered, (200, {}, b'{"id": 2}'), lost, *entered, lost]
    connection = signed_in(options, auth_method="ticket", user=r"ACME\anna")
    assert connection.request("POST", "tag", body={}).body == {"id": 1}
    assert connection.request("PUT", "tag/2", body={}).body == {"id": 2}
    with pytest.raises(AnswerError) as caught:
        connection.request("GET", "tag")
    assert "no user is signed in" in caught.value.hint


def test_a_header_names_the_user_and_the_session_is_logged_out(server: Server, options: dict[str, t.Any]) -> None:
    server.answers = [(200, COOKIE, b"{}")]
    connection = signed_in(options, auth_method="header", header_name="X-User", user="anna", virtual_proxy_prefix="h")
    connection.request("GET", "about")
    connection.close()
    assert [(method, path.partition("?")[0], headers["X-User"]) for method, path, headers, _body in server.asked] == [
        ("GET", "/h/qrs/about", "anna"),
        ("DELETE", "/h/qps/user", "anna"),
    ]


def test_a_given_session_is_used_and_not_ended(server: Server, options: dict[str, t.Any]) -> None:
    connection = signed_in(options, auth_method="session", session_cookie="X-Qlik-Session=some-secret")
    connection.request("GET", "about")
    server.answers = [(401, {}, b"some-secret is over")]
    with pytest.raises(AnswerError) as caught:
        connection.request("GET", "about")
    connection.close()
    assert [headers["Cookie"] for _method, _path, headers, _body in server.asked] == ["X-Qlik-Session=some-secret"] * 2
    assert "has not ended" in caught.value.hint
    assert "some-secret" not in str(caught.value)


def test_ntlm_requires_its_library(options: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ntlm, "AVAILABLE", False)
    with pytest.raises(InputError) as caught:
        QrsClient(options | {"auth_method": "ntlm", "password": "a-secret"})
    assert "pyspnego" in caught.value.message
    assert "a-secret" not in str(caught.value)


@pytest.mark.parametrize("challenge", ["NTLM", "NTLM !!!", "NTLM TlRMTVNTUAACAAAA", "Negotiate"])
def test_an_invalid_challenge_is_refused(server: Server, options: dict[str, t.Any], challenge: str) -> None:
    pytest.importorskip("spnego")
    server.answers = [(401, {"WWW-Authenticate": challenge}, b"")]
    with pytest.raises(QlikError) as caught:
        signed_in(options, auth_method="ntlm", user=r"ACME\anna", password="a-secret").request("GET", "x")
    assert caught.value.context.endswith("/qrs/about")
    assert "does not support NTLM" in caught.value.message
    assert "a-secret" not in str(caught.value)
    assert all("Windows" in headers["User-Agent"] for _method, _path, headers, _body in server.asked)


@pytest.mark.parametrize(
    "refusal", [ValueError("[digital envelope routines] unsupported"), UnsupportedAlgorithm("cipher RC4")]
)
def test_missing_ntlm_algorithms_are_reported(
    server: Server, options: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch, refusal: Exception
) -> None:
    pytest.importorskip("requests_ntlm")
    challenge = "NTLM TlRMTVNTUAACAAAAAgACADAAAAA1gopgMTIzNDU2NzgAAAAAAAAAAAAAAAAyAAAAUwA="
    server.answers = [(401, {"WWW-Authenticate": "NTLM"}, b""), (401, {"WWW-Authenticate": challenge}, b"")]
    connection = signed_in(options, auth_method="ntlm", user=r"ACME\anna", password="a-secret")
    monkeypatch.setattr("hashlib.md5", Mock(side_effect=refusal))
    with pytest.raises(InputError) as caught:
        connection.request("GET", "x")
    assert caught.value.message == "This machine does not allow algorithms of NTLM (MD4, MD5, RC4), as in FIPS mode."
    assert "'auth_method', for example jwt or certificate" in caught.value.hint


@pytest.mark.parametrize("whose", ["server", "client"])
def test_certificates_that_openssl_forbids_are_named(
    authority: Authority, context: ssl.SSLContext, options: dict[str, t.Any], whose: str
) -> None:
    certificate, key = authority.issue(f"weak_{whose}", bits=1024)
    if whose == "server":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.load_cert_chain(certificate, key)
    else:
        options |= {"client_cert": certificate, "client_key": key}
    with serving(context) as server:
        error = failure(options | {"port": server.server_port})
    assert re.match(
        r"This machine does not allow an algorithm or a key size that is used here \(ee .*\)", error.message
    )
    assert "at least 2048 bits" in error.hint


def test_netrc_and_environment_are_ignored(
    server: Server, options: dict[str, t.Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, foreign: Authority
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine localhost login another password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(foreign.path))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    ask(options)
    [(_method, _path, headers, _body)] = server.asked
    assert "Authorization" not in headers


def test_another_ca_is_named(options: dict[str, t.Any], foreign: Authority) -> None:
    error = failure(options | {"ca_path": str(foreign.path)})
    assert "not trusted" in error.message
    assert "root.pem" in error.hint
    assert error.hint.endswith(" as ca_path.")


THROUGH_A_PROXY: dict[str, dict[str, t.Any]] = {
    "jwt": {"virtual_proxy_prefix": "x", "token": TOKEN},
    "ticket": {"user": r"ACME\anna"},
    "header": {"header_name": "X-User", "user": "anna"},
    "ntlm": {"user": r"ACME\anna", "password": "a-secret"},
    "session": {"session_cookie": "X-Qlik-Session=1"},
}


@pytest.fixture(params=THROUGH_A_PROXY)
def two_authorities(
    request: pytest.FixtureRequest, options: dict[str, t.Any], proxy: Server, foreign: Authority
) -> dict[str, t.Any]:
    """Options to sign in through a proxy with a certificate of another authority than that of the QPS."""
    if request.param == "ntlm":
        pytest.importorskip("spnego")
    way = {"auth_method": request.param, **THROUGH_A_PROXY[request.param]}
    return options | way | {"port": proxy.server_port, "proxy_ca_path": str(foreign.path)}


def test_proxy_ca_path_verifies_a_proxy(two_authorities: dict[str, t.Any], server: Server, proxy: Server) -> None:
    server.answers = [TICKET]
    ask(two_authorities)
    assert proxy.asked
    assert len(server.asked) == (two_authorities["auth_method"] == "ticket")


@pytest.fixture
def both(tmp_path: Path, authority: Authority, foreign: Authority) -> str:
    """Return a file with both authorities."""
    path = tmp_path / "both.pem"
    path.write_text(authority.path.read_text() + foreign.path.read_text())
    return str(path)


def test_ca_path_does_not_verify_a_proxy(
    two_authorities: dict[str, t.Any], server: Server, proxy: Server, authority: Authority, both: str
) -> None:
    server.answers = [TICKET]
    for proxy_ca_path in (None, str(authority.path)):
        error = failure(two_authorities | {"ca_path": both, "proxy_ca_path": proxy_ca_path})
        assert "not trusted" in error.message
        assert error.hint.endswith(" as proxy_ca_path.")
    assert proxy.asked == []


def test_proxy_ca_path_does_not_verify_repository_and_qps(
    options: dict[str, t.Any], server: Server, foreign: Authority, both: str
) -> None:
    for way in ({}, {"auth_method": "ticket"}):
        for ca_path in (None, str(foreign.path)):
            error = failure(options | way | {"ca_path": ca_path, "proxy_ca_path": both})
            assert "not trusted" in error.message
            assert error.hint.endswith(" as ca_path.")
    assert server.asked == []


def test_proxy_ca_path_is_not_read_without_a_proxy(options: dict[str, t.Any], server: Server) -> None:
    ask(options | {"proxy_ca_path": "/nonexistent/unused.pem"})
    assert len(server.asked) == 1


def test_another_host_name_is_named(options: dict[str, t.Any]) -> None:
    error = failure(options | {"host": ["127.0.0.1"]})
    assert "not for this host name" in error.message


def test_a_client_certificate_of_another_site_is_named(options: dict[str, t.Any], foreign: Authority) -> None:
    certificate, key = foreign.issue("client")
    error = failure(options | {"client_cert": certificate, "client_key": key})
    assert "client certificate" in f"{error.message} {error.hint}"
    assert "client.pem" in error.hint


def test_a_missing_client_certificate_is_named(options: dict[str, t.Any]) -> None:
    error = failure(options | {"auth_method": "jwt", "virtual_proxy_prefix": "x", "token": TOKEN})
    assert error.message.endswith("Most likely it requires a client certificate.")
    assert "4243) require one, proxies do not" in error.hint


def test_a_key_of_another_pair_is_named(options: dict[str, t.Any], authority: Authority) -> None:
    _certificate, key = authority.issue("second")
    assert "does not belong" in failure(options | {"client_key": key}).message


def test_a_refused_connection_is_named(options: dict[str, t.Any]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        error = failure(options | {"port": free.getsockname()[1]})
    assert isinstance(error, TransportError)
    assert "refused" in error.message


def test_unknown_host_is_reported(options: dict[str, t.Any]) -> None:
    assert "could not be resolved" in failure(options | {"host": ["qlik.invalid"]}).message


def test_silent_server_is_a_transport_error(options: dict[str, t.Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        error = failure(options | {"port": silent.getsockname()[1], "read_timeout": 0.2, "connect_timeout": 0.2})
    assert isinstance(error, TransportError)


def test_port_without_tls_is_reported(options: dict[str, t.Any]) -> None:
    def speak_http(listener: socket.socket) -> None:
        peer, _address = listener.accept()
        with peer:
            peer.recv(1000)
            peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as plain:
        thread = threading.Thread(target=speak_http, args=(plain,), daemon=True)
        thread.start()
        error = failure(options | {"port": plain.getsockname()[1]})
        thread.join()
    assert "does not use TLS" in error.message


@pytest.mark.parametrize(
    ("answer", "outcome", "advice"),
    [
        ((403, {}, b'"Forbidden"'), "answered 403 Forbidden: Forbidden.", "RootAdmin"),
        ((401, {}, b"nope"), "401", "client certificate"),
        ((302, {"Location": "/form"}, b""), "302", "looks like that of a proxy, which ignores client certificates"),
        ((404, {}, b""), "404 Not Found.", "4242"),
        (
            (400, {}, b"Cannot parse the expression: x"),
            "Cannot parse the expression: x",
            "did not arrive as it was sent",
        ),
        (
            (400, {"Content-Type": "text/html"}, b"<html>The http request header is incorrect</html>"),
            "an HTML page: The http request header is incorrect.",
            "Use the port of the repository service, which is 4242 by default",
        ),
        (
            (403, {}, b"XSRF prevention check failed. Possible XSRF discovered."),
            "XSRF prevention check failed",
            "The XSRF key of the request did not arrive",
        ),
        (
            (200, {"Content-Type": "text/html"}, b"<html>login</html>"),
            "an HTML page instead of JSON",
            "login page",
        ),
        ((200, {}, b'[{"id": '), "not JSON", "host, port"),
        ((503, {}, b"busy"), "503", "later"),
    ],
)
def test_unexpected_answers_are_refused_with_a_hint(
    server: Server, options: dict[str, t.Any], answer: t.Any, outcome: str, advice: str
) -> None:
    server.answers = [answer]
    error = failure(options)
    assert isinstance(error, AnswerError)
    assert outcome in error.message
    assert advice in error.hint
    assert error.status == answer[0]
    assert f"GET https://localhost:{options['port']}/qrs/about" in error.context
    assert "xrfkey" not in str(error)


def test_csrf_token_is_fetched_if_the_proxy_requires_it(server: Server, options: dict[str, t.Any]) -> None:
    options |= {"auth_method": "jwt", "virtual_proxy_prefix": "x", "token": TOKEN}
    csrf = (204, {"qlik-csrf-token": "csrf"}, b"")
    server.answers = [(200, {"Set-Cookie": "X=1"}, b"{}"), (403, {}, b"no"), csrf, (200, {}, b"{}"), (204, {}, b"")]
    connection = signed_in(options)
    for method in ("GET", "PUT"):
        connection.request(method, "about")
    connection.close()
    asked = [
        (method, path.partition("?")[0], headers.get("qlik-csrf-token"))
        for method, path, headers, _body in server.asked
    ]
    assert asked == [
        ("GET", "/x/qrs/about", None),
        ("PUT", "/x/qrs/about", None),
        ("GET", "/x/qps/csrftoken", None),
        ("PUT", "/x/qrs/about", "csrf"),
        ("DELETE", "/x/qps/user", "csrf"),
    ]


@pytest.mark.parametrize(
    ("answers", "requests"),
    [
        pytest.param([(403, {}, b"no"), (404, {}, b"")], 2, id="none to have"),
        pytest.param([(403, {}, b"no"), (0, {}, b"")], 2, id="no answer"),
        pytest.param([(403, {}, b"no"), (204, {"qlik-csrf-token": "a"}, b""), (403, {}, b"no")], 3, id="of no help"),
    ],
)
def test_a_csrf_token_does_not_help_without_rights(
    server: Server, options: dict[str, t.Any], answers: t.Any, requests: int
) -> None:
    options |= {"auth_method": "jwt", "virtual_proxy_prefix": "x", "token": TOKEN}
    server.answers = answers
    connection = signed_in(options)
    with pytest.raises(AnswerError) as caught:
        connection.request("PUT", "tag/1")
    connection.close()
    error = caught.value
    assert "403 Forbidden: no." in error.message
    assert "RootAdmin" in error.hint
    assert len(server.asked) == requests


def test_an_echoed_token_is_not_repeated(server: Server, options: dict[str, t.Any]) -> None:
    options |= {"auth_method": "jwt", "virtual_proxy_prefix": "x", "token": TOKEN}
    connection = QrsClient(options)
    connection._http._pools.connection_pool_kw.update(cert_file=options["client_cert"], key_file=options["client_key"])
    server.answers = [(400, {}, f"bad: {TOKEN}".encode())]
    with pytest.raises(AnswerError) as caught:
        connection.request("GET", "about")
    assert TOKEN not in str(caught.value)
    assert "***" in str(caught.value)


def test_a_busy_server_is_retried(server: Server, options: dict[str, t.Any]) -> None:
    server.answers = [(503, {"Retry-After": "0"}, b""), (429, {"Retry-After": "0"}, b""), (200, {}, b"[]")]
    assert ask(options | {"retries": 3}) == []
    assert len(server.asked) == 3


def test_the_deadline_ends_the_retries(server: Server, options: dict[str, t.Any]) -> None:
    server.answers = [(503, {"Retry-After": "3600"}, b"")]
    error = failure(options | {"retries": 5, "retry_deadline": 0.2})
    assert "503" in error.message
    assert len(server.asked) == 2


def test_create_is_not_repeated_after_a_lost_answer(server: Server, options: dict[str, t.Any]) -> None:
    server.answers = [(503, {"Retry-After": "0"}, b"")]
    error = failure(options | {"retries": 3}, "POST")
    assert error.uncertain
    assert len(server.asked) == 1
    server.answers = [(0, {}, b"")]
    error = failure(options | {"retries": 3}, "POST")
    assert isinstance(error, TransportError)
    assert error.uncertain
    assert len(server.asked) == 2


def test_a_conflict_after_a_lost_attempt_is_uncertain(server: Server, options: dict[str, t.Any]) -> None:
    server.answers = [(0, {}, b""), (409, {}, b"")]
    error = failure(options | {"retries": 2}, "PUT")
    assert isinstance(error, ConflictError)
    assert error.uncertain
    server.answers = [(409, {}, b"")]
    assert not failure(options | {"retries": 2}, "PUT").uncertain


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"host": ["https://qlik.example.com"]}, "not a host name"),
        ({"host": ["qlik.example.com:4242"]}, "contains a port"),
        ({"host": [""]}, "not a host name"),
        ({"host": ["a..b"]}, "host is 'a..b', which is not a host name"),
        ({"host": ["a" * 300]}, "which is not a host name"),
        ({"host": ["anna:pass-word@qlik1"]}, "host contains a user name or a password"),
        ({"host": ["::1%a\n ansible_connection: x"]}, "which is not a host name"),
        ({"port": 0}, "port is 0, which is not a port"),
        ({"port": 99999}, "port is 99999, which is not a port"),
        ({"read_timeout": float("inf")}, "read_timeout is inf, which is not a valid timeout"),
        ({"connect_timeout": 0.0}, "connect_timeout is 0.0, which is not a valid timeout"),
        ({"retry_deadline": float("nan")}, "retry_deadline is nan"),
        ({"auth_method": "header", "header_name": "Content-Length", "user": "anna"}, "is a reserved header"),
        *(
            ({"auth_method": "jwt", "token": "x", "virtual_proxy_prefix": path}, f"virtual_proxy_prefix is '{path}'")
            for path in ("./jwt", "jwt/.", "x/../jwt", "jwt/hub/..", "%6Awt", "jwt?x")
        ),
        ({"user": "sa_api"}, "DIRECTORY\\user"),
        ({"user": "A\\b\r\nX: y"}, "DIRECTORY\\user"),
        ({"client_cert": "/nonexistent/client.pem"}, "There is no file /nonexistent/client.pem"),
        ({"ca_path": "/nonexistent/root.pem"}, "There is no file /nonexistent/root.pem"),
        (
            {"auth_method": "jwt", "virtual_proxy_prefix": "x", "token": TOKEN, "proxy_ca_path": "/no/ca.pem"},
            "There is no file /no/ca.pem",
        ),
        ({"auth_method": "ticket", "ca_path": "/nonexistent/root.pem"}, "There is no file /nonexistent/root.pem"),
        ({"client_key": None}, "'client_key' is empty"),
        ({"auth_method": "jwt", "virtual_proxy_prefix": "x", "token": ""}, "'token' is empty"),
        ({"auth_method": "ticket", "user": "anna"}, "DIRECTORY\\user"),
        ({"auth_method": "ticket", "client_cert": None}, "'client_cert' is empty"),
        ({"auth_method": "header", "header_name": "X-User", "user": ""}, "'user' is empty"),
        ({"auth_method": "header", "header_name": "X-User", "user": "jürgen"}, "cannot be sent"),
        ({"auth_method": "header", "header_name": "X-User: a", "user": "anna"}, "not the name of a header"),
        ({"auth_method": "header", "header_name": "X-User", "user": "a\r\nX-Other: b"}, "cannot be sent"),
        ({"auth_method": "jwt", "virtual_proxy_prefix": "x", "token": "jürgen"}, "token contains characters"),
        ({"auth_method": "session", "session_cookie": "a=\u2026"}, "session_cookie contains characters"),
        ({"auth_method": "ntlm", "password": ""}, "'password' is empty"),
        *(
            ({"auth_method": "jwt", "virtual_proxy_prefix": "x", "token": token}, words)
            for token, words in (
                (f"Bearer {TOKEN}", "The token begins with the word Bearer."),
                ("[object Object]", "is the text of an object of JavaScript"),
                (f"'{TOKEN}'", "The token is in quotes."),
                (TOKEN[:-150], "The signature of the token is cut off after 19 bytes."),
                (TOKEN.rpartition(".")[0], "this one has 2."),
                (TOKEN[8:], "The header of the token cannot be read"),
                (f"{TOKEN}.a.b", "The token has five parts, so it is encrypted"),
            )
        ),
        ({"auth_method": "session", "session_cookie": "X-Qlik-Session"}, "NAME=VALUE"),
        ({"auth_method": "session", "session_cookie": "X-Qlik-Session=a; Path=/"}, "NAME=VALUE"),
    ],
)
def test_invalid_options_are_refused(options: dict[str, t.Any], changed: dict[str, t.Any], words: str) -> None:
    with pytest.raises(InputError) as caught:
        QrsClient(options | changed)
    assert words in caught.value.message
    assert "pass-word" not in str(caught.value)
    assert TOKEN[:20] not in str(caught.value)


FIRST = "127.0.0.2"  # nothing listens there unless a test begins to
HOSTS = {"host": [FIRST, "localhost"]}


@pytest.fixture
def warned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(hosts, "warn", found.append)
    return found


@contextlib.contextmanager
def listening(port: int, *answers: bytes) -> t.Iterator[None]:
    """Take one connection for each answer, send it and end the connection; take no further one."""

    def answer() -> None:
        for text in answers:
            peer, _address = listener.accept()
            with peer:
                peer.recv(1000)
                peer.sendall(text)

    with socket.create_server((FIRST, port)) as listener:
        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield
        thread.join()


@pytest.mark.parametrize(
    ("name", "answers", "reason"),
    [
        (FIRST, None, "The connection was refused."),
        ("qlik.invalid", None, "The host name could not be resolved."),
        (FIRST, [], "The connection was established, but no complete answer arrived within the read timeout."),
        (FIRST, [b""], "The server ended the TLS handshake"),
    ],
)
def test_the_next_host_is_used_if_one_does_not_answer(
    server: Server,
    options: dict[str, t.Any],
    warned: list[str],
    name: str,
    answers: list[bytes] | None,
    reason: str,
) -> None:
    changed = {"host": [name, "localhost"], "connect_timeout": 0.3, "retries": 3}
    with listening(server.server_port, *answers) if answers is not None else contextlib.nullcontext():
        connection = QrsClient(options | changed)
        for _time in range(2):
            connection.request("GET", "about")
    assert connection.base == f"https://localhost:{server.server_port}"
    assert len(server.connections) == 1
    connection.close()
    [warning] = warned
    assert warning.startswith(f"The repository on localhost is used, because other hosts did not answer: {name}: ")
    assert reason in warning


@pytest.mark.parametrize(
    ("changed", "answer", "words"),
    [
        ({}, (401, {}, b""), "401"),
        ({}, (403, {}, b""), "403"),
        ({}, (503, {}, b""), "503"),
        ({"ca_path": None}, (200, {}, b"{}"), "not trusted"),
    ],
)
def test_a_refusal_stops_the_search_for_a_host(
    server: Server, options: dict[str, t.Any], warned: list[str], changed: dict[str, t.Any], answer: t.Any, words: str
) -> None:
    server.answers = [answer]
    error = failure(options | {"host": ["localhost", "qlik.invalid"]} | changed)
    assert words in error.message
    assert "qlik.invalid" not in str(error)
    assert warned == []


def test_a_refused_client_certificate_stops_the_search(
    server: Server, options: dict[str, t.Any], foreign: Authority
) -> None:
    certificate, key = foreign.issue("client")
    pair = {"client_cert": certificate, "client_key": key}
    assert "qlik.invalid" not in str(failure(options | pair | {"host": ["localhost", "qlik.invalid"]}))


def test_a_port_without_tls_stops_the_search(server: Server, options: dict[str, t.Any]) -> None:
    with listening(server.server_port, b"HTTP/1.1 400 Bad Request\r\n\r\n"):
        assert "does not use TLS" in failure(options | HOSTS).message
    assert server.asked == []


def test_each_host_is_named_if_none_answers(server: Server, options: dict[str, t.Any]) -> None:
    error = failure(options | {"host": [FIRST, "qlik.invalid"]})
    assert f"GET https://qlik.invalid:{server.server_port}/qrs/about" in error.context
    assert error.message == (
        f"The host name could not be resolved. Other hosts did not answer: {FIRST}: The connection was refused."
    )


def test_a_refusal_names_the_hosts_before_it(server: Server, options: dict[str, t.Any]) -> None:
    server.answers = [(403, {}, b"")]
    assert failure(options | HOSTS).message == (
        f"The server answered 403 Forbidden. Other hosts did not answer: {FIRST}: The connection was refused."
    )


@pytest.mark.parametrize(("method", "asked"), [("GET", ["GET"]), ("PUT", [])])
def test_writes_are_not_repeated_on_another_host(
    server: Server,
    context: ssl.SSLContext,
    options: dict[str, t.Any],
    warned: list[str],
    method: str,
    asked: list[str],
) -> None:
    connection = QrsClient(options | HOSTS)
    with serving(context, (FIRST, server.server_port)) as first:
        first.answers = [(200, {"Connection": "close"}, b"{}")]
        connection.request("GET", "about")
    with contextlib.nullcontext() if method == "GET" else pytest.raises(TransportError, match="refused"):
        connection.request(method, "about")
    assert [one[0] for one in server.asked] == asked
    if method == "PUT":
        with pytest.raises(TransportError, match="refused"):
            connection.request("GET", "about")
    assert [one[0] for one in first.asked] == ["GET"]
    assert len(warned) == len(asked)
    connection.close()


def test_each_host_is_signed_in_to(
    server: Server, context: ssl.SSLContext, options: dict[str, t.Any], warned: list[str]
) -> None:
    connection = signed_in(options | HOSTS, auth_method="ticket", user=r"ACME\anna")
    last = (200, {"Connection": "close"}, b"[]")
    with serving(context, (FIRST, server.server_port)) as first:
        first.answers = [TICKET, (200, {"Set-Cookie": "X-Qlik-Session=first; Path=/; Secure"}, b"{}"), last]
        connection.request("GET", "tag")
    server.answers = [TICKET, (200, COOKIE, b"{}"), (200, {}, b"[]")]
    connection.request("GET", "tag")
    connection.close()
    assert [path.partition("?")[0] for _method, path, _headers, _body in server.asked] == [
        "/qps/ticket",
        "/qrs/about",
        "/qrs/tag",
        "/qps/user",
    ]
    assert [headers.get("Cookie") for _m, _path, headers, _b in server.asked] == [None, None, *["X-Qlik-Session=1"] * 2]
    assert len(first.asked) == 3


def test_all_hosts_are_tried_again_after_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(hosts.time, "monotonic", lambda: sum(pauses))
    monkeypatch.setattr(hosts.time, "sleep", pauses.append)
    several = hosts.Hosts(["a", "b"], retries=3, retry_deadline=2)
    several.current = "b"
    assert list(several.attempts()) == ["b", "a", "b", "a", "b", "a"]
    assert pauses == [0.5, 1.0]
    several.settle()
    assert list(several.attempts()) == ["b"]


def test_a_host_that_answers_again_is_no_other_host(warned: list[str]) -> None:
    one = hosts.Hosts(["a"], retries=0, retry_deadline=2)
    one.failed(TransportError("It took too long."))
    one.warn_once()
    assert warned == []
