"""What a shape may be: each refusal with its numbers."""

from dataclasses import replace

import pytest

from tests.unit.tuner.making import MIB, WIDE, seconds
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import Bounds, ProcessBounds, TuningSpec, UwsgiApp
from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner.limits import Limits
from uwsgi_autopilot.tuner.load import load_of

LOAD = load_of(seconds(5))  # 2x4, 112 MiB used, 50 MiB a worker
assert LOAD is not None


def mib(amount):
    return replace(WIDE, memory_limit=amount * MIB)


def connections(most, each=None):
    return replace(WIDE, max_connections=most, connections_per_process=each)


@pytest.mark.parametrize(
    ("limits", "shape", "reason", "words"),
    [
        pytest.param(WIDE, Shape(16, 64), None, "", id="no limit at all"),
        pytest.param(
            WIDE, Shape(17, 4), Reason.BOUNDS_REACHED, "17 processes, the manifest allows 1 to 16", id="bounds"
        ),
        # A swap: 112 + 4 * 50 = 312 MiB beside 0.9 * 340 = 306 MiB.
        pytest.param(mib(340), Shape(4, 13), Reason.MEMORY_LIMIT, "needs 312 MiB", id="no room for two generations"),
        pytest.param(mib(347), Shape(4, 13), None, "", id="just room for two generations"),
        # The same threads: only two workers more, 212 MiB.
        pytest.param(mib(340), Shape(4, 4), None, "", id="more workers of the same generation"),
        pytest.param(mib(100), Shape(1, 4), None, "", id="fewer workers always fit"),
        # A swap: 2 x 4 = 8 of the generation that serves and 4 x 13 = 52 of the new one.
        pytest.param(connections(59), Shape(4, 13), Reason.CONNECTION_LIMIT, "60 connections", id="two generations"),
        pytest.param(connections(60), Shape(4, 13), None, "", id="just as many as two generations open"),
        # 2 x 3 + 4 x 3 = 18
        pytest.param(connections(18, each=3), Shape(4, 13), None, "", id="a pool of 3 in each process"),
        pytest.param(connections(17, each=3), Shape(4, 13), Reason.CONNECTION_LIMIT, "18 connections", id="one less"),
        # The same threads: 6 x 4 = 24, nothing is open twice.
        pytest.param(connections(40), Shape(6, 4), None, "", id="more workers of the same generation, 24 of 40"),
        pytest.param(connections(40), Shape(10, 4), None, "", id="up to the limit, 40 of 40"),
        pytest.param(connections(40), Shape(11, 4), Reason.CONNECTION_LIMIT, "44 connections", id="one worker more"),
        pytest.param(connections(1), Shape(1, 4), None, "", id="fewer workers open none"),
    ],
)
def test_why_not(limits, shape, reason, words):
    refusal = limits.why_not(shape, LOAD)
    assert (refusal.reason if refusal else None) is reason
    assert refusal is None or words in refusal.message
    assert limits.fits(shape, LOAD) is (reason is None)


@pytest.mark.parametrize(
    ("tuning", "cores", "shape", "refused"),
    [
        pytest.param({}, 2.0, Shape(4, 64), False, id="256 slots"),
        pytest.param({}, 2.0, Shape(5, 52), True, id="260, and nobody has said how many there may be"),
        pytest.param({}, 8.0, Shape(8, 64), False, id="64 for each of eight cores"),
        pytest.param({}, 8.0, Shape(9, 64), True, id="more than that"),
        pytest.param({"processes": ProcessBounds(max=16)}, 2.0, Shape(5, 52), False, id="a person named a maximum"),
        pytest.param({"max_connections": 2000}, 2.0, Shape(5, 52), False, id="a person named the connections"),
    ],
)
def test_slots_where_nobody_has_said_how_many(tuning, cores, shape, refused):
    limits = Limits.of(UwsgiApp(name="shop", module="wsgi:app", tuning=TuningSpec(**tuning)), cores=cores)
    refusal = limits.why_not(shape, LOAD)
    assert (refusal is not None) is refused
    if refusal is not None:
        assert refusal.reason is Reason.BOUNDS_REACHED
        assert f"has {shape.slots} slots; where neither maxConnections nor processes.max is set" in refusal.message


