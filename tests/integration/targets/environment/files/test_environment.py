# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Entries in netrc and proxy variables of the environment do not change the outcome of any role or module.

The tests build on each other and use two simulated sites.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import pathlib
import ssl
import subprocess
import threading
import typing as t

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from qlik_sense_simulator.testing import RunningSites

Values = dict[str, t.Any]

HOSTS = ("machine localhost", "machine 127.0.0.1", "default")
NETRC = "".join(f"{host} login guest password nothing\n" for host in HOSTS)
DEAD_PROXY = "http://127.0.0.1:1"
PROXIES = {name: DEAD_PROXY for kind in ("HTTP", "HTTPS", "ALL") for name in (f"{kind}_PROXY", f"{kind}_proxy".lower())}
DEMO = pathlib.Path(__file__).parents[4] / "demo" / "demo.yml"
LOCAL = {"hosts": "localhost", "gather_facts": False, "connection": "local"}


def portal(prefix: str, pki: pathlib.Path) -> Values:
    """Return a JWT virtual proxy, as the inventory declares it."""
    return {
        "prefix": prefix,
        "jwt_public_key_certificate": (pki / "server.pem").read_text(),
        "load_balancing_server_nodes": ["Central"],
        "proxies": ["Central", "Rim1"],
    }


class Workspace:
    """A directory with an inventory, in which commands are run."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory
        site = {"users": [{"user_directory": "EXAMPLE", "user_id": "admin", "roles": ["RootAdmin"]}]}
        self.sites = RunningSites(directory / "sites", {"dev": site, "test": site, "demo": {}})
        self.pki = self.sites.pki
        (directory / "home").mkdir()
        for file in (directory / "home" / ".netrc", directory / "netrc"):
            file.write_text(NETRC)
            file.chmod(0o600)
        self.hosts = {name: self._variables(self.sites.sites[name]) for name in ("dev", "test")}
        self.proxy = next(iter(self.hosts["dev"]["qlik_proxy_urls"].values()))

    def _variables(self, addresses: Values) -> Values:
        return {
            "qlik_host": "localhost",
            "qlik_port": int(addresses["qrs_url"].rpartition(":")[2]),
            "qlik_ca_path": str(self.pki / "root.pem"),
            "qlik_proxy_ca_path": str(self.pki / "proxy_root.pem"),
            "qlik_client_cert": str(self.pki / "client.pem"),
            "qlik_client_key": str(self.pki / "client_key.pem"),
            "qlik_retries": 0,
            "qlik_proxy_urls": {node["name"]: node["proxy_url"] for node in addresses["nodes"]},
            "qlik_qps_urls": [node["qps_url"] for node in addresses["nodes"]],
            "qlik_virtual_proxies": [portal("portal", self.pki)],
            "qlik_jwt_private_key_path": str(self.pki / "server_key.pem"),
            "qlik_smoke_test_users": ["SMOKE\\test"],
            "smoke_test_wait": 20,
            "promotion_keep": [],  # the sites share their keys
            "key_rotation_name": "portal",
            "key_rotation_directory": str(self.directory / "keys"),
            "key_rotation_overlap": 0,
            "key_rotation_wait": 20,
        }

    @property
    def hostile(self) -> dict[str, str]:
        """The environment variables that change or prevent the requests of other clients."""
        return {**PROXIES, "NETRC": str(self.directory / "netrc"), "HOME": str(self.directory / "home")}

    def run(self, command: str, *arguments: str, environment: dict[str, str] | None = None) -> tuple[int, str]:
        """Run a command of Ansible in the hostile or the given environment, and return its status and output."""
        (self.directory / "inventory.json").write_text(json.dumps({"qlik_sites": {"hosts": self.hosts}}))
        clean = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        clean |= {
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true",
        }
        done = subprocess.run(
            [command, *arguments],
            cwd=self.directory,
            env=clean | (self.hostile if environment is None else environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    def playbook(self, name: str, *arguments: str, environment: dict[str, str] | None = None) -> tuple[int, str]:
        return self.run("ansible-playbook", name, "-i", "inventory.json", *arguments, environment=environment)

    def tasks(self, *tasks: Values, environment: dict[str, str] | None = None) -> tuple[int, str]:
        """Run tasks of a playbook."""
        file = self.directory / "tasks.json"
        file.write_text(json.dumps([{**LOCAL, "name": "Test", "tasks": list(tasks)}]))
        return self.playbook(str(file), environment=environment)

    def token(self) -> str:
        """Return a template for a token of an administrator."""
        key = f"private_key_path='{self.pki}/server_key.pem'"
        return f"{{{{ lookup('sensible.qlik.jwt', 'EXAMPLE\\\\admin', {key}) }}}}"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Workspace]:
    workspace = Workspace(tmp_path_factory.mktemp("environment"))
    yield workspace
    workspace.sites.stop()


@contextlib.contextmanager
def provider(pki: pathlib.Path) -> t.Iterator[str]:
    """Yield the URL of a key set, on a server that refuses requests with a credential."""
    key = rsa.generate_private_key(65537, 2048)
    public = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    certificate = "".join((pki / "server.pem").read_text().split("-----")[2].split())
    content = json.dumps({"keys": [{**public, "kid": "a", "use": "sig"}], "unused": certificate}).encode()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(400 if self.headers["Authorization"] else 200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_arguments: object) -> None:
            """Print nothing."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki / "server.pem", pki / "server_key.pem")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"https://127.0.0.1:{server.server_port}/keys"
        server.shutdown()


