# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import re
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible import template
from ansible.errors import AnsibleError, AnsibleParserError
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import inventory_loader
from ansible.utils.display import Display

from ansible_collections.sensible.qlik.plugins.inventory import site as plugin
from ansible_collections.sensible.qlik.plugins.module_utils._argspec import connection_argument_spec
from ansible_collections.sensible.qlik.plugins.module_utils._repository import snapshot
from ansible_collections.sensible.qlik.tests.unit.plugins.fake_repository import FakeRepository

CONFIG: dict[str, t.Any] = {
    "plugin": "sensible.qlik.site",
    "host": "qlik.example.com",
    "client_cert": "client.pem",
    "client_key": "client_key.pem",
}
SERVICES = ("engineEnabled", "proxyEnabled", "printingEnabled", "schedulerEnabled")


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("QLIK_SENSE_")]:
        monkeypatch.delenv(name)


class Source:
    """An inventory file, parsed by the plugin against a repository in memory."""

    def __init__(self, repository: FakeRepository, path: Path) -> None:
        self.repository = repository
        self.path = path
        self.asked_with: dict[str, t.Any] = {}

    def connection(self, options: dict[str, t.Any]) -> FakeRepository:
        self.asked_with = options
        return self.repository

    def parse(
        self, inventory: InventoryData | None = None, *, use_cache: bool = True, **changes: t.Any
    ) -> InventoryData:
        inventory = inventory or InventoryData()
        config = {name: value for name, value in {**CONFIG, **changes}.items() if value is not None}
        self.path.write_text(yaml.safe_dump(config))
        one = inventory_loader.get("sensible.qlik.site")
        assert one.verify_file(str(self.path))
        one.parse(inventory, DataLoader(), str(self.path), cache=use_cache)
        if config.get("cache"):
            one.update_cache_if_changed()
        inventory.reconcile_inventory()
        return inventory

    def groups(self, **changes: t.Any) -> dict[str, list[str]]:
        inventory = self.parse(**changes)
        return {name: [host.name for host in group.hosts] for name, group in inventory.groups.items()}

    def error(self, **changes: t.Any) -> str:
        with pytest.raises(AnsibleError) as caught:
            self.parse(**changes)
        return str(caught.value)


