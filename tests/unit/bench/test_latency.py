"""Latency in blocks: who is level with the best, and how much longer the found shape takes than the lowest of them."""

from random import Random

import pytest

from bench import latency
from bench.fixed import Look
from bench.load import Window
from bench.pace import Pace
from uwsgi_autopilot.api.shape import Shape

A, B, C, D = Shape(4, 4), Shape(2, 8), Shape(1, 1), Shape(8, 2)


def test_level_is_who_is_within_two_percent_or_within_the_noise() -> None:
    values = {A: 100.0, B: 98.5, C: 50.0, D: 97.0}
    assert latency.ties(values, 1.0) == [A, B]
    assert latency.ties(values, 3.5) == [A, B, D]
    assert latency.ties(values, 60.0) == [A, B, D], "noise makes nobody level who is half as good"
    assert latency.ties(values, None) == [A, B]


class Known:
    """Stands for a session: each shape has its latency, the load has its lateness."""

    lateness_ms = 0.2

    def __init__(self, means: dict[Shape, float]) -> None:
        self.means = means

    def look(self, shape: Shape, warm_s: float, seconds: float) -> Look:
        mean = self.means[shape]
        window = Window(rps=100, p50_ms=mean, p99_ms=3 * mean, failed=0, mean_ms=mean)
        return Look(window=window, samples=[], share=None)

    def stop(self) -> None:
        pass


def compared(means: dict[Shape, float], found: Shape, others: list[Shape]) -> latency.Latency:
    known = Known(means)
    return latency.compare(known, known, found, others, rate=100, pace=Pace(), draw=Random(1))


def test_the_reference_is_the_lowest_of_the_ties() -> None:
    """20 ms against 10 and 16: twice as long."""
    result = compared({A: 10.0, B: 16.0, C: 20.0}, C, [A, B])
    assert result.mean.value == pytest.approx(200)
    assert result.p99.value == pytest.approx(200)
    assert result.shapes[B].mean_ms == 16
    assert result.judged


def test_what_is_itself_the_lowest_is_level() -> None:
    assert compared({A: 10.0, B: 16.0}, A, [A, B]).mean.value == pytest.approx(100)


def test_a_generator_that_was_late_judges_nothing(monkeypatch) -> None:
    monkeypatch.setattr(Known, "lateness_ms", 3.0)
    assert not compared({A: 10.0, B: 16.0}, A, [B]).judged
