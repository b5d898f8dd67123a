"""Run the tuner against a simulated pod, second by second, and keep what happened."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache

from tests.simulator.lonepod import Law, LonePod, Said
from tests.simulator.observe import Observer
from tests.simulator.pod import Pod
from tests.simulator.workload import Workload
from uwsgi_autopilot.api.sample import Sample
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import Bounds
from uwsgi_autopilot.tuner.limits import Limits
from uwsgi_autopilot.tuner.memory import Memory
from uwsgi_autopilot.tuner.propose import propose, recommend

KEPT_S = 120
WIDE = Limits(processes=Bounds(min=1, max=16), threads=Bounds(min=1, max=64))
SCREEN = [Shape(processes, threads) for processes in (1, 2, 4, 8) for threads in (1, 2, 4, 8, 16, 64)]


@dataclass
class Told:
    """`decisions`: what was said and in which second, each time that kind, reason or shape changed."""

    decisions: list[tuple[int, Said]]
    samples: list[Sample]
    shape: Shape
    memory: Memory

    @property
    def changes(self) -> list[tuple[int, Said]]:
        return [(second, each) for second, each in self.decisions if each.kind == "change"]

    @property
    def way(self) -> str:
        return ", ".join(f"{second} s {each.to_shape} ({each.reason.value})" for second, each in self.changes)

    def throughput(self, last: int = 10) -> float:
        return sum(each.requests for each in self.samples[-last:]) / last

    def reasons(self) -> list[str]:
        return [each.reason.value for _, each in self.decisions]


def tell(
    pod: Pod,
    seconds: int,
    *,
    limits: Limits = WIDE,
    law: Law = propose,
    swap_s: float = 1.5,
    events: Mapping[int, Callable[[Pod], None]] | None = None,
    unseen: Mapping[str, None] | None = None,
    refuses: Callable[[Shape], bool] = lambda shape: False,
    ignores: Callable[[Shape], bool] = lambda shape: False,
    observer: Observer | None = None,
) -> Told:
    """`events`: what happens before that second. `unseen`: fields of the samples that this machine cannot read.

    `refuses`, `ignores`: shapes that the agent refuses, or never comes round to.
    """
    observer = observer or Observer(pod)
    fleet = LonePod(law=law, limits=limits, trial=law is not recommend)
    samples: list[Sample] = []
    decisions: list[tuple[int, Said]] = []
    refused: Shape | None = None
    for second in range(1, seconds + 1):
        if events and second in events:
            events[second](pod)
        samples.append(replace(observer.second(), **(unseen or {})))
        said = fleet.second(samples[-KEPT_S:], refused)
        refused = None
        fleet.survive_a_restart()
        if said.kind == "change":
            if refuses(said.to_shape):
                refused = said.to_shape
            elif not ignores(said.to_shape):
                pod.change(said.to_shape, swap_s)
        newest = decisions[-1][1] if decisions else None
        if newest is None or (said.kind, said.reason) != (newest.kind, newest.reason) or said.kind == "change":
            decisions.append((second, said))
    return Told(decisions, samples, pod.shape, fleet.memory)


@cache
def best_of_grid(workload: Workload, clients: int, seconds: int = 4) -> float:
    """Requests a second of the best fixed shape of the screen's grid."""
    return max(throughput_of(workload, shape, clients, seconds) for shape in SCREEN)


def throughput_of(workload: Workload, shape: Shape, clients: int, seconds: int = 4) -> float:
    pod = Pod(workload, shape, clients=clients, seed=7)
    pod.clock.run_until(1.5)
    before = pod.done
    pod.clock.run_until(1.5 + seconds)
    return (pod.done - before) / seconds
