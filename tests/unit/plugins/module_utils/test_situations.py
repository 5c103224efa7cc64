# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers of servers, and their explanations. The table is situations.yml."""

from __future__ import annotations

import collections
import datetime
import http.server
import re
import ssl
import threading
import time
import typing as t
from pathlib import Path

import jwt
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ansible_collections.sensible.qlik.plugins.module_utils._errors import QlikError
from ansible_collections.sensible.qlik.plugins.module_utils._http.qrs import QrsClient
from ansible_collections.sensible.qlik.plugins.module_utils._login.checks import OPTIONAL
from ansible_collections.sensible.qlik.plugins.module_utils._login.models import Login, RunOptions
from ansible_collections.sensible.qlik.plugins.module_utils._login.runner import run_logins
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy.model import VirtualProxy
from ansible_collections.sensible.qlik.tests.unit.plugins.fake_proxy import FakeProxy, Reply, frame

Situation = dict[str, t.Any]

SITUATIONS: list[Situation] = yaml.safe_load((Path(__file__).with_name("situations.yml")).read_text(encoding="utf-8"))
USER = ("ACME", "anna")
KEYS = {name: rsa.generate_private_key(65537, 2048) for name in ("own", "other")}


def certificate(key: rsa.RSAPrivateKey) -> str:
    now = datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=90))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


CERTIFICATES = {name: certificate(key) for name, key in KEYS.items()}


class Server(http.server.ThreadingHTTPServer):
    """Gives the answer of a situation to each request."""

    daemon_threads = True
    situation: t.ClassVar[Situation]


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self) -> None:
        situation = t.cast("Server", self.server).situation
        self.send_response_only(situation["status"])
        for name, value in situation.get("headers", {}).items():
            self.send_header(name, value)
        if "server_clock" in situation:
            self.send_header("Date", self.date_time_string(time.time() + situation["server_clock"]))
        self.end_headers()
        self.wfile.write(situation.get("body", "").encode())

    do_GET = do_DELETE = answer  # noqa: N815 - the names that http.server looks for

    def log_message(self, *args: t.Any) -> None:
        """Print nothing."""


def serving(context: ssl.SSLContext | None = None) -> t.Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def proxy() -> t.Iterator[Server]:
    yield from serving()


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Return the paths of a certificate and its key."""
    directory = tmp_path_factory.mktemp("pki")
    formats = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (directory / "certificate.pem").write_text(CERTIFICATES["own"])
    (directory / "key.pem").write_bytes(KEYS["own"].private_bytes(serialization.Encoding.PEM, *formats))
    return str(directory / "certificate.pem"), str(directory / "key.pem")


@pytest.fixture(scope="module")
def repository(pair: tuple[str, str]) -> t.Iterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    yield from serving(context)


def of(request: str) -> t.Any:
    """Return a parameter for each situation with a request of this kind."""
    return pytest.mark.parametrize(
        "situation", [pytest.param(one, id=one["situation"]) for one in SITUATIONS if one["request"] == request]
    )


def explained(situation: Situation, found: str, *fields: str) -> bool:
    """Compare a text with that of fields of the table, whose values in <<...>> differ from run to run."""
    text = re.escape(" ".join(situation[field] for field in fields if field in situation))
    return bool(re.fullmatch(re.sub("<<.*?>>", ".+?", text), found))


def diagnosis(situation: Situation, url: str, check: str) -> str:
    """Return the explanation of a failed login check."""
    now = int(time.time())
    times = {"iat": -60, "nbf": -60, "exp": 600} | situation.get("token", {})
    claims = {"userDirectory": USER[0], "userId": USER[1]} | {
        name: now + value if name in ("iat", "nbf", "exp") else value for name, value in times.items()
    }
    claims["padding"] = "x" * situation.get("padding", 0) or None
    token = jwt.encode({name: value for name, value in claims.items() if value is not None}, KEYS["own"], "RS256")
    given = dict(situation.get("given", {}))
    if "jwt_public_key_certificate" in given:
        given["jwt_public_key_certificate"] = CERTIFICATES[given["jwt_public_key_certificate"]]
    login = Login(
        proxy=url, prefix="portal", token=token, negative_tokens={}, user=USER, virtual_proxy=VirtualProxy(given)
    )
    options = RunOptions(
        verify=True, timeout=(2, 5), wait=0, threads=1, foreign_key=KEYS["other"], skip=frozenset(OPTIONAL) - {check}
    )
    [run] = run_logins([login], options)
    [result] = [one for one in run.results if one.name == check]
    assert result.status == "failed", result
    return result.diagnosis or ""


@of("login")
def test_login_is_explained(situation: Situation, proxy: Server) -> None:
    proxy.situation = situation  # type: ignore[misc]
    found = diagnosis(situation, f"http://127.0.0.1:{proxy.server_port}", "login")
    assert explained(situation, found, "cause", "remedy"), found


@of("websocket")
def test_websocket_is_explained(situation: Situation) -> None:
    status, body = situation.get("status", 101), situation.get("body", "")
    with FakeProxy(KEYS["own"].public_key()) as fake:

        def answer(request: t.Any) -> Reply | None:
            if request.path == "qps/csrftoken" and "csrf_token" in situation:
                return Reply(situation["csrf_token"], body)
            if request.path != "app/engineData":
                return None
            if status is None:
                raise ConnectionError
            if status != 101:
                return Reply(status, body)
            return fake.upgraded(request, *(frame({"jsonrpc": "2.0", **one}) for one in situation["messages"]))

        fake.answer = answer
        found = diagnosis(situation, fake.url, "websocket")
    assert explained(situation, found, "cause", "remedy"), found


@of("repository")
def test_repository_is_explained(situation: Situation, repository: Server, pair: tuple[str, str]) -> None:
    repository.situation = situation  # type: ignore[misc]
    options = {
        "host": ["localhost"],
        "port": repository.server_port,
        "auth_method": "certificate",
        "client_cert": pair[0],
        "client_key": pair[1],
        "user": r"INTERNAL\sa_api" + "x" * situation.get("padding", 0),
        "qps_port": repository.server_port,
        "validate_certs": False,
        "connect_timeout": 5.0,
        "read_timeout": 5.0,
        "retries": 0,
        "retry_deadline": 20.0,
    }
    client = QrsClient(collections.defaultdict(lambda: None, options))
    with pytest.raises(QlikError) as caught:
        client.request("GET", "about")
    client.close()
    assert explained(situation, caught.value.message, "message"), caught.value.message
    assert explained(situation, caught.value.hint, "cause", "remedy"), caught.value.hint


def test_the_table_is_large_enough() -> None:
    same_but_text = collections.Counter(
        (one["request"], one.get("status", 101), "body" in one, str(one.get("given")), str(one.get("headers")))
        for one in SITUATIONS
    )
    assert len(SITUATIONS) >= 60
    assert sum(one["source"] != "-" for one in SITUATIONS) >= 30
    assert same_but_text.most_common(1)[0][1] >= 10, "Ten of them differ in their text only."
    assert len({one["situation"] for one in SITUATIONS}) == len(SITUATIONS)
