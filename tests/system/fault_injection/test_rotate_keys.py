# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook rotate_keys if keys cannot be stored, with files of other runs and sites, and during other runs."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import typing as t

import pytest
from conftest import SITE, BreakableSite

from qlik_sense_simulator.testing import RunningSite

MOVED_CLOCK = pathlib.Path(__file__).parents[2] / "tools" / "moved_clock"
PROVIDER_KEYS = pathlib.Path(__file__).parents[2] / "integration/targets/role_follow_jwks/files/provider_keys.py"
Values = dict[str, t.Any]


class Rotation:
    """Runs of the playbook for one virtual proxy, on two hosts that are the same site.

    Args:
        site: the site of the virtual proxy.
        directory: for the inventory.

    Attributes:
        environment: further environment variables of the runs.
    """

    def __init__(self, site: BreakableSite, directory: pathlib.Path) -> None:
        self.site, self.directory, self.environment = site, directory, dict[str, str]()
        site.reset({"portal": ["Central", "Rim1"]})
        self._writes = self._count()
        self.key = site.pki / "server_key.pem"
        self.variables: Values = {
            **{f"qlik_{name}": value for name, value in site.connection.items()},
            "qlik_smoke_test_users": ["SMOKE\\test"],
            "key_rotation_name": "portal",
            "key_rotation_overlap": 0,
            "key_rotation_wait": 20,
            "key_rotation_skip_checks": ["websocket"],  # the virtual proxy has no engine
            "key_rotation_old_private_key_path": str(self.key),
        }  # fmt: skip
        self.write_inventory({"one": {}})

    def write_inventory(self, hosts: Values) -> None:
        groups = {"qlik_sites": {"hosts": hosts, "vars": self.variables}}
        (self.directory / "sites.json").write_text(json.dumps(groups))

    def _count(self) -> int:
        return sum(method != "GET" for method, path in self.site.requests() if path.startswith("/qrs/"))

    def written(self) -> int:
        """Return how many writes the site got since the beginning."""
        return self._count() - self._writes

    def start(self, *, umask: int = 0o022, cwd: str = ".", playbook: str = "rotate_keys", hosts: str = "sites.json",
              **variables: t.Any) -> subprocess.Popen[str]:  # fmt: skip
        """Begin a run, without PWD and HOME.

        Args:
            umask: of the run.
            cwd: where it is started.
            playbook: its name.
            hosts: the inventory.
            variables: extra variables.
        """
        environment = {name: value for name, value in os.environ.items() if name not in ("PWD", "HOME")}
        environment |= {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCAL_TEMP": str(self.directory / "tmp"), **self.environment}
        inventory = hosts if "," in hosts else str(self.directory / hosts)
        return subprocess.Popen(
            ["ansible-playbook", f"sensible.qlik.{playbook}", "-i", inventory, "-e", json.dumps(variables)],
            cwd=cwd, env=environment | {"ANSIBLE_REMOTE_TEMP": str(self.directory / "tmp")}, umask=umask,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def run(self, **arguments: t.Any) -> tuple[int, str]:
        """Return exit status and output, on one line."""
        running = self.start(**arguments)
        output = running.communicate(timeout=300)[0]
        return running.returncode, " ".join(output.split())

    def refused(self, **arguments: t.Any) -> str:
        """Return the output of a run that stops before it writes anything to the site."""
        status, output = self.run(**arguments)
        assert status == 2, output
        assert self.written() == 0
        assert "Nothing was changed" in output
        return output


@pytest.fixture
def rotation(site: BreakableSite, tmp_path: pathlib.Path) -> Rotation:
    return Rotation(site, tmp_path)


@pytest.mark.parametrize("umask", [0o000, pytest.param(0o077, marks=pytest.mark.slow)])
def test_keys_are_stored_beside_the_inventory_with_mode_0600(rotation: Rotation, umask: int) -> None:
    status, output = rotation.run(umask=umask, cwd="/", key_rotation_stop_after="prepare")
    assert status == 0, output
    keys = rotation.directory / "key_rotation"
    modes = {
        str(file.relative_to(rotation.directory)): file.stat().st_mode & 0o777 for file in [keys, *keys.rglob("*")]
    }
    assert modes == {
        "key_rotation": 0o700,
        "key_rotation/one": 0o700,
        "key_rotation/one/portal-2_key.pem": 0o600,
        "key_rotation/one/portal-2.pem": 0o644,
    }
    assert rotation.written() == 0


def test_missing_inventory_file_requires_a_directory(rotation: Rotation) -> None:
    output = rotation.refused(hosts="one,", qlik_sites_pattern="all", **rotation.variables)
    assert "Set key_rotation_directory, where keys are stored. It has no default for one" in output


@pytest.mark.slow
def test_directory_that_cannot_be_created_is_reported(rotation: Rotation) -> None:
    file = rotation.directory / "file"
    file.touch()
    output = rotation.refused(key_rotation_directory=f"{file}/keys")
    assert f"No pair was created in {file}/keys: " in output
    assert "Not a directory" in output


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("portal-2_key.pem", "", "is empty"),
        pytest.param("portal-2_key.pem", "half", "private_key_path", marks=pytest.mark.slow),
        pytest.param("portal-2.pem", "", "portal-2.pem is empty", marks=pytest.mark.slow),
    ],
)
def test_truncated_key_file_is_refused(rotation: Rotation, name: str, content: str, message: str) -> None:
    keys = rotation.directory / "key_rotation" / "one"
    keys.mkdir(parents=True)
    (keys / "portal-2_key.pem").write_text(rotation.key.read_text())
    key = rotation.key.read_text()
    (keys / name).write_text(key[: len(key) // 2] if content else "")
    output = rotation.refused()
    assert message in output
    assert key.splitlines()[3] not in output


def test_shared_key_directory_is_refused(rotation: Rotation) -> None:
    rotation.write_inventory({"one": {}, "two": {}})
    output = rotation.refused(key_rotation_directory=str(rotation.directory / "keys"))
    assert f"key_rotation_directory is {rotation.directory}/keys for two as well" in output
    assert not (rotation.directory / "keys").exists()


def test_key_used_by_another_site_is_not_destroyed(rotation: Rotation) -> None:
    del rotation.variables["key_rotation_old_private_key_path"]
    rotation.write_inventory({
        "one": {"qlik_jwt_private_key_path": str(rotation.key)},
        "two": {"key_rotation_old_private_key_path": f"{rotation.key.parent}/./server_key.pem"},
        "three": {},
    })  # fmt: skip
    output = rotation.refused(key_rotation_old_key="destroy", qlik_sites_pattern="one")
    assert f"but two may need {rotation.key} as well" in output


@pytest.mark.slow
def test_list_of_unlinked_proxies_is_refused(rotation: Rotation) -> None:
    rotation.site.reset({"portal": ["Rim1"]})
    rotation._writes = rotation._count()
    urls = ["https://localhost:1", "https://127.0.0.1:2"]
    status, output = rotation.run(qlik_proxy_urls=urls)
    assert (status, rotation.written()) == (2, 0), output
    assert "qlik_proxy_urls is a list of 2 proxies" in output
    assert "linked to the proxy of Rim1 only. Give a dictionary of URLs by node name" in output


@pytest.mark.slow
@pytest.mark.parametrize("directories", [["keys", "keys"], ["keys", "other"]])
def test_simultaneous_runs_leave_one_key_in_use(rotation: Rotation, directories: list[str]) -> None:
    """Run on one machine or on two. One run after them finishes the rotation, and one key is in use."""
    places = [rotation.directory / name for name in directories]
    running = [rotation.start(key_rotation_directory=str(place), key_rotation_stop_after="drain") for place in places]
    outputs = [" ".join(one.communicate(timeout=300)[0].split()) for one in running]
    for one, output in zip(running, outputs, strict=True):
        assert one.returncode == 0 or "replaces portal" in output or "Users were redirected from portal" in output, (
            output
        )
    assert [set(rotation.site.document()["virtual_proxies"])] == [{"", "portal", "portal-2"}]
    finished = [rotation.run(key_rotation_directory=str(place))[0] for place in dict.fromkeys(places)]
    assert 0 in finished, outputs
    assert [prefix for prefix in rotation.site.document()["virtual_proxies"] if prefix] == ["portal-2"]


@pytest.mark.slow
def test_rotation_succeeds_during_follow_jwks(rotation: Rotation) -> None:
    command = ["python", str(PROVIDER_KEYS), str(rotation.directory), "a"]
    provider = subprocess.run(command, capture_output=True, check=True)
    keys = {"keys": list(json.loads(provider.stdout)["keycloak"].values())}
    (rotation.directory / "jwks.json").write_text(json.dumps(keys))
    names = ["Central", "Rim1"]
    follow = rotation.start(
        playbook="follow_jwks", follow_jwks_prefix="idp", follow_jwks_path=str(rotation.directory / "jwks.json"),
        follow_jwks_virtual_proxy={"load_balancing_server_nodes": names, "proxies": names},
    )  # fmt: skip
    status, output = rotation.run()
    followed = follow.communicate(timeout=300)[0]
    assert status == 0, output
    assert follow.returncode == 0, followed
    document = rotation.site.document()
    prefixes = sorted(document["virtual_proxies"])
    assert [prefix.split("-")[0] for prefix in prefixes] == ["", "idp", "portal"]
    assert prefixes[2] == "portal-2"
    assert all(proxy["virtualProxies"] == prefixes for proxy in document["proxies"].values())


@pytest.fixture
def slow_rotation(tmp_path: pathlib.Path) -> t.Iterator[Rotation]:
    """Yield a rotation on a site whose proxies need 25 seconds after each change. Pauses take no time."""
    moves = tmp_path / "moves"
    description = SITE | {"clock_file": str(moves), "switches": {"reload_seconds": 25}}
    with RunningSite(tmp_path / "slow", description) as running:
        rotation = Rotation(BreakableSite(running), tmp_path)
        path = os.pathsep.join([str(MOVED_CLOCK), os.environ.get("PYTHONPATH", "")])
        rotation.environment = {"MOVED_CLOCK": str(moves), "PYTHONPATH": path}
        yield rotation


@pytest.mark.parametrize("waits", [(60,), pytest.param((10, 60), marks=pytest.mark.slow)], ids=str)
def test_proxies_reload_for_25_seconds(slow_rotation: Rotation, waits: tuple[int, ...]) -> None:
    """A run that does not wait as long stops while the old key is valid, and the next one finishes it."""
    for wait in waits:
        status, output = slow_rotation.run(key_rotation_wait=wait)
        left = {"portal", "portal-2"} if wait < 25 else {"portal-2"}
        assert (status, set(slow_rotation.site.document()["virtual_proxies"])) == (2 * (wait < 25), {"", *left}), output
    moves = (slow_rotation.directory / "moves").read_text().split()
    assert sum(map(float, moves)) >= 2 * 25
