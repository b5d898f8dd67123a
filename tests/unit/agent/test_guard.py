"""What goes wrong with one part is told once, and is no reason for the others to end."""

import pytest

from tests.unit.agent.making import said
from uwsgi_autopilot.agent.guard import Guard


def test_a_persistent_error_is_told_once_and_tried_less_and_less_often(capfd: pytest.CaptureFixture[str]):
    calls = []

    def part() -> None:
        calls.append(now)
        raise OSError("No space left on device")

    guard = Guard("observing")
    for now in range(100):
        guard.run(now, part)
    # At 0, 1, 3, 8, 18, 48 and 78 s.
    assert calls == [0, 1, 3, 8, 18, 48, 78]
    assert said(capfd).count("Traceback") == 1


def test_an_error_that_comes_and_goes_is_told_once_until_it_has_been_calm(capfd: pytest.CaptureFixture[str]):
    guard = Guard("observing")

    def part(failing: bool) -> None:
        if failing:
            raise ValueError("now and then")

    for now in range(0, 300, 2):
        guard.run(now, part, now % 4 == 0 and now < 100)
    told = said(capfd)
    assert told.count("Traceback") == 1
    assert told.count("works again") == 1


def test_another_error_is_told_too(capfd: pytest.CaptureFixture[str]):
    guard = Guard("observing")

    def part(message: str) -> None:
        raise ValueError(message)

    guard.run(0, part, "one")
    guard.run(10, part, "two")
    assert said(capfd).count("Traceback") == 2
