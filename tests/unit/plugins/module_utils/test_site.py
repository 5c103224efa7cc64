# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.sensible.qlik.plugins.module_utils._repository.site import in_words

ABOUT = {"buildVersion": "31.62.1.0", "nodeType": 1, "sharedPersistence": True, "schemaPath": "About"}


def node(identity: str, name: str, **fields: t.Any) -> dict[str, t.Any]:
    return {"id": identity, "name": name, "hostName": f"{name.lower()}.example.com", **fields}


def proxy(of: dict[str, t.Any] | None, **settings: t.Any) -> dict[str, t.Any]:
    condensed = of and {name: of[name] for name in ("id", "name", "hostName")}
    return {"id": "p", "serverNodeConfiguration": condensed, "settings": settings}


def test_all_fields_of_a_node_are_returned() -> None:
    central = node(
        "1",
        "Central",
        isCentral=True,
        nodePurpose=2,
        engineEnabled=True,
        schedulerReloadEnabled=False,
        roles=[{"id": "r5", "definition": 5}, {"id": "r0", "definition": 0}],
        serviceCluster={"id": "c", "name": "ServiceCluster"},
        temporaryfilepath="C:\\Temp",
        tags=[{"id": "t2", "name": "b"}, {"id": "t1", "name": "A"}],
        customProperties=[
            {"id": "v1", "value": "prod", "definition": {"id": "d", "name": "Stage"}},
            {"id": "v2", "value": "dev", "definition": {"id": "d", "name": "Stage"}},
        ],
    )
    assert in_words(ABOUT, [central], []).nodes == [
        {
            "id": "1",
            "name": "Central",
            "host_name": "central.example.com",
            "is_central": True,
            "node_purpose": "both",
            "engine_enabled": True,
            "scheduler_reload_enabled": False,
            "roles": ["scheduler_master", "clean_database"],
            "service_cluster": "ServiceCluster",
            "tags": ["A", "b"],
            "custom_properties": {"Stage": ["dev", "prod"]},
        }
    ]


def test_all_fields_of_a_proxy_are_returned() -> None:
    central = node("1", "Central")
    linked = [{"id": "v2", "prefix": "portal"}, {"id": "v1", "prefix": ""}, {"id": "v3", "prefix": "Admin"}]
    entity = proxy(
        central, listenPort=443, allowHttp=True, useWsTrace=False, virtualProxies=linked, errorPageTemplate="<"
    )
    assert in_words(ABOUT, [central], [entity]).proxies == [
        {
            "id": "p",
            "name": "Central",
            "host_name": "central.example.com",
            "url": "https://central.example.com",
            "qps_url": "https://central.example.com:4243",
            "listen_port": 443,
            "allow_http": True,
            "use_ws_trace": False,
            "virtual_proxies": ["", "Admin", "portal"],
        }
    ]


def test_release_is_returned() -> None:
    assert in_words(ABOUT, [], []).release == {
        "build_version": "31.62.1.0",
        "node_type": "central",
        "shared_persistence": True,
    }


@pytest.mark.parametrize(
    ("host_name", "port", "url"),
    [
        ("qlik1", 443, "https://qlik1"),
        ("qlik1", 8443, "https://qlik1:8443"),
        ("qlik1", None, "https://qlik1"),
        ("fd00::1", 443, "https://[fd00::1]"),
    ],
)
def test_url_of_a_proxy_has_host_and_port(host_name: str, port: int | None, url: str) -> None:
    settings = {} if port is None else {"listenPort": port}
    [words] = in_words(ABOUT, [], [proxy(node("1", "x", hostName=host_name), **settings)]).proxies
    assert words["url"] == url


def test_nodes_and_proxies_are_sorted_central_first() -> None:
    nodes = [node("1", "beta"), node("2", "Omega", isCentral=True), node("3", "Alpha")]
    site = in_words(ABOUT, nodes, [proxy(one) for one in nodes])
    assert [one["name"] for one in site.nodes] == ["Omega", "Alpha", "beta"]
    assert [one["name"] for one in site.proxies] == ["Omega", "Alpha", "beta"]


def test_numbers_of_later_releases_stay_numbers() -> None:
    later = node("1", "Central", nodePurpose=7, roles=[{"definition": 9}, {"definition": 1}])
    site = in_words({"nodeType": 3}, [later], [])
    assert site.release == {"node_type": 3}
    assert site.nodes[0]["node_purpose"] == 7
    assert site.nodes[0]["roles"] == ["licence_maintenance", 9]


def test_null_values_are_accepted() -> None:
    empty = {"id": "1", "name": None, "hostName": None, "roles": None, "serviceCluster": None, "tags": None}
    site = in_words({}, [empty], [proxy(None, virtualProxies=None), {"id": "q", "settings": None}])
    assert site.nodes == [{"id": "1", "name": "", "host_name": "", "roles": [], "service_cluster": "", "tags": []}]
    assert [one["virtual_proxies"] for one in site.proxies] == [[], []]
