"""The autopilot of local mode, as it is, over an agent without a process: what it does in each second, and says."""

from dataclasses import dataclass, replace
from typing import Any

from tests.simulator.agent import Agent
from uwsgi_autopilot.api.desired import DesiredShape
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import ResourceLimits, TuningSpec, UwsgiApp
from uwsgi_autopilot.fleet.change import Change
from uwsgi_autopilot.fleet.history import Entry
from uwsgi_autopilot.fleet.pod import Pod, PodInfo
from uwsgi_autopilot.fleet.state import FleetState
from uwsgi_autopilot.local.autopilot import CHANGES, Autopilot
from uwsgi_autopilot.tuner.memory import Memory
from uwsgi_autopilot.tuner.proposal import Proposal


class SimSession:
    """What `Autopilot` reads and writes of a Session."""

    def __init__(self, app: UwsgiApp, agent: Agent, start: Shape) -> None:
        self.app, self.agent, self.start_shape = app, agent, start
        self.pod = Pod(info=PodInfo(uid=agent.uid, name=app.name))

    @property
    def shape(self) -> Shape | None:
        return self.pod.shape

    def write_promoted(self, desired: DesiredShape) -> None:
        """Nothing dies here that would start from it."""

    def write_desired(self, desired: DesiredShape) -> None:
        self.agent.annotation = desired.to_text()


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """An entry of the history, or the latest word when its reason changed."""

    second: int
    reason: str
    message: str


class Flight:
    """An agent and its autopilot, second by second. After each it is restarted: what is stored is read again.

    entries, proposals: each with the second that it came in.
    """

    def __init__(
        self, agent: Agent, *, start: Shape | None = None, limits: ResourceLimits | None = None, **tuning: Any
    ) -> None:
        start = start or agent.following.target
        spec = TuningSpec(**tuning, start=start)
        app = UwsgiApp(name="shop", module="wsgi:app", tuning=spec, limits=limits or ResourceLimits())
        self.agent = agent
        self.session = SimSession(app, agent, start)
        self.autopilot = Autopilot(self.session, mode=spec.mode)
        self.number = 0
        self.entries: list[tuple[int, Entry]] = []
        self.proposals: list[tuple[int, Proposal]] = []
        self.said: list[Said] = []
        self._word: str | None = None

    @property
    def state(self) -> FleetState:
        return self.autopilot.state

    @property
    def pending(self) -> Proposal | None:
        return self.state.change.proposal if self.state.change else None

    def second(self, now: float) -> list[Entry]:
        """One more, which ends at `now`. The agent acts on what was written in the one before."""
        self.number += 1
        self.agent.second(now)
        self.session.pod.take(self.agent.answer(now, self.session.pod.cursor), now)
        before = self.pending
        new = self.autopilot.step()
        self.entries += [(self.number, each) for each in new]
        self.said += [Said(second=self.number, reason=each.reason, message=each.message) for each in new]
        if self.pending is not None and self.pending is not before:
            self.proposals.append((self.number, self.pending))
        word = self.autopilot.word
        if word is not None and word.reason.value != self._word:
            self._word = word.reason.value
            self.said.append(Said(second=self.number, reason=self._word, message=word.message))
        self._survive_a_restart()
        return new

    def _survive_a_restart(self) -> None:
        state = self.state
        change = Change.from_json(state.change.to_json()) if state.change else None
        memory = Memory.from_json(state.memory.to_json())
        self.autopilot.state = replace(state, change=change, memory=memory)

    @property
    def changes(self) -> list[tuple[int, Entry]]:
        """Those that changed what serves, or were to."""
        return [(second, each) for second, each in self.entries if each.kind in CHANGES]

    def swaps(self, after: int = 0) -> int:
        """How often another generation was asked for, after that second."""
        pairs = [(each.from_shape or each.to_shape, each.to_shape) for second, each in self.changes if second > after]
        return sum(before.threads != then.threads for before, then in pairs)

    @property
    def way(self) -> str:
        return ", ".join(f"{second} s {each.to_shape} ({each.reason})" for second, each in self.changes)

    @property
    def reasons(self) -> set[str]:
        return {each.reason for each in self.said}

    @property
    def requests(self) -> list[float]:
        """Of each second."""
        return [each.requests for each in self.agent.samples]

    def throughput(self, last: int = 10) -> float:
        return sum(self.requests[-last:]) / last
