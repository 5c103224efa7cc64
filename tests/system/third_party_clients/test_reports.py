# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Open the reports of smoke tests and of the drift in a browser: wide and narrow, light and dark."""

from __future__ import annotations

import json
import pathlib
import subprocess
import typing as t
import urllib.parse

import pytest
from chromium import Chromium

from qlik_sense_simulator.testing import RunningSite

LAYOUT = (pathlib.Path(__file__).parent / "layout.js").read_text()
LONG = "customer-portal-for-external-partners"
USERS = ["EXAMPLE\\smoketest-of-the-morning", "EXAMPLE\\smoketest-of-the-evening"]
# Names of sites. The second declares another certificate than the site has, and the third cannot be reached.
PASSED, FAILED, GONE = "qlik-frankfurt", "qlik-production-frankfurt", "qlik-unreachable"
# What the role promotion writes on the page when it has restored a site.
NOTE = {
    "hosts": FAILED,
    "gather_facts": False,
    "connection": "local",
    "vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}"},
    "tasks": [
        {
            "ansible.builtin.include_role": {"name": "sensible.qlik.smoke_test", "tasks_from": "note"},
            "vars": {
                "__smoke_test_note": f"The previous state of {FAILED} was restored from the snapshot "
                f"/home/operator/inventory/promotion_snapshots/{FAILED}-20261128T101502Z-x8d3k_2z.yml."
            },
        }
    ],
}
FAILURE = 2
Pages = dict[str, pathlib.Path]


def virtual_proxies(pki: pathlib.Path, signer: str, **more: t.Any) -> list[dict[str, t.Any]]:
    """Return the declaration of three virtual proxies. One is linked to no proxy."""
    usual = {
        "jwt_public_key_certificate": (pki / f"{signer}.pem").read_text(),
        "load_balancing_server_nodes": ["Central"],
    }
    return [
        {"prefix": "reports", **usual, "proxies": ["Central", "Rim1"], **more},
        {"prefix": LONG, **usual, "proxies": ["Central"], "additional_response_headers": "X-Frame-Options: DENY"},
        {"prefix": "unlinked", **usual, "state": "absent" if signer == "server" else "present"},
    ]


def inventory(site: RunningSite, directory: pathlib.Path) -> dict[str, t.Any]:
    """Return an inventory with the same simulated site under three names."""
    pki = site.pki
    other = {
        "session_inactivity_timeout": 60,
        "websocket_cross_origin_white_list": ["portal.example.com", "intranet.example.com"],
    }
    hosts: dict[str, dict[str, t.Any]] = {
        name: {
            "qlik_virtual_proxies": virtual_proxies(pki, signer, **more),
            "qlik_jwt_private_key_path": str(pki / f"{signer}_key.pem"),
        }
        for name, signer, more in ((PASSED, "server", {}), (FAILED, "client", other), (GONE, "server", {}))
    }
    hosts[GONE]["qlik_port"] = 1
    variables = {
        "qlik_host": "localhost",
        "qlik_port": urllib.parse.urlsplit(site.ready["qrs_url"]).port,
        "qlik_client_cert": str(pki / "client.pem"),
        "qlik_client_key": str(pki / "client_key.pem"),
        "qlik_ca_path": str(pki / "root.pem"),
        "qlik_proxy_ca_path": str(pki / "proxy_root.pem"),
        "qlik_smoke_test_users": USERS,
        "smoke_test_wait": 0,
        "smoke_test_report_directory": str(directory / "smoke_test"),
        "drift_report_directory": str(directory / "drift"),
    }
    return {"qlik_sites": {"hosts": hosts, "vars": variables}}


def run(playbook: str, limit: str, directory: pathlib.Path) -> int:
    """Run a playbook with the inventory of a directory, and return its exit status."""
    command = ["ansible-playbook", playbook, "-i", "inventory.json", "--limit", limit]
    return subprocess.run(command, cwd=directory, check=False).returncode


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Pages:
    """Return the reports by their names."""
    directory = tmp_path_factory.mktemp("reports")
    (directory / "note.yml").write_text(json.dumps([NOTE]))
    with RunningSite(directory / "site", {"users": []}) as site:
        (directory / "inventory.json").write_text(json.dumps(inventory(site, directory)))
        assert run("sensible.qlik.provision", PASSED, directory) == 0
        assert run("sensible.qlik.smoke_test", f"{PASSED},{FAILED}", directory) == FAILURE
        assert run("note.yml", FAILED, directory) == 0
        assert run("sensible.qlik.drift", "all", directory) == FAILURE
    return {
        "passed": directory / "smoke_test" / PASSED / "index.html",
        "failed": directory / "smoke_test" / FAILED / "index.html",
        "drift": directory / "drift" / "index.html",
    }


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", ["passed", "failed", "drift"])
def test_report_fits_the_window(
    name: str,
    width: int,
    scheme: t.Literal["light", "dark"],
    pages: Pages,
    chromium: Chromium,
    screenshots: pathlib.Path,
) -> None:
    context = chromium.new_context(width=width, scheme=scheme)
    page = context.new_page()
    page.goto(pages[name].as_uri())
    page.screenshot(path=screenshots / f"report-{name}-{width}-{scheme}.png", full_page=True)
    problems = page.evaluate(LAYOUT)
    context.close()
    assert problems == []


def test_page_says_that_the_site_was_restored(pages: Pages, chromium: Chromium) -> None:
    context = chromium.new_context()
    page = context.new_page()
    page.goto(pages["failed"].as_uri())
    note = page.inner_text(".note")
    context.close()
    assert note.startswith(
        f"After this smoke test: The previous state of {FAILED} was restored from the snapshot /home"
    )
