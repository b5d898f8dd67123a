"""The full measurement goes on where it stopped, with named and with drawn workloads; nothing is measured here."""

import sys
from pathlib import Path

import pytest

from bench import full
from tests.unit.bench.test_scoreboard import RESULT


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """`run(*flags)` gives the exit status and what was measured."""
    (tmp_path / "scoreboard").mkdir()
    measured: list[str] = []

    def measure(workload, programs):
        measured.append(workload.name)
        return RESULT | {"workload": workload.name}

    monkeypatch.setattr(full, "measure", measure)
    monkeypatch.setattr(full, "find_programs", lambda: None)

    def call(*flags: str) -> tuple[int, list[str]]:
        measured.clear()
        monkeypatch.setattr(sys, "argv", ["bench.full", "--into", str(tmp_path), *flags])
        return full.main(), list(measured)

    return call


def test_drawn_workloads_are_measured_once_and_listed_until_they_are(run, tmp_path: Path) -> None:
    assert run("--random", "1", "--count", "2", "--minutes", "0") == (full.NOT_YET, [])
    assert run("--random", "1", "--count", "2", "--only", "random-1-02") == (0, ["random-1-02"])
    missing = (tmp_path / "scoreboard.md").read_text().partition("## Not measured")[2].partition("\n## ")[0]
    assert "random-1-01," in missing
    assert "random-1-02" not in missing
    assert "streaming," in missing
    assert run("--random", "1", "--count", "2") == (0, ["random-1-01"])
    assert run("--random", "1", "--count", "2") == (0, [])


def test_another_seed_is_on_the_page_too(run, tmp_path: Path) -> None:
    assert run("--random", "7", "--count", "1") == (0, ["random-7-01"])
    assert "## random-7-01" in (tmp_path / "scoreboard.md").read_text()
