# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sites, modules that run in this process, and one run of a playbook over all sites."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import textwrap
import typing as t

import pytest
import requests
from cases import Case, cases

from ansible_collections.sensible.qlik.tests.unit.plugins.module_arguments import patch_module_args

HERE = pathlib.Path(__file__).parent


class Site:
    """A running site with one switch the other way.

    Args:
        case: which.
        directory: where the sites wrote their addresses.
    """

    def __init__(self, case: Case, directory: pathlib.Path) -> None:
        self.case = case
        self.pki = directory / "pki"
        self.ready: dict[str, t.Any] = json.loads((directory / f"{case.name}.json").read_text())
        self.proxies = [node["proxy_url"] for node in self.ready["nodes"]]

    def methods(self) -> list[str]:
        """The methods of all requests to the repository so far."""
        answer = requests.get(
            f"{self.ready['qrs_url']}/simulator/requests",
            cert=(str(self.pki / "client.pem"), str(self.pki / "client_key.pem")),
            verify=str(self.pki / "root.pem"),
            headers={"X-Qlik-User": "UserDirectory=INTERNAL; UserId=sa_api"},
            timeout=60,
        )
        return [entry["method"] for entry in answer.json()["requests"] if entry["port"] == "qrs"]


def pytest_terminal_summary(terminalreporter: t.Any) -> None:
    """Say what was tried, in few lines."""
    values: dict[str, list[str]] = {}
    for case in cases():
        switch, _colon, value = str(case).partition(": ")
        values.setdefault(switch, []).append(value)
    tried = "; ".join(f"{switch}: {', '.join(some)}" for switch, some in values.items())
    terminalreporter.section(f"{len(cases())} values of {len(values)} switches")
    terminalreporter.write_line(textwrap.fill(tried, 120))


@pytest.fixture(scope="session")
def directory(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[pathlib.Path]:
    """Where the sites are, while they run."""
    directory = tmp_path_factory.mktemp("sites")
    log = directory / "log"
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            [sys.executable, str(HERE / "sites.py"), str(directory)],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        ) as process,
    ):
        assert process.stdout is not None
        assert any(line == "ready\n" for line in process.stdout), log.read_text()
        yield directory
        process.terminate()


@pytest.fixture(params=cases(), ids=str)
def site(request: pytest.FixtureRequest, directory: pathlib.Path) -> Site:
    """One site after the other."""
    return Site(request.param, directory)


Run = t.Callable[..., dict[str, t.Any]]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs the main function of a module as Ansible does, and returns what it printed."""

    def run(main: t.Callable[[], None], **options: t.Any) -> dict[str, t.Any]:
        capfd.readouterr()
        with patch_module_args(options), pytest.raises(SystemExit) as ended:
            main()
        result = json.loads(capfd.readouterr().out)
        assert bool(ended.value.code) == bool(result.get("failed"))
        return t.cast("dict[str, t.Any]", result)

    return run


@pytest.fixture(scope="session")
def played(request: pytest.FixtureRequest, directory: pathlib.Path) -> dict[str, dict[str, t.Any]]:
    """What one run of the playbook came to: for each site that any test is about, by name of the task, its result."""
    parameters = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
    sites = [Site(case, directory) for case in {one["site"] for one in parameters if "site" in one}]
    hosts = {site.case.name: {"site": site.ready, "pki": str(site.pki)} for site in sites}
    inventory = directory / "inventory.json"
    inventory.write_text(json.dumps({"all": {"hosts": hosts}}))
    environment = os.environ | {
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        "ANSIBLE_RETRY_FILES_ENABLED": "false",
        "ANSIBLE_DEPRECATION_WARNINGS": "false",
        "ANSIBLE_NOCOLOR": "true",
        "ANSIBLE_FORCE_COLOR": "false",
    }
    ended = subprocess.run(
        ["ansible-playbook", "-i", str(inventory), "--forks", "8", str(HERE / "login.yml")],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    try:
        [play] = json.loads(ended.stdout)["plays"]
    except ValueError:
        pytest.fail(ended.stdout + ended.stderr)
    results: dict[str, dict[str, t.Any]] = {name: {} for name in hosts}
    for task in play["tasks"]:
        for name, result in task["hosts"].items():
            results[name][task["task"]["name"].rpartition(" : ")[2]] = result
    return results
