"""What holds for any samples at all."""

import json
import math

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.simulator.agent import ReplayedAgent
from tests.simulator.flight import Flight
from uwsgi_autopilot.api.desired import parse_desired
from uwsgi_autopilot.api.sample import Census, Sample
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import Bounds, Mode, ProcessBounds, ResourceLimits
from uwsgi_autopilot.fleet.history import Kind
from uwsgi_autopilot.tuner.limits import Limits
from uwsgi_autopilot.tuner.memory import MAX_JSON_BYTES, Memory
from uwsgi_autopilot.tuner.proposal import LONGEST_MESSAGE, Proposal
from uwsgi_autopilot.tuner.propose import propose

amount = st.floats(min_value=0, max_value=1e4, allow_nan=False)
share = st.floats(min_value=0, max_value=100, allow_nan=False)
shapes = st.builds(Shape, st.integers(1, 20), st.integers(1, 80))
censuses = st.none() | st.builds(
    Census,
    running=share,
    io=share,
    interpreter_lock=share,
    application_lock=share,
    idle=share,
    looks=st.integers(0, 5000),
)


@st.composite
def bounds(draw, most):
    low = draw(st.integers(1, most))
    return Bounds(min=low, max=draw(st.integers(low, most)))


@st.composite
def all_limits(draw):
    return Limits(
        processes=draw(bounds(16)),
        threads=draw(bounds(64)),
        cores=draw(st.none() | st.floats(0.1, 64)),
        memory_limit=draw(st.none() | st.integers(1, 2**34)),
        max_connections=draw(st.none() | st.integers(1, 500)),
        connections_per_process=draw(st.none() | st.integers(1, 50)),
    )


@st.composite
def histories(draw):
    """Up to four stretches of seconds that are alike, each of any kind, consistent or not."""
    samples = []
    seq, at = draw(st.integers(0, 5)), draw(st.floats(0, 1e6))
    for generation in range(draw(st.integers(0, 4))):
        kind = {
            "shape": draw(shapes),
            "settled": draw(st.booleans()),
            "requests": draw(amount),
            "errors": draw(amount),
            "queue_mean": draw(st.none() | amount),
            "busy": draw(share),
            "service_s": draw(amount),
            "cpu_s": draw(share),
            "worker_cpu": draw(share),
            "runqueue_s": draw(st.none() | share),
            "throttled_s": draw(st.floats(0, 2)),
            "foreign_cpu": draw(share),
            "cores": draw(st.floats(0.05, 128)),
            "memory_bytes": draw(st.none() | st.integers(0, 2**34)),
            "worker_bytes": draw(st.none() | st.integers(0, 2**30)),
            "census": draw(censuses),
        }
        for _ in range(draw(st.integers(1, 12))):
            seq += draw(st.integers(1, 2))
            length = draw(st.sampled_from([1.0, 1.0, 1.0, 7.5]))
            at += length
            samples.append(Sample(seq=seq, at=at, seconds=length, generation=generation, **kind))
    return samples


def flown(samples, limits, *, obeys=True, mode=Mode.AUTO):
    """The flight after each sample. obeys: they come from whatever shape is asked for; else other shapes may serve."""
    start = limits.clamp(samples[0].shape) if samples else None
    flight = Flight(
        ReplayedAgent(samples, start or Shape(1, 1), obeys=obeys),
        mode=mode,
        processes=ProcessBounds(min=limits.processes.min, max=limits.processes.max),
        threads=limits.threads,
        max_connections=limits.max_connections,
        connections_per_process=limits.connections_per_process,
        limits=ResourceLimits(cpu=limits.cores, memory=limits.memory_limit),
    )
    for each in samples:
        flight.second(each.at)
        yield flight


