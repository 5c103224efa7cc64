# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Count the requests that fail while a key is rotated.

Users log in and send requests through nginx, with the configuration that the role key_rotation writes, in front of two
proxies of a simulated site, while the playbook rotate_keys runs. Three sites: one that applies changes at once, one
whose proxies do not answer for some seconds after each save, and one whose proxies also lose their sessions.

Requires nginx, ansible-playbook in the directory of the Python that runs this, and the collection on
ANSIBLE_COLLECTIONS_PATH. Prints the results and does not fail because of them. With --demo it shows the steps of one
rotation, and fails if a request fails.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from load import REQUESTS_A_VISIT, Figures, Issuer, Load, Watch, figures

from qlik_sense_simulator.testing import RunningSite

USERS, RATE = 16, 40.0
LIMIT = (900.0, 50_000)  # seconds and requests
# A token is one visit old when it is used, and then one visit more is made on the session.
OVERLAP = int(3 * REQUESTS_A_VISIT * USERS / RATE)
SCENARIOS: dict[str, dict[str, t.Any]] = {
    "proxies apply changes immediately": {"reload_drops_sessions": "none"},
    "proxies do not answer for 2 s after a save": {"reload_seconds": 2.0, "reload_drops_sessions": "none"},
    "proxies do not answer for 2 s after a save and lose their sessions": {
        "reload_seconds": 2.0,
        "reload_drops_sessions": "all",
    },
}
STEPS = {
    "Prepare the new key": "prepare",
    "Publish a virtual proxy": "publish",
    "Verify that each virtual proxy": "verify",
    "Switch the front end": "switch",
    "Drain the old": "drain",
    "Retire the old": "retire",
}
NGINX = """
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
worker_processes 2;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    include {directory}/portal.http.conf;
    server {{
        listen 127.0.0.1:{port} ssl;
        server_name localhost;
        ssl_certificate {pki}/server.pem;
        ssl_certificate_key {pki}/server_key.pem;
        include {directory}/portal.server.conf;
    }}
}}
"""
SWITCH_TASKS = """
- name: Switch the issuer to the new key
  ansible.builtin.file:
    src: "{{ key_rotation_new_key_path }}"
    dest: "{{ issuer_key }}"
    state: link
    force: true
"""


def make_pair(key_path: Path) -> str:
    """Make a private key, and return the text of a certificate for it."""
    key = rsa.generate_private_key(65537, 2048)
    key_path.touch(mode=0o600)
    key_path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Tokens of the portal")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=20))
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(Encoding.PEM).decode()


