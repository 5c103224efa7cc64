# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The working directory of a user who follows the documentation, with all files that the examples require."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import typing as t
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from documents import COLLECTION
from jwt.algorithms import RSAAlgorithm

PASSPHRASE = "correct horse battery staple"


def token_of(user: str) -> str:
    """Return a template for a token of a user of the directory ACME."""
    options = "private_key_path='keys/portal_key.pem', key_id='2026-a', audience='qlik'"
    return f"{{{{ lookup('sensible.qlik.jwt', 'ACME\\\\{user}', {options}) }}}}"


VARIABLES = {
    "monitoring_token": token_of("monitoring"),
    "signing_certificate": "{{ lookup('ansible.builtin.file', 'server.pem') }}",
    "signing_key": "{{ lookup('ansible.builtin.file', 'server_key.pem') }}",
    "signing_key_passphrase": PASSPHRASE,
    "token": token_of("anna"),
    "vault_automation_password": "An open secret",
    "vault_issuer_token": "another open secret",
    "vault_next_key_passphrase": PASSPHRASE,
    "vault_okta_ca": "{{ lookup('ansible.builtin.file', 'root.pem') }}",
    "vault_okta_ca_key": "{{ lookup('ansible.builtin.file', 'vault_ca_key.pem') }}",
    "vault_okta_ca_passphrase": PASSPHRASE,
    "vault_old_key": "{{ lookup('ansible.builtin.file', 'keys/old_key.pem') }}",
    "vault_portal_key": "{{ lookup('ansible.builtin.file', 'signing_key.pem') }}",
    "vault_portal_key_passphrase": PASSPHRASE,
    "vault_client_key_passphrase": "",  # the simulated site exports its key without one
}
"""What the examples leave to the reader; in the file variables.json as well."""
SNAPSHOT = "test-20261125T091500Z-4fq8w2kd.yml"
HERE = Path(__file__).parent
# The only change of examples: tests must not write to these directories.
_ROOT = re.compile(r"(?<![\w.}/-])/(?=(?:etc|srv|var)/)")
_CERTIFICATES = {"root", "client", "client_key", "server", "server_key"}
_PROXY_AUTHORITIES = {"company_ca", "proxy_ca"}
# One pair signs and verifies tokens everywhere, whatever it is called.
_PAIRS = {"portal", "embedded", "admin", "tokens", "idp", "www"}


class Done(t.NamedTuple):
    """The result of a command."""

    status: int
    output: str


WorkspaceOf = t.Callable[[str], tuple["Workspace", bool]]


