# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules that read or write virtual proxies report about a site that is not as expected."""

from __future__ import annotations

import functools
import typing as t

import pytest
from ansible.module_utils import basic

from ansible_collections.sensible.qlik.plugins.modules import (
    jwt_virtual_proxies,
    jwt_virtual_proxy,
    site_info,
    virtual_proxy_info,
)
from ansible_collections.sensible.qlik.tests.unit.plugins.conftest import make_certificate
from ansible_collections.sensible.qlik.tests.unit.plugins.fake_repository import FakeRepository

KEY = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0LWtleQ==\n-----END PRIVATE KEY-----\n"
Run = t.Callable[..., dict[str, t.Any]]


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(basic.AnsibleModule, "warn", lambda self, warning: found.append(warning))
    return found


@pytest.fixture
def module_of(run_module: t.Callable[..., dict[str, t.Any]]) -> dict[str, Run]:
    """Return functions that run the modules with the prefix jwt, by module."""
    entry = {"prefix": "jwt", "session_inactivity_timeout": 5}
    return {
        "info": functools.partial(run_module, virtual_proxy_info),
        "one": functools.partial(run_module, jwt_virtual_proxy, **entry),
        "several": functools.partial(run_module, jwt_virtual_proxies, virtual_proxies=[entry]),
        "unchanged": functools.partial(run_module, jwt_virtual_proxy, prefix="jwt"),
    }


ENTRIES = ("info", "one", "several", "unchanged")


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize(
    ("text", "words"),
    [
        (KEY, "has a private key in the field of its JWT certificate"),
        ("MIIEowIBAAKCAQEAc2VjcmV0LWtleQ==", "has a private key in the field of its JWT certificate"),
        ("secret-key", "cannot verify tokens: The text contains no certificate."),
        (
            "pw=secret-key\n-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----\n",
            "cannot verify tokens",
        ),
        ("C:\\secret-key.pem", "cannot verify tokens: This is the name of a file, not its content"),
    ],
)
def test_text_that_is_no_certificate_is_reported_and_not_shown(
    repository: FakeRepository, warnings: list[str], module_of: dict[str, Run], entry: str, text: str, words: str
) -> None:
    link(repository, repository.add("jwt", jwtPublicKeyCertificate=text), "proxy0")
    result = module_of[entry]()
    [warning] = warnings
    assert words in warning
    for secret in ("secret-key", "c2VjcmV0LWtleQ"):
        assert secret not in f"{warnings} {result}"


def link(repository: FakeRepository, entity: dict[str, t.Any], *proxies: str) -> None:
    for proxy in proxies:
        repository.proxies[proxy]["settings"]["virtualProxies"].append({"id": entity["id"]})


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize(
    ("proxies", "words"),
    [
        ((), ["The virtual proxy 'jwt' is not linked to any proxy, so users cannot reach it. Set proxies."]),
        (
            ("proxy0",),
            [
                (
                    "The virtual proxy 'jwt' is not linked to the proxy of the central node 'Rim1'. Other proxies may "
                    "then answer its prefix with status 400. Add the node to proxies."
                )
            ],
        ),
        (("proxy1",), []),
        (("proxy0", "proxy1"), []),
    ],
)
def test_missing_links_are_reported(
    repository: FakeRepository,
    warnings: list[str],
    module_of: dict[str, Run],
    entry: str,
    proxies: tuple[str, ...],
    words: list[str],
) -> None:
    repository.nodes[1]["roles"] = [{"definition": number} for number in range(6)]
    link(repository, repository.add("jwt"), *proxies)
    module_of[entry]()
    assert warnings == words
    assert len([one for one in repository.requests if one[0] == "GET"]) == 2


