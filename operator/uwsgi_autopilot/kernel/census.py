"""What the threads of uWSGI's workers are doing right now: the thread census.

The first word of /proc/PID/task/TID/syscall is `running` or the number of the system call that the thread sleeps in,
followed by its arguments. Counted over many looks, this tells how many requests work, wait for the network, wait for
the interpreter lock or wait for a lock of the application, at any shape and without touching the application. A pool of
three connections behind fifty threads shows up here and nowhere else.

Counts only the threads that serve requests: kernel/corethreads.py says which. Measured with uWSGI 2.0.30 and 2.0.31 on
Python 3.10 to 3.13, shared and static interpreters, x86-64, glibc 2.36.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from uwsgi_autopilot.api.sample import Census
from uwsgi_autopilot.kernel.corethreads import Images, core_threads, images_of


class Doing(IntEnum):
    """Order of the sums below."""

    RUNNING = 0
    IO = 1
    INTERPRETER_LOCK = 2
    APPLICATION_LOCK = 3
    IDLE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class _Calls:
    futex: bytes
    epoll: tuple[bytes, ...]  # epoll_wait, epoll_pwait


_BY_MACHINE = {
    "x86_64": _Calls(futex=b"202", epoll=(b"232", b"281")),
    "aarch64": _Calls(futex=b"98", epoll=(b"22",)),
}

_FUTEX_PRIVATE = 0x80
_FUTEX_CLOCK_REALTIME = 0x100
_FUTEX_WAIT = 0  # a pthread mutex
_FUTEX_LOCK_PI = 6  # a pthread mutex with priority inheritance
_NO_LIMIT = b"0xffffffff"  # epoll_wait's timeout -1


def doing(words: Sequence[bytes], calls: _Calls, images: Images) -> Doing:
    """Classify one thread by the words of its `syscall` file.

    idle: uWSGI waits for a connection in epoll_wait with room for one event and without timeout (an event loop of the
    application asks for more than one event, or sets a timeout). The other threads wait for their turn to do so: with
    thunder-lock in a mutex shared by the workers (futex operation 0x6, or 0x0 where priority inheritance is missing;
    shared semaphores, such as multiprocessing's, use operation 9), without it in a private mutex (0x80) that lies
    in uWSGI's own data. Trap: the mutexes of the `uwsgi.lock()` API look like the thunder lock.

    interpreter_lock: CPython waits with a timeout of 5 ms (operation 0x89) on one of two condition variables 4 bytes
    apart, and shortly (0x80) on their mutex, all in the data of libpython, or of the program where Python is static.

    application_lock: Python's locks are semaphores on the heap: operation 0x189, or 0x89 with a timeout.
    """
    call = words[0]
    if call == b"running":
        return Doing.RUNNING
    if call in calls.epoll:
        return Doing.IDLE if len(words) > 4 and words[3] == b"0x1" and words[4] == _NO_LIMIT else Doing.IO
    if call != calls.futex or len(words) < 5:
        return Doing.IO
    operation = int(words[2], 16)
    kind = operation & ~(_FUTEX_PRIVATE | _FUTEX_CLOCK_REALTIME)
    mutex = kind in (_FUTEX_WAIT, _FUTEX_LOCK_PI)
    if not operation & _FUTEX_PRIVATE:
        return Doing.IDLE if mutex else Doing.APPLICATION_LOCK
    address = int(words[1], 16)
    if mutex and images.uwsgi.holds(address) and not images.near_interpreter_lock(address):
        return Doing.IDLE
    if images.python.holds(address):
        if not mutex:
            images.saw_interpreter_lock(address)
        return Doing.INTERPRETER_LOCK
    return Doing.APPLICATION_LOCK


# Open files of threads, at most: a container may have 1,024 in all. The files of further threads are opened each time.
KEPT_OPEN = 256


@dataclass(slots=True)
class _Worker:
    tids: list[int]
    images: Images
    stale: bool = False  # a thread could not be looked at: list them again


class _Syscall:
    """A thread's `syscall` file. Read from one that stays open it costs a third of opening it each time; the kernel
    checks at each read whether we may, and says that the thread has ended, whoever has its number now."""

    def __init__(self, path: str, *, keep: bool) -> None:
        self.path, self.keep = path, keep
        self._descriptor: int | None = None

    def words(self) -> list[bytes]:
        """None of them: it has ended, or is not ours to look at."""
        try:
            if self._descriptor is None:
                self._descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            return os.pread(self._descriptor, 256, 0).split()
        except OSError:
            return []
        finally:
            if not self.keep:
                self.close()

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


class ThreadCensus:
    """`look` often, `take` once a second. Raises nothing; without a view take() is None.

    A look at one thread costs 2 microseconds on an idle machine; a worker seen for the first time costs 0.3 ms, and
    0.03 ms for each of its threads.
    """

    def __init__(self) -> None:
        self._calls = _BY_MACHINE.get(os.uname().machine)
        self._workers: dict[int, _Worker] = {}
        self._order: list[tuple[_Worker, _Syscall]] = []
        self._turn = 0
        self._sums = [0.0] * len(Doing)
        self._rounds = self._looks = 0

    def look(self, pids: Sequence[int], budget: int, threads: int) -> None:
        """Look at up to `budget` threads of these workers, continuing where the last call stopped.

        threads: how many serve requests in each worker. A worker that has not started all of them is left out.
        """
        if self._calls is None:
            return
        self._refresh(pids, threads)
        total = len(self._order)
        counts = [0] * len(Doing)
        looks = 0
        for _ in range(min(budget, total)):
            worker, syscall = self._order[self._turn % total]
            self._turn += 1
            words = syscall.words()
            if not words:
                worker.stale = True  # ended, or not ours to look at
                continue
            counts[doing(words, self._calls, worker.images)] += 1
            looks += 1
        if looks:
            self._rounds += 1
            self._looks += looks
            for index, count in enumerate(counts):
                self._sums[index] += count / looks * total

    def take(self) -> Census | None:
        """The means over all workers since the last take(); None when no thread could be looked at.

        Trap: locks of a database or a file look like io.
        """
        if not self._rounds:
            return None
        running, io, interpreter, application, idle = (each / self._rounds for each in self._sums)
        looks = self._looks
        self._sums = [0.0] * len(Doing)
        self._rounds = self._looks = 0
        return Census(
            running=running,
            io=io,
            interpreter_lock=interpreter,
            application_lock=application,
            idle=idle,
            looks=looks,
        )

    def _refresh(self, pids: Sequence[int], threads: int) -> None:
        changed = False
        for pid in pids:
            known = self._workers.get(pid)
            if known is not None and not known.stale and threads == len(known.tids):
                continue  # threads that serve requests live as long as their worker
            changed = True
            images = known.images if known is not None else images_of(pid)
            self._workers[pid] = _Worker(tids=core_threads(pid, threads), images=images)
        if changed or len(self._workers) != len(pids):
            wanted = set(pids)
            self._workers = {pid: worker for pid, worker in self._workers.items() if pid in wanted}
            seen = [(pid, worker) for pid, worker in self._workers.items() if worker.images.known]
            # One thread of each worker, then the next of each: a small budget covers all workers.
            threads_of = [
                (worker, f"/proc/{pid}/task/{worker.tids[turn]}/syscall")
                for turn in range(max((len(worker.tids) for _, worker in seen), default=0))
                for pid, worker in seen
                if turn < len(worker.tids)
            ]
            for _, syscall in self._order:
                syscall.close()
            self._order = [
                (worker, _Syscall(path, keep=number < KEPT_OPEN)) for number, (worker, path) in enumerate(threads_of)
            ]
