"""uWSGI's stats, damaged: they are read as they are, or not at all; never as an application that does nothing.

The answer was recorded: two workers of two threads with six clients on a page that takes five seconds (2.0.30).
"""

import json
import os
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.fuzz.mutations import A_TENTH, DELETED, at, changes, mutated, to_json, with_change
from uwsgi_autopilot.agent.statsreader import StatsReader
from uwsgi_autopilot.uwsgi.stats import Stats, StatsError, parse_stats

RAW = (Path(__file__).parent / "recorded" / "stats.json").read_bytes()
ANSWER = json.loads(RAW)
BUSY = parse_stats(RAW)
# What the samples are made of.
READ = {"workers", "id", "pid", "accepting", "status", "running_time", "cores", "requests", "in_request"}


def load_of(stats: Stats) -> tuple[tuple[int, ...], ...]:
    return tuple(
        (each.id, each.pid, each.requests, each.running_time_us, each.in_service, each.threads)
        for each in stats.workers
    )


def read(raw: bytes) -> Stats | None:
    """None: it was refused, with a sentence that gives away nothing of the requests."""
    try:
        stats = parse_stats(raw)
    except StatsError as error:
        sentence = str(error)
        assert "expected the stats JSON of uWSGI" in sentence
        assert "\n" not in sentence
        assert "shop.example" not in sentence
        return None
    for each in stats.workers:
        for number in (each.id, each.pid, each.requests, each.running_time_us, each.in_service, each.threads):
            assert type(number) is int
            assert 0 <= number < 2**64 * max(1, each.threads)
        assert each.threads >= 1
        assert each.in_service <= each.threads
    assert stats.workers
    return stats


@given(changes(ANSWER, only=lambda path: READ & {path[-1]} and "apps" not in path and path[0] in ("workers", "pid")))
def test_a_field_of_another_kind_is_no_answer(change):
    path, new = change
    stats = read(to_json(with_change(ANSWER, path, new)))
    before = at(ANSWER, path)
    if type(new) is type(before) and new is not DELETED:
        return  # of the right kind: believed, as far as it goes
    assert stats is None or load_of(stats) == load_of(BUSY), "only what nobody reads may be wrong"


@given(changes(ANSWER, only=lambda path: isinstance(path[-1], str) and ("req_info" in path or not READ & {path[-1]})))
def test_what_nobody_counts_by_hides_no_load(change):
    path, new = change
    stats = read(to_json(with_change(ANSWER, path, new)))
    if stats is None:
        assert path[-1] == "request_start", "a start that is no time is no answer"
    else:
        assert load_of(stats) == load_of(BUSY), "in service all the same"


@given(mutated(RAW))
def test_bytes_of_another_kind(raw):
    read(raw)


@given(st.integers(0, len(RAW) - 1))
def test_an_answer_that_was_cut_off_is_none(end):
    stats = read(RAW[:end])
    assert stats is None or load_of(stats) == load_of(BUSY)


class Master:
    """A stats socket that gives the next of `answers` to whoever connects."""

    def __init__(self, path: str) -> None:
        self.answers: queue.Queue[bytes] = queue.Queue()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                connection.sendall(self.answers.get())

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture(scope="module")
def reading(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[bytes], Stats | None]]:
    """What the agent's reader knows after one more answer."""
    os.chdir(folder := tmp_path_factory.mktemp("s"))  # a unix socket's path must be short
    master, path = Master("stats"), "stats"
    reader = StatsReader(path)

    def after(answer: bytes) -> Stats | None:
        before = time.monotonic()
        # The second is read only once the first has been dealt with.
        for each in (answer, RAW):
            master.answers.put(each)
            reader.ask()
            while not master.answers.empty():
                time.sleep(0.0005)
        deadline = time.monotonic() + 30
        while reader.since(before) is None and time.monotonic() < deadline:
            time.sleep(0.0005)
        return reader.since(before)

    assert folder.is_dir()
    yield after
    reader.close()
    master.close()


@A_TENTH
@given(
    raw=mutated(RAW) | st.binary(max_size=100) | changes(ANSWER).map(lambda each: to_json(with_change(ANSWER, *each)))
)
def test_no_answer_ends_the_reader(reading, raw):
    """It has one thread, and whoever waits for the next answer would wait for ever."""
    assert reading(raw) is not None
