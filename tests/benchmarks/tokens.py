# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure the time of the jwt lookup in addition to the signatures.

Needs ansible-playbook beside the Python that runs this, and the collection on ANSIBLE_COLLECTIONS_PATH.
Prints its findings and never fails because of them.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pairs import PAIRS, Cost, cost_of, measure

RAW_SIGNATURES = """
import sys
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

with open(sys.argv[1], "rb") as file:
    key = load_pem_private_key(file.read(), password=None, unsafe_skip_rsa_key_validation=True)
padding, digest, content = PKCS1v15(), SHA256(), b"x" * 250
for _ in range(int(sys.argv[2])):
    key.sign(content, padding, digest)
"""


class Bench:
    """The files and commands of one run, in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.playbook = Path(sys.executable).with_name("ansible-playbook")
        self.environment = {
            **os.environ, "ANSIBLE_CONFIG": self._write("ansible.cfg", ""), "ANSIBLE_LOCALHOST_WARNING": "0",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "0", "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCAL_TEMP": str(directory),
        }  # fmt: skip
        self.raw = self._write("raw.py", RAW_SIGNATURES)

    def _write(self, name: str, text: str) -> str:
        path = self.directory / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    def key(self, bits: int) -> str:
        """Make a private key and return its path."""
        key = rsa.generate_private_key(65537, bits)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        return self._write(f"key_{bits}.pem", pem)

    def play(self, *, key: str, count: int, mint: bool = True) -> Cost:
        """Run a play that mints tokens for that many users in one lookup, or the same play without its task."""
        tokens = "query('sensible.qlik.jwt', users, user_directory='CORP', private_key_path=key)"
        task = {"ansible.builtin.assert": {"that": f"{tokens} | length == {count}"}}
        play = {"hosts": "localhost", "gather_facts": False, "tasks": [task] if mint else []}
        playbook = self._write(f"play_{count}_{mint}.yml", json.dumps([play]))
        variables = self._write("vars.json", json.dumps({"key": key, "users": [f"user{n}" for n in range(count)]}))
        return cost_of([str(self.playbook), "-e", f"@{variables}", playbook], environment=self.environment)

    def signatures(self, *, key: str, count: int) -> Cost:
        """Sign that often with the same library, and nothing else."""
        return cost_of([sys.executable, self.raw, key, str(count)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=PAIRS, help="how often to measure (default: %(default)s)")
    parser.add_argument("--tokens", type=int, default=10_000, help="tokens in one lookup (default: %(default)s)")
    arguments = parser.parse_args()
    count = arguments.tokens

    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(Path(directory))
        small, large = bench.key(2048), bench.key(4096)
        many = measure(
            lambda: bench.play(key=small, count=count) - bench.play(key=small, count=count, mint=False),
            lambda: bench.signatures(key=small, count=count) - bench.signatures(key=small, count=0),
            arguments.pairs,
        )
        title = f"{count} tokens in one lookup, net of an empty play / {count} RSA-2048 signatures, net of the import"
        print(many.report(title, goal=1.25, stretch_goal=1.12), flush=True)
        two = measure(lambda: bench.play(key=large, count=2), lambda: bench.play(key=small, count=2), arguments.pairs)
        # To validate a key of 4096 bits takes 0.25 s longer than one of 2048.
        print(two.report("A play with 2 tokens, RSA-4096 / RSA-2048 key", goal=1.3))


if __name__ == "__main__":
    main()
