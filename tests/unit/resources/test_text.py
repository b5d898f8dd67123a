"""What uWSGI printed last, on one line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uwsgi_autopilot.resources.text import last_lines


def test_a_secret_of_several_lines_is_hidden_before_they_are_taken_apart():
    key = "-----BEGIN PRIVATE KEY-----\nMIIEvQ\nhunter2\n-----END PRIVATE KEY-----"
    told = last_lines(
        f'Traceback (most recent call last):\n  File "/app/m.py"\n    k()\nValueError: no key: {key}', 400
    )
    assert "ValueError: no key" in told
    assert "hunter2" not in told


@given(text=st.text(max_size=300), limit=st.integers(20, 200))
def test_whatever_is_told_is_printable_and_short(text, limit):
    told = last_lines(text, limit)
    assert told.isprintable()
    assert len(told.encode()) <= limit


def test_the_frames_nearest_to_the_error_are_kept():
    frames = "".join(f'  File "/app/m{number}.py", line 1, in <module>\n    import m\n' for number in range(50))
    told = last_lines(f"Traceback (most recent call last):\n{frames}ValueError: no", 200)
    assert told.startswith("ValueError: no (")
    assert "/app/m49.py" in told
    assert "/app/m1.py" not in told
    assert len(told.encode()) <= 200


SPOKEN = [
    ("", ""),
    ("one line", "one line"),
    ("*** no app loaded. GAME OVER ***", ""),
    (
        "the new generation ended with status 22 before it accepted requests: mapped 372 bytes (3 KB) for 64 cores\n"
        "*** Operational MODE: preforking+threaded ***\n"
        "unable to load app 0 (mountpoint='') (callable not found or import error)\n"
        "*** no app loaded. GAME OVER ***",
        "unable to load app 0 (mountpoint='') (callable not found or import error)",
    ),
]


@pytest.mark.parametrize(("text", "told"), SPOKEN)
def test_what_uwsgi_stumbled_over(text, told):
    assert last_lines(text, 200) == told
