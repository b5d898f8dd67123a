"""Which threads of a uWSGI worker serve requests, and where in its memory its locks lie.

Both are learned once for each worker and need no knowledge of the application.
"""

import os
import re
from dataclasses import dataclass, field

# SIGHUP to SIGSYS without SIGKILL and SIGSTOP, which nobody can block.
_ALL_SIGNALS = 0x7FFFFFFF & ~(1 << 8) & ~(1 << 18)
# The interpreter lock's two condition variables and its mutex lie within this many bytes (seen: 8).
_LOCK_BYTES = 128


@dataclass(frozen=True, slots=True)
class Span:
    """Address ranges of one program file in memory: its segments and the zeroed data (.bss) right after them."""

    ranges: tuple[tuple[int, int], ...] = ()

    def holds(self, address: int) -> bool:
        return any(low <= address < high for low, high in self.ranges)


@dataclass(slots=True)
class Images:
    """python: where the interpreter's own data lies. uwsgi: where uWSGI's lies; the same where one file is both.

    known: False when this cannot be told (musl, whose condition variables sleep on the waiter's stack: the interpreter
    lock looks like any other there; or the maps cannot be read).
    """

    python: Span = Span()
    uwsgi: Span = Span()
    known: bool = False
    _lock_at: set[int] = field(default_factory=set)

    def saw_interpreter_lock(self, address: int) -> None:
        if len(self._lock_at) < 16:
            self._lock_at.add(address)

    def near_interpreter_lock(self, address: int) -> bool:
        return any(abs(address - each) < _LOCK_BYTES for each in self._lock_at)


def core_threads(pid: int, threads: int) -> list[int]:
    """Thread ids of the worker's main thread and of the threads that uWSGI started to serve requests.

    uWSGI starts them one right after another and blocks every signal in them; the main thread, which serves too,
    blocks none, and so do threads that the application started in it. A thread started *while serving a request*
    inherits the blocked signals, but comes later: so the first threads - 1 of those by start are taken.
    Empty while uWSGI has not started all of them.
    Trap: threads of uWSGI's own that a person's option adds, such as offload-threads, come first and block all signals
    too, so as many of the serving threads are then not seen.
    Source: core/loop.c, uwsgi_loop_cores_run and uwsgi_setup_thread_req, 2.0.31.
    """
    if threads == 1:
        return [pid] if os.path.exists(f"/proc/{pid}/task/{pid}") else []
    try:
        others = [int(name) for name in os.listdir(f"/proc/{pid}/task") if int(name) != pid]
    except OSError:
        return []
    blocked = sorted((start, tid) for tid in others if (start := _start_if_all_blocked(pid, tid)) is not None)
    found = [pid, *(tid for _, tid in blocked)]
    return found[:threads] if len(found) >= threads else []


def _start_if_all_blocked(pid: int, tid: int) -> int | None:
    """Start in clock ticks of a thread that blocks every signal, else None. (Thread ids may have wrapped around.)"""
    try:
        with open(f"/proc/{pid}/task/{tid}/status", "rb") as status:
            found = re.search(rb"^SigBlk:\s*([0-9a-f]+)", status.read(), re.MULTILINE)
        if not found or int(found[1], 16) & _ALL_SIGNALS != _ALL_SIGNALS:
            return None
        with open(f"/proc/{pid}/task/{tid}/stat", "rb") as stat:
            text = stat.read()
        return int(text[text.rfind(b")") + 2 :].split()[19])
    except (OSError, ValueError, IndexError):
        return None


_PYTHON_FILE = re.compile(r"libpython[0-9.]+[a-z]*\.so")
_UWSGI_FILE = re.compile(r"(pyuwsgi|uwsgi)[^/]*\.so")


def images_of(pid: int) -> Images:
    """Read /proc/PID/maps and find libpython (else the program) and the uWSGI module (else the program)."""
    try:
        program = os.readlink(f"/proc/{pid}/exe")
        with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as lines:
            return images_in(lines.read(), program)
    except OSError:
        return Images()


def images_in(maps: str, program: str) -> Images:
    ranges: dict[str, list[tuple[int, int]]] = {}
    last_file, last_end = "", 0
    for line in maps.splitlines():
        words = line.split(None, 5)
        low, high = (int(each, 16) for each in words[0].split("-"))
        name = words[5] if len(words) > 5 else ""
        if not name and low == last_end:
            name = last_file  # .bss beyond the file's last page
        if name.startswith("/"):
            if os.path.basename(name).startswith("ld-musl"):
                return Images()
            ranges.setdefault(name, []).append((low, high))
        last_file, last_end = name, high
    own = ranges.get(program, [])
    python = [each for name, spans in ranges.items() if _PYTHON_FILE.match(os.path.basename(name)) for each in spans]
    uwsgi = [each for name, spans in ranges.items() if _UWSGI_FILE.match(os.path.basename(name)) for each in spans]
    return Images(python=Span(tuple(python or own)), uwsgi=Span(tuple(uwsgi or own)), known=bool(python or own))
