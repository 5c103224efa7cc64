# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The simulator as a process: ports, certificates, the ready file, stop, restart and errors."""

from __future__ import annotations

import contextlib
import datetime
import functools
import hashlib
import json
import pathlib
import random
import signal
import socket
import ssl
import stat
import subprocess
import sys
import typing as t
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
import signing
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from running import XRFKEY, Simulator

from qlik_sense_simulator.testing import RunningSites

PKI = {"root.pem", "client.pem", "client_key.pem", "server.pem", "server_key.pem", "proxy_root.pem"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Simulator]:
    with Simulator(tmp_path_factory.mktemp("running") / "site") as simulator:
        yield simulator


def port(url: str) -> int:
    number = urllib.parse.urlsplit(url).port
    assert number is not None
    return number


class TestReady:
    def test_ready_file_has_all_addresses(self, running: Simulator) -> None:
        ready = running.ready
        assert list(ready) == ["pid", "qrs_url", "nodes"]
        assert [list(node) for node in ready["nodes"]] == [
            ["name", "host_name", "is_central", "proxy_url", "qps_url"]
        ] * 2
        assert [(node["name"], node["host_name"], node["is_central"]) for node in ready["nodes"]] == [
            ("Central", "localhost", True),
            ("Rim1", "127.0.0.1", False),
        ]
        urls = [ready["qrs_url"], *(node[name] for node in ready["nodes"] for name in ("proxy_url", "qps_url"))]
        assert len({port(url) for url in urls}) == 5
        for url in urls:
            # The name in each address is in the certificate, and the port answers.
            assert running.session.get(url, timeout=60, allow_redirects=False).status_code in (301, 403, 404)

    def test_proxy_settings_have_the_ports(self, running: Simulator) -> None:
        settings = [proxy["settings"] for proxy in running.qrs("GET", "proxyservice/full").json()]
        assert [(one["listenPort"], one["restListenPort"]) for one in settings] == [
            (port(node["proxy_url"]), port(node["qps_url"])) for node in running.ready["nodes"]
        ]

    def test_log_has_one_line(self, running: Simulator) -> None:
        assert running.log.read_text() == f"{running.directory / 'ready.json'}\n"

    def test_ports_are_on_loopback_only(self, running: Simulator) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(("192.0.2.1", 9))
            address = probe.getsockname()[0]
        if address.startswith("127."):
            pytest.skip("this machine has no other address")
        with pytest.raises(OSError), socket.create_connection((address, port(running.ready["qrs_url"])), timeout=5):  # noqa: PT011
            pass


class TestCertificates:
    def test_files_have_their_permissions(self, running: Simulator) -> None:
        pki = running.directory / "pki"
        assert {path.name for path in pki.iterdir()} == PKI
        keys = [running.directory / "root_key.pem", *pki.glob("*_key.pem")]
        assert {stat.S_IMODE(path.stat().st_mode) for path in keys} == {0o600}
        assert len(keys) == 3

    def test_client_certificate_has_the_name_of_a_real_site(self, running: Simulator) -> None:
        client = x509.load_pem_x509_certificate((running.directory / "pki" / "client.pem").read_bytes())
        assert client.subject.rfc4514_string() == "CN=QlikClient"

    def test_certificates_pass_strict_verification(self, running: Simulator) -> None:
        pki = running.directory / "pki"
        context = ssl.create_default_context(cafile=pki / "root.pem")
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        context.load_cert_chain(pki / "client.pem", pki / "client_key.pem")
        for host in ("localhost", "127.0.0.1"):
            url = f"https://{host}:{port(running.ready['qrs_url'])}/qrs/about?xrfkey={XRFKEY}"
            request = urllib.request.Request(url, headers={"X-Qlik-Xrfkey": XRFKEY})
            with urllib.request.urlopen(request, context=context, timeout=60) as answer:
                assert json.load(answer)["schemaPath"] == "About"

    @pytest.mark.parametrize("name", ["qrs", "qps"])
    @pytest.mark.parametrize(("foreign", "alert"), [(False, "CERTIFICATE_REQUIRED"), (True, "UNKNOWN_CA")])
    def test_foreign_client_certificate_gets_an_alert(
        self, running: Simulator, tmp_path: pathlib.Path, name: str, foreign: bool, alert: str
    ) -> None:
        url = running.ready["qrs_url"] if name == "qrs" else running.ready["nodes"][1]["qps_url"]
        context = ssl.create_default_context(cafile=running.directory / "pki" / "root.pem")
        if foreign:
            (tmp_path / "own.pem").write_text(signing.certificate())
            key = signing.rsa_key().private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            (tmp_path / "own_key.pem").write_bytes(key)
            context.load_cert_chain(tmp_path / "own.pem", tmp_path / "own_key.pem")
        with (
            socket.create_connection(("127.0.0.1", port(url)), timeout=60) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as connection,
            pytest.raises(ssl.SSLError) as caught,
        ):
            connection.recv(1)  # in TLS 1.3 the client gets the alert when it reads
        assert alert in str(caught.value.reason)

    def test_proxies_request_no_client_certificate(self, running: Simulator) -> None:
        url = f"{running.ready['nodes'][0]['proxy_url']}/hub/"
        answer = requests.get(url, verify=running.session.verify, timeout=60, allow_redirects=False)
        assert answer.status_code == 302

    def test_missing_certificate_is_403_by_switch(self, tmp_path: pathlib.Path) -> None:
        with Simulator(tmp_path / "site", {"switches": {"missing_client_certificate": "403"}}) as simulator:
            assert simulator.qrs("GET", "about").status_code == 200
            for path in ("qrs/about", "simulator/database"):
                url = f"{simulator.ready['qrs_url']}/{path}"
                answer = requests.get(
                    url,
                    params={"xrfkey": XRFKEY},
                    headers={"X-Qlik-Xrfkey": XRFKEY},
                    verify=simulator.session.verify,
                    timeout=60,
                )
                assert (answer.status_code, answer.text) == (403, "Forbidden")


