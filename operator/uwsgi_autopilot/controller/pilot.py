"""The autopilot of one application: its pods' views in, what to write out. No I/O; the clock is an argument.

    choose whose samples count ─► ask the tuner ─► try on that pod, or everywhere when it hurts ─► promote or go back

It decides no shape: that is tuner/decide.py. How a trial ends is trial.py; who gets which wish when is wishes.py.
"""

from collections import deque
from dataclasses import dataclass, field, replace

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import Mode, UwsgiApp
from uwsgi_autopilot.controller.history import HISTORY, Entry
from uwsgi_autopilot.controller.podview import Figures, PodView, figures_of
from uwsgi_autopilot.controller.subject import Crowd, choose
from uwsgi_autopilot.controller.trial import Baseline, Next, Seen, Trial, Verdict, hurt_now, next_of, worse_off
from uwsgi_autopilot.controller.wishes import Wishes
from uwsgi_autopilot.tuner.decide import Step, decide, recommend
from uwsgi_autopilot.tuner.decision import Decision, Kind
from uwsgi_autopilot.tuner.limits import Limits
from uwsgi_autopilot.tuner.memory import Memory
from uwsgi_autopilot.tuner.phases import Event, Phase

AT_ONCE_EVERY_S = 60.0
COMPARE_S = 5.0
SETTLE_S = 2.0
BACKWARDS_S = 30.0
HOT_REQUESTS = 10  # in 5 s: with fewer nothing will be decided soon


