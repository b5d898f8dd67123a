"""An agent without a process: it follows desired shapes by the real rules, over a simulated machine or a recording."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from tests.simulator.observe import Observer
from tests.simulator.pod import Pod as Machine
from tests.unit.agent.making import config
from uwsgi_autopilot.agent.following import Following
from uwsgi_autopilot.api.agentstate import AgentState, ChangeProgress
from uwsgi_autopilot.api.desired import ALL_PODS, parse_desired
from uwsgi_autopilot.api.sample import Sample
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.report.reasons import RefusalReason

SWAP_S = 1.5


def anything(shape: Shape) -> bool:
    return True


def nothing(shape: Shape) -> bool:
    return False


class Agent:
    """annotation: the text that it is to follow. deaf: it does not see a new one. silent: it does not answer."""

    def __init__(self, start: Shape, *, uid: str = ALL_PODS) -> None:
        self.uid = uid
        self.following = Following.start(start)
        self.samples: list[Sample] = []
        self.annotation: str | None = None
        self.deaf = self.silent = False
        self._read: str | None = None

    def follow(self, now: float) -> None:
        self.following = self.following.expire(now)
        if self.annotation is not None and self.annotation != self._read and not self.deaf:
            self._read = self.annotation
            self.following = self.following.receive(parse_desired(self._read), config(uid=self.uid), now)

    def serving(self) -> tuple[Shape, bool]:
        """The shape, and whether it has settled."""
        return self.samples[-1].shape, self.samples[-1].settled

    def answer(self, now: float, since: int) -> dict[str, Any]:
        """What its state page says, with the samples after `since`."""
        following, (shape, settled) = self.following, self.serving()
        state = AgentState(
            agent="0.1.0", app="shop", uid=self.uid, pid=1, now=now, serving=True, ready=True, shape=shape,
            change=None if settled else ChangeProgress(kind="swap", to=following.target, seconds=1.0),
            target=following.target, accepted=following.accepted.version, on_trial=following.trial is not None,
            refused=following.refused,
        )  # fmt: skip
        return state.to_json([each for each in self.samples if each.seq > since])


class SimAgent(Agent):
    """Over a simulated machine.

    refuses: shapes that it cannot carry out for lack of memory. ignores: those that it accepts and never begins.
    """

    def __init__(self, machine: Machine, *, uid: str = ALL_PODS, observer: Observer | None = None) -> None:
        super().__init__(machine.shape, uid=uid)
        self.machine = machine
        self.observer = observer or Observer(machine)
        self.swap_s = SWAP_S
        self.refuses: Callable[[Shape], bool] = nothing
        self.ignores: Callable[[Shape], bool] = nothing

    def second(self, now: float) -> None:
        before = self.following.target
        self.follow(now)
        target = self.following.target
        if target != before and self.refuses(target):
            self.following = self.following.give_up(
                RefusalReason.MEMORY_LIMIT, "does not fit", now, version=self.following.accepted.version, shape=target,
                before=before,
            )  # fmt: skip
        elif target != before and not self.ignores(target):
            self.machine.changes.ask(target, self.swap_s, in_place=self.following.accepted.in_place)
        self.samples.append(self.observer.second())

    def serving(self) -> tuple[Shape, bool]:
        return self.machine.shape, self.machine.settled


class ReplayedAgent(Agent):
    """Its samples are given. obeys: they come from the shape that it is asked for; else from the one that they name."""

    def __init__(self, samples: Sequence[Sample], start: Shape, *, obeys: bool = False) -> None:
        super().__init__(start)
        self.coming = iter(samples)
        self.obeys = obeys

    def second(self, now: float) -> None:
        self.follow(now)
        newest = next(self.coming)
        self.samples.append(replace(newest, shape=self.following.target) if self.obeys else newest)
