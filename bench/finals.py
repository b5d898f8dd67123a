"""The rounds: finalists, contestants and other servers in turn, in random order, until the figures are sure enough."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bench import grid
from bench.figures import percent, ratios_to_best
from bench.fixed import FixedShapes
from bench.load import Load, Window
from bench.machine import Share
from bench.pace import Pace
from bench.result import Round, mean_of
from bench.spent import Spent
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.local.session import Session

# Who is this far behind after two rounds leaves: its place is clear, and its time is worth more elsewhere.
HOPELESS = 0.8
ROUNDS_OF_HOPELESS = 2
# Others used more of the machine than this: that window is measured again.
REPEAT_FOREIGN = 0.05
# Stands for nothing where ratios are compared in their logarithms: half an answer in a window of 2.5 s.
LEAST_RPS = 0.2


@dataclass
class Finals:
    """fixed: of `load`. cut_off: requests last so long that nobody waits for them when the load has to pause. shares:
    of the CPUs, a window each. repeated: windows that were measured again."""

    session: Session
    load: Load
    fixed: FixedShapes
    rivals: Mapping[str, Load]
    pace: Pace
    draw: random.Random
    say: Callable[[str], None]
    spent: Spent
    cut_off: bool = False
    shares: list[Share] = field(default_factory=list)
    repeated: int = 0

    def run(
        self, shapes: Sequence[Shape], *, twice: Shape, found: Sequence[Shape], may_leave: Sequence[Shape]
    ) -> list[Round]:
        """twice: the grid's best, measured as two generations. found: by the autopilot, from each start. may_leave:
        the contestants, unless they are among those."""
        rounds: list[Round] = []
        last: Shape | None = None
        leaving = set(may_leave) - {twice, *found}
        while len(rounds) < self.pace.rounds or self._unsure(rounds, found):
            early = len(rounds) < ROUNDS_OF_HOPELESS
            staying = [s for s in shapes if early or s not in leaving or not _hopeless(rounds, s, twice)]
            windows: dict[Shape, list[Window]] = {}
            for shape in grid.shuffled([*staying, twice], after=last, draw=self.draw):
                with self.spent.on("finals"):
                    windows.setdefault(shape, []).append(self._undisturbed(shape))
                last = shape
            with self.spent.on("rivals"):
                others = self._others(rounds, twice)
            firsts = {shape: seen[0] for shape, seen in windows.items()}
            rounds.append(Round(windows=firsts, again=windows[twice][-1], rivals=others))
            told = "  ".join(f"{shape} {seen[0].rps:.0f}" for shape, seen in sorted(windows.items()))
            self.say(f"  round {len(rounds)}: {told}")
        return rounds

    def _unsure(self, rounds: Sequence[Round], found: Sequence[Shape]) -> bool:
        """Whether the interval of a flight is wider than it may be, and another round is allowed."""
        if len(rounds) >= self.pace.rounds_at_most:
            return False
        values = [rps_of(each) for each in rounds]
        intervals = [percent(ratios_to_best(values, str(shape))) for shape in found]
        return any(each.low is None or each.value - each.low > self.pace.sure for each in intervals)

    def _others(self, rounds: Sequence[Round], best: Shape) -> dict[str, Window]:
        """A window of each other server that is not hopeless, while ours has nothing to do."""
        early = len(rounds) < ROUNDS_OF_HOPELESS
        staying = {
            name: load
            for name, load in self.rivals.items()
            if early or percent_of(rounds, name, best) >= 100 * HOPELESS
        }
        if not staying:
            return {}
        self._pause(self.load)
        windows = {}
        for name, load in staying.items():
            windows[name] = load.window(*self.pace.final, self.session.step)
            self._pause(load)
        self.say("    " + "  ".join(f"{name} {window.rps:.0f}" for name, window in windows.items()))
        return windows

    def _undisturbed(self, shape: Shape) -> Window:
        """Measure again when somebody else was using the machine, as long as that may help."""
        while True:
            found = self.fixed.look(shape, *self.pace.final)
            share = found.share
            quiet = share is None or share.foreign + share.steal <= REPEAT_FOREIGN
            if quiet or self.repeated >= self.pace.repeats:
                self.shares += [share] if share else []
                return found.window
            self.repeated += 1

    def _pause(self, load: Load) -> None:
        load.abandon() if self.cut_off else load.stop()


def _hopeless(rounds: Sequence[Round], shape: Shape, best: Shape) -> bool:
    return mean_of(rounds, shape).rps < HOPELESS * mean_of(rounds, best).rps


def rps_of(each: Round) -> dict[str, float]:
    """Of one that served nothing, something: the ratios are compared in their logarithms."""
    return {str(shape): max(window.rps, LEAST_RPS) for shape, window in each.windows.items()}


def percent_of(finals: Sequence[Round], rival: str, best: Shape) -> float:
    """Of the best shape in the same rounds."""
    both = [(each.rivals[rival].rps, each.windows[best].rps) for each in finals if rival in each.rivals]
    return percent([max(one, LEAST_RPS) / max(other, LEAST_RPS) for one, other in both]).value
