"""`make kills`: SIGKILL for each process in turn, under load, again and again; what that costs is counted and bounded.

A kill may cost the requests in the process, and nothing else: of uWSGI's workers and master, nginx's workers, an
operator. nginx and the agent are their containers' first processes: until the kubelet has started the container again,
or every node knows that the pod is not ready, their pod refuses what it is sent.
"""

import os
import random
import time
from dataclasses import dataclass

import pytest

from tests.e2e.figures import Figures
from tests.e2e.place import Body, Place, until
from tests.e2e.release import Release
from tests.e2e.traffic import Traffic

SECONDS = float(os.environ.get("KILLS_SECONDS", "600"))
SHAPE = {"processes": 2, "threads": 8}
CLIENTS = 24
CALM_SECONDS = 3.0
# The kubelet waits longer before each further restart, up to minutes: after so many the pod is left alone.
MOST_RESTARTS = 3
REFUSED_SECONDS = 20.0

pytestmark = [pytest.mark.kills, pytest.mark.timeout(2400)]


@dataclass(frozen=True)
class Victim:
    """container: of an application's pod; "": an operator. words: what it is (`_program`); parent: the same of its
    parent. most: requests that one kill may cost; None: those of REFUSED_SECONDS."""

    container: str
    words: str
    parent: str
    most: int | None

    def fits(self, command: str, parent: str) -> bool:
        # The agent's command line has the name of this project in it, too.
        return _program(command) == self.words and _program(parent) == self.parent


def _program(command: str) -> str:
    """`agent`, or as a process calls itself; empty for anything else."""
    if "agent.pyz" in command:
        return "agent"
    titles = ("uWSGI master", "uWSGI worker", "nginx: master", "nginx: worker")
    return next((each for each in titles if command.startswith(each)), "")


VICTIMS = {
    "uWSGI worker": Victim("app", "uWSGI worker", "uWSGI master", SHAPE["threads"]),
    "uWSGI master": Victim("app", "uWSGI master", "agent", SHAPE["processes"] * SHAPE["threads"]),
    "nginx worker": Victim("nginx", "nginx: worker", "nginx: master", CLIENTS),
    "operator that leads": Victim("", "", "", 0),
    "nginx": Victim("nginx", "nginx: master", "", None),
    "agent": Victim("app", "agent", "", None),
}


@dataclass
class Cost:
    kills: int = 0
    failed: int = 0
    worst: int = 0
    longest_s: float = 0.0


class Killer:
    def __init__(self, front: Place, release: Release, load: Traffic) -> None:
        self.front, self.release, self.load = front, release, load
        self.random = random.Random(7)

    def kill(self, name: str) -> tuple[int, float]:
        """How many requests failed, and for how many seconds some did. Ends when all is as it was."""
        victim, before, began = VICTIMS[name], self.load.failed, time.monotonic()
        if victim.container:
            pod = self.random.choice(self.front.pods())
            pid = self.random.choice(self._pids(pod, victim))
            self.front.on_node(pod["spec"]["nodeName"], f"kill -KILL {pid}")
        else:
            self.release.signal(self.release.leader(), "KILL")
        seen, last, calm = before, began, began
        while time.monotonic() - calm < CALM_SECONDS or not self._whole():
            time.sleep(0.2)
            assert time.monotonic() - began < 300, f"{name}: not whole again"
            if self.load.failed != seen:
                seen, last = self.load.failed, time.monotonic()
                calm = last
        return seen - before, last - began if seen != before else 0.0

    def may_restart(self) -> bool:
        return all(each["restartCount"] < MOST_RESTARTS for pod in self.front.pods() for each in _statuses(pod))

    def _whole(self) -> bool:
        pods = self.front.pods()
        return (
            len(pods) == 2
            and all(each["ready"] for pod in pods for each in _statuses(pod))
            and bool(self.release.leader())
            and self.front.condition("Ready").get("status") == "True"
            and self.front.shapes() == [f"{SHAPE['processes']}x{SHAPE['threads']}"] * 2
        )

    def _pids(self, pod: Body, victim: Victim) -> list[str]:
        """As its node numbers them."""
        (status,) = (each for each in _statuses(pod) if each["name"] == victim.container)
        container = status["containerID"].rpartition("/")[2]
        script = (
            f"for f in $(grep -l {container} /proc/[0-9]*/cgroup); do d=${{f%/cgroup}}; "
            'echo "${d#/proc/}|$(cut -d" " -f4 $d/stat)|$(tr "\\0" " " < $d/cmdline)"; done'
        )
        rows = [line.split("|", 2) for line in self.front.on_node(pod["spec"]["nodeName"], script).splitlines()]
        command = {pid: text for pid, _, text in rows}
        found = [pid for pid, parent, text in rows if victim.fits(text, command.get(parent, ""))]
        assert found, f"{victim} is not among {rows}"
        return found


def _statuses(pod: Body) -> list[Body]:
    found: list[Body] = pod["status"].get("containerStatuses", [])
    return found


def test_a_kill_costs_what_was_in_the_process(front: Place, release: Release, figures: Figures) -> None:
    front.make(tuning={"pin": SHAPE})
    costs = {name: Cost() for name in VICTIMS}
    with Traffic("/io?ms=50", kept=CLIENTS - 8, fresh=8) as load:
        killer = Killer(front, release, load)
        until("it is whole", killer._whole)
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            for name, victim in VICTIMS.items():
                if victim.most is None and not killer.may_restart():
                    continue
                failed, seconds = killer.kill(name)
                cost = costs[name]
                cost.kills += 1
                cost.failed += failed
                cost.worst, cost.longest_s = max(cost.worst, failed), max(cost.longest_s, seconds)
                if victim.most is not None:
                    assert failed <= victim.most, f"{name}: {failed} failed"
                else:
                    assert seconds <= REFUSED_SECONDS, f"{name}: requests failed for {seconds:.0f} s"
    figures.append(str(load.count))
    for name, cost in costs.items():
        figures.append(
            f"{name}: {cost.kills} kills, {cost.failed} requests failed, at most {cost.worst} of one kill, "
            f"for at most {cost.longest_s:.1f} s"
        )
