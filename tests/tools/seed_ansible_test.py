# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Let ansible-test create its virtual environments where only a Python package index can be reached.

ansible-test bootstraps pip with a get-pip.py of a fixed version, which it downloads from a host of its own and keeps in
C(~/.ansible/test/cache). This puts a stand-in there, which does the same by the standard library's ensurepip and the
configured package index. A file that is there already is left alone.

Usage: seed_ansible_test.py [RESULTS]

Prints options for ansible-test that leave out the sanity tests which need a package from a host that does not answer,
and names these tests on standard error, and in skipped.txt in the directory RESULTS. Pre-releases of ansible-core have
such tests.
"""

from __future__ import annotations

import inspect
import re
import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit

from ansible_test import _data
from ansible_test._internal import python_requirements

# Run by ansible-test as a script, with pip's arguments for `install`. ensurepip runs in a process of its own, because
# in this one it would drop the PIP_* variables, which say where the package index is.
STAND_IN = """\
import subprocess
import sys

arguments = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
subprocess.run([sys.executable, "-m", "ensurepip"], check=True, stdout=subprocess.DEVNULL)
subprocess.run([sys.executable, "-m", "pip", "install", "--upgrade", *arguments], check=True, stdout=subprocess.DEVNULL)
"""


def answers(host: str) -> bool:
    """Return True if the host accepts connections for HTTPS."""
    try:
        socket.create_connection((host, 443), timeout=5).close()
    except OSError:
        return False
    return True


def unavailable() -> dict[str, str]:
    """Return the sanity tests that cannot be installed, each with the host that does not answer."""
    found = {}
    for file in sorted(Path(next(iter(_data.__path__)), "requirements").glob("sanity.*.txt")):
        hosts = {urlsplit(url).hostname or "" for url in re.findall(r"https://\S+", file.read_text())}
        for host in sorted(hosts):
            if not answers(host):
                found[file.suffixes[-2].lstrip(".")] = host
    return found


def main() -> None:
    skipped = unavailable()
    for test, host in skipped.items():
        print(f"Skipped: the sanity test {test}, which needs a package from {host}: no connection.", file=sys.stderr)
        print(f"--skip-test={test}")
    if skipped and sys.argv[1:]:
        lines = [
            f"sanity {test}: needs a package from {host}, which does not answer\n" for test, host in skipped.items()
        ]
        Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
        Path(sys.argv[1], "skipped.txt").write_text("".join(lines))
    source = inspect.getsource(python_requirements.get_venv_packages)
    for version in set(re.findall(r"""\bpip\b['"]?\s*[=:]\s*['"]([\d.]+)['"]""", source)):
        path = Path.home() / ".ansible" / "test" / "cache" / f"get_pip_{version.replace('.', '_')}.py"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(STAND_IN)


if __name__ == "__main__":
    main()
