"""The command that measures parking: what it refuses before anything is started."""

import sys

from bench.parking import main


def test_no_round_at_all_is_refused_rather_than_an_empty_table(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["bench.parking", "--rounds", "0"])
    assert main() == 2
    assert capsys.readouterr().err == "bench.parking: --rounds: expected at least 1, found 0\n"
