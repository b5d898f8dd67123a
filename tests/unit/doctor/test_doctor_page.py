"""docs/doctor.md describes every rule and every flag, and no other."""

import re
from pathlib import Path

import pytest

from uwsgi_autopilot.cli import main
from uwsgi_autopilot.doctor import finding
from uwsgi_autopilot.doctor.diagnose import RULES
from uwsgi_autopilot.doctor.finding import name_of

PAGE = (Path(__file__).parents[3] / "docs" / "doctor.md").read_text(encoding="utf-8")


def test_every_rule_has_a_row_in_the_order_of_the_table_in_the_code() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| (?:dangerous|warning|hint)", PAGE, re.MULTILINE)
    assert rows == [name_of(rule) for rule in RULES]


def test_every_flag_is_described(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["doctor", "--help"])
    flags = set(re.findall(r"--[a-z][a-z-]*", capsys.readouterr().out)) - {"--help"}
    assert flags == set(re.findall(r"^\| `(--[a-z-]+)", PAGE, re.MULTILINE))


def test_links_to_the_page_name_headings_of_it() -> None:
    headings = re.findall(r"^## (.+)$", PAGE, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    links = {value for value in vars(finding).values() if re.match(r"docs/doctor\.md#.", str(value))}
    assert len(links) == 5
    assert {link.partition("#")[2] for link in links} - anchors == set()
