"""When a uWSGI that finishes is paused, and when it is told to quit. The workers are real processes."""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field

import pytest

from uwsgi_autopilot.agent.statsreader import Reading
from uwsgi_autopilot.agent.uwsgifinish import PAUSE_SECONDS, YOUNG_SECONDS, FifoFinish
from uwsgi_autopilot.kernel.process import catches
from uwsgi_autopilot.uwsgi.stats import Stats, Worker

BEGIN = 100.0


@dataclass
class Fifo:
    letters: str = ""

    def pause(self):
        self.letters += "p"
        return True

    def quit_gracefully(self):
        self.letters += "q"


@dataclass
class Reader:
    pid: int
    status: str = "idle"
    now: float = BEGIN
    latest: Reading | None = field(default=None)

    def ask(self):
        worker = Worker(
            id=1, pid=self.pid, accepting=True, status=self.status, requests=0, running_time_us=0, in_service=0,
            oldest_request_start=None, threads=1,
        )  # fmt: skip
        self.latest = Reading(self.now, Stats(pid=1, version="", workers=(worker,)))

    def since(self, moment):
        return self.latest.stats if self.latest and self.latest.asked_at >= moment else None


@pytest.fixture
def process():
    """`process("signal.signal(...)")`: the pid of a Python that has done this, and sleeps."""
    started = []

    def start(does):
        program = f"import signal, sys; {does}; print('ready', flush=True); sys.stdin.read()"
        each = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        started.append(each)
        assert each.stdout is not None
        each.stdout.readline()
        return each.pid

    yield start
    for each in started:
        each.communicate()


YOUNG = "signal.signal(signal.SIGTSTP, print)"
GROWN = f"{YOUNG}; signal.signal(signal.SIGWINCH, print)"
A_DAEMON = "pass"


def letters(pid, threads, seconds):
    fifo, reader = Fifo(), Reader(pid)
    finish = FifoFinish(os.getpid(), fifo, reader, threads, BEGIN)
    for tenth in range(round(seconds * 10)):
        reader.now = BEGIN + tenth / 10
        finish.step(reader.now)
    return fifo.letters


def test_one_thread_is_paused_once(process):
    assert letters(process(GROWN), 1, PAUSE_SECONDS - 1) == "p"


@pytest.mark.parametrize(("threads", "first"), [(1, "p"), (4, "q")])
def test_nothing_is_sent_while_a_worker_still_has_its_masters_handlers(process, threads, first):
    pid = process(YOUNG)
    assert letters(pid, threads, YOUNG_SECONDS) == ""
    assert letters(pid, threads, YOUNG_SECONDS + 0.2)[:1] == first, "but a stuck change would be worse"


def test_a_daemon_beside_the_workers_holds_nothing_up(process):
    process(A_DAEMON)
    assert letters(process(GROWN), 1, 1) == "p"


def test_more_threads_are_only_told_to_quit_again_and_again(process):
    assert letters(process(GROWN), 4, 1) == "q" * 10


def test_a_master_that_never_shows_as_paused_is_told_to_quit_anyway(process):
    said = letters(process(GROWN), 1, PAUSE_SECONDS + 1)
    assert said.startswith("pq")
    assert set(said[1:]) == {"q"}


def test_a_process_shows_which_signals_it_catches(process):
    pid = process(YOUNG)
    assert (catches(pid, signal.SIGTSTP), catches(pid, signal.SIGWINCH)) == (True, False)
