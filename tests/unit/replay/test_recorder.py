"""What a recording holds and what not, and that nothing of it stops what serves."""

import json
from pathlib import Path

import pytest

from tests.unit.replay.making import fly, replayed
from tests.unit.test_docs import first_cells, section, text_of
from uwsgi_autopilot.api.recording import Header, Line
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import Bounds, Mode, ProcessBounds, ResourceLimits, TuningSpec, UwsgiApp

TUNING = TuningSpec(
    mode=Mode.RECOMMEND, start=Shape(3, 4), pin=Shape(5, 6), processes=ProcessBounds(min=2, max=7),
    threads=Bounds(min=1, max=9), max_connections=40, connections_per_process=2,
)  # fmt: skip


@pytest.fixture(scope="module")
def flown(tmp_path_factory):
    path = tmp_path_factory.mktemp("flown") / "a.jsonl"
    fly(path, 60)
    return path


@pytest.mark.parametrize(
    ("tuning", "limits"),
    [
        pytest.param(TuningSpec(), ResourceLimits(), id="nothing but defaults"),
        pytest.param(TUNING, ResourceLimits(cpu=1.5, memory=512 << 20), id="every field"),
    ],
)
def test_all_that_the_law_knows_of_a_manifest_comes_back(tuning, limits):
    app = UwsgiApp(name="shop", module="", tuning=tuning, limits=limits)
    written = json.loads(json.dumps(Header(product="0.1.0", app=app).to_json()))
    assert Header.from_json(written) == Header(product="0.1.0", app=app)


def test_every_line_comes_back_as_it_was_written(flown):
    before = None
    texts = flown.read_text().splitlines()[1:]
    for text in texts:
        line = Line.from_json(json.loads(text), before)
        assert json.dumps(line.to_json(before), separators=(",", ":")) == text
        before = line
    assert len(texts) == 60


def test_nothing_is_in_it_that_its_page_does_not_name(flown):
    """No URL, header, environment or output of the application: none of these fields has room for one."""
    header, *lines = map(json.loads, flown.read_text().splitlines())
    page = text_of("docs/replay.md")
    assert set(header) == first_cells(section(page, "### The first line"))
    assert {name for line in lines for name in line} | {"unwritten"} == first_cells(section(page, "### Each step"))
    assert {name for line in lines for name in line.get("state", {})}.isdisjoint({"app", "why", "samples"})


def test_the_name_of_what_serve_was_given_hides_what_is_secret(tmp_path):
    fly(tmp_path / "a.jsonl", 3, name="app.ini --env DB_PASSWORD=hunter2")
    text = (tmp_path / "a.jsonl").read_text()
    assert "hunter2" not in text
    assert "app.ini --env DB_PASSWORD=" in text


@pytest.mark.parametrize("full", ["/dev/full", "/nowhere/a.jsonl"])
def test_a_recording_that_cannot_be_written_is_told_once_and_stops_nothing(full):
    flown = fly(Path(full), 30)
    why = "No space left on device" if full == "/dev/full" else "No such file or directory"
    assert flown.said == [f"--record: {full} cannot be written ({why}): the recording is not whole"]
    assert any(flown.entries)


def test_two_recordings_of_the_same_flight_are_the_same(flown, tmp_path):
    fly(tmp_path / "b.jsonl", 60)
    assert (tmp_path / "b.jsonl").read_bytes() == flown.read_bytes()
    assert replayed(tmp_path / "b.jsonl") == replayed(flown)
