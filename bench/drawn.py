"""Workloads drawn at random: nobody chose them, and the same seed always gives the same ones. Pure."""

import math
import random

from bench.named import synthetic
from bench.parameters import Parameters
from bench.workload import Workload

# Milliseconds. CPU and waits are drawn evenly in their logarithms: 1 to 2 ms is as likely as 10 to 20.
CPU_MS = (0.2, 20.0)
WAIT_MS = (1.0, 150.0)
SLOW_MS = 1000.0  # the longest wait of the few that are slow
CLIENTS = (8, 128)
# How likely each trait is; those of a wait are left out where there is none.
NO_WAIT = 0.15
NATIVE = 0.2
POOL = 0.2
BIMODAL = 0.15
LIMIT = 0.1
DEGRADES = 0.1


def draw_workloads(seed: int, count: int) -> list[Workload]:
    """The first ones of a seed do not depend on `count`."""
    return [draw_workload(seed, number) for number in range(1, count + 1)]


def draw_workload(seed: int, number: int) -> Workload:
    # Only random() is used: its numbers are the same in every version of Python. Each trait is drawn whether or not it
    # is used, so that another probability leaves the rest of the workload as it was.
    source = random.Random(f"{seed}/{number}")
    draw = [source.random() for _ in range(16)]

    def between(low: float, high: float, at: float) -> float:
        return low * math.exp(at * math.log(high / low))

    clients = round(between(*CLIENTS, draw[0]))
    cpu, waits = between(*CPU_MS, draw[1]), draw[2] >= NO_WAIT
    wait = between(*WAIT_MS, draw[3]) if waits else 0.0
    unlocked = draw[5] if draw[4] < NATIVE else 0.0
    bimodal = waits and draw[6] < BIMODAL
    backend = draw[7] if waits else 1.0
    parameters = Parameters(
        wait_ms=round(wait, 2),
        cpu_ms=round(cpu * (1 - unlocked), 3),
        native_ms=round(cpu * unlocked, 3),
        slow_share=round(between(0.02, 0.3, draw[8]), 3) if bimodal else 0.0,
        slow_wait_ms=round(min(SLOW_MS, wait * between(4, 30, draw[9])), 1) if bimodal else 0.0,
        pool=round(between(2, 12, draw[10])) if backend < POOL else 0,
        limit=round(between(4, 32, draw[11])) if POOL <= backend < POOL + LIMIT else 0,
        degrades_from=round(between(4, 32, draw[12])) if POOL + LIMIT <= backend < POOL + LIMIT + DEGRADES else 0,
        degrades_power=round(1 + draw[13], 2),
        spread=(0.0, 0.1, 0.3)[int(3 * draw[14])],
    )
    return synthetic(f"random-{seed}-{number:02}", parameters, clients=clients)
