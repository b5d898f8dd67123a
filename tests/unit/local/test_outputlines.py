"""What a child prints comes by lines, however it was written."""

import os

import pytest

from uwsgi_autopilot.local.outputlines import LINE_BYTES, lines_of


@pytest.mark.parametrize(
    ("written", "lines"),
    [
        pytest.param([b"one\ntwo\n"], ["one", "two"], id="two at once"),
        pytest.param(
            [b"o", b"ne\n\ntw", b"o"], ["one", "", "two"], id="in pieces, an empty one, and one without an end"
        ),
        pytest.param([b"\xff\n"], ["\ufffd"], id="no UTF-8"),
        pytest.param([b"x" * (LINE_BYTES + 3) + b"\n"], ["x" * LINE_BYTES, "xxx"], id="a long one"),
        pytest.param([b"x" * (LINE_BYTES + 3)], ["x" * LINE_BYTES, "xxx"], id="a long one without an end"),
    ],
)
def test_lines(written, lines):
    reading, writing = os.pipe()
    found = []
    reader = lines_of(reading)
    for piece in written:
        os.write(writing, piece)
    os.close(writing)
    found += [line for line in reader if line is not None]
    os.close(reading)
    assert found == lines


def test_nothing_comes_while_nothing_is_written(monkeypatch):
    monkeypatch.setattr("uwsgi_autopilot.local.outputlines.QUIET_SECONDS", 0.0)
    reading, writing = os.pipe()
    reader = lines_of(reading)
    os.write(writing, b"half")
    assert [next(reader), next(reader)] == [None, None]
    os.write(writing, b" a line\n")
    assert next(line for line in reader if line is not None) == "half a line"
    for fd in (reading, writing):
        os.close(fd)
