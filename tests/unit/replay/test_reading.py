"""A file that is missing, something else, cut off, damaged or of another release is told in one sentence."""

import gzip
import json

import pytest

from tests.unit.replay.making import fly
from uwsgi_autopilot.cli import main


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("flown") / "whole.jsonl"
    fly(path, 20)
    return path.read_bytes()


@pytest.fixture
def flown(tmp_path, whole):
    path = tmp_path / "a.jsonl"
    path.write_bytes(whole)
    return path


def lines(path):
    return path.read_text().splitlines(keepends=True)


def no_file(path):
    path.unlink()


def a_folder(path):
    path.unlink()
    path.mkdir()


def empty(path):
    path.write_text("")


def a_report(path):
    path.write_text('{\n  "app": "demo"\n}\n')


def a_picture(path):
    path.write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe")


def half_packed(path):
    path.write_bytes(b"\x1f\x8bno gzip at all")


def of_tomorrow(path):
    header = json.loads(lines(path)[0]) | {"recording": 2, "product": "1.4.0"}
    path.write_text(json.dumps(header) + "\n")


def without_bounds(path):
    header = json.loads(lines(path)[0])
    header["tuning"]["threads"] = {"min": 8, "max": 4}
    path.write_text(json.dumps(header) + "\n")


def damaged(path):
    path.write_text("".join([*lines(path)[:4], "{oops\n", *lines(path)[4:]]))


def a_list(path):
    path.write_text("".join([*lines(path)[:4], "[]\n"]))


def a_sample_without_a_shape(path):
    line = json.loads(lines(path)[4])
    del line["samples"][0]["shape"]
    path.write_text("".join([*lines(path)[:4], json.dumps(line) + "\n"]))


def of_another_agent(path):
    line = json.loads(lines(path)[1])
    line["state"]["version"] = 9
    path.write_text("".join([lines(path)[0], json.dumps(line) + "\n"]))


def an_unknown_decision(path):
    line = json.loads(lines(path)[4]) | {"decided": [{"kind": "guess"}]}
    path.write_text("".join([*lines(path)[:4], json.dumps(line) + "\n"]))


MAKES = "`uwsgi-autopilot local` or `serve` makes one with --record FILE"


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (no_file, f"does not exist: {MAKES}"),
        (a_folder, "cannot be read: Is a directory"),
        (empty, f"is empty: {MAKES}"),
        (a_report, f"is no recording (expected a first line with `recording: 1`): {MAKES}"),
        (a_picture, f"is no recording (expected a first line with `recording: 1`): {MAKES}"),
        (half_packed, f"is no recording (expected a first line with `recording: 1`): {MAKES}"),
        (
            of_tomorrow,
            ": expected format 1, found 2: replay it with the release that made it, uwsgi-autopilot 1.4.0",
        ),
        (without_bounds, ": line 1: threads: expected a min and a max that is no less, found {'min': 8, 'max': 4}"),
        (
            damaged,
            ": line 5 is no JSON: the file was damaged or edited; the 4 lines before it are a recording of their own",
        ),
        (a_list, ": line 5: expected a JSON object, found list"),
        (a_sample_without_a_shape, ": line 5: samples: KeyError 'shape'"),
        (
            of_another_agent,
            ": line 2: version: this reader understands 2, found 9: its agent is of another release",
        ),
        (an_unknown_decision, ": line 5: decided: KeyError 'at_s'"),
    ],
    ids=lambda each: each.__name__ if callable(each) else "",
)  # fmt: skip
@pytest.mark.parametrize("form", ["text", "json"])
def test_what_cannot_be_replayed_is_told_in_one_sentence(flown, capsys, harm, sentence, form):
    harm(flown)
    assert main(["replay", str(flown), "--format", form]) == 2
    told = capsys.readouterr().err
    (line,) = told.splitlines()
    assert line.removeprefix(f"uwsgi-autopilot: {flown}").removeprefix(" ") == sentence


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "compressed"])
def test_what_stands_before_a_line_that_was_cut_off_is_replayed(flown, capsys, packed):
    if packed:
        whole = gzip.compress(flown.read_bytes())
        flown.write_bytes(whole[:-200])
    else:
        flown.write_text(flown.read_text()[:-20])
    assert main(["replay", str(flown), "--format", "json"]) == 0
    told = capsys.readouterr()
    data = json.loads(told.out)
    assert data["cut_off"]
    assert 0 < data["samples"] < 20
    assert told.err == (
        f"{flown}: the last line is cut off: whoever wrote it was killed, or the disk was full; what is whole was "
        "replayed\n"
    )


def test_a_recording_without_a_step_says_that_nothing_was_served(flown, capsys):
    flown.write_text(lines(flown)[0])
    assert main(["replay", str(flown)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "nothing was recorded: the application did not serve"
