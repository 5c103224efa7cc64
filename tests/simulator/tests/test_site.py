# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Site files: what they can say, and what a mistake in them is told."""

from __future__ import annotations

import pathlib
import re
import typing as t

import pytest
import yaml
from repository_client import Client

from qlik_sense_simulator.releases import RELEASES, Release
from qlik_sense_simulator.repository.seed import SeedError
from qlik_sense_simulator.site import SiteError, load_site, parse_site

NODES: list[dict[str, t.Any]] = [
    {"name": "Main", "host_name": "main.example.com", "is_central": True},
    {"name": "Second", "host_name": "second.example.com", "roles": ["SchedulerMaster"]},
]
FULL: dict[str, t.Any] = {
    "release": "november-2024",
    "nodes": NODES,
    "users": [{"user_directory": "CORP", "user_id": "root", "roles": ["RootAdmin"]}],
    "tags": ["one"],
    "custom_properties": [{"name": "Stage", "choice_values": ["dev", "prod"]}],
    "virtual_proxies": [
        {"prefix": "", "sessionInactivityTimeout": 5},
        {
            "prefix": "jwt",
            "sessionCookieHeaderName": "X-Qlik-Session-jwt",
            "authenticationMethod": 4,
            "loadBalancingServerNodes": ["Main", "Second"],
            "tags": ["one"],
            "customProperties": {"Stage": ["dev", "prod"]},
            "proxies": ["Second"],
        },
        {"prefix": "unlinked", "sessionCookieHeaderName": "X"},
    ],
    "switches": {"reload_seconds": 1, "duplicate_status": 409},
    "faults": [{"action": "delay", "seconds": 1}],
    "qrs_port": 4242,
}


def test_everything_a_site_file_can_say() -> None:
    client = Client(FULL)
    assert (client.site.switches.reload_seconds, client.site.switches.duplicate_status) == (1.0, "409")
    assert (client.site.release.name, client.site.qrs_port, len(client.site.faults)) == ("november-2024", 4242, 1)
    default, jwt, unlinked = client.get("virtualproxyconfig/full")
    assert (default["prefix"], default["defaultVirtualProxy"], default["sessionInactivityTimeout"]) == ("", True, 5)
    assert [node["name"] for node in jwt["loadBalancingServerNodes"]] == ["Main", "Second"]
    assert [tag["name"] for tag in jwt["tags"]] == ["one"]
    assert [(one["definition"]["name"], one["value"]) for one in jwt["customProperties"]] == [
        ("Stage", "dev"),
        ("Stage", "prod"),
    ]
    assert not jwt["defaultVirtualProxy"]
    linked = [[one["prefix"] for one in client.store.linked_virtual_proxies(node)] for node in ("Main", "Second")]
    assert linked == [[""], ["", "jwt"]]
    assert unlinked["loadBalancingServerNodes"] == []
    main, second = client.get("servernodeconfiguration")
    assert (len(main["roles"]), [role["definition"] for role in second["roles"]]) == (6, [0])
    admin = "UserDirectory=CORP;UserId=root"
    assert len(client.call("GET", "virtualproxyconfig", user=admin).json()) == 3


def test_what_runs_on_a_node() -> None:
    services = ("engine", "proxy", "printing", "scheduler")
    switched_off: dict[str, t.Any] = {f"{service}_enabled": False for service in services}
    client = Client({"nodes": [NODES[0], {**NODES[1], **switched_off, "node_purpose": 2, "failover_candidate": True}]})
    main, second = client.get("servernodeconfiguration/full")
    assert [main[f"{service}Enabled"] for service in services] == [True] * 4
    assert [second[f"{service}Enabled"] for service in services] == [False] * 4
    assert [(node["nodePurpose"], node["failoverCandidate"]) for node in (main, second)] == [(0, False), (2, True)]


def test_the_site_file_of_the_readme() -> None:
    readme = (pathlib.Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    [example] = re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL)
    client = Client(yaml.safe_load(example))
    assert [virtual_proxy["prefix"] for virtual_proxy in client.get("virtualproxyconfig")] == ["", "jwt"]
    assert client.site.faults[0].action == "drop_after"


