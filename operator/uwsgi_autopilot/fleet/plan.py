"""The plan of one application: what is known of its pods in, what to write out. No I/O; the time is an argument.

`now`, here and in all of fleet/, is seconds since 1970 on a clock that never steps back.
"""

from dataclasses import replace

from uwsgi_autopilot.api.desired import MAX_NUMBER, Version
from uwsgi_autopilot.fleet import delivery, guards, manifest, pending, search
from uwsgi_autopilot.fleet.actions import Action, Record, StorePromoted
from uwsgi_autopilot.fleet.state import FleetState


def plan(state: FleetState, now: float) -> tuple[FleetState, list[Action]]:
    """Call it once a second or less often. Actions are carried out in order; what fails is asked for again."""
    state = observe(state, now)
    state = manifest.follow(state, now)  # a pin, bounds, a mode: what a person wrote outranks any measurement
    state = pending.advance(state, now)  # the pending change, if there is one
    state = search.begin(state, now)  # otherwise the next one, if nothing objects
    state = delivery.update(state, now)
    actions: list[Action] = [Record(entry=entry) for entry in state.told]
    if state.promoted.version > state.stored:
        # Before the pods get it, so that one created in between starts with it.
        actions.append(StorePromoted(desired=state.promoted))
    return replace(state, told=()), actions + delivery.due(state, now)


def observe(state: FleetState, now: float) -> FleetState:
    """Count the ready pods, see since when they come and go, and go on above every version that any pod has seen."""
    ready = sum(pod.info.ready and not pod.info.leaving for pod in state.pods.values())
    # A pod that claims the greatest number there is must not use up the numbers.
    known = [pod.known for pod in state.pods.values() if max(pod.known) < MAX_NUMBER // 2]
    highest = max(known, default=state.last)
    if highest > state.last:
        # Somebody else issues shapes, or did: a person, or an earlier operator.
        state = replace(state, last=Version(highest.epoch + 1, 0))
    state = replace(state, ready=ready, left_at=now if ready < state.ready else state.left_at)
    return replace(state, stretches=guards.stretches(state, now))
