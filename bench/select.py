"""Which workloads: by name, by set, drawn at random, or from a folder. The flags of every command of the bench."""

import argparse
from pathlib import Path

from bench import named
from bench.drawn import draw_workloads
from bench.workload import Workload, read_workloads
from uwsgi_autopilot.errors import UsageError

COUNT = 20


def choose_workloads(parser: argparse.ArgumentParser, *, default: str = "screen") -> None:
    group = parser.add_argument_group("workloads")
    group.add_argument("--set", choices=sorted(named.SETS), default=default, help=f"of the named ones ({default})")
    group.add_argument("--only", action="append", metavar="NAME", help="one of them; may be repeated")
    group.add_argument("--random", type=int, metavar="SEED", help="drawn at random: the same seed, the same workloads")
    group.add_argument("--count", type=int, default=COUNT, help=f"how many of --random (default {COUNT})")
    group.add_argument("--workloads", type=Path, metavar="FOLDER", help="of folders with a workload.yaml, or one")


def workloads_of(asked: argparse.Namespace) -> list[Workload]:
    """Raises UsageError: a name that is not among them, or nothing at all."""
    if asked.workloads is not None:
        offered = read_workloads(asked.workloads)
    elif asked.random is not None:
        if asked.count < 1:
            raise UsageError(f"--count: expected at least 1, found {asked.count}")
        offered = draw_workloads(asked.random, asked.count)
    else:
        names = named.SETS["all" if asked.only else asked.set]
        offered = [named.ALL[name] for name in names]
    known = {each.name: each for each in offered}
    for name in asked.only or ():
        if name not in known:
            raise UsageError(f"--only: expected one of {', '.join(known)}, found {name!r}")
    return [known[name] for name in asked.only] if asked.only else offered
