"""Commands to a running uWSGI master: one letter each, written into its FIFO.

The FIFO is opened for each command, without blocking: while uWSGI starts or re-executes itself nobody reads it, and a
blocking open() would hang the agent. Nothing here waits for the effect: the caller looks at the stats.
Measured with uWSGI 2.0.31 unless said otherwise.
"""

import os


class MasterFifo:
    """Never give this path to anyone else: its other letters kill workers (`C`, `W`, `Q`) or the master (`r` with a
    broken ini)."""

    def __init__(self, path: str) -> None:
        self.path = path

    def send(self, letters: str) -> bool:
        """Write the letters in one piece; True when the master's pipe took all of them.

        False: no such FIFO (ENOENT), nobody reads it (ENXIO: not yet started, or gone), or it is full (EAGAIN).
        A serving master refuses, too, for a moment: when a writer closes it removes its FIFO and makes it again
        (uWSGI core/fifo.c, uwsgi_master_fifo_manage). So call again. Nor is True a receipt: what is written just
        before that is thrown away unread (9 of 1,632 letters written within 0.12 ms of another one, 2.0.30).
        """
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            return os.write(descriptor, letters.encode("ascii")) == len(letters)
        except OSError:
            return False
        finally:
            os.close(descriptor)

    def more(self, n: int) -> bool:
        """`+`: activate n more workers, within 0.0 to 1.0 s, at most up to `processes`; no pause, no failed request.

        Only in a generation that has `cheaper`. The sum of all `+` and `-` is applied once a second. A `+` is eaten by
        a `-` that could not be served yet. While paused it starts nobody.
        """
        return n > 0 and self.send("+" * n)

    def fewer(self, n: int) -> bool:
        """`-`: park n workers, 1.0 to 2.0 s; no failed request.

        Four traps: it ignores the `cheaper` minimum (as many `-` as workers is an outage, and nothing brings one
        back); unserved ones are remembered forever; it needs an idle worker, and a worker with any thread busy is
        not idle; with threads the worker may linger until its next request (`cheap`, but alive): SIGHUP its pid.
        """
        return n > 0 and self.send("-" * n)

    def quit_gracefully(self) -> bool:
        """`q`: finish the requests in service, then exit, in steps of 1 s.

        Requests that still wait in the queue are not lost while another process holds the listening socket. It does
        *not* enforce worker-reload-mercy: a 12 s request held it for 12.0 s, so the caller needs a deadline. With one
        thread per worker pause() first: else a connection that was just accepted can be reset.

        Send it until the master has exited. A master that is quitting ignores `q` (uWSGI core/uwsgi.c,
        gracefully_kill_them_all), and one that never read the first obeys the next. Measured with 2.0.30, 1 and 4
        threads, a request of 4 s in service and a mercy of 2 s: 544 masters were sent 94,982 `q`, each quit once, with
        status 0, after its request was answered; 9 others lost their first `q`, and all 9 ended at the second.
        """
        return self.send("q")

    def pause(self) -> bool:
        """`p`: workers stop accepting; status becomes `pause` once idle (0.03 s for two idle workers).

        A toggle: a second one resumes. Only with one thread per worker: with several, the master then never leaves
        after `q` (9 of 15). Parked workers never show `pause`.
        """
        return self.send("p")
