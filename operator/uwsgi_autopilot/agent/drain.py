"""After SIGTERM: serve until nobody can send any more, then let uWSGI finish. Only this order loses nothing.

1. touch `draining`: nginx answers with Connection: close from now on, so that clients' pools empty
2. wait until nginx is gone: nobody listens on its port, and for a while no connection has been left on our socket
3. `q` to every generation; a deadline of our own, before the kubelet's

An error of our own in one part stops neither the others nor the clock: requests are served and finished until the
deadline, and then the agent ends.
"""

from pathlib import Path

from uwsgi_autopilot.agent.backoff import Backoff
from uwsgi_autopilot.agent.generations import Generations
from uwsgi_autopilot.agent.log import log
from uwsgi_autopilot.agent.observe import Observer
from uwsgi_autopilot.api.agentconfig import AgentConfig
from uwsgi_autopilot.kernel.sockdiag import tcp_listener_exists

QUIET_SECONDS = 0.5
# Share of the deadline reserved for the requests still in service once nobody sends any more.
FINISH_SHARE = 0.25
KILL_MARGIN = 2.0


class Drain:
    def __init__(self, config: AgentConfig, generations: Generations, observer: Observer, now: float) -> None:
        self.config, self.generations, self.observer = config, generations, observer
        self._deadline = now + config.drain_seconds
        self._finish_by = now + config.drain_seconds * (1 - FINISH_SHARE)
        self._quiet_since: float | None = None
        self._stopping = self._ended = False
        names = ("changing", "observing", "watching nginx", "stopping", "finishing", "killing")
        self._parts = {name: Backoff(f"{name} while draining") for name in names}
        log("info", f"asked to stop: serving until nginx is gone, at most {config.drain_seconds:.0f} s")
        self._waits = config.drain_until_quiet or self._remove_sockets()
        if config.draining:
            try:
                mark = Path(config.draining)
                mark.touch()
                mark.chmod(0o644)  # nginx, another user perhaps, opens it
            except OSError as error:
                log(
                    "warning",
                    f"{config.draining} cannot be created, so keep-alive connections stay open: {error.strerror}",
                )

    def step(self, now: float) -> bool:
        """True when everything has ended, or the deadline has passed. Raises nothing."""
        parts = self._parts
        if self._stopping:
            parts["finishing"].run(now, self._finish, now)
        else:
            parts["changing"].run(now, self.generations.step, now)
            parts["observing"].run(now, self.observer.tick, self.generations, now)
            parts["watching nginx"].run(now, self._watch, now)
            if why := self._why_stop(now):
                parts["stopping"].run(now, self._stop, now, why)
        if now >= self._deadline - KILL_MARGIN and not self._ended:
            parts["killing"].run(now, self._kill)
        return self._ended or now >= self._deadline

    def _remove_sockets(self) -> bool:
        """Whoever comes now finds no socket, which a proxy can tell from an answer that failed; who waits in the queue
        is still served. False: at a TCP port nobody can be kept from queueing without losing those who wait there."""
        addresses = (self.config.socket, *self.config.more_sockets)
        paths = [each for each in addresses if each.startswith("/")]
        for path in paths:
            try:
                Path(path).unlink(missing_ok=True)
            except OSError as error:
                log("warning", f"{path} cannot be removed, so requests may still come: {error.strerror}")
                return False
        return len(paths) == len(addresses)

    def _watch(self, now: float) -> None:
        # What cannot be seen does not count as quiet: an error here restarts the wait.
        since, self._quiet_since = self._quiet_since, None
        if not self._senders_left():
            self._quiet_since = now if since is None else since

    def _senders_left(self) -> bool:
        if self.config.nginx_port is not None and tcp_listener_exists(self.config.nginx_port):
            return True
        socket = self.observer.socket
        return socket.in_service is None or socket.in_service > 0 or bool(socket.queue)

    def _why_stop(self, now: float) -> str | None:
        if self._quiet_since is not None and now - self._quiet_since >= QUIET_SECONDS:
            return "nginx is gone and no request is left"
        if not self._waits:
            return "asked to stop, while clients go on"
        return "the deadline is near" if now >= self._finish_by else None

    def _stop(self, now: float, why: str) -> None:
        self.generations.stop_all(now, gracefully=True)
        self._stopping = True
        log("info", f"{why}: uWSGI finishes")

    def _finish(self, now: float) -> None:
        self._ended = self.generations.step_stopping(now)

    def _kill(self) -> None:
        for each in self.generations.all():
            each.instance.kill()
