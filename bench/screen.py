"""The screen of one workload: let the autopilot find its shape, look at the grid, then compare the finalists.

Everything happens in one session on one machine, minutes apart: the same nginx, the same agent, the same generated
configuration, only the shape differs. The tuner steers in the first part and is silent in the others.
"""

import os
import random
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from bench import grid
from bench.figures import noise, percent, ratios_to_best
from bench.load import Load, Window, load_for
from bench.machine import Share, mean_share, read_use, share_between
from bench.result import Flight, Measured, Result, Round, mean_of
from bench.workload import Workload
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import Mode, ResourceLimits, TuningSpec, UwsgiApp
from uwsgi_autopilot.errors import NotServing
from uwsgi_autopilot.local.autopilot import CHANGES, Autopilot
from uwsgi_autopilot.local.programs import Programs
from uwsgi_autopilot.local.ready import wait_ready
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
Say = Callable[[str], None]
SCREEN = Pace()


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
        wait_ready(session)
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
        finalists = finals[0].windows
        rounds = [{str(shape): window.rps for shape, window in each.windows.items()} for each in finals]
        best = str(max(finalists, key=lambda shape: mean_of(finals, shape).rps))
        return Result(
            workload=self.workload,
            generator=self.load.name,
            flight=flight,
            measured=[
                *self._grid_rows(known),
                *(Measured.of(shape, "final", mean_of(finals, shape)) for shape in finalists),
            ],
            percent=percent(ratios_to_best(rounds, str(flight.shape))),
            contestants={name: (shape, _against(rounds, str(shape), best)) for name, shape in rivals.items()},
            noise=noise([(each.windows[top[0]].rps, each.again.rps) for each in finals]),
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

    def _finals(self, shapes: list[Shape], *, twice: Shape) -> list[Round]:
        rounds: list[Round] = []
        last: Shape | None = None
        for number in range(1, self.pace.rounds + 1):
            staying = [s for s in shapes if number <= ROUNDS_OF_HOPELESS or not self._hopeless(rounds, s, twice)]
            windows: dict[Shape, list[Window]] = {}
            for shape in grid.shuffled([*staying, twice], after=last, draw=self.draw):
                windows.setdefault(shape, []).append(self._undisturbed(shape, self.pace.final))
                last = shape
            rounds.append(
                Round(windows={shape: found[0] for shape, found in windows.items()}, again=windows[twice][-1])
            )
            told = "  ".join(f"{shape} {found[0].rps:.0f}" for shape, found in sorted(windows.items()))
            self.say(f"  round {number} of {self.pace.rounds}: {told}")
        return rounds

    def _hopeless(self, rounds: list[Round], shape: Shape, best: Shape) -> bool:
        """Only contestants may leave: not the grid's best, nor what the autopilot found (it is above this, or lost)."""
        if shape not in contestants(_cores()).values():
            return False
        return mean_of(rounds, shape).rps < HOPELESS * mean_of(rounds, best).rps

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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
