"""What a shape must be worth to be asked for: its price, the swaps left, and whether anything could be gained."""

import math

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.tuner.candidates import Candidate
from uwsgi_autopilot.tuner.load import Load
from uwsgi_autopilot.tuner.memory import Memory
from uwsgi_autopilot.tuner.model import Work

# What a factor of e in processes or threads must bring, as ln of the gain: memory, connections, caches.
PROCESS_PRICE = 0.004
THREAD_PRICE = 0.001
AVOIDABLE = 0.04  # share of the time in the pod below which no shape is worth a probe
BUSY = 0.3  # share of the cores below which, with free slots, there is too little load to learn from
# What a workload can use: processes = cores + CORES_ROOT * sqrt(cores).
CORES_ROOT = 1.4
SWAPS_OF_PROBES = 3  # what it took to find that the backend slows down


def price(here: Shape, there: Shape) -> float:
    """What the larger shape has to bring, and the smaller one may lose."""
    processes = PROCESS_PRICE * math.log(there.processes / here.processes)
    return processes + THREAD_PRICE * math.log(there.threads / here.threads)


def could_gain(load: Load) -> bool:
    return load.avoidable >= AVOIDABLE and (load.pressed or load.cores_used >= BUSY * load.cores)


def affordable(memory: Memory, load: Load, work: Work, found: Candidate) -> bool:
    more_swaps = 0 if work.slowdown is None else SWAPS_OF_PROBES
    return memory.affords(swap=found.shape.threads != load.shape.threads, more_swaps=more_swaps)


def fewest(load: Load) -> int:
    """One process alone is a single point of failure, and its lock hides what the backend could serve."""
    return min(2, processes_for_cores(load))


def processes_for_cores(load: Load) -> int:
    return max(1, round(load.cores + CORES_ROOT * math.sqrt(load.cores)))
