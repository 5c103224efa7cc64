# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Promote from dev to test to prod on three simulated sites, with the installed collection and its example inventory.

Usage: promotion.py --directory DIRECTORY --collections PATH

All steps are commands that users can type. Each is printed with a summary of its result; the file promotion.log in the
directory has the whole output. The exit status is 0 if each command has the expected result.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import ssl
import sys
import textwrap
import typing as t
import urllib.request
from pathlib import Path

import yaml
from run import arguments, documentation, end_with, environment, run

from qlik_sense_simulator.testing import RunningSite

STAGES = ("dev", "test", "prod")
# Fields that differ after each save.
CIRCUMSTANCES = {"id", "modifiedDate", "modifiedByUserName"}
# The results in the output of a playbook: of the tasks that report a promotion, and of a task that writes.
MESSAGE = re.compile(
    r"TASK \[sensible\.qlik\.promotion : Report (?:the result|what was restored)\].*?=> *\n(.*?)\n\n", re.DOTALL
)
WRITTEN = re.compile(r"TASK \[Create, update and remove virtual proxies as declared\] \*+\n(ok|changed): \[(\w+)\]")
NEXT = """
What was shown: each site keeps its certificate, nodes and hosts, a promotion that changes nothing writes nothing, and a
site whose logins fail after a promotion is restored.
What to try next: make site, make demo-rotation (requires nginx), {documentation}"""


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


def results(output: str) -> list[str]:
    """Return the results in the output of a playbook, one for each line to print."""
    lines = [f"{name}: {'changed' if state == 'changed' else 'unchanged'}" for state, name in WRITTEN.findall(output)]
    for text in MESSAGE.findall(output):
        message = yaml.safe_load(textwrap.dedent(text))["msg"]
        lines += message if isinstance(message, list) else message.replace(". ", ".\n").splitlines()
    return lines


class Demo:
    """Print and run each step, and record whether it ended as expected.

    Args:
        directory: where the commands are run.
        variables: their environment.

    Attributes:
        log: the file with their output.
        went_well: whether each step ended as expected.
    """

    def __init__(self, directory: Path, variables: dict[str, str]) -> None:
        self._directory = directory
        self._variables = variables
        self._steps = 0
        self.log = directory / "promotion.log"
        self.went_well = True

    def announce(self, text: str) -> None:
        """Print the title of a step."""
        self._steps += 1
        print()
        self._print(f"{self._steps}. {text}", indent="")

    def run(self, playbook: str, *arguments: str, succeeds: bool = True) -> None:
        """Run a playbook, print its results, and check its exit status."""
        command = ["ansible-playbook", f"sensible.qlik.{playbook}", "-i", "inventory/sites.yml", *arguments]
        print(f"   $ {' '.join(command)}", flush=True)
        command[0] = str(Path(sys.executable).with_name(command[0]))
        with self.log.open("ab") as log:
            log.write(f"\n$ {' '.join(command)}\n".encode())
            log.flush()
            begin = log.tell()
            code = run(command, self._variables, self._directory, log)
        output = self.log.read_bytes()[begin:].decode()
        lines = results(output)
        for line in lines:
            self._print(line.replace(f"{self._directory}/", ""))
        self.check("The output of the playbook must contain its result.", bool(lines))
        expected = (code == 0) is succeeds
        if expected:
            print(f"   Exit status: {code} ({'success' if succeeds else 'the failure is intended'})", flush=True)
        else:
            print(output, flush=True)
        self.check(f"The playbook must {'succeed' if succeeds else 'fail'}. Its exit status is {code}.", expected)

    def check(self, complaint: str, condition: bool) -> None:
        """Print a complaint unless the condition is true."""
        if not condition:
            print(f"UNEXPECTED: {complaint}", flush=True)
            self.went_well = False

    def _print(self, text: str, indent: str = "   ") -> None:
        print(
            textwrap.fill(text, 120, initial_indent=indent, subsequent_indent="   ", break_on_hyphens=False), flush=True
        )


def run_all(demo: Demo, sites: dict[str, RunningSite], inventory: Path) -> None:
    """Run and describe all steps."""
    promote = ("promote", "-e", "promote_stages=dev,test,prod", "-e", "promote_approved=prod")
    demo.announce("Provision dev with the virtual proxy that the dev team declares.")
    demo.run("provision", "--limit", "dev")

    demo.announce("Promote it from dev to test to prod. The logins are verified on each site.")
    demo.run(*promote)

    demo.announce("Promote again. Nothing differs, so nothing is written and no proxy restarts.")
    before = {stage: database(site) for stage, site in sites.items()}
    demo.run(*promote)
    demo.check("The sites must not have changed.", before == {stage: database(site) for stage, site in sites.items()})

    demo.announce("Change the timeout on dev, and put the certificate of dev in the place of that of test, by mistake.")
    document = inventory / "group_vars" / "qlik_sites" / "sites.yml"
    document.write_text(
        document.read_text().replace("session_inactivity_timeout: 30", "session_inactivity_timeout: 10")
    )
    shutil.copy(inventory / "certificates" / "dev" / "portal.pem", inventory / "certificates" / "test" / "portal.pem")
    demo.run("provision", "--limit", "dev")

    demo.announce("INTENDED FAILURE: promote the mistake. Logins on test fail; test is restored, and prod not changed.")
    before = {stage: database(site) for stage, site in sites.items()}
    demo.run(*promote, succeeds=False)
    for stage in ("test", "prod"):
        same = database(sites[stage]) == before[stage]
        demo.check(f"{stage} must have its previous state.", same)
        if same:
            print(f"   {stage}: its database is the same as before this run, compared field by field.")


def main() -> int:
    options = arguments(__doc__)
    directory, collections = options.directory, options.collections
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    inventory = directory / "inventory"
    variables = environment(collections, directory) | {"ANSIBLE_DISPLAY_SKIPPED_HOSTS": "false"}
    demo = Demo(directory, variables)
    with contextlib.ExitStack() as stack:
        sites = {
            stage: stack.enter_context(RunningSite(directory / "sites" / stage, description(stage))) for stage in STAGES
        }
        make_inventory(inventory, collections / "ansible_collections/sensible/qlik/playbooks/inventory", sites)
        print(f"Three simulated sites run: dev, test and prod. In {directory}:")
        run_all(demo, sites, inventory)
    print(NEXT.format(documentation=documentation()) if demo.went_well else "")
    print(f"The snapshots: {inventory}/promotion_snapshots\nThe reports: {inventory}/smoke_test_report")
    print(f"The whole output: {demo.log}")
    return 0 if demo.went_well else 1


if __name__ == "__main__":
    end_with(main)
