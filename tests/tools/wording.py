# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check the wording of texts: task names begin with a verb of VERBS, and no text contains a phrase of PHRASES.

Usage: wording.py [FILE...], by default all files that git does not ignore. With --commit-message FILE, check the
subject of a commit. Docstrings are checked by ruff (D401), American spelling by codespell.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

# Regular expressions, whole words, in any case, and what to write instead.
PHRASES = {
    "prov(e|es|ed|en|ing)|proofs?": "check, verify, verification",
    "(who|which)ever|somebody|someone|nobody|anybody|anyone|everybody|everyone|people": "users, a user, no user",
    "in the very words|the very same": "in the same format, the same",
    "as it should|as they should": "as expected",
    "put(s|ting)? back|put it back|put everything back": "restore, roll back",
    "shall|wants? to be|is to be told": "must, is required",
    "in the safe": "store it securely",
    "takes? us for|the option says": "plain words without personification",
    "visitors?|strangers?|forger(y|ies)|hopeless|strays": "session, foreign key, negative token, permanent, unexpected",
    "see(s|n)? (whether|that|if|what)": "check, find out",
    "lead(s|ing)? (users|the front end|clients)": "pass, point, redirect",
    "full to the brim|worth another look": "possibly truncated, should be read again",
}
VERBS = re.compile(
    "Add|Adopt|Allow|Ask|Build|Call|Change|Check|Choose|Collect|Compare|Compute|Configure|Convert|"
    "Copy|Correct|Count|Create|Decide|Declare|Define|Delete|Deny|Deploy|Describe|Destroy|Detect|"
    "Discard|Download|Drain|Encrypt|End|Export|Extract|Fail|Find|Follow|Format|Generate|Get|Grant|"
    "Import|Include|Initialize|Install|Link|List|Load|Log|Mark|Merge|Mint|Move|Normalize|Open|Pass|"
    "Pause|Point|Predict|Prepare|Print|Promote|Provision|Publish|Purge|Read|Record|Register|Reload|"
    "Remove|Rename|Renew|Replace|Report|Request|Require|Reset|Restart|Restore|Retire|Return|Revoke|"
    "Roll|Rotate|Run|Select|Send|Serve|Set|Show|Sign|Skip|Start|Stop|Store|Switch|Test|Trust|Try|"
    "Unlink|Update|Use|Validate|Verify|Wait|Warn|Write"
)
# A capital verb that is not in the past, the progressive or the third person. Git itself begins with "fixup! ".
COMMIT_SUBJECT = re.compile(
    r"((fixup|squash|amend)! )?(?!(?!Bring|Embed|Feed|Ping|Seed|Speed)\w+(ed|ing)\b|\w*[^su]s\b)[A-Z][\w-]+ .{2,}[^.]"
)
COMMIT_LIMIT = 72
# Names of plays and tasks have a blank; names of nodes and of other objects do not.
_TASK_NAME = re.compile(r"""^\s*(?:- )?name: ["']?([A-Z]\w*) \S""", re.MULTILINE)
_PHRASES = {re.compile(rf"\b({phrase})\b", re.IGNORECASE): instead for phrase, instead in PHRASES.items()}
# This script and its test, texts of others, and what is generated from the simulator's code.
_LEFT_OUT = re.compile(
    r"^(tests/tools/wording\.py|tests/unit/test_wording\.py|LICENSES/|LICENSE$|CODE_OF_CONDUCT\.md|docs/docsite/rst/evidence\.rst)"
)
_TEXTS = (".py", ".yml", ".yaml", ".md", ".rst", ".j2", ".toml", ".txt", ".sh", ".cfg", ".html", "Makefile")


def findings(path: str, text: str) -> Iterator[str]:
    """Return a line for each finding in a text."""
    for phrase, instead in _PHRASES.items():
        for match in phrase.finditer(text):
            yield f"{path}:{_line(text, match)}: '{match[0]}': write {instead}"
    if path.endswith((".yml", ".py", ".md", ".rst")) and not path.startswith(("changelogs/", ".github/")):
        for match in _TASK_NAME.finditer(text):
            if not VERBS.fullmatch(match[1]):
                yield f"{path}:{_line(text, match)}: '{match[1]} ...': a task name begins with a verb of wording.py"


def _line(text: str, match: re.Match[str]) -> int:
    return text.count("\n", 0, match.start(1)) + 1


def subject_problem(subject: str) -> str:
    """Return what is wrong with the subject of a commit, an empty string if nothing is."""
    if len(subject) > COMMIT_LIMIT:
        return f"The subject has {len(subject)} characters; {COMMIT_LIMIT} are allowed."
    if not COMMIT_SUBJECT.fullmatch(subject):
        return "The subject must begin with a verb in the imperative and end without a full stop: 'Add ...'."
    return ""


def main() -> int:
    """Print the findings, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commit-message", type=Path, help="file with the message of a commit")
    parser.add_argument("files", nargs="*")
    arguments = parser.parse_args()
    if arguments.commit_message:
        problem = subject_problem(arguments.commit_message.read_text().partition("\n")[0])
        print(problem, end="\n" if problem else "")
        return bool(problem)
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate"]
    files = arguments.files or subprocess.check_output(listing, text=True).splitlines()
    found = [
        line
        for file in files
        if file.endswith(_TEXTS) and not _LEFT_OUT.match(file) and Path(file).is_file()
        for line in findings(file, Path(file).read_text())
    ]
    print(*found, sep="\n", end="\n" if found else "")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
