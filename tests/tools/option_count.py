# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Count the distinct options of modules, plugins and roles, at a commit and in the working tree.

Usage: option_count.py [--list] [COMMIT]

Suboptions count, with the names of the options that they are in: "logins.token". A name that several modules share
counts once. Aliases, the inputs of filters and lookups, and options of ansible-core do not count. Options for content,
passphrases, CA certificates and single entries of lists (`_add`, `_remove`) are left out, at the commit and now.
"""

from __future__ import annotations

import argparse
import io
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path

from public_names import ROOT, options

BASE = "0ba6bac"
_LEFT_OUT = re.compile(r"(.*[._])?((contents?|passphrase|ca|ca_path)|(add|remove)(\..*)?)")


def count(tree: Path) -> dict[str, set[str]]:
    """Return the distinct names of options by what has them: "module", "role" and so on, and "all"."""
    found: dict[str, set[str]] = {"all": set()}
    for one in options(tree):
        if not one.name.startswith("_") and not _LEFT_OUT.fullmatch(one.name):
            found.setdefault(one.owner.split()[0], set()).add(one.name)
            found["all"].add(one.name)
    return found


def at_commit(commit: str) -> dict[str, set[str]]:
    """Return what count() returns for a commit of this repository."""
    archive = subprocess.run(
        ["git", "-C", ROOT, "archive", commit, "plugins", "roles"], check=True, stdout=subprocess.PIPE
    )
    with tempfile.TemporaryDirectory() as directory, tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(directory, filter="data")
        return count(Path(directory))


def listed(title: str, names: Iterable[str]) -> str:
    """Return names, one on each line, below a title."""
    return "\n".join([f"\n{title}:", *(f"  {name}" for name in sorted(names))])


def main() -> int:
    """Print the numbers. Returns 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="list the options that were removed and added, too")
    parser.add_argument("commit", nargs="?", default=BASE)
    arguments = parser.parse_args()
    before, now = at_commit(arguments.commit), count(ROOT)
    print(f"{'':10}{arguments.commit:>10}{'now':>10}{'change':>10}")
    for kind in sorted({*before, *now}, key=lambda kind: (kind == "all", kind)):
        numbers = [len(names.get(kind, ())) for names in (before, now)]
        print(f"{kind:10}{numbers[0]:10}{numbers[1]:10}{numbers[1] - numbers[0]:+10}")
    if arguments.list:
        print(listed("Removed", before["all"] - now["all"]))
        print(listed("Added", now["all"] - before["all"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
