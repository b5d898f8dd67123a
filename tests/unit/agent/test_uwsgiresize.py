"""The number of letters that are sent, taken back or not, and how each resize ends. What uWSGI does is in the stats."""

from dataclasses import dataclass

import pytest

from uwsgi_autopilot.agent.server import Outcome
from uwsgi_autopilot.agent.statsreader import Reading
from uwsgi_autopilot.agent.uwsgiresize import FifoResize
from uwsgi_autopilot.uwsgi.stats import Stats, Worker

BEGIN = 100.0


@dataclass
class Fifo:
    open: bool = True
    letters: str = ""

    def more(self, n):
        self.letters += "+" * n * self.open
        return self.open

    def fewer(self, n):
        self.letters += "-" * n * self.open
        return self.open


@dataclass
class Reader:
    """answers: workers that live and workers that accept; None: no answer."""

    answers: tuple[int, int] | None
    now: float = BEGIN
    latest: Reading | None = None

    def ask(self):
        if self.answers is not None:
            live, accepting = self.answers
            self.latest = Reading(
                self.now, Stats(pid=1, version="", workers=tuple(map(worker, range(live), [accepting] * live)))
            )


def worker(number, accepting):
    return Worker(
        id=number + 1, pid=number + 2, accepting=number < accepting, status="idle", requests=0, running_time_us=0,
        in_service=0, oldest_request_start=None, threads=2,
    )  # fmt: skip


class Case:
    def __init__(self, processes, answers):
        self.fifo, self.reader, self.now = Fifo(), Reader(answers), BEGIN
        self.resize = FifoResize(self.fifo, self.reader, lambda: None, processes, BEGIN, 300.0)

    def run(self, seconds, *, patient=False):
        for _ in range(round(seconds * 10)):
            self.now = self.reader.now = self.now + 0.1
            outcome = self.resize.step(self.now, patient=patient)
            if outcome is not None:
                return outcome
        return None


def test_the_difference_to_what_lives_now_is_sent_once():
    case = Case(6, (4, 4))
    assert case.run(1.0) is None
    assert case.fifo.letters == "++"
    case.reader.answers = (6, 5)
    assert case.run(5.0) is None, "one imports still"
    case.reader.answers = (6, 6)
    assert case.run(1.0) is Outcome.DONE
    assert case.fifo.letters == "++"


def test_an_answer_from_before_is_no_ground_for_letters():
    """One `-` too many can be an outage."""
    case = Case(1, None)
    case.reader.latest = Reading(BEGIN - 1, Stats(pid=1, version="", workers=tuple(map(worker, range(4), [4] * 4))))
    assert case.run(5.0) is None
    assert case.fifo.letters == ""
    case.reader.answers = (2, 2)
    case.run(0.2)
    assert case.fifo.letters == "-"


def test_letters_wait_for_a_second_answer():
    """The first may come while the master still deals with the letters of the last resize, and loses what follows."""
    case = Case(6, (4, 4))
    case.run(0.1)
    assert case.fifo.letters == ""
    case.run(0.1)
    assert case.fifo.letters == "++"


@pytest.mark.parametrize(("live", "asked", "seconds"), [(4, 6, 4.0), (4, 2, 1.5)])
def test_what_is_not_done_in_its_time_is_taken_back(live, asked, seconds):
    case = Case(asked, (live, live))
    assert case.run(seconds - 0.3) is None
    assert case.run(1.0) is Outcome.IMPOSSIBLE
    assert case.fifo.letters in ("++--", "--++")


def test_patience_is_for_an_idle_worker_and_has_an_end():
    case = Case(2, (4, 4))
    assert case.run(55.0, patient=True) is None
    assert case.run(10.0, patient=True) is Outcome.IMPOSSIBLE
    assert case.fifo.letters == "--++"


def test_only_what_is_left_is_taken_back():
    case = Case(1, (4, 4))
    case.run(0.5)
    case.reader.answers = (3, 3)
    assert case.run(3.0) is Outcome.IMPOSSIBLE
    assert case.fifo.letters == "---" + "++"


@pytest.mark.parametrize("silent", ["no answer", "a FIFO that nobody reads"])
def test_a_master_that_does_not_answer_ends_it_in_bounded_time(silent):
    case = Case(6, None if silent == "no answer" else (4, 4))
    case.fifo.open = silent == "no answer"
    assert case.run(60.0) is Outcome.NOT_ANSWERING
    assert case.now - BEGIN < 12
    assert case.fifo.letters == ""


def test_a_master_that_stops_answering_on_the_way_ends_it_too_and_takes_its_letters_back():
    case = Case(6, (4, 4))
    case.run(0.3)
    case.reader.answers = None
    assert case.run(60.0) is Outcome.NOT_ANSWERING
    assert case.fifo.letters == "++--"


def test_as_many_as_live_needs_no_letter_and_ends():
    case = Case(4, (4, 4))
    assert case.run(1.0) is Outcome.DONE
    assert case.fifo.letters == ""


def test_workers_that_never_accept():
    case = Case(6, (4, 4))
    case.run(0.3)
    case.reader.answers = (6, 4)
    assert case.run(299.0) is None
    assert case.run(3.0) is Outcome.NOT_ACCEPTING
