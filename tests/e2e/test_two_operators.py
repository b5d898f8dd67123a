"""Of two operators one decides. When it is killed, stopped or replaced the other goes on, and never do both."""

import time
from collections.abc import Callable, Iterator

import pytest

from tests.e2e.figures import Figures
from tests.e2e.place import Place, until
from tests.e2e.release import Release
from tests.e2e.traffic import Traffic, breathe
from tests.pages import commands

pytestmark = pytest.mark.alone

# Promised are 20 and 5, and the figures tell them; a busy machine may take twice as long.
AFTER_SIGKILL_S = 40.0
AFTER_SIGTERM_S = 10.0


@pytest.fixture
def two(release: Release) -> Iterator[Release]:
    """Both there, and one of them leading, before and after the test."""
    there(release)
    yield release
    there(release)


def there(release: Release) -> None:
    until("there are two", lambda: len(release.ready()) == 2)
    until("one of them leads", release.leader)


def pin(threads: int) -> dict:
    return {"tuning": {"pin": {"processes": 1, "threads": threads}}}


def decided(front: Place, threads: int) -> Callable[[], bool]:
    """Has an operator written that shape to the pods? Not: do they serve it already."""
    return lambda: all(each.get("threads") == threads for each in front.desired())


def test_decisions_go_on_within_seconds_when_the_leader_is_killed(front: Place, two: Release, figures: Figures) -> None:
    front.make(**pin(2))
    until("the pin is served", lambda: front.shapes() == ["1x2", "1x2"])
    with Traffic("/io?ms=50") as load:
        for signal, bound, threads in (("KILL", AFTER_SIGKILL_S, 3), ("TERM", AFTER_SIGTERM_S, 4)):
            before, leader = two.holder(), until("one leads", two.leader)
            (look,) = commands("docs/kubernetes.md", "kubectl get lease uwsgi-autopilot\n")
            assert before in two.place.kubectl(*look.replace("uwsgi-autopilot", two.name).split()[1:])
            two.signal(leader, signal)
            began = time.monotonic()
            front.change(pin(threads))
            until(f"a decision after SIG{signal}", decided(front, threads), bound, every=0.2)
            figures.append(f"SIG{signal}: a decision after {time.monotonic() - began:.1f} s")
            assert two.holder() != before
            shape = f"1x{threads}"
            until("it is served", lambda shape=shape: front.shapes() == [shape, shape])
            there(two)
    figures.append(str(load.count))
    load.nothing_lost()
    assert front.restarts() == 0


def test_a_leader_that_was_stopped_writes_nothing_when_it_wakes_up(
    front: Place, two: Release, figures: Figures
) -> None:
    front.make(**pin(2))
    until("the pin is served", lambda: front.shapes() == ["1x2", "1x2"])
    asleep = until("one leads", two.leader)
    restarts = two.restarts(asleep)
    with Traffic("/io?ms=50") as load:
        two.signal(asleep, "STOP")
        front.change(pin(3))
        until("another one leads", lambda: two.leader() not in ("", asleep))
        until("its decision is served", lambda: front.shapes() == ["1x3", "1x3"])
        versions = front.desired()
        two.signal(asleep, "CONT")
        until("the one that slept has ended", lambda: two.restarts(asleep) > restarts)
        breathe(10)
    last = two.last_words(asleep)
    assert "nothing is written" in last or "writes nothing" in last
    assert "Traceback" not in last
    assert front.desired() == versions
    assert front.shapes() == ["1x3", "1x3"]
    assert two.leader() not in ("", asleep)
    figures.append(f"{last.splitlines()[-1]}; {load.count}")
    load.nothing_lost()


def test_an_update_of_the_operators_leaves_no_gap_and_restarts_no_application(
    front: Place, two: Release, figures: Figures
) -> None:
    front.make(**pin(2))
    until("the pin is served", lambda: front.shapes() == ["1x2", "1x2"])
    uids = {each["metadata"]["uid"] for each in front.pods()}
    before = set(two.pods())
    with Traffic("/io?ms=50") as load:
        two.restart()
        assert not before & set(two.pods())
        front.change(pin(3))
        until("the new one decides", decided(front, 3), AFTER_SIGTERM_S, every=0.2)
        until("it is served", lambda: front.shapes() == ["1x3", "1x3"])
    figures.append(str(load.count))
    load.nothing_lost()
    assert {each["metadata"]["uid"] for each in front.pods()} == uids
