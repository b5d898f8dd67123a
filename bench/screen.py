"""The screen of one workload: let the autopilot find its shape, look at the grid, then compare the finalists.

Everything happens in one session on one machine, minutes apart: the same nginx, the same agent, the same generated
configuration, only the shape differs. The tuner steers in the first part and is silent in the others.
"""

import os
import random
import socket
import statistics
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from bench import grid
from bench.figures import Percent, noise, percent, ratios_to_best
from bench.load import Load, Window, load_for
from bench.machine import Share, mean_share, read_use, share_between
from bench.workload import Workload
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import Mode, ResourceLimits, TuningSpec, UwsgiApp
from uwsgi_autopilot.errors import NotServing
from uwsgi_autopilot.local.autopilot import CHANGES, Autopilot
from uwsgi_autopilot.local.programs import Programs
from uwsgi_autopilot.local.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long everything takes. A window is (seconds left out, seconds measured).

    The autopilot's part ends when nothing has changed for `calm_s`, but lasts from `flight_at_least_s` to `flight_s`:
    the verdict on a change takes up to 15 s, and a search has several. repeats: how many windows of the finals may
    be measured again because others used the machine.
    """

    flight_s: float = 60.0
    flight_at_least_s: float = 30.0
    calm_s: float = 15.0
    look: tuple[float, float] = (0.5, 1.5)
    final: tuple[float, float] = (0.5, 2.0)
    rounds: int = 4
    repeats: int = 12


# Where a request takes long, a window holds so many of its durations.
SERVICE_TIMES = 5
FINALISTS = 2
# A contestant this far behind after two rounds leaves: its place is clear, and its time is worth more elsewhere.
HOPELESS = 0.8
ROUNDS_OF_HOPELESS = 2
# Others used more of the machine than this: that window of the finals is measured again.
REPEAT_FOREIGN = 0.05
# A screen is short: beyond these its figures are marked as noisy, in percent.
MAX_NOISE = 5.0
MAX_FOREIGN = 5.0
MAX_STEAL = 2.0
Say = Callable[[str], None]
SCREEN = Pace()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One shape: the mean of its windows in `stage` (grid or final). refused: why it could not serve, else None."""

    shape: Shape
    stage: str
    rps: float
    p50_ms: float | None
    p99_ms: float | None
    failed: int
    refused: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    """seconds: from the first answer to the last change's end. changes: those taken back too. swaps: generations."""

    shape: Shape
    seconds: float
    changes: int
    swaps: int
    messages: list[str]


@dataclass(slots=True, kw_only=True)
class Result:
    """percent: the autopilot's shape against the best finalist. contestants: name to shape and percent of best.

    sent, failed: every request of the workload, changes included. noise: see figures.noise, percent.
    """

    workload: Workload
    generator: str
    flight: Flight
    measured: list[Measured]
    percent: Percent
    contestants: dict[str, tuple[Shape, float]]
    noise: float | None
    share: Share | None
    repeated: int
    rounds: list[dict[str, float]]
    sent: int = 0
    failed: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def best(self) -> Measured:
        return max((each for each in self.measured if each.stage == "final"), key=lambda each: each.rps)

    @property
    def doubts(self) -> list[str]:
        """Why the figures are less sure than they look."""
        found = []
        if self.noise is None or self.noise > MAX_NOISE:
            found.append(f"same shape twice: ±{self.noise or 100:.1f} %")
        if self.share and self.share.foreign > MAX_FOREIGN / 100:
            found.append(f"others used {self.share.foreign:.0%} of the CPUs")
        if self.share and self.share.steal > MAX_STEAL / 100:
            found.append(f"the hypervisor took {self.share.steal:.0%}")
        return found


def contestants(cores: int) -> dict[str, Shape]:
    """What people use when they do not measure."""
    return {
        "uWSGI's default": Shape(1, 1),
        "usual rule (cores, 2 x cores)": Shape(cores, 2 * cores),
        "2n+1 processes": Shape(2 * cores + 1, 1),
    }


