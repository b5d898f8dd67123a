"""What the full measurement writes: a page and a picture of each workload, from the same result."""

import json
import xml.etree.ElementTree as ElementTree

import pytest

from bench import scoreboard
from bench.full import UsageError, wanted_of_page, write_page
from bench.picture import picture


def row(shape, rps, stage="grid"):
    found = {"shape": shape, "stage": stage, "throughput_rps": rps, "p50_ms": 20.0, "p99_ms": 50.0, "failed": 0}
    return found | {"refused": None}


def flight(start, shape, percent):
    return {
        "start": start,
        "shape": shape,
        "percent_of_best": percent,
        "interval_95": [percent - 1, percent + 1],
        "seconds": 21.0,
        "changes": 3,
        "swaps": 2,
        "path": [[0.0, start], [5.0, "3x5"], [9.0, shape]],
        "messages": ["no other shape promises more"],
        "course": [[0.0, 40.0, 90.0], [1.0, 100.0, None], [2.0, 200.0, 50.0]],
    }


RESULT = {
    "kind": "full",
    "when": "2026-11-27T12:00:00+00:00",
    "machine": {"cores": 2, "cpu": None, "arch": "x86_64", "kernel": "6.1"},
    "python": "3.11.7",
    "told": "wait 20 ms, 64 clients",
    "workload": "a+b",
    "generator": "wrk",
    "best": "2x8",
    "shapes": [row("1x1", 50.0), row("2x8", 400.0), row("2x8", 410.0, "final"), row("1x8", 369.0, "final")],
    "flights": [flight("1x1", "2x8", 100.0), flight("16x64", "1x8", 90.0)],
    "contestants": {"uWSGI's default": {"shape": "1x1", "percent_of_best": 12.0}},
    "rivals": {"cheaper, spare": 70.0, "granian": 110.0},
    "sent": 1000,
    "failed": 0,
    "doubts": ["others used 8% of the CPUs"],
}


def test_the_page_says_how_good_it_is_and_where_it_is_not():
    page = scoreboard.page([RESULT], ["io"])
    assert "2 flights: median 95.0 %" in page
    assert "the worst 90.0 % of the best; 0 of 1,000 requests failed" in page
    assert "**a+b** from 16x64: 1x8 serves 90.0 % of 2x8. Its last word: no other shape promises more." in page
    assert "**a+b**: granian serves 110 % of our best." in page
    assert "from 1x1: " not in page, "it reached the best"
    assert "## Not measured\n\nio." in page
    assert "| a+b | **95** | 12 (1x1) | 70 | 110 |" in page


def test_random_workloads_have_a_median_and_a_worst():
    page = scoreboard.page([RESULT, RESULT | {"workload": "random-1-02"}], [])
    assert "Of these 2 random ones: median 95.0 %, worst 90.0 %." in page
    assert "random ones" not in scoreboard.page([RESULT], [])


def test_latency_is_told_in_multiples_of_the_lowest():
    one = {"rate": 400.0, "found": "2x8", "mean_percent": 104.0, "mean_interval_95": [101.0, 107.0], "judged": True}
    one |= {"p99_percent": 120.0, "p99_interval_95": [None, None]}
    one |= {"shapes": {"2x8": {"mean_ms": 26.0, "p99_ms": 60.0}, "4x4": {"mean_ms": 25.0, "p99_ms": 50.0}}}
    page = scoreboard.page([RESULT | {"latency": [one]}], [])
    assert "| a+b | 400/s | 2x8 | 1.04 x (1.01 to 1.07) | 1.20 x | 2x8 26/60, 4x4 25/50 |" in page
    assert "not judged" in scoreboard.page([RESULT | {"latency": [one | {"judged": False}]}], [])
    assert "Poisson" not in scoreboard.page([RESULT], [])


def test_the_page_is_about_the_named_workloads_and_one_random_seed():
    wanted = wanted_of_page()
    assert wanted[:2] == ["cpu", "native"]
    assert {"streaming", "postgresql", "random-1-01", "random-1-20"} <= set(wanted)
    assert len(wanted) == len(set(wanted))


def test_nothing_measured_yet_is_a_page_too():
    assert "Nothing has been measured yet." in scoreboard.page([], ["io"])


def test_the_picture_shows_every_shape_and_every_flight():
    drawn = ElementTree.fromstring(picture(RESULT))
    names = [each.text for each in drawn.iter("{http://www.w3.org/2000/svg}title")]
    assert names == ["1x1: 50 requests/s", "1x8: 369 requests/s", "2x8: 410 requests/s"]
    texts = [each.text for each in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert {"1x1 → 2x8, 100 %, 21 s", "16x64 → 1x8, 90 %, 21 s"} <= set(texts)
    # two ways, and the course of the first
    assert len(list(drawn.iter("{http://www.w3.org/2000/svg}polyline"))) == 3


def test_what_was_measured_before_stays_on_the_page(tmp_path):
    (tmp_path / "scoreboard").mkdir()
    (tmp_path / "scoreboard" / "a+b.json").write_text(json.dumps(RESULT))
    write_page(tmp_path)
    page = (tmp_path / "scoreboard.md").read_text()
    assert "a+b" in page
    assert "## Not measured\n\ncpu, native, io," in page
    assert (tmp_path / "scoreboard" / "a+b.svg").exists()


def test_a_file_that_is_no_result_is_said(tmp_path):
    (tmp_path / "scoreboard").mkdir()
    (tmp_path / "scoreboard" / "io.json").write_text("{}")
    with pytest.raises(UsageError, match=r"io\.json: expected a result of bench\.full"):
        write_page(tmp_path)