def test_links_without_the_central_proxy_are_reported_for_a_site(
    repository: FakeRepository, warnings: list[str], run_module: Run
) -> None:
    repository.nodes[1]["roles"] = [{"definition": number} for number in range(6)]
    link(repository, repository.add("jwt"), "proxy0")
    link(repository, repository.add("both"), "proxy0", "proxy1")
    link(repository, repository.add("form", authenticationMethod=0), "proxy0")
    assert "warnings" not in run_module(site_info)
    assert warnings == [
        (
            "The virtual proxy 'jwt' is not linked to the proxy of the central node 'Rim1'. Other proxies may then "
            "answer its prefix with status 400. Add the node to proxies."
        )
    ]


def test_each_readable_certificate_counts(
    repository: FakeRepository, warnings: list[str], module_of: dict[str, Run]
) -> None:
    soon, late = make_certificate("soon", days=10), make_certificate("late")
    texts = {
        "chain": late + soon,
        "key": KEY + soon,
        "label": soon.replace("CERTIFICATE", "X509 CERTIFICATE"),
        "bare": "".join(soon.splitlines()[1:-1]),
        "late": late,
        "none": KEY,
    }
    for prefix, text in texts.items():
        link(repository, repository.add(prefix, jwtPublicKeyCertificate=text), "proxy0")
    found = module_of["info"](expires_within=30)["virtual_proxies"]
    assert [one["prefix"] for one in found] == ["bare", "chain", "key", "label"]
    assert [one["certificate"]["subject"] for one in found] == ["CN=soon", "CN=late", "CN=soon", "CN=soon"]
    assert [one.partition(" in ")[0] for one in warnings if "expires" in one and "'late'" not in one] == [
        "The JWT certificate of the virtual proxy 'bare' expires",
        "A further certificate of the virtual proxy 'chain' expires",
        "The JWT certificate of the virtual proxy 'key' expires",
        "The JWT certificate of the virtual proxy 'label' expires",
    ]
    assert "PRIVATE KEY" not in str(found)


def test_values_of_the_site_can_be_changed_and_copied(repository: FakeRepository, module_of: dict[str, Run]) -> None:
    held = {
        "websocket_cross_origin_white_list": ["a.example:443", "not a host"],
        "jwt_attribute_user_id": "exp",
        "additional_response_headers": "nonsense",
        "jwt_public_key_certificate": "-----BEGIN PUBLIC KEY-----",
    }
    fields = {
        "websocketCrossOriginWhiteList": held["websocket_cross_origin_white_list"],
        "jwtAttributeUserId": "exp",
        "additionalResponseHeaders": "nonsense",
        "jwtPublicKeyCertificate": "-----BEGIN PUBLIC KEY-----",
    }
    link(repository, repository.add("jwt", **fields), "proxy0")
    assert module_of["unchanged"](host_allow_list_add=["b.example"])["changed"] is True
    copy = {"prefix": "jwt-2", **held, "session_cookie_header_name": "other"}
    assert "public key" in module_of["several"](virtual_proxies=[copy])["msg"]
    copy["jwt_public_key_certificate"] = make_certificate("portal")
    assert module_of["several"](virtual_proxies=[copy])["changed"] is True
    new = {**copy, "prefix": "jwt-3", "session_cookie_header_name": "third", "jwt_attribute_user_id": "nbf"}
    assert "is the claim 'nbf', which is reserved" in module_of["several"](virtual_proxies=[new])["msg"]


HIDDEN = (KEY, "secret-key", f"pw=secret-key {KEY}")


@pytest.mark.parametrize("text", HIDDEN)
def test_a_restored_result_keeps_text_that_is_not_shown(
    repository: FakeRepository, module_of: dict[str, Run], pem: str, text: str
) -> None:
    entity = repository.add("jwt", jwtPublicKeyCertificate=text)
    found = module_of["info"]()["virtual_proxies"]
    assert found[0]["jwt_public_key_certificate"] is None
    for restore in (True, False):
        assert module_of["several"](virtual_proxies=found, restore=restore)["changed"] is False
    # Empty in a snapshot, because the text was pasted after it.
    assert module_of["several"](virtual_proxies=[{**found[0], "jwt_public_key_certificate": ""}])["changed"] is False
    found[0]["session_inactivity_timeout"] = 7
    result = module_of["several"](virtual_proxies=found, restore=True)
    assert (result["changed"], result["virtual_proxies"][0]["jwt_public_key_certificate"]) == (True, None)
    assert repository.virtual_proxies[entity["id"]]["jwtPublicKeyCertificate"] == text
    # It was replaced after the snapshot: the former text is not known, and the field is not emptied.
    repository.virtual_proxies[entity["id"]]["jwtPublicKeyCertificate"] = pem
    assert module_of["several"](virtual_proxies=found, restore=True)["changed"] is False