def test_provision_ignores_the_environment(workspace: Workspace) -> None:
    status, output = workspace.playbook("sensible.qlik.provision", "--limit", "dev")
    assert status == 0, output


def test_demo_ignores_the_environment(workspace: Workspace) -> None:
    ready = workspace.directory / "sites" / "demo.json"
    ready.write_text(json.dumps(workspace.sites.sites["demo"]))
    variables = {"demo_ready_file": str(ready), "demo_directory": str(workspace.directory)}
    status, output = workspace.run("ansible-playbook", str(DEMO), "-e", json.dumps(variables))
    assert status == 0, output


@pytest.mark.parametrize("place", ["NETRC", "HOME"])
def test_plain_uri_task_is_affected_by_the_environment(workspace: Workspace, place: str) -> None:
    """Positive control: show that the environment affects other requests."""
    environment = {name: value for name, value in workspace.hostile.items() if name in (*PROXIES, place)}
    uri = {
        "url": f"{workspace.proxy}/portal/hub/",
        "headers": {"Authorization": f"Bearer {workspace.token()}"},
        "ca_path": str(workspace.pki / "proxy_root.pem"),
    }
    plain = {"ansible.builtin.uri": {**uri, "use_netrc": False, "status_code": -1}}
    netrc = {"ansible.builtin.uri": {**uri, "use_proxy": False, "status_code": 401}}
    neither = {"ansible.builtin.uri": {**uri, "use_netrc": False, "use_proxy": False, "status_code": 200}}
    status, output = workspace.tasks(
        *({**task, "name": "Try", "no_log": True} for task in (plain, netrc, neither)), environment=environment
    )
    assert status == 0, output


def test_logins_are_verified(workspace: Workspace) -> None:
    status, output = workspace.playbook("sensible.qlik.smoke_test", "--limit", "dev")
    assert status == 0, output
    report = json.loads((workspace.directory / "smoke_test_report" / "dev" / "smoke_test.json").read_text())
    outcomes = {check["name"]: check["status"] for endpoint in report["endpoints"] for check in endpoint["checks"]}
    assert outcomes["websocket"] == outcomes["forged_token"] == "passed"


def test_a_site_is_compared_with_the_inventory(workspace: Workspace) -> None:
    status, output = workspace.playbook("sensible.qlik.drift", "--limit", "dev")
    assert status == 0, output


def test_a_site_is_promoted(workspace: Workspace) -> None:
    status, output = workspace.playbook(
        "sensible.qlik.promote", "-e", "promote_source=dev", "-e", "promote_target=test"
    )
    assert status == 0, output
    assert "Logins verified on: dev, test" in output.replace("\n", " ")
    [snapshot] = (workspace.directory / "promotion_snapshots").glob("test-*.yml")
    status, output = workspace.playbook("sensible.qlik.roll_back", "-e", f"roll_back_snapshot={snapshot}", "--check")
    assert status == 0, output
    assert "portal deleted" in output.replace("\n", " ")


