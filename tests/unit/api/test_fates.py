"""What docs/serve.md says of an option is what becomes of it."""

import re
from pathlib import Path

import pytest

from uwsgi_autopilot.api.fates import TABLE, Fate, row_of
from uwsgi_autopilot.api.overlap import why_not_twice

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "serve.md").read_text()
ROWS = [
    (re.findall(r"`([^`]+)`", cells[0]), cells[1], cells[2])
    for line in PAGE.splitlines()
    if (cells := [each.strip() for each in line.strip("|").split("|")]) and len(cells) == 3 and cells[0].startswith("`")
]
SAID = [(name, fate, meaning) for names, fate, meaning in ROWS for name in names]


@pytest.mark.parametrize(("name", "fate", "meaning"), SAID)
def test_the_page_says_what_becomes_of_an_option(name: str, fate: str, meaning: str) -> None:
    row = row_of(name)
    assert row.fate.value == fate
    assert (row.meaning or why_not_twice(name)) == meaning


def test_every_row_of_the_table_is_on_the_page() -> None:
    assert {row.meaning for row in TABLE} <= {meaning for _, _, meaning in SAID}


def test_what_the_page_calls_kept_is_kept() -> None:
    paragraph = PAGE.partition("An option that is not in this table")[2].partition("\n\n")[0]
    names = re.findall(r"`([^`]+)`", paragraph)
    assert len(names) > 15
    assert {name for name in names if row_of(name).fate is not Fate.KEPT} == set()


def test_no_row_is_hidden_behind_an_earlier_one() -> None:
    plain = re.compile(r"[a-z0-9-]+")
    hidden = [name for row in TABLE for name in row.names if plain.fullmatch(name) and row_of(name) is not row]
    assert hidden == []
