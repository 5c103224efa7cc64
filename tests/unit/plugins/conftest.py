# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import json
import types
import typing as t

import pytest
from ansible.module_utils.common import warnings as core_warnings
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from ansible_collections.sensible.qlik.plugins.module_utils._repository import snapshot
from ansible_collections.sensible.qlik.tests.unit.plugins.fake_repository import FakeRepository
from ansible_collections.sensible.qlik.tests.unit.plugins.module_arguments import core_secrets, patch_module_args


def make_certificate(name: str, *, days: int = 365) -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=400)
    end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(start).not_valid_after(end)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


@pytest.fixture(scope="session")
def pem() -> str:
    """Return a certificate that a virtual proxy can use."""
    return make_certificate("portal")


@pytest.fixture(scope="session")
def other_pem() -> str:
    """Another one."""
    return make_certificate("other")


@pytest.fixture(autouse=True)
def forget_secrets() -> t.Iterator[None]:
    """Forget the secrets that a module named: from ansible-core 2.22 on, they would be masked in the next test.

    Up to ansible-core 2.18 warnings would be in the results of the next test, too.
    """
    core_warnings._global_warnings.clear()
    yield
    if core_secrets is not None:
        masker = core_secrets._secret_masker
        masker._matcher = type(masker._matcher)()
        for known in (masker._secrets, masker._forms, masker._json_forms):
            known.clear()


@pytest.fixture(scope="session")
def expired_pem() -> str:
    return make_certificate("old", days=-3)


@pytest.fixture
def repository() -> FakeRepository:
    return FakeRepository()


@pytest.fixture
def run_module(
    repository: FakeRepository, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> t.Callable[..., dict[str, t.Any]]:
    """Run a module's main() as Ansible does, with a repository in memory, and return what it printed."""

    def main(module: types.ModuleType, **options: t.Any) -> dict[str, t.Any]:
        monkeypatch.setattr(snapshot, "QrsClient", lambda options: repository)
        connection = {"host": "qlik.example.com", "client_cert": "/c.pem", "client_key": "/k.pem"}
        given = {name: value for name, value in {**connection, **options}.items() if value is not None}
        with patch_module_args(given), pytest.raises(SystemExit) as ended:
            module.main()
        result = json.loads(capfd.readouterr().out)
        assert bool(ended.value.code) == bool(result.get("failed"))
        return t.cast("dict[str, t.Any]", result)

    return main
