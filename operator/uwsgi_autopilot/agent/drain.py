"""After SIGTERM: serve until nobody can send any more, then let uWSGI finish. Only this order loses nothing.

1. touch `draining`: nginx answers with Connection: close from now on, so that clients' pools empty
2. wait until nginx is gone: nobody listens on its port and no connection is left on our socket for a while
3. `q` to every generation; a deadline of our own, before the kubelet's
"""

from pathlib import Path

from uwsgi_autopilot.agent.generations import Generations
from uwsgi_autopilot.agent.log import log
from uwsgi_autopilot.agent.observe import Observer
from uwsgi_autopilot.api.agentconfig import AgentConfig
from uwsgi_autopilot.kernel.sockdiag import tcp_listener_exists

QUIET_SECONDS = 0.5
# Of the deadline, kept for the requests in service once nobody sends any more.
FINISH_SHARE = 0.25
KILL_MARGIN = 2.0


class Drain:
    def __init__(self, config: AgentConfig, generations: Generations, observer: Observer, now: float) -> None:
        self.config, self.generations, self.observer = config, generations, observer
        self._deadline = now + config.drain_seconds
        self._finish_by = now + config.drain_seconds * (1 - FINISH_SHARE)
        self._quiet_since: float | None = None
        self._stopping = False
        log("info", f"asked to stop: serving until nginx is gone, at most {config.drain_seconds:.0f} s")
        if config.draining:
            try:
                Path(config.draining).touch()
            except OSError as error:
                log("warning", f"{config.draining} cannot be made, so kept connections stay open: {error.strerror}")

    def step(self, now: float) -> bool:
        """True when everything has ended."""
        if self._stopping:
            if now >= self._deadline - KILL_MARGIN:
                for each in self.generations.all():
                    each.instance.kill()
            return self.generations.step_stopping(now)
        self.generations.step(now)
        self.observer.tick(self.generations, now)
        if not self._senders_left():
            self._quiet_since = now if self._quiet_since is None else self._quiet_since
            if now - self._quiet_since >= QUIET_SECONDS:
                self._stop(now, "nginx is gone and no request is left")
        else:
            self._quiet_since = None
        if not self._stopping and now >= self._finish_by:
            self._stop(now, "the deadline is near")
        return False

    def _senders_left(self) -> bool:
        if self.config.nginx_port is not None and tcp_listener_exists(self.config.nginx_port):
            return True
        return bool(self.observer.socket.in_service) or bool(self.observer.socket.queue)

    def _stop(self, now: float, why: str) -> None:
        log("info", f"{why}: uWSGI finishes")
        self._stopping = True
        self.generations.stop_all(now, gracefully=True)