class Workspace:
    """A working directory with access to the environment.

    Args:
        directory: for all files.
        environment: see conftest.

    Attributes:
        directory: where commands are run.
    """

    def __init__(self, directory: Path, environment: Path) -> None:
        self.directory = directory / "work"
        self._root = directory
        self._pki = environment / "pki"
        self._environment = os.environ | {
            "HOME": str(directory / "home"),
            "PWD": str(self.directory),
            "PYTHONPATH": str(HERE / "network"),
            # Node.js 22 and newer have the websocket without this option.
            "NODE_OPTIONS": f'--experimental-websocket --require "{HERE / "network/network.cjs"}"',
            "EXAMPLES_NETWORK": str(environment / "network.json"),
            "SSL_CERT_FILE": str(self._pki / "proxy_root.pem"),
            "ANSIBLE_DEPRECATION_WARNINGS": "false",
            "ANSIBLE_PIPELINING": "true",
            "ANSIBLE_VAULT_PASSWORD_FILE": str(directory / "home/.vault_password"),
            "ANSIBLE_NOCOLOR": "true",
            "ANSIBLE_FORCE_COLOR": "false",
            "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true",
        }
        self._furnish(environment)

    def _furnish(self, environment: Path) -> None:
        collection = self._root / "home/.ansible/collections/ansible_collections/sensible/qlik"
        collection.parent.mkdir(parents=True)
        collection.symlink_to(COLLECTION)
        (self._root / "home/.cache").mkdir()
        (self._root / "home/.vault_password").write_text(PASSPHRASE)
        sites = [f"certificates/{site}" for site in ("dev", "test", "prod")]
        for folder in (".", "certificates", *sites, "keys"):
            self._file_certificates(self.directory / folder)
        encrypted = _encrypted(self._pki / "client_key.pem")
        _write_key(self.directory / "certificates/prod/encrypted_client_key.pem", encrypted)
        signing = self._root / "etc/qlik"
        self._file_certificates(signing)
        shutil.copy(self._pki / "server_key.pem", signing / "signing_key.pem")
        shutil.copy(self._pki / "server.pem", self.directory / "signing.pem")
        encrypted = _encrypted(self._pki / "server_key.pem")
        _write_key(self.directory / "signing_key.pem", encrypted)
        _write_key(self.directory / "keys/embedded_key.pem", encrypted)
        old_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        _write_key(self.directory / "keys/old_key.pem", _pem(old_key))
        _write_key(self.directory / "keys/old_portal_key.pem", _pem(old_key, PASSPHRASE))
        keys = self._root / "srv/keys"
        self._file_certificates(keys)
        _write_key(keys / "next_key.pem", encrypted)
        shutil.copy(self._pki / "server.pem", keys / "next.pem")
        (self.directory / "variables.json").write_text(json.dumps(VARIABLES))
        for name in ("etc/haproxy", "etc/nginx", "etc/nginx/qlik"):
            self._file_certificates(self._root / name)
        pair = [(self._pki / name).read_text() for name in ("server.pem", "server_key.pem")]
        (self._root / "etc/haproxy/portal.pem").write_text("".join(pair))
        _write_key(self.directory / "vault_ca_key.pem", _encrypted(environment / "root_key.pem"))
        key = serialization.load_pem_private_key((self._pki / "server_key.pem").read_bytes(), password=None)
        assert isinstance(key, rsa.RSAPrivateKey)
        public = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
        (self.directory / "jwks.json").write_text(json.dumps({"keys": [{**public, "kid": "2026-a", "use": "sig"}]}))

    def add_inventory(self) -> None:
        """Create the example inventory with certificates, as its comments describe, unless it exists."""
        inventory = self.directory / "inventory"
        if not inventory.exists():
            shutil.copytree(COLLECTION / "playbooks/inventory", inventory)
        # The proxies have certificates of their own, which is what the line that is a comment is for.
        sites = inventory / "group_vars/qlik_sites/sites.yml"
        sites.write_text(sites.read_text().replace("# qlik_proxy_ca_path:", "qlik_proxy_ca_path:"))
        for site in ("dev", "test", "prod"):
            self._file_certificates(inventory / "certificates" / site)

    def _file_certificates(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name in _CERTIFICATES:
            shutil.copy(self._pki / f"{name}.pem", folder)
        for name in _PROXY_AUTHORITIES:
            shutil.copy(self._pki / "proxy_root.pem", folder / f"{name}.pem")
        for name in _PAIRS:
            shutil.copy(self._pki / "server.pem", folder / f"{name}.pem")
            shutil.copy(self._pki / "server_key.pem", folder / f"{name}_key.pem")

    def own(self, text: str) -> str:
        """Return an example with paths that need no root rights. Their directories are created."""
        for place in re.findall(r"(?<![\w.}/-])/(?:etc|srv|var)/[\w./-]*", text):
            path = self._root / place.lstrip("/")
            (path.parent if path.suffix else path).mkdir(parents=True, exist_ok=True)
        return _ROOT.sub(f"{self._root}/", text)

    def save(self, name: str, text: str) -> Path:
        """Write an example to a file of the working directory, or to its own place for one of the system's."""
        path = self.directory / self.own(name)
        assert path.is_relative_to(self._root)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.own(text))
        return path

    def run(self, command: str, **environment: str) -> Done:
        """Run a command in a shell, without input.

        Args:
            command: one, but it may have several lines.
            environment: more for its environment.
        """
        command = self.own(command)
        if SNAPSHOT in command:
            self._name_snapshot()
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.directory,
            env=self._environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return Done(done.returncode, done.stdout)

    def _name_snapshot(self) -> None:
        """Give the newest snapshot of test the name that it has in the examples, where they have it."""
        made = sorted(
            (self.directory / "inventory" / "promotion_snapshots").glob("test-*.yml"),
            key=lambda file: file.stat().st_mtime,
        )
        for place in (self.directory / SNAPSHOT, made[-1].with_name(SNAPSHOT)):
            if place != made[-1]:
                shutil.copy(made[-1], place)


def _write_key(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)


def _encrypted(path: Path) -> bytes:
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return _pem(key, PASSPHRASE)


def _pem(key: rsa.RSAPrivateKey, passphrase: str = "") -> bytes:
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        encryption = serialization.BestAvailableEncryption(passphrase.encode())
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
