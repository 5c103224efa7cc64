# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Site files: a source, and targets that have an older portal and entities of other teams."""

from __future__ import annotations

import typing as t


def virtual_proxy(prefix: str, nodes: list[str], proxies: list[str], **fields: t.Any) -> dict[str, t.Any]:
    """Return a JWT virtual proxy of a site file."""
    return {
        "prefix": prefix,
        "description": prefix,
        "authenticationMethod": 4,
        "sessionCookieHeaderName": f"X-Qlik-Session-{prefix}",
        "jwtAttributeUserId": "userId",
        "jwtAttributeUserDirectory": "userDirectory",
        "loadBalancingServerNodes": nodes,
        "proxies": proxies,
        **fields,
    }


def site(second_node: str, *virtual_proxies: dict[str, t.Any]) -> dict[str, t.Any]:
    return {
        "nodes": [
            {"name": "Central", "host_name": "localhost", "is_central": True},
            {"name": second_node, "host_name": "127.0.0.1"},
        ],
        "tags": ["portal", "kept"],
        "custom_properties": [
            {"name": "Stage", "choice_values": ["Dev", "Live"], "object_types": ["VirtualProxyConfig"]}
        ],
        "virtual_proxies": list(virtual_proxies),
    }


SOURCE = site(
    "Dev2",
    virtual_proxy(
        "portal",
        ["Central", "Dev2"],
        ["Central", "Dev2"],
        description="The {{ portal }}",  # no template of ours
        sessionInactivityTimeout=20,
        websocketCrossOriginWhiteList=["dev.example.com"],
        jwtAttributeMap=[{"jwtAttribute": "groups", "senseAttribute": "group", "isMandatory": False}],
        tags=["portal"],
        customProperties={"Stage": "Dev"},
    ),
    virtual_proxy("embedded", ["Central"], ["Central", "Dev2"], tags=["portal"]),
    virtual_proxy("trial", ["Central"], ["Central", "Dev2"]),
)
TARGET = site(
    "Rim1",
    virtual_proxy(
        "portal",
        ["Central"],
        ["Central"],
        sessionInactivityTimeout=45,
        sessionCookieDomain="old.example.com",
        websocketCrossOriginWhiteList=["old.example.com", "older.example.com"],
        jwtAttributeMap=[{"jwtAttribute": "roles", "senseAttribute": "role", "isMandatory": True}],
        tags=["kept"],
        customProperties={"Stage": "Live"},
    ),
    virtual_proxy("others", ["Rim1"], ["Central", "Rim1"], sessionInactivityTimeout=7),
)
