# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import textwrap
import typing as t
from pathlib import Path

import pytest

from ansible_collections.sensible.qlik.plugins.module_utils import _files
from ansible_collections.sensible.qlik.plugins.module_utils._errors import InputError
from ansible_collections.sensible.qlik.plugins.module_utils._keys.pem import pem_file

KEY = "-----BEGIN {0}-----\nMIIEvQIBADANBg\n-----END {0}-----\n".format("PRIVATE KEY")
ENCRYPTED_KEY = "-----BEGIN {0}-----\nMIIEvQIBADANBg\n-----END {0}-----\n".format("ENCRYPTED PRIVATE KEY")
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIC\n-----END CERTIFICATE-----\n"
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJ1c2VySWQiOiJhbGljZSJ9.c2lnbmF0dXJlc2lnbmF0dXJl"
VAULTED = "$ANSIBLE_VAULT;1.1;AES256\n3339623\n"


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (KEY, "PEM text"),
        (KEY.replace("\n", " "), "PEM text"),
        (KEY.replace("\n", "\\n"), "PEM text"),
        (f"  {CERTIFICATE}", "PEM text"),
        (VAULTED, "text that is encrypted with Ansible Vault"),
        (TOKEN, "a token"),
        (f"Bearer {TOKEN}", "a token"),
        (TOKEN.rpartition(".")[0] + ".", "a token"),
        ("hunter2", "text"),
        ("correct horse battery staple", "text"),
        ("Zm9vYmFy/K3k+9w==", "text"),
        ("/S3cretPassw0rd", "text"),
        ("name-\udc80\ud800", "text"),
        ("a\nb.pem", "text"),
        ("a\0b", "text"),
        ("x" * 5000 + ".pem", "text"),
        ("x" * 300 + ".pem", "text"),
    ],
)
def test_text_is_no_path(value: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert _files.text_kind(value) == kind


@pytest.mark.parametrize(
    "value",
    [
        "",
        "client.pem",
        "certificates/prod/client.pem",
        "/etc/qlik/client_key.PEM",
        "~/keys/client.key",
        "$HOME/client.crt",
        "sub/key",
        "key without an ending",
        "sub",
        "a.b.c.pem",
        "www.example.com.key",
    ],
)
def test_paths_are_paths(value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "key without an ending").touch()
    assert _files.text_kind(value) is None


@pytest.mark.parametrize(
    "text",
    [
        KEY,
        KEY.lower(),
        "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcw",
        "MHcCAQEEIIrYSSNQFaA2Hwf1duRSxKtLYX5CB04f",
        "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEH",
        "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v",
        "MIIFLTBXBgkqhkiG9w0BBQ0wSjApBgkqhkiG9w0BBQwwHAQI",
        "b3BlbnNzaC1rZXktdjEAAAAABG5vbmU",
        base64.b64encode(KEY.encode()).decode(),
        base64.b64encode(KEY.replace("PRIVATE", "RSA PRIVATE").encode()).decode(),
    ],
)
def test_private_keys_are_recognized_in_many_forms(text: str) -> None:
    assert _files.holds_private_key(text)


def test_certificates_and_words_are_no_private_keys() -> None:
    for text in (CERTIFICATE, base64.b64encode(CERTIFICATE.encode()).decode(), "portal", "MIIDNDCCAhygAwIBAgIUdM9lXnz"):
        assert not _files.holds_private_key(text)


def test_a_file_that_is_to_be_created_can_have_any_name_but_holds_no_secret() -> None:
    assert _files.text_kind("reports", new=True) is None
    assert _files.text_kind(TOKEN, new=True) == "a token"
    assert _files.text_kind(KEY, new=True) == "PEM text"


def test_relative_paths_belong_to_the_base(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    assert _files.text_kind("keys/signing", base=str(tmp_path)) is None
    assert _files.text_kind("keys/signing") == "text"


@pytest.mark.parametrize("value", [KEY, TOKEN, "hunter2", VAULTED])
def test_nothing_of_the_text_is_quoted(value: str) -> None:
    with pytest.raises(InputError) as caught:
        _files.read_text("client_key", value, alternative="client_key_content")
    message = str(caught.value)
    assert "client_key holds " in message
    assert "not a path" in message
    assert "client_key_content" in message
    for piece in value.split():
        assert piece not in message


def test_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "client.pem").write_text(CERTIFICATE)
    assert _files.read_text("client_cert", str(tmp_path / "client.pem")) == CERTIFICATE


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("fifo.pem")
    Path("large.pem").write_bytes(b"x" * (_files.SIZE_LIMIT + 1))
    Path("directory.pem").mkdir()
    messages = {}
    for path in ("fifo.pem", "large.pem", "directory.pem", "missing.pem", "/dev/null"):
        with pytest.raises(InputError) as caught:
            _files.read_text("client_key", path)
        messages[path] = caught.value.outcome
    assert messages == {
        "fifo.pem": "fifo.pem is not a regular file.",
        "large.pem": "large.pem is larger than 1000000 bytes.",
        "directory.pem": "directory.pem is a directory.",
        "missing.pem": f"There is no file missing.pem in {tmp_path}.",
        "/dev/null": "/dev/null is not a regular file.",
    }


def test_a_vault_file_is_named_with_the_way_to_use_it(tmp_path: Path) -> None:
    path = tmp_path / "client_key.pem"
    path.write_text(VAULTED)
    with pytest.raises(InputError) as caught:
        _files.read_text("client_key", str(path), alternative="client_key_content")
    assert caught.value.outcome == f"{path} is encrypted with Ansible Vault."
    assert f"client_key_content: \"{{{{ lookup('ansible.builtin.unvault', '{path}') }}}}\"" in caught.value.advice
    assert "3339623" not in str(caught.value)


@pytest.mark.parametrize(
    ("option", "holds", "text", "words"),
    [
        ("client_cert", "certificate", KEY, "It holds no certificate in PEM format. It holds a private key"),
        ("client_key", "private key", CERTIFICATE, "It holds no private key in PEM format. It holds a certificate"),
        ("client_key", "private key", ENCRYPTED_KEY, "protected by a passphrase"),
        ("ca_path", "certificate", "kaputt", "It holds no certificate in PEM format. Give the file as the QMC"),
        ("client_key", "private key", VAULTED, "is encrypted with Ansible Vault"),
    ],
)
@pytest.mark.parametrize("as_content", [False, True])
def test_content_of_another_kind(
    option: str, holds: t.Literal["certificate", "private key"], text: str, words: str, as_content: bool, tmp_path: Path
) -> None:
    (tmp_path / "file.pem").write_text(text)
    name = _files.content_option(option) if as_content else option
    with pytest.raises(InputError) as caught:
        pem_file({name: text if as_content else str(tmp_path / "file.pem")}, option, _files.PrivateFiles(), holds=holds)
    assert words in str(caught.value)
    assert f"'{name}'" in str(caught.value)


def test_neither_path_nor_content() -> None:
    assert pem_file({}, "ca_path", _files.PrivateFiles(), holds="certificate") is None


def test_texts_are_kept_in_memory() -> None:
    files = _files.PrivateFiles()
    path = files.path_of(KEY)
    assert path.startswith("/proc/self/fd/")
    assert Path(path).read_text() == KEY
    assert Path(path).read_text() == KEY  # OpenSSL opens it more than once
    files.close()
    assert not Path(path).exists()


@pytest.fixture
def without_memory_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.delattr(os, "memfd_create")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return tmp_path


def test_texts_are_kept_in_private_files_elsewhere(without_memory_files: Path) -> None:
    files = _files.PrivateFiles()
    path = Path(files.path_of(KEY))
    assert path.read_text() == KEY
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.parent.parent == without_memory_files
    files.close()
    files.close()
    assert list(without_memory_files.iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


# A program that keeps a key on disk, says where, and then ends in the way that it is told.
_PROGRAM = """
import os, signal, sys, time
del os.memfd_create
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup ignores it, and a process that ignores it goes on
from ansible_collections.sensible.qlik.plugins.module_utils._files import PrivateFiles
path = PrivateFiles().path_of(sys.stdin.read())
print(os.stat(path).st_size, flush=True)
if sys.argv[1] == "failure":
    raise ValueError("an unexpected error")
if sys.argv[1] == "exit":
    sys.exit(0)
time.sleep(60)
"""


@pytest.mark.parametrize(("end", "status"), [("exit", 0), ("failure", 1), ("SIGTERM", -15), ("SIGHUP", -1)])
def test_private_files_are_removed_however_the_process_ends(end: str, status: int, tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(_PROGRAM), end],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(KEY)
        process.stdin.close()
        assert process.stdout.readline() == f"{len(KEY)}\n"
        if end.startswith("SIG"):
            assert len(list(tmp_path.iterdir())) == 1
            process.send_signal(getattr(signal, end))
        assert process.wait(timeout=30) == status
    assert list(tmp_path.iterdir()) == []
