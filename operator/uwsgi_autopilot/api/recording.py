"""A recording: all that the autopilot of one pod was told in each of its steps, and what it did, a JSON object a line.

    {"recording": 1, "product": "0.1.0", "app": "shop", "tuning": {"mode": "Auto", …}, "limits": {"cpu": 2.0, …}}
    {"state": {…}, "samples": [{…}, …], "decided": [{…}], "wrote": [{…}]}

The law asks no clock and draws no number, so the same lines lead to the same decisions. A state has only the fields
that differ from the line before; what is empty is left out. No request is in it: no URL, no header, no environment.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from uwsgi_autopilot.api.desired import DesiredShape
from uwsgi_autopilot.api.sample import Sample
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import Bounds, Mode, ProcessBounds, ResourceLimits, TuningSpec, UwsgiApp
from uwsgi_autopilot.report.text import safe

FORMAT = 1
NAME_BYTES = 253
# Of a state: samples have a place of their own, the others are texts that the law does not read, and may quote the
# application.
_LEFT_OUT = frozenset({"samples", "why", "app"})


class NoRecording(ValueError):
    """The text is not the first line of a recording."""


class OtherFormat(ValueError):
    """It is one of another format. product: the release that made it."""

    def __init__(self, found: object, product: object) -> None:
        super().__init__(f"expected format {FORMAT}, found {found!r}")
        self.product = safe(str(product), 32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """product: the release that made it. app: its name, tuning and limits; whatever else it has is not kept."""

    product: str
    app: UwsgiApp

    def to_json(self) -> dict[str, Any]:
        tuning = self.app.tuning
        return {
            "recording": FORMAT,
            "product": self.product,
            # `serve` names an application by its command line, which may have a password in it.
            "app": safe(self.app.name, NAME_BYTES),
            "tuning": {
                "mode": tuning.mode.value,
                "start": tuning.start.to_json(),
                "pin": tuning.pin.to_json() if tuning.pin else None,
                "processes": asdict(tuning.processes),
                "threads": asdict(tuning.threads),
                "maxConnections": tuning.max_connections,
                "connectionsPerProcess": tuning.connections_per_process,
            },
            "limits": asdict(self.app.limits),
        }

    @classmethod
    def from_json(cls, data: Any) -> "Header":
        """Raises NoRecording, OtherFormat, and ValueError with one sentence for anything else."""
        if not isinstance(data, dict) or "recording" not in data:
            raise NoRecording
        if data["recording"] != FORMAT:
            raise OtherFormat(data["recording"], data.get("product", "unknown"))
        tuning, limits = _part(data, "tuning"), _part(data, "limits")
        name = safe(str(data.get("app", "")), NAME_BYTES)
        try:
            mode = Mode(tuning.get("mode"))
        except ValueError:
            raise ValueError(f"mode: expected Auto, Recommend or Disabled, found {tuning.get('mode')!r}") from None
        spec = TuningSpec(
            mode=mode,
            start=Shape.from_json(tuning.get("start")),
            pin=Shape.from_json(tuning["pin"]) if tuning.get("pin") else None,
            processes=ProcessBounds(**_bounds(tuning, "processes", open_end=True)),
            threads=Bounds(**_bounds(tuning, "threads")),
            max_connections=_count(tuning, "maxConnections"),
            connections_per_process=_count(tuning, "connectionsPerProcess"),
        )
        cpu = limits.get("cpu")
        if cpu is not None and (isinstance(cpu, bool) or not isinstance(cpu, int | float) or cpu <= 0):
            raise ValueError(f"cpu: expected more than 0 cores, found {cpu!r}")
        app = UwsgiApp(
            name=name, module="", tuning=spec, limits=ResourceLimits(cpu=cpu, memory=_count(limits, "memory"))
        )
        return cls(product=safe(str(data.get("product", "")), 32), app=app)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One step. state: as the agent reports it, whole. samples: those that came since the line before.

    decided: entries as in the report's `decisions`. wrote: what the pod was asked for; unwritten: why that failed.
    """

    state: Mapping[str, Any]
    samples: tuple[Sample, ...] = ()
    decided: tuple[Mapping[str, Any], ...] = ()
    wrote: tuple[DesiredShape, ...] = ()
    unwritten: str | None = None

    def to_json(self, before: "Line | None") -> dict[str, Any]:
        known = before.state if before else {}
        data = {
            "state": {
                name: value
                for name, value in self.state.items()
                if name not in _LEFT_OUT and (name not in known or known[name] != value)
            },
            "samples": [_short(each) for each in self.samples],
            "decided": list(self.decided),
            "wrote": [each.to_json() for each in self.wrote],
            "unwritten": self.unwritten,
        }
        return {name: value for name, value in data.items() if value}

    @classmethod
    def from_json(cls, data: Any, before: "Line | None") -> "Line":
        """Raises ValueError with one sentence."""
        if not isinstance(data, dict):
            raise ValueError(f"expected a JSON object, found {type(data).__name__}")
        unwritten = data.get("unwritten")
        try:
            samples = tuple(Sample.from_json(each) for each in _list(data, "samples"))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"samples: {type(error).__name__} {error}") from None
        return cls(
            state={**(before.state if before else {}), **_part(data, "state")},
            samples=samples,
            decided=tuple(_list(data, "decided")),
            wrote=tuple(DesiredShape.from_json(each) for each in _list(data, "wrote")),
            unwritten=None if unwritten is None else safe(str(unwritten)),
        )

    def answer(self) -> dict[str, Any]:
        """As the agent gave it."""
        return {**self.state, "samples": [each.to_json() for each in self.samples]}


def _short(sample: Sample) -> dict[str, Any]:
    """Without the fields that have nothing in them: the reader fills them in."""
    return {name: value for name, value in sample.to_json().items() if value is not None and value != ()}


def _part(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = data.get(name, {})
    if not isinstance(found, dict):
        raise ValueError(f"{name}: expected a JSON object, found {type(found).__name__}")
    return found


def _list(data: Mapping[str, Any], name: str) -> list[Any]:
    found = data.get(name, [])
    if not isinstance(found, list):
        raise ValueError(f"{name}: expected a list, found {type(found).__name__}")
    return found


def _count(data: Mapping[str, Any], name: str) -> int | None:
    found = data.get(name)
    if found is not None and (isinstance(found, bool) or not isinstance(found, int) or found < 1):
        raise ValueError(f"{name}: expected null or a whole number of at least 1, found {found!r}")
    return found


def _bounds(data: Mapping[str, Any], name: str, *, open_end: bool = False) -> dict[str, Any]:
    part = _part(data, name)
    least, most = _count(part, "min"), _count(part, "max")
    if least is None or (most is None and not open_end) or (most is not None and least > most):
        raise ValueError(f"{name}: expected a min and a max that is no less, found {part!r}")
    return {"min": least, "max": most}
