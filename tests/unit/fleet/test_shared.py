"""When a shape is too much for what all pods share: figures of all of them together, before and now."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.fleet.making import NOW, START, a_pod
from uwsgi_autopilot.api.sample import Census, Sample
from uwsgi_autopilot.fleet.shared import Together, agree, failing, overburdened, settle_s, together


def figures(*, rps=100.0, busy=8.0, wait_ms=70.0, doubt=0.01, errors=0.0, requests=1000.0):
    return Together(rps=rps, busy=busy, wait_s=wait_ms / 1000, doubt=doubt, errors=errors, requests=requests)


BEFORE = figures()


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param(BEFORE, False, id="nothing changed"),
        pytest.param(None, False, id="nobody knows"),
        pytest.param(figures(busy=16.0, wait_ms=140.0), True, id="twice as many at once wait twice as long"),
        pytest.param(figures(rps=106.0, busy=32.0, wait_ms=290.0), True, id="6 % more from four times as many at once"),
        pytest.param(figures(rps=115.0, busy=32.0, wait_ms=270.0), False, id="15 % more: there was room"),
        pytest.param(figures(rps=200.0, busy=16.0), False, id="twice as many in the same time"),
        pytest.param(figures(busy=8.5, wait_ms=75.0), False, id="they wait 7 % longer: within what is usual"),
        pytest.param(figures(busy=10.0, wait_ms=90.0, doubt=0.15), False, id="the wait scatters that much"),
        pytest.param(figures(busy=16.0), False, id="more at once, none waits longer outside: a matter of the pod"),
        pytest.param(
            figures(rps=85.0, busy=16.0), True, id="clearly fewer answers from more at once, whatever the wait"
        ),
        pytest.param(figures(rps=50.0, busy=4.0), False, id="half as many came"),
        pytest.param(figures(rps=50.0, busy=8.0, wait_ms=150.0), True, id="the database got slower by itself"),
    ],
)
def test_overburdened(now, expected):
    assert (overburdened(BEFORE, None, now) is not None) is expected


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param(figures(rps=200.0, busy=16.0, wait_ms=75.0), False, id="as with fewer pods"),
        pytest.param(figures(rps=195.0, busy=24.0, wait_ms=115.0), False, id="no more than with fewer, but no fewer"),
        pytest.param(
            figures(rps=150.0, busy=24.0, wait_ms=155.0), True, id="far fewer, though more than before the trial"
        ),
    ],
)
def test_overburdened_compared_with_when_fewer_pods_had_the_shape(now, expected):
    peak = figures(rps=200.0, busy=16.0, wait_ms=75.0)
    assert (overburdened(BEFORE, peak, now) is not None) is expected


def test_the_sentence_has_the_figures():
    assert overburdened(BEFORE, None, figures(rps=99.0, busy=16.0, wait_ms=140.0)) == (
        "per pod 100 → 99 requests/s, each waits 70 → 140 ms with 8 → 16 at once: what all pods share is the limit"
    )


@pytest.mark.parametrize(
    ("keeping", "expected"),
    [
        pytest.param(figures(rps=60.0, wait_ms=125.0), True, id="they wait longer, too"),
        pytest.param(figures(), False, id="they do not"),
        pytest.param(None, False, id="nobody knows"),
    ],
)
def test_do_the_pods_with_the_old_shape_agree(keeping, expected):
    assert agree(BEFORE, keeping) is expected


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param(figures(errors=0.01), False, id="one in a hundred"),
        pytest.param(figures(errors=0.05), True, id="one in twenty"),
        pytest.param(figures(errors=0.05, requests=40.0), False, id="two in all"),
    ],
)
def test_failing(now, expected):
    assert (failing(BEFORE, now) is not None) is expected


rates = st.floats(1.0, 1e4)
counts = st.floats(0.1, 1e3)
some = st.builds(figures, rps=rates, busy=counts, wait_ms=st.floats(0.0, 1e4), doubt=st.floats(0.0, 0.2))


@given(before=some, now=some, more=st.floats(1.05, 10.0))
def test_more_answers_never_make_a_shape_too_much(before, now, more):
    if overburdened(before, None, now) is None:
        assert overburdened(before, None, replace(now, rps=now.rps * more)) is None


@given(before=some, now=some, longer=st.floats(1.0, 10.0))
def test_a_longer_wait_never_makes_it_less_too_much(before, now, longer):
    if overburdened(before, None, now) is not None:
        assert overburdened(before, None, replace(now, wait_s=now.wait_s * longer)) is not None


@given(before=some)
def test_what_stays_as_it_was_is_not_too_much(before):
    assert overburdened(before, before, before) is None


@given(figures=some)
def test_it_outlives_the_operator(figures):
    again = Together.from_json(json.loads(json.dumps(figures.to_json())))
    assert again.rps == pytest.approx(figures.rps, rel=1e-5)
    assert again.wait_s == pytest.approx(figures.wait_s, rel=1e-5)


# --- from samples


def second(
    number: int, *, requests: float = 50.0, io: float = 4.0, settled: bool = True, census: bool = True
) -> Sample:
    seen = Census(running=0.5, io=io, interpreter_lock=2.0, application_lock=0.0, idle=1.0, looks=80)
    return Sample(
        seq=number, at=NOW + number, seconds=1.0, generation=1, shape=START, settled=settled, requests=requests,
        busy=8.0, cpu_s=0.5, runqueue_s=0.5, census=seen if census else None,
    )  # fmt: skip


def pod(uid: str, *samples: Sample):
    made = a_pod(uid)
    made.samples.extend(samples)
    return made


def test_a_mean_of_the_pods_over_the_same_seconds():
    found = together({"a": pod("a", *(second(each) for each in range(9))), "b": pod("b", second(8, requests=100.0))})
    assert found.requests == 5 * 50 + 100
    assert found.rps == pytest.approx(350 / 6)
    assert found.wait_s == pytest.approx(6 * 4.0 / 350), "those asleep in I/O; who waits for the lock does not count"


def test_without_a_census_what_is_neither_cpu_nor_run_queue():
    found = together({"a": pod("a", *(second(each, census=False) for each in range(5)))})
    assert found.wait_s == pytest.approx((8.0 - 0.5 - 0.5) / 50)


def test_only_settled_seconds_since_then_count():
    mixed = [second(1), second(2, settled=False), second(3), second(4)]
    assert together({"a": pod("a", *mixed)}).requests == 150
    assert together({"a": pod("a", *mixed)}, since=NOW + 2).requests == 100
    assert together({"a": pod("a", second(1, requests=19.0))}) is None, "too few to say anything"


def test_a_wait_that_differs_from_second_to_second_is_less_certain():
    steady = [second(each) for each in range(5)]
    scattered = [second(each, io=8.0 * (each % 2)) for each in range(5)]
    assert together({"a": pod("a", *steady)}).doubt == pytest.approx(0.0)
    assert together({"a": pod("a", *scattered)}).doubt > 0.3


@pytest.mark.parametrize(
    ("busy", "expected"),
    [
        pytest.param(5.0, 1.0, id="50 ms a request: a second"),
        pytest.param(200.0, 3.0, id="2 s a request: half as much again"),
        pytest.param(1e5, 20.0, id="no longer than that"),
    ],
)
def test_how_long_a_shape_serves_before_it_counts(busy, expected):
    assert settle_s(figures(busy=busy)) == expected
