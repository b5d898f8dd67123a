"""The seam to the application server: what the agent needs from one, and nothing specific to uWSGI.

A server is whatever can be started on a listening socket that we own, told how many workers to run, asked what they do,
and told to finish. `uwsgiserver.py` is the only one. Nothing here blocks; `now` is monotonic seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from uwsgi_autopilot.api.shape import Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStats:
    """One worker slot. slot: stays the same when the worker is replaced, and its counters go on.

    pid: 0 when nothing runs. live: running and meant to be; one that was told to go and is still finishing is not.
    requests, service_s: finished ones, and the seconds in service of those, since the instance started.
    in_service: threads handling a request. oldest_start: when the oldest of these began, unix seconds; None: none.
    """

    slot: int
    pid: int
    live: bool
    accepting: bool
    threads: int
    requests: int
    service_s: float
    in_service: int
    oldest_start: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What is left of an instance that was told to finish. in_service: requests, as last reported. waited_for: those
    whose client still waits, as far as that can be seen. wrote: a byte of an answer has moved since the last look."""

    in_service: int
    waited_for: int
    wrote: bool

    @property
    def moves(self) -> bool:
        return self.wrote or self.waited_for > 0


class Outcome(str, Enum):
    """How a resize ended."""

    DONE = "done"
    """As many workers as asked for are live, and all accept."""
    IMPOSSIBLE = "impossible"
    """It cannot be done in place right now; a new instance could do it."""
    NOT_ACCEPTING = "not accepting"
    """The workers are there, but not all of them accepted requests in time."""
    NOT_ANSWERING = "not answering"
    """The server has not answered in time: whether it did anything is unknown."""


class Resizing(Protocol):
    """One change of the number of workers. After any outcome but DONE, nothing of it is left pending."""

    def step(self, now: float, *, patient: bool = False) -> Outcome | None:
        """Call often; None: still going on. patient: there is no other way, so wait longer for an idle worker."""


class Instance(Protocol):
    """A started server: a master with its workers. ceiling: how many workers it can have. version: the server's; None
    until it has answered."""

    @property
    def pid(self) -> int: ...
    @property
    def ceiling(self) -> int: ...
    @property
    def stats(self) -> str | None:
        """The unix socket at which it tells its own statistics, in its own words; None: it has none."""

    @property
    def version(self) -> str | None: ...
    @property
    def workers(self) -> Sequence[WorkerStats]:
        """As last reported; empty before the first answer."""

    def answered_since(self, moment: float) -> bool:
        """Whether `workers` are from an answer that was asked for after `moment`. If not, they say nothing about what
        happened since: neither that requests finished nor that none did."""

    def alive(self) -> bool: ...
    def ending(self) -> str:
        """Once `alive` is False: "ended with status 1" and the like."""

    def last_output(self) -> str | None:
        """Once `alive` is False: the end of what it printed; None while that is being read, about a second at most."""

    def look(self) -> None:
        """Ask for fresh `workers`; they arrive a moment later, if the server answers."""

    def accepts(self) -> bool:
        """Every worker that it was started with accepts requests. Asks for fresh workers itself: call often."""

    def takes_over(self) -> None:
        """From now on it is the one that serves."""

    def resize(self, processes: int, now: float) -> Resizing: ...
    def retire(self, now: float) -> None:
        """Start to finish: no request that it has accepted is lost."""

    def step_retiring(self, now: float) -> None:
        """Call often after `retire`, while it is alive."""

    def left(self) -> Left:
        """At most once a second, after `retire`, while it is alive."""

    def hold(self) -> None:
        """Stop it where it is: nothing moves any more, and no connection is closed. Only `kill` may follow."""

    def discard(self, now: float) -> None:
        """End one that never served; if it may have accepted requests, it retires instead."""

    def kill(self) -> None:
        """End it and its workers at once, along with the requests in service."""

    def close(self) -> None:
        """Remove what it leaves behind, once it has ended."""


class Server(Protocol):
    def start(self, number: int, shape: Shape) -> Instance:
        """Start an instance; returns at once. `number` is in the names of its files.

        Raises OSError or ValueError with one sentence when the start cannot even be attempted.
        """
