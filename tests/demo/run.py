# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the demo playbook with the installed collection against a simulated site, and always stop the site.

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
import typing as t
from pathlib import Path

import yaml

from qlik_sense_simulator.testing import RunningSite

CHECKOUT = Path(__file__).resolve().parents[2]
SITE = Path(__file__).resolve().with_name("site.yml")
PLAYBOOK = SITE.with_name("demo.yml")
SHOWN = """\
What was shown, on a simulated site with two nodes:
  - Two JWT virtual proxies were declared, and linked to both proxies.
  - Tokens were minted, and each login was verified on each proxy.
  - A second run changed nothing.
  - A setting was changed by hand. The drift report showed it, and the next run restored it.

What to try next:
  make site            a simulated site for your own commands, with a first playbook
  make demo-promotion  from dev to test to prod, with a failure and its rollback
  make demo-rotation   a new key while users log in; requires nginx
  Documentation:       {documentation}
"""


def documentation() -> str:
    """Return the address of the documentation."""
    return str(yaml.safe_load((CHECKOUT / "galaxy.yml").read_text())["documentation"])


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
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
        "ANSIBLE_COLLECTIONS_PATH": str(collections),
        "ANSIBLE_CONFIG": str(configuration),
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_RETRY_FILES_ENABLED": "false",
    }


def run(command: list[str], variables: dict[str, str], directory: Path, log: t.IO[bytes] | None = None) -> int:
    """Run a command to its end, interrupt it if this process is interrupted, and return its exit status.

    Args:
        command: with its arguments.
        variables: its environment.
        directory: where it is run.
        log: the file for its output.
    """
    errors = subprocess.STDOUT if log else None
    with subprocess.Popen(command, env=variables, cwd=directory, stdout=log, stderr=errors) as process:
        try:
            return process.wait()
        except BaseException:
            process.send_signal(signal.SIGINT)
            process.wait()
            raise


def arguments(description: str | None) -> argparse.Namespace:
    """Return the arguments of a demo: the directories, absolute."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--directory", type=lambda text: Path(text).absolute(), required=True, help="for its files")
    parser.add_argument("--collections", type=lambda text: Path(text).absolute(), required=True)
    return parser.parse_args()


def end_with(main: t.Callable[[], int]) -> t.NoReturn:
    """Run a demo and end this process with its exit status."""
    # So that `kill` and a closed terminal end it like Ctrl-C does: through every `finally`.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _frame: sys.exit(128 + received))
    try:
        sys.exit(main())
    except RuntimeError as error:  # with the simulator's log
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)


def main() -> int:
    options = arguments(__doc__)
    directory = options.directory
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    with RunningSite(directory / "site", arguments=["--site", str(SITE)]) as site:
        variables = {"demo_ready_file": str(site.directory / "ready.json"), "demo_directory": str(directory)}
        playbook = [str(Path(sys.executable).with_name("ansible-playbook")), str(PLAYBOOK), "--extra-vars"]
        code = run([*playbook, json.dumps(variables)], environment(options.collections, directory), directory)
    if code == 0:
        print(SHOWN.format(documentation=documentation()))
    for name, report in (("drift report", "drift/index.html"), ("report", "report/demo/index.html")):
        if (directory / report).exists():
            print(f"The {name}: {directory / report}")
    return code


if __name__ == "__main__":
    end_with(main)
