"""Which shape is worth a look, and how far it may be."""

import pytest

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.tuner.candidates import Candidate
from uwsgi_autopilot.tuner.probe import improvement, in_reach


def test_the_expected_improvement_grows_with_gain_and_with_doubt():
    def of(gain, error):
        return improvement(Candidate(shape=Shape(1, 1), gain=gain, error=error, measured=False), 0.0)

    assert of(0.0, 0.0) == 0.0
    assert of(0.02, 0.0) == pytest.approx(0.02)
    assert of(0.0, 0.1) == pytest.approx(0.0399, abs=0.0001)
    assert of(-0.1, 0.1) < of(0.0, 0.05) < of(0.0, 0.1) < of(0.05, 0.1)


@pytest.mark.parametrize(
    ("here", "there", "near"),
    [
        pytest.param("6x10", "12x10", True, id="twice the processes alone: a second"),
        pytest.param("6x10", "12x5", False, id="twice the processes, half the threads: two swaps"),
        pytest.param("6x10", "9x7", True, id="half as many processes again, fewer threads"),
        pytest.param("2x4", "4x2", True, id="from two there is no smaller step than two more"),
        pytest.param("6x10", "16x10", False, id="three times as many"),
    ],
)
def test_what_needs_another_generation_is_probed_in_smaller_steps(here, there, near):
    assert in_reach(Shape.parse(here), Shape.parse(there)) is near
