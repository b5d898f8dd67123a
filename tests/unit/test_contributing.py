"""CONTRIBUTING.md shows code of this repository and verbs of the Makefile: both must still be there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_every_line_of_code_it_shows_is_in_the_repository() -> None:
    files = [*(ROOT / "operator").rglob("*.py"), *(ROOT / "tests/unit").rglob("*.py")]
    code = {line.strip() for file in files for line in file.read_text(encoding="utf-8").splitlines()}
    shown = [
        line.strip() for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()
    ]
    assert len(shown) >= 5
    assert [line for line in shown if line not in code] == []


def test_every_verb_it_names_is_in_the_makefile() -> None:
    verbs = set(re.findall(r"^([a-z0-9-]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z]+)`", PAGE))
    assert named
    assert named - verbs == set()
