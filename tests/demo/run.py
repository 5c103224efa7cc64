# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the demo playbook of the installed collection against a simulated site, and always stop the site.

Usage: run.py --directory DIRECTORY --collections PATH

The last line is the path of the report. The exit status is the playbook's.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from qlik_sense_simulator.testing import RunningSite

SITE = Path(__file__).resolve().with_name("site.yml")
SHOWN = """\
What was shown: two JWT virtual proxies were declared on a site with two nodes, tokens were minted, each login was
verified on each proxy, and a second run changed nothing.
What to try next: "A first playbook" in README.md, make demo-promotion, make demo-rotation."""


def environment(collections: Path, directory: Path) -> dict[str, str]:
    """Return the environment of the playbook, without variables of Ansible, Qlik and web proxies from the shell."""
    ours = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ANSIBLE_", "QLIK_SENSE_")) and not name.lower().endswith("_proxy")
    }
    configuration = directory / "ansible.cfg"
    configuration.write_text("[defaults]\n")
    return ours | {
        "ANSIBLE_COLLECTIONS_PATH": str(collections),
        "ANSIBLE_CONFIG": str(configuration),
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_RETRY_FILES_ENABLED": "false",
    }


def run(command: list[str], variables: dict[str, str], directory: Path | None = None) -> int:
    """Run a command to its end, interrupt it if this process is interrupted, and return its exit status."""
    with subprocess.Popen(command, env=variables, cwd=directory) as process:
        try:
            return process.wait()
        except BaseException:
            process.send_signal(signal.SIGINT)
            process.wait()
            raise


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directory", type=Path, required=True, help="replaced")
    parser.add_argument("--collections", type=Path, required=True)
    options = parser.parse_args()
    # So that `kill` and a closed terminal end it like Ctrl-C does: through every `finally`.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _frame: sys.exit(128 + received))
    directory = options.directory.absolute()
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    with RunningSite(directory / "site", arguments=["--site", str(SITE)]) as site:
        variables = {"demo_ready_file": str(site.directory / "ready.json"), "demo_directory": str(directory)}
        playbook = [str(Path(sys.executable).with_name("ansible-playbook")), "sensible.qlik.demo", "--extra-vars"]
        code = run([*playbook, json.dumps(variables)], environment(options.collections.absolute(), directory))
    if code == 0:
        print(SHOWN)
    for report in sorted(directory.glob("report/**/*.html")):
        print(f"The report: {report}")
    return code


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RuntimeError as error:  # with the simulator's log
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
