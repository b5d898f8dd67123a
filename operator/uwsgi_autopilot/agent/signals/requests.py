"""Requests: in the socket's queue and in service by the kernel; finished, and the time they took, by the server."""

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from uwsgi_autopilot.agent.signals.collector import Collector, Growth, Running, Window
from uwsgi_autopilot.api.address import tcp_address
from uwsgi_autopilot.kernel.sockdiag import SocketDiagnostics, UnixSocketLoad, proc_net_unix
from uwsgi_autopilot.kernel.tcpdiag import TcpDiagnostics

T = TypeVar("T")


class SocketLoad(Collector):
    """queue, in_service: at the last look; None: it cannot be seen."""

    def __init__(self, addresses: Sequence[str]) -> None:
        """`addresses`: paths and "host:port" of all listening sockets; what they hold is added up."""
        self.addresses = tuple((address, tcp_address(address)) for address in addresses)
        self.queue: int | None = None
        self.in_service: int | None = None
        self._diagnostics = _open(SocketDiagnostics)
        self._tcp = _open(TcpDiagnostics) if any(tcp for _, tcp in self.addresses) else None
        self._queues: list[int] = []
        self._busies: list[int] = []

    def close(self) -> None:
        for each in (self._diagnostics, self._tcp):
            if each is not None:
                each.close()

    def look(self, running: Running) -> None:
        load = self._load()
        if load is None:
            # Not what it was at the look before: that may have been nothing.
            self.queue = self.in_service = None
            return
        self.in_service, self.queue = load.in_service, load.queue
        self._busies.append(load.in_service)
        if load.queue is not None:
            self._queues.append(load.queue)

    def collect(self, window: Window) -> dict[str, Any]:
        queues, busies = self._queues, self._busies
        self._queues, self._busies = [], []
        found: dict[str, Any] = {}
        if queues:
            found |= {"queue_mean": sum(queues) / len(queues), "queue_max": max(queues)}
        if any(busies):
            found["busy"] = sum(busies) / len(busies)
        else:
            # The connections of an nginx in another network namespace cannot be seen; the server knows the requests.
            self.in_service = sum(
                worker.in_service for each in window.running.all for worker in each.instance.workers if worker.live
            )
            found["busy"] = float(self.in_service)
        return found

    def _load(self) -> UnixSocketLoad | None:
        """None unless all of them can be seen: a part of the requests is not how many there are."""
        loads = [self._path(address) if tcp is None else self._port(tcp[1]) for address, tcp in self.addresses]
        seen = [each for each in loads if each is not None]
        if len(seen) < len(loads):
            return None
        queues = [each.queue for each in seen if each.queue is not None]
        return UnixSocketLoad(
            queue=sum(queues) if len(queues) == len(loads) else None, in_service=sum(each.in_service for each in seen)
        )

    def _path(self, path: str) -> UnixSocketLoad | None:
        if self._diagnostics is not None:
            try:
                return self._diagnostics.unix_socket(path)
            except OSError:
                self._diagnostics = None
        return proc_net_unix(path)

    def _port(self, port: int) -> UnixSocketLoad | None:
        try:
            return self._tcp.port(port) if self._tcp is not None else None
        except OSError:
            return None


class Finished(Collector):
    """total: requests finished since the agent started, without its own. latest: those of the last window, with its
    own. own: how many of the agent's questions are still to be subtracted."""

    def __init__(self) -> None:
        self.total = 0.0
        self.latest = 0.0
        self.own = 0.0
        self._requests, self._service_s = Growth(), Growth()

    def collect(self, window: Window) -> dict[str, Any]:
        keys = set[object]()
        starts = []
        for generation in window.running.all:
            for worker in generation.instance.workers:
                key = (generation.number, worker.slot)
                keys.add(key)
                self._requests.saw(key, worker.requests)
                self._service_s.saw(key, worker.service_s)
                if worker.live and worker.oldest_start:
                    starts.append(worker.oldest_start)
        self._requests.forget_all_but(keys)
        self._service_s.forget_all_but(keys)
        self.latest = self._requests.take()
        # Subtracted when something finishes: which request was ours cannot be told, but the total is right.
        taken = min(self.latest, self.own)
        self.own -= taken
        requests = self.latest - taken
        self.total += requests
        oldest = max(0.0, time.time() - min(starts)) if starts else 0.0
        return {"requests": requests, "service_s": self._service_s.take(), "oldest_s": oldest}


def _open(diagnostics: Callable[[], T]) -> T | None:
    """None where the kernel refuses netlink socket diagnostics, as some sandboxes do."""
    try:
        return diagnostics()
    except OSError:
        return None