def test_modules_reach_the_site(workspace: Workspace) -> None:
    site = {"host": "localhost", "ca_path": str(workspace.pki / "root.pem"), "retries": 0}
    pair = {"client_cert": str(workspace.pki / "client.pem"), "client_key": str(workspace.pki / "client_key.pem")}
    through_a_proxy = {
        **site,
        "port": int(workspace.proxy.rpartition(":")[2]),
        "proxy_ca_path": str(workspace.pki / "proxy_root.pem"),
        "auth_method": "jwt",
        "virtual_proxy_prefix": "portal",
        "token": workspace.token(),
    }
    by_certificate = {**site, "port": workspace.hosts["dev"]["qlik_port"], **pair}
    urls = workspace.hosts["dev"]["qlik_qps_urls"]
    with provider(workspace.pki) as keys:
        status, output = workspace.tasks(
            *(
                {"name": name, f"sensible.qlik.{name}": options, "no_log": "token" in options}
                for name, options in [
                    ("site_info", by_certificate),
                    ("virtual_proxy_info", by_certificate),
                    ("site_info", through_a_proxy),
                    ("virtual_proxy_info", through_a_proxy),
                    ("jwt_virtual_proxy", {**through_a_proxy, "prefix": "made", "description": "Made"}
                     | {"jwt_public_key_certificate": (workspace.pki / "server.pem").read_text()}),
                    ("logout", {"qps_urls": urls, "prefix": "portal", "ca_path": site["ca_path"], **pair}),
                    ("jwks_info", {"url": keys, "ca_path": str(workspace.pki / "root.pem")}),
                ]
            )
        )  # fmt: skip
    assert status == 0, output


def test_a_token_is_read(workspace: Workspace) -> None:
    token = workspace.token().strip("{} ")
    check = {"that": f"({token} | sensible.qlik.jwt_claims).claims.userId == 'admin'"}
    status, output = workspace.tasks({"name": "Check the claims", "ansible.builtin.assert": check})
    assert status == 0, output


def test_the_inventory_is_read(workspace: Workspace) -> None:
    source = {
        "plugin": "sensible.qlik.site",
        "host": "localhost",
        "port": workspace.hosts["dev"]["qlik_port"],
        "ca_path": str(workspace.pki / "root.pem"),
        "client_cert": str(workspace.pki / "client.pem"),
        "client_key": str(workspace.pki / "client_key.pem"),
    }
    file = workspace.directory / "dev.qlik_site.yml"
    file.write_text(json.dumps(source))
    status, output = workspace.run("ansible-inventory", "-i", str(file), "--graph")
    assert status == 0, output
    assert "qlik_proxies" in output


def test_a_provider_is_followed(workspace: Workspace) -> None:
    with provider(workspace.pki) as keys:
        variables = {
            "follow_jwks_prefix": "idp",
            "follow_jwks_url": keys,
            "follow_jwks_provider_ca_path": str(workspace.pki / "root.pem"),
            "follow_jwks_ownca_path": str(workspace.pki / "root.pem"),
            "follow_jwks_ownca_privatekey_path": str(next((workspace.directory / "sites").rglob("root_key.pem"))),
            "follow_jwks_virtual_proxy": {"load_balancing_server_nodes": ["Central"], "proxies": ["Central", "Rim1"]},
            "follow_jwks_wait": 20,
            "follow_jwks_map_path": str(workspace.directory / "map.json"),
        }
        status, output = workspace.playbook("sensible.qlik.follow_jwks", "--limit", "dev", "-e", json.dumps(variables))
    assert status == 0, output
    assert list(json.loads((workspace.directory / "map.json").read_text())) == ["a"]


def test_accepted_token_is_not_reported_as_refused(workspace: Workspace) -> None:
    """The other key is that of the virtual proxy, so its tokens are accepted. Netrc must not cause a 401 instead."""
    environment = {name: value for name, value in workspace.hostile.items() if name not in PROXIES}
    login = {"prefix": "portal", "token": workspace.token(), "other_key_token": workspace.token()}
    others = {"smoke_test_logins": [login], "smoke_test_wait": 0}
    status, output = workspace.playbook(
        "sensible.qlik.smoke_test", "--limit", "dev", "-e", json.dumps(others), environment=environment
    )
    assert status == 2, output
    assert "other_key_token failed" in " ".join(output.split())


@pytest.mark.parametrize("mode", ["blue_green", "in_place"])
def test_a_key_is_rotated(workspace: Workspace, mode: str) -> None:
    variables: Values = {"key_rotation_mode": mode}
    if mode == "in_place":
        variables["key_rotation_old_private_key_path"] = str(workspace.directory / "keys" / "portal-2_key.pem")
    status, output = workspace.playbook("sensible.qlik.rotate_keys", "--limit", "dev", "-e", json.dumps(variables))
    assert status == 0, output
    assert "it was not verified that" not in " ".join(output.split())
