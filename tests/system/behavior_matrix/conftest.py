# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Provide the sites, modules that run in this process, and one run of a playbook that logs in on all sites."""

from __future__ import annotations

import collections
import contextlib
import io
import json
import os
import pathlib
import subprocess
import textwrap
import typing as t
import urllib.parse

import pytest
import requests
from cases import Case, cases
from deviations import DEVIATIONS

from ansible_collections.sensible.qlik.plugins.modules import jwt_virtual_proxy
from ansible_collections.sensible.qlik.tests.unit.plugins.module_arguments import patch_module_args
from qlik_sense_simulator.pki import ensure_pki
from qlik_sense_simulator.testing import RunningSites

HERE = pathlib.Path(__file__).parent


class Site:
    """A running site with one switch that is not the default.

    Args:
        case: the switch and its value.
        running: all sites.
    """

    def __init__(self, case: Case, running: RunningSites) -> None:
        self.case = case
        self.pki = running.pki
        self.ready = running.sites[case.name]
        self.proxies = [node["proxy_url"] for node in self.ready["nodes"]]

    def by_certificate(self) -> dict[str, t.Any]:
        """Return the connection options for the port of the repository."""
        return {
            "host": "localhost",
            "port": urllib.parse.urlsplit(self.ready["qrs_url"]).port,
            "client_cert": str(self.pki / "client.pem"),
            "client_key": str(self.pki / "client_key.pem"),
            "ca_path": str(self.pki / "root.pem"),
        }

    @property
    def proxy_ca(self) -> dict[str, t.Any]:
        """Return the option that verifies the proxies."""
        return {"proxy_ca_path": str(self.pki / "proxy_root.pem")}

    def methods(self) -> list[str]:
        """Return the methods of all requests to the repository so far."""
        answer = requests.get(
            f"{self.ready['qrs_url']}/simulator/requests",
            cert=(str(self.pki / "client.pem"), str(self.pki / "client_key.pem")),
            verify=str(self.pki / "root.pem"),
            headers={"X-Qlik-User": "UserDirectory=INTERNAL; UserId=sa_api"},
            timeout=60,
        )
        return [entry["method"] for entry in answer.json()["requests"] if entry["port"] == "qrs"]


def run(main: t.Callable[[], None], **options: t.Any) -> dict[str, t.Any]:
    """Run the main function of a module as Ansible does, and return what it printed."""
    with (
        contextlib.redirect_stdout(io.StringIO()) as output,
        patch_module_args(options),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    result: dict[str, t.Any] = json.loads(output.getvalue())
    assert bool(ended.value.code) == bool(result.get("failed"))
    return result


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave all tests of all values to `make test-nightly`: otherwise each value has one of the tests, in turn.

    The login is tested with every value.
    """
    by_test = collections.defaultdict(list)
    for item in items:
        if isinstance(item, pytest.Function) and "played" not in item.fixturenames:
            by_test[item.originalname].append(item)
    for turn, some in enumerate(by_test.values()):
        for number, item in enumerate(some):
            if number % len(by_test) != turn:
                item.add_marker(pytest.mark.nightly)


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
def running(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[RunningSites]:
    """Yield all sites."""
    directory = tmp_path_factory.mktemp("sites")
    # Made here, because the site files have the certificate in them.
    pki = ensure_pki(directory / "pki", authority_key=directory / "root_key.pem", host_names=["localhost"])
    certificate = pki.server.read_text()
    sites = {case.name: {**case.site(certificate), "proxy_authority": "other"} for case in cases()}
    with RunningSites(directory, sites) as running:
        yield running
        assert "Traceback" not in running.log.read_text()


@pytest.fixture(params=cases(), ids=str)
def site(request: pytest.FixtureRequest, running: RunningSites) -> Site:
    """Return each site in turn."""
    return Site(request.param, running)


class Played(t.NamedTuple):
    """The outcome of the playbook on a site.

    Attributes:
        endpoints: those of its proxies, in the format of login_check.
        failed: whether the role failed.
    """

    endpoints: list[dict[str, t.Any]]
    failed: bool


@pytest.fixture(scope="session")
def played(request: pytest.FixtureRequest, running: RunningSites) -> dict[str, Played]:
    """Return the results of the playbook by name of the case, for each site of the selected tests.

    A process for each site would take minutes. The sites have the same keys, so that sites with the same result of a
    module are one host of the playbook; each site on which logins fail is a host of its own.
    """
    parameters = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
    groups = collections.defaultdict(list)
    for case in sorted({one["site"] for one in parameters if "site" in one}, key=str):
        site = Site(case, running)
        result = run(
            jwt_virtual_proxy.main,
            **site.by_certificate(),
            prefix="plain",
            jwt_public_key_certificate=(site.pki / "server.pem").read_text(),
            load_balancing_server_nodes=["Central"],
            has_secure_attribute_https=True,
            same_site_attribute_https="none",
            proxies=["Central", "Rim1"],
        )
        assert result["changed"] is True, (str(case), result)
        declared = {name: value for name, value in result["virtual_proxy"].items() if name != "id"}
        groups[str(case) in DEVIATIONS and str(case), json.dumps(declared)].append(site)
    hosts = {
        sites[0].case.name: {
            "declared": json.loads(declared),
            "proxies": [proxy for site in sites for proxy in site.proxies],
            "pki": str(running.pki),
        }
        for (_alone, declared), sites in groups.items()
    }
    inventory = running.directory / "inventory.json"
    inventory.write_text(json.dumps({"all": {"hosts": hosts}}))
    environment = os.environ | {
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        "ANSIBLE_RETRY_FILES_ENABLED": "false",
        "ANSIBLE_DEPRECATION_WARNINGS": "false",
        "ANSIBLE_NOCOLOR": "true",
        "ANSIBLE_FORCE_COLOR": "false",
    }
    ended = subprocess.run(
        ["ansible-playbook", "-i", str(inventory), "--forks", "4", str(HERE / "login.yml")],
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
    found = {}
    for sites in groups.values():
        tasks = results[sites[0].case.name]
        # The result of the login check itself is hidden by no_log.
        assert "Discard the tokens and store the result" in tasks, tasks
        endpoints = tasks["Discard the tokens and store the result"]["ansible_facts"]["smoke_test_report"]["endpoints"]
        for site in sites:
            found[site.case.name] = Played(
                [one for one in endpoints if one["proxy"] in site.proxies],
                bool(tasks["Fail if a check failed"].get("failed")),
            )
    return found
