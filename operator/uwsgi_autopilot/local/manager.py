"""What the service manager is told of a session: ready, what serves, reloading, that we are alive."""

from uwsgi_autopilot.kernel.notify import ServiceManager
from uwsgi_autopilot.local.session import Session

STATUS_SECONDS = 5.0
# Of a reload: how long it is kept waiting for a generation that does not start.
RELOAD_SECONDS = 60.0


class Pace:
    """`due` once in so many seconds, the first time at once."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self._next = seconds, 0.0

    def due(self, now: float) -> bool:
        if now < self._next:
            return False
        self._next = now + self.seconds
        return True


def status_line(session: Session) -> str:
    """For `systemctl status`: what serves, and how much."""
    samples = list(session.pod.samples)[-10:]
    seconds = sum(each.seconds for each in samples)
    rps = sum(each.requests for each in samples) / seconds if seconds else 0.0
    parked = session.state.parked if session.state else 0
    away = f" ({parked} put away)" if parked else ""
    return f"{session.shape.in_words() if session.shape else 'starting'}{away}, {rps:.0f} requests/s"


class Manager:
    """systemd, where it started us (Type=notify, WatchdogSec=); elsewhere nothing is told to anybody."""

    def __init__(self) -> None:
        self._manager = ServiceManager()
        self._watchdog = Pace((self._manager.watchdog_seconds or 0) / 3)
        self._status = Pace(STATUS_SECONDS)
        self._reload: tuple[int | None, float] | None = None  # the generation that goes, and until when we wait

    def step(self, session: Session, now: float) -> None:
        """Call it first when the application answers, then ten times a second."""
        if self._watchdog.due(now):
            self._manager.alive()
        if self._reload is not None:
            (before, until), state = self._reload, session.state
            if now < until and (state is None or state.change is not None or state.generation == before):
                return
            self._reload, self._status = None, Pace(STATUS_SECONDS)
        if self._status.due(now):
            self._manager.ready(status_line(session))

    def reloading(self, session: Session, now: float) -> None:
        """Shown as `reloading` until another generation serves; from systemd 253 on `systemctl reload` waits for it."""
        self._manager.reloading()
        self._reload = (session.state.generation if session.state else None, now + RELOAD_SECONDS)

    def stopping(self) -> None:
        self._manager.stopping()
