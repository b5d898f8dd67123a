"""Where the wanted shape does not fit: the best of those that do."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.tuner.making import MIB, WIDE, seconds
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import Bounds
from uwsgi_autopilot.tuner.fitting import NEARLY, best_fit
from uwsgi_autopilot.tuner.load import load_of
from uwsgi_autopilot.tuner.model import predict
from uwsgi_autopilot.tuner.search import threads_for

MIXED = load_of(seconds(5))  # 2x4, 112 MiB used, 50 MiB a worker, 20 ms wait, 2 ms CPU
assert MIXED is not None
MIXED = replace(MIXED, queued=56.0)
# 100 ms wait, 64 clients
WAITS = replace(MIXED, wait_s=0.1, cpu_s=0.0005, service_s=0.1005)


def mib(amount):
    return replace(WIDE, memory_limit=amount * MIB)


def connections(most, each=None):
    return replace(WIDE, max_connections=most, connections_per_process=each)


def at(shape, load):
    """64 clients at this shape."""
    return replace(load, shape=shape, in_service=min(64.0, shape.slots), queued=max(0.0, 64.0 - shape.slots))


@pytest.mark.parametrize(
    ("here", "limits", "wanted", "load", "expected"),
    [
        pytest.param("2x4", WIDE, "4x13", MIXED, "4x13", id="no limit"),
        # Beside 112 MiB: 0.9 * 300 = 270 MiB hold three more workers.
        pytest.param("2x4", mib(300), "4x13", MIXED, "3x14", id="memory for three processes"),
        pytest.param("2x4", mib(190), "2x42", WAITS, "1x64", id="memory for one: it takes over what it can"),
        # No second generation has room, but one more worker does: 0.9 * 181 = 162.9 MiB
        pytest.param("2x4", mib(181), "4x13", replace(MIXED, master_bytes=9 * MIB), "3x4", id="memory for no swap"),
        pytest.param("2x4", mib(120), "4x13", MIXED, "2x4", id="memory for nothing at all"),
        # The issue: one connection for each thread, 2 in use, so that 22 may be opened.
        pytest.param("1x2", connections(24), "2x42", WAITS, "2x11", id="22 connections"),
        pytest.param("1x1", connections(24), "2x42", WAITS, "2x11", id="23: one slot more is not worth one process"),
        pytest.param("1x2", connections(3), "2x42", WAITS, "1x2", id="one connection: nothing is better"),
        pytest.param("2x4", connections(50), "4x13", MIXED, "4x10", id="42 connections"),
        # Pools of 3: 3 in use, and 7 processes wanted where 6 have room; they have all the threads.
        pytest.param("1x2", connections(21, 3), "7x11", MIXED, "6x13", id="six pools of 3"),
        # 16 of 24 are open: a second generation would be smaller, a third process of eight threads has room.
        pytest.param("2x8", connections(24), "2x42", WAITS, "3x8", id="more of the same threads"),
        pytest.param("3x8", connections(24), "2x42", WAITS, "3x8", id="all are used: nothing is better"),
        # 1024 are open, and 4x1 would open 4 more.
        pytest.param("16x64", connections(1024), "4x13", MIXED, "4x64", id="fewer of the same threads open nothing"),
        pytest.param(
            "1x2", replace(connections(24), threads=Bounds(min=12, max=64)), "2x42", WAITS, "1x22", id="bounds"
        ),
        pytest.param(
            "1x2",
            replace(connections(24), threads=Bounds(min=12, max=64), processes=Bounds(min=2, max=8)),
            "2x42",
            WAITS,
            None,
            id="nothing within the bounds",
        ),
    ],
)
def test_the_best_of_what_fits(here, limits, wanted, load, expected):
    found = best_fit(limits, Shape.parse(wanted), at(Shape.parse(here), load), most_threads=threads_for(load))
    assert found == (None if expected is None else Shape.parse(expected))


small = st.integers(1, 12)


@given(
    here=st.builds(Shape, small, small),
    wanted=st.builds(Shape, small, small),
    most=st.none() | st.integers(1, 200),
    each=st.none() | st.integers(1, 8),
    memory=st.none() | st.integers(100, 2000),
    load=st.sampled_from([MIXED, WAITS]),
)
def test_whatever_is_found_fits_and_there_is_something_where_the_bounds_allow_it(
    here, wanted, most, each, memory, load
):
    limits = replace(connections(most, each), memory_limit=None if memory is None else memory * MIB)
    load = at(here, load)
    found = best_fit(limits, wanted, load, most_threads=12)
    assert found is not None
    assert limits.fits(found, load)
    if limits.fits(wanted, load):
        assert found == wanted
    elif wanted.slots > here.slots and wanted.processes >= here.processes:
        # The present shape fits as well, so nothing clearly worse is found.
        assert predict(load, found) >= NEARLY * predict(load, here)
