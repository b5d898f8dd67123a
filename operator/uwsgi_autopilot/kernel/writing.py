"""Do the threads that serve requests write anything? Tells a long answer in progress from an application that hangs.

No counter of the kernel or of uWSGI says how many bytes of an answer have left: `tx` of the stats grows when a request
ends, socket diagnostics know what waits in a buffer. But uWSGI writes answers with write() and sendfile(), from the
thread that serves the request, and the kernel counts those bytes for each thread. Measured with uWSGI 2.0.30: an answer
of ten bytes a second shows as +10; a thread that the application started and that logs every half second does not show
at all, nor does a database or queue client (these use send()).
Trap: lines that such a thread logs, and files that it writes, count as well: it is doing something, then. An answer
sent by uWSGI's `offload-threads` does not count.
"""

from collections.abc import Mapping

from uwsgi_autopilot.kernel.corethreads import core_threads
from uwsgi_autopilot.kernel.process import written_bytes


class Writing:
    """`grew` at most once a second: it costs 15 microseconds a thread, 1 ms for 64."""

    def __init__(self) -> None:
        self._threads: dict[int, list[int]] = {}
        self._written: dict[tuple[int, int], int] = {}

    def grew(self, workers: Mapping[int, int]) -> bool:
        """Whether one of them wrote since the last call; False the first time, and where it cannot be seen.

        workers: process id → how many threads serve requests.
        """
        self._threads = {pid: tids for pid, tids in self._threads.items() if pid in workers and tids}
        for pid, threads in workers.items():
            if pid not in self._threads:
                self._threads[pid] = core_threads(pid, threads)
        before, self._written = self._written, {}
        for pid, tids in self._threads.items():
            for tid in tids:
                written = written_bytes(pid, tid)
                if written is not None:
                    self._written[pid, tid] = written
        return any(written > before.get(thread, written) for thread, written in self._written.items())
