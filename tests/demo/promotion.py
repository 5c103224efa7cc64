# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Promote from dev to test to prod on three simulated sites, with the installed collection and its example inventory.

Usage: promotion.py --directory DIRECTORY --collections PATH

All steps are commands that users can type, and each is printed. The exit status is 0 if each command has the expected
result.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import signal
import ssl
import sys
import typing as t
import urllib.request
from pathlib import Path

from run import environment, run

from qlik_sense_simulator.testing import RunningSite

STAGES = ("dev", "test", "prod")
# Fields that differ after each save.
CIRCUMSTANCES = {"id", "modifiedDate", "modifiedByUserName"}


def description(stage: str) -> dict[str, t.Any]:
    """Return a site file: prod has a second node, and a proxy needs a second to apply a change."""
    nodes = [{"name": "Central", "host_name": "localhost", "is_central": True}]
    if stage == "prod":
        nodes.append({"name": "Rim1", "host_name": "127.0.0.1"})
    return {"nodes": nodes, "proxy_authority": "other", "switches": {"reload_seconds": 1.0}}


def make_inventory(directory: Path, example: Path, sites: dict[str, RunningSite]) -> None:
    """Create the example inventory with the simulated sites in place of example.com, and their certificates."""
    shutil.copytree(example, directory)
    hosts = {}
    for stage, site in sites.items():
        hosts[stage] = {
            "qlik_host": "localhost",
            "qlik_port": int(site.ready["qrs_url"].rpartition(":")[2]),
            "qlik_nodes": [node["name"] for node in site.ready["nodes"]],
            "qlik_proxy_urls": [node["proxy_url"] for node in site.ready["nodes"]],
            "qlik_proxy_ca_path": str(directory / "certificates" / stage / "proxy_ca.pem"),
            "smoke_test_wait": 20,
        }
        certificates = directory / "certificates" / stage
        certificates.mkdir(parents=True)
        for name in ("root.pem", "client.pem", "client_key.pem"):
            shutil.copy(site.pki / name, certificates)
        shutil.copy(site.pki / "proxy_root.pem", certificates / "proxy_ca.pem")
        # Each site has a pair of its own to sign tokens with and to verify them.
        shutil.copy(site.pki / "server.pem", certificates / "portal.pem")
        shutil.copy(site.pki / "server_key.pem", certificates / "portal_key.pem")
    (directory / "sites.yml").write_text(json.dumps({"qlik_sites": {"hosts": hosts}}))


def database(site: RunningSite) -> t.Any:
    """Return the stored virtual proxies and links of a site, without ids and dates."""
    context = ssl.create_default_context(cafile=str(site.pki / "root.pem"))
    context.load_cert_chain(site.pki / "client.pem", site.pki / "client_key.pem")
    handler = urllib.request.HTTPSHandler(context=context)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), handler)
    with opener.open(f"{site.ready['qrs_url']}/simulator/database", timeout=30) as answer:
        content = json.load(answer)
    return _essence([content["VirtualProxyConfig"], [proxy["settings"] for proxy in content["ProxyService"]]])


def _essence(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {name: _essence(one) for name, one in value.items() if name not in CIRCUMSTANCES}
    return [_essence(one) for one in value] if isinstance(value, list) else value


class Demo:
    """Print and run each step, and record whether it ended as expected.

    Args:
        directory: where the commands are run.
        variables: their environment.
    """

    def __init__(self, directory: Path, variables: dict[str, str]) -> None:
        self._directory = directory
        self._variables = variables
        self.went_well = True

    def announce(self, text: str) -> None:
        print(f"\n######## {text}", flush=True)

    def run(self, playbook: str, *arguments: str, succeeds: bool = True) -> None:
        """Run a playbook, and check its exit status."""
        command = ["ansible-playbook", f"sensible.qlik.{playbook}", "-i", "inventory/sites.yml", *arguments]
        print(f"$ {' '.join(command)}", flush=True)
        command[0] = str(Path(sys.executable).with_name(command[0]))
        code = run(command, self._variables, self._directory)
        print(f"Exit status: {code}{'' if succeeds else ' (a failure was expected)'}", flush=True)
        self.check(f"The playbook must {'succeed' if succeeds else 'fail'}.", (code == 0) is succeeds)

    def check(self, complaint: str, condition: bool) -> None:
        if not condition:
            print(f"UNEXPECTED: {complaint}", flush=True)
            self.went_well = False


def run_all(demo: Demo, sites: dict[str, RunningSite], inventory: Path) -> None:
    """Run and describe all steps."""
    demo.announce("Provision dev with the virtual proxy that the dev team declares.")
    demo.run("provision", "--limit", "dev")

    demo.announce(
        "Promote from dev to test to prod. Each site keeps its certificate, nodes and hosts (inventory/group_vars)."
    )
    demo.run("promote", "-e", "promote_stages=dev,test,prod", "-e", "promote_approved=prod")

    demo.announce("Promote again. Nothing differs, so nothing is written and no proxy restarts.")
    before = {stage: database(site) for stage, site in sites.items()}
    demo.run("promote", "-e", "promote_stages=dev,test,prod")
    demo.check("The sites must not have changed.", before == {stage: database(site) for stage, site in sites.items()})

    demo.announce(
        "Shorten the timeout on dev, and replace the certificate of test with that of dev by mistake. The promotion "
        "fails on test (exit status 2), restores test and does not change prod."
    )
    document = inventory / "group_vars" / "qlik_sites" / "sites.yml"
    document.write_text(
        document.read_text().replace("session_inactivity_timeout: 30", "session_inactivity_timeout: 10")
    )
    shutil.copy(inventory / "certificates" / "dev" / "portal.pem", inventory / "certificates" / "test" / "portal.pem")
    demo.run("provision", "--limit", "dev")
    before = {stage: database(site) for stage, site in sites.items()}
    demo.run("promote", "-e", "promote_stages=dev,test,prod", "-e", "promote_approved=prod", succeeds=False)

    for stage in ("test", "prod"):
        same = database(sites[stage]) == before[stage]
        demo.check(f"{stage} must have its previous state.", same)
        if same:
            print(f"{stage}: its database is the same as before this run, compared field by field.")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directory", type=Path, required=True, help="replaced")
    parser.add_argument("--collections", type=Path, required=True)
    options = parser.parse_args()
    # So that `kill` and a closed terminal end it like Ctrl-C does: through every `finally`.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _frame: sys.exit(128 + received))
    directory, collections = options.directory.absolute(), options.collections.absolute()
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    inventory = directory / "inventory"
    variables = environment(collections, directory) | {
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
        "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "false",
    }
    with contextlib.ExitStack() as stack:
        sites = {
            stage: stack.enter_context(RunningSite(directory / "sites" / stage, description(stage))) for stage in STAGES
        }
        make_inventory(inventory, collections / "ansible_collections/sensible/qlik/playbooks/inventory", sites)
        demo = Demo(directory, variables)
        run_all(demo, sites, inventory)
    print(f"\nThe reports: {inventory}/smoke_test_report\nThe snapshots: {inventory}/promotion_snapshots")
    return 0 if demo.went_well else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RuntimeError as error:  # with a simulator's log
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
