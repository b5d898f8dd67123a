"""Real runs, replayed through the law of today: what it says of each is in tests/recordings, beside the recording.

A change that is meant:  UPDATE_GOLDEN=1 .venv/bin/pytest tests/unit/replay/test_recordings.py  and then read the
difference. Where a recording ends early now, the law would have changed something else: is that better?
"""

import json
import os

import pytest

from tests.pages import ROOT
from uwsgi_autopilot.cli import main

RECORDINGS = sorted((ROOT / "tests" / "recordings").glob("*.jsonl*"))


@pytest.mark.parametrize("path", RECORDINGS, ids=[each.name for each in RECORDINGS])
def test_what_the_law_says_of_a_real_run(path, capsys):
    main(["replay", str(path)])
    told = capsys.readouterr().out
    golden = path.with_name(f"{path.name.partition('.')[0]}.txt")
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(told, encoding="utf-8")
    assert told == golden.read_text(encoding="utf-8"), "meant? UPDATE_GOLDEN=1, then read the difference"


@pytest.mark.parametrize("path", RECORDINGS, ids=[each.name for each in RECORDINGS])
def test_a_program_reads_the_same(path, capsys):
    status = main(["replay", str(path), "--format", "json"])
    told = json.loads(capsys.readouterr().out)
    assert status == (1 if told["parts"] else 0)
    text = path.with_name(f"{path.name.partition('.')[0]}.txt").read_text(encoding="utf-8")
    assert all(each["message"] in text or each["reason"] in text for each in told["decisions"])
    assert (told["parts"] or {"message": "every change as recorded"})["message"] in text


def test_half_an_hour_takes_less_than_three_megabytes():
    (path,) = [each for each in RECORDINGS if each.name == "waiting-becomes-computing.jsonl"]
    assert path.stat().st_size / 70 * 1800 < 3e6
