# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Start a simulated site for the user's own commands, with a first playbook and an inventory, until Ctrl-C.

Usage: try_site.py --directory DIRECTORY --collections PATH

The first playbook is that of README.md. Files that exist are kept, and the site keeps its ports, so that files of
the user work after a restart.
"""

from __future__ import annotations

import contextlib
import fcntl
import re
import shlex
import shutil
import socket
import sys
from pathlib import Path

import yaml
from run import CHECKOUT, SITE, arguments, documentation, end_with

from qlik_sense_simulator.testing import RunningSite

CERTIFICATES = {name: name for name in ("root", "client", "client_key", "server", "server_key")} | {
    "proxy_ca": "proxy_root"
}
CONFIGURATION = """\
[defaults]
inventory = sites.yml
collections_path = collections:{collections}
callback_result_format = yaml
localhost_warning = false
"""
INVENTORY = """\
# A host is a Qlik Sense site, not a machine. Tasks run on the control node and connect to the site over HTTPS.
qlik_sites:
  hosts:
    try:
      qlik_host: localhost
      qlik_port: {port}
  vars:
    qlik_ca_path: "{{{{ inventory_dir }}}}/root.pem"
    qlik_proxy_ca_path: "{{{{ inventory_dir }}}}/proxy_ca.pem"
    qlik_client_cert: "{{{{ inventory_dir }}}}/client.pem"
    qlik_client_key: "{{{{ inventory_dir }}}}/client_key.pem"
    qlik_jwt_private_key_path: "{{{{ inventory_dir }}}}/server_key.pem"
    qlik_smoke_test_users: ['SMOKE\\test']
    qlik_purge_tag: portal    # virtual proxies without this tag belong to others
    qlik_virtual_proxies:
      - prefix: portal
        description: The customer portal
        jwt_public_key_certificate: "{{{{ lookup('ansible.builtin.file', inventory_dir ~ '/server.pem') }}}}"
        tags: [portal]
        load_balancing_server_nodes: [Central, Rim1]
        proxies: [Central, Rim1]
"""
TEXT = """\
A simulated Qlik Sense site runs. Ctrl-C ends it.

  host, port    {host}, {port} (the repository)
  proxies       {proxies} (443 on real sites)
  certificates  {directory}
                root.pem, client.pem, client_key.pem: as exported in the QMC, for the repository
                proxy_ca.pem: verifies the proxies
                server.pem, server_key.pem: verify and sign tokens
  users         EXAMPLE\\admin (RootAdmin), EXAMPLE\\auditor (AuditAdmin); others are created when they log in

Type in another terminal:

  cd {directory}
  export PATH={programs}:"$PATH"
  ansible-playbook first.yml --check --diff
  ansible-playbook first.yml
  ansible-playbook sensible.qlik.provision --diff
  ansible-playbook sensible.qlik.smoke_test
  ansible-playbook sensible.qlik.drift
  ansible-playbook first.yml --tags undo

Stay in that directory: its ansible.cfg finds the collection.
first.yml is the first playbook of README.md, sites.yml the inventory of the other commands, site.yml the site itself.
Change them as you like: they are kept. Key rotation also needs `ansible-galaxy collection install community.crypto`.
Documentation: {documentation}
The log of the site: {log}"""
RUNS = """A simulated site runs in {directory} already. Use it, end it, or start a second one beside it:

  make site DIRECTORY=.site-2"""


def first_playbook(host: str, port: int, proxy: str) -> str:
    """Return the first playbook of README.md with the addresses of a site."""
    blocks = re.findall(r"```yaml\n(.*?)```", (CHECKOUT / "README.md").read_text(), re.DOTALL)
    [text] = [block for block in blocks if "sensible.qlik.login_check" in block]
    for example, value in (
        ("qlik1.example.com", host),
        ("port: 4242", f"port: {port}"),
        ("https://qlik.example.com", proxy),
    ):
        if example not in text:
            raise RuntimeError(f"The first playbook in README.md has no {example}.")
        text = text.replace(example, value)
    return text


def site_file(file: Path) -> Path:
    """Return the file of the site that is started: that of the user, or one for a new site with free ports."""
    if not file.exists():
        repository = free_port(4242)
        description = yaml.safe_load(SITE.read_text())
        description |= {"qrs_port": repository, "tags": ["portal"], "switches": {"reload_seconds": 0.5}}
        ports = {"proxy_port": free_port(8443), "qps_port": free_port(repository + 1)}
        for node in description["nodes"]:
            node.update(ports)
            ports = {name: free_port(port + 1) for name, port in ports.items()}
        file.write_text(f"# The simulated site. Changes are read at its next start.\n{yaml.safe_dump(description)}")
    return file


def free_port(port: int) -> int:
    """Return the first free port from this one on. The system does not use these low ports for connections."""
    with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
        return port
    return free_port(port + 1)


def port_of(url: str) -> int:
    return int(url.rstrip("/").rpartition(":")[2])


def write_files(directory: Path, collections: Path, site: RunningSite) -> None:
    """Write the files for the user, except those that exist, and the certificates."""
    for name, source in CERTIFICATES.items():
        shutil.copy(site.pki / f"{source}.pem", directory / f"{name}.pem")
    port = port_of(site.ready["qrs_url"])
    files = {
        "ansible.cfg": CONFIGURATION.format(collections=collections),
        "sites.yml": INVENTORY.format(port=port),
        "first.yml": first_playbook("localhost", port, site.ready["nodes"][0]["proxy_url"]),
    }
    for name, text in files.items():
        if not (directory / name).exists():
            (directory / name).write_text(text)


def text(directory: Path, site: RunningSite) -> str:
    """Return what the user must know about the running site."""
    nodes = site.ready["nodes"]
    return TEXT.format(
        host=nodes[0]["host_name"],
        port=port_of(site.ready["qrs_url"]),
        proxies=", ".join(f"{node['proxy_url']} ({node['name']})" for node in nodes),
        directory=shlex.quote(str(directory)),
        programs=shlex.quote(str(Path(sys.executable).parent)),
        documentation=documentation(),
        log=site.log,
    )


def main() -> int:
    options = arguments(__doc__)
    directory: Path = options.directory
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RuntimeError(RUNS.format(directory=directory)) from None
        file = site_file(directory / "site.yml")
        with RunningSite(directory / "site", arguments=["--site", str(file)]) as site:
            write_files(directory, options.collections, site)
            with contextlib.suppress(KeyboardInterrupt):
                print(text(directory, site), flush=True)
                raise RuntimeError(f"The site has ended with status {site.wait()}:\n{site.log.read_text()}")
    print("\nThe site has ended. `make site` starts it again with its virtual proxies, ports and files.")
    return 0


if __name__ == "__main__":
    end_with(main)
