"""python -m tests.simulator.figures [NAME ...] [--seeds N]: the law against the figures that it was given.

For each: what was asked, what was found, worst seed first. Simulated pods and recorded grids; with PYTHONHASHSEED=0 the
same figures each time. How a figure is defined stands where it is measured.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tests.simulator import changing, searching


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """asked: at least (or, with `most`, at most) so much of every flight. of: name and seed of a flight to what it
    reached, and how it got there."""

    what: str
    asked: float
    of: Callable[[int], Iterator[tuple[str, float, str]]]
    most: bool = False

    def holds(self, value: float) -> bool:
        return value <= self.asked if self.most else value >= self.asked


FIGURES = {
    "surge": [
        Figure(what="4 -> 200 clients: least % of the best, seconds 5 to 10", asked=95, of=changing.surge),
        Figure(what="4 -> 200 clients: least % of the best, seconds 10 to 40", asked=95, of=changing.surge_searched),
    ],
    "backend": [
        Figure(what="backend x 10 and back: s until 95 % of the best", asked=15, most=True, of=changing.backend),
        Figure(what="backend x 10 and back: least % of the best after 15 s", asked=90, of=changing.backend_after),
    ],
    "phases": [
        Figure(what="phases of 20 s: % of the one best shape for both, minutes 2 to 5", asked=95, of=changing.served),
        Figure(what="phases of 20 s: swaps in minutes 2 to 5", asked=2, most=True, of=changing.chased),
        Figure(what="phases of 90 s: most changes in a phase that returns", asked=1, most=True, of=changing.returned),
    ],
    "first": [
        Figure(what="first load -> final shape, s", asked=45, most=True, of=searching.soon),
        Figure(what="first load -> final shape, swaps", asked=4, most=True, of=searching.swaps),
        Figure(what="first load -> final shape, % of the best", asked=92, of=searching.found),
    ],
    "harm": [Figure(what="s in a row > 10 % below the start", asked=2, most=True, of=searching.harm)],
    "degrading": [Figure(what="backends that degrade, from 16x64: % of the best", asked=95, of=searching.degrading)],
    "open": [
        Figure(what="mean at 70 %, of the best of the ties", asked=1.05, most=True, of=searching.mean),
        Figure(what="p99 at 70 %, of the best of the ties", asked=1.15, most=True, of=searching.p99),
    ],
    "steady": [Figure(what="30 min of noise: changes after 60 s", asked=0, most=True, of=searching.steady)],
    "cores": [Figure(what="quotas and 1 to 64 cores: % of the best", asked=97, of=searching.cores)],
}
SEEDS = {
    "surge": 3,
    "backend": 3,
    "phases": 3,
    "first": 3,
    "harm": 3,
    "degrading": 1,
    "open": 1,
    "steady": 20,
    "cores": 1,
}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulator.figures", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *FIGURES], metavar="NAME", help=f"of {', '.join(FIGURES)}")
    parser.add_argument("--seeds", type=int, help="of each flight")
    parser.add_argument("--ways", action="store_true", help="how the flights that miss it went")
    asked = parser.parse_args(arguments)
    for name in asked.names or FIGURES:
        for figure in FIGURES[name]:
            _print(figure, asked.seeds or SEEDS[name], ways=asked.ways)
    return 0


def _print(figure: Figure, seeds: int, *, ways: bool) -> None:
    rows: dict[str, list[float]] = {}
    missed = []
    for seed in range(1, seeds + 1):
        for name, value, way in figure.of(seed):
            rows.setdefault(name, []).append(value)
            if not figure.holds(value):
                missed.append(f"    {name} seed {seed}: {value:.4g}: {way}")
    every = [value for values in rows.values() for value in values]
    held = sum(figure.holds(value) for value in every)
    worst = max(every) if figure.most else min(every)
    bound = f"{'<=' if figure.most else '>='} {figure.asked:g}"
    print(f"{figure.what}: asked {bound}, worst {worst:.4g}, held in {held} of {len(every)}")
    for name, values in sorted(
        rows.items(), key=lambda row: max(row[1]) if figure.most else -min(row[1]), reverse=True
    ):
        shown = " ".join(f"{each:.4g}" for each in sorted(values, reverse=figure.most)[:6])
        print(f"  {name:<28} {shown}")
    print("\n".join(missed) if ways else "", flush=True)


if __name__ == "__main__":
    sys.exit(main())
