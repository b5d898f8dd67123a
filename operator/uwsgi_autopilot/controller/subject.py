"""Which pod's samples count, when no pod's do, and what the tuner says to them. Pure.

The most loaded settled pod stands for the application: saturation is that of the worst pod. It keeps the part until
another is clearly more loaded, so that the tuner sees one story.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import Mode, UwsgiApp
from uwsgi_autopilot.controller.agentstate import Refused
from uwsgi_autopilot.controller.mirror import PodSeen
from uwsgi_autopilot.controller.podview import Pods, PodView
from uwsgi_autopilot.report.reasons import WishReason
from uwsgi_autopilot.tuner.decide import Step, decide, recommend
from uwsgi_autopilot.tuner.limits import Limits
from uwsgi_autopilot.tuner.memory import Asked, Memory

YOUNG_S = 30.0  # cold caches and pools; alone there is no other pod to take
YOUNG_ALONE_S = 5.0
REPLICAS_CHANGED_S = 60.0  # every pod's share of the load is another one now
# The chart's progressDeadlineSeconds: a version without a ready pod for longer is broken, the old one serves on.
STUCK_S = 600.0
MUCH_MORE = 1.5
A_LITTLE = 2.0
BACKWARDS_S = 30.0


@dataclass(slots=True)
class Crowd:
    """Watches how many pods are ready. `left_at`: when one went last, seconds since 1970."""

    ready: int = 0
    left_at: float = 0.0

    def see(self, pods: Pods, now: float) -> None:
        ready = sum(view.seen is not None and view.seen.ready and not view.seen.leaving for view in pods.values())
        if ready < self.ready:
            self.left_at = now
        self.ready = ready

    def disturbed(self, pods: Pods, coming: Sequence[PodSeen], now: float) -> str | None:
        """Why the load of the pods is not to be compared with a minute ago; None: it may be. coming: those that do not
        run yet."""
        running = [view.seen for view in pods.values() if view.seen is not None and not view.seen.leaving]
        there = [*running, *(each for each in coming if not each.leaving)]
        serving = {each.revision for each in there if each.ready}
        stuck = {
            each.uid
            for each in there
            if serving and not each.ready and each.revision not in serving and now - each.created_at > STUCK_S
        }
        if len({each.revision for each in there if each.uid not in stuck}) > 1:
            return "a rollout is on its way"
        seen = [each for each in running if each.uid not in stuck]
        if not all(each.ready for each in seen):
            return "not every pod is ready"
        if len(running) < len(pods):
            return "a pod is leaving"
        born = sorted(each.ready_at or 0.0 for each in seen)
        # The pods of a first rollout become ready within a short while; a later one changes the others' load.
        if born and born[-1] - born[0] > REPLICAS_CHANGED_S and now - born[-1] < REPLICAS_CHANGED_S:
            return f"a pod joined {now - born[-1]:.0f} s ago"
        if now - self.left_at < REPLICAS_CHANGED_S:
            return f"a pod left {now - self.left_at:.0f} s ago"
        return None


def choose(pods: Pods, shape: Shape, current: str | None, now: float, monotonic: float) -> str | None:
    """The uid of the pod to judge by; None when there is none."""
    young = YOUNG_ALONE_S if len(pods) == 1 else YOUNG_S
    loads: dict[str, float] = {}
    for uid, view in pods.items():
        old_enough = view.seen is not None and view.seen.ready_at is not None and now - view.seen.ready_at >= young
        if old_enough and view.settled and view.shape == shape and not view.silent(monotonic):
            figures = view.figures()
            if figures is not None:
                loads[uid] = figures.inside
    if not loads:
        return None
    most = max(loads, key=lambda uid: (loads[uid], uid))
    if current in loads and loads[most] <= MUCH_MORE * loads[current] + A_LITTLE:
        return current
    return most


def refusal_of(view: PodView, asked: Asked | None, seq: int) -> Refused | None:
    """Why the agent would not take the shape that was asked for with the wish `seq`; None: it has not refused."""
    said = view.state.refused if view.state else None
    if view.state is None or said is None or asked is None or said.reason == WishReason.TRIAL_ENDED:
        return None
    if said.seq == seq and said.shape == asked.shape:
        return said
    return view.state.gave_up(seq, asked.shape)


def ask(memory: Memory, view: PodView, app: UwsgiApp, limits: Limits, refused: Shape | None) -> Step | None:
    """The tuner's answer; None where its newest sample was judged already."""
    samples = list(view.samples)
    at = memory.at
    if samples and (samples[-1].seq, samples[-1].at) == (memory.seq, at):
        return None
    if samples and at is not None and samples[-1].at < at:
        # Another pod's clock, or another poll's turn: a little behind is nothing, far behind a clock set back.
        if at - samples[-1].at < BACKWARDS_S:
            return None
        memory = replace(memory, at=None, since=None, not_before=None)
    if app.tuning.mode is Mode.RECOMMEND:
        return recommend(memory, samples, limits)
    return decide(memory, samples, limits, refused=refused)