class TestStop:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_signal_stops_the_simulator_cleanly(self, tmp_path: pathlib.Path, number: signal.Signals) -> None:
        simulator = Simulator(tmp_path / "site")
        # An open connection of a waiting client does not prevent the stop.
        assert simulator.qrs("GET", "about").status_code == 200
        assert simulator.stop(number) == 0
        assert not (tmp_path / "site" / "ready.json").exists()
        assert simulator.log.read_text().count("\n") == 1

    @staticmethod
    def without_ports(simulator: Simulator) -> dict[str, t.Any]:
        """Return the database without the ports, which differ at each start."""
        database: dict[str, t.Any] = simulator.control("GET", "database").json()
        for proxy in database["ProxyService"]:
            del proxy["settings"]["listenPort"], proxy["settings"]["restListenPort"]
        return database

    def test_entities_survive_a_restart(self, tmp_path: pathlib.Path) -> None:
        body = {"prefix": "jwt", "sessionCookieHeaderName": "X"}
        with Simulator(tmp_path / "site") as simulator:
            pki = {path.name: path.read_bytes() for path in (tmp_path / "site" / "pki").iterdir()}
            created = simulator.qrs("POST", "virtualproxyconfig", body).json()
            database = self.without_ports(simulator)
        with Simulator(tmp_path / "site") as simulator:
            assert {path.name: path.read_bytes() for path in (tmp_path / "site" / "pki").iterdir()} == pki
            assert simulator.qrs("GET", f"virtualproxyconfig/{created['id']}").json() == created
            assert self.without_ports(simulator) == database

    def test_killed_simulator_starts_again(self, tmp_path: pathlib.Path) -> None:
        simulator = Simulator(tmp_path / "site")
        created = simulator.qrs("POST", "tag", {"name": "survives"}).json()
        simulator.stop(signal.SIGKILL)
        assert (tmp_path / "site" / "ready.json").exists()
        with Simulator(tmp_path / "site") as simulator:
            assert simulator.qrs("GET", f"tag/{created['id']}").json() == created