def test_default_site() -> None:
    client = Client()
    assert [node.name for node in client.site.nodes] == ["Central", "Rim1"]
    assert client.site.central.host_name == "localhost"
    assert client.get("user/count", filter="userDirectory eq 'INTERNAL' and roles eq 'RootAdmin'")["value"] >= 2
    assert [client.store.linked_virtual_proxies(node.name)[0]["prefix"] for node in client.site.nodes] == ["", ""]
    assert client.get("virtualproxyconfig")[0]["sessionCookieHeaderName"] == "X-Qlik-Session"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "takes a mapping"),
        ({1: 2}, "takes a mapping"),
        ({"switchs": {}}, "unknown keys: switchs. Known are: release, nodes, users,"),
        ({"release": "june-2017"}, "Known releases are: september-2017, november-2017,"),
        ({"release": ["may-2025"]}, "type str"),
        ({"nodes": []}, "exactly one with is_central"),
        ({"nodes": "Central"}, "takes a list"),
        ({"nodes": [*NODES, NODES[0]]}, "exactly one with is_central"),
        ({"nodes": [*NODES, {**NODES[1], "name": "Third"}]}, "must differ in their host_name"),
        ({"nodes": [{"name": "Main", "is_central": True}]}, "host_name missing"),
        ({"nodes": [{**NODES[0], "roles": ["Boss"]}]}, "unknown roles Boss. Known are: SchedulerMaster"),
        ({"nodes": [{**NODES[0], "proxy_port": 70000}]}, "takes a port number"),
        ({"nodes": [{**NODES[0], "is_central": "yes"}]}, "type bool"),
        ({"nodes": [{**NODES[0], "ports": 1}]}, "unknown keys: ports. Known are: name, host_name"),
        ({"users": [{"user_id": "a"}]}, "user_directory missing"),
        ({"users": [{"user_directory": "A", "user_id": 5}]}, "type str"),
        ({"tags": [1]}, "type str"),
        ({"virtual_proxies": ["jwt"]}, "takes a mapping"),
        ({"switches": {"nonsense": 1}}, "Unknown switches: nonsense. Known are:"),
        ({"switches": {"duplicate_status": 418}}, "Known values are: 400, 409, 422, 500"),
        ({"faults": [{"action": "explode"}]}, "Known are: drop_before"),
        ({"faults": {}}, "takes a list"),
        ({"proxy_authority": "public"}, "proxy_authority cannot be 'public'. Known are: site, other"),
        ({"proxy_authority": True}, "proxy_authority takes a value of type str"),
        ({"qrs_port": "4242"}, "takes a port number"),
    ],
)
def test_mistakes(content: t.Any, message: str) -> None:
    with pytest.raises(SiteError, match=message):
        parse_site(content)


@pytest.mark.parametrize(
    ("virtual_proxy", "message"),
    [
        ({"sessionCookieName": "X"}, "unknown fields: sessionCookieName. Known are: customProperties, prefix,"),
        ({"jwtAudience": 5}, "refuses: Could not convert to string: jwtAudience"),
        ({"proxies": ["Third"]}, "unknown name in proxies: Third. Known are: Central, Rim1"),
        ({"tags": ["none"]}, "unknown name in tags: none. Known are: ansible"),
        ({"tags": "ansible"}, "takes a list of names"),
        ({"loadBalancingServerNodes": ["Third"]}, "unknown name in loadBalancingServerNodes: Third"),
        ({"customProperties": ["Owner"]}, "takes a mapping"),
        ({"customProperties": {"Owner": "Nobody"}}, "has no such value"),
        ({"customProperties": {"None": "x"}}, "unknown name in customProperties: None"),
        ({"sessionCookieHeaderName": "X-Qlik-Session"}, "already in use"),
    ],
)
def test_mistakes_in_virtual_proxies(virtual_proxy: dict[str, t.Any], message: str) -> None:
    needed = {"prefix": "jwt", "sessionCookieHeaderName": "X"}
    with pytest.raises(SeedError, match=message):
        Client({"virtual_proxies": [{**needed, **virtual_proxy}]})


def test_files(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "site.yml"
    path.write_text("")
    assert load_site(path).release.name == "may-2025"
    for content, message in (("a: [", "cannot be read"), ("\x00", "cannot be read"), ("tags: 5", "is wrong: tags")):
        path.write_text(content)
        with pytest.raises(SiteError, match=message):
            load_site(path)
    with pytest.raises(SiteError, match="cannot be read"):
        load_site(tmp_path / "missing.yml")


def test_releases() -> None:
    has: dict[str, list[str]] = {feature: [] for feature in ("http_cookie_suffix", "openapi", "csrf")}
    for release in RELEASES.values():
        for feature, names in has.items():
            if release.has(feature):
                names.append(release.name)
    for feature in ("http_cookie_suffix", "openapi"):
        assert has[feature] == list(RELEASES)[2:]
    assert has["csrf"] == ["november-2024", "may-2025", "november-2025"]
    with pytest.raises(KeyError):
        Release(name="", date="", build_version="", build_date="").has("nonsense")
