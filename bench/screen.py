"""The screen of one workload: let the autopilot find its shape, look at the grid, then compare the finalists.

Everything happens in one session on one machine, minutes apart: the same nginx, the same agent, the same generated
configuration, only the shape differs. The tuner steers in the first part and is silent in the others.
"""

import os
import random
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace

from bench import grid
from bench.figures import noise, percent, ratios_to_best
from bench.finals import LEAST_RPS, Finals, percent_of, rps_of
from bench.fixed import FixedShapes
from bench.flight import fly
from bench.latency import MAX_RATE, Latency, compare, ties
from bench.load import BuiltIn, Load, Window
from bench.machine import mean_share
from bench.pace import FEW_LOOKS, SCREEN, Pace
from bench.result import Flight, Measured, Result, Round, mean_of
from bench.rivals import Rival, started
from bench.serving import arrivals, served
from bench.spent import Spent
from bench.workload import Workload
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.errors import NotServing
from uwsgi_autopilot.local.programs import Programs
from uwsgi_autopilot.local.session import Session

Say = Callable[[str], None]


def contestants(cores: int) -> dict[str, Shape]:
    """What people use when they do not measure."""
    return {
        "uWSGI's default": Shape(1, 1),
        "usual rule (cores, 2 x cores)": Shape(cores, 2 * cores),
        "2n+1 processes": Shape(2 * cores + 1, 1),
    }


def run_screen(
    workload: Workload,
    programs: Programs,
    *,
    starts: Sequence[Shape],
    seed: int,
    say: Say,
    pace: Pace = SCREEN,
    rivals: Sequence[Rival] = (),
) -> Result:
    """rivals: other servers that take part in the finals.

    Raises NotServing, with what the application said, when it cannot be served.
    """
    began = time.monotonic()
    said: deque[str] = deque(maxlen=40)
    with served(workload, programs, start=starts[0], sink=said.append) as (session, load), ExitStack() as stack:
        running = {each.name: stack.enter_context(started(each, workload, programs)) for each in rivals}
        try:
            screen = _Screen(workload, session, load, random.Random(seed), say, pace, running)
            result = screen.run(starts)
        except NotServing as error:
            raise NotServing("\n".join([str(error), *said])) from None
    for each in (load, screen.steady):
        if each is not None:
            result.sent, result.failed = result.sent + each.sent, result.failed + each.failed
            for why, count in each.failures.items():
                result.failures[why] = result.failures.get(why, 0) + count
    result.seconds = time.monotonic() - began
    return result


