# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A site that can be reached only through a web proxy, because only the web proxy resolves the names of its nodes."""

from __future__ import annotations

import http.server
import json
import os
import pathlib
import socket
import socketserver
import subprocess
import threading
import typing as t

import pytest
from test_environment import PROXIES, portal, provider

from qlik_sense_simulator.testing import RunningSite

Values = dict[str, t.Any]
HOSTS = {"Central": "central.example.invalid", "Rim1": "rim1.example.invalid"}


class WebProxy(socketserver.ThreadingTCPServer):
    """A forward proxy that resolves each name of the site to this machine.

    Attributes:
        targets: host and port of each connection.
    """

    daemon_threads = True

    def __init__(self) -> None:
        self.targets: list[str] = []
        super().__init__(("127.0.0.1", 0), _Tunnel)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> t.Self:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.shutdown()
        self.server_close()


class _Tunnel(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        method, target, _version = self.rfile.readline().decode().split()
        headers = list(iter(self.rfile.readline, b"\r\n"))
        path = ""
        if method != "CONNECT":  # a request for http, to be sent on
            _scheme, _empty, target, path = target.split("/", 3)
        t.cast("WebProxy", self.server).targets.append(target)
        host, _colon, port = target.rpartition(":")
        if host not in HOSTS.values():
            self.wfile.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            return
        with socket.create_connection(("127.0.0.1", int(port))) as upstream:
            if method == "CONNECT":
                self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                upstream.sendall(f"{method} /{path} HTTP/1.1\r\n".encode() + b"".join(headers) + b"\r\n")
            back = threading.Thread(target=copy, args=(upstream, self.connection), daemon=True)
            back.start()
            copy(self.connection, upstream)
            back.join()


def copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[RunningSite]:
    nodes = [{"name": name, "host_name": host, "is_central": name == "Central"} for name, host in HOSTS.items()]
    with RunningSite(tmp_path_factory.mktemp("site"), {"nodes": nodes, "proxy_authority": "other"}) as running:
        yield running


@pytest.fixture
def web_proxy() -> t.Iterator[WebProxy]:
    with WebProxy() as running:
        yield running


def connection(site: RunningSite, web_proxy: str) -> Values:
    return {
        "host": ["unknown.example.invalid", HOSTS["Central"]],
        "port": int(site.ready["qrs_url"].rpartition(":")[2]),
        "client_cert": str(site.pki / "client.pem"),
        "client_key": str(site.pki / "client_key.pem"),
        "ca_path": str(site.pki / "root.pem"),
        "proxy_ca_path": str(site.pki / "proxy_root.pem"),
        "retries": 0,
        "http_proxy": web_proxy,
    }


def run(directory: pathlib.Path, *command: str) -> tuple[int, str]:
    """Run a command with unusable proxy variables in the environment, and return its exit status and output."""
    done = subprocess.run(
        command,
        cwd=directory,
        env=os.environ | PROXIES | {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, " ".join(done.stdout.split())


def play(directory: pathlib.Path, defaults: Values, *tasks: Values) -> tuple[int, str]:
    """Run tasks with defaults for the action group, and return exit status and output."""
    content = {
        "hosts": "localhost",
        "gather_facts": False,
        "connection": "local",
        "module_defaults": {"group/sensible.qlik.qlik": defaults},
        "tasks": list(tasks),
    }
    (directory / "play.json").write_text(json.dumps([content]))
    return run(directory, "ansible-playbook", str(directory / "play.json"))


def test_all_connections_go_through_the_web_proxy(
    site: RunningSite, web_proxy: WebProxy, tmp_path: pathlib.Path
) -> None:
    key = f"private_key_path='{site.pki}/server_key.pem'"
    token = f"{{{{ lookup('sensible.qlik.jwt', 'EXAMPLE\\\\admin', {key}) }}}}"
    portal = {
        "prefix": "portal",
        "jwt_public_key_certificate": (site.pki / "server.pem").read_text(),
        "has_secure_attribute_https": True,
        "load_balancing_server_nodes": ["Central"],
        "proxies": list(HOSTS),
    }
    through_portal = {"auth_method": "jwt", "virtual_proxy_prefix": "portal", "token": token}
    proxy_port = int(site.ready["nodes"][0]["proxy_url"].rpartition(":")[2])
    check = {"logins": [{"virtual_proxy": portal, "token": token}], "wait": 20}
    status, output = play(
        tmp_path,
        connection(site, web_proxy.url),
        {"name": "Declare", "sensible.qlik.jwt_virtual_proxy": portal},
        {"name": "Check", "sensible.qlik.login_check": check, "register": "found"},
        {"name": "Show", "ansible.builtin.debug": {"var": "found.lines"}},
        {"name": "Log out", "sensible.qlik.logout": {"prefix": "portal"}},
        {"name": "Read", "sensible.qlik.site_info": {**through_portal, "port": proxy_port}, "no_log": True},
    )
    assert status == 0, output
    for host in HOSTS.values():
        assert f"portal on https://{host}" in output
    assert "identity, attributes, cookie" in output
    assert "websocket, forged_token" in output
    assert "unknown.example.invalid: The web proxy cannot be reached, or it refuses the connection" in output
    urls = [site.ready["qrs_url"], *(node[kind] for node in site.ready["nodes"] for kind in ("proxy_url", "qps_url"))]
    assert {url.rpartition(":")[2] for url in urls} == {target.rpartition(":")[2] for target in web_proxy.targets}


@pytest.mark.parametrize(
    ("http_proxy", "words"),
    [
        ("http://127.0.0.1:1", "The web proxy cannot be reached, or it refuses the connection."),
        ("socks5://127.0.0.1:1080", "The option 'http_proxy' is not the URL of a web proxy."),
        ("http://user:hidden@127.0.0.1:1", "The option 'http_proxy' is not the URL of a web proxy."),
    ],
)
def test_a_web_proxy_that_does_not_work_is_named(
    site: RunningSite, tmp_path: pathlib.Path, http_proxy: str, words: str
) -> None:
    status, output = play(tmp_path, connection(site, http_proxy), {"name": "Read", "sensible.qlik.site_info": {}})
    assert status == 2
    assert words in output
    assert "hidden" not in output


@pytest.mark.parametrize(
    "playbooks",
    [
        ["provision", "smoke_test"],
        pytest.param(["provision", "drift", "rotate_keys", "follow_jwks"], marks=pytest.mark.slow),
    ],
)
def test_playbooks_and_inventory_go_through_the_web_proxy(
    site: RunningSite, web_proxy: WebProxy, tmp_path: pathlib.Path, playbooks: list[str]
) -> None:
    options = connection(site, web_proxy.url)
    variables = {f"qlik_{name}": value for name, value in options.items()} | {
        "qlik_virtual_proxies": [portal("portal", site.pki)],
        "qlik_jwt_private_key_path": str(site.pki / "server_key.pem"),
        "qlik_smoke_test_users": ["SMOKE\\test"],
        "smoke_test_wait": 20,
        "key_rotation_name": "portal",
        "key_rotation_directory": str(tmp_path / "keys"),
        "key_rotation_overlap": 0,
        "key_rotation_wait": 20,
        "follow_jwks_prefix": "idp",
        "follow_jwks_provider_ca_path": str(site.pki / "root.pem"),
        "follow_jwks_ownca_path": str(site.pki / "root.pem"),
        "follow_jwks_ownca_privatekey_path": str(next(site.directory.rglob("root_key.pem"))),
        "follow_jwks_virtual_proxy": {"load_balancing_server_nodes": ["Central"], "proxies": list(HOSTS)},
        "follow_jwks_wait": 20,
        "follow_jwks_map_path": str(tmp_path / "map.json"),
    }
    (tmp_path / "prod.qlik_site.yml").write_text(json.dumps({"plugin": "sensible.qlik.site", **options}))
    status, output = run(tmp_path, "ansible-inventory", "-i", "prod.qlik_site.yml", "--graph")
    assert status == 0, output
    with provider(site.pki) as keys:  # it is reached without the web proxy
        hosts = {"qlik_sites": {"hosts": {"prod": variables | {"follow_jwks_url": keys}}}}
        (tmp_path / "inventory.json").write_text(json.dumps(hosts))
        for name in playbooks:
            before = len(web_proxy.targets)
            status, output = run(tmp_path, "ansible-playbook", f"sensible.qlik.{name}", "-i", "inventory.json")
            assert status == 0, output
            assert len(web_proxy.targets) > before, name


class _PlainHttp(http.server.BaseHTTPRequestHandler):
    """A virtual proxy without TLS, for one user with one session."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        known = self.headers["Authorization"] or "X-Qlik-Session=1" in (self.headers["Cookie"] or "")
        user = {"userDirectory": "EXAMPLE", "userId": "anna"} if known else {}
        content = json.dumps(user) if "/qps/user" in self.path else "<html></html>"
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        if self.headers["Authorization"]:
            self.send_header("Set-Cookie", "X-Qlik-Session=1; Path=/; HttpOnly")
        self.end_headers()
        self.wfile.write(content.encode())

    def log_message(self, *_arguments: object) -> None:
        """Print nothing."""


def test_plain_http_goes_through_the_web_proxy(site: RunningSite, web_proxy: WebProxy, tmp_path: pathlib.Path) -> None:
    key = f"private_key_path='{site.pki}/server_key.pem'"
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _PlainHttp) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        target = f"{HOSTS['Central']}:{server.server_port}"
        check = {
            "proxy_urls": [f"http://{target}"],
            "logins": [{"prefix": "a", "token": f"{{{{ lookup('sensible.qlik.jwt', 'EXAMPLE\\\\anna', {key}) }}}}"}],
            "wait": 0,
        }
        _status, output = play(
            tmp_path,
            {"http_proxy": web_proxy.url},
            {"name": "Check", "sensible.qlik.login_check": check, "register": "found", "ignore_errors": True},
            {"name": "Show", "ansible.builtin.debug": {"var": "found.lines"}},
        )
        server.shutdown()
    assert "passed (login, identity, cookie, stickiness, cookie_flags)" in output
    assert set(web_proxy.targets) == {target}
