"""What a pod under closed-loop clients does in a second at a given shape: bounds that a textbook gives, no simulation.

Good enough to lead the law through a whole search: it waits, computes, queues, and is bound by slots, interpreter locks
or cores. `tests/simulator` is the one that is right, and costs a hundred times as much.
"""

import json
from dataclasses import dataclass
from functools import lru_cache

from uwsgi_autopilot.api.sample import Census, Sample
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.report.histogram import bucket_of

# A core that runs Python does not get to its last percent.
USABLE = 0.95
# So many different seconds there are of each load, within 1 % of each other.
VARIANTS = 8
NOISE = 0.01


@dataclass(frozen=True, slots=True)
class Load:
    """clients: of one pod. wait_s, cpu_s: of a request. cores: that the pod may use."""

    clients: int = 0
    wait_s: float = 0.02
    cpu_s: float = 0.002
    cores: float = 2.0

    def throughput(self, shape: Shape) -> float:
        """Requests a second."""
        inside = self.wait_s + self.cpu_s
        return min(
            self.clients / inside,
            shape.processes * shape.threads / inside,
            min(shape.processes, self.cores) * USABLE / self.cpu_s,
        )


IDLE = Load()


@lru_cache(maxsize=4096)
def second(load: Load, shape: Shape, generation: int, settled: bool, variant: int) -> str:
    """A sample as the agent writes it, without its first two fields, which alone differ from second to second."""
    slots = shape.processes * shape.threads
    rps = load.throughput(shape) * (1 + NOISE * (variant - VARIANTS / 2) / VARIANTS)
    busy = min(slots, load.clients)
    queue = load.clients - busy
    running = rps * load.cpu_s
    waiting = rps * load.wait_s
    sample = Sample(
        seq=0,
        at=0.0,
        seconds=1.0,
        generation=generation,
        shape=shape,
        settled=settled,
        requests=round(rps),
        queue_mean=float(queue),
        queue_max=queue,
        busy=float(busy),
        service_s=float(busy),
        cpu_s=round(running, 4),
        worker_cpu=round(running / shape.processes, 4),
        runqueue_s=0.0,
        cores=load.cores,
        memory_bytes=12_000_000 + 25_000_000 * shape.processes,
        worker_bytes=25_000_000,
        master_bytes=12_000_000,
        census=Census(
            running=round(running, 3),
            io=round(waiting, 3),
            interpreter_lock=round(max(0.0, busy - running - waiting), 3),
            application_lock=0.0,
            idle=float(slots - busy),
            looks=10 * slots,
        ),
        latency=((bucket_of(load.clients / rps), round(rps)),) if rps else (),
        upstream=((bucket_of(load.clients / rps), round(rps)),) if rps else (),
    )
    text = json.dumps(sample.to_json())
    head = '{"seq": 0, "at": 0.0, '
    assert text.startswith(head), text
    return text[len(head) :]