class TestStart:
    def run(self, *arguments: object) -> str:
        """Return the line on standard error of a start that fails."""
        command = [sys.executable, "-m", "qlik_sense_simulator", *map(str, arguments)]
        result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert result.returncode == 1, result
        assert result.stdout == ""
        [line] = result.stderr.splitlines()
        return line

    def test_second_simulator_in_directory_is_refused(self, running: Simulator) -> None:
        line = self.run("serve", "--directory", running.directory)
        assert line.startswith("qlik-sense-simulator: Another simulator runs in ")
        assert running.qrs("GET", "about").status_code == 200
        assert (running.directory / "ready.json").exists()

    def test_port_in_use_is_reported(self, running: Simulator, tmp_path: pathlib.Path) -> None:
        number = port(running.ready["qrs_url"])
        line = self.run("serve", "--directory", tmp_path / "site", "--qrs-port", number)
        assert f"Port {number} for qrs" in line
        assert not (tmp_path / "site" / "ready.json").exists()

    def test_wrong_site_file_is_reported(self, tmp_path: pathlib.Path) -> None:
        (tmp_path / "site.yml").write_text("switchs: {}\n")
        line = self.run("serve", "--directory", tmp_path / "site", "--site", tmp_path / "site.yml")
        assert "unknown name switchs. Known are: release, nodes," in line

    def test_start_after_a_wrong_virtual_proxy_succeeds(self, tmp_path: pathlib.Path) -> None:
        site = {"virtual_proxies": [{"prefix": "not possible", "sessionCookieHeaderName": "X"}]}
        (tmp_path / "site.yml").write_text(json.dumps(site))
        line = self.run("serve", "--directory", tmp_path / "site", "--site", tmp_path / "site.yml")
        assert "The site file has a VirtualProxyConfig that the repository refuses: prefix" in line
        site["virtual_proxies"][0]["prefix"] = "possible"
        with Simulator(tmp_path / "site", site) as simulator:
            assert simulator.qrs("GET", "virtualproxyconfig/count").json() == {"value": 2}

    def test_directory_of_another_site_is_refused(self, tmp_path: pathlib.Path) -> None:
        Simulator(tmp_path / "site").stop()
        nodes = [{"name": "Alone", "host_name": "localhost", "is_central": True}]
        (tmp_path / "other.yml").write_text(json.dumps({"nodes": nodes}))
        line = self.run("serve", "--directory", tmp_path / "site", "--site", tmp_path / "other.yml")
        assert "nodes Central, Rim1, not Alone" in line

    def test_broken_database_is_reported(self, tmp_path: pathlib.Path) -> None:
        (tmp_path / "repository.sqlite").write_text("not a database, but long enough to look like a broken one" * 20)
        assert "cannot be read" in self.run("serve", "--directory", tmp_path)

    def test_given_ports_and_host_names_are_used(self, tmp_path: pathlib.Path) -> None:
        def free() -> int:
            """Return a free port below those that the kernel assigns."""
            for port in random.sample(range(20000, 30000), 100):
                with socket.socket() as probe, contextlib.suppress(OSError):
                    probe.bind(("127.0.0.1", port))
                    return port
            raise AssertionError("a hundred ports are taken")

        Simulator(tmp_path / "site", {"nodes": [{"name": "A", "host_name": "a.test", "is_central": True}]}).stop()
        server = tmp_path / "site" / "pki" / "server.pem"
        before = x509.load_pem_x509_certificate(server.read_bytes())
        qrs, proxy = free(), free()
        node = {"name": "A", "host_name": "b.test", "is_central": True, "proxy_port": proxy}
        with Simulator(tmp_path / "site", {"nodes": [node]}, arguments=["--qrs-port", str(qrs)]) as simulator:
            assert simulator.ready["qrs_url"] == f"https://localhost:{qrs}"
            assert simulator.ready["nodes"][0]["proxy_url"] == f"https://localhost:{proxy}"
            after = x509.load_pem_x509_certificate(server.read_bytes())
            names = after.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            assert "b.test" in names.get_values_for_type(x509.DNSName)
            assert after.issuer == before.issuer
            assert simulator.qrs("GET", "about").status_code == 200


@pytest.fixture(scope="module")
def two_authorities(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Simulator]:
    with Simulator(tmp_path_factory.mktemp("other") / "site", {"proxy_authority": "other"}) as simulator:
        yield simulator


def verifies(simulator: Simulator, ca: str, url: str) -> bool:
    """Return True if a file in the directory of PEM files verifies the server at a URL."""
    context = ssl.create_default_context(cafile=simulator.pki / ca)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    try:
        with socket.create_connection(("127.0.0.1", port(url)), timeout=60) as plain:
            context.wrap_socket(plain, server_hostname=urllib.parse.urlsplit(url).hostname).close()
    except ssl.SSLCertVerificationError as error:
        # An unknown root at the end of the chain, or a chain without a root
        if error.verify_code not in (19, 20):
            raise
        return False
    return True