SOURCE = {
    "prefix": "jwt",
    "session_cookie_header_name": "a b",
    "session_inactivity_timeout": 0,
    "websocket_cross_origin_white_list": ["not a host"],
    "jwt_attribute_user_id": "exp",
    "additional_response_headers": "nonsense",
}


@pytest.mark.parametrize("prefix", ["jwt", "new"])
def test_values_of_the_source_of_a_copy_cause_a_warning(
    repository: FakeRepository, warnings: list[str], module_of: dict[str, Run], pem: str, prefix: str
) -> None:
    link(repository, repository.add("jwt", jwtPublicKeyCertificate=pem), "proxy0")
    chain = {"jwt_public_key_certificate": pem + pem}
    copy = {"virtual_proxies": [SOURCE | chain | {"prefix": prefix}]}
    assert "session_cookie_header_name is 'a b'" in module_of["several"](**copy)["msg"]
    copied_from = {"site": "dev", "virtual_proxies": [SOURCE | chain]}
    result = module_of["several"](**copy, copied_from=copied_from)
    assert {name: result["virtual_proxies"][0][name] for name in SOURCE} == SOURCE | {"prefix": prefix}
    assert (
        f"The virtual proxy '{prefix}' gets values that cannot work, because dev has them: session_cookie_header_name, "
        "jwt_attribute_user_id, session_inactivity_timeout, websocket_cross_origin_white_list, "
        "additional_response_headers, jwt_public_key_certificate. Correct them there, or declare other values."
    ) in warnings


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ({"session_inactivity_timeout": -1}, "session_inactivity_timeout is below 1"),
        ({"websocket_cross_origin_white_list": ["not a host", "nor this"]}, "'nor this'"),
        ({"jwt_public_key_certificate": KEY}, "contains a private key"),
    ],
)
def test_own_values_of_a_copy_are_refused(
    repository: FakeRepository, module_of: dict[str, Run], pem: str, own: dict[str, t.Any], words: str
) -> None:
    copy = SOURCE | {"jwt_public_key_certificate": pem} | own
    copied_from = {"site": "dev", "virtual_proxies": [SOURCE]}
    assert words in module_of["several"](virtual_proxies=[copy], copied_from=copied_from)["msg"]


@pytest.mark.parametrize("prefix", ["jwt", "new"])
@pytest.mark.parametrize(
    "option", ["jwt_public_key_certificate", "jwt_attribute_user_id", "jwt_attribute_user_directory"]
)
def test_empty_values_of_others_do_not_make_them_valid(
    repository: FakeRepository, module_of: dict[str, Run], pem: str, prefix: str, option: str
) -> None:
    repository.add("form", authenticationMethod=0, jwtPublicKeyCertificate="", jwtAttributeUserId="")
    repository.add("key", jwtPublicKeyCertificate=KEY)
    repository.add("jwt", jwtPublicKeyCertificate=pem)
    entry = {"prefix": prefix, "jwt_public_key_certificate": pem} | {option: ""}
    message = module_of["several"](virtual_proxies=[entry])["msg"]
    assert "empty" in message or "no jwt_public_key_certificate to verify tokens is given" in message


def test_a_file_name_in_place_of_a_certificate_is_named(module_of: dict[str, Run]) -> None:
    message = module_of["unchanged"](jwt_public_key_certificate="certificates/server.pem")["msg"]
    assert "jwt_public_key_certificate: This is the name of a file, not its content" in message
