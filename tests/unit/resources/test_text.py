"""Whoever sees the status sees what stands in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uwsgi_autopilot.resources.text import last_lines, safe

MASKED = [
    ("postgresql://shop:s3cret@db/shop", "postgresql://shop:***@db/shop"),
    ("redis://:s3cret@cache:6379", "redis://:***@cache:6379"),
    ("amqp://u:p/a%40ss:w@mq, then http://x/y", "amqp://u:***@mq, then http://x/y"),
    ("host=db password=s3cret user=x", "host=db password=*** user=x"),
    ("{'PASSWORD': 's3 cret', 'api_key': \"k\"}", "{'PASSWORD': ***, 'api_key': ***}"),
    ("https://registry.example/v2/shop@sha256:abc", "https://registry.example/v2/shop@sha256:abc"),
    ("http://db:5432/x and me@example.org", "http://db:5432/x and me@example.org"),
]


@pytest.mark.parametrize(("text", "told"), MASKED)
def test_passwords_are_not_told(text, told):
    assert safe(text) == told


def test_a_long_text_keeps_its_beginning_and_its_end():
    told = safe("begin " + "x" * 5000 + " end", 100)
    assert told.startswith("begin ")
    assert told.endswith(" end")
    assert len(told.encode()) <= 100


@given(text=st.text(max_size=300), limit=st.integers(20, 200))
def test_whatever_is_told_is_printable_and_short(text, limit):
    for told in (safe(text, limit), last_lines(text, limit)):
        assert told.isprintable()
        assert "\n" not in told
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
