"""Whoever sees a status, an Event or a log sees what stands in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uwsgi_autopilot.report.text import cut, readable, safe


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("two\n  lines\tand a tab", "two lines and a tab", id="one line"),
        pytest.param("pass\x00word=hun\x00ter2 x", "password=*** x", id="NUL bytes"),
        pytest.param("\x1b[31mpassword\x1b[0m=\x1b[1mhunter2\x1b[0m x", "password=*** x", id="colours"),
        pytest.param("a\ud800b", "ab", id="half a letter, as JSON may bring it"),
    ],
)
def test_safe(text, told):
    assert safe(text) == told


def test_readable_keeps_lines():
    assert readable("a\n\tb\x07\x0cc") == "a\n\tb c"


def test_a_long_text_keeps_its_beginning_and_its_end():
    told = safe("begin " + "x" * 5000 + " end", 100)
    assert told.startswith("begin ")
    assert told.endswith(" end")
    assert len(told.encode()) <= 100


@given(text=st.text(max_size=300), limit=st.integers(20, 200))
def test_whatever_is_told_is_printable_and_short(text, limit):
    told = safe(text, limit)
    assert told.isprintable()
    assert len(told.encode()) <= limit
    assert len(cut(readable(text), limit).encode()) <= limit