def thumbprints(simulator: Simulator) -> set[str]:
    proxies = simulator.qrs("GET", "proxyservice/full").json()
    return {proxy["settings"]["sslBrowserCertificateThumbprint"] for proxy in proxies}


class TestProxyAuthority:
    def test_default_is_the_authority_of_the_site(self, running: Simulator) -> None:
        assert (running.pki / "proxy_root.pem").read_bytes() == (running.pki / "root.pem").read_bytes()
        assert not (running.directory / "proxy_root_key.pem").exists()
        assert thumbprints(running) == {""}

    def test_other_authority_is_used_by_proxies_only(self, two_authorities: Simulator) -> None:
        for node in two_authorities.ready["nodes"]:
            assert verifies(two_authorities, "proxy_root.pem", node["proxy_url"])
            assert not verifies(two_authorities, "root.pem", node["proxy_url"])
            assert verifies(two_authorities, "root.pem", node["qps_url"])
            assert not verifies(two_authorities, "proxy_root.pem", node["qps_url"])
        assert verifies(two_authorities, "root.pem", two_authorities.ready["qrs_url"])
        assert not verifies(two_authorities, "proxy_root.pem", two_authorities.ready["qrs_url"])

    def test_other_authority_has_its_own_files(self, two_authorities: Simulator) -> None:
        assert {path.name for path in two_authorities.pki.iterdir()} == PKI | {"proxy.pem", "proxy_key.pem"}
        for key in (two_authorities.pki / "proxy_key.pem", two_authorities.directory / "proxy_root_key.pem"):
            assert stat.S_IMODE(key.stat().st_mode) == 0o600

    def test_settings_have_the_thumbprint(self, two_authorities: Simulator) -> None:
        der = ssl.PEM_cert_to_DER_cert((two_authorities.pki / "proxy.pem").read_text())
        assert thumbprints(two_authorities) == {hashlib.sha1(der).hexdigest().upper()}

    def test_authority_is_kept_and_can_be_reverted(self, tmp_path: pathlib.Path) -> None:
        kept = [tmp_path / "site" / "pki" / name for name in ("root.pem", "proxy_root.pem", "proxy.pem")]
        with Simulator(tmp_path / "site", {"proxy_authority": "other"}):
            before = [path.read_bytes() for path in kept]
        renamed = [
            {"name": "Central", "host_name": "localhost", "is_central": True},
            {"name": "Rim1", "host_name": "a.test"},
        ]
        with Simulator(tmp_path / "site", {"proxy_authority": "other", "nodes": renamed}):
            assert [path.read_bytes() for path in kept[:2]] == before[:2]
            assert kept[2].read_bytes() != before[2]
            names = x509.load_pem_x509_certificate(kept[2].read_bytes()).extensions
            alternative = names.get_extension_for_class(x509.SubjectAlternativeName).value
            assert "a.test" in alternative.get_values_for_type(x509.DNSName)
        with Simulator(tmp_path / "site") as simulator:
            assert kept[1].read_bytes() == kept[0].read_bytes() == before[0]
            assert verifies(simulator, "root.pem", simulator.ready["nodes"][0]["proxy_url"])
            assert thumbprints(simulator) == {""}
        with Simulator(tmp_path / "site", {"proxy_authority": "other"}) as simulator:
            assert verifies(simulator, "proxy_root.pem", simulator.ready["nodes"][0]["proxy_url"])
            assert not verifies(simulator, "root.pem", simulator.ready["nodes"][0]["proxy_url"])


