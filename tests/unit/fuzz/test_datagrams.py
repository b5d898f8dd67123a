"""nginx's lines, and whatever else a process of the pod sends to the same socket."""

import math
import socket
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.fuzz.mutations import A_TENTH, mutated
from uwsgi_autopilot.agent.signals.accesslog import AccessLog, parse_line
from uwsgi_autopilot.agent.signals.collector import Running, Window

LINE = b"<190>Nov 27 16:24:48 autopilot: 200 0.021 0.001, 0.020"
WORDS = st.lists(
    st.sampled_from(["200", "500", "0.001", "12.345", "-", "nan", "inf", "-1", "1e999", "1_0", "0x1", "", ",", ":"]),
    max_size=6,
)
LINES = (
    mutated(LINE)
    | st.binary(max_size=600)
    | WORDS.map(lambda words: f"<190>Nov 27 16:24:48 autopilot: {' '.join(words)}".encode())
)
MILLISECONDS = st.integers(0, 10**9).map(lambda ms: f"{ms // 1000}.{ms % 1000:03}")
ONE_TRY = MILLISECONDS | st.just("-")


@given(LINES)
def test_a_line_is_a_time_or_nobodys(line):
    found = parse_line(line)
    if found is None:
        return
    status, request_s, upstream_s = found
    assert len(status) == 3
    assert status.isdigit()
    for seconds in (request_s, upstream_s):
        assert seconds is None or (math.isfinite(seconds) and seconds >= 0)


@given(
    st.integers(100, 599),
    MILLISECONDS,
    st.lists(st.tuples(ONE_TRY, st.sampled_from([", ", " : "])), max_size=3),
    ONE_TRY,
)
def test_every_line_of_nginx_is_understood(status, request, tries, last):
    upstream = "".join(seconds + mark for seconds, mark in tries) + last
    line = f"<190>Nov  7 06:24:48 autopilot: {status} {request} {upstream}".encode()
    assert parse_line(line) == (str(status).encode(), float(request), None if last == "-" else float(last))


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("l") / "log")
    collector = AccessLog(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect(path)
        yield collector, sender


@A_TENTH
@given(lines=st.lists(LINES.map(lambda line: line[:500]), max_size=40))
def test_no_datagram_costs_the_others_anything(log, lines):
    """One that cannot be read would end the thread, or take a second of latencies with it."""
    collector, sender = log
    for line in lines:
        sender.send(line)
        sender.send(LINE)
    expected = sum(parse_line(line) is not None for line in lines) + len(lines)
    counted, deadline = 0, time.monotonic() + 30
    while counted < expected and time.monotonic() < deadline:
        window = Window(now=0.0, seconds=1.0, running=Running(serving=None), fields={"requests": 0.0})
        counted += sum(count for _, count in collector.collect(window)["latency"])
    assert counted == expected