def limits_of(app: UwsgiApp, pods: int) -> Limits:
    """Of one pod: `maxConnections` counts for all of them together."""
    tuning = app.tuning
    most = tuning.max_connections
    return Limits(
        processes=tuning.processes,
        threads=tuning.threads,
        cores=app.limits.cpu,
        memory_limit=app.limits.memory,
        max_connections=None if most is None else max(1, most // max(1, pods)),
        connections_per_process=tuning.connections_per_process,
    )


@dataclass(slots=True)
class Pilot:
    """`said`: entries that the caller has not passed on yet. `quiet`: why nothing is judged right now; None: it is.

    `last`: the tuner's latest word, a hold included.
    """

    spec: UwsgiApp
    wishes: Wishes
    memory: Memory = field(default_factory=Memory)
    trial: Trial | None = None
    history: deque[Entry] = field(default_factory=lambda: deque(maxlen=HISTORY))
    pods: dict[str, PodView] = field(default_factory=dict)
    subject: str | None = None
    last: Decision | None = None
    quiet: str | None = None
    said: list[Entry] = field(default_factory=list)
    crowd: Crowd = field(default_factory=Crowd)
    hurt_at: float = 0.0

    def step(self, now: float, monotonic: float) -> None:
        """Once a second or less often; `now` in seconds since 1970."""
        self.crowd.see(self.pods, now)
        self.wishes.forget(set(self.pods))
        tuning = self.spec.tuning
        if tuning.pin is not None or tuning.mode is not Mode.AUTO:
            self._drop_trial(now, "the manifest now forbids it")
        if tuning.pin is not None:
            self.quiet, self.last = "pinned", None
            if self.wishes.shape != tuning.pin:
                self._everyone(now, tuning.pin, "Pinned", "the manifest pins this shape")
            return
        clamped = limits_of(self.spec, len(self.pods)).clamp(self.wishes.shape)
        if clamped != self.wishes.shape:
            self._drop_trial(now, "the manifest's bounds have changed")
            self._everyone(now, clamped, "BoundsReached", f"{self.wishes.shape} lies outside the manifest's bounds")
            self.memory = Memory()
        if tuning.mode is Mode.DISABLED:
            self.quiet, self.last = "disabled", None
            return
        self._judge(now, monotonic)

    def start_anew(self) -> None:
        """Forget everything but the promoted shape and the history."""
        self.memory, self.trial, self.subject, self.last = Memory(), None, None, None
        self.wishes.own.clear()
        for view in self.pods.values():
            view.samples.clear()

    # --- whose samples, and may they be judged

    def _judge(self, now: float, monotonic: float) -> None:
        disturbed = self.crowd.disturbed(self.pods, now)
        if self.trial is None and self.memory.asked is None:
            self.quiet = disturbed or self.wishes.unfinished(self.pods)
            if self.quiet is not None:
                return
            chosen = choose(self.pods, self.wishes.shape, self.subject, now, monotonic)
            if chosen is None:
                self.quiet = "no pod that could be judged: none, or not settled, or its agent is silent"
                return
            self.subject = chosen
        self.quiet = None
        view = self.pods.get(self.subject or "")
        if view is None:
            self._undecided(now, "the pod that tried it is gone")
            return
        before = self.memory
        step = self._ask(view, now)
        if step is not None:
            self.memory, self.last = step.memory, step.decision
        if self.trial is not None:
            self._follow_trial(now, view, before, step, disturbed)
        elif step is not None:
            self._begin(now, view, step.decision)

    def _ask(self, view: PodView, now: float) -> Step | None:
        """The tuner's answer; None where its newest sample was judged already."""
        samples = list(view.samples)
        at = self.memory.at
        if samples and (samples[-1].seq, samples[-1].at) == (self.memory.seq, at):
            return None
        if samples and at is not None and samples[-1].at < at:
            # Another pod's clock, or another poll's turn: a little behind is nothing, far behind a clock set back.
            if at - samples[-1].at < BACKWARDS_S:
                return None
            self.memory = replace(self.memory, at=None, since=None, not_before=None)
        limits = limits_of(self.spec, len(self.pods))
        if self.spec.tuning.mode is Mode.RECOMMEND:
            return recommend(self.memory, samples, limits)
        refused = None
        said = view.state.refused if view.state else None
        asked = self.memory.asked
        if said is not None and asked is not None and said.reason != "TrialEnded":
            refused = asked.shape if said.shape == asked.shape and said.seq == self.wishes.of(view.uid).seq else None
            if refused is not None:
                self._note(now, "refuse", view.shape, asked.shape, said.reason, said.message)
        return decide(self.memory, samples, limits, refused=refused)

    # --- what follows from the answer

    def _begin(self, now: float, view: PodView, decision: Decision) -> None:
        if decision.kind in (Kind.REFUSE, Kind.RECOMMEND):
            self._say(now, decision.kind.value, decision)
        if decision.kind is not Kind.CHANGE:
            return
        going_back = self.memory.phase is Phase.BACK
        if going_back:
            # The second half of a trial that is over: nothing left to try.
            self.wishes.one(view.uid, decision.to_shape, trial_seconds=None)
            self._say(now, "back", decision)
            return
        others = self._others(view)
        hurts = len(self.pods) > 1 and now - self.hurt_at >= AT_ONCE_EVERY_S and self._hurt()
        before = self.wishes.shape
        if hurts:
            self.hurt_at = now
            seq = self.wishes.everyone(decision.to_shape)
            self._say(now, "everywhere", decision)
        else:
            seq = self.wishes.one(view.uid, decision.to_shape)
            self._say(now, "try", decision)
        self.trial = Trial(
            pod=view.uid, shape=decision.to_shape, before=before, seq=seq, began_at=now, wished_at=now,
            everywhere=hurts, baseline=Baseline.of(view.figures(), others),
        )  # fmt: skip

    def _follow_trial(
        self, now: float, view: PodView, before: Memory, step: Step | None, disturbed: str | None
    ) -> None:
        trial = self.trial
        assert trial is not None
        decision = step.decision if step else None
        if decision is not None and decision.kind is Kind.CHANGE and self.memory.phase is Phase.VERIFY:
            # What it has shown points to yet another shape: the same trial goes on with that one.
            everywhere = trial.everywhere
            seq = (
                self.wishes.everyone(decision.to_shape) if everywhere else self.wishes.one(view.uid, decision.to_shape)
            )
            self.trial = replace(trial, shape=decision.to_shape, seq=seq, wished_at=now)
            self._say(now, "try", decision)
            return
        state = view.state
        seen = Seen(
            now=now,
            there=view.seen is not None and not view.seen.leaving,
            verdict=_verdict(before, self.memory, decision),
            disturbed=disturbed,
            followed=state is not None and state.seq >= trial.seq,
            ended=state is not None
            and state.refused is not None
            and state.refused.reason == "TrialEnded"
            and state.refused.seq == trial.seq,
            worse=self._worse(view, trial),
        )
        what, why = next_of(trial, seen)
        if what is Next.RENEW:
            seq = self.wishes.one(view.uid, trial.shape)
            self.trial = replace(trial, seq=seq, wished_at=now)
        elif what is Next.PROMOTE:
            assert decision is not None
            self.trial = None
            if not trial.everywhere:
                self.wishes.everyone(trial.shape)
            self._note(now, "promote", trial.before, trial.shape, decision.reason.value, decision.message)
        elif what is Next.BACK:
            self._back(now, view, trial, decision, why)
        elif what is Next.UNDECIDED:
            alone = len(self.pods) == 1 and self.memory.phase is Phase.OBSERVE and view.shape == trial.shape
            if alone and seen.verdict is Verdict.DROPPED:
                # Another workload came in the middle: the shape from before is no better known for it.
                self.trial = None
                self.wishes.everyone(trial.shape)
                message = f"{trial.shape} stays, no longer compared with {trial.before}"
                if decision is not None:
                    message = f"{message}: {decision.message}"
                self._note(now, "promote", trial.before, trial.shape, "WorkloadChanged", message)
                return
            self._undecided(now, why or (decision.message if decision else "dropped"))

    def _back(self, now: float, view: PodView, trial: Trial, decision: Decision | None, why: str) -> None:
        self.trial = None
        if trial.everywhere:
            self.wishes.everyone(trial.before)
        else:
            self.wishes.one(view.uid, trial.before, trial_seconds=None)
        taken_back = decision is not None and decision.kind is Kind.CHANGE
        if taken_back:
            assert decision is not None
            self._say(now, "back", decision)
            return
        # We saw it before the tuner did: what it asked for was worse, and it is not to ask again at this load.
        self._note(now, "back", trial.shape, trial.before, "Reverted", f"{why}: back to {trial.before}")
        asked = self.memory.asked
        demand = max(asked.before.demand, 1.0) if asked else 1.0
        up = trial.shape.slots > trial.before.slots
        memory = self.memory.with_rejected(trial.shape, up=up, demand=demand, change=-0.5)
        self.memory = _without_asked(memory, trial.before, now)

    def _undecided(self, now: float, why: str) -> None:
        """Forget what was asked, as if it had not been; the pod returns, if it is still there."""
        trial, self.trial, self.subject = self.trial, None, None
        if trial is None:
            self.memory = _without_asked(self.memory, self.wishes.shape, now)
            return
        if trial.everywhere:
            self.memory = _without_asked(self.memory, self.wishes.shape, now)
        else:
            if trial.pod in self.pods:
                self.wishes.one(trial.pod, trial.before, trial_seconds=None)
            self.memory = _without_asked(self.memory, trial.before, now)
        self._note(now, "undecided", trial.shape, trial.before, "TrialUndecided", why)

    def _drop_trial(self, now: float, why: str) -> None:
        if self.trial is not None or self.memory.asked is not None:
            self._undecided(now, why)

    def _everyone(self, now: float, shape: Shape, reason: str, message: str) -> None:
        before = self.wishes.shape
        self.wishes.everyone(shape)
        self._note(now, "change", before, shape, reason, message)

    # --- the other pods

    def _others(self, view: PodView, since: float = 0.0) -> Figures | None:
        """Ratios of sums over the other pods that serve the promoted shape in peace."""
        chosen = []
        for other in self.pods.values():
            if other.uid != view.uid and other.settled and other.shape == self.wishes.shape and other.samples:
                newest = other.samples[-1].at
                chosen += [each for each in other.samples if each.at > max(newest - COMPARE_S, since)]
        return figures_of(chosen)

    def _worse(self, view: PodView, trial: Trial) -> str | None:
        asked = self.memory.asked
        if asked is None or asked.arrived_at is None or not view.settled:
            return None
        since = asked.arrived_at + SETTLE_S
        tried = view.figures(COMPARE_S, since=since)
        if tried is None or tried.seconds < 3.0:
            return None
        return worse_off(trial.baseline, tried, self._others(view, since))

    def _hurt(self) -> bool:
        hurting = sum(hurt_now(view.figures(3.0)) for view in self.pods.values())
        return 2 * hurting >= len(self.pods)

    # --- words

    def _say(self, now: float, kind: str, decision: Decision) -> None:
        self._note(now, kind, decision.from_shape, decision.to_shape, decision.reason.value, decision.message)

    def _note(self, now: float, kind: str, old: Shape | None, new: Shape, reason: str, message: str) -> None:
        entry = Entry(at=now, kind=kind, from_shape=old, to_shape=new, reason=reason, message=message)
        self.history.append(entry)
        self.said.append(entry)

    def hot(self, view: PodView) -> bool:
        """Should this pod be polled every second? Those that are judged, and those that are being changed."""
        if self.spec.tuning.mode is Mode.DISABLED or self.spec.tuning.pin is not None:
            return self.wishes.open_for(view)
        if self.wishes.open_for(view) or (view.uid == self.subject and self.memory.asked is not None):
            return True
        figures = view.figures()
        if figures is None or figures.requests < HOT_REQUESTS:
            return False
        searching = view.uid == self.subject and self.memory.phase is not Phase.HOLD
        return searching or figures.queue >= 1.0


def _verdict(before: Memory, after: Memory, decision: Decision | None) -> Verdict:
    if before.asked is None or before.phase is not Phase.VERIFY or decision is None:
        return Verdict.OPEN if after.asked is not None else Verdict.DROPPED
    if after.phase is Phase.BACK:
        return Verdict.TAKEN_BACK
    if after.asked is not None:
        return Verdict.OPEN
    kept = after.phase is Phase.REFINE and after.shape == before.asked.shape
    return Verdict.KEPT if kept else Verdict.DROPPED


def _without_asked(memory: Memory, shape: Shape, now: float) -> Memory:
    if memory.phase in (Phase.VERIFY, Phase.BACK):
        memory = memory.on(Event.NOT_DONE)
    return replace(memory, asked=None, shape=shape, since=now)
