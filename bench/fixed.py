"""Measure one fixed shape of an application that is being served under load: set it, wait, and take a window."""

import time
from dataclasses import dataclass

from bench.load import Load, Window
from bench.machine import Share, read_use, share_between
from uwsgi_autopilot.api.sample import Sample
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.local.session import Session

# Where a request takes long, a window holds so many of its durations.
SERVICE_TIMES = 5
# The agent's seconds and the generator's windows do not begin together: so much of a sample may lie outside.
EDGE_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """samples: the agent's, of the seconds within the window. share: of the CPUs; None where it cannot be seen."""

    window: Window
    samples: list[Sample]
    share: Share | None


class FixedShapes:
    """No autopilot may be stepping meanwhile. change_s: the longest that a change may take. afresh: the load is cut off
    before each change, where requests last so long that those of before would be served by the shape of before."""

    def __init__(self, session: Session, load: Load, *, change_s: float, afresh: bool = False) -> None:
        self.session, self.load, self.change_s, self.afresh = session, load, change_s, afresh

    def look(self, shape: Shape, warm_s: float, seconds: float) -> Look:
        """Change to `shape`, leave out `warm_s`, measure for `seconds` or more. Raises NotServing."""
        if self.afresh:
            self.load.abandon()
        self.session.set_shape(shape, self.change_s)
        seconds = max(seconds, SERVICE_TIMES * self._service_s())
        before = read_use()
        window = self.load.window(warm_s, seconds, self.session.step)
        after, end = read_use(), time.monotonic()
        self.session.poll()
        samples = [
            each
            for each in self.session.pod.samples
            if each.settled
            and each.shape == shape
            and each.at - each.seconds >= end - seconds - EDGE_S
            and each.at <= end + EDGE_S
        ]
        share = share_between(before, after) if before and after else None
        return Look(window=window, samples=samples, share=share)

    def _service_s(self) -> float:
        """Seconds that a request takes, of the last ones."""
        samples = list(self.session.pod.samples)[-5:]
        requests = sum(sample.requests for sample in samples)
        return sum(sample.service_s for sample in samples) / requests if requests else 0.0
