"""Ask the tuner, and begin the change that it proposes. Only while nothing is pending."""

from dataclasses import replace

from uwsgi_autopilot.api.uwsgiapp import Mode
from uwsgi_autopilot.fleet.change import Change, Stage
from uwsgi_autopilot.fleet.compare import Baseline, most_overloaded, others_of
from uwsgi_autopilot.fleet.guards import first_objection
from uwsgi_autopilot.fleet.history import Kind
from uwsgi_autopilot.fleet.pod import Pod
from uwsgi_autopilot.fleet.reference import reference_pod
from uwsgi_autopilot.fleet.shared import SETTLE_S, Together, together
from uwsgi_autopilot.fleet.state import FleetState, Word
from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner.memory import Memory
from uwsgi_autopilot.tuner.proposal import Answer, Proposal, Refusal
from uwsgi_autopilot.tuner.propose import propose, recommend

# A trial that goes to all pods before it is judged is a risk: the earliest next one.
URGENT_EVERY_S = 60.0
# How far the newest sample may lie behind what was judged: another pod's clock, or the order of the polls.
BACKWARDS_S = 30.0
LEAST_TOLD = 0.005
# How old may be what all pods did before: a calm one is asked every four seconds.
BASELINE_S = 12.0


def begin(state: FleetState, now: float) -> FleetState:
    if state.change is not None:
        return replace(state, hold=None)
    hold = first_objection(state, now)
    if hold is not None:
        return replace(state, hold=hold)
    uid = reference_pod(state, now)
    if uid is None:
        return replace(state, hold=_no_reference(state))
    return _ask(replace(state, hold=None, reference=uid), state.pods[uid], now)


def _no_reference(state: FleetState) -> Word:
    for pod in state.pods.values():
        if pod.settled and pod.state is not None and pod.state.target == state.shape != pod.shape:
            message = f"{pod.name} is serving {pod.shape} instead of {state.shape}: workers are missing"
            return Word(reason=Reason.WORKERS_MISSING, message=message)
    message = "no pod can stand for the application: none runs, none has settled, or no agent answers"
    return Word(reason=Reason.NO_REFERENCE_POD, message=message)


def fresh(state: FleetState, pod: Pod) -> bool:
    """It has a sample that the tuner has not seen yet."""
    return bool(pod.samples) and (pod.uid, pod.samples[-1].seq) != state.judged


def _ask(state: FleetState, pod: Pod, now: float) -> FleetState:
    if not fresh(state, pod):
        return state
    memory = _on_clock(state.memory, pod.samples[-1].at)
    if memory is None:
        return state
    ask = recommend if state.app.tuning.mode is Mode.RECOMMEND else propose
    asked = ask(memory, list(pod.samples), state.limits)
    answer = asked.answer
    state = replace(
        state,
        memory=asked.memory,
        judged=(pod.uid, pod.samples[-1].seq),
        word=Word(reason=answer.reason, message=answer.message, expected_gain=_gain(answer)),
    )
    if isinstance(answer, Refusal) and answer.first:
        return state.recorded(now, Kind.REFUSE, state.shape, answer.shape, answer.reason.value, answer.message)
    if not isinstance(answer, Proposal):
        return state
    if state.app.tuning.mode is Mode.RECOMMEND:
        return state.recorded(now, Kind.RECOMMEND, state.shape, answer.shape, answer.reason.value, answer.message)
    return _try(state, pod, answer, now)


def _gain(answer: Answer) -> float | None:
    """0.35: 35 % more requests a second. None where no shape serves more of them, but sooner: the sentence says it."""
    if not isinstance(answer, Proposal) or not answer.before.throughput:
        return None
    gain = answer.expected / answer.before.throughput - 1
    return gain if abs(gain) >= LEAST_TOLD else None


def _try(state: FleetState, pod: Pod, proposal: Proposal, now: float) -> FleetState:
    several = len(state.pods) > 1
    urgent = several and now - state.urgent_at >= URGENT_EVERY_S and most_overloaded(state.pods)
    state = state.with_next_version()
    change = Change(
        stage=Stage.STARTING,
        shape=proposal.shape,
        before=state.shape,
        version=state.last,
        issued_at=now,
        entered_at=now,
        pod=pod.uid,
        urgent=urgent,
        proposal=proposal,
        baseline=Baseline.of(pod.figures(), others_of(state.pods, pod, state.shape)),
        together=_all_before(state, now) if several else None,
    )
    state = state.recorded(now, Kind.TRY, state.shape, proposal.shape, proposal.reason.value, proposal.message)
    return replace(state, change=change, urgent_at=now if urgent else state.urgent_at)


def _all_before(state: FleetState, now: float) -> Together | None:
    """What all pods do with the present shape, without the seconds in which they came back to it."""
    since = state.memory.since if state.memory.since is not None else 0.0
    return together(state.pods, since=max(now - BASELINE_S, since + SETTLE_S))


def _on_clock(memory: Memory, newest: float) -> Memory | None:
    """None: the sample is a little older than what was judged already. When it is much older, the clock was set back:
    then the instants that the tuner remembers are dropped, and what it has learnt stays."""
    if memory.at is None or newest >= memory.at:
        return memory
    if memory.at - newest < BACKWARDS_S:
        return None
    return memory.without_instants()
