"""python -m bench.cost: what the agent itself uses, beside an application that does nothing.

CPU of all its threads as the scheduler counts it, in percent of one core, and its PSS; at rest and at 250 requests a
second of the built-in load, for a small shape and a large one. Nothing else should run: on a busy machine the same work
costs more.

Exit 0: measured. 1: an application could not be served. 2: wrong command line.
"""

import argparse
import sys
import time
from dataclasses import dataclass

from bench.machine import cpu_ns
from bench.named import ALL
from bench.serving import session_of, step_until
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import Mode, TuningSpec
from uwsgi_autopilot.errors import AutopilotError
from uwsgi_autopilot.kernel.process import pss_bytes
from uwsgi_autopilot.local.programs import Programs, find_programs

IDLE = ALL["tiny"]
SHAPES = (Shape(1, 2), Shape(4, 8))
RATE = 250.0
# Until the share of the log that is read has settled.
SETTLE_S = 5.0
LOOK_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """cpu: cores. pss: bytes; None where it cannot be seen."""

    cpu: float
    pss: int | None


def main() -> int:
    asked = _parser().parse_args()
    print(f"{'shape':8}{'requests/s':>10}{'CPU of a core':>16}{'PSS':>12}", flush=True)
    try:
        programs = find_programs()
        for shape in SHAPES:
            for rate in (0.0, RATE):
                found = cost(programs, shape, rate, asked.seconds)
                pss = "unknown" if found.pss is None else f"{found.pss / 2**20:.1f} MiB"
                print(f"{shape!s:8}{rate:>10.0f}{found.cpu:>15.2%} {pss:>12}", flush=True)
    except AutopilotError as error:
        print(f"bench.cost: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def cost(programs: Programs, shape: Shape, rate: float, seconds: float) -> Cost:
    """rate: requests a second; 0: at rest. Raises NotServing."""
    with session_of(IDLE, programs, TuningSpec(mode=Mode.DISABLED, pin=shape)) as session:
        load = session.start_load([f"rate={rate:g},path=/"], 60 + seconds) if rate else None
        step_until(session, _never, SETTLE_S, every=LOOK_S)
        agent = session.children["agent"].pid
        before, begin = cpu_ns(agent), time.monotonic()
        step_until(session, _never, seconds, every=LOOK_S)
        used = (cpu_ns(agent) - before) / 1e9 / (time.monotonic() - begin)
        pss = pss_bytes(agent)
        if load is not None:
            load.stop()
    return Cost(cpu=used, pss=pss)


def _never() -> bool:
    return False


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.cost", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20.0, help="for each of the four (default 20)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
