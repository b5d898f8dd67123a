"""The application of the bench, called as uWSGI calls it."""

import json
import os
import threading
import tracemalloc

import pytest

from bench.calibration import Rounds, read_rounds
from bench.parameters import Parameters, environment
from bench.synthetic import app as synthetic

ROUNDS = Rounds(python_rounds_per_ms=100, native_rounds_per_ms=10)


class Called:
    """The application with these parameters. sleeps: seconds of each wait; it is not slept."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, given: Parameters, sleep: object = None) -> None:
        self.sleeps: list[float] = []
        monkeypatch.setattr(synthetic.time, "sleep", sleep or self.sleeps.append)
        self.context = environment(given, ROUNDS)
        ((_, self.text),) = self.context.__enter__()
        self.app = synthetic.application(json.loads(self.text))

    def __call__(self, path: str = "/") -> tuple[str, bytes]:
        said: list[str] = []
        body = b"".join(self.app({"PATH_INFO": path}, lambda status, headers: said.append(status)))
        return said[0], body


def test_it_answers_with_as_many_bytes_as_asked_for(monkeypatch) -> None:
    assert Called(monkeypatch, Parameters(answer_bytes=5, cpu_ms=1, native_ms=1))() == ("200 OK", b"xxxxx")


def test_a_wait_is_slept_for_and_without_one_nothing_is(monkeypatch) -> None:
    waits = Called(monkeypatch, Parameters(wait_ms=20, spread=0))
    waits()
    assert waits.sleeps == [0.02]
    computes = Called(monkeypatch, Parameters(cpu_ms=1))
    computes()
    assert computes.sleeps == []


def test_some_requests_are_slow(monkeypatch) -> None:
    called = Called(monkeypatch, Parameters(wait_ms=2, slow_share=0.5, slow_wait_ms=300, spread=0))
    for _ in range(200):
        called()
    assert set(called.sleeps) == {0.002, 0.3}


def test_computing_is_rounds_counted_beforehand(monkeypatch) -> None:
    """3 ms at 100 rounds, 2 ms at 10."""
    done: list[tuple[str, int]] = []
    monkeypatch.setattr(synthetic, "compute", lambda rounds: done.append(("python", rounds)))
    monkeypatch.setattr(synthetic, "compute_unlocked", lambda rounds: done.append(("native", rounds)))
    Called(monkeypatch, Parameters(cpu_ms=3, native_ms=2, spread=0))()
    assert done == [("native", 20), ("python", 300)]


def test_some_requests_fail_at_once_and_the_others_cost_what_they_cost(monkeypatch) -> None:
    called = Called(monkeypatch, Parameters(wait_ms=20, error_share=0.5, spread=0))
    statuses = [called()[0] for _ in range(200)]
    assert set(statuses) == {"200 OK", "500 Internal Server Error"}
    assert len(called.sleeps) == statuses.count("200 OK")


def test_the_second_page_costs_something_else(monkeypatch) -> None:
    called = Called(monkeypatch, Parameters(wait_ms=5, spread=0, other=Parameters(wait_ms=100, spread=0)))
    called("/other")
    called("/")
    called("/anything")
    assert called.sleeps == [0.1, 0.005, 0.005]


def test_without_a_second_page_there_is_one_for_every_path(monkeypatch) -> None:
    called = Called(monkeypatch, Parameters(wait_ms=5, spread=0))
    called("/other")
    assert called.sleeps == [0.005]


def test_a_stream_sends_a_piece_a_second(monkeypatch) -> None:
    now = [0.0]
    monkeypatch.setattr(synthetic.time, "monotonic", lambda: now[0])

    def sleep(seconds: float) -> None:
        now[0] += seconds

    called = Called(monkeypatch, Parameters(wait_ms=5, stream_s=30), sleep)
    assert called("/stream") == ("200 OK", 30 * b"piece\n")
    assert now == [30]


def test_a_process_takes_its_memory_in_its_first_request_and_once(monkeypatch) -> None:
    called = Called(monkeypatch, Parameters(memory_mb=20))
    tracemalloc.start()
    begin = tracemalloc.get_traced_memory()[0]
    held = []
    for _ in range(2):
        called()
        held.append(tracemalloc.get_traced_memory()[0] - begin)
    tracemalloc.stop()
    assert held == [pytest.approx(20e6, rel=0.01), pytest.approx(20e6, rel=0.01)]


def test_an_import_computes_before_the_first_request(monkeypatch) -> None:
    """10 s at 100 rounds a millisecond."""
    done: list[int] = []
    monkeypatch.setattr(synthetic, "compute", done.append)
    monkeypatch.setenv("BENCH_WORKLOAD", Called(monkeypatch, Parameters(import_s=10)).text)
    synthetic.create()
    assert done == [1_000_000]


def in_progress_at_once(called: Called, inside: threading.Semaphore, go_on: threading.Event, requests: int) -> int:
    """How many of so many requests at once have come as far as their wait after all that can have."""
    threads = [threading.Thread(target=called) for _ in range(requests)]
    for each in threads:
        each.start()
    count = 0
    while inside.acquire(timeout=0.5):
        count += 1
    go_on.set()
    for each in threads:
        each.join(10)
    return count


@pytest.mark.parametrize("given", [Parameters(wait_ms=20, pool=3), Parameters(wait_ms=20, limit=3)], ids=str)
def test_no_more_wait_at_once_than_there_are_connections(monkeypatch, given: Parameters) -> None:
    inside, go_on = threading.Semaphore(0), threading.Event()

    def sleep(seconds: float) -> None:
        inside.release()
        go_on.wait(10)

    assert in_progress_at_once(Called(monkeypatch, given, sleep), inside, go_on, 5) == 3


def test_a_limit_holds_over_two_processes(monkeypatch) -> None:
    """Both open the same FIFO: what one has taken, the other does not find."""
    one = Called(monkeypatch, Parameters(wait_ms=20, limit=1, spread=0))
    fifo = os.open(json.loads(one.text)["fifo"], os.O_RDWR | os.O_NONBLOCK)
    assert os.read(fifo, 10) == b"."
    os.write(fifo, b".")
    one()
    assert os.read(fifo, 10) == b"."
    os.close(fifo)


def test_a_backend_degrades_with_the_waits_in_progress(monkeypatch) -> None:
    """From 1 on: the second of two at once takes (2 / 1) ** 1.5 = 2.83 times as long."""
    called = Called(monkeypatch, Parameters(wait_ms=20, degrades_from=1, spread=0))
    called()
    fifo = os.open(json.loads(called.text)["fifo"], os.O_RDWR)
    os.write(fifo, b".")
    called()
    os.close(fifo)
    assert called.sleeps == pytest.approx([0.02, 0.02 * 2**1.5])


def test_the_rounds_are_counted_once(tmp_path) -> None:
    first = read_rounds(tmp_path / "new")
    assert first.python_rounds_per_ms > 0
    assert first.native_rounds_per_ms > 0
    assert read_rounds(tmp_path / "new") == first
