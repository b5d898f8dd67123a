"""Datagrams in batches, from a real socket: none is lost, none is late, none comes twice."""

import contextlib
import signal
import socket
import threading
from collections.abc import Iterator

import pytest

from uwsgi_autopilot.kernel.datagrams import BATCH, DATAGRAM_BYTES, Datagrams


class Reading:
    """A thread receives, as in the agent. batches: what each call of `receive` gave."""

    def __init__(self) -> None:
        self.sender, receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.receiver = receiver
        self.datagrams = Datagrams(receiver)
        self.batches: list[list[bytes]] = []
        self.ended = threading.Event()
        self.arrived = threading.Condition()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        while True:
            try:
                batch = self.datagrams.receive()
            except OSError:
                break
            with self.arrived:
                self.batches.append(batch)
                self.arrived.notify()
            if batch[-1:] == [b"end"]:
                break
        self.ended.set()

    def taken(self, count: int) -> list[bytes]:
        """`take` until so many have come."""
        found: list[bytes] = []
        while len(found) < count:
            found += self.datagrams.take()
        return found

    def received(self, batches: int) -> list[list[bytes]]:
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.batches) >= batches, 30)
            return self.batches


@pytest.fixture
def reading() -> Iterator[Reading]:
    found = Reading()
    yield found
    # A full batch, whatever had arrived before, and the thread ends.
    found.sender.setblocking(False)
    while not found.ended.is_set():
        with contextlib.suppress(BlockingIOError):
            found.sender.send(b"end")
    found.sender.close()
    found.receiver.close()


def lines(begin: int, end: int) -> list[bytes]:
    return [b"line %d" % number for number in range(begin, end)]


def test_what_has_arrived_is_there_before_the_batch_is_full(reading: Reading) -> None:
    for line in lines(0, 3):
        reading.sender.send(line)
    assert reading.taken(3) == lines(0, 3)
    assert reading.datagrams.take() == []
    assert reading.batches == []


def test_a_full_batch_is_what_was_not_taken_before(reading: Reading) -> None:
    for line in lines(0, 5):
        reading.sender.send(line)
    assert reading.taken(5) == lines(0, 5)
    for line in lines(5, BATCH + 2):
        reading.sender.send(line)
    assert reading.received(1)[0] == lines(5, BATCH)
    assert reading.taken(2) == lines(BATCH, BATCH + 2)


def test_what_is_longer_is_cut(reading: Reading) -> None:
    reading.sender.send(b"x" * (DATAGRAM_BYTES + 1))
    assert reading.taken(1) == [b"x" * DATAGRAM_BYTES]


def test_an_empty_one_keeps_nobody_waiting(reading: Reading) -> None:
    for line in (b"line 0", b"", b"line 1"):
        reading.sender.send(line)
    assert reading.taken(3) == [b"line 0", b"", b"line 1"]


def test_none_is_lost_or_comes_twice_while_both_ask(reading: Reading) -> None:
    total = 40 * BATCH
    taken: list[bytes] = []
    for line in lines(0, total):
        reading.sender.send(line)
        taken += reading.datagrams.take()
    reading.received(40)
    taken += reading.datagrams.take()
    assert sorted([*taken, *(line for batch in reading.batches for line in batch)]) == sorted(lines(0, total))


def test_a_signal_loses_nothing(reading: Reading) -> None:
    """It interrupts the call of a thread that has received one datagram, and waits for the rest."""
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        reading.sender.send(b"line 0")
        assert reading.taken(1) == [b"line 0"]
        assert reading.thread.ident is not None
        signal.pthread_kill(reading.thread.ident, signal.SIGUSR1)
        reading.received(1)
        for line in lines(1, BATCH + 1):
            reading.sender.send(line)
        found = [line for batch in reading.received(3) for line in batch]
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert found == lines(1, BATCH + 1)
    assert reading.datagrams.batched


def test_where_recvmmsg_is_refused_each_datagram_is_read_by_itself() -> None:
    sender, receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with sender, receiver:
        datagrams = Datagrams(receiver)
        datagrams.batched = False
        sender.send(b"line")
        assert datagrams.receive() == [b"line"]
        assert datagrams.take() == []
