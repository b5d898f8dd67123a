"""Read what an agent reports, the same way for local mode and for the operator.

The reader trusts nothing, because application code shares the agent's uid. It checks each answer field by field and
cuts it to size. Whatever a pod answers affects that pod alone, and can change only its own application's shape.
"""

from dataclasses import fields
from functools import lru_cache
from operator import attrgetter
from typing import Any

from uwsgi_autopilot.api.agentstate import (
    MAX_SAMPLES,
    STATE_VERSION,
    AgentState,
    ChangeProgress,
    Counts,
    Recycled,
    Refused,
)
from uwsgi_autopilot.api.desired import version_of
from uwsgi_autopilot.api.sample import Census, Sample
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.report.histogram import LAST
from uwsgi_autopilot.report.reasons import RefusalReason
from uwsgi_autopilot.report.text import safe

MAX_PER_SHAPE = 1024  # processes, threads: the schema's own bound
SHORTEST_S = 0.01  # of a sample: rates divide by it
MAX_MESSAGE = 256
MAX_LETTERS = 16 * 1024  # of a text: the rest is not looked at
_NOT_NUMBERS = frozenset({"shape", "settled", "census", "latency", "upstream"})
_OPTIONAL = ("queue_mean", "queue_max", "runqueue_s", "memory_bytes", "memory_limit", "worker_bytes", "master_bytes")
_REQUIRED = tuple(each.name for each in fields(Sample) if each.name not in _NOT_NUMBERS.union(_OPTIONAL))
_required, _optional = attrgetter(*_REQUIRED), attrgetter(*_OPTIONAL)
_of_census = attrgetter(*(each.name for each in fields(Census)))
_REASONS = {each.value: each for each in RefusalReason}


class WrongPod(ValueError):
    """Another pod answered: the address was reassigned."""


def parse_state(data: Any, *, uid: str) -> AgentState:
    """Raises WrongPod when another pod answered, ValueError with one sentence for anything else."""
    try:
        return _state(data, uid)
    except WrongPod:
        raise
    except ValueError as error:
        # Shapes and versions repeat what they found as it is: a pod's words have a length, and no secrets.
        raise ValueError(_told(error, MAX_MESSAGE)) from None


def _state(data: Any, uid: str) -> AgentState:
    if not isinstance(data, dict):
        raise ValueError(f"expected a JSON object, found {type(data).__name__}")
    if data.get("version") != STATE_VERSION:
        found = _told(data.get("version"), 32)
        raise ValueError(
            f"version: this reader understands {STATE_VERSION}, found {found}: its agent is of another release"
        )
    if data.get("uid") != uid:
        raise WrongPod(f"expected the pod {uid}, found {_told(data.get('uid'), 64)}")
    return AgentState(
        agent=_told(data.get("agent", ""), 32),
        app=_told(data.get("app", ""), 253),
        uid=uid,
        pid=_whole(data, "pid"),
        now=_number(data, "now"),
        serving=data.get("serving") is True,
        ready=data.get("ready") is True,
        why=_told(data.get("why", ""), MAX_MESSAGE),
        failing=_whole(data, "failing"),
        draining=data.get("draining") is True,
        shape=_shape(data["shape"]) if data.get("shape") else None,
        # Absent in what an earlier agent reports.
        parked=_whole(data, "parked") if "parked" in data else 0,
        parking=None if data.get("parking") is None else _told(data["parking"], MAX_MESSAGE),
        target=_shape(data.get("target")),
        accepted=version_of(_dict(data, "accepted")),
        on_trial=data.get("onTrial") is True,
        change=_change(data.get("change")),
        refused=_refused(data.get("refused")),
        recycled=_recycled(data.get("recycled")),
        generation=None if data.get("generation") is None else _whole(data, "generation"),
        ceiling=None if data.get("ceiling") is None else _whole(data, "ceiling"),
        uwsgi=None if data.get("uwsgi") is None else _told(data["uwsgi"], 32),
        counts=_counts(_dict(data, "counts")),
        requests_total=_number(data, "requestsTotal"),
    )


def parse_samples(
    data: Any, *, after: int, most: int = MAX_SAMPLES, later: float = 0.0, **instead: Any
) -> list[Sample]:
    """Of the `samples` of a state, those newer than the cursor, oldest first, of them the newest `most`. later: seconds
    that are added to the moment of each. instead: as for Sample.from_json. Raises ValueError."""
    if not isinstance(data, dict) or not isinstance(data.get("samples"), list):
        raise ValueError("samples: expected a list")
    try:
        found = [Sample.from_json(each, later=later, **instead) for each in data["samples"][-most:]]
        for sample in found:
            _check(sample)
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"samples: {type(error).__name__} {_told(error, 64)}") from None
    except ValueError as error:
        raise ValueError(_told(error, MAX_MESSAGE)) from None
    return [each for each in found if each.seq > after]


