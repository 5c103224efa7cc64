# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import json
import pathlib
import ssl
import time
import typing as t

import jwt
import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ansible_collections.sensible.qlik.plugins.module_utils import _proxies
from ansible_collections.sensible.qlik.plugins.module_utils._errors import InputError, TransportError
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy.convert import snapshot
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy.model import Snapshot
from ansible_collections.sensible.qlik.plugins.modules import login_check
from ansible_collections.sensible.qlik.tests.unit.plugins.fake_proxy import FakeProxy, Reply

KEY = rsa.generate_private_key(65537, 2048)


def token(**more: t.Any) -> str:
    now = int(time.time())
    claims = {"userDirectory": "ACME", "userId": "smoke", "iat": now - 60, "exp": now + 300, **more}
    return jwt.encode(claims, KEY, algorithm="RS256")


def certificate(*, days: int, name: str = "127.0.0.1") -> str:
    subject = x509.Name.from_rfc4514_string(f"CN={name}")
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=100))
        .not_valid_after(now + datetime.timedelta(days=days, hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    )
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


class Site(t.NamedTuple):
    proxy: FakeProxy
    ca_path: str
    options: dict[str, t.Any]


@pytest.fixture
def site(tmp_path: pathlib.Path) -> t.Iterator[Site]:
    """Yield a proxy with TLS whose certificate expires in ten days, and options with which the check passes."""
    pem, key = tmp_path / "server.pem", tmp_path / "server_key.pem"
    pem.write_text(certificate(days=10))
    key.write_bytes(
        KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key)
    with FakeProxy(KEY.public_key(), tls=context) as proxy:
        proxy.cookie = "X-Qlik-Session-portal"
        proxy.attributes = "Path=/; HttpOnly; Secure; SameSite=None"
        settings = {
            "prefix": "portal",
            "session_cookie_header_name": "X-Qlik-Session-portal",
            "has_secure_attribute_https": True,
            "same_site_attribute_https": "none",
            "jwt_public_key_certificate": certificate(days=400, name="signer"),
        }
        login = {"virtual_proxy": settings, "token": token(), "expired_token": token(exp=int(time.time()) - 300)}
        options = {"proxy_urls": [proxy.url], "logins": [login], "wait": 0, "proxy_ca_path": str(pem)}
        yield Site(proxy, str(pem), options)


class Ended(Exception):  # noqa: N818 -- an outcome, not an error
    pass


class FakeModule:
    """AnsibleModule as far as login_check uses it, with its real validation of options."""

    def __init__(self, options: dict[str, t.Any]) -> None:
        validated = ArgumentSpecValidator(login_check.argument_spec()).validate(options)
        assert validated.error_messages == []
        self.params = validated.validated_parameters
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


def main(options: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch) -> FakeModule:
    module = FakeModule(options)
    monkeypatch.setattr(login_check, "QlikModule", lambda **spec: module)
    with pytest.raises(Ended):
        login_check.main()
    json.dumps(module.result)
    return module


def test_a_login_over_tls_passes(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    module = main(site.options, monkeypatch)
    result = module.result
    assert not result["failed"]
    assert result["changed"] is False
    assert result["passed"] is True
    assert result["summary"] == "The login works (1 proxy, 17 checks: 11 passed, 6 skipped)."
    [endpoint] = result["endpoints"]
    assert endpoint["user"] == "ACME\\smoke"
    assert endpoint["prefix"] == "portal"
    assert endpoint["tls_certificate"]["subject"] == "CN=127.0.0.1"
    assert endpoint["tls_certificate"]["days_left"] == 10
    assert endpoint["jwt_certificate"]["subject"] == "CN=signer"
    assert set(endpoint["jwt_certificate"]) == {"subject", "issuer", "not_after", "days_left", "fingerprint_sha256"}
    assert endpoint["site_certificate"] is None
    assert [warning for warning in module.warnings if "expires in 10 days" in warning] == module.warnings
    assert len(module.warnings) == 1


@pytest.mark.parametrize(
    ("on_site", "subject", "warnings"),
    [
        ("declared", "CN=signer", []),
        (
            "other",
            "CN=other",
            ["The virtual proxy portal has another certificate on the site than given (CN=other, expires"],
        ),
        ("not read", None, []),
    ],
)
def test_certificate_of_the_site_is_reported(
    on_site: str, subject: str | None, warnings: list[str], site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    [login] = site.options["logins"]
    pem = {
        "declared": login["virtual_proxy"]["jwt_public_key_certificate"],
        "other": certificate(days=300, name="other"),
    }

    class Repository:
        def read(self, _declared: t.Any) -> Snapshot:
            if on_site not in pem:
                raise TransportError("The connection was refused.", context="GET https://qlik/qrs")
            return snapshot([{"id": "1", "prefix": "Portal", "jwtPublicKeyCertificate": pem[on_site]}], [])

    monkeypatch.setattr(login_check, "repository", lambda _params: contextlib.nullcontext(Repository()))
    module = main({**site.options, "host": ["qlik"]}, monkeypatch)
    [endpoint] = module.result["endpoints"]
    assert (endpoint["site_certificate"] or {}).get("subject") == subject
    assert [text[:90] for text in module.warnings if "TLS certificate" not in text] == warnings


def test_a_failure_has_the_whole_result_and_names_the_first(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.proxy.attributes = "Path=/; HttpOnly"
    site.proxy.answer = lambda request: Reply(200) if request.method == "DELETE" else None
    result = main(site.options, monkeypatch).result
    assert result["failed"]
    assert result["passed"] is False
    assert result["changed"] is False
    assert result["endpoints"][0]["passed"] is False
    assert result["msg"].startswith(f"The check cookie_flags failed on {site.proxy.url}/portal as ACME\\smoke: ")
    assert "Secure is missing" in result["msg"]
    assert result["msg"].endswith("1 more failed.")
    assert "does not work as expected" in result["summary"]


def test_mapped_claim_in_another_case_causes_a_warning(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    [login] = site.options["logins"]
    mapped = {"jwt_attribute_map": [{"jwt_attribute": "groups", "sense_attribute": "group"}]}
    logins = [{"token": token(Groups=["a"]), "virtual_proxy": {**login["virtual_proxy"], **mapped}}] * 2
    warnings = main({**site.options, "logins": logins}, monkeypatch).warnings
    [warning] = [one for one in warnings if "expires" not in one]
    assert warning.endswith("the attribute group, is missing; the token has Groups, but names are case-sensitive.")


def test_links_to_disabled_nodes_are_not_expected(site: Site) -> None:
    login = {"token": token(), "virtual_proxy": {"prefix": "portal", "proxies": ["Central", "Rim1"]}}
    params = FakeModule({**site.options, "proxy_urls": {"Central": "https://a"}, "logins": [login]}).params
    assert [(one.proxy, one.linked) for one in login_check.logins(params, {"Rim1"})] == [("https://a", True)]


def test_the_result_of_a_module_is_not_a_virtual_proxy(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    login = {"token": token(), "prefix": "portal", "virtual_proxy": {"changed": True, "virtual_proxy": {}}}
    assert "Give only the virtual_proxy in it" in main({**site.options, "logins": [login]}, monkeypatch).result["msg"]


def test_entries_to_add_and_remove_are_not_settings(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    login = {"token": token(), "virtual_proxy": {"prefix": "portal", "proxies_add": ["Central"]}}
    message = main({**site.options, "logins": [login]}, monkeypatch).result["msg"]
    assert "The virtual proxy has proxies_add" in message
    assert "result of jwt_virtual_proxies or virtual_proxy_info" in message


def test_results_contain_no_secret(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    login = site.options["logins"][0]
    shown = json.dumps(main(site.options, monkeypatch).result)
    values = [value for request in site.proxy.requests for value in request.cookies.values()]
    assert values
    for secret in (login["token"], login["expired_token"], *login["token"].split("."), *values):
        assert secret not in shown


def test_a_foreign_ca_fails_with_a_message(
    site: Site, tmp_path: pathlib.Path, other_pem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.pem"
    other.write_text(other_pem)
    result = main({**site.options, "proxy_ca_path": str(other), "wait": 60}, monkeypatch).result
    assert "not trusted" in result["msg"]
    assert " as proxy_ca_path." in result["msg"]
    assert site.proxy.requests == []
    # What the proxy shows is told nevertheless: that is how one finds out which CA it would take.
    assert result["endpoints"][0]["tls_certificate"]["subject"] == "CN=127.0.0.1"


def test_any_certificate_is_accepted_without_validation(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    module = main({**site.options, "proxy_ca_path": None, "validate_certs": False}, monkeypatch)
    assert module.result["passed"] is True
    assert any("not verified" in warning for warning in module.warnings)


def test_plain_http_causes_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeProxy(KEY.public_key()) as proxy:
        options = {"proxy_urls": [proxy.url], "logins": [{"prefix": "/Portal/", "token": token()}], "wait": 0}
        module = main(options, monkeypatch)
    assert module.result["passed"] is True
    assert module.result["endpoints"][0]["tls_certificate"] is None
    assert module.result["endpoints"][0]["jwt_certificate"] is None
    assert module.warnings == [f"The tokens were sent to {proxy.url} without encryption."]


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("qlik.example.com", "https://qlik.example.com"),
        (" https://Qlik.example.com:8443/ ", "https://qlik.example.com:8443"),
        ("http://qlik.example.com", "http://qlik.example.com"),
        ("[::1]:8443", "https://[::1]:8443"),
    ],
)
def test_a_proxy_may_be_a_name_or_a_url(given: str, url: str) -> None:
    assert _proxies.base_url(given, "proxy_urls") == url


@pytest.mark.parametrize(
    "given",
    [
        "", "https://", "ftp://qlik.example.com", "https://qlik.example.com/portal", "https://u:geheim@qlik.example.com",
        "qlik.example.com?a=geheim", "https://qlik.example.com:port", "qlik example.com", "https://[::1",
    ],
)  # fmt: skip
def test_invalid_proxies_are_refused_and_not_quoted(given: str) -> None:
    with pytest.raises(InputError) as error:
        _proxies.base_url(given, "proxy_urls")
    assert "geheim" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"token": ""}, "token of login 1: The token is empty"),
        ({"token": "Bearer abc"}, "Bearer"),
        ({"token": "a.b.c.d.e"}, "encrypted"),
        ({"token": "abc"}, "parts"),
        ({"expired_token": "abc"}, "expired_token of"),
        ({"virtual_proxy": {}}, "prefix of login 1 is empty"),
        ({"prefix": "a/b"}, "prefix of login 1 is 'a/b', which contains '/'"),
    ],
)
def test_invalid_logins_are_refused_before_any_request(
    site: Site, monkeypatch: pytest.MonkeyPatch, change: dict[str, t.Any], words: str
) -> None:
    [login] = site.options["logins"]
    result = main({**site.options, "logins": [{**login, **change}]}, monkeypatch).result
    assert words in result["msg"]
    assert "login 1" in result["msg"]
    assert site.proxy.requests == []


@pytest.mark.parametrize("empty", ["proxy_urls", "logins"])
def test_an_empty_list_of_logins_fails(site: Site, monkeypatch: pytest.MonkeyPatch, empty: str) -> None:
    assert f"'{empty}' is empty" in main({**site.options, empty: []}, monkeypatch).result["msg"]


def test_a_missing_ca_file_is_named(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    result = main({**site.options, "proxy_ca_path": "/nowhere.pem"}, monkeypatch).result
    assert "proxy_ca_path: There is no file" in result["msg"]


def test_the_ca_of_the_repository_does_not_verify_a_proxy(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QLIK_SENSE_CA_PATH", site.ca_path)
    options = {name: value for name, value in site.options.items() if name != "proxy_ca_path"}
    result = main(options, monkeypatch).result
    assert "not trusted" in result["msg"]
    assert site.proxy.requests == []


def test_the_expected_user_follows_the_claim_names(site: Site) -> None:
    custom = token(uid="u1", dir="D1")
    options = {**site.options, "logins": [{"token": custom, "virtual_proxy": {
        "prefix": "portal", "jwt_attribute_user_id": "uid", "jwt_attribute_user_directory": "dir"}}]}  # fmt: skip
    assert [login.user for login in login_check.logins(FakeModule(options).params)] == [("D1", "u1")]
    options["logins"][0]["virtual_proxy"]["jwt_attribute_user_directory"] = "[CORP]"
    assert [login.user for login in login_check.logins(FakeModule(options).params)] == [("CORP", "u1")]
    options["logins"][0]["user_id"] = "other"
    assert [login.user for login in login_check.logins(FakeModule(options).params)] == [("CORP", "other")]


def test_each_login_is_run_once_on_each_proxy(site: Site) -> None:
    options = {**site.options, "proxy_urls": ["a.example.com", "https://a.example.com/", "b.example.com"]}
    assert [login.proxy for login in login_check.logins(FakeModule(options).params)] == [
        "https://a.example.com",
        "https://b.example.com",
    ]


PROXIES = {"Central": "https://a.example.com", "Rim1": "b.example.com", "Rim2": "c.example.com"}


@pytest.mark.parametrize(
    ("settings", "skipped", "linked"),
    [
        ({}, [], {"a": True, "b": True, "c": True}),
        ({"proxies": None}, [], {"a": True, "b": True, "c": True}),
        ({"proxies": ["central", "RIM2"]}, [], {"a": True, "b": False, "c": True}),
        ({"proxies": "Central, b.example.com"}, [], {"a": True, "b": True, "c": False}),
        ({"proxies": []}, [], {"a": False, "b": False, "c": False}),
        ({"proxies": ["Rim1"]}, ["not_linked"], {"b": True}),
    ],
)
def test_names_of_nodes_define_where_logins_are_expected(
    site: Site, settings: dict[str, t.Any], skipped: list[str], linked: dict[str, bool]
) -> None:
    login = {"token": token(), "virtual_proxy": {"prefix": "portal", **settings}}
    options = {**site.options, "proxy_urls": PROXIES, "logins": [login], "skip_checks": skipped}
    found = login_check.logins(FakeModule(options).params)
    assert {login.proxy: login.linked for login in found} == {
        f"https://{name}.example.com": value for name, value in linked.items()
    }


def test_list_of_urls_expects_each_login_on_each_proxy(site: Site) -> None:
    login = {"token": token(), "virtual_proxy": {"prefix": "portal", "proxies": ["Central"]}}
    options = {**site.options, "proxy_urls": list(PROXIES.values()), "logins": [login]}
    assert [login.linked for login in login_check.logins(FakeModule(options).params)] == [True, True, True]


def test_a_linked_node_without_a_url_fails(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    login = {"token": token(), "virtual_proxy": {"prefix": "portal", "proxies": ["Central", "Rim9"]}}
    message = main({**site.options, "proxy_urls": PROXIES, "logins": [login]}, monkeypatch).result["msg"]
    assert "'Rim9'" in message
    assert "Central, Rim1, Rim2" in message


def test_the_summary_counts_refusals_on_unlinked_proxies(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    [login] = site.options["logins"]
    login = {**login, "virtual_proxy": {**login["virtual_proxy"], "proxies": ["Central"]}}
    with FakeProxy(KEY.public_key(), prefix="other") as elsewhere:
        proxies = {"Central": site.proxy.url, "Rim1": elsewhere.url}
        result = main({**site.options, "proxy_urls": proxies, "logins": [login]}, monkeypatch).result
    assert result["summary"].startswith("The login works, and 1 is refused on proxies without a link (2 proxies, ")
    assert [endpoint["linked"] for endpoint in result["endpoints"]] == [True, False]


def test_the_specification_masks_the_tokens() -> None:
    options = login_check.argument_spec()["logins"]["options"]
    assert [name for name, option in options.items() if option.get("no_log")] == [
        "token", "expired_token", "wrong_audience_token", "incomplete_token", "other_key_token",
    ]  # fmt: skip