@pytest.fixture
def source(repository: FakeRepository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Source:
    """Create a file for a site whose central node has all services, with a second proxy and an engine."""
    central, rim, engines = repository.nodes
    central.update(dict.fromkeys(SERVICES, True), isCentral=True)
    rim.update(dict.fromkeys(SERVICES, False), proxyEnabled=True)
    engines.update(dict.fromkeys(SERVICES, False), engineEnabled=True)
    monkeypatch.setattr(repository, "close", lambda: None, raising=False)
    one = Source(repository, tmp_path / "test.qlik_site.yml")
    monkeypatch.setattr(snapshot, "QrsClient", one.connection)
    return one


def test_nodes_are_grouped_by_their_services(source: Source) -> None:
    central, rim, engines = (f"{name}.example.com" for name in ("central", "rim1", "engines"))
    groups = source.groups()
    assert {name: hosts for name, hosts in groups.items() if name.startswith("qlik_")} == {
        "qlik_nodes": [central, engines, rim],
        "qlik_central": [central],
        "qlik_proxies": [central, rim],
        "qlik_engines": [central, engines],
        "qlik_schedulers": [central],
        "qlik_printing": [central],
    }


def test_host_variables_equal_results_of_site_info(source: Source) -> None:
    hosts = source.parse().hosts
    variables = hosts["rim1.example.com"].vars
    assert variables["ansible_host"] == "rim1.example.com"
    assert variables["qlik_node"]["name"] == "Rim1"
    assert variables["qlik_proxy"]["url"] == "https://rim1.example.com"
    assert variables["qlik_proxy"]["virtual_proxies"] == [""]
    assert variables["qlik_release"] == {"build_version": "26.31.3.0"}
    assert "qlik_proxy" not in hosts["engines.example.com"].vars


def test_disabled_proxy_is_not_in_the_inventory(source: Source) -> None:
    source.repository.nodes[1]["proxyEnabled"] = False
    inventory = source.parse()
    assert "qlik_proxy" not in inventory.hosts["rim1.example.com"].vars
    assert [host.name for host in inventory.groups["qlik_proxies"].hosts] == ["central.example.com"]


def test_hostname_and_group_prefix_are_applied(source: Source) -> None:
    groups = source.groups(hostname="name", group_prefix="prod-", groups={"prod": True, "never": False})
    assert groups["prod_proxies"] == ["Central", "Rim1"]
    assert groups["prod"] == ["Central", "Engines", "Rim1"]
    assert "never" not in groups


def test_constructed_groups_and_variables_are_created(source: Source) -> None:
    inventory = source.parse(
        compose={"url": "qlik_proxy.url ~ '/hub'"},
        groups={"linked": "'' in qlik_proxy.virtual_proxies"},
        keyed_groups=[{"key": "qlik_node.name", "prefix": "node"}],
    )
    assert inventory.hosts["rim1.example.com"].vars["url"] == "https://rim1.example.com/hub"
    assert [host.name for host in inventory.groups["linked"].hosts] == ["central.example.com", "rim1.example.com"]
    assert [host.name for host in inventory.groups["node_Engines"].hosts] == ["engines.example.com"]


@pytest.mark.parametrize("option", ["compose", "groups"])
def test_strict_reports_failing_expressions(source: Source, option: str) -> None:
    changes: dict[str, t.Any] = {option: {"linked": "'' in qlik_proxy.virtual_proxies"}}
    source.parse(**changes)
    assert "engines.example.com" in source.error(strict=True, **changes)


def test_nodes_of_the_same_name_on_two_sites_are_kept(source: Source) -> None:
    inventory = source.parse(hostname="name")
    source.parse(inventory, hostname="name")
    for node in source.repository.nodes:
        node["hostName"] = f"other-{node['hostName']}"
    message = source.error(inventory=inventory, hostname="name")
    assert "two nodes called Central: central.example.com and other-central.example.com. Use 'hostname: hos" in message


@pytest.mark.parametrize("host_name", ["-oProxyCommand=x", "a b", "a\nb", "a..b"])
def test_node_with_invalid_host_name_is_omitted(
    source: Source, monkeypatch: pytest.MonkeyPatch, host_name: str
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(Display, "warning", lambda self, text, *_more: warnings.append(text))
    source.repository.nodes[1]["hostName"] = host_name
    assert list(source.parse().hosts) == ["central.example.com", "engines.example.com"]
    [warning] = warnings
    assert "The node 'Rim1' with the host name '" in warning
    assert warning.isprintable()


def test_node_without_a_host_name_is_listed_by_name(source: Source) -> None:
    del source.repository.nodes[1]["hostName"]
    assert "ansible_host" not in source.parse().hosts["Rim1"].vars


def test_texts_of_a_site_are_not_templates(source: Source) -> None:
    source.repository.nodes[1]["name"] = text = "{{ 1 + 1 }}"
    host = source.parse().hosts[source.repository.nodes[1]["hostName"]]
    assert host.vars["qlik_node"]["name"] == text
    templar = template.Templar(loader=DataLoader(), variables=host.get_vars())
    trusted = getattr(template, "trust_as_template", str)
    assert templar.template(trusted("{{ qlik_node.name }}")) == text


@pytest.mark.parametrize(
    "name",
    ["../../x", "..", "/etc/passwd", "c,d", "!x", "~x.*", "host:22", "  ", "all", "qlik_nodes", "a\nb", "{{ 1 }}"],
)
def test_node_with_invalid_name_is_omitted(source: Source, name: str) -> None:
    source.repository.nodes[1]["name"] = name
    assert sorted(source.parse(hostname="name").hosts) == ["Central", "Engines"]


def texts(value: t.Any) -> t.Iterator[str]:
    """Yield all texts in a value, keys of dictionaries included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from texts([*value, *value.values()])
    elif isinstance(value, list):
        for one in value:
            yield from texts(one)


def test_other_values_are_plain_texts(source: Source) -> None:
    # Before ansible-core 2.19, ansible-inventory lists marked texts as dictionaries.
    host = source.parse(hostname="name").hosts["Central"]
    found = list(texts([host.name, host.vars]))
    assert found.count("Central") > 1
    assert [text for text in found if hasattr(text, "__UNSAFE__")] == []


# ---- Options


def test_options_are_those_of_the_modules() -> None:
    one = inventory_loader.get("sensible.qlik.site")
    definitions = one.option_definitions
    for name, spec in connection_argument_spec().items():
        option = definitions[name]
        _fallback, variables = spec["fallback"]
        assert [variable["name"] for variable in option["env"]] == variables, name
        for field in ("type", "default", "choices", "required"):
            assert option.get(field) == spec.get(field), (name, field)
    variables = [variable["name"] for option in definitions.values() for variable in option.get("env", ())]
    ours = [name for name in variables if name.startswith("QLIK_SENSE_")]
    assert len(ours) == len(connection_argument_spec())


def test_every_option_reaches_the_connection(source: Source) -> None:
    source.parse(port=4343, validate_certs=False, read_timeout="90", user="ACME\\anna", ca_path="/pki/root.pem")
    assert source.asked_with.keys() == connection_argument_spec().keys()
    expected = {"port": 4343, "validate_certs": False, "read_timeout": 90.0, "user": "ACME\\anna", "retries": 3}
    assert {name: source.asked_with[name] for name in expected} == expected


@pytest.mark.parametrize("given", ["a, b", ["a", "b"], ["{{ 'a' }}", "b"], "{{ ['a', 'b'] }}"])
def test_several_hosts_are_read_from_each_notation(source: Source, given: t.Any) -> None:
    source.parse(host=given)
    assert source.asked_with["host"] == ["a", "b"]


def test_options_are_read_from_templates_and_environment(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_TOKEN", "abc")
    monkeypatch.setenv("QLIK_SENSE_PASSWORD", "def")
    monkeypatch.setenv("QLIK_SENSE_HOST", "other.example.com")
    source.parse(
        host=None, token="{{ lookup('env', 'A_TOKEN') }}", port="{{ 4000 + 242 }}", retries="{{ 2 if true else 5 }}"
    )
    options = source.asked_with
    assert (options["token"], options["password"], options["host"]) == ("abc", "def", ["other.example.com"])
    assert (options["port"], options["retries"]) == (4242, 2)
    assert options["token"].__class__ is str


def test_relative_paths_start_at_the_inventory_file(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PKI", "/pki")
    monkeypatch.setenv("HOME", "/home/anna")
    source.parse(client_cert="pki/client.pem", client_key="$PKI/key.pem", ca_path="~/root.pem", proxy_ca_path="ca.pem")
    options = source.asked_with
    assert options["client_cert"] == str(source.path.parent / "pki" / "client.pem")
    assert options["proxy_ca_path"] == str(source.path.parent / "ca.pem")
    assert (options["client_key"], options["ca_path"]) == ("/pki/key.pem", "/home/anna/root.pem")


def test_content_option_precedes_the_environment(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QLIK_SENSE_CLIENT_KEY", "/environment/client_key.pem")
    source.parse(client_key=None)
    assert source.asked_with["client_key"] == "/environment/client_key.pem"
    monkeypatch.setenv("KEY_TEXT", "text")
    source.parse(client_key=None, client_key_content="{{ lookup('env', 'KEY_TEXT') }}")
    assert (source.asked_with["client_key"], source.asked_with["client_key_content"]) == (None, "text")
    assert source.asked_with["client_key_content"].__class__ is str


def test_path_and_text_from_one_source_are_refused(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "client_key and client_key_content are both set" in source.error(client_key_content="text")
    monkeypatch.setenv("QLIK_SENSE_CLIENT_KEY", "/environment/client_key.pem")
    monkeypatch.setenv("QLIK_SENSE_CLIENT_KEY_CONTENT", "text")
    assert "QLIK_SENSE_CLIENT_KEY and QLIK_SENSE_CLIENT_KEY_CONTENT are both set" in source.error(client_key=None)


@pytest.mark.parametrize("name", ["site.yml", "qlik_site.txt", "qlik_site.yml.orig"])
def test_other_files_are_not_accepted(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    assert not inventory_loader.get("sensible.qlik.site").verify_file(str(tmp_path / name))


# ---- Mistakes


def test_misspelled_option_is_refused_by_name(source: Source) -> None:
    message = source.error(hostnam="name")
    assert "has no option hostnam. The options are auth_method, " in message
    assert source.repository.requests == []


def test_failing_template_is_reported_with_its_option(source: Source) -> None:
    message = source.error(token="{{ lookup('ansible.builtin.file', '/nowhere/token') }}")
    assert "template of the option 'token' cannot be resolved" in message
    assert "/nowhere/token" in message


def test_message_of_the_collection_is_passed_on(source: Source) -> None:
    source.repository.proxies.clear()
    with pytest.raises(
        AnsibleParserError, match=re.escape("cannot read any proxy, although each site has one. Give the")
    ):
        source.parse()


def test_missing_library_is_reported_by_name(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugin, "IMPORT_ERROR", "Traceback")
    assert "required Python library (urllib3 >= 2.6.3 and certifi)" in source.error()


# ---- Cache


@pytest.fixture
def cached(tmp_path: Path) -> dict[str, t.Any]:
    return {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(tmp_path / "cache")}


def test_second_run_reads_only_the_cache(source: Source, cached: dict[str, t.Any]) -> None:
    first = source.parse(**cached)
    asked = len(source.repository.requests)
    second = source.parse(**cached)
    assert (asked, len(source.repository.requests)) == (3, 3)
    assert {name: host.vars for name, host in second.hosts.items()} == {
        name: host.vars for name, host in first.hosts.items()
    }


def test_flushed_cache_is_written_again(source: Source, cached: dict[str, t.Any]) -> None:
    source.parse(**cached)
    source.repository.nodes.pop()
    assert "engines.example.com" in source.parse(**cached).hosts
    assert "engines.example.com" not in source.parse(use_cache=False, **cached).hosts
    assert "engines.example.com" not in source.parse(**cached).hosts
    assert len(source.repository.requests) == 6


@pytest.mark.parametrize("change", [{"host": "b"}, {"port": 4343}, {"user": "ACME\\b"}, {"virtual_proxy_prefix": "b"}])
def test_each_connection_has_its_own_cache_entry(
    source: Source, cached: dict[str, t.Any], change: dict[str, t.Any]
) -> None:
    source.parse(**cached)
    source.parse(**cached, **change)
    assert len(source.repository.requests) == 6


def test_no_secret_is_cached(source: Source, cached: dict[str, t.Any], tmp_path: Path) -> None:
    secrets: dict[str, t.Any] = {"token": "the-token", "password": "the-password", "session_cookie": "A=the-cookie"}
    source.parse(**cached, **secrets)
    [file] = (tmp_path / "cache").iterdir()
    content = f"{file.name} {file.read_text()}"
    assert "Rim1" in content
    assert not [secret for secret in secrets.values() if secret in content]


def test_invalid_cache_entry_is_replaced(source: Source, cached: dict[str, t.Any], tmp_path: Path) -> None:
    source.parse(**cached)
    [file] = (tmp_path / "cache").iterdir()
    file.write_text('{"older": []}')
    assert "rim1.example.com" in source.parse(**cached).hosts
    assert len(source.repository.requests) == 6
