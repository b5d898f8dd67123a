"""What goes wrong with one part is told once, and is no reason for the others to end."""

from uwsgi_autopilot.agent.backoff import Backoff


def test_a_persistent_error_is_told_once_and_tried_less_and_less_often(told):
    calls = []

    def part() -> None:
        calls.append(now)
        raise OSError("No space left on device")

    backoff = Backoff("observing")
    for now in range(100):
        backoff.run(now, part)
    # At 0, 1, 3, 8, 18, 48 and 78 s.
    assert calls == [0, 1, 3, 8, 18, 48, 78]
    assert told().count("Traceback") == 1


def test_an_error_that_comes_and_goes_is_told_once_until_it_has_been_calm(told):
    backoff = Backoff("observing")

    def part(failing: bool) -> None:
        if failing:
            raise ValueError("now and then")

    for now in range(0, 300, 2):
        backoff.run(now, part, now % 4 == 0 and now < 100)
    lines = told()
    assert lines.count("Traceback") == 1
    assert lines.count("works again") == 1


def test_another_error_is_told_too(told):
    backoff = Backoff("observing")

    def part(message: str) -> None:
        raise ValueError(message)

    backoff.run(0, part, "one")
    backoff.run(10, part, "two")
    assert told().count("Traceback") == 2
