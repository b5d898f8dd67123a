"""Let the autopilot serve a simulated pod for a while, and hold what it reaches against a grid of fixed shapes."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from tests.simulator.agent import SWAP_S, SimAgent, nothing
from tests.simulator.flight import Flight
from tests.simulator.observe import Observer
from tests.simulator.pod import Pod
from tests.simulator.workload import Workload
from uwsgi_autopilot.api.shape import Shape

# Half of the bench's grid: a flight is held against the best of it, and all of it takes minutes for each workload.
SCREEN = [Shape(processes, threads) for processes in (1, 2, 4, 8, 12, 16) for threads in (1, 3, 6, 16, 64)]


def tell(
    pod: Pod,
    seconds: int,
    *,
    swap_s: float = SWAP_S,
    events: Mapping[int, Callable[[Pod], None]] | None = None,
    refuses: Callable[[Shape], bool] = nothing,
    ignores: Callable[[Shape], bool] = nothing,
    observer: Observer | None = None,
    **tuning: Any,
) -> Flight:
    """`events`: what happens before that second. `refuses`, `ignores`: as in SimAgent. `tuning`: of the manifest."""
    agent = SimAgent(pod, observer=observer)
    agent.swap_s, agent.refuses, agent.ignores = swap_s, refuses, ignores
    flight = Flight(agent, **tuning)
    for second in range(1, seconds + 1):
        if events and second in events:
            events[second](pod)
        flight.second(1000.0 + second)
    return flight


@cache
def best_of_grid(workload: Workload, clients: int, seconds: int = 3) -> float:
    """Requests a second of the best fixed shape of the screen's grid."""
    return max(throughput_of(workload, shape, clients, seconds) for shape in SCREEN)


def throughput_of(workload: Workload, shape: Shape, clients: int, seconds: int = 4) -> float:
    pod = Pod(workload, shape, clients=clients, seed=7)
    pod.clock.run_until(1.5)
    before = pod.done
    pod.clock.run_until(1.5 + seconds)
    return (pod.done - before) / seconds
