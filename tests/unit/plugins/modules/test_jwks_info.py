# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import http.server
import ipaddress
import json
import ssl
import threading
import typing as t
from pathlib import Path

import pytest
from ansible.module_utils.common.arg_spec import ModuleArgumentSpecValidator
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from ansible_collections.sensible.qlik.plugins.module_utils._argspec import HIDDEN
from ansible_collections.sensible.qlik.plugins.module_utils._keys import certificate as _certificate
from ansible_collections.sensible.qlik.plugins.module_utils._keys import jwks as _jwks
from ansible_collections.sensible.qlik.plugins.modules import jwks_info
from ansible_collections.sensible.qlik.tests.unit.plugins import key_sets
from ansible_collections.sensible.qlik.tests.unit.plugins.key_sets import key, key_set
from ansible_collections.sensible.qlik.tests.unit.plugins.module_arguments import capture_log, patch_module_args

CA_KEY = key(9)
CA = key_sets.certificate(CA_KEY, "Keys of Okta", ca=True)
OWN_CA: dict[str, t.Any] = {
    "issue_certificates": True,
    "ownca_content": key_sets.pem(CA),
    "ownca_privatekey_content": key_sets.private_pem(CA_KEY),
}


class Ended(Exception):  # noqa: N818 -- an outcome, not an error
    pass


class FakeModule:
    """AnsibleModule as far as jwks_info uses it, with its real validation of options."""

    def __init__(self, options: dict[str, t.Any], *, check_mode: bool = False) -> None:
        self.unlogged = {"jwks": options["jwks"]} if "jwks" in options else {}
        options = {**options, **dict.fromkeys(self.unlogged, HIDDEN)}
        validated = ModuleArgumentSpecValidator(jwks_info.argument_spec(), **jwks_info.RULES).validate(options)
        self.refused = validated.error_messages
        self.params = validated.validated_parameters
        self.check_mode = check_mode
        self.warnings: list[str] = []
        self.result: dict[str, t.Any] = {}

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def exit_json(self, **result: t.Any) -> t.NoReturn:
        self.result = {"failed": False, **result}
        raise Ended

    def fail_json(self, **result: t.Any) -> t.NoReturn:
        self.result = {"failed": True, **result}
        raise Ended


def main(monkeypatch: pytest.MonkeyPatch, *, check_mode: bool = False, **options: t.Any) -> FakeModule:
    module = FakeModule(options, check_mode=check_mode)
    assert module.refused == []
    monkeypatch.setattr(jwks_info, "QlikModule", lambda **spec: module)
    with pytest.raises(Ended):
        jwks_info.main()
    return module


def keys_of(module: FakeModule) -> list[dict[str, t.Any]]:
    assert not module.result["failed"], module.result
    assert module.result["changed"] is False
    json.dumps(module.result)
    return module.result["public_keys"]


def test_keys_of_four_providers_are_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    document = key_set(
        key_sets.keycloak_encryption(key(4), "e-encryption"),
        key_sets.entra(key(3), "d-entra"),
        key_sets.keycloak(key(2), "c-keycloak"),
        key_sets.auth0(key(1), "b-auth0"),
        key_sets.okta(key(0), "a-okta"),
    )

    module = main(monkeypatch, jwks=document, **OWN_CA)
    keys = keys_of(module)

    assert [one["kid"] for one in keys] == ["a-okta", "b-auth0", "c-keycloak", "d-entra", "e-encryption"]
    assert [one["certificate_source"] for one in keys] == ["issued", "x5c", "x5c", "x5c", None]
    assert [one["usable"] for one in keys] == [True] * 4 + [False]
    assert module.warnings == []
    for number, one in enumerate(keys[:4]):
        assert one["key_size"] == 2048
        assert _certificate.rsa_public_key(one["jwt_public_key_certificate"]) == key(number).public_key()
        assert one["certificate"] == _certificate.inspect(one["jwt_public_key_certificate"])
        assert one["certificate"]["fingerprint_sha256"] == _certificate.fingerprint(one["jwt_public_key_certificate"])
    assert keys[4]["jwt_public_key_certificate"] is None
    assert keys[4]["certificate"] is None
    assert module.result["source"] == "jwks"


def test_all_results_are_documented(monkeypatch: pytest.MonkeyPatch) -> None:
    import yaml

    documented = yaml.safe_load(jwks_info.RETURN)
    module = main(monkeypatch, jwks=key_set(key_sets.entra(key(), "k")))

    [one] = keys_of(module)

    assert set(module.result) - {"failed", "changed"} == set(documented)
    assert list(one) == list(documented["public_keys"]["contains"])
    assert list(one["certificate"]) == list(documented["public_keys"]["contains"]["certificate"]["contains"])


