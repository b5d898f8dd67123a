"""What is printed over and over is passed on a few times and then counted; what is new is always passed on."""

from hypothesis import given
from hypothesis import strategies as st

from uwsgi_autopilot.local.repeats import KEYS, PASSED, WINDOW_SECONDS, Repeats

TRACEBACK = [
    "Traceback (most recent call last):",
    '  File "wsgi.py", line 5, in create_app',
    "    raise ValueError",
    "ValueError: no",
]


def fed(repeats, lines, *, at=100.0):
    return [passed for line in lines for passed in repeats.feed(line, at)]


def test_a_traceback_is_passed_on_a_few_times_and_then_counted():
    repeats = Repeats()
    assert fed(repeats, TRACEBACK * 1000) == TRACEBACK * PASSED
    told = repeats.feed("something new", 100.0 + WINDOW_SECONDS)
    assert told == ["... repeated 995 times in 10 s: ValueError: no (3,980 lines held back)", "something new"]
    assert repeats.end(200.0) == [], "it is told once"


def test_the_count_comes_without_another_line():
    repeats = Repeats()
    fed(repeats, ["ready"] * 9)
    assert repeats.flush(101.0) == []
    assert repeats.flush(100.0 + WINDOW_SECONDS) == ["... repeated 4 times in 10 s: ready (4 lines held back)"]


def test_the_count_comes_at_the_end():
    repeats = Repeats()
    fed(repeats, ["ready"] * 9)
    assert repeats.end(101.0) == ["... repeated 4 times in 1 s: ready (4 lines held back)"]


def test_another_exception_in_the_same_place_comes_with_its_whole_traceback():
    repeats = Repeats()
    fed(repeats, TRACEBACK * 10)
    other = [*TRACEBACK[:-1], "KeyError: 'price'"]
    assert fed(repeats, other) == other
    assert fed(repeats, TRACEBACK) == [], "and the first one is still held back"
    assert repeats.end(101.0) == ["... repeated 6 times in 1 s: ValueError: no (24 lines held back)"]


def test_a_new_line_between_two_tracebacks_brings_back_none():
    repeats = Repeats()
    fed(repeats, TRACEBACK * 10)
    assert fed(repeats, [*TRACEBACK, "user 18 has logged in", *TRACEBACK]) == ["user 18 has logged in"]


def test_lines_of_requests_differ_only_in_numbers():
    lines = [
        f"2026/11/26 12:01:{number % 60:02} [error] 5952#5952: *{number} upstream prematurely closed"
        for number in range(99)
    ] + [f"[pid: {number}|app: 0|req: {number}/9] 127.0.0.1 () [Thu Nov 26] GET / => " for number in range(99)]
    assert len(fed(Repeats(), lines)) == 2 * PASSED


def test_the_same_at_another_moment_is_the_same():
    lines = [f"[2026-11-26 12:01:{second:02},{second:03}] ERROR in app: Exception on / [GET]" for second in range(60)]
    assert fed(Repeats(), lines) == lines[:PASSED]


def test_a_line_now_and_then_is_never_held_back():
    repeats = Repeats()
    passed = [repeats.feed("still alive", 100.0 + 3.0 * number) for number in range(100)]
    assert passed == [["still alive"]] * 100


@given(st.lists(st.sampled_from([*TRACEBACK, "a", "b", "", "  c"]), max_size=200))
def test_a_new_line_is_always_passed_on_and_nothing_is_invented(lines):
    repeats = Repeats()
    passed = fed(repeats, lines)
    assert set(passed) == set(lines)
    for line in set(lines):
        assert passed.count(line) >= min(lines.count(line), PASSED)
        assert passed.count(line) <= lines.count(line)


def test_what_is_remembered_is_bounded():
    repeats = Repeats()
    lines = [f"line {number} of many" for number in range(5 * KEYS)]
    assert fed(repeats, lines) == lines
    assert len(repeats._seen) <= KEYS
