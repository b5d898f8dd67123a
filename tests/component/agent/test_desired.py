"""Whatever stands in the file with the desired shape, the shape that serves keeps serving, and the state says why."""

import json

import pytest

from uwsgi_autopilot.api.desired import Version
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.report.reasons import RefusalReason

pytestmark = pytest.mark.component

GOOD = {"epoch": 1, "seq": 10, "processes": 2, "threads": 2, "uid": "*", "trialSeconds": None}
NEXT = GOOD | {"seq": 11}


def test_a_shape_that_makes_no_sense_is_refused_with_its_reason(serve):
    rows = [
        ("an empty file", "", "InvalidShape", "empty file"),
        ("a blank file", " \n", "InvalidShape", "empty file"),
        ("half a shape", '{"seq": 11, "proc', "InvalidShape", "not JSON"),
        ("a list", "[1, 2]", "InvalidShape", "found list"),
        ("a word for a number", json.dumps(NEXT | {"threads": "many"}), "InvalidShape", "threads"),
        ("no processes", json.dumps(NEXT | {"processes": 0}), "InvalidShape", "at least one process"),
        ("absurd", json.dumps(NEXT | {"processes": 10**9}), "OutOfBounds", "1 to 16, found 1000000000"),
        ("too many threads", json.dumps(NEXT | {"threads": 65}), "OutOfBounds", "1 to 64, found 65"),
        ("older", json.dumps(GOOD | {"seq": 9, "threads": 3}), "OlderThanLast", "1.9 is older"),
        ("of an earlier epoch", json.dumps(NEXT | {"epoch": 0}), "OlderThanLast", "0.11 is older"),
        ("another one of the same version", json.dumps(GOOD | {"threads": 3}), "ConflictingShape", "1.10"),
        ("of another pod", json.dumps(NEXT | {"uid": "someone"}), "OtherPod", "someone"),
        ("endless", " " * 5000, "InvalidShape", "found"),
        ("bytes", "\udcff\udcfe".encode("utf-8", "surrogateescape").decode("latin-1"), "InvalidShape", "not JSON"),
    ]
    with serve(start=Shape(1, 2)) as served:
        served.write(json.dumps(GOOD))
        served.until(lambda: served.serves(Shape(2, 2)) and served.session.settled, "the good one is followed")
        generation = served.state.generation
        for count, (name, text, reason, fragment) in enumerate(rows, start=1):
            served.write(text)
            served.until(lambda count=count: served.state.counts.refused == count, name)
            refused = served.state.refused
            assert refused.reason.value == reason, name
            assert fragment in refused.message, name
            assert served.serves(Shape(2, 2)), name
            assert served.state.accepted == Version(1, 10), name
        assert served.state.generation == generation
        assert served.get("/")[0] == 200
        served.write(json.dumps(GOOD | {"seq": 12, "processes": 3}))
        served.until(lambda: served.serves(Shape(3, 2)), "a later good one is followed")
        assert served.state.refused is None


def test_a_trial_that_nobody_confirms_ends_by_itself(serve):
    with serve(start=Shape(1, 2)) as served:
        version = served.ask(Shape(2, 4), trial_seconds=10)
        served.until(lambda: served.serves(Shape(2, 4)), "the trial runs")
        assert served.state.on_trial
        served.until(lambda: served.serves(Shape(1, 2)) and served.session.settled, "it is over")
        assert served.state.refused_version(version).reason is RefusalReason.TRIAL_EXPIRED
        assert not served.state.on_trial


def test_a_trial_that_is_confirmed_stays(serve):
    with serve(start=Shape(1, 2)) as served:
        served.ask(Shape(3, 2), trial_seconds=10)
        served.until(lambda: served.serves(Shape(3, 2)), "the trial runs")
        version = served.ask(Shape(3, 2))
        served.until(lambda: served.state.accepted == version, "it is confirmed")
        end = served.state.now + 11
        served.until(lambda: served.state.now > end, "the trial's time is over")
        assert served.serves(Shape(3, 2))


def test_a_swap_that_does_not_fit_into_memory_is_refused_with_its_numbers(serve):
    mib = 1024 * 1024
    with serve(start=Shape(1, 2), memory=150 * mib) as served:
        served.get("/?hog=60")
        samples = served.samples
        served.until(lambda: samples and (samples[-1].worker_bytes or 0) > 60 * mib, "the worker's size is known")
        version = served.ask(Shape(4, 4))
        refused = served.until(lambda: served.state.refused_version(version), "it is refused")
        assert refused.reason is RefusalReason.MEMORY_LIMIT
        assert refused.shape == Shape(4, 4)
        assert "limit is 150 MiB" in refused.message
        assert served.serves(Shape(1, 2))
        version = served.ask(Shape(3, 2))
        served.until(lambda: served.state.refused_version(version), "more workers do not fit either")
        assert served.serves(Shape(1, 2))
