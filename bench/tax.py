"""python -m bench.tax: what our nginx.conf costs, on the smallest request, beside one that was written by hand.

Both stand before the same uWSGI with the same shape and take turns, in random order; with --plain the one by hand
stands before a uWSGI of its own, without the agent. wrk is needed: the built-in generator would be what is measured. It
shares the cores with nginx and uWSGI.

Exit 0: measured. 1: an application could not be served. 2: wrong command line, or no wrk.
"""

import argparse
import contextlib
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bench import plain
from bench.figures import percent
from bench.machine import cpu_ns
from bench.named import ALL
from bench.serving import free_port, session_of
from bench.wrk import parse_wrk
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import Mode, TuningSpec
from uwsgi_autopilot.errors import AutopilotError, NotServing, UsageError
from uwsgi_autopilot.kernel.process import children_of
from uwsgi_autopilot.local.programs import Programs, find_programs
from uwsgi_autopilot.local.session import Session

TINY = ALL["tiny"]


@dataclass
class Server:
    """An nginx: what it served in each round. cpu_us: microseconds of its workers' CPU for one request."""

    name: str
    port: int
    workers: list[int]
    rps: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)

    def ask(self, wrk: str, clients: int, seconds: int, *, note: bool) -> None:
        """Raises NotServing when a request failed: then the figures say nothing."""
        before = self._cpu_ns()
        command = [wrk, "-t1", f"-c{clients}", f"-d{seconds}s", "--latency", f"http://127.0.0.1:{self.port}/"]
        window, sent, failures = parse_wrk(subprocess.run(command, capture_output=True, text=True, check=False).stdout)
        if failures or window.p99_ms is None:
            raise NotServing(f"{self.name}: {failures or 'no answer'}")
        if note:
            self.rps.append(window.rps)
            self.p99_ms.append(window.p99_ms)
            self.cpu_us.append((self._cpu_ns() - before) / 1000 / sent)

    def _cpu_ns(self) -> int:
        return sum(map(cpu_ns, self.workers))

    def row(self) -> str:
        means = statistics.fmean(self.rps), statistics.median(self.p99_ms), statistics.median(self.cpu_us)
        return f"{self.name:24}{means[0]:10,.0f}{means[1]:10.2f} ms{means[2]:10.1f} µs"


def main() -> int:
    asked = _parser().parse_args()
    try:
        wrk = shutil.which("wrk")
        if wrk is None:
            raise UsageError("wrk is not installed (apt-get install wrk): nothing else here is quick enough")
        programs = find_programs()
        programs = Programs(uwsgi=programs.uwsgi, nginx=asked.nginx or programs.nginx)
        with _both(programs, asked.shape, alone=asked.plain) as (session, servers):
            for number in range(asked.rounds + 1):
                for each in random.sample(servers, len(servers)):
                    each.ask(wrk, asked.clients, asked.seconds, note=number > 0)  # the first round warms up
                    session.step()
    except AutopilotError as error:
        print(f"bench.tax: {error}", file=sys.stderr)
        return error.exit_code
    hand, ours = servers
    print("\n".join(_told(hand, ours, asked)))
    return 0


def _told(hand: Server, ours: Server, asked: argparse.Namespace) -> list[str]:
    found = percent([one / other for one, other in zip(ours.rps, hand.rps, strict=True)])
    interval = f" ({found.low:.1f} to {found.high:.1f})" if found.low is not None else ""
    ratio = statistics.median(ours.p99_ms) / statistics.median(hand.p99_ms)
    uwsgi = "each before a uWSGI of its own" if asked.plain else "before the same uWSGI"
    return [
        f"tiny request, {asked.clients} connections of wrk, {uwsgi} of {asked.shape}, "
        f"{asked.rounds} rounds of {asked.seconds} s; {os.cpu_count()} cores for all of it",
        f"{'nginx.conf':24}{'requests/s':>10}{'p99':>13}{'nginx CPU':>13} per request",
        hand.row(),
        ours.row(),
        f"throughput {found.value:.1f} %{interval}, p99 {ratio:.2f} x",
    ]


@contextlib.contextmanager
def _both(programs: Programs, shape: Shape, *, alone: bool) -> Iterator[tuple[Session, list[Server]]]:
    """The one by hand, then ours. Raises NotServing."""
    with contextlib.ExitStack() as stack:
        session = stack.enter_context(session_of(TINY, programs, TuningSpec(mode=Mode.DISABLED, pin=shape)))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-tax-")))
        folder.chmod(0o755)
        upstream = str(session.run / "app.sock")
        if alone:
            upstream = str(folder / "plain.sock")
            command = plain.uwsgi_command(programs.uwsgi, upstream, TINY.module, shape)
            stack.enter_context(
                plain.running(command, folder / "uwsgi.log", cwd=str(TINY.folder), env=dict(session.app.env))
            )
        port = free_port()
        (folder / "nginx.conf").write_text(plain.nginx_conf(str(folder), port, upstream), encoding="utf-8")
        command = [programs.nginx, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]
        by_hand = stack.enter_context(plain.running(command, folder / "nginx.log"))
        _await(port, by_hand, folder / "nginx.log")
        ours = session.children["nginx"].pid
        yield (
            session,
            [
                Server("written by hand", port, children_of(by_hand.pid)),
                Server("uwsgi-autopilot's", session.port, children_of(ours)),
            ],
        )


def _await(port: int, nginx: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(100):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        if nginx.poll() is not None:
            break
        time.sleep(0.1)
    raise NotServing(f"nginx, by hand: {log.read_text(encoding='utf-8')[-500:]}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.tax", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15, help="of each, after one that warms up (default 15)")
    parser.add_argument("--seconds", type=int, default=2, help="of a round (default 2)")
    parser.add_argument("--clients", type=int, default=32, help="kept connections (default 32)")
    parser.add_argument("--shape", type=Shape.parse, default=Shape(2, 2), help="of uWSGI (default 2x2)")
    parser.add_argument("--nginx", help="the program, for both (default: what local mode takes)")
    parser.add_argument("--plain", action="store_true", help="nginx by hand before a plain uWSGI of its own")
    return parser


if __name__ == "__main__":
    sys.exit(main())
