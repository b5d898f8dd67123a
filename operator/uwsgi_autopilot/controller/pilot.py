"""The autopilot of one application: its pods' views in, what to write out. No I/O; the clock is an argument.

    choose whose samples count ─► ask the tuner ─► try on that pod, or everywhere when it hurts ─► promote or go back

It keeps the state and decides nothing: whose samples is subject.py, which shape tuner/decide.py, what follows moves.py,
how a trial ends trial.py, who gets which wish when wishes.py.
"""

from collections import deque
from dataclasses import dataclass, field, replace

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import Mode, UwsgiApp
from uwsgi_autopilot.api.wish import Wish
from uwsgi_autopilot.controller.compare import Baseline, most_hurt, others_of, worse_since
from uwsgi_autopilot.controller.history import HISTORY
from uwsgi_autopilot.controller.mirror import PodSeen
from uwsgi_autopilot.controller.moves import Move, begin, follow, undecided
from uwsgi_autopilot.controller.podview import PodView
from uwsgi_autopilot.controller.subject import Crowd, ask, choose, refusal_of
from uwsgi_autopilot.controller.trial import TRIAL_SECONDS, Seen, Trial, verdict_of
from uwsgi_autopilot.controller.wishes import Wishes
from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.resources.configmaps import inside
from uwsgi_autopilot.tuner.decision import Decision, Entry, Kind
from uwsgi_autopilot.tuner.limits import Limits
from uwsgi_autopilot.tuner.memory import Memory
from uwsgi_autopilot.tuner.phases import Phase

AT_ONCE_EVERY_S = 60.0
HOT_REQUESTS = 10  # in 5 s: with fewer nothing will be decided soon