def _check(sample: Sample) -> None:
    required, optional = _required(sample), _optional(sample)
    if not all(map(_is_number, required)) or not all(value is None or _is_number(value) for value in optional):
        named = (
            *zip(_REQUIRED, required, strict=True),
            *((n, v) for n, v in zip(_OPTIONAL, optional, strict=True) if v is not None),
        )
        name, value = next((name, value) for name, value in named if not _is_number(value))
        raise ValueError(f"samples: {name}: expected a number, found {_told(value, 32)}")
    _within(sample.shape)
    if sample.census is not None and not all(map(_is_number, _of_census(sample.census))):
        raise ValueError("samples: census: expected numbers")
    if len(sample.latency) > LAST + 1 or not all(0 <= n <= LAST and 0 <= k < 2**31 for n, k in sample.latency):
        raise ValueError(f"samples: latency: expected counts of buckets 0 to {LAST}")
    if sample.seconds < SHORTEST_S:
        raise ValueError(f"samples: seconds: expected at least {SHORTEST_S}")
    if not isinstance(sample.settled, bool):
        raise ValueError("samples: settled: expected true or false")


def _change(data: Any) -> ChangeProgress | None:
    if not isinstance(data, dict):
        return None
    return ChangeProgress(
        kind=_told(data.get("kind", ""), 16), to=_shape(data.get("to")), seconds=_number(data, "seconds")
    )


def _refused(data: Any) -> Refused | None:
    if not isinstance(data, dict):
        return None
    reason = data.get("reason")
    return Refused(
        # It becomes a metric's label and an Event's reason: the pod must not choose the word.
        reason=_REASONS.get(reason, RefusalReason.OTHER) if isinstance(reason, str) else RefusalReason.OTHER,
        message=_told(data.get("message", ""), MAX_MESSAGE),
        at=_number(data, "at"),
        version=version_of(data) if data.get("seq") is not None else None,
        shape=_desired_shape(data.get("shape")),
    )


def _recycled(data: Any) -> Recycled | None:
    if not isinstance(data, dict):
        return None
    return Recycled(message=_told(data.get("message", ""), MAX_MESSAGE), at=_number(data, "at"))


def _counts(data: dict[str, Any]) -> Counts:
    """An earlier agent does not count all of them."""
    return Counts(**{each.name: _whole(data, each.name) for each in fields(Counts) if each.name in data})


def _desired_shape(data: Any) -> Shape | None:
    """None also for an absurd shape: that is why it was refused, and the rest is still worth reading."""
    try:
        return _shape(data)
    except ValueError:
        return None


def _shape(data: Any) -> Shape:
    return _within(Shape.from_json(data))


def _within(shape: Shape) -> Shape:
    """Raises ValueError."""
    if max(shape.processes, shape.threads) > MAX_PER_SHAPE:
        raise ValueError(f"a shape: expected at most {MAX_PER_SHAPE} processes and threads, found {shape}")
    return shape


def _is_number(value: Any) -> bool:
    # The comparison refuses nan and infinity, and copes with an int too large for a float.
    return isinstance(value, (int, float)) and 0 <= value < 1e15  # a union would be built again on every call


def _number(data: dict[str, Any], name: str) -> float:
    value = data.get(name)
    if not _is_number(value) or isinstance(value, bool):
        raise ValueError(f"{name}: expected a number, found {_told(value, 32)}")
    return float(value)  # type: ignore[arg-type]


def _whole(data: dict[str, Any], name: str) -> int:
    value = data.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > 2**53:
        raise ValueError(f"{name}: expected a whole number, found {_told(value, 32)}")
    return value


def _dict(data: dict[str, Any], name: str) -> dict[str, Any]:
    value = data.get(name)
    if not isinstance(value, dict):
        raise ValueError(f"{name}: expected a JSON object, found {type(value).__name__}")
    return value


def _told(value: Any, longest: int) -> str:
    """At most `longest` bytes, without secrets: it ends up in Events, logs, the status and NAME-tuning.

    The agent has hidden secrets already, but the pod may have answered in its place.
    """
    text = str(value)[:MAX_LETTERS]
    return _told_before(text, longest) if len(text) <= MAX_MESSAGE else safe(text, longest)


# Most of what an agent says it has said a second before.
_told_before = lru_cache(maxsize=1024)(safe)
