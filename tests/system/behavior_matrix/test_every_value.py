# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run module, lookup, login check and role with each value of each switch.

Where a site makes something impossible, the expected outcome is a diagnosis: DEVIATIONS and WORDS have the values and
their diagnoses. Everything else must work as on any other site.
"""

from __future__ import annotations

import time
import typing as t
import urllib.parse

import jwt
from cases import OWN_NAMES
from conftest import Played, Site, run
from deviations import DEVIATIONS

from ansible_collections.sensible.qlik.plugins.modules import jwt_virtual_proxy, login_check

# Sessions count after their end, too, so that too many logins are refused.
FEW_LOGINS = ("session_limit_counts: five_minutes",)


class Words(t.NamedTuple):
    """The expected text of a message: usually, and with some values of switches."""

    usually: str
    otherwise: t.Mapping[str, str] = {}

    def of(self, site: Site) -> str:
        return self.otherwise.get(str(site.case), self.usually)


def port(url: str) -> int:
    return t.cast("int", urllib.parse.urlsplit(url).port)


def token(site: Site, *, key: str = "server_key", expires_in: int = 600, **claims: t.Any) -> str:
    now = int(time.time())
    times = {"iat": now - 60, "nbf": now - 60, "exp": now + expires_in}
    return jwt.encode({**times, **claims}, (site.pki / f"{key}.pem").read_text(), algorithm="RS256")


def declaration(site: Site) -> dict[str, t.Any]:
    """Return a virtual proxy with all settings that sites treat in different ways."""
    return {
        "prefix": "Portal",
        "description": "The portal",
        "jwt_public_key_certificate": (site.pki / "server.pem").read_text(),
        "jwt_audience": "qlik",
        "jwt_attribute_map": [
            {"jwt_attribute": "groups", "sense_attribute": "group"},
            {"jwt_attribute": "mail", "sense_attribute": "email"},
        ],
        "session_inactivity_timeout": 20,
        "same_site_attribute_https": "none",
        "has_secure_attribute_https": True,
        "host_allow_list": ["portal.example.com", "www.example.com"],
        "additional_response_headers": "Access-Control-Allow-Origin: https://portal.example.com\nX-Portal: yes\n",
        "tags": ["Portal", "tag 7"],
        "custom_properties": {"Stage": ["dev", "prod"]},
        "load_balancing_server_nodes": ["central", "Rim1"],
        "proxies": ["central", "Rim1"],
    }


CHANGE: dict[str, t.Any] = {
    "prefix": "portal",
    "description": "",
    "jwt_audience": "",
    "jwt_attribute_map": [{"jwt_attribute": "mail", "sense_attribute": "email", "is_mandatory": True}],
    "host_allow_list": [],
    "additional_response_headers": "",
    "tags": [],
    "custom_properties": {},
    "proxies": ["Central"],
}


def test_virtual_proxies_are_created_changed_and_removed(site: Site) -> None:
    connection = site.by_certificate()

    def declare(**options: t.Any) -> dict[str, t.Any]:
        return run(jwt_virtual_proxy.main, **connection, **options)

    def make(**options: t.Any) -> dict[str, t.Any]:
        """Test that a predicted change is made once, and that further runs send two requests."""
        predicted = declare(**options, _ansible_check_mode=True)
        done = declare(**options)
        assert done.get("changed") is True, done
        assert done["diff"] == predicted["diff"]
        assert done["writes"] == predicted["writes"]
        before = len(site.methods())
        again = declare(**options)
        assert again["changed"] is False, again["writes"]
        assert again["virtual_proxy"] == done["virtual_proxy"]
        assert site.methods()[before:] == ["GET", "GET"]
        return done

    created = make(**declaration(site))["virtual_proxy"]
    assert created["prefix"] == "portal"
    assert created["tags"] == ["portal", "tag 7"]
    assert created["proxies"] == ["Central", "Rim1"]
    fed_back = declare(**created)
    assert fed_back["changed"] is False, fed_back["writes"]
    changed = make(**CHANGE)["virtual_proxy"]
    unchanged = created.keys() - CHANGE.keys() - {"websocket_cross_origin_white_list"}
    assert {name: changed[name] for name in unchanged} == {name: created[name] for name in unchanged}
    removed = declare(prefix="portal", state="absent")
    assert removed["changed"] is True, removed
    assert declare(prefix="portal", state="absent")["changed"] is False


def connections(site: Site) -> dict[str, dict[str, t.Any]]:
    """Return connection options that sign in through a proxy, by method."""
    proxy = {"host": "localhost", "port": port(site.proxies[0]), **site.proxy_ca}
    user = {"user": "EXAMPLE\\admin"}
    pair = {name: str(site.pki / f"{name.replace('_cert', '')}.pem") for name in ("client_cert", "client_key")}
    qps_port = port(site.ready["nodes"][0]["qps_url"])
    return {
        "jwt": {
            **proxy,
            "auth_method": "jwt",
            "virtual_proxy_prefix": "way-in",
            "token": token(site, userId="admin", userDirectory="EXAMPLE"),
        },
        "ticket": {
            **proxy,
            **user,
            **pair,
            "auth_method": "ticket",
            "qps_port": qps_port,
            "ca_path": str(site.pki / "root.pem"),
        },
        "ntlm": {**proxy, **user, "auth_method": "ntlm", "password": "An open secret"},
    }


def test_each_authentication_method_works(site: Site) -> None:
    certificate = (site.pki / "server.pem").read_text()
    admin_proxy = {"prefix": "way-in", "jwt_public_key_certificate": certificate, "proxies": ["Central", "Rim1"]}
    admin_proxy["host_allow_list"] = OWN_NAMES
    assert run(jwt_virtual_proxy.main, **site.by_certificate(), **admin_proxy)["changed"] is True
    for name, connection in connections(site).items():
        options = {**connection, "prefix": f"by-{name}", "jwt_public_key_certificate": certificate, "proxies": ["Rim1"]}
        for changed in (True, False):
            result = run(jwt_virtual_proxy.main, **options)
            if result.get("failed") and str(site.case) in FEW_LOGINS:
                assert "too many parallel sessions" in result["msg"]
                return
            assert result["changed"] is changed, (name, result)


def test_users_without_rights_get_a_message(site: Site) -> None:
    result = run(jwt_virtual_proxy.main, **site.by_certificate(), user="EXAMPLE\\guest", prefix="special")
    assert result["failed"]
    assert "RootAdmin" in result["msg"]


# Why a login fails, and what the diagnosis has to say: usually, and with some values of switches.
CAUSES: dict[str, Words] = {
    "another key": Words("The signature does not match the certificate of the virtual proxy"),
    "expired": Words("The token expired"),
    "other letters in a claim": Words(
        "names are case-sensitive",
        # The login works, and the check expects another user.
        {"case_sensitive_claims: false": "Compare the claim names"},
    ),
    "blocked": Words(
        "Activate it under Users",
        # These refuse the token before the user is looked up.
        {
            "bracket_constant: false": "Try a claim instead of the fixed directory [EXAMPLE]",
            "reserved_claims_work: false": "Try another claim than 'sub'",
        },
    ),
    "unknown prefix": Words(
        "does not know the prefix 'nowhere'",
        {
            "unknown_prefix: 403": "the virtual proxy is not linked to this proxy",
            "unknown_prefix: 404": "the virtual proxy is not linked to it",
            "unknown_prefix: 302": "this proxy does not know the prefix",
        },
    ),
}


def test_failed_logins_report_their_causes(site: Site) -> None:
    claims: dict[str, t.Any] = {"sub": "anna", "aud": "qlik", "groups": ["testers"]}
    tokens = {
        "another key": token(site, key="client_key", **claims),
        "expired": token(site, expires_in=-300, **claims),
        "other letters in a claim": token(site, Sub="anna", aud="qlik", groups=["testers"]),
        "blocked": token(site, **{**claims, "sub": "blocked"}),
        "unknown prefix": token(site, **claims),
    }
    settings = {
        "jwt_public_key_certificate": (site.pki / "server.pem").read_text(),
        "jwt_attribute_user_id": "sub",
        "jwt_attribute_user_directory": "[EXAMPLE]",
        "jwt_audience": "qlik",
    }
    logins = [
        {
            "virtual_proxy": settings,
            "prefix": "nowhere" if cause == "unknown prefix" else "special",
            "token": tokens[cause],
        }
        for cause in CAUSES
    ]
    result = run(login_check.main, proxy_urls=site.proxies[:1], logins=logins, **site.proxy_ca, wait=0)
    diagnoses = {}
    for cause, endpoint in zip(CAUSES, result["endpoints"], strict=True):
        diagnoses[cause] = next((check["diagnosis"] for check in endpoint["checks"] if check["status"] == "failed"), "")
    assert {cause: diagnoses[cause] for cause, words in CAUSES.items() if words.of(site) not in diagnoses[cause]} == {}


def test_users_can_log_in(site: Site, played: dict[str, Played]) -> None:
    endpoints, role_failed = played[site.case.name]
    assert len(endpoints) == 4
    expected = DEVIATIONS.get(str(site.case), {})
    for endpoint in endpoints:
        failed = {check["name"]: check["diagnosis"] for check in endpoint["checks"] if check["status"] == "failed"}
        name, words = expected.get(endpoint["prefix"], ("", ""))
        assert list(failed) == ([name] if name else []), failed
        assert words in failed.get(name, "")
    assert role_failed == bool(expected)
