# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The evidence page: claims in comments, malformed comments, and the content of the page."""

from __future__ import annotations

import pathlib
import re

import pytest

from qlik_sense_simulator import evidence
from qlik_sense_simulator.behaviors import Switches
from qlik_sense_simulator.evidence import Claim, EvidenceError, claims, main, page

CODE = '''
# INVENTED(switch=none): a number of
# bytes; and (in parentheses) more
LIMIT = 1

FIELDS = [
    # EVIDENCE(A; Qlik help "Filtering"; B; qrspy, gitoqlok (2017)): names in any case
    # INVENTED(switch=unset_lists): the rest.
    "a",  # no claim
]


class Session:
    """What it is."""

    # EVIDENCE(C; a forum): it lasts
    timeout: int = 30

    def end(self):
        if self.timeout:
            # INVENTED(switch=none): it ends
            return None


# EVIDENCE(B; a capture): outside
def function():
    pass
'''


def test_claims_of_comments_are_found() -> None:
    assert claims(CODE) == [
        Claim(behavior="a number of bytes; and (in parentheses) more", where="LIMIT"),
        Claim(
            behavior="names in any case",
            where="FIELDS",
            sources=(("A", 'Qlik help "Filtering"'), ("B", "qrspy, gitoqlok (2017)")),
        ),
        Claim(behavior="the rest", where="FIELDS", switch="unset_lists"),
        Claim(behavior="it lasts", where="Session.timeout", sources=(("C", "a forum"),)),
        Claim(behavior="it ends", where="Session.end"),
        Claim(behavior="outside", where="function", sources=(("B", "a capture"),)),
    ]


@pytest.mark.parametrize(
    "code",
    [
        "# Something; EVIDENCE(A; help): a\nA = 1",
        "# EVIDENCE(A; help) a\nA = 1",
        "# EVIDENCE(A; help):\nA = 1",
        "# EVIDENCE(A; help): a; INVENTED(none)\nA = 1",
        "# EVIDENCE(help): a\nA = 1",
        "# EVIDENCE(D; help): a\nA = 1",
        "# INVENTED(none): a\nA = 1",
        '"""EVIDENCE(A; help): a"""',
    ],
)
def test_malformed_comment_is_refused(code: str) -> None:
    with pytest.raises(EvidenceError, match=r"^line \d: "):
        claims(code)


@pytest.fixture(scope="module")
def content() -> str:
    """Return the page."""
    return page()


def test_page_has_every_claim_and_every_switch(content: str) -> None:
    package = pathlib.Path(evidence.__file__).parent
    written = sum(
        len(re.findall(r"# (?:.*; )?(?:EVIDENCE|INVENTED)\(", path.read_text(encoding="utf-8")))
        for path in package.rglob("*.py")
        if path.name != "evidence.py"
    )
    titles = content.count("   * - Behavior\n")
    assert content.count("\n   * - ") == written + titles
    for name in Switches.__struct_fields__:
        assert f"\n_`{name}`: ``" in content
        assert f"     - `{name}`_\n" in content


def test_page_has_no_line_numbers(content: str) -> None:
    assert not re.search(r"\.py(#L|:)\d", content)


def test_module_without_section_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "_AREAS", {**evidence._AREAS, "Tokens": ()})
    with pytest.raises(EvidenceError, match=r"Not in any section of the page: proxy/tokens\."):
        page()


def test_page_is_written_and_checked(content: str, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "new" / "page.rst"
    assert main(["--check", str(file)]) == 1
    assert main([str(file)]) == 0
    assert file.read_text(encoding="utf-8") == content
    assert main(["--check", str(file)]) == 0
    file.write_text("old")
    capsys.readouterr()
    assert main(["--check", str(file)]) == 1
    assert "run make generate" in capsys.readouterr().err
    assert file.read_text() == "old"
