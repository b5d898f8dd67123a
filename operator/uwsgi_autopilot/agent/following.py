"""Which shape the agent follows, and what it refused last. Pure: values in, values out; no file, no clock, no server.

         accept(for good) ┌──────────────────────────────────────────────┐
                          ▼                                              │
    ──start──► FOR GOOD ──accept(trial)──► TRIAL ──accept(for good)──────┘
                  ▲  ▲                      │ │ ▲
                  │  └──expire: fallback────┘ │ └─accept(trial): renewed, the first fallback stays
                  └─────give_up: fallback─────┘

`target` is the only shape that is ever carried out: what was accepted, or what to return to.
"""

from dataclasses import dataclass, replace

from uwsgi_autopilot.api.agentconfig import AgentConfig
from uwsgi_autopilot.api.agentstate import Refused
from uwsgi_autopilot.api.desired import ALL_PODS, UNVERSIONED, DesiredShape, Version
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.report.reasons import RefusalReason
from uwsgi_autopilot.report.text import cut, readable

# The longest message of a refusal: room for one traceback.
MESSAGE_BYTES = 4000


@dataclass(frozen=True, slots=True)
class Trial:
    """fallback: the target from before it. expires_at: seconds on the agent's clock."""

    fallback: Shape
    expires_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """accepted: the desired shape that is or was last followed. trial: it is one, until it ends.
    refused: the latest refusal since then, of whatever kind; None: none."""

    accepted: DesiredShape
    target: Shape
    trial: Trial | None = None
    refused: Refused | None = None

    @classmethod
    def start(cls, shape: Shape, promoted: DesiredShape | None = None) -> "Following":
        accepted = promoted or DesiredShape(version=UNVERSIONED, shape=shape)
        return cls(accepted=accepted, target=accepted.shape)

    def receive(self, desired: DesiredShape, config: AgentConfig, now: float) -> "Following":
        """Follow `desired`, or refuse it. The same version with the same shape changes nothing."""
        if problem := objection(desired, config, self.accepted):
            reason, message = problem
            return self.refuse(reason, message, now, version=desired.version, shape=desired.shape)
        if desired.version == self.accepted.version:
            return self
        trial = None
        if desired.trial_seconds is not None:
            fallback = self.trial.fallback if self.trial else self.target
            trial = Trial(fallback, now + desired.trial_seconds)
        return Following(accepted=desired, target=desired.shape, trial=trial)

    def expire(self, now: float) -> "Following":
        """End a trial whose time is up; otherwise return self."""
        if self.trial is None or now < self.trial.expires_at:
            return self
        accepted, fallback = self.accepted, self.trial.fallback
        message = f"nobody confirmed the trial of {accepted.shape} in time: back to {fallback}"
        back = replace(self, target=fallback, trial=None)
        return back.refuse(RefusalReason.TRIAL_EXPIRED, message, now, version=accepted.version, shape=accepted.shape)

    def give_up(
        self, reason: RefusalReason, message: str, now: float, *, version: Version, shape: Shape, before: Shape
    ) -> "Following":
        """`shape` could not be carried out for `version`; `before` is what served when that began.

        A version accepted in the meantime stays in force: only the refusal is recorded.
        """
        told = self.refuse(reason, message, now, version=version, shape=shape)
        if (version, shape) != (self.accepted.version, self.target):
            return told
        return replace(told, target=self.trial.fallback if self.trial else before, trial=None)

    def refuse(
        self, reason: RefusalReason, message: str, now: float, *, version: Version | None, shape: Shape | None
    ) -> "Following":
        # The application's own words may hold secrets: they are hidden here, once, before anything leaves the agent.
        told = cut(readable(message), MESSAGE_BYTES)
        return replace(self, refused=Refused(reason=reason, message=told, at=now, version=version, shape=shape))


def objection(desired: DesiredShape, config: AgentConfig, accepted: DesiredShape) -> tuple[RefusalReason, str] | None:
    """The first reason not to follow `desired`, or None."""
    if desired.uid not in (ALL_PODS, config.uid):
        return RefusalReason.OTHER_POD, f"it is for the pod {desired.uid}, this one is {config.uid}"
    if desired.version < accepted.version:
        message = f"version {desired.version} is older than the last one accepted, {accepted.version}"
        return RefusalReason.OLDER_THAN_LAST, message
    if desired.version == accepted.version and desired.shape != accepted.shape:
        message = f"version {desired.version} was accepted for {accepted.shape}, found it again for {desired.shape}"
        return RefusalReason.CONFLICTING_SHAPE, message
    if problem := bounds_problem(desired.shape, config):
        return RefusalReason.OUT_OF_BOUNDS, problem
    return None


def bounds_problem(shape: Shape, config: AgentConfig) -> str | None:
    bounds = (
        ("processes", shape.processes, config.min_processes, config.max_processes),
        ("threads", shape.threads, config.min_threads, config.max_threads),
    )
    for name, value, least, most in bounds:
        if not least <= value <= most:
            return f"{name}: expected {least} to {most}, found {value}"
    return None
