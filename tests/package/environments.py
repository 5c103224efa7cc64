# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Virtual environments that are kept below .stage as long as their requirements stay the same."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def make_environment(parent: Path, name: str, requirements: Sequence[str]) -> Path:
    """Return a virtual environment with these requirements and nothing else, made unless it exists.

    Args:
        parent: the directory for such environments.
        name: beginning of the directory's name.
        requirements: as pip takes them.
    """
    content = "\n".join([sys.version, *sorted(requirements)])
    directory = parent / f"{name}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"
    finished = directory / "requirements.txt"
    if not finished.exists():
        # Not the environment that runs this: what is installed there must not be found.
        base = getattr(sys, "_base_executable", sys.executable)
        subprocess.run([base, "-m", "venv", "--clear", str(directory)], check=True)
        pip = [str(directory / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-compile"]
        subprocess.run([*pip, *requirements], check=True)
        finished.write_text("\n".join(requirements))
    return directory
