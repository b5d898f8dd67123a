"""Clients, the load generator and nginx: one queue of things to do, on the same cores as the application."""

import math
from typing import TYPE_CHECKING

from tests.simulator.machine import Account, Task
from tests.simulator.worker import Request

if TYPE_CHECKING:
    from tests.simulator.pod import Pod


class Front(Task):
    """Takes everything that has come when it gets a core. seconds: CPU for each request."""

    __slots__ = ("_batch", "_waiting", "pod", "seconds")
    gives_way = False

    def __init__(self, pod: "Pod", seconds: float) -> None:
        super().__init__(Account())
        self.pod = pod
        self.seconds = seconds
        self._waiting: list[Request] = []
        self._batch: list[Request] = []

    def send(self, request: Request) -> None:
        if not self._waiting and not self._batch:
            self.pod.cpu.submit(self)
        self._waiting.append(request)

    def begin(self) -> bool:
        if not self._batch:
            self._take()
        return True

    def _take(self) -> None:
        self._batch, self._waiting = self._waiting, []
        self.left = self.seconds * len(self._batch)

    def over(self) -> bool:
        batch, self._batch = self._batch, []
        self.pod.arrived(batch)
        if self._waiting:
            self._take()
            return True
        return False


class Clients:
    """Closed loop: `wanted` clients without think time. Open loop: arrivals at `rate` a second, Poisson or evenly
    spaced. retries: how often a client asks again after a 500, or after `patience_s` without an answer (None: for
    ever); then it gives up.
    """

    def __init__(self, pod: "Pod", *, retries: int = 0, patience_s: float | None = None) -> None:
        self.pod = pod
        self.retries = retries
        self.patience_s = patience_s
        self.present = self.wanted = 0
        self.rate = 0.0
        self.evenly = False
        self._arriving = False

    def set_number(self, clients: int) -> None:
        self.wanted = clients
        while self.present < clients:
            self.present += 1
            self._send(closed_loop=True)

    def set_rate(self, rate: float, *, evenly: bool = False) -> None:
        self.rate, self.evenly = rate, evenly
        if rate > 0 and not self._arriving:
            self._arriving = True
            self._next_arrival()

    def _next_arrival(self) -> None:
        if self.rate <= 0:
            self._arriving = False
            return
        self._send(closed_loop=False)
        pod = self.pod
        gap = 1 / self.rate if self.evenly else -math.log(1.0 - pod.random.random()) / self.rate
        pod.clock.after(gap, self._next_arrival)

    def _send(self, *, closed_loop: bool, tries: int = 1) -> None:
        pod = self.pod
        request = Request(pod.clock.now, closed_loop=closed_loop, tries=tries)
        pod.front.send(request)
        if self.patience_s is not None:
            pod.clock.after(self.patience_s, lambda: self._out_of_patience(request))

    def _out_of_patience(self, request: Request) -> None:
        """It goes away; what it asked for is served all the same."""
        if request.answered:
            return
        request.abandoned = True
        self.pod.timeouts += 1
        self._again(request)

    def got(self, request: Request, *, failed: bool) -> None:
        """An answer."""
        request.answered = True
        if request.abandoned:
            return
        if failed and request.tries <= self.retries:
            self._again(request)
        elif request.closed_loop:
            self._next(request)

    def _again(self, request: Request) -> None:
        if request.tries <= self.retries:
            self._send(closed_loop=request.closed_loop, tries=request.tries + 1)
        elif request.closed_loop:
            self._next(request)

    def _next(self, request: Request) -> None:
        if self.present > self.wanted:
            self.present -= 1
        else:
            self._send(closed_loop=True)
