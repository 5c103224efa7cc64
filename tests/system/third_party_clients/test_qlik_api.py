# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""@qlik/api, Qlik's own client, with a token for a JWT virtual proxy: cookie, REST and websocket on each release. With
exported certificates it connects to the engine itself."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from clients import ClientError, QlikApi
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from virtual_proxies import token

from qlik_sense_simulator.releases import RELEASES
from qlik_sense_simulator.testing import RunningSite

OLD, NEW = "may-2024", "may-2026"
APP = "b9a1e2a4-1f0c-4f9e-a5a8-3d4f0f3f5b11"
# How the client words error 1003 of the engine, App not found: as if it were the code of a websocket's end.
NO_APP = "Unsupported data."
Start = t.Callable[..., RunningSite]
Connect = t.Callable[..., QlikApi]


@pytest.mark.parametrize("release", [OLD, NEW])
class TestEveryRelease:
    @pytest.fixture
    def site(self, start: Start, release: str) -> RunningSite:
        return start(release)

    @pytest.fixture
    def client(self, connect_qlik_api: Connect, site: RunningSite) -> QlikApi:
        return connect_qlik_api(site, token=token(site, "anna"))

    def test_rest_calls_share_one_session(self, client: QlikApi, site: RunningSite, release: str) -> None:
        assert client.rest("/qrs/about") == (200, {**client.rest("/qrs/about").body})
        assert client.rest("/qrs/about").body["buildVersion"] == RELEASES[release].build_version
        assert client.rest("/qps/user").body["userId"] == "anna"
        assert client.rest("/api/hub/v1/streams").body == {"data": [], "included": []}
        assert client.rest("/qrs/tag") == (200, [])
        paths = [entry["path"] for entry in client.requests(site)]
        assert paths.count("/jwt/qlik-embed/main.js") == 1

    def test_websocket(self, client: QlikApi, site: RunningSite, release: str) -> None:
        events, error = client.open_app(APP)
        assert events == ["opened"]
        assert error.endswith(NO_APP)
        entries = {entry["path"]: entry["status"] for entry in client.requests(site)}
        assert entries == {
            "/jwt/qlik-embed/main.js": 200,
            "/jwt/qps/csrftoken": 404 if release == OLD else 204,
            f"/jwt/app/{APP}": 101,
        }


def test_websocket_where_an_origin_is_required(start: Start, connect_qlik_api: Connect) -> None:
    site = start(NEW, websocket_origin="required")
    client = connect_qlik_api(site, token=token(site, "anna"))
    assert client.rest("/qrs/about").status == 200
    events, error = client.open_app(APP)
    assert events == ["suspended"]
    assert "403" in error


@pytest.mark.parametrize(("seconds", "key"), [(-600, "client_key"), (600, "server_key")], ids=["expired", "forged"])
def test_refused_token_brings_no_cookie(start: Start, connect_qlik_api: Connect, seconds: int, key: str) -> None:
    site = start(NEW)
    client = connect_qlik_api(site, token=token(site, "anna", seconds=seconds, key=key))
    with pytest.raises(ClientError, match="Failed to exchange access token for cookie"):
        client.rest("/qrs/about")


@pytest.fixture(scope="module")
def engine_site(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[RunningSite]:
    nodes = [{"name": "Central", "host_name": "localhost", "is_central": True, "engine_port": 0}]
    with RunningSite(tmp_path_factory.mktemp("engine") / "site", {"nodes": nodes}) as running:
        yield running


@pytest.fixture(scope="module")
def pfx(engine_site: RunningSite) -> pathlib.Path:
    """Return the client certificate as the QMC exports it for Windows."""
    key = serialization.load_pem_private_key((engine_site.pki / "client_key.pem").read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    certificate = x509.load_pem_x509_certificate((engine_site.pki / "client.pem").read_bytes())
    encryption = serialization.BestAvailableEncryption(b"secret")
    file = engine_site.pki / "client.pfx"
    file.write_bytes(pkcs12.serialize_key_and_certificates(b"client", key, certificate, None, encryption))
    return file


def test_engine_with_certificates(connect_qlik_api: Connect, engine_site: RunningSite, pfx: pathlib.Path) -> None:
    client = connect_qlik_api(engine_site, pfx=str(pfx), passphrase="secret")
    events, error = client.open_app(APP)
    assert events == ["opened"]
    assert error.endswith(NO_APP)
    [entry] = client.requests(engine_site)
    assert (entry["port"], entry["path"], entry["status"]) == ("engine:Central", f"/app/{APP}", 101)
