"""What the points say of shapes that were not measured."""

import math

import pytest

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.tuner.surface import ERROR, MOST_DOUBT, Measured, Surface

HERE = Shape(4, 8)


def flat(shape):
    """A model that thinks that all shapes are alike."""
    return math.log(100.0)


def point(shape, value, error=0.005):
    return Measured(shape=Shape.parse(shape), missed=math.log(value / 100.0), error=error)


def test_without_a_point_the_model_speaks_and_far_away_it_is_less_sure():
    surface = Surface(HERE, [], flat)
    near, far = surface.expected(Shape(5, 8)), surface.expected(Shape(16, 8))
    assert near.gain == far.gain == 0.0
    assert 0 < near.error < far.error < 2 * ERROR


def test_the_present_shape_is_no_gain_and_certain():
    expected = Surface(HERE, [point("4x8", 100)], flat).expected(HERE)
    assert (expected.gain, expected.error) == (pytest.approx(0.0), pytest.approx(0.0))


def test_a_measured_shape_is_as_good_as_it_was_and_its_neighbours_nearly():
    surface = Surface(HERE, [point("4x8", 100), point("8x8", 104)], flat)
    assert surface.expected(Shape(8, 8)).gain == pytest.approx(math.log(1.04), abs=0.01)
    assert 0.005 < surface.expected(Shape(6, 8)).gain < math.log(1.04)
    assert surface.expected(Shape(8, 8)).error < 0.01


def test_two_windows_of_one_shape_count_as_both():
    once = Surface(HERE, [point("4x8", 100), point("8x8", 104, error=0.03)], flat).expected(Shape(8, 8))
    twice = [point("4x8", 100), point("8x8", 104, error=0.03), point("8x8", 96, error=0.03)]
    assert abs(Surface(HERE, twice, flat).expected(Shape(8, 8)).gain) < abs(once.gain)


def test_points_that_surprise_the_model_make_it_less_sure_of_all_shapes():
    calm = Surface(HERE, [point("4x8", 100), point("8x8", 101)], flat).expected(Shape(16, 8)).error
    surprised = Surface(HERE, [point("4x8", 100), point("8x8", 200)], flat).expected(Shape(16, 8)).error
    assert calm < surprised <= 1.01 * MOST_DOUBT * calm


def test_what_is_wrong_with_all_points_of_another_workload_hides_no_difference_between_them():
    """They were measured with other requests, up to 20 % dearer: 8x8 still served 10 % more than 2x8."""

    def at(shape, value):
        return Measured(shape=Shape.parse(shape), missed=math.log(value / 100.0), error=0.005, common=0.2)

    surface = Surface(HERE, [point("4x8", 120), at("2x8", 100), at("8x8", 110)], flat)
    between = surface.expected(Shape(8, 8)).gain - surface.expected(Shape(2, 8)).gain
    assert between == pytest.approx(math.log(1.1), abs=0.02)


def test_two_points_alone_do_not_make_the_model_doubtful():
    """They differ by 4 % where the model sees no difference; five that go up and down by 12 % tell that it errs."""

    def doubt(*values):
        shapes = ("4x8", "5x8", "6x8", "7x8", "8x8")
        return Surface(HERE, [point(*each) for each in zip(shapes, values, strict=False)], flat).expected(Shape(16, 8))

    assert doubt(100, 104).error < 1.8 * doubt(100, 100).error
    assert doubt(100, 112, 100, 112, 100).error > 2 * doubt(100, 100, 100, 100, 100).error


def test_what_is_guessed_of_all_shapes_alike_one_point_tells_for_all_of_them():
    """The model takes more than 2 processes for a tenth slower at each factor of e, or not at all, or twice that."""

    def slower(shape):
        return 0.1 * math.log(max(1.0, shape.processes / 2))

    def model(shape):
        return flat(shape) - slower(shape)

    def point(shape):
        """As if processes made no difference."""
        return Measured(shape=Shape.parse(shape), missed=slower(Shape.parse(shape)), error=0.005)

    before = Surface(Shape(16, 1), [point("16x1")], model, slower).expected(Shape(2, 1))
    after = Surface(Shape(16, 1), [point("16x1"), point("6x1")], model, slower).expected(Shape(2, 1))
    assert before.gain == pytest.approx(slower(Shape(16, 1)), abs=0.001)
    assert before.error > slower(Shape(16, 1))
    assert abs(after.gain) < 0.4 * before.gain
    assert after.error < 0.7 * before.error
