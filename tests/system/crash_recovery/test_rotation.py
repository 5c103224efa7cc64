# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The next run finishes a rotation that was killed, and users can log in at each moment.

A run is killed before each request that changes the site, before each file that is created, replaced or removed, and
at the beginning of each task, by SIGKILL for the playbook and the module. All rotations are of one virtual proxy, each
based on the result of the one before.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import typing as t

import jwt
import pytest
import requests
import yaml

from qlik_sense_simulator.pki import ensure_pki
from qlik_sense_simulator.testing import RunningSite

INSIDE = pathlib.Path(__file__).parent / "inside"
NGINX = shutil.which("nginx", path=os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/usr/local/sbin"]))

pytestmark = pytest.mark.skipif(NGINX is None, reason="there is no nginx here (Debian: apt install nginx-light)")
MAX_KILLS = 25
MIN_KILLS = {"blue_green": 13, "in_place": 5}
"""The maximum number of kills, which is never reached, and the minimum, so that the test cannot pass without kills."""


class RotationRuns:
    """One site, one virtual proxy whose key is rotated repeatedly, and the playbook that does so.

    Args:
        directory: for all files.
    """

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory
        self.files = directory / "files"  # what the role writes
        self.keys, self.front_end = self.files / "keys", self.files / "front_end"
        self.keys.mkdir(parents=True, mode=0o700)
        self.front_end.mkdir()
        self.journal = directory / "journal"
        self._logins = 0
        (directory / "ansible.cfg").write_text("[defaults]\n")

    def begin(self, site: RunningSite) -> None:
        """Write the inventory."""
        self.site, self.pki = site, site.pki
        self.proxies: list[str] = [node["proxy_url"] for node in site.ready["nodes"]]
        shutil.copy(self.pki / "server_key.pem", self.keys / "portal_key.pem")
        variables = {
            "qlik_host": "localhost",
            "qlik_port": int(site.ready["qrs_url"].rpartition(":")[2]),
            "qlik_ca_path": str(self.pki / "root.pem"),
            "qlik_proxy_ca_path": str(self.pki / "proxy_root.pem"),
            "qlik_client_cert": str(self.pki / "client.pem"),
            "qlik_client_key": str(self.pki / "client_key.pem"),
            "qlik_proxy_urls": self.proxies,
            "qlik_qps_urls": [node["qps_url"] for node in site.ready["nodes"]],
            "qlik_smoke_test_users": ["SMOKE\\test"],
            "key_rotation_name": "portal",
            "key_rotation_directory": str(self.keys),
            "key_rotation_overlap": 0,
            "key_rotation_wait": 30,
            "key_rotation_old_key": "destroy",
            "key_rotation_front_end_directory": str(self.front_end),
            "key_rotation_front_end_ca_path": str(self.pki / "proxy_root.pem"),
        }
        self.inventory = self.directory / "inventory.yml"
        self.inventory.write_text(yaml.safe_dump({"qlik_sites": {"hosts": {"site": variables}}}))

    def play(self, mode: str, kill_at: int = 0, only: str = "", stop_after: str = "retire") -> int:
        """Run the playbook, kill it at a point if one is given, and return its exit status.

        Args:
            mode: of the role.
            kill_at: number of the point, counted from 1.
            only: how the points begin that count.
            stop_after: the last step.
        """
        self.journal.write_text("")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("QLIK_SENSE_")}
        environment |= {
            "ANSIBLE_CONFIG": str(self.directory / "ansible.cfg"),
            "ANSIBLE_CALLBACK_PLUGINS": str(INSIDE / "callback"),
            "ANSIBLE_PIPELINING": "true",
            "ANSIBLE_NOCOLOR": "1",
            "PYTHONPATH": str(INSIDE),
            "INJECT_JOURNAL": str(self.journal),
            "INJECT_FILES": f"{self.files}/",
            "INJECT_AT": str(kill_at),
            "INJECT_ONLY": only,
        }
        playbook = pathlib.Path(sys.executable).with_name("ansible-playbook")
        command = [str(playbook), "sensible.qlik.rotate_keys", "-vvv", "--diff", "-i", str(self.inventory)]
        with (self.directory / "output").open("ab") as output:
            running = subprocess.Popen(
                [*command, "-e", f"key_rotation_mode={mode}", "-e", f"key_rotation_stop_after={stop_after}"],
                env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
            self.journal.with_name("journal.pid").write_text(str(running.pid))
            return running.wait(timeout=300)

    def last(self) -> str:
        """Return the point at which the run was killed."""
        return self.journal.read_text().splitlines()[-1]

    def published(self) -> list[str]:
        """Return the prefixes of all JWT virtual proxies."""
        answer = requests.get(
            f"{self.site.ready['qrs_url']}/qrs/virtualproxyconfig",
            params={"xrfkey": "0123456789abcdef", "filter": "prefix so 'portal'"},
            headers={"X-Qlik-Xrfkey": "0123456789abcdef", "X-Qlik-User": "UserDirectory=INTERNAL; UserId=sa_api"},
            cert=(str(self.pki / "client.pem"), str(self.pki / "client_key.pem")),
            verify=str(self.pki / "root.pem"),
            timeout=30,
        )
        answer.raise_for_status()
        return [one["prefix"] for one in answer.json()]

    def accepted_prefixes(self) -> list[set[str]]:
        """Return for each proxy the prefixes whose hub accepts a token of one of the current keys."""
        now = int(time.time())
        tokens = []
        for key in self.keys.glob("*_key.pem"):
            self._logins += 1  # a user has at most five sessions
            claims = {"userId": f"user{self._logins}", "userDirectory": "RECOVERY", "iat": now - 30, "exp": now + 600}
            tokens.append(jwt.encode(claims, key.read_bytes(), algorithm="RS256"))
        return [
            {prefix for prefix in self.published() for token in tokens if self._opens(f"{proxy}/{prefix}/hub/", token)}
            for proxy in self.proxies
        ]

    def _opens(self, url: str, token: str) -> bool:
        headers = {"Authorization": f"Bearer {token}"}
        answer = requests.get(url, headers=headers, verify=str(self.pki / "proxy_root.pem"), timeout=30)
        return answer.status_code == 200

    def front_end_starts(self) -> bool:
        """Return True if nginx would start with the current files."""
        assert NGINX is not None
        if len(list(self.front_end.iterdir())) < 2:  # it is not installed yet
            return True
        configuration = self.directory / "nginx.conf"
        configuration.write_text(
            f"pid {self.directory}/pid; error_log {self.directory}/log; events {{}} http {{ access_log off;"
            f"include {self.front_end}/portal.http.conf; client_body_temp_path {self.directory};"
            f"server {{ listen 127.0.0.1:1; include {self.front_end}/portal.server.conf; }} }}"
        )
        checked = subprocess.run(
            [NGINX, "-t", "-p", str(self.directory), "-c", str(configuration)],
            capture_output=True,
            text=True,
            check=False,
        )
        return "syntax is ok" in checked.stderr

    def output(self) -> str:
        """Return the output since the last call."""
        file = self.directory / "output"
        output = file.read_text()
        file.write_text("")
        return output


@pytest.fixture
def runs(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[RotationRuns]:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):  # they take precedence over the argument verify
        monkeypatch.delenv(name, raising=False)
    runs = RotationRuns(tmp_path)
    pki = ensure_pki(tmp_path / "site" / "pki", authority_key=tmp_path / "site" / "root_key.pem", host_names=[])
    portal = {
        "prefix": "portal",
        "description": "The portal",
        "sessionCookieHeaderName": "X-Qlik-Session-portal",
        "authenticationMethod": 4,
        "jwtPublicKeyCertificate": pki.server.read_text(),
        "jwtAttributeUserId": "userId",
        "jwtAttributeUserDirectory": "userDirectory",
        "loadBalancingServerNodes": ["Central"],
        "proxies": ["Central", "Rim1"],
    }
    site = RunningSite(tmp_path / "site", {"virtual_proxies": [portal]})
    try:
        runs.begin(site)
        yield runs
    finally:
        site.stop()


def check_after_kill(runs: RotationRuns, where: str) -> None:
    assert all(runs.accepted_prefixes()), where
    assert runs.front_end_starts(), where
    output = runs.output()
    assert "PRIVATE KEY" not in output, where
    lines = {key.read_text().splitlines()[3] for key in runs.keys.glob("*_key.pem")}
    assert not [line for line in lines if line in output], where


def check_finished(runs: RotationRuns, where: str) -> None:
    [prefix] = runs.published()
    assert runs.accepted_prefixes() == [{prefix}] * len(runs.proxies), where
    [key] = runs.keys.glob("*_key.pem")
    assert (key.name, key.stat().st_mode & 0o777) == (f"{prefix}_key.pem", 0o600), where


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["blue_green", "in_place"])
def test_rotation_finishes_although_each_run_is_killed(runs: RotationRuns, mode: str) -> None:
    """Each run makes one write and is killed before the next one, so that it depends on the state that it finds."""
    killed = 0
    # The note of the switch is only made by a run that ends before the last step.
    stop_after = "drain" if mode == "blue_green" else "retire"
    while True:
        status = runs.play(mode, kill_at=min(killed + 1, 2), only="write ", stop_after=stop_after)
        where = f"{mode}, run {killed + 1}, before: {runs.last()}"
        if status == 0 and stop_after == "drain":
            stop_after = "retire"
            continue
        if status != -signal.SIGKILL:
            break
        killed += 1
        print(time.strftime("%X"), where, flush=True)
        check_after_kill(runs, where)
        # The key was replaced, so another run would replace it again.
        if "write no file" in where and mode == "in_place":
            status = runs.play(mode)
            break
        assert killed < MAX_KILLS
    assert status == 0, f"{where}\n{runs.output()}"
    assert killed >= MIN_KILLS[mode]
    check_finished(runs, where)


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("mode", "stop_after"), [("blue_green", "retire"), ("blue_green", "drain"), ("in_place", "retire")]
)
def test_next_run_finishes_after_a_kill_at_each_point(runs: RotationRuns, mode: str, stop_after: str) -> None:
    """A run is killed at each task and each write, and the next run is not killed."""
    assert runs.play(mode, stop_after=stop_after) == 0, runs.output()
    journal = runs.journal.read_text().splitlines()
    assert runs.play(mode) == 0, runs.output()
    for number, line in enumerate(journal, 1):
        where = f"{mode}, killed at {number} of {len(journal)}: {line}"
        print(time.strftime("%X"), where, flush=True)
        runs.output()
        assert runs.play(mode, kill_at=number, stop_after=stop_after) == -signal.SIGKILL, where
        check_after_kill(runs, where)
        assert runs.play(mode) == 0, f"{where}\n{runs.output()}"
        check_finished(runs, where)