def site_file(certificate: str, switches: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return a site of two nodes with one JWT virtual proxy, which is linked to both proxies."""
    portal = {
        "prefix": "portal",
        "description": "The portal",
        "sessionCookieHeaderName": "X-Qlik-Session-portal",
        "authenticationMethod": 4,
        "jwtPublicKeyCertificate": certificate,
        "jwtAttributeUserId": "userId",
        "jwtAttributeUserDirectory": "userDirectory",
        "loadBalancingServerNodes": ["Central"],
        "websocketCrossOriginWhiteList": ["localhost", "127.0.0.1"],
        "proxies": ["Central", "Rim1"],
    }
    return {"virtual_proxies": [portal], "switches": switches}


class Rotation:
    """A site, a front end and a playbook, all in one directory.

    Args:
        directory: is created and kept.
        switches: how the simulated site behaves.
    """

    def __init__(self, directory: Path, switches: dict[str, t.Any]) -> None:
        self.directory = directory
        self.keys = directory / "keys"
        self.keys.mkdir(parents=True, mode=0o700)
        certificate = make_pair(self.keys / "portal_key.pem")
        self.issuer_key = directory / "issuer_key.pem"
        self.issuer_key.symlink_to(self.keys / "portal_key.pem")
        self.site = RunningSite(directory / "site", site_file(certificate, switches))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"https://localhost:{self.port}"
        self.proxies = [node["proxy_url"] for node in self.site.ready["nodes"]]
        self.root = self.site.pki / "root.pem"
        self._front_end: subprocess.Popen[bytes] | None = None
        self._write_files()

    def _write_files(self) -> None:
        text = NGINX.format(directory=self.directory, port=self.port, pki=self.site.pki)
        (self.directory / "front_end.conf").write_text(text)
        (self.directory / "switch.yml").write_text(SWITCH_TASKS)
        (self.directory / "ansible.cfg").write_text("[defaults]\n")
        ready, pki = self.site.ready, self.site.pki
        variables = {
            "qlik_host": "localhost",
            "qlik_port": int(ready["qrs_url"].rpartition(":")[2]),
            "qlik_ca_path": str(self.root),
            "qlik_proxy_ca_path": str(pki / "proxy_root.pem"),
            "qlik_client_cert": str(pki / "client.pem"),
            "qlik_client_key": str(pki / "client_key.pem"),
            "qlik_proxy_urls": self.proxies,
            "qlik_qps_urls": [node["qps_url"] for node in ready["nodes"]],
            "qlik_smoke_test_users": ["SMOKE\\test"],
            "key_rotation_name": "portal",
            "key_rotation_directory": str(self.keys),
            "key_rotation_overlap": OVERLAP,
            "key_rotation_front_end_directory": str(self.directory),
            "key_rotation_front_end_ca_path": str(pki / "proxy_root.pem"),
            "key_rotation_public_urls": [self.url],
            "key_rotation_switch_tasks": str(self.directory / "switch.yml"),
            "issuer_key": str(self.issuer_key),
        }
        inventory = {"qlik_sites": {"hosts": {"demo": variables}}}
        (self.directory / "inventory.yml").write_text(json.dumps(inventory))

    def _commands(self) -> tuple[list[str], list[str]]:
        """Return the commands that start and reload the front end."""
        program = found("nginx")
        assert program is not None
        start = [program, "-p", str(self.directory), "-c", str(self.directory / "front_end.conf")]
        return start, [*start, "-s", "reload"]

    def play(self, variables: dict[str, t.Any]) -> subprocess.Popen[str]:
        """Start the playbook."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("QLIK_SENSE_")}
        environment |= {"ANSIBLE_CONFIG": str(self.directory / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
        playbook = Path(sys.executable).with_name("ansible-playbook")
        command = [str(playbook), "sensible.qlik.rotate_keys", "-i", str(self.directory / "inventory.yml")]
        return subprocess.Popen(
            [*command, "-e", json.dumps(variables)],
            env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def start_front_end(self) -> None:
        """Write its configuration as the role does, and start it.

        Raises:
            RuntimeError: it did not work; with what was said.
        """
        with self.play({"key_rotation_mode": "front_end"}) as written:
            output, _errors = written.communicate()
        if written.returncode:
            raise RuntimeError(output)
        with (self.directory / "front_end.log").open("wb") as log:
            self._front_end = subprocess.Popen(self._commands()[0], stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self._front_end.poll() is None:
            with socket.socket() as probe:
                if not probe.connect_ex(("127.0.0.1", self.port)):
                    return
            time.sleep(0.05)
        raise RuntimeError((self.directory / "front_end.log").read_text())

    def rotate(self, report: t.Callable[[str], None]) -> int:
        """Run the playbook to its end, and return its exit status.

        Args:
            report: called with each step when it begins, and with the whole output if it fails.
        """
        lines = []
        with self.play({"key_rotation_front_end_reload": self._commands()[1]}) as running:
            assert running.stdout is not None
            for line in running.stdout:
                lines.append(line)
                begun = re.match(r"TASK \[sensible\.qlik\.key_rotation : ([A-Z]\w+(?: \w+){1,3})", line)
                step = next((step for start, step in STEPS.items() if begun and begun[1].startswith(start)), None)
                if step:
                    report(step)
        if running.returncode:
            report("".join(lines))
        return running.returncode

    def stop(self) -> None:
        """Stop what was started."""
        if self._front_end is not None:
            self._front_end.send_signal(signal.SIGTERM)
            self._front_end.wait()
        self.site.stop()


def found(program: str) -> str | None:
    """Return the path of a front end, also from directories that only root has in the search path."""
    return shutil.which(program, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]))


def run(directory: Path, switches: dict[str, t.Any], *, show: bool) -> tuple[int, Figures]:
    """Run one rotation under load, and return the playbook's exit status and the results."""
    rotation = Rotation(directory, switches)
    try:
        rotation.start_front_end()
        issuer = Issuer(rotation.issuer_key)
        url = f"{rotation.url}/portal/"
        with (
            Watch(rotation.proxies, rotation.site.pki / "proxy_root.pem") as watch,
            Load(url=url, issuer=issuer, ca=rotation.root, users=USERS, rate=RATE, limit=LIMIT) as load,
        ):
            started = time.monotonic()

            def report(step: str) -> None:
                if step not in STEPS.values():
                    print(step)
                elif show:
                    now = figures(load.outcomes, watch)
                    spread = ", ".join(f"{count} logins on {name[15:]}" for name, count in sorted(now.logins.items()))
                    print(
                        f"{time.monotonic() - started:6.1f} s  {step:<8} {now.requests:5} requests, "
                        f"{now.failed} failed; {spread}",
                        flush=True,
                    )

            time.sleep(2 * REQUESTS_A_VISIT * USERS / RATE)  # two visits of each user before the rotation
            status = rotation.rotate(report)
            time.sleep(REQUESTS_A_VISIT * USERS / RATE)  # and one after it
        return status, figures(load.outcomes, watch)
    finally:
        rotation.stop()


def sentence(counted: Figures) -> str:
    """Return the figures as a sentence."""
    spread = ", ".join(f"{count} on {name.removeprefix('X-Qlik-Session-')}" for name, count in counted.logins.items())
    text = f"{counted.requests} requests, {counted.rate:.1f} a second (logins: {spread}): {counted.failed} failed"
    if counted.in_windows or counted.lost:
        text += f" while all proxies answered, {counted.in_windows} while one did not answer"
        text += f"; {counted.lost} sessions were lost by proxies that did not answer" if counted.lost else ""
    return text + (f" {counted.problems}" if counted.problems else "")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--demo", action="store_true", help="show the steps of one rotation")
    arguments = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _frame: sys.exit(128 + received))
    if not found("nginx"):
        print(
            "Skipped: nginx is not installed, so there is no front end for the load. Install it and run this again; on"
        )
        print("Debian and Ubuntu the package is nginx-light.")
        return int(os.environ.get("REQUIRE_ALL") == "1")
    if arguments.demo:
        print("Users log in with tokens and send requests through nginx to two proxies while the key is rotated.")
    for name, switches in list(SCENARIOS.items())[: 1 if arguments.demo else None]:
        with tempfile.TemporaryDirectory(prefix="rotation-") as directory:
            status, counted = run(Path(directory), switches, show=arguments.demo)
        print(f"{name}: {sentence(counted)}{'' if status == 0 else '; the rotation failed'}", flush=True)
        if arguments.demo and (status or counted.failed):
            return 1
    if arguments.demo:
        print("What was shown: the playbook rotate_keys replaced the key, and no request of the users failed.")
        print("What to try next: make site")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
