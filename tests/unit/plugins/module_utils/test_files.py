# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from ansible.module_utils.common.warnings import get_warning_messages

from ansible_collections.sensible.qlik.plugins.module_utils import _files
from ansible_collections.sensible.qlik.plugins.module_utils._errors import InputError

KEY = "-----BEGIN {0}-----\nMIIEvQIBADANBg\n-----END {0}-----\n".format("PRIVATE KEY")
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
def test_text_is_not_a_path(value: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_paths_are_accepted(value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "key without an ending").touch()
    assert _files.text_kind(value) is None


def test_new_files_can_have_any_name_without_secrets() -> None:
    assert _files.text_kind("reports", new=True) is None
    assert _files.text_kind(TOKEN, new=True) == "a token"
    assert _files.text_kind(KEY, new=True) == "PEM text"


def test_relative_paths_start_at_the_base(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    assert _files.text_kind("keys/signing", base=str(tmp_path)) is None
    assert _files.text_kind("keys/signing") == "text"


@pytest.mark.parametrize("value", [KEY, TOKEN, "hunter2", VAULTED])
def test_nothing_of_the_text_is_quoted(value: str) -> None:
    with pytest.raises(InputError) as caught:
        _files.read("client_key", value, alternative="client_key_content")
    message = str(caught.value)
    assert "client_key contains " in message
    assert "not a path" in message
    assert "client_key_content" in message
    for piece in value.split():
        assert piece not in message


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16-le", "utf-16-be"])
def test_a_file_is_read_in_each_encoding(encoding: str, tmp_path: Path) -> None:
    mark = "\ufeff" if encoding.startswith("utf-16") else ""
    (tmp_path / "client.pem").write_bytes((mark + CERTIFICATE).encode(encoding))

    content = _files.read("client_cert", str(tmp_path / "client.pem"))

    assert content == (CERTIFICATE, encoding == "utf-8")


def test_unreadable_files_are_refused_by_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("fifo.pem")
    Path("large.pem").write_bytes(b"x" * (_files.SIZE_LIMIT + 1))
    Path("directory.pem").mkdir()
    messages = {}
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.pem")
        for path in ("fifo.pem", "socket.pem", "large.pem", "directory.pem", "missing.pem", "/dev/zero"):
            with pytest.raises(InputError) as caught:
                _files.read("client_key", path)
            messages[path] = caught.value.message
    assert messages == {
        "fifo.pem": "client_key: fifo.pem is a named pipe (FIFO).",
        "socket.pem": "client_key: socket.pem is a socket.",
        "large.pem": "client_key: large.pem is larger than 1000000 bytes.",
        "directory.pem": "client_key: directory.pem is a directory.",
        "missing.pem": f"client_key: There is no file missing.pem in {tmp_path}.",
        "/dev/zero": "client_key: /dev/zero is a device.",
    }


@pytest.mark.parametrize(
    ("text", "mode", "warns"),
    [
        (KEY, 0o600, False),
        (KEY, 0o400, False),
        (KEY, 0o711, False),
        (KEY, 0o640, True),
        (KEY, 0o620, True),
        (KEY, 0o644, True),
        (KEY, 0o602, True),
        (CERTIFICATE + KEY, 0o666, True),
        (CERTIFICATE, 0o666, False),
    ],
)
def test_private_key_with_open_mode_causes_a_warning(text: str, mode: int, warns: bool, tmp_path: Path) -> None:
    path = tmp_path / "client key.pem"
    path.write_text(text)
    path.chmod(mode)
    warned: list[str] = []

    _files.read("client_key", str(path), warn=warned.append)

    expected = (
        f"client_key: other users may read or write the private key in {path} (mode {mode:04o})."
        f" Restrict it with: chmod 600 '{path}'"
    )
    assert warned == [expected] * warns


def test_default_warning_is_one_of_the_module(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "client_key.pem"
    path.write_text(KEY)
    path.chmod(0o644)

    _files.read("client_key", str(path))

    # From ansible-core 2.19 on, one that a plugin causes is displayed at once.
    shown = " ".join([*get_warning_messages(), *capfd.readouterr().err.split()])
    assert "client_key: other users may read or write the private key in " in shown


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


def test_texts_are_kept_in_private_files_without_memfd(without_memory_files: Path) -> None:
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
def test_private_files_are_removed_at_each_kind_of_exit(end: str, status: int, tmp_path: Path) -> None:
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