def test_certificate_is_issued_on_request_if_none_is_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    okta = key_sets.okta(key(), "k")
    wrong = {**okta, **key_sets.x5c(key_sets.certificate(key(1)))}

    [without] = keys_of(main(monkeypatch, jwks=key_set(okta), **{**OWN_CA, "issue_certificates": False}))
    [issued] = keys_of(main(monkeypatch, jwks=key_set(okta), **OWN_CA))
    module = main(monkeypatch, jwks=key_set(wrong), **OWN_CA)
    [instead] = keys_of(module)

    assert (without["usable"], without["certificate"]) == (False, None)
    assert "issue_certificates" in without["reasons"][0]
    assert issued["jwt_public_key_certificate"] == instead["jwt_public_key_certificate"]
    assert instead["certificate_source"] == "issued"
    assert module.warnings == [f"Key k: {instead['warnings'][0]}"]


def test_unusable_keys_get_no_certificate_issued(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = [
        key_sets.keycloak_encryption(key(), "encryption"),
        key_sets.okta(key(bits=1024), "short"),
        key_sets.elliptic("elliptic"),
        {**key_sets.okta(key(1), "private"), **key_sets.private_numbers(key(1))},
    ]
    module = main(monkeypatch, jwks=key_set(*bad), **OWN_CA)

    for one in keys_of(module):
        assert not one["usable"]
        assert len(one["reasons"]) == 1
        assert one["jwt_public_key_certificate"] is None
    assert any("None of the 4 keys is usable" in text for text in module.warnings)


def test_expired_certificate_causes_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    old = {**key_sets.okta(key(), "k"), **key_sets.x5c(key_sets.certificate(key(), days=-3))}
    module = main(monkeypatch, jwks=key_set(old))

    [one] = keys_of(module)

    assert one["usable"]
    assert one["certificate"]["days_left"] == -3
    assert "expired at" in module.warnings[0]


def test_published_private_key_is_reported_and_not_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    private = key_sets.private_numbers(key())
    document = key_set({**key_sets.auth0(key(), "k"), **private})
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps(document))

    for options in ({"jwks": document}, {"jwks": json.dumps(document)}, {"path": str(path)}):
        module = main(monkeypatch, **options)
        [one] = keys_of(module)
        assert not one["usable"]
        assert "private keys" in module.warnings[0]
        for value in private.values():
            assert value not in json.dumps([module.result, module.warnings, module.params])


