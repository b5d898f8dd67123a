"""How findings read, and how a program reads them."""

import json

from uwsgi_autopilot.doctor.finding import Finding, Severity
from uwsgi_autopilot.doctor.report import counts, json_of, text_of

STATS = Finding(
    rule="open-stats",
    severity=Severity.DANGEROUS,
    finding="stats = :9191: everybody can read them",
    reason="They show the cookies of each request that is being served at the time.",
    remedy="stats = a.stats",
    link="docs/doctor.md#who-can-reach-it",
)
HINT = Finding(rule="b", severity=Severity.HINT, finding="one", reason="two.", remedy="three", link="https://a")


def test_a_block_is_aligned_and_wrapped() -> None:
    assert (
        text_of("a.ini", [STATS], 50)
        == """\
dangerous  stats = :9191: everybody can read them
  why      They show the cookies of each request
           that is being served at the time.
  do       stats = a.stats
  see      docs/doctor.md#who-can-reach-it
           (open-stats)

a.ini: 1 dangerous, no warnings, no hints
"""
    )


def test_nothing_found_is_one_line() -> None:
    assert text_of("a.ini", [], 80) == "a.ini: nothing to object to\n"


def test_counts_are_words_of_their_number() -> None:
    assert counts([STATS, STATS, HINT]) == "2 dangerous, no warnings, 1 hint"
    assert counts([HINT, HINT]) == "nothing dangerous, no warnings, 2 hints"


def test_json_has_the_counts_and_each_finding() -> None:
    read = json.loads(json_of("a.ini", [STATS, HINT]))
    assert (read["subject"], read["dangerous"], read["warning"], read["hint"]) == ("a.ini", 1, 0, 1)
    assert read["findings"][1] == {
        "rule": "b", "severity": "hint", "finding": "one", "reason": "two.", "remedy": "three", "link": "https://a",
    }  # fmt: skip


def test_control_characters_of_a_configuration_do_not_reach_the_terminal() -> None:
    shown = text_of("a.ini", [Finding(severity=Severity.HINT, finding="a\x1b[2Jb", reason="", remedy="", link="")], 80)
    assert "\x1b" not in shown
