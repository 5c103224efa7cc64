# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Site files: their keys, and the errors for mistakes."""

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


def test_all_keys_of_a_site_file_are_used() -> None:
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


def test_services_of_a_node_are_stored() -> None:
    services = ("engine", "proxy", "printing", "scheduler")
    switched_off: dict[str, t.Any] = {f"{service}_enabled": False for service in services}
    client = Client({"nodes": [NODES[0], {**NODES[1], **switched_off, "node_purpose": 2, "failover_candidate": True}]})
    main, second = client.get("servernodeconfiguration/full")
    assert [main[f"{service}Enabled"] for service in services] == [True] * 4
    assert [second[f"{service}Enabled"] for service in services] == [False] * 4
    assert [(node["nodePurpose"], node["failoverCandidate"]) for node in (main, second)] == [(0, False), (2, True)]


def test_example_in_readme_works() -> None:
    readme = (pathlib.Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    [example] = re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL)
    client = Client(yaml.safe_load(example))
    assert [virtual_proxy["prefix"] for virtual_proxy in client.get("virtualproxyconfig")] == ["", "jwt"]
    assert client.site.faults[0].action == "drop_after"


def test_default_site_has_two_nodes() -> None:
    client = Client()
    assert [node.name for node in client.site.nodes] == ["Central", "Rim1"]
    assert client.site.central.host_name == "localhost"
    assert client.get("user/count", filter="userDirectory eq 'INTERNAL' and roles eq 'RootAdmin'")["value"] >= 2
    assert [client.store.linked_virtual_proxies(node.name)[0]["prefix"] for node in client.site.nodes] == ["", ""]
    assert client.get("virtualproxyconfig")[0]["sessionCookieHeaderName"] == "X-Qlik-Session"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "the content should be a mapping of names to values, not a list."),
        ({1: 2}, "the content should have names that are text."),
        ({"switchs": {}}, "the content has the unknown name switchs. Known are: release, nodes, users, tags, "),
        ({"release": "june-2017"}, "release should be one of september-2017, november-2017, "),
        ({"release": ["may-2025"]}, "release should be text, not a list."),
        ({"nodes": []}, "nodes should have exactly one with is_central: true."),
        ({"nodes": "Central"}, "nodes should be a list, not 'Central'."),
        ({"nodes": {}}, "nodes should be a list, not a mapping."),
        ({"nodes": [*NODES, NODES[0]]}, "nodes should have exactly one with is_central: true."),
        (
            {"nodes": [*NODES, {**NODES[1], "name": "Third"}]},
            "nodes should differ in their host_name, and these do not: main.example.com, second.example.com, second.",
        ),
        ({"nodes": [{"name": "Main", "is_central": True}]}, "nodes[0].host_name is missing."),
        ({"nodes": [NODES[0], {**NODES[1], "host_name": 5}]}, "nodes[1].host_name should be text, not 5."),
        ({"nodes": [{**NODES[0], "roles": ["Boss"]}]}, "nodes[0].roles[0] should be one of SchedulerMaster, "),
        ({"nodes": [{**NODES[0], "roles": "Boss"}]}, "nodes[0].roles should be a list, not 'Boss'."),
        (
            {"nodes": [{**NODES[0], "proxy_port": 70000}]},
            "nodes[0].proxy_port should be an integer <= 65535, not 70000.",
        ),
        ({"nodes": [{**NODES[0], "qps_port": True}]}, "nodes[0].qps_port should be an integer, not True."),
        ({"nodes": [{**NODES[0], "is_central": "yes"}]}, "nodes[0].is_central should be true or false, not 'yes'."),
        ({"nodes": [{**NODES[0], "ports": 1}]}, "nodes[0] has the unknown name ports. Known are: name, host_name, "),
        ({"users": [{"user_id": "a"}]}, "users[0].user_directory is missing."),
        ({"users": [{"user_directory": "A", "user_id": 5}]}, "users[0].user_id should be text, not 5."),
        ({"tags": [1]}, "tags[0] should be text, not 1."),
        ({"virtual_proxies": ["jwt"]}, "virtual_proxies[0] should be a mapping of names to values, not 'jwt'."),
        ({"virtual_proxies": [{1: 2}]}, "virtual_proxies[0] should have names that are text."),
        ({"switches": []}, "switches should be a mapping of names to values, not a list."),
        (
            {"switches": {"nonsense": 1}},
            "switches has the unknown name nonsense. Known are: missing_client_certificate, ",
        ),
        (
            {"switches": {"duplicate_status": 418}},
            "switches.duplicate_status should be one of 400, 409, 422, 500, not '418'.",
        ),
        ({"faults": [{}]}, "faults[0].action is missing."),
        ({"faults": [{"action": "explode"}]}, "faults[0].action should be one of drop_before, drop_after, "),
        ({"faults": [{"action": "delay", "path": "("}]}, "faults[0].path should be a regular expression, not '('."),
        ({"faults": [{"action": "status", "status": 99}]}, "faults[0].status should be an integer >= 200, not 99."),
        ({"faults": [{"action": "status", "headers": {"X": "\n"}}]}, "faults[0].headers[...] should be text matching "),
        ({"faults": {}}, "faults should be a list, not a mapping."),
        ({"proxy_authority": "public"}, "proxy_authority should be one of site, other, not 'public'."),
        ({"proxy_authority": True}, "proxy_authority should be one of site, other, not True."),
        ({"qrs_port": "4242"}, "qrs_port should be an integer, not '4242'."),
    ],
)
def test_mistake_is_refused_with_its_place(content: t.Any, message: str) -> None:
    with pytest.raises(SiteError) as caught:
        parse_site(content)
    assert str(caught.value).startswith(message)


