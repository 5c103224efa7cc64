# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.sensible.qlik.plugins.filter.connection_options import FilterModule, connection_options


class Templated(Mapping[str, t.Any]):
    """A mapping like hostvars: values are templated when they are read, and some cannot be templated."""

    def __init__(self, values: dict[str, t.Any]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> t.Any:
        value = self._values[name]
        if value is NotImplemented:
            raise AssertionError(f"{name} was templated")
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def test_only_variables_of_options_are_returned() -> None:
    variables = Templated({"qlik_host": "q", "qlik_port": 1, "qlik_token": "t", "qlik_nodes": NotImplemented})
    assert connection_options(variables) == {"host": "q", "port": 1, "token": "t"}


def test_host_without_qlik_host_is_refused_by_name() -> None:
    with pytest.raises(AnsibleFilterError, match="The variable qlik_host of the host web1 is not set"):
        connection_options({"inventory_hostname": "web1", "qlik_port": 1})


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("qlik_port", "abc", "argument 'qlik_port' is of type .*str.* unable to convert to int"),
        ("qlik_retries", [3], "^qlik_retries must be a single value.$"),
        ("qlik_validate_certs", "maybe", "argument 'qlik_validate_certs' is of type"),
        ("qlik_host", {"name": "qlik1"}, "^qlik_host must be text or a list of texts.$"),
        ("qlik_host", [["qlik1"]], "^qlik_host must be text or a list of texts.$"),
        (
            "qlik_host",
            [],
            "^The variable qlik_host of the host web1 is empty, so the address of the site is not known.",
        ),
        ("qlik_password", ["one"], "^qlik_password must be a single value.$"),
        ("qlik_auth_method", "certificates", "qlik_auth_method must be one of: certificate, .* got: certificates"),
    ],
)
def test_wrong_values_are_reported_by_the_name_of_the_variable(name: str, value: t.Any, message: str) -> None:
    with pytest.raises(AnsibleFilterError, match=message):
        connection_options({"inventory_hostname": "web1", "qlik_host": "q", name: value})


def test_other_input_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="variables of a host"):
        connection_options(t.cast("t.Any", "test"))


def test_filter_is_registered_by_name() -> None:
    assert FilterModule().filters() == {"connection_options": connection_options}


def test_qlik_host_can_be_made_optional() -> None:
    assert connection_options({"qlik_proxy_ca_path": "ca.pem"}, host_required=False) == {"proxy_ca_path": "ca.pem"}