@settings(max_examples=150, deadline=None)
@given(histories(), all_limits(), st.booleans(), st.sampled_from([Mode.AUTO, Mode.RECOMMEND]))
def test_whatever_is_measured_there_is_an_answer_within_bounds(samples, limits, obeys, mode):
    for flight in flown(samples, limits, obeys=obeys, mode=mode):
        assert flight.autopilot.word is not None or flight.state.change is not None
        assert all(0 < len(each.message) <= LONGEST_MESSAGE for each in flight.said)
        asked_for = [each.to_shape for _, each in flight.entries if each.kind is not Kind.REFUSE]
        assert all(limits.clamp(each) == each for each in asked_for)
        asked = flight.agent.annotation
        assert asked is None or limits.clamp(parse_desired(asked).shape) == parse_desired(asked).shape
        if flight.pending is not None:
            assert math.isfinite(flight.pending.expected)


@settings(max_examples=60, deadline=None)
@given(histories(), all_limits())
def test_the_same_samples_and_memory_give_the_same_answer(samples, limits):
    for count in range(len(samples) + 1):
        first = propose(Memory(), samples[:count], limits)
        assert propose(Memory(), samples[:count], limits) == first


@settings(max_examples=60, deadline=None)
@given(histories(), all_limits())
def test_memory_and_proposal_survive_json_at_any_moment(samples, limits):
    for flight in flown(samples, limits):
        text = flight.state.memory.to_text()
        assert len(text.encode()) <= MAX_JSON_BYTES
        assert Memory.from_json(json.loads(text)).to_text() == text
        if flight.pending is not None:
            data = json.loads(json.dumps(flight.pending.to_json()))
            assert Proposal.from_json(data).to_json() == data


@settings(max_examples=60, deadline=None)
@given(histories(), all_limits())
def test_recommending_counts_no_change_and_says_a_shape_once(samples, limits):
    told, last = 0, None
    for flight in flown(samples, limits, mode=Mode.RECOMMEND):
        assert (flight.state.memory.trials, flight.state.memory.swaps) == (0, 0)
        for _, each in flight.entries[told:]:
            assert each.kind is not Kind.RECOMMEND or each.to_shape != last
        told, last = len(flight.entries), flight.state.memory.recommended


@settings(max_examples=30, deadline=None)
@given(shapes, st.integers(0, 60))
def test_without_requests_nothing_changes(shape, count):
    idle = Census(running=0.0, io=0.0, interpreter_lock=0.0, application_lock=0.0, idle=shape.slots, looks=100)
    samples = [
        Sample(seq=n, at=float(n), seconds=1.0, generation=1, shape=shape, settled=True, requests=0.0, census=idle)
        for n in range(count)
    ]
    limits = Limits(processes=Bounds(min=1, max=20), threads=Bounds(min=1, max=80))
    assert all(flight.entries == [] for flight in flown(samples, limits))


@settings(max_examples=60, deadline=None)
@given(shapes, st.floats(0.0, 0.7), st.floats(0.0001, 0.02), st.floats(0.0, 0.5))
def test_never_an_increase_without_demand(shape, busy_share, cpu_s, wait_s):
    """Free slots, no queue, cores to spare: more slots are never asked for."""
    in_service = min(busy_share * shape.slots, 0.5 * (cpu_s + wait_s) / cpu_s)
    rate = in_service / (cpu_s + wait_s)
    running = rate * cpu_s
    census = Census(
        running=running,
        io=max(0.0, in_service - running),
        interpreter_lock=0.0,
        application_lock=0.0,
        idle=shape.slots - in_service,
        looks=20 * shape.slots,
    )
    samples = [
        Sample(
            seq=n,
            at=float(n),
            seconds=1.0,
            generation=1,
            shape=shape,
            settled=True,
            requests=rate,
            queue_mean=0.0,
            busy=in_service,
            service_s=in_service,
            cpu_s=running,
            worker_cpu=min(0.5, running),
            runqueue_s=0.0,
            cores=2.0,
            census=census,
        )
        for n in range(1, 40)
    ]
    limits = Limits(processes=Bounds(min=1, max=20), threads=Bounds(min=1, max=80))
    for flight in flown(samples, limits, obeys=False):
        assert all(each.to_shape.slots <= shape.slots for _, each in flight.entries)