def test_password_of_wrong_type_is_not_shown() -> None:
    with pytest.raises(SiteError) as caught:
        parse_site({"users": [{"user_directory": "A", "user_id": "b", "password": 918273}]})
    assert str(caught.value) == "users[0].password should be text."


@pytest.mark.parametrize(
    ("virtual_proxy", "message"),
    [
        ({"sessionCookieName": "X"}, "unknown fields: sessionCookieName. Known are: customProperties, prefix,"),
        ({"jwtAudience": 5}, "refuses: Could not convert to string: jwtAudience"),
        ({"proxies": ["Third"]}, "unknown name in proxies: Third. Known are: Central, Rim1"),
        ({"tags": ["none"]}, "unknown name in tags: none. Known are: ansible"),
        ({"tags": "ansible"}, "must be a list of names"),
        ({"loadBalancingServerNodes": ["Third"]}, "unknown name in loadBalancingServerNodes: Third"),
        ({"customProperties": ["Owner"]}, "must be a mapping"),
        ({"customProperties": {"Owner": "Unknown"}}, "has no such value"),
        ({"customProperties": {"None": "x"}}, "unknown name in customProperties: None"),
        ({"sessionCookieHeaderName": "X-Qlik-Session"}, "already in use"),
    ],
)
def test_mistake_in_virtual_proxy_is_refused(virtual_proxy: dict[str, t.Any], message: str) -> None:
    needed = {"prefix": "jwt", "sessionCookieHeaderName": "X"}
    with pytest.raises(SeedError, match=message):
        Client({"virtual_proxies": [{**needed, **virtual_proxy}]})


def test_file_is_read_or_refused(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "site.yml"
    path.write_text("")
    assert load_site(path).release.name == "may-2025"
    for content, message in (
        ("a: [", "cannot be read"),
        ("\x00", "cannot be read"),
        ("tags: 5", "is wrong: tags should be a list, not 5"),
    ):
        path.write_text(content)
        with pytest.raises(SiteError, match=message):
            load_site(path)
    with pytest.raises(SiteError, match="cannot be read"):
        load_site(tmp_path / "missing.yml")


def test_releases_have_their_features() -> None:
    has: dict[str, list[str]] = {feature: [] for feature in ("http_cookie_suffix", "openapi", "csrf")}
    for release in RELEASES.values():
        for feature, names in has.items():
            if release.has(feature):
                names.append(release.name)
    for feature in ("http_cookie_suffix", "openapi"):
        assert has[feature] == list(RELEASES)[2:]
    assert has["csrf"] == [
        "november-2024",
        "may-2025",
        "november-2025",
        "may-2026",
        "november-2026",
    ]
    with pytest.raises(KeyError):
        Release(name="", date="", build_version="", build_date="").has("nonsense")
