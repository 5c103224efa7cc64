# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Let ansible-test make its virtual environments where only a Python package index can be reached.

ansible-test bootstraps pip with a get-pip.py of a fixed version, which it downloads from a host of its own and keeps in
C(~/.ansible/test/cache). This puts a stand-in there, which does the same by the standard library's ensurepip and the
configured package index. A file that is there already is left alone.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path

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


def main() -> None:
    source = inspect.getsource(python_requirements.get_venv_packages)
    for version in set(re.findall(r"""\bpip\b['"]?\s*[=:]\s*['"]([\d.]+)['"]""", source)):
        path = Path.home() / ".ansible" / "test" / "cache" / f"get_pip_{version.replace('.', '_')}.py"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(STAND_IN)


if __name__ == "__main__":
    main()