class TestRequestHead:
    def answer(self, running: Simulator, head: bytes) -> bytes:
        """Send data, and return what arrives until the other side closes the connection."""
        pki = running.directory / "pki"
        context = ssl.create_default_context(cafile=pki / "root.pem")
        context.load_cert_chain(pki / "client.pem", pki / "client_key.pem")
        with (
            socket.create_connection(("127.0.0.1", port(running.ready["qrs_url"])), timeout=60) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as connection,
        ):
            received = b""
            try:
                connection.sendall(head)
                while piece := connection.recv(65536):
                    received += piece
            except (ConnectionError, ssl.SSLError):
                pass
            return received

    @pytest.mark.parametrize(
        "head",
        [
            b"nonsense\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Large: " + b"x" * 70_000 + b"\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X-Many: value\r\n" * 5_000 + b"\r\n",
            b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        ],
    )
    def test_too_large_head_is_refused(self, running: Simulator, head: bytes) -> None:
        assert self.answer(running, head).startswith(b"HTTP/1.1 400 ")

    def test_endless_header_line_is_refused(self, running: Simulator) -> None:
        head = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Endless: " + b"x" * 2_000_000
        # The test would not end if the connection stayed open. The client may or may not read the response.
        assert self.answer(running, head)[:13] in (b"", b"HTTP/1.1 400 ")
        assert running.qrs("GET", "about").status_code == 200

    def test_normal_heads_on_one_connection_are_accepted(self, running: Simulator) -> None:
        head = b"GET /qrs/about HTTP/1.1\r\nHost: localhost\r\nX-Large: " + b"x" * 30_000 + b"\r\n"
        received = self.answer(running, (head + b"\r\n") * 5 + head + b"Connection: close\r\n\r\n")
        assert received.count(b"HTTP/1.1 403 ") == 6

    def test_too_large_body_is_refused(self, running: Simulator) -> None:
        answer = running.qrs("POST", "tag", {"name": "x" * 10_000_000})
        assert answer.status_code == 413
        assert running.qrs("GET", "tag/count").status_code == 200


class TestRequestLog:
    def requests(self, running: Simulator) -> list[dict[str, t.Any]]:
        return t.cast("list[dict[str, t.Any]]", running.control("GET", "requests").json()["requests"])

    def test_requests_and_connections_are_counted(self, tmp_path: pathlib.Path) -> None:
        with Simulator(tmp_path / "site") as simulator:
            simulator.qrs("GET", "about")
            simulator.qrs("GET", "Tag//full", params={"filter": "name eq 'a'"})
            with requests.Session() as other:
                other.trust_env = False
                other.verify = simulator.session.verify
                other.get(f"{simulator.ready['nodes'][1]['proxy_url']}/nowhere?qlikTicket=secret", timeout=60)
            found = self.requests(simulator)
            assert list(found[0]) == ["port", "method", "path", "query", "status", "connection"]
            assert [(one["port"], one["path"], one["status"]) for one in found] == [
                ("qrs", "/qrs/about", 200),
                ("qrs", "/qrs/Tag//full", 200),
                ("proxy:Rim1", "/nowhere", 400),
            ]
            assert found[0]["connection"] == found[1]["connection"] != found[2]["connection"]
            assert "filter=name+eq+%27a%27" in found[1]["query"]
            assert found[2]["query"] == "qlikTicket=***"
            # The control paths are not in it, and similar paths are.
            simulator.session.get(f"{simulator.ready['qrs_url']}/simulatornot", timeout=60)
            assert [one["path"] for one in self.requests(simulator)[3:]] == ["/simulatornot"]