def test_a_person_may_start_with_more_and_nobody_adds_to_it():
    limits = Limits.of(UwsgiApp(name="shop", module="wsgi:app"), cores=2.0)
    many = replace(LOAD, shape=Shape(16, 64))
    assert limits.fits(Shape(16, 32), many)
    assert not limits.fits(Shape(5, 52), LOAD)


def test_the_samples_limit_counts_where_the_manifest_has_none():
    tight = load_of(seconds(5, memory_limit=200 * MIB))
    assert WIDE.why_not(Shape(4, 13), tight).reason is Reason.MEMORY_LIMIT


@pytest.mark.parametrize(
    ("shape", "expected"),
    [(Shape(1, 1), Shape(2, 2)), (Shape(3, 4), Shape(3, 4)), (Shape(10**9, 10**9), Shape(8, 16))],
)
def test_clamp(shape, expected):
    limits = Limits(processes=Bounds(min=2, max=8), threads=Bounds(min=2, max=16))
    assert limits.clamp(shape) == expected


@pytest.mark.parametrize(
    ("pods", "each", "least", "expected"),
    [
        pytest.param(1, None, 1, Shape(4, 8), id="32 connections of 100"),
        pytest.param(3, None, 1, Shape(4, 8), id="96 of 100"),
        pytest.param(4, None, 1, Shape(3, 8), id="25 for each of four: 3 processes of 8"),
        pytest.param(20, None, 1, Shape(1, 8), id="5 for each of twenty: one process, there is no less"),
        pytest.param(20, None, 2, Shape(2, 8), id="nor less than the manifest's own least"),
        pytest.param(20, 2, 1, Shape(2, 8), id="5 for each of twenty, pools of 2"),
    ],
)
def test_connections_of_all_pods_together(pods, each, least, expected):
    tuning = TuningSpec(processes=ProcessBounds(min=least, max=16), max_connections=100, connections_per_process=each)
    limits = Limits.of(UwsgiApp(name="shop", module="wsgi:app", tuning=tuning), pods)
    assert limits.connected(Shape(4, 8)) == expected


@pytest.mark.parametrize(
    ("written", "cores", "expected"),
    [
        pytest.param({}, 2.0, 16, id="nobody names a maximum: sixteen at least"),
        pytest.param({}, 0.5, 16, id="of half a core too"),
        pytest.param({}, 32.0, 128, id="four for each core"),
        pytest.param({}, None, 16, id="nothing has been measured yet"),
        pytest.param({"max": 6}, 32.0, 6, id="what a person wrote counts"),
        pytest.param({"min": 20}, 2.0, 20, id="a minimum is no less for it"),
    ],
)
def test_the_greatest_number_of_processes_follows_the_cores(written, cores, expected):
    tuning = TuningSpec(processes=ProcessBounds(**written))
    limits = Limits.of(UwsgiApp(name="shop", module="wsgi:app", tuning=tuning), cores=cores)
    assert limits.processes.max == expected
    refusal = limits.why_not(Shape(expected + 1, 4), LOAD)
    assert ("4 for each core" in refusal.message) == ("max" not in written)


def test_a_shape_that_uses_all_connections_is_kept_and_its_threads_cannot_change_any_more():
    limits = connections(40)
    assert limits.connected(Shape(10, 4)) == Shape(10, 4)
    full = replace(LOAD, shape=Shape(10, 4))
    assert limits.fits(Shape(9, 4), full)
    # 10 x 4 that serve and 1 x 1 beside them
    assert "41 connections" in limits.why_not(Shape(1, 1), full).message
