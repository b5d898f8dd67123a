"""Lines as nginx writes them, and what the kernel's filter lets through."""

import contextlib
import socket

import pytest

from uwsgi_autopilot.agent.signals.accesslog import attach, parse_line, sampling_filter

LINE = b"<190>Nov 27 16:24:48 autopilot: %s 0.021 0.020"
# As a configuration has it that sends errors with a severity of their own.
SEVERE = LINE.replace(b"<190>", b"<187>")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(LINE % b"200", (b"200", 0.021, 0.020), id="one answer"),
        pytest.param(b"<190>Nov  7 06:24:48 autopilot: 304 0.001 -", (b"304", 0.001, None), id="nobody was asked"),
        pytest.param(
            b"<190>Nov 27 16:24:48 autopilot: 502 0.021 0.001, 0.020",
            (b"502", 0.021, 0.020),
            id="a second try answered",
        ),
        pytest.param(b"<190>Nov 27 16:24:48 autopilot: 200", None, id="no time"),
        pytest.param(
            b"<190>Nov 27 16:24:48 autopilot: 200 0.021 0.001 : 0.020",
            (b"200", 0.021, 0.020),
            id="an internal redirect",
        ),
        pytest.param(b"<190>Nov 27 16:24:48 nginx: 200 0.1 0.1", None, id="of somebody else"),
        pytest.param(
            b"<190>Nov 27 16:24:48 autopilot: 200 nan nan", None, id="no number, though Python takes it for one"
        ),
        pytest.param(b"<190>Nov 27 16:24:48 autopilot: 200 1e999 -", None, id="a time without end"),
    ],
)
def test_lines(line, expected):
    assert parse_line(line) == expected


@pytest.mark.parametrize(
    ("line", "passes"),
    [
        pytest.param(LINE % b"500", True, id="an error"),
        pytest.param(LINE % b"504", True, id="another error"),
        pytest.param(SEVERE % b"502", True, id="an error with a severity of its own"),
        pytest.param(LINE.replace(b"27", b" 7") % b"503", True, id="a day of one digit"),
        pytest.param(LINE % b"200", False, id="an answer"),
        pytest.param(LINE % b"451", False, id="a refusal"),
        pytest.param(b"<190>", False, id="too short for a status"),
    ],
)
def test_where_nothing_is_sampled_errors_pass_all_the_same(line, passes):
    """In the kernel itself, on a socket like the agent's."""
    sender, receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with sender, receiver:
        attach(receiver, sampling_filter(0.0))
        receiver.setblocking(False)
        found = None
        assert sender.send(line) == len(line), "to the sender all was delivered"
        with contextlib.suppress(BlockingIOError):
            found = receiver.recv(512)
        assert found == (line if passes else None)


def test_what_is_sampled_in_full_passes_whole():
    sender, receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with sender, receiver:
        attach(receiver, sampling_filter(1.0))
        sender.send(LINE % b"200")
        assert receiver.recv(512) == LINE % b"200"