class TestFaults:
    @pytest.fixture(autouse=True)
    def _no_faults_afterwards(self, running: Simulator) -> t.Iterator[None]:
        yield
        assert running.control("PUT", "faults", []).status_code == 204

    def plan(self, running: Simulator, **fault: t.Any) -> None:
        assert running.control("PUT", "faults", [fault]).status_code == 204

    def test_drop_before_loses_the_request(self, running: Simulator) -> None:
        self.plan(running, port="qrs", method="post", path="/qrs/tag$", action="drop_before")
        with pytest.raises(requests.ConnectionError):
            running.qrs("POST", "tag", {"name": "lost request"})
        assert running.qrs("GET", "tag/count", params={"filter": "name eq 'lost request'"}).json() == {"value": 0}
        assert running.qrs("POST", "tag", {"name": "lost request"}).status_code == 201

    def test_drop_after_loses_the_response(self, running: Simulator) -> None:
        self.plan(running, method="POST", path="TAG", action="drop_after")
        with pytest.raises(requests.ConnectionError):
            running.qrs("POST", "tag", {"name": "lost answer"})
        assert running.qrs("GET", "tag/count", params={"filter": "name eq 'lost answer'"}).json() == {"value": 1}
        last = running.control("GET", "requests").json()["requests"][-2]
        assert (last["method"], last["status"]) == ("POST", None)

    def test_truncate_cuts_the_response(self, running: Simulator) -> None:
        self.plan(running, path="about/api/enums", action="truncate")
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            running.qrs("GET", "about/api/enums")
        assert running.qrs("GET", "about/api/enums").status_code == 200

    def test_status_replaces_the_response(self, running: Simulator) -> None:
        self.plan(
            running,
            path="about",
            action="status",
            nth=2,
            times=2,
            status=429,
            body="<h1>Slow down</h1>",
            content_type="text/html",
            headers={"Retry-After": "1"},
        )
        answers = [running.qrs("GET", "about") for _time in range(4)]
        assert [answer.status_code for answer in answers] == [200, 429, 429, 200]
        assert answers[1].text == "<h1>Slow down</h1>"
        assert (answers[1].headers["Content-Type"], answers[1].headers["Retry-After"]) == ("text/html", "1")

    def test_times_zero_never_ends(self, running: Simulator) -> None:
        self.plan(running, port="qrs", action="status", times=0)
        assert {running.qrs("GET", "about").status_code for _time in range(3)} == {503}
        url = f"{running.ready['nodes'][0]['proxy_url']}/hub/"
        assert running.session.get(url, timeout=60, allow_redirects=False).status_code == 302

    def test_delay_postpones_the_response(self, running: Simulator) -> None:
        self.plan(running, path="about", action="delay", seconds=0.3)
        slow, quick = running.qrs("GET", "about"), running.qrs("GET", "about")
        assert slow.elapsed >= datetime.timedelta(seconds=0.3)
        assert (slow.status_code, quick.status_code) == (200, 200)

    def test_hold_waits_for_another_request(self, running: Simulator) -> None:
        self.plan(running, path="about", action="hold", until_path="/tag", until_count=2, seconds=30)
        with ThreadPoolExecutor(1) as pool:
            held = pool.submit(running.qrs, "GET", "about")
            for _request in range(2):
                with pytest.raises(TimeoutError):
                    held.result(timeout=0.1)
                assert running.qrs("GET", "tag/count").status_code == 200
            assert held.result(timeout=30).status_code == 200

    def test_hold_ends_after_its_seconds(self, running: Simulator) -> None:
        self.plan(running, path="about", action="hold", until_path="/tag", seconds=0.3)
        answer = running.qrs("GET", "about")
        assert answer.elapsed >= datetime.timedelta(seconds=0.3)
        assert answer.status_code == 200

    @pytest.mark.parametrize(
        "plan",
        [
            {},
            ["drop"],
            [{}],
            [{"action": "explode"}],
            [{"action": "delay", "minutes": 1}],
            [{"action": "delay", "seconds": -1}],
            [{"action": "drop_before", "path": "("}],
            [{"action": "drop_before", "nth": 0}],
            [{"action": "hold", "until_path": "("}],
            [{"action": "hold", "until_count": 0}],
            [{"action": "status", "status": 99}],
            [{"action": "status", "headers": {"X": "a\r\nb"}}],
        ],
    )
    def test_wrong_plan_is_refused(self, running: Simulator, plan: t.Any) -> None:
        answer = running.control("PUT", "faults", plan)
        assert answer.status_code == 400
        assert running.qrs("GET", "about").status_code == 200

    def test_faults_of_the_site_file_are_used(self, tmp_path: pathlib.Path) -> None:
        site = {"faults": [{"port": "qrs", "action": "status", "status": 500}]}
        with Simulator(tmp_path / "site", site) as simulator:
            assert [simulator.qrs("GET", "about").status_code for _time in range(2)] == [500, 200]


