"""Ask the tuner, and begin the change that it proposes. Only while nothing is pending."""

from dataclasses import replace

from uwsgi_autopilot.api.uwsgiapp import Mode
from uwsgi_autopilot.fleet.change import Change, Stage
from uwsgi_autopilot.fleet.compare import Baseline, most_overloaded, others_of
from uwsgi_autopilot.fleet.guards import first_objection
from uwsgi_autopilot.fleet.history import Kind
from uwsgi_autopilot.fleet.pod import Pod
from uwsgi_autopilot.fleet.reference import reference_pod
from uwsgi_autopilot.fleet.state import FleetState, Word
from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner.memory import Memory
from uwsgi_autopilot.tuner.proposal import Proposal, Refusal
from uwsgi_autopilot.tuner.propose import propose, recommend

# A trial in every pod at once is a risk: the earliest next one.
ALL_PODS_EVERY_S = 60.0
# How far the newest sample may lie behind what was judged: another pod's clock, or the order of the polls.
BACKWARDS_S = 30.0


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
    gain = (
        answer.expected / answer.before.throughput - 1
        if isinstance(answer, Proposal) and answer.before.throughput
        else None
    )
    state = replace(
        state,
        memory=asked.memory,
        judged=(pod.uid, pod.samples[-1].seq),
        word=Word(reason=answer.reason, message=answer.message, expected_gain=gain),
    )
    if isinstance(answer, Refusal) and answer.first:
        return state.recorded(now, Kind.REFUSE, state.shape, answer.shape, answer.reason.value, answer.message)
    if not isinstance(answer, Proposal):
        return state
    if state.app.tuning.mode is Mode.RECOMMEND:
        return state.recorded(now, Kind.RECOMMEND, state.shape, answer.shape, answer.reason.value, answer.message)
    return _try(state, pod, answer, now)


def _try(state: FleetState, pod: Pod, proposal: Proposal, now: float) -> FleetState:
    several = len(state.pods) > 1
    all_pods = several and now - state.overloaded_at >= ALL_PODS_EVERY_S and most_overloaded(state.pods)
    state = state.with_next_version()
    change = Change(
        stage=Stage.STARTING,
        shape=proposal.shape,
        before=state.shape,
        version=state.last,
        issued_at=now,
        pod=pod.uid,
        all_pods=all_pods,
        proposal=proposal,
        baseline=Baseline.of(pod.figures(), others_of(state.pods, pod, state.shape)),
    )
    kind = Kind.TRY_ALL if all_pods else Kind.TRY
    state = state.recorded(now, kind, state.shape, proposal.shape, proposal.reason.value, proposal.message)
    return replace(state, change=change, overloaded_at=now if all_pods else state.overloaded_at)


def _on_clock(memory: Memory, newest: float) -> Memory | None:
    """None: the sample is a little older than what was judged already. When it is much older, the clock was set back:
    then the instants that the tuner remembers are dropped, and what it has learnt stays."""
    if memory.at is None or newest >= memory.at:
        return memory
    if memory.at - newest < BACKWARDS_S:
        return None
    return memory.without_instants()
