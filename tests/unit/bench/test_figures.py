"""Percent of best and its interval, with numbers worked out by hand."""

import math
import random
import statistics

import pytest

from bench.figures import half_width, noise, percent, ratios_to_best


def test_percent_is_the_geometric_mean() -> None:
    """sqrt(0.5 * 2) = 1"""
    assert percent([0.5, 2.0]).value == pytest.approx(100)


def test_the_interval_is_students() -> None:
    """Four values, standard deviation 2/sqrt(3), t(3) = 3.182: half = 3.182 * 2/sqrt(3) / sqrt(4)."""
    assert half_width([1.0, -1.0, 1.0, -1.0]) == pytest.approx(3.182 * 2 / math.sqrt(3) / 2)
    assert half_width([1.0]) is None
    assert half_width([2.0] * 5) == 0
    assert half_width([float(n % 2) for n in range(40)]) == pytest.approx(
        1.96 * statistics.stdev([float(n % 2) for n in range(40)]) / math.sqrt(40)
    )


def test_the_interval_is_around_the_value_in_logarithms() -> None:
    found = percent([0.9, 1.0, 0.95, 0.97])
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high
    assert found.value**2 == pytest.approx(found.low * found.high)


def test_against_a_clear_best_it_is_the_plain_ratio() -> None:
    rounds = [{"auto": 90.0, "best": 100.0, "bad": 10.0}, {"auto": 95.0, "best": 100.0, "bad": 10.0}]
    assert ratios_to_best(rounds, "auto") == pytest.approx([0.9, 0.95])


def test_the_best_against_itself_is_100_percent() -> None:
    rounds = [{"auto": 100.0, "other": 90.0}, {"auto": 98.0, "other": 91.0}]
    assert ratios_to_best(rounds, "auto") == [1.0, 1.0]


def test_the_best_is_chosen_from_the_other_rounds() -> None:
    """In round 1 `b` was lucky; round 2 says `a`. So round 1 compares with `a`, and round 2 with `b`."""
    rounds = [{"auto": 100.0, "a": 100.0, "b": 120.0}, {"auto": 100.0, "a": 110.0, "b": 100.0}]
    assert ratios_to_best(rounds, "auto") == pytest.approx([100 / 100, 100 / 100])


def test_who_left_early_cannot_be_the_best() -> None:
    rounds = [{"auto": 90.0, "gone": 500.0}, {"auto": 90.0}]
    assert ratios_to_best(rounds, "auto") == [1.0, 1.0]


def test_equal_shapes_score_about_100_and_not_less() -> None:
    """Six equally good shapes with 3 % of noise: the naive maximum would put each 3.7 % behind."""
    draw = random.Random(7)
    names = ["auto", *"abcde"]
    found = []
    for _ in range(2000):
        rounds = [{name: 100 * math.exp(draw.gauss(0, 0.03)) for name in names} for _ in range(4)]
        found.append(percent(ratios_to_best(rounds, "auto")).value)
    assert statistics.fmean(found) == pytest.approx(100, abs=0.2)


def test_noise_is_the_half_width_in_percent() -> None:
    assert noise([(100.0, 100.0), (100.0, 100.0)]) == 0
    assert noise([(1.0, 1.0)]) is None
    wide = noise([(110.0, 100.0), (100.0, 110.0), (110.0, 100.0), (100.0, 110.0)])
    assert wide is not None
    assert wide > 10