class TestWholeSite:
    """The steps of the support article: a virtual proxy, a token, the hub; and the repository through the proxy."""

    def test_virtual_proxy_is_created_and_used(self, tmp_path: pathlib.Path) -> None:
        body = {
            "prefix": "jwt",
            "description": "JWT",
            "authenticationMethod": 4,
            "sessionCookieHeaderName": "X-Qlik-Session-jwt",
            "jwtAttributeUserId": "userId",
            "jwtAttributeUserDirectory": "userDirectory",
            "jwtPublicKeyCertificate": signing.certificate(),
        }
        with Simulator(tmp_path / "site") as simulator:
            entity = simulator.qrs("POST", "virtualproxyconfig", body).json()
            for proxy in simulator.qrs("GET", "proxyservice/full").json():
                proxy["settings"]["virtualProxies"].append({"id": entity["id"]})
                assert simulator.qrs("PUT", f"proxyservice/{proxy['id']}", proxy).status_code == 200
            for node in simulator.ready["nodes"]:
                base = f"{node['proxy_url']}/jwt"
                assert self.get(simulator, f"{base}/hub/").status_code == 401
                assert self.get(simulator, f"{base}/hub/", "admin").status_code == 200
                administrator = self.get(simulator, f"{base}/qrs/virtualproxyconfig/count", "admin")
                assert administrator.json() == {"value": 2}
                newcomer = self.get(simulator, f"{base}/qrs/virtualproxyconfig/count", f"new at {node['name']}")
                assert newcomer.json() == {"value": 0}
            users = simulator.qrs("GET", "user", params={"filter": "userId sw 'new at'"}).json()
            assert [user["userId"] for user in users] == ["new at Central", "new at Rim1"]

    def get(self, simulator: Simulator, url: str, user_id: str | None = None) -> requests.Response:
        """Send a GET with the xrfkey, and with a token if a user is given."""
        headers = {"X-Qlik-Xrfkey": XRFKEY}
        if user_id:
            headers["Authorization"] = f"Bearer {signing.token(userId=user_id, userDirectory='EXAMPLE')}"
        verify = simulator.session.verify
        return requests.get(url, params={"xrfkey": XRFKEY}, headers=headers, verify=verify, timeout=60)


def test_database_has_all_entities(running: Simulator) -> None:
    database = running.control("GET", "database").json()
    assert {"VirtualProxyConfig", "ProxyService", "ServerNodeConfiguration", "Tag", "User"} <= database.keys()
    [default, *_others] = database["VirtualProxyConfig"]
    assert default == running.qrs("GET", f"virtualproxyconfig/{default['id']}").json()
    assert running.control("GET", "nothing").status_code == 404


class TestSeveralSites:
    def test_sites_are_separate_and_stop_together(self, tmp_path: pathlib.Path) -> None:
        site_files: dict[str, dict[str, t.Any]] = {
            "first": {"tags": ["one"]},
            "second": {"tags": ["two"], "faults": [{"action": "drop_before"}]},
        }
        with RunningSites(tmp_path / "sites", site_files) as running:
            assert running.sites.keys() == site_files.keys()
            urls = [site["qrs_url"] for site in running.sites.values()]
            session = requests.Session()
            session.trust_env = False
            session.verify = str(running.pki / "root.pem")
            session.cert = (str(running.pki / "client.pem"), str(running.pki / "client_key.pem"))
            tags = [session.get(f"{url}/simulator/database", timeout=60).json()["Tag"] for url in urls]
            assert [[tag["name"] for tag in some] for some in tags] == [["one"], ["two"]]
            ask = functools.partial(
                session.get, params={"xrfkey": XRFKEY}, headers={"X-Qlik-Xrfkey": XRFKEY}, timeout=60
            )
            assert ask(f"{urls[0]}/qrs/about").ok
            with pytest.raises(requests.ConnectionError):
                ask(f"{urls[1]}/qrs/about")
            assert running.stop() == 0
        assert not (running.directory / "first.json").exists()

    def test_sites_share_the_authority_of_the_proxies(self, tmp_path: pathlib.Path) -> None:
        other = {"proxy_authority": "other"}
        with RunningSites(tmp_path / "sites", {"first": other, "second": other}) as running:
            url = running.sites["second"]["nodes"][0]["proxy_url"]
            session = requests.Session()
            session.trust_env = False
            session.verify = str(running.pki / "proxy_root.pem")
            assert session.get(url, timeout=60, allow_redirects=False).status_code == 301
            session.verify = str(running.pki / "root.pem")
            with pytest.raises(requests.exceptions.SSLError):
                session.get(running.sites["first"]["nodes"][0]["proxy_url"], timeout=60)
        with pytest.raises(RuntimeError, match="must be the same for all sites"):
            RunningSites(tmp_path / "different", {"first": other, "second": {}})

    def test_error_in_one_site_is_reported(self, tmp_path: pathlib.Path) -> None:
        with pytest.raises(RuntimeError, match="no-such-release"):
            RunningSites(tmp_path / "sites", {"wrong": {"release": "no-such-release"}})
