"""The kernel's answers about sockets, damaged: a number that is there, or none. None never means "no load".

The dump was recorded in a network namespace of its own: uWSGI with four requests in service and two in the queue.
"""

import socket
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.fuzz.mutations import A_TENTH, mutated
from uwsgi_autopilot.kernel.netlink import HEADER, NLMSG_DONE, NLMSG_ERROR, SocketDiagnosticsLink, attributes, messages
from uwsgi_autopilot.kernel.sockdiag import UNIX_ATTRIBUTES_AT, UnixSocketLoad, _count, _identity_of_name
from uwsgi_autopilot.kernel.tcpdiag import TcpDiagnostics

DUMP = bytes.fromhex((Path(__file__).parent / "recorded" / "unix-sockets.hex").read_text())
SOCKET = bytes.fromhex("004198000000e00f")
LOAD = UnixSocketLoad(queue=2, in_service=4)
SEQUENCE = 1  # of the first dump of a link


def test_the_dump_as_it_was():
    assert _count(DUMP, SOCKET) == LOAD


@given(mutated(DUMP))
def test_a_damaged_dump_is_counted_or_not(data):
    for start, end in messages(data):
        assert 0 <= start < end <= len(data)
        for kind, payload in attributes(data, start + UNIX_ATTRIBUTES_AT, end).items():
            assert kind < 2**16
            assert len(payload) <= len(data)
    found = _count(data, SOCKET)
    assert found is None or found.queue is not None
    _identity_of_name(data, "/run/shop/s")


def message(kind: int, payload: bytes, sequence: int = SEQUENCE) -> bytes:
    return HEADER.pack(HEADER.size + len(payload), kind, 2, sequence, 0) + payload


def done(error: int = 0) -> bytes:
    return message(NLMSG_DONE, struct.pack("=i", error))


class Scripted(SocketDiagnosticsLink):
    """A link of which the answers are known before it asks; then there is nobody any more."""

    def __init__(self, answers: list[bytes]) -> None:
        self.answers = answers
        self._ends: list[socket.socket] = []
        super().__init__()

    def _open(self) -> socket.socket:  # type: ignore[override]
        ours, kernels = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for each in self.answers:
            kernels.send(each)
        kernels.shutdown(socket.SHUT_WR)
        self._ends.append(kernels)
        return ours

    def close(self) -> None:
        super().close()
        for each in self._ends:
            each.close()


def dumped(answers: list[bytes]) -> bytes | None:
    link = Scripted([each for each in answers if each])
    try:
        return link.dump(b"request")
    finally:
        link.close()


ROOM = st.integers(1, 400)


@st.composite
def parts(draw: st.DrawFn) -> list[bytes]:
    """The messages of the dump, as many in each datagram as have room; sometimes with the end behind the last."""
    room, datagrams = draw(ROOM), [b""]
    for start, end in messages(DUMP):
        if len(datagrams[-1]) + end - start > room:
            datagrams.append(b"")
        datagrams[-1] += DUMP[start:end]
    left_over = draw(st.lists(st.binary(max_size=40).map(lambda data: message(20, data, SEQUENCE + 1)), max_size=2))
    return [*left_over, *filter(None, datagrams)]


@given(datagrams=parts(), behind=st.booleans(), error=st.sampled_from([0, 0, -4, -12]))
def test_a_whole_dump_is_read_and_one_that_ended_early_is_none(datagrams, behind, error):
    answers = [*datagrams[:-1], datagrams[-1] + done(error)] if behind else [*datagrams, done(error)]
    assert dumped(answers) == (None if error else DUMP)


@given(datagrams=parts(), end=st.sampled_from([None, message(NLMSG_ERROR, struct.pack("=i", -2))]))
def test_a_dump_without_its_end_is_none(datagrams, end):
    assert dumped(datagrams if end is None else [*datagrams, end]) is None


@A_TENTH
@given(st.lists(st.binary(max_size=200) | mutated(DUMP).map(lambda data: data[:2000]), max_size=4), st.booleans())
def test_whatever_comes_the_link_answers(datagrams, ends):
    found = dumped([*datagrams, done()] if ends else datagrams)
    assert found is None or _count(found, SOCKET) is None or _count(found, SOCKET).queue is not None


def inet(state: int, port: int, queue: int) -> bytes:
    head = struct.pack("=BBBB", 2, state, 0, 0) + port.to_bytes(2, "big")
    return message(20, head + bytes(50) + struct.pack("=I", queue) + bytes(12))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(inet(10, 80, 3) + inet(1, 80, 0) * 5, UnixSocketLoad(queue=6, in_service=4), id="v4 and v6"),
        pytest.param(inet(10, 81, 3), None, id="another port"),
        pytest.param(inet(10, 80, 3)[:60], None, id="cut off"),
    ],
)
def test_a_port(answer, expected):
    assert port_of([answer]) == expected


def port_of(answers: list[bytes]) -> UnixSocketLoad | None:
    """`answers` to each of both questions, for v4 and v6."""
    diagnostics = TcpDiagnostics.__new__(TcpDiagnostics)
    again = [
        HEADER.pack(*HEADER.unpack_from(each)[:3], SEQUENCE + 1, 0) + each[16:] for each in answers if len(each) >= 16
    ]
    diagnostics._link = Scripted([*answers, done(), *again, message(NLMSG_DONE, bytes(4), SEQUENCE + 1)])
    try:
        return diagnostics.port(80)
    finally:
        diagnostics.close()


@given(mutated(inet(10, 80, 3) + inet(1, 80, 0) * 3))
def test_a_damaged_answer_about_a_port(data):
    found = port_of([data] if data else [])
    assert found is None or (found.queue is not None and found.in_service >= 0)