@dataclass(slots=True)
class Pilot:
    """`said`: entries that the caller has not passed on yet. `quiet`: why nothing is judged right now; None: it is.

    `last`: the tuner's latest word, a hold included. `hurt_at`: when every pod last got a shape at once. `coming`: pods
    that do not run yet.
    """

    spec: UwsgiApp
    wishes: Wishes
    memory: Memory = field(default_factory=Memory)
    trial: Trial | None = None
    history: deque[Entry] = field(default_factory=lambda: deque(maxlen=HISTORY))
    pods: dict[str, PodView] = field(default_factory=dict)
    coming: list[PodSeen] = field(default_factory=list)
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
        if self.wishes.promoted.seq == 0 and tuning.pin is None and self.trial is None:
            # As NAME-promoted has it: until something is promoted, new pods start with the manifest's own.
            self.wishes.promoted = Wish(seq=0, shape=inside(tuning.start, tuning))
        if self.wishes.unnumbered(self.pods):
            self._drop_trial(now, "the manifest has changed")
            message = f"pods started with another shape than {self.wishes.shape}, from an earlier manifest"
            self._everyone(now, tuning.pin or self.wishes.shape, Reason.SHAPE_CHANGED.value, message)
        if tuning.pin is not None or tuning.mode is not Mode.AUTO:
            self._drop_trial(now, "the manifest now forbids it")
        if tuning.pin is not None:
            self.quiet, self.last = "pinned", None
            if self.wishes.shape != tuning.pin:
                self._everyone(now, tuning.pin, "Pinned", "the manifest pins this shape")
            return
        # With those that will run in a moment: their connections are to find room.
        limits = Limits.of(self.spec, len(self.pods) + sum(not each.leaving for each in self.coming))
        clamped = limits.connected(limits.clamp(self.wishes.shape))
        if clamped != self.wishes.shape:
            self._drop_trial(now, "the manifest's bounds have changed")
            message = f"{self.wishes.shape} lies outside the manifest's bounds"
            self._everyone(now, clamped, Reason.BOUNDS_REACHED.value, message)
            self.memory = Memory()
        if tuning.mode is Mode.DISABLED:
            self.quiet, self.last = "disabled", None
            return
        if self.trial is None and self.memory.asked is None:
            serving = self.wishes.taken_by_none(self.pods)
            if serving is not None and serving == limits.connected(limits.clamp(serving)):
                self._everyone(now, serving, Reason.REFUSED.value, f"no pod could change to {self.wishes.shape}")
        self._judge(now, monotonic, limits)

    def start_anew(self) -> None:
        """Forget everything but the promoted shape and the history."""
        self.memory, self.trial, self.subject, self.last = Memory(), None, None, None
        self.wishes.own.clear()
        for view in self.pods.values():
            view.samples.clear()

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

    # --- whose samples, may they be judged, and what follows

    def _judge(self, now: float, monotonic: float, limits: Limits) -> None:
        disturbed = self.crowd.disturbed(self.pods, self.coming, now)
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
            self._give_up(now, "the pod that tried it is gone")
            return
        before = self.memory
        decision = self._ask(now, view, limits)
        if self.trial is not None:
            self._follow(now, view, self.trial, before, decision, disturbed)
        elif decision is not None and decision.kind is not Kind.HOLD:
            self._begin(now, view, decision)

    def _ask(self, now: float, view: PodView, limits: Limits) -> Decision | None:
        asked = self.memory.asked
        refusal = refusal_of(view, asked, self.wishes.of(view.uid).seq)
        step = ask(self.memory, view, self.spec, limits, refusal.shape if refusal else None)
        if step is None:
            return None
        if refusal is not None and asked is not None:
            self._add(
                Entry(
                    at=now, kind="refuse", from_shape=view.shape, to_shape=asked.shape,
                    reason=refusal.reason, message=refusal.message,
                )
            )  # fmt: skip
        self.memory, self.last = step.memory, step.decision
        return step.decision

    def _begin(self, now: float, view: PodView, decision: Decision) -> None:
        promoted = self.wishes.shape
        hurt = len(self.pods) > 1 and now - self.hurt_at >= AT_ONCE_EVERY_S and most_hurt(self.pods)
        baseline = Baseline.of(view.figures(), others_of(self.pods, view, promoted))
        self._carry_out(now, begin(now, view.uid, self.memory, decision, promoted, baseline, everywhere=hurt))
        if self.trial is not None and self.trial.everywhere:
            self.hurt_at = now

    def _follow(
        self, now: float, view: PodView, trial: Trial, before: Memory, decision: Decision | None, disturbed: str | None
    ) -> None:
        asked, promoted = self.memory.asked, self.wishes.shape
        worse = worse_since(asked.arrived_at if asked else None, view, trial.baseline, self.pods, promoted)
        verdict = verdict_of(before, self.memory, decision)
        seen = Seen.of(trial, view, now, verdict=verdict, disturbed=disturbed, worse=worse)
        self._carry_out(now, follow(trial, seen, self.memory, decision, promoted, self.pods))

    def _give_up(self, now: float, why: str) -> None:
        self._carry_out(now, undecided(now, self.trial, self.memory, why, self.wishes.shape, self.pods))

    def _drop_trial(self, now: float, why: str) -> None:
        if self.trial is not None or self.memory.asked is not None:
            self._give_up(now, why)

    def _everyone(self, now: float, shape: Shape, reason: str, message: str) -> None:
        before = self.wishes.shape
        entry = Entry(at=now, kind="change", from_shape=before, to_shape=shape, reason=reason, message=message)
        self._carry_out(now, Move(memory=self.memory, wish=shape, entry=entry))

    # --- carrying out

    def _carry_out(self, now: float, move: Move) -> None:
        self.memory, self.trial = move.memory, move.trial
        if move.anew:
            self.subject = None
        if move.wish is not None:
            if move.to is None:
                seq = self.wishes.everyone(move.wish)
            else:
                seq = self.wishes.one(move.to, move.wish, trial_seconds=TRIAL_SECONDS if move.trial else None)
            if move.trial is not None:
                self.trial = replace(move.trial, seq=seq, wished_at=now)
        if move.entry is not None:
            self._add(move.entry)

    def _add(self, entry: Entry) -> None:
        self.history.append(entry)
        self.said.append(entry)
