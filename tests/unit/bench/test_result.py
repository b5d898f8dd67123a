"""How far the figures of a result can be trusted."""

from bench.finals import LEAST_RPS, percent_of, rps_of
from bench.load import Window
from bench.machine import Share
from bench.named import ALL
from bench.result import Flight, Result, Round
from uwsgi_autopilot.api.shape import Shape

A, B = Shape(1, 1), Shape(2, 8)


def flight(foreign: float) -> Flight:
    share = Share(foreign=foreign, steal=0, helpers=0)
    return Flight(start=A, shape=B, seconds=9, changes=1, swaps=1, messages=[], path=[(0, A), (9, B)], share=share)


def result(*flights: Flight) -> Result:
    return Result(
        workload=ALL["mixed"], generator="wrk", flights=list(flights), measured=[], contestants={}, rivals={},
        noise=1.0, share=None, repeated=0, rounds=[],
    )  # fmt: skip


def test_others_on_the_cpus_in_one_of_the_flights_are_a_doubt() -> None:
    """The autopilot holds then: what it found is no figure of the law on a quiet machine."""
    assert result(flight(0.01), flight(0.02)).doubts == []
    assert result(flight(0.01), flight(0.75)).doubts == ["others used 75% of the CPUs in a flight"]


def window(rps: float) -> Window:
    return Window(rps=rps, p50_ms=None, p99_ms=None, failed=0)


def test_a_window_without_an_answer_is_little_and_not_nothing() -> None:
    assert rps_of(Round(windows={A: window(0), B: window(80)}, again=window(80))) == {"1x1": LEAST_RPS, "2x8": 80}


def test_another_server_is_compared_in_the_rounds_in_which_it_took_part() -> None:
    """40 of 80 in the first round; it left before the second."""
    first = Round(windows={B: window(80)}, again=window(80), rivals={"other": window(40)})
    assert percent_of([first, Round(windows={B: window(160)}, again=window(160))], "other", B) == 50
