"""How much a shape would serve: a closed queueing network of waits, one interpreter lock per process, and shared cores.

Each process is a delay (I/O) and one server (its interpreter lock); its requests are customers. Mean-value analysis
gives its throughput exactly for exponential times and within a few percent for others. Measured against the model:
20 ms wait + 2 ms CPU on two cores: 2x2 166/174, 2x8 499/598, 2x16 707/740, 4x12 832/843 requests/s.
"""

import math

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.tuner.load import Load

# CPU that handing over the interpreter lock costs when several threads want it (measured: 0.2 to 0.4 ms).
HANDOVER_S = 0.0003
# Exponent of the smooth minimum of what processes and cores can do. It gives processes = cores 0.84 of the cores
# (measured 0.85: a process that waits leaves its core idle), and twice as many processes 0.985.
SMOOTHNESS = 4.0
# Below this ratio of wait to CPU a second thread only gets in the first one's way. Measured with pure CPU on two
# cores: 4x8 serves 0.75 of 4x1, 2x4 with two clients 0.64 of 2x1; but 1x8, with a core to spare, all of 1x1.
PURE_CPU = 0.15
CONVOY = 0.8


def predict(load: Load, shape: Shape) -> float:
    """Requests a second that `shape` would serve under this load, scaled by what the present shape really serves."""
    return load.throughput * gain(load, shape)


def gain(load: Load, shape: Shape) -> float:
    """Predicted throughput of `shape` over that of the present shape: 1.1 is ten percent more."""
    here = modelled(load, load.shape)
    return modelled(load, shape) / here if here > 0 else 1.0


def lock_demand(load: Load) -> float:
    """Seconds for which a request holds the interpreter lock. A worker above one core runs code that releases it."""
    return load.cpu_s / max(1.0, load.worker_cpu) if load.worker_cpu > 1.15 else load.cpu_s


def modelled(load: Load, shape: Shape) -> float:
    """Requests a second by the model alone."""
    customers = min(float(shape.threads), max(1.0, load.demand) / shape.processes)
    if load.pool_size is not None:
        customers = min(customers, float(load.pool_size))
    demand = lock_demand(load) + (HANDOVER_S if shape.threads > 1 and customers > 1 else 0.0)
    by_processes = shape.processes * _process(customers, load.wait_s, demand)
    by_cores = max(0.05, load.cores - load.foreign_cpu) / max(load.cpu_s, 1e-5)
    rate = smooth_minimum(by_processes, by_cores)
    if shape.threads > 1 and shape.processes >= load.cores and load.wait_per_cpu < PURE_CPU:
        rate *= CONVOY
    return rate


def smooth_minimum(one: float, other: float) -> float:
    least = min(one, other)
    if least <= 0:
        return 0.0
    return least / math.pow(1.0 + math.pow(least / max(one, other), SMOOTHNESS), 1.0 / SMOOTHNESS)


def _process(customers: float, wait_s: float, demand_s: float) -> float:
    """Requests a second of one process with this many requests in it; fractions are interpolated."""
    whole = math.floor(customers)
    rate = length = 0.0
    rates = [0.0]
    for number in range(1, whole + 2):
        response = demand_s * (1.0 + length)
        rate = number / max(wait_s + response, 1e-6)
        length = rate * response
        rates.append(rate)
    return rates[whole] + (customers - whole) * (rates[whole + 1] - rates[whole])