@pytest.mark.parametrize("form", [lambda jwks: jwks, json.dumps], ids=["data", "text"])
def test_a_given_key_set_hides_nothing_public_and_is_not_logged(
    form: t.Callable[[t.Any], t.Any], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    private = key_sets.private_numbers(key(1))
    document = key_set(key_sets.okta(key(), "good"), {**key_sets.okta(key(1), "bad"), **private})
    logged = capture_log(monkeypatch)

    with patch_module_args({"jwks": form(document), **OWN_CA}), pytest.raises(SystemExit) as ended:
        jwks_info.main()

    output = capfd.readouterr().out
    result = json.loads(output)
    assert ended.value.code == 0
    assert [(one["kid"], one["kty"], one["usable"]) for one in result["public_keys"]] == [
        ("bad", "RSA", False),
        ("good", "RSA", True),
    ]
    # What ansible-core 2.22 masks in all output of the run.
    assert not {"RSA", "sig", "RS256", "good"} & set(result.get("_ansible_new_secrets", ()))
    assert "ownca_content" in "".join(logged)
    for value in private.values():
        assert value not in "".join([output, *logged])


REFUSED: dict[str, tuple[dict[str, t.Any], str]] = {
    "nothing": ({}, "one of the following is required"),
    "two sources": ({"path": "x", "jwks": "{}"}, "mutually exclusive"),
    "no CA": ({"jwks": "{}", "issue_certificates": True}, "ownca_path, ownca_content"),
    "no key of the CA": (
        {"jwks": "{}", "issue_certificates": True, "ownca_path": "x"},
        "ownca_privatekey_path, ownca_privatekey_content",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_conflicting_options_are_refused(case: str) -> None:
    options, sentence = REFUSED[case]

    assert any(sentence in message for message in FakeModule(options).refused)


FAILURES: dict[str, tuple[dict[str, t.Any], str]] = {
    "no JSON": ({"jwks": "kaputt"}, "The key set is not JSON."),
    "no file": ({"path": "/nowhere/jwks.json"}, "There is no file /nowhere/jwks.json."),
    "a directory": ({"path": "/"}, "/ is a directory."),
    "no https": ({"url": "http://127.0.0.1/keys"}, "not an https URL"),
    "a password": ({"url": "https://me:secret@127.0.0.1/keys"}, "not an https URL"),
    "no address": ({"url": "keys"}, "not an https URL"),
    "no server": ({"url": "https://127.0.0.1:1/keys", "retries": 0}, "The connection was refused."),
    "no CA file": (
        {"jwks": "{}", **OWN_CA, "ownca_content": None, "ownca_path": "/nowhere/ca.pem"},
        "ownca_path: There is no file",
    ),
}


@pytest.mark.parametrize("case", FAILURES)
def test_failures_have_a_message_without_secrets(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    options, sentence = FAILURES[case]
    module = main(monkeypatch, **{name: value for name, value in options.items() if value is not None})

    assert module.result["failed"]
    assert sentence in module.result["msg"]
    assert "secret" not in module.result["msg"]


# ---- Over the network


class Provider(http.server.ThreadingHTTPServer):
    """An identity provider with one key set and the HTTP status that a test sets."""

    def __init__(self, directory: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.document: t.Any = key_set(key_sets.auth0(key(), "k1"))
        self.status = 200
        self.asked: list[int] = []
        self.ca_path = self._tls(directory)
        self.url = f"https://127.0.0.1:{self.server_port}/keys"

    def _tls(self, directory: Path) -> str:
        name = x509.Name.from_rfc4514_string("CN=127.0.0.1")
        end = key_sets.NOW + datetime.timedelta(days=2)
        builder = x509.CertificateBuilder(name, name, CA_KEY.public_key(), 1, key_sets.NOW, end)
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        builder = builder.add_extension(names, critical=False)
        (directory / "tls.pem").write_text(key_sets.pem(builder.sign(CA_KEY, hashes.SHA256())))
        (directory / "tls_key.pem").write_text(key_sets.private_pem(CA_KEY))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(directory / "tls.pem", directory / "tls_key.pem")
        self.socket = context.wrap_socket(self.socket, server_side=True)
        return str(directory / "tls.pem")


class Handler(http.server.BaseHTTPRequestHandler):
    server: Provider

    def do_GET(self) -> None:
        document = self.server.document
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.server.asked.append(self.server.status)
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: t.Any) -> None:
        pass


@pytest.fixture
def provider(tmp_path: Path) -> t.Iterator[Provider]:
    with Provider(tmp_path) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def options(provider: Provider) -> dict[str, t.Any]:
    return {"url": provider.url, "ca_path": provider.ca_path, "retries": 0}


def test_key_set_is_downloaded_each_time(
    provider: Provider, options: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = main(monkeypatch, **options)
    provider.document = key_set(key_sets.auth0(key(1), "k2"))
    second = main(monkeypatch, **options)

    assert [[one["kid"] for one in keys_of(module)] for module in (first, second)] == [["k1"], ["k2"]]
    assert first.result["source"] == "provider"
    assert provider.asked == [200, 200]


@pytest.mark.parametrize(
    ("status", "document", "sentence"),
    [
        (500, b"oops", "The answer was 500 Internal Server Error."),
        (304, b"", "The answer was 304 Not Modified."),
        (302, b"", "Redirects are not followed"),
        (200, b"<html>log in</html>", "HTML or XML page"),
        (200, b'{"keys": [{"kty', "The key set is not JSON."),
        (200, b" " * 1_000_001, "larger than 1000000 bytes"),
    ],
)
def test_answer_without_a_key_set_fails(
    status: int,
    document: bytes,
    sentence: str,
    provider: Provider,
    options: dict[str, t.Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    provider.status, provider.document = status, document
    module = main(monkeypatch, **options)
    assert module.result["failed"]
    assert sentence in module.result["msg"]


def test_certificate_of_the_provider_is_verified(
    provider: Provider, options: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Environment variables for the Qlik site do not change this."""
    monkeypatch.setenv("QLIK_SENSE_VALIDATE_CERTS", "false")
    monkeypatch.setenv("QLIK_SENSE_CA_PATH", provider.ca_path)
    unverified = {name: value for name, value in options.items() if name != "ca_path"}

    module = main(monkeypatch, **unverified)
    assert module.result["failed"]
    assert "is not trusted" in module.result["msg"]
    assert provider.asked == []

    module = main(monkeypatch, validate_certs=False, **unverified)
    assert len(keys_of(module)) == 1
    assert "not verified" in module.warnings[-1]


def test_web_proxy_is_used(provider: Provider, options: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch) -> None:
    module = main(monkeypatch, http_proxy="http://127.0.0.1:1", **options)

    assert module.result["failed"]
    assert provider.asked == []


def test_a_certificate_of_another_key_is_named_as_the_reason() -> None:
    entry = {**key_sets.okta(key(), "k1"), **key_sets.x5c(key_sets.certificate(key(1)))}
    [one] = _jwks.read(key_set(entry))
    [reason] = jwks_info.to_result(one, None)["reasons"]
    assert reason.startswith("The certificate in its x5c belongs to another key than its n and e, and a virtual proxy")
