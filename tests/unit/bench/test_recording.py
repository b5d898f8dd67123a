"""A recorded grid: which shapes, in which order, and what stays of a few seconds of samples."""

import json

import pytest

from bench.fixed import Look
from bench.load import Window
from bench.machine import Share
from bench.named import ALL
from bench.record import record
from bench.recording import mean_sample, order_of, row_of, shapes_of, text_of
from uwsgi_autopilot.api.sample import Census, Sample
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.errors import UsageError
from uwsgi_autopilot.local.programs import find_programs


def sample(**differs: object) -> Sample:
    base = {
        "seq": 1, "at": 10.0, "seconds": 1.0, "generation": 1, "shape": Shape(2, 4), "settled": True,
        "requests": 100.0, "queue_mean": 3.0, "busy": 8.0, "service_s": 8.0, "cpu_s": 1.0, "worker_cpu": 0.5,
        "runqueue_s": 0.2, "cores": 2.0,
        "census": Census(running=1, io=6, interpreter_lock=1, application_lock=0, idle=0, looks=160),
    }  # fmt: skip
    return Sample(**(base | differs))  # type: ignore[arg-type]


def test_about_forty_shapes_are_visited_those_that_clients_can_fill() -> None:
    shapes = shapes_of(64)
    assert len(shapes) == 5 * 8 + 4  # 64 threads: up to 4 processes, 256 slots
    assert Shape(16, 16) in shapes
    assert Shape(6, 64) not in shapes
    assert Shape(16, 16) not in shapes_of(32)


def test_the_second_visit_takes_another_order() -> None:
    first, second = order_of(0, 64), order_of(1, 64)
    assert sorted(first) == sorted(second)
    assert (first[0], second[0]) == (Shape(1, 1), Shape(1, 64))


def test_a_mean_second_has_amounts_a_second_and_means() -> None:
    """150 + 100 requests in 2.5 s."""
    found = mean_sample([sample(seconds=1.5, requests=150.0, busy=6.0), sample()])
    assert found is not None
    assert (found["seconds"], found["requests"], found["busy"]) == (2.5, 100, 7)
    assert found["census"]["io"] == 6


@pytest.mark.parametrize("name", ["runqueue_s", "queue_mean"])
def test_what_one_second_did_not_see_is_not_seen(name: str) -> None:
    found = mean_sample([sample(), sample(**{name: None})])
    assert found is not None
    assert found[name] is None


def test_nothing_has_no_mean() -> None:
    assert mean_sample([]) is None
    assert mean_sample([sample(census=None)])["census"] is None  # type: ignore[index]


def test_shares_are_told_in_cores() -> None:
    """5 % of two cores are 0.1."""
    window = Window(rps=100.123, p50_ms=1.0, p99_ms=None, failed=0)
    share = Share(foreign=0.05, steal=0.0, helpers=0.25)
    found = row_of(Look(window=window, samples=[sample()], share=share))
    assert (found["rps"], found["p99_ms"], found["foreign"], found["helpers"]) == (100.12, None, 0.1, 0.5)
    assert row_of(Look(window=window, samples=[], share=None))["foreign"] is None


def test_the_file_has_a_line_for_each_visit_and_is_read_back() -> None:
    grid = {"kind": "grid", "machine": {"cores": 2}, "visits": [{"shape": "1x1", "rps": 1.5}, {"shape": "2x1"}]}
    text = text_of(grid)
    assert json.loads(text) == grid
    assert len([line for line in text.splitlines() if '"shape"' in line]) == 2


@pytest.mark.parametrize("text", ["[]", '{"a": 1}', '{"visits": 3}', "no JSON"])
def test_a_file_that_is_no_grid_is_not_overwritten_but_told(text, tmp_path):
    file = tmp_path / "cpu.json"
    file.write_text(text)
    with pytest.raises(UsageError, match=r"cpu\.json is no recorded grid .*: move it away"):
        record(ALL["cpu"], find_programs(), file, until=0.0)
    assert file.read_text() == text
