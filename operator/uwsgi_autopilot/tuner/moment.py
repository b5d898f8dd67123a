"""What one call of the tuner works on, and how it words an answer: a change or a hold."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner.decision import Decision, Kind
from uwsgi_autopilot.tuner.guards import Situation, first_objection
from uwsgi_autopilot.tuner.limits import Limits
from uwsgi_autopilot.tuner.load import WINDOW_S, Load, load_of
from uwsgi_autopilot.tuner.memory import Memory
from uwsgi_autopilot.api.sample import Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """`samples` is not empty; its newest one is the present."""

    samples: Sequence[Sample]
    limits: Limits

    @property
    def newest(self) -> Sample:
        return self.samples[-1]

    @property
    def shape(self) -> Shape:
        return self.newest.shape

    def load(self, memory: Memory, since: float | None, seconds: float = WINDOW_S) -> Load | None:
        load = load_of(
            self.samples, since=-math.inf if since is None else since, seconds=seconds, cores=self.limits.cores
        )
        if load is None or memory.pool_size is None:
            return load
        return replace(load, pool_size=max(memory.pool_size, load.pool_size or 0))

    def objection(self, memory: Memory, load: Load | None) -> Decision | None:
        """What speaks against a change at this moment, as the decision to hold."""
        found = first_objection(Situation(memory=memory, samples=self.samples, load=load))
        return None if found is None else hold(self.shape, found.reason, found.message)


Result = tuple[Memory, Decision]


def hold(shape: Shape, reason: Reason, message: str) -> Decision:
    return Decision(kind=Kind.HOLD, from_shape=shape, to_shape=shape, reason=reason, message=message)


def change(load: Load, shape: Shape, reason: Reason, message: str, expected: float) -> Decision:
    numbers = {
        "throughput_rps": load.throughput,
        "expected_rps": expected,
        "wait_s": load.wait_s,
        "cpu_s": load.cpu_s,
        "service_s": load.service_s,
        "in_service": load.in_service,
        "queued": load.queued,
        "cores_used": load.cores_used,
    }
    return Decision(
        kind=Kind.CHANGE, from_shape=load.shape, to_shape=shape, reason=reason, message=message, numbers=numbers
    )
