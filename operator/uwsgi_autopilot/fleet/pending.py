"""Which event of the table in change.py has happened to the pending change, and what follows from it."""

from dataclasses import dataclass, replace

from uwsgi_autopilot.api.desired import DesiredShape
from uwsgi_autopilot.fleet import delivery, look
from uwsgi_autopilot.fleet.change import DONE, NEXT, TRIAL_SECONDS, Change, Event, Stage
from uwsgi_autopilot.fleet.guards import DURING_TRIAL, first_objection
from uwsgi_autopilot.fleet.history import Kind
from uwsgi_autopilot.fleet.pod import Pod
from uwsgi_autopilot.fleet.search import fresh
from uwsgi_autopilot.fleet.state import FleetState, Word
from uwsgi_autopilot.report.reasons import Reason, RefusalReason
from uwsgi_autopilot.tuner import outcome
from uwsgi_autopilot.tuner.judge import judge
from uwsgi_autopilot.tuner.memory import Memory
from uwsgi_autopilot.tuner.proposal import Drop, Keep, Said, TakeBack, Verdict

# What an agent may find in the way that a person can lift.
LIMITS = (Reason.MEMORY_LIMIT, Reason.CONNECTION_LIMIT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """event: for the table. kind, reason, message: what to record; kind None: nothing. judged: the tuner itself found
    the shape worse. others: uids of the pods that are to try it besides the first."""

    event: Event
    kind: Kind | None = None
    reason: str = ""
    message: str = ""
    judged: bool = False
    others: tuple[str, ...] = ()


def advance(state: FleetState, now: float) -> FleetState:
    """One step of the pending change."""
    change = state.change
    if change is None:
        return state
    if change.on_trial:
        state, found = _of_trial(state, change, now)
    else:
        complete = not delivery.behind(state, now)
        found = Outcome(event=Event.COMPLETE) if complete else None
    return _renewed(state, now) if found is None else _apply(state, found, now)


def forbid(state: FleetState, now: float, why: str) -> FleetState:
    """End a trial that the manifest no longer allows. Any other change goes on."""
    if state.change is None or not state.change.on_trial:
        return state
    return _apply(state, _undecided(Event.VOID, why), now)


# --- what has happened


def _of_trial(state: FleetState, change: Change, now: float) -> tuple[FleetState, Outcome | None]:
    pod = state.pods.get(change.pod or "")
    if pod is None or pod.info.leaving:
        return state, _undecided(Event.POD_GONE, "the pod that tried it first is gone")
    if (failed := _failed(state, change, pod, now)) is not None:
        return state, failed
    if not change.urgent and (disturbed := first_objection(state, now, DURING_TRIAL)) is not None:
        return state, _undecided(Event.VOID, disturbed.message)
    if change.stage is Stage.STARTING:
        return state, Outcome(event=Event.ARRIVED) if look.arrived(state, change, pod, now) else None
    if (harm := look.harm(state, change, pod)) is not None:
        message = f"{look.having(state, change)} had {change.shape}: {harm.message}: back to {change.before}"
        state = replace(state, memory=look.learnt(state.memory, change, harm, now))
        return state, Outcome(event=Event.TAKEN_BACK, kind=Kind.BACK, reason=harm.reason.value, message=message)
    if change.kept is None:
        state, verdict = _judged(state, change, pod)
        if isinstance(verdict, TakeBack):
            return state, _said(verdict, Event.TAKEN_BACK, Kind.BACK, judged=True)
        if isinstance(verdict, Drop):
            return state, _undecided(Event.VOID, verdict.message)
        if isinstance(verdict, Keep):
            change = replace(change, kept=Said(reason=verdict.reason, message=verdict.message))
            state = replace(state, change=change)
    return state, _further(state, change, pod, now)


def _further(state: FleetState, change: Change, pod: Pod, now: float) -> Outcome | None:
    """It did no harm so far: to more pods, or it is kept."""
    others = change.wider(state.pods)
    if change.kept is None and not (others and change.urgent and look.gains(change, pod)):
        return None
    if len(state.pods) > 1 and not look.enough(state, change, now):
        return None
    if others:
        return Outcome(event=Event.MORE, others=others)
    assert change.kept is not None
    message = change.kept.message + look.all_together(state, change)
    return Outcome(event=Event.KEPT, kind=Kind.PROMOTE, reason=change.kept.reason.value, message=message)


def _failed(state: FleetState, change: Change, pod: Pod, now: float) -> Outcome | None:
    """The agent gave up the shape, or the shape got lost on the way."""
    agent, given = pod.state, state.deliveries.get(pod.uid)
    if agent is None:
        return None
    refused = agent.refused_version(change.version)
    if refused is not None and refused.reason is RefusalReason.TRIAL_EXPIRED:
        return _undecided(Event.VOID, "the agent ended the trial, because nobody confirmed it in time")
    if refused is not None:
        return Outcome(
            event=Event.NOT_CARRIED_OUT, kind=Kind.REFUSE, reason=refused.reason.value, message=refused.message
        )
    if given is not None and delivery.late(given, now):
        message = f"its agent has not reported the shape within {delivery.LATE_SECONDS:.0f} s"
        return _undecided(Event.VOID, message)
    idle = agent.accepted >= change.version and agent.change is None and agent.shape != change.shape
    if change.stage is Stage.STARTING and idle and now - change.issued_at > look.LOST_S:
        message = f"{change.shape} was asked for {look.LOST_S:.0f} s ago, but {agent.shape} is still serving"
        return Outcome(
            event=Event.NOT_CARRIED_OUT, kind=Kind.UNDECIDED, reason=Reason.CHANGE_LOST.value, message=message
        )
    return None


def _judged(state: FleetState, change: Change, pod: Pod) -> tuple[FleetState, Verdict | None]:
    """What the tuner says of a sample that it has not seen yet."""
    if not fresh(state, pod):
        return state, None
    if pod.samples[-1].shape != change.shape:
        message = f"{pod.samples[-1].shape} is serving instead of {change.shape}"
        return replace(state, word=Word(reason=Reason.WORKERS_MISSING, message=message)), None
    assert change.proposal is not None
    assert change.arrived_at is not None
    samples = list(pod.samples)
    judged = judge(state.memory, change.proposal, samples, state.limits, arrived_at=change.arrived_at)
    verdict = judged.verdict
    word = Word(reason=verdict.reason, message=look.of_them(state, change) + verdict.message)
    state = replace(state, memory=judged.memory, judged=(pod.uid, samples[-1].seq), word=word)
    if isinstance(verdict, Drop) and len(state.pods) == 1:
        # For the new workload the old shape is no better known, and no other pod still serves it.
        message = f"{change.shape} stays without a comparison with {change.before}: {verdict.message}"
        return state, Keep(reason=verdict.reason, message=message)
    return state, verdict


def _said(verdict: Verdict, event: Event, kind: Kind, *, judged: bool = False) -> Outcome:
    reason, message = verdict.reason.value, verdict.message
    return Outcome(event=event, kind=kind, reason=reason, message=message, judged=judged)


def _undecided(event: Event, why: str) -> Outcome:
    return Outcome(event=event, kind=Kind.UNDECIDED, reason=Reason.TRIAL_UNDECIDED.value, message=why)


# --- what follows


def _apply(state: FleetState, found: Outcome, now: float) -> FleetState:
    change = state.change
    assert change is not None
    stage = NEXT[change.stage, found.event]
    if found.kind is not None:
        state = _recorded(state, change, found, now)
    state = replace(state, memory=_learnt(state.memory, change, found, now))
    if stage is DONE:
        return replace(state, change=None)
    if stage is Stage.STARTING:
        peak = look.peak(state, change)
        wider = replace(change, stage=stage, entered_at=now, others=found.others, peak=peak)
        word = Word(reason=Reason.VERIFYING, message=look.widening(state, change, wider))
        return replace(state, change=wider, word=word)
    change = replace(change, stage=stage, entered_at=now)
    if stage is Stage.TRYING:
        newest = state.pods[change.pod or ""].samples[-1]
        since = newest.at - newest.seconds if change.arrived_at is None else change.arrived_at
        return replace(state, change=replace(change, arrived_at=since))
    if stage is Stage.PROMOTING:
        state = state.with_next_version()
        promoted = DesiredShape(version=state.last, shape=change.shape)
        return replace(state, promoted=promoted, change=replace(change, version=state.last, issued_at=now))
    gone = found.event is Event.POD_GONE
    change = replace(change, issued_at=now, judged_back=found.judged)
    return replace(state, change=change, reference=None if gone else state.reference)


def _recorded(state: FleetState, change: Change, found: Outcome, now: float) -> FleetState:
    assert found.kind is not None
    forth = found.kind in (Kind.PROMOTE, Kind.TRY, Kind.REFUSE)
    before, after = (change.before, change.shape) if forth else (change.shape, change.before)
    return state.recorded(now, found.kind, before, after, found.reason, found.message)


def _learnt(memory: Memory, change: Change, found: Outcome, now: float) -> Memory:
    """What the tuner learns of an end that it did not judge itself, and from when on its samples count."""
    proposal, event = change.proposal, found.event
    if proposal is None:
        return outcome.shape_changed(memory, now) if event is Event.COMPLETE else memory
    if event is Event.NOT_CARRIED_OUT:
        limit = next((each for each in LIMITS if each.value == found.reason), None)
        return outcome.not_carried_out(memory, proposal, now, limit=limit, why=found.message)
    if event in (Event.VOID, Event.POD_GONE):
        return outcome.undecided(memory, now)
    if event is Event.COMPLETE and change.stage is Stage.REVERTING:
        return outcome.returned(memory, now) if change.judged_back else outcome.undecided(memory, now)
    return memory


def _renewed(state: FleetState, now: float) -> FleetState:
    """At half-time the trial gets a new version; otherwise the agent would end it."""
    change = state.change
    assert change is not None
    if not change.on_trial or now - change.issued_at < TRIAL_SECONDS / 2:
        return state
    pod = state.pods.get(change.pod or "")
    if pod is None or pod.accepted < change.version:
        return state
    state = state.with_next_version()
    return replace(state, change=replace(change, version=state.last, issued_at=now))
