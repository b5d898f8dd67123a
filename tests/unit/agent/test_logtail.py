"""Real here: pipes and threads. Whatever is printed, its end is kept in bounded memory, and no reader is waited for."""

import contextlib
import os
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uwsgi_autopilot.agent.logtail import (
    CUT,
    KEEP_LINES,
    LINE_BYTES,
    LogTail,
    Tail,
    ended_while_loading,
    traceback_tail,
)
from uwsgi_autopilot.agent.relay import BUFFER_BYTES, Relay

TRACEBACK = "Traceback (most recent call last):\n"
MOST = (KEEP_LINES + 1) * (LINE_BYTES + len(CUT) + 1)


def until(true, what):
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, f"not within 60 s: {what}"
        time.sleep(0.01)


def in_pieces(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces, at = [], 0
    for size in sizes:
        pieces.append(data[at : at + size])
        at += size
    return [*pieces, data[at:]]


@given(st.lists(st.binary(max_size=30), max_size=200).map(b"\n".join), st.lists(st.integers(0, 300), max_size=20))
def test_however_it_arrives_the_last_lines_are_kept(data, sizes):
    tail = Tail()
    for piece in in_pieces(data, sizes):
        tail.feed(piece)
    whole = data.split(b"\n")
    assert tail.lines() == (whole if whole[-1] else whole[:-1])[-KEEP_LINES:]


@pytest.mark.parametrize(
    "chunk",
    [
        pytest.param(b"x" * 65536, id="no line ends"),
        pytest.param(b"\n" * 65536, id="nothing but ends of lines"),
        pytest.param(b"\x00" * 65536, id="NUL bytes"),
        pytest.param(b"\xff\xfe\n" * 20000, id="invalid UTF-8"),
        pytest.param(b"y" * 5000 + b"\n", id="long lines"),
    ],
)
def test_what_is_kept_is_bounded(chunk):
    tail = Tail()
    for _ in range(2000):
        tail.feed(chunk)
        assert len(tail._rest) <= LINE_BYTES + len(CUT)
    assert len(tail.lines()) <= KEEP_LINES
    assert sum(map(len, tail.lines())) <= MOST


def test_of_a_line_that_is_too_long_the_beginning_is_kept():
    tail = Tail()
    for piece in (b"first\nRuntimeError: ", b"x" * LINE_BYTES, b"y", b"z\nlast\n"):
        tail.feed(piece)
    first, long, last = tail.lines()
    assert (first, last) == (b"first", b"last")
    assert long.startswith(b"RuntimeError: xxx")
    assert long.endswith(b"x" + CUT)


@pytest.fixture
def piped():
    """(what prints, the LogTail, what reads the relay's target): descriptors, each closed once at the end."""
    reading, printing = os.pipe()
    out, target = os.pipe()
    relay = Relay(target)
    open_ends = {"print": printing, "read": out}
    yield open_ends, LogTail(reading, relay), relay
    for each in open_ends.values():
        with contextlib.suppress(OSError):
            os.close(each)


def read_all(descriptor: int, into: bytearray) -> threading.Thread:
    def read() -> None:
        while chunk := os.read(descriptor, 65536):
            into.extend(chunk)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread


def test_bytes_are_passed_on_unchanged_and_secrets_are_hidden_only_in_what_we_tell(piped):
    ends, log, relay = piped
    read = bytearray()
    read_all(ends["read"], read)
    printed = b"password=hunter2 \x00\xff\n" * 200_000 + b"no end"
    with os.fdopen(ends.pop("print"), "wb") as pipe:
        pipe.write(printed)
    until(lambda: log.ended, "the end of the output is read")
    relay.flush(60)
    until(lambda: len(read) >= len(printed), "all was passed on")
    assert read == printed
    assert log.text().splitlines()[-2:] == ["password=*** \ufffd", "no end"]


def test_a_target_that_nobody_reads_stops_nobody_and_the_gap_is_told(piped):
    ends, log, relay = piped
    printed = b"x" * (10 * BUFFER_BYTES) + b"\nTraceback (most recent call last):\nValueError: the end"
    with os.fdopen(ends.pop("print"), "wb") as pipe:
        pipe.write(printed)  # would wait forever in a pipe that is not drained
    until(lambda: log.ended, "the end of the output is read")
    assert log.text().endswith("ValueError: the end")
    read = bytearray()
    read_all(ends["read"], read)
    relay.flush(60)
    until(lambda: read.endswith(b"before them\n"), "the gap is told")
    before, said = bytes(read).rstrip(b"\n").rsplit(b"\n", 1)
    assert set(before) == {ord("x")}
    assert (
        said
        == (
            f"agent warning: {len(printed) - len(before)} bytes of output were dropped here, "
            f"because nobody had read what came before them"
        ).encode()
    )


def test_after_a_gap_output_is_passed_on_again(piped):
    ends, _, relay = piped
    relay.put(b"a" * BUFFER_BYTES)
    relay.put(b"a" * BUFFER_BYTES)
    relay.put(b"dropped")
    read = bytearray()
    read_all(ends["read"], read)
    until(lambda: read.endswith(b"before them\n"), "the gap is told")
    relay.put(b"again\n")
    until(lambda: read.endswith(b"before them\nagain\n"), "what came after it")
    assert read.count(b"dropped") == 1, "once, in our own line"


def test_a_target_that_is_gone_stops_nobody(piped):
    ends, log, _ = piped
    os.close(ends.pop("read"))
    with os.fdopen(ends.pop("print"), "wb") as pipe:
        pipe.write(b"x\n" * BUFFER_BYTES)
    until(lambda: log.ended, "the end of the output is read")


def test_a_target_that_another_process_made_non_blocking_gets_all_of_it(piped):
    ends, _, relay = piped
    os.set_blocking(relay._target, False)
    relay.put(b"x" * BUFFER_BYTES)
    read = bytearray()
    read_all(ends["read"], read)
    until(lambda: len(read) == BUFFER_BYTES, "all was passed on")


def test_the_output_of_who_still_prints_has_not_ended_and_is_not_waited_for(piped):
    ends, log, _ = piped
    os.write(ends["print"], b"so far")
    until(log.text, "it is seen")
    assert not log.ended
    assert log.text() == "so far"


def test_the_last_traceback_is_found_among_uwsgis_own_lines():
    begins = "Traceback (most recent call last):\n"
    assert traceback_tail(f"mapped\n{begins}  x\nOld: 1\n{begins}  y\nNew: 2\nno app") == f"{begins}  y\nNew: 2"
    assert traceback_tail("\n".join(map(str, range(20)))) == "\n".join(map(str, range(12, 20)))


def test_a_worker_that_was_interrupted_while_another_failed_does_not_hide_why():
    begins = "Traceback (most recent call last):\n"
    failed, interrupted = f"{begins}  x\nCause: 1", f"{begins}  y\nKeyboardInterrupt"
    assert traceback_tail(f"{failed}\nunable to load app 0\n{interrupted}\nunable to load app 0") == failed
    assert traceback_tail(f"{interrupted}\nunable to load app 0") == interrupted


@pytest.mark.parametrize("printed", ["", "  y\n"])
def test_a_worker_that_was_ended_while_it_printed_why_does_not_hide_it(printed):
    """Two that load it themselves, on a busy machine: the second was killed at the first line of its traceback."""
    failed = f"{TRACEBACK}  x\nweb.Settings.<locals>.Wrong: no key"
    oops = "OOPS ! failed loading app in worker 1 (pid 7)"
    assert traceback_tail(f"{failed}\n{TRACEBACK}{printed}{oops}\n") == failed
    assert traceback_tail(f"{TRACEBACK}{printed}{failed}\n{oops}") == failed


def test_what_comes_after_the_first_worker_that_could_not_load_is_no_cause():
    failed = f"{TRACEBACK}  x\nCause: 1"
    caught = (
        f"{TRACEBACK}  y\nKeyboardInterrupt\n\nDuring handling of it:\n\n{TRACEBACK}  z\nImportError: half imported"
    )
    assert traceback_tail(f"{failed}\nOOPS ! failed loading app in worker 1 (pid 7)\n{caught}") == failed


LOADS = "mapped 5594734 bytes (5463 KB) for 32 cores\n*** Operational MODE: preforking+threaded ***"


def test_an_application_that_exits_while_it_is_loaded_is_told_from_a_uwsgi_that_gives_up():
    exits = "the application ended the process while it was loaded, as sys.exit() does"
    assert ended_while_loading(LOADS) == exits
    assert ended_while_loading(f"{LOADS}\nno database") == f"{exits}; it printed:\nno database"
    for after in ("unable to load app 0", "spawned uWSGI master process (pid: 1)", "!!! uWSGI process 1 got Segm"):
        assert ended_while_loading(f"{LOADS}\n{after}") is None
    assert ended_while_loading("[strict-mode] unknown config directive: nonsense") is None
