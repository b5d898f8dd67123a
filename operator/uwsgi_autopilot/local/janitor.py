"""Outlive the command for a moment: once it is gone, for whatever reason, leave no process and no file of its run.

    python -m uwsgi_autopilot.local.janitor RUN_DIRECTORY

Standard input is a pipe that only the command holds open, so end of file means that the command is gone, even by
SIGKILL. Until then each process of the run is recorded there as a line `PID START`; the start time comes from /proc,
and the pair still identifies the process after its pid has been reused. What the command starts records itself before
it becomes nginx, the agent or the load. Each uWSGI master does the same in the file RECORD of the run directory, since
the agent may start one when the command no longer runs. The recorded processes and their
descendants are ours; a process that merely works in the run directory is not. Each has had a parent-death signal of its
own and finishes what is in flight; whatever is still running after FINISH_SECONDS is killed.
"""

import contextlib
import os
import shutil
import signal
import sys
import time
from pathlib import Path

from uwsgi_autopilot.kernel.process import children_of, start_ticks, state_of

FINISH_SECONDS = 15.0
# A process that cannot be killed (blocked on a lost disk, or running as another user by now) must not keep the files.
KILL_SECONDS = 5.0
# In the run directory; lines as above.
RECORD = "private/record"
# A pid and its start time (start_ticks).
Process = tuple[int, int]


def read_processes(fd: int) -> set[Process]:
    """Everything the command wrote before it ended."""
    text = b""
    while part := os.read(fd, 65536):
        text += part
    return _parse(text)


def recorded(run: str | Path) -> set[Process]:
    """Every uWSGI master that an agent of this run has started."""
    try:
        return _parse(Path(run, RECORD).read_bytes())
    except OSError:  # none yet
        return set()


def _parse(text: bytes) -> set[Process]:
    """An unfinished last line is ignored: its number may be cut short."""
    lines = text[: text.rfind(b"\n") + 1].splitlines()
    return {(int(pid), int(start)) for pid, start in (line.split() for line in lines)}


def running(known: set[Process]) -> set[Process]:
    """The processes of `known` that are still running, and all their descendants."""
    found: set[Process] = set()
    todo = set(known)
    while todo:
        pid, start = todo.pop()
        if (pid, start) in found or start_ticks(pid) != start or state_of(pid) in (None, "Z", "X"):
            continue
        found.add((pid, start))
        todo |= {(child, began) for child in children_of(pid) if (began := start_ticks(child)) is not None}
    return found


def clean_up(run: str, known: set[Process]) -> None:
    kill_at = time.monotonic() + FINISH_SECONDS
    give_up_at = kill_at + KILL_SECONDS
    while (left := running(known | recorded(run))) and (now := time.monotonic()) < give_up_at:
        known |= left  # otherwise we would lose track of the children of one that ends next
        if now >= kill_at:
            for pid, _ in left:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)
    shutil.rmtree(run, ignore_errors=True)


def main() -> None:
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    clean_up(sys.argv[1], read_processes(0))


if __name__ == "__main__":
    main()
