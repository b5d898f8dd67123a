"""Renew the Lease from a thread with an event loop of its own.

The operator's loop plans for one application after the other. With a hundred under load one turn of it takes seconds,
and a renewal takes several turns: a leader that was only busy gave up. While that loop does not turn at all for
STALLED_SECONDS nothing is renewed, because nothing is decided either, and another operator had better lead.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable

from uwsgi_autopilot.controller.kube import Kube
from uwsgi_autopilot.controller.lease import RENEW_SECONDS, Lease

BEAT_SECONDS = 1.0
STALLED_SECONDS = 20.0
# How soon the thread sees that it is to end.
LOOK_SECONDS = 0.1


class LeaseKeeper:
    """connect: a way to the API server, for the thread's loop. pause: seconds between two renewals."""

    def __init__(
        self, lease: Lease, connect: Callable[[], Awaitable[Kube]] = Kube.connect, pause: float = RENEW_SECONDS
    ) -> None:
        self.lease = lease
        self._connect = connect
        self._pause = pause
        self._beat_at = lease.clock()
        self._ended = threading.Event()

    async def run(self) -> None:
        """Until it is cancelled. Raises NotLeader."""
        self._beat_at = self.lease.clock()
        renewing = asyncio.get_running_loop().run_in_executor(None, asyncio.run, self._renew())
        try:
            while not renewing.done():
                self._beat_at = self.lease.clock()
                await asyncio.wait([renewing], timeout=BEAT_SECONDS)
            renewing.result()
        finally:
            self._ended.set()
            await asyncio.wait([renewing])

    async def _renew(self) -> None:
        """In the thread. What it changes of the Lease are single values, which the other thread reads."""
        before, self.lease.kube = self.lease.kube, await self._connect()
        try:
            while await self._waited():
                if self._stalled() or not await self.lease.attempt():
                    self.lease.left()
        finally:
            kube, self.lease.kube = self.lease.kube, before
            await kube.close()

    def _stalled(self) -> bool:
        return self.lease.clock() - self._beat_at > STALLED_SECONDS

    async def _waited(self) -> bool:
        """False: it is to end."""
        left = self._pause
        while left > 0 and not self._ended.is_set():
            await asyncio.sleep(min(LOOK_SECONDS, left))
            left -= LOOK_SECONDS
        return not self._ended.is_set()