def run_screen(
    workload: Workload, programs: Programs, *, start: Shape, seed: int, say: Say, pace: Pace = SCREEN
) -> Result:
    """Raises NotServing, with what the application said, when it cannot be served."""
    began = time.monotonic()
    said: deque[str] = deque(maxlen=40)
    app = UwsgiApp(
        name=workload.name,
        module=workload.module,
        options=workload.options,
        limits=ResourceLimits(memory=workload.memory),
        tuning=TuningSpec(mode=Mode.AUTO, start=start),
    )
    with Session(app, folder=workload.folder, port=_free_port(), programs=programs, sink=said.append) as session:
        session.wait_ready()
        load = load_for(workload, session.url, socket=str(session.run / "app.sock"), record=session.children.lifeline)
        try:
            screen = _Screen(workload, session, load, random.Random(seed), say, pace)
            result = screen.run()
        except NotServing as error:
            raise NotServing("\n".join([str(error), *said])) from None
        finally:
            load.stop()
    result.sent, result.failed, result.failures = load.sent, load.failed, load.failures
    result.seconds = time.monotonic() - began
    return result


class _Screen:
    def __init__(
        self, workload: Workload, session: Session, load: Load, draw: random.Random, say: Say, pace: Pace
    ) -> None:
        self.workload, self.session, self.load, self.draw, self.say = workload, session, load, draw, say
        self.pace = pace
        self.refused: dict[Shape, str] = {}
        self.seen: dict[Shape, Window] = {}
        self.shares: list[Share] = []
        self.repeated = 0

    def run(self) -> Result:
        self.load.keep_going()
        flight = self._fly()
        self.say(f"the autopilot found {flight.shape} in {flight.seconds:.0f} s with {flight.changes} changes")
        known = grid.search(self.workload.clients, self._look)
        top = grid.leaders(known, FINALISTS)
        self.say(f"grid: {len(known)} shapes measured, ahead are {' and '.join(map(str, top))}")
        rivals = {name: shape for name, shape in contestants(_cores()).items() if shape not in self.refused}
        finals = self._finals(list(dict.fromkeys([*top, flight.shape, *rivals.values()])), twice=top[0])
        rounds = [{str(shape): window.rps for shape, window in each.items()} for each, _ in finals]
        best = str(max(finals[0][0], key=lambda shape: _mean(finals, shape).rps))
        return Result(
            workload=self.workload,
            generator=self.load.name,
            flight=flight,
            measured=[*self._grid_rows(known), *(self._final_row(finals, shape) for shape in finals[0][0])],
            percent=percent(ratios_to_best(rounds, str(flight.shape))),
            contestants={name: (shape, _against(rounds, str(shape), best)) for name, shape in rivals.items()},
            noise=noise([(each[top[0]].rps, again.rps) for each, again in finals]),
            share=mean_share(self.shares),
            repeated=self.repeated,
            rounds=rounds,
        )

    # The autopilot

    def _fly(self) -> Flight:
        autopilot = Autopilot(self.session, mode=Mode.AUTO)
        begin = time.monotonic()
        changed = begin
        last = self.session.shape
        while True:
            self.session.step()
            autopilot.step()
            now = time.monotonic()
            if self.session.shape != last or not self.session.settled:
                last, changed = self.session.shape, now
            flown, pace = now - begin, self.pace
            if flown >= pace.flight_s or (flown >= pace.flight_at_least_s and now - changed >= pace.calm_s):
                break
            time.sleep(0.05)
        self._settle()
        assert self.session.shape is not None
        changes = [entry for entry in autopilot.history if entry.kind in CHANGES]
        return Flight(
            shape=self.session.shape,
            seconds=max(0.0, changed - (self.load.first_answer() or begin)) if changes else 0.0,
            changes=len(changes),
            swaps=self.session.state.counts.swaps if self.session.state else 0,
            messages=[entry.message for entry in autopilot.history],
        )

    def _settle(self) -> None:
        """A change that was asked for at the very end is still made."""
        deadline = time.monotonic() + 30
        while not self.session.settled and time.monotonic() < deadline:
            self.session.step()
            time.sleep(0.05)

    # Fixed shapes

    def _look(self, shape: Shape) -> float:
        try:
            self.seen[shape] = self._measure(shape, self.pace.look)
        except NotServing as error:
            self.refused[shape] = str(error)
            self.say(f"  {shape}: {error}")
            return 0.0
        self.say(f"  {shape!s:>5}  {self.seen[shape].rps:8.1f} requests/s")
        return self.seen[shape].rps

    def _measure(self, shape: Shape, window: tuple[float, float]) -> Window:
        self.session.set_shape(shape)
        warm, seconds = window
        return self.load.window(warm, max(seconds, SERVICE_TIMES * self._service_s()), self.session.step)

    def _undisturbed(self, shape: Shape, window: tuple[float, float]) -> Window:
        """Measure again when somebody else was using the machine, as long as that may help."""
        while True:
            before = read_use()
            found = self._measure(shape, window)
            after = read_use()
            share = share_between(before, after) if before and after else None
            quiet = share is None or share.foreign + share.steal <= REPEAT_FOREIGN
            if quiet or self.repeated >= self.pace.repeats:
                self.shares += [share] if share else []
                return found
            self.repeated += 1

    def _service_s(self) -> float:
        """Seconds that a request takes, of the last ones."""
        samples = list(self.session.pod.samples)[-5:]
        requests = sum(sample.requests for sample in samples)
        return sum(sample.service_s for sample in samples) / requests if requests else 0.0

    def _finals(self, shapes: list[Shape], *, twice: Shape) -> list[tuple[dict[Shape, Window], Window]]:
        """For each round the window of each shape, and the second one of `twice`."""
        rounds: list[tuple[dict[Shape, Window], Window]] = []
        last: Shape | None = None
        for number in range(1, self.pace.rounds + 1):
            staying = [s for s in shapes if number <= ROUNDS_OF_HOPELESS or not self._hopeless(rounds, s, twice)]
            windows: dict[Shape, list[Window]] = {}
            for shape in grid.shuffled([*staying, twice], after=last, draw=self.draw):
                windows.setdefault(shape, []).append(self._undisturbed(shape, self.pace.final))
                last = shape
            rounds.append(({shape: found[0] for shape, found in windows.items()}, windows[twice][-1]))
            told = "  ".join(f"{shape} {found[0].rps:.0f}" for shape, found in sorted(windows.items()))
            self.say(f"  round {number} of {self.pace.rounds}: {told}")
        return rounds

    def _hopeless(self, rounds: list[tuple[dict[Shape, Window], Window]], shape: Shape, best: Shape) -> bool:
        """Only contestants may leave: not the grid's best, nor what the autopilot found (it is above this, or lost)."""
        if shape not in contestants(_cores()).values():
            return False
        return _mean(rounds, shape).rps < HOPELESS * _mean(rounds, best).rps

    # Rows

    def _grid_rows(self, known: dict[Shape, float]) -> list[Measured]:
        nothing = Window(rps=0.0, p50_ms=None, p99_ms=None, failed=0)
        return [_row(shape, "grid", self.seen.get(shape, nothing), self.refused.get(shape)) for shape in sorted(known)]

    def _final_row(self, rounds: list[tuple[dict[Shape, Window], Window]], shape: Shape) -> Measured:
        return _row(shape, "final", _mean(rounds, shape), None)


def _row(shape: Shape, stage: str, window: Window, refused: str | None) -> Measured:
    return Measured(
        shape=shape,
        stage=stage,
        rps=window.rps,
        p50_ms=window.p50_ms,
        p99_ms=window.p99_ms,
        failed=window.failed,
        refused=refused,
    )


def _mean(rounds: list[tuple[dict[Shape, Window], Window]], shape: Shape) -> Window:
    """Means over the rounds in which the shape took part; the latencies' medians."""
    windows = [each[shape] for each, _ in rounds if shape in each]
    p50 = [window.p50_ms for window in windows if window.p50_ms is not None]
    p99 = [window.p99_ms for window in windows if window.p99_ms is not None]
    return Window(
        rps=statistics.fmean(window.rps for window in windows),
        p50_ms=statistics.median(p50) if p50 else None,
        p99_ms=statistics.median(p99) if p99 else None,
        failed=sum(window.failed for window in windows),
    )


def _against(rounds: list[dict[str, float]], shape: str, best: str) -> float:
    return percent([each[shape] / each[best] for each in rounds if shape in each]).value


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
