# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Create virtual environments below .stage, which are kept until their requirements change, and run commands in them.

The environment variable PACKAGE names the directory with dist/*.tar.gz and installed/, both made by `make packaging`.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PACKAGE = Path(os.environ["PACKAGE"])
(TARBALL,) = (PACKAGE / "dist").glob("*.tar.gz")
INSTALLED = PACKAGE / "installed"
ENVIRONMENTS = PACKAGE / "environments"


def make_environment(name: str, requirements: Sequence[str]) -> Path:
    """Return a virtual environment with these requirements and nothing else, made unless it exists.

    Args:
        name: beginning of the directory's name.
        requirements: as pip takes them.
    """
    content = "\n".join([sys.version, *sorted(requirements)])
    directory = ENVIRONMENTS / f"{name}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"
    finished = directory / "requirements.txt"
    if not finished.exists():
        # Not the environment that runs this: what is installed there must not be found.
        base = getattr(sys, "_base_executable", sys.executable)
        subprocess.run([base, "-m", "venv", "--clear", str(directory)], check=True)
        pip = [str(directory / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-compile"]
        subprocess.run([*pip, *requirements], check=True)
        finished.write_text("\n".join(requirements))
    return directory


def run(environment: Path, *command: str, directory: Path, **variables: str) -> tuple[str, str]:
    """Run a command of a virtual environment with nothing else on the search path for programs.

    Returns:
        What it wrote to standard output, and to standard error.
    """
    done = subprocess.run(
        [str(environment / "bin" / command[0]), *command[1:]],
        env={
            "ANSIBLE_COLLECTIONS_PATH": str(INSTALLED),
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "HOME": str(directory),
            "LC_ALL": "C.UTF-8",
            "PATH": f"{environment / 'bin'}:/usr/bin:/bin",
            **variables,
        },
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, done.stderr
