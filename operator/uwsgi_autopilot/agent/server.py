"""The seam to the application server: what the agent needs of one, and nothing that is uWSGI's alone.

A server is whatever can be started on a listening socket that we own, told how many workers to run, asked what they do,
and told to finish. `uwsgiserver.py` is the one there is. Nothing here waits: `now` is monotonic seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from uwsgi_autopilot.api.shape import Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStats:
    """One slot for a worker. slot: stays when the worker is replaced, and so do its counters.

    pid: 0 when nothing runs. live: runs and is meant to; one that was told to go and still finishes is not.
    requests, service_s: finished ones, and the seconds in service of those, since the instance started.
    in_service: threads in a request. oldest_start: unix seconds at which the oldest of these began; None: none.
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


class Outcome(str, Enum):
    """How a resize ended."""

    DONE = "done"
    """As many workers as asked for are live, and all accept."""
    IMPOSSIBLE = "impossible"
    """It cannot be done in place right now: a new instance would do it."""
    NOT_ACCEPTING = "not accepting"
    """The workers are there, and not all of them accepted requests in their time."""
    NOT_ANSWERING = "not answering"
    """The server has not answered in its time: whether it did anything is unknown."""


class Resizing(Protocol):
    """One change of the number of workers. After any outcome but DONE nothing of it is left to be done later."""

    def step(self, now: float, *, patient: bool = False) -> Outcome | None:
        """Call often; None: still going on. patient: there is no other way, so wait longer for an idle worker."""


class Instance(Protocol):
    """One started server: a master with its workers. ceiling: how many workers it can have. version: of the server,
    None until it has answered."""

    @property
    def pid(self) -> int: ...
    @property
    def ceiling(self) -> int: ...
    @property
    def version(self) -> str | None: ...
    @property
    def workers(self) -> Sequence[WorkerStats]:
        """As last answered; empty before."""

    def alive(self) -> bool: ...
    def ending(self) -> str:
        """After `alive` said no: "ended with status 1" and the like."""

    def last_output(self) -> str | None:
        """After `alive` said no: the end of what it printed; None while that is being read, about a second at most."""

    def look(self) -> None:
        """Ask for fresh `workers`; they are there a moment later, unless the server does not answer."""

    def accepts(self) -> bool:
        """Every worker that it was started with takes requests. Looks by itself: call often."""

    def takes_over(self) -> None:
        """It is the one that serves from now on."""

    def resize(self, processes: int, now: float) -> Resizing: ...
    def retire(self, now: float) -> None:
        """Begin to finish: no request that it has accepted is lost."""

    def step_retiring(self, now: float) -> None:
        """Call often after `retire`, while it is alive."""

    def discard(self, now: float) -> None:
        """End one that never served. It has accepted requests perhaps: then it retires."""

    def kill(self) -> None:
        """End it and its workers at once, with what they have in hand."""

    def close(self) -> None:
        """It has ended: take away what it leaves behind."""


class Server(Protocol):
    def start(self, number: int, shape: Shape) -> Instance:
        """Start an instance; returns at once. `number` is in the names of its files.

        Raises OSError or ValueError with one sentence when it cannot even be tried.
        """
