"""Let the autopilot steer an application under load until nothing changes any more, and note where it went."""

import time
from collections.abc import Sequence

from bench.load import Load
from bench.machine import read_use, share_between
from bench.pace import Pace
from bench.result import Flight
from bench.serving import step_until
from uwsgi_autopilot.api.sample import Sample
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import Mode
from uwsgi_autopilot.local.autopilot import CHANGES, Autopilot
from uwsgi_autopilot.local.session import Session
from uwsgi_autopilot.report.histogram import quantile

# A change that was asked for at the very end is still made.
SETTLE_S = 30.0


def fly(session: Session, load: Load, pace: Pace) -> Flight:
    """The load has been told to keep going."""
    session.pod.forget_samples()  # of shapes that somebody else set
    before = _swaps(session)
    autopilot = Autopilot(session, mode=Mode.AUTO)
    use = read_use()
    begin = changed = time.monotonic()
    last = session.shape or session.start_shape
    path: list[tuple[float, Shape]] = [(begin, last)]
    while True:
        session.step()
        autopilot.step()
        now = time.monotonic()
        if session.shape is not None and session.shape != last:
            last, changed = session.shape, now
            path.append((now, last))
        elif not session.settled:
            changed = now
        flown = now - begin
        calm_s = pace.calm_s if autopilot.busy else pace.settled_s
        if flown >= pace.flight_s or (flown >= pace.flight_at_least_s and now - changed >= calm_s):
            break
        time.sleep(0.05)
    word, after = autopilot.word, read_use()
    step_until(session, lambda: session.settled, SETTLE_S)
    assert session.shape is not None
    if session.shape != last:
        path.append((time.monotonic(), session.shape))
    # Of a load that has been running for long, the first answer under the autopilot counts.
    first = max(begin, load.first_answer() or begin)
    changes = [entry for entry in autopilot.history if entry.kind in CHANGES]
    said = [entry.message for entry in autopilot.history]
    return Flight(
        start=path[0][1],
        shape=session.shape,
        seconds=max(0.0, changed - first) if changes else 0.0,
        changes=len(changes),
        swaps=_swaps(session) - before,
        messages=list(dict.fromkeys([*said, word.message] if word else said)),
        share=share_between(use, after) if use and after else None,
        course=_course(list(session.pod.samples)),
        path=[(max(0.0, at - first), shape) for at, shape in path],
    )


def _course(samples: Sequence[Sample]) -> list[tuple[float, float, float | None]]:
    """The last two minutes at most: so many the agent's client keeps."""
    found = []
    for each in samples:
        p99 = quantile(dict(each.latency), 0.99)
        rps = each.requests / each.seconds
        found.append((each.at - samples[0].at, rps, None if p99 is None else 1000 * p99))
    return found


def _swaps(session: Session) -> int:
    return session.state.counts.swaps if session.state else 0
