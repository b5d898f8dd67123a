"""What a change of shape adds to memory, and whether it fits."""

import pytest

from uwsgi_autopilot.api.headroom import MIB, Added, MemoryUse, added_by, why_not
from uwsgi_autopilot.api.shape import Shape


@pytest.mark.parametrize(
    ("here", "to", "swap", "expected"),
    [
        pytest.param(Shape(2, 4), Shape(4, 8), None, Added(4, 1), id="other threads: a whole generation"),
        pytest.param(Shape(8, 4), Shape(1, 8), None, Added(1, 1), id="a smaller one too"),
        pytest.param(Shape(2, 4), Shape(5, 4), None, Added(3, 0), id="more processes: these"),
        pytest.param(Shape(5, 4), Shape(2, 4), None, Added(0, 0), id="fewer: nothing"),
        pytest.param(Shape(5, 4), Shape(2, 4), True, Added(2, 1), id="fewer by a swap, because none is idle"),
    ],
)
def test_what_a_change_adds(here, to, swap, expected):
    assert added_by(here, to, swap=swap) == expected


USE = MemoryUse(used=100 * MIB, limit=200 * MIB, worker=20 * MIB, master=10 * MIB)


@pytest.mark.parametrize(
    ("added", "fits"),
    [
        pytest.param(Added(4, 0), True, id="100 + 80 = 180, the budget to the byte"),
        pytest.param(Added(4, 1), False, id="with a master 190"),
        pytest.param(Added(3, 1), True, id="170"),
        pytest.param(Added(0, 0), True, id="nothing fits always"),
    ],
)
def test_the_budget_is_nine_tenths_of_the_limit(added, fits):
    assert (why_not(USE, added, "2x4 to 4x4") is None) == fits


def test_the_sentence_has_the_sum():
    told = why_not(USE, Added(4, 1), "2x4 to 4x8")
    assert told == (
        "2x4 to 4x8 needs 90 MiB beside the generation that serves (4 workers of 20 MiB, a master of 10 MiB), "
        "100 MiB are in use, the limit is 200 MiB (90% may be planned)"
    )
    assert why_not(MemoryUse(used=500, limit=100, worker=1), Added(0, 0), "x") is None
