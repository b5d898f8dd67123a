"""`make storm`: three minutes of random events under load for each seed, and not one request fails.

Pins, trials, replicas, versions, deleted pods, a killed operator, in any order and before the last one is through.
Seeds are named by STORM_SEEDS ("7 8 9"); the order of events is the seed's, their instants are the machine's.
"""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from tests.e2e.figures import Figures
from tests.e2e.place import Place, until
from tests.e2e.release import Release
from tests.e2e.test_no_request_lost import NODES
from tests.e2e.traffic import Traffic

SECONDS = 180
SEEDS = [int(each) for each in os.environ.get("STORM_SEEDS", "1 2 3 4 5").split()]
IMAGES = ("uwsgi-autopilot-app:dev", "uwsgi-autopilot-app:next")
PAUSES = (1.0, 10.0)

pytestmark = [pytest.mark.storm, pytest.mark.timeout(900)]


class Storm:
    """`events`: what was done, in order. Two pods at least: one alone cannot be moved without a gap."""

    def __init__(self, front: Place, release: Release, seed: int) -> None:
        self.front, self.release, self.random = front, release, random.Random(seed)
        self.events: list[str] = []

    def event(self) -> None:
        kinds: dict[str, Callable[[], str]] = {
            "pin": self._pin,
            "unpin": self._unpin,
            "scale": self._scale,
            "version": self._version,
            "pod": self._delete_pod,
            "operator": self._kill_operator,
        }
        # Pins come most often: they are what a change of shape is made of.
        kind = self.random.choices(list(kinds), weights=(5, 2, 2, 1, 2, 1))[0]
        self.events.append(f"{kind} {kinds[kind]()}".strip())
        print(f"storm: {self.events[-1]}", file=sys.stderr)

    def _pin(self) -> str:
        shape = {"processes": self.random.randint(1, 4), "threads": self.random.choice((1, 2, 4, 8, 16))}
        self.front.change({"tuning": {"pin": shape}})
        return f"{shape['processes']}x{shape['threads']}"

    def _unpin(self) -> str:
        self.front.change({"tuning": {"pin": None}})
        return ""

    def _scale(self) -> str:
        replicas = self.random.randint(2, 4)
        self.front.kubectl("scale", "uwsgiapp/shop", f"--replicas={replicas}")
        return str(replicas)

    def _version(self) -> str:
        image = self.random.choice(IMAGES)
        self.front.change({"image": image, "env": [{"name": "STORM", "value": str(len(self.events))}]})
        return image

    def _delete_pod(self) -> str:
        # The budget of a drain: never the only one that serves.
        ready = [
            pod["metadata"]["name"]
            for pod in self.front.pods()
            if any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"]["conditions"])
        ]
        if len(ready) < 2:
            return "(left alone: one is ready)"
        name = self.random.choice(ready)
        self.front.kubectl("delete", "pod", name, "--wait=false")
        return name

    def _kill_operator(self) -> str:
        selector = self.release._selector()
        self.release.place.kubectl("delete", "pod", f"--selector={selector}", "--grace-period=0", "--force")
        return ""


@pytest.mark.parametrize("seed", SEEDS)
def test_a_storm_loses_nothing(front: Place, release: Release, figures: Figures, seed: int) -> None:
    for node in NODES:
        names = [f"docker.io/library/{image}" for image in IMAGES]
        tag = ["docker", "exec", node, "ctr", "--namespace=k8s.io", "images", "tag", "--force", *names]
        subprocess.run(tag, check=True, capture_output=True, timeout=60)
    front.make(tuning={"start": {"processes": 2, "threads": 4}})
    storm = Storm(front, release, seed)
    with Traffic("/io?ms=50") as load:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            storm.event()
            time.sleep(storm.random.uniform(*PAUSES))
        front.change({"tuning": {"pin": {"processes": 2, "threads": 8}}})
        until("it is ready, and every pod serves the last pin", lambda: _calm(front), 180)
    figures.append(f"seed {seed}: {len(storm.events)} events, {load.count}")
    load.nothing_lost()
    assert front.restarts() == 0


def _calm(front: Place) -> bool:
    if front.condition("Ready").get("status") != "True":
        return False
    try:
        return set(front.shapes()) == {"2x8"}
    except AssertionError:  # a pod that goes while it is asked
        return False
