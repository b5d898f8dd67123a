"""Give the decision about parking what it has to see, carry out what it answers, and say so in one sentence."""

from uwsgi_autopilot.agent.follower import Follower
from uwsgi_autopilot.agent.generation import Generation
from uwsgi_autopilot.agent.generations import Generations
from uwsgi_autopilot.agent.log import log
from uwsgi_autopilot.agent.observe import Observer
from uwsgi_autopilot.agent.parking import Parking, Seen
from uwsgi_autopilot.agent.server import Outcome
from uwsgi_autopilot.api.agentconfig import AgentConfig
from uwsgi_autopilot.api.headroom import BUDGET
from uwsgi_autopilot.api.sample import Sample


class ParkKeeper:
    """told: for the state, one sentence; None: it is switched off."""

    def __init__(self, config: AgentConfig, follower: Follower, generations: Generations, observer: Observer) -> None:
        self.config, self.follower, self.generations, self.observer = config, follower, generations, observer
        self.parking = Parking(config.parking_seconds)
        self.told: str | None = None
        self._slow: float | None = None  # seconds that a return took, which was too long
        self._generation: int | None = None
        self._sample: Sample | None = None
        self._blind = False  # there was no Sample in the last second
        self._room = True
        self._said = False  # that some are put away
        self._why = ""

    @property
    def moving(self) -> bool:
        serving = self.generations.serving
        return serving is not None and serving.parked.moving

    def saw(self, sample: Sample | None) -> None:
        """Once a second."""
        self._sample, self._blind, self._room = sample or self._sample, sample is None, self._has_room()

    def step(self, now: float) -> None:
        """At each tick."""
        serving = self.generations.serving
        if not self.config.parking or serving is None:
            return
        outcome = serving.parked.step(now)
        self._say(serving, outcome)
        never = self._never(serving)
        if never is None and not serving.parked.moving and not self._resizes:
            self._decide(serving, now)
        self.told = never or self._sentence(serving)

    @property
    def _resizes(self) -> bool:
        """Another has the FIFO: letters of two would be summed up."""
        change = self.generations.change
        return change is not None and change.resizing is not None

    def _decide(self, serving: Generation, now: float) -> None:
        sample, socket = self._sample, self.observer.socket
        if sample is None or sample.generation != serving.number:
            return
        live = serving.shape.processes - serving.parked_count
        wanted = self.parking.step(
            Seen(
                now=now,
                shape=serving.shape,
                live=live,
                busy=max(sample.busy, socket.in_service or 0),
                queue=socket.queue,
                cpu=sample.cpu_s / sample.seconds,
                still=self.generations.wants_nothing and not self.follower.following.trial and not self._blind,
                room=self._room,
            )
        )
        self._why = wanted.why or self._why
        if wanted.live != live:
            serving.parked.move(wanted.live, serving.shape.processes, now)

    def _never(self, serving: Generation) -> str | None:
        """Why none is put away, one sentence."""
        if self._generation != serving.number:
            self._generation, self._slow = serving.number, None
        if any(name in ("lazy-apps", "lazy") and value != "false" for name, value in self.config.options):
            return "no worker is put away: with lazy-apps each imports the application, and would be back too late"
        if any(name == "worker-reload-mercy" for name, _ in self.config.options):
            return "no worker is put away: worker-reload-mercy could end a request of one that leaves"
        if self._slow is not None and not serving.parked.any:
            return f"no worker is put away any more: {self._slow:.1f} s passed until they were back"
        return None

    def _has_room(self) -> bool:
        """Whether what is put away could return: a leak in the others may take its memory."""
        serving, memory = self.generations.serving, self.observer.memory
        if serving is None or not self.config.parking or serving.shape.processes <= 1:
            return True
        held = memory.held()
        missing = serving.parked_count * (memory.worker_bytes or 0)
        return held is None or held.used + missing <= BUDGET * held.limit

    def _say(self, serving: Generation, outcome: Outcome | None) -> None:
        if outcome is not Outcome.DONE:
            return
        away, of, parked = serving.parked_count, serving.shape.processes, serving.parked
        if away and not self._said:
            self._said = True
            minutes = self.config.parking_seconds / 60
            log(
                "info",
                f"parking: for {minutes:.0f} minutes the load has needed fewer than {of} workers, so those above its "
                "need are put away, one at a time",
                live=of - away,
            )
        elif not away and parked.took is not None:
            self._said = False
            log("info", f"parking: all {of} workers are back after {parked.took:.1f} s: {self._why or 'a change'}")
            if parked.took > self.config.parking_back_seconds:
                self._slow = parked.took

    def _sentence(self, serving: Generation) -> str:
        of, away = serving.shape.processes, serving.parked_count
        return f"{away} of {of} workers are put away" if away else f"all {of} workers are live"