class _Screen:
    def __init__(
        self,
        workload: Workload,
        session: Session,
        load: Load,
        draw: random.Random,
        say: Say,
        pace: Pace,
        rivals: Mapping[str, Load],
    ) -> None:
        self.workload, self.session, self.load, self.draw, self.say = workload, session, load, draw, say
        self.pace, self.rivals = pace, rivals
        self.fixed = FixedShapes(session, load, change_s=workload.change_s, afresh=workload.streams > 0)
        self.steady: BuiltIn | None = None
        self.spent = Spent()
        self.refused: dict[Shape, str] = {}
        self.seen: dict[Shape, Window] = {}

    def run(self, starts: Sequence[Shape]) -> Result:
        # How many requests an open loop sends depends on the best shape: then the grid comes first.
        known = self._grid() if self.workload.open_share else None
        if known is not None:
            self._arrive(max(known.values()))
        with self.spent.on("flights"):
            flights = [self._fly(start) for start in starts]
        if known is None:
            known = self._grid()
        top = grid.leaders(known, self.pace.finalists)
        self.say(f"grid: {len(known)} shapes measured, ahead are {' and '.join(map(str, top))}")
        rivals = {name: shape for name, shape in contestants(_cores()).items() if shape not in self.refused}
        found = [each.shape for each in flights]
        staged = Finals(
            session=self.session,
            load=self.load,
            fixed=self.fixed,
            rivals=self.rivals,
            pace=self.pace,
            draw=self.draw,
            say=self.say,
            spent=self.spent,
            cut_off=self.workload.streams > 0,
        )
        shapes = list(dict.fromkeys([*top, *found, *rivals.values()]))
        finals = staged.run(shapes, twice=top[0], found=found, may_leave=list(rivals.values()))
        finalists = finals[0].windows
        rounds = [rps_of(each) for each in finals]
        best = max(finalists, key=lambda shape: mean_of(finals, shape).rps)
        spread = noise([(rps_of(each)[str(top[0])], max(each.again.rps, LEAST_RPS)) for each in finals])
        return Result(
            workload=self.workload,
            generator=self.load.name,
            flights=[replace(each, percent=percent(ratios_to_best(rounds, str(each.shape)))) for each in flights],
            measured=[
                *self._grid_rows(known),
                *(Measured.of(shape, "final", mean_of(finals, shape)) for shape in finalists),
            ],
            contestants={name: (shape, _against(rounds, str(shape), str(best))) for name, shape in rivals.items()},
            rivals={name: percent_of(finals, name, best) for name in self.rivals},
            noise=spread,
            share=mean_share(staged.shares),
            repeated=staged.repeated,
            rounds=rounds,
            latency=self._latencies(found, finals, spread),
            spent=self.spent,
        )

    def _fly(self, start: Shape) -> Flight:
        if self.session.shape != start:
            self.session.set_shape(start, self.workload.change_s)
        load = self.steady or self.load
        load.keep_going()
        flight = fly(self.session, load, self.pace)
        self.say(
            f"from {start} the autopilot found {flight.shape} in {flight.seconds:.0f} s with {flight.changes} changes"
        )
        if self.steady or self.workload.streams:
            load.stop()  # what is in flight is answered, and counts
        return flight

    # An open loop

    def _arrive(self, capacity: float) -> None:
        assert self.workload.open_share is not None
        self.rate = min(MAX_RATE, self.workload.open_share * capacity)
        self.load.stop()
        self.say(f"{self.rate:.0f} Poisson arrivals a second from now on")
        self.steady = arrivals(self.workload, self.session.url, self.rate, record=self.session.children.lifeline)

    def _latencies(self, found: Sequence[Shape], finals: Sequence[Round], spread: float | None) -> list[Latency]:
        """For each flight; nothing where throughput is judged."""
        if self.steady is None:
            return []
        self.load.stop()
        fixed = FixedShapes(self.session, self.steady, change_s=self.workload.change_s)
        finalists = [shape for shape in finals[0].windows if all(shape in each.windows for each in finals)]
        level = ties({shape: mean_of(finals, shape).rps for shape in finalists}, spread)
        measured = {}
        for shape in dict.fromkeys(found):
            self.steady.keep_going()
            with self.spent.on("latency"):
                measured[shape] = compare(
                    fixed, self.steady, shape, level, rate=self.rate, pace=self.pace, draw=self.draw
                )
        return [measured[shape] for shape in found]

    # Fixed shapes

    def _grid(self) -> dict[Shape, float]:
        looks = min(self.pace.looks, FEW_LOOKS) if self.workload.slow_to_start else self.pace.looks
        with self.spent.on("grid"):
            return grid.search(self.workload.clients, self._look, at_most=looks)

    def _look(self, shape: Shape) -> float:
        try:
            self.seen[shape] = self.fixed.look(shape, *self.pace.look).window
        except NotServing as error:
            self.refused[shape] = str(error)
            self.say(f"  {shape}: {error}")
            return 0.0
        self.say(f"  {shape!s:>5}  {self.seen[shape].rps:8.1f} requests/s")
        return self.seen[shape].rps

    def _grid_rows(self, known: dict[Shape, float]) -> list[Measured]:
        nothing = Window(rps=0.0, p50_ms=None, p99_ms=None, failed=0)
        return [
            Measured.of(shape, "grid", self.seen.get(shape, nothing), self.refused.get(shape))
            for shape in sorted(known)
        ]


def _against(rounds: list[dict[str, float]], shape: str, best: str) -> float:
    return percent([each[shape] / each[best] for each in rounds if shape in each]).value


def _cores() -> int:
    return len(os.sched_getaffinity(0))
