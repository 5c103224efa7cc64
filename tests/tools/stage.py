# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copy all files of the tree that are tracked or not yet added to git, without those that git ignores.

Usage: stage.py DESTINATION (replaced)
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path


def main(destination: Path) -> None:
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"],
        check=True,
        stdout=subprocess.PIPE,
    ).stdout.decode()
    shutil.rmtree(destination, ignore_errors=True)
    for name in filter(None, listing.split("\0")):
        if not Path(name).exists():  # deleted, but still in the index
            continue
        target = destination / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(name, target, follow_symlinks=False)
    # Its own repository: otherwise the ignore rules of the surrounding one would hide the whole copy from the tools.
    subprocess.run(["git", "init", "--quiet", str(destination)], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
