"""What a person wrote, parsed and complete: frozen values with every default filled in.

Made by `api/complete.py` from a manifest that was checked; otherwise only tests make them.
"""

import math
from dataclasses import dataclass, field
from enum import Enum

from uwsgi_autopilot.api.nginxspec import NginxSpec
from uwsgi_autopilot.api.shape import Shape

API_VERSION = "uwsgi-autopilot.dev/v1alpha1"
KIND = "UwsgiApp"
START = Shape(2, 4)
# The greatest number of processes where the manifest names none. The best shapes measured on two cores had up to 16.
PROCESSES_PER_CORE = 4
LEAST_MAXIMUM = 16


class Mode(str, Enum):
    """What the autopilot may do with an application."""

    AUTO = "Auto"
    RECOMMEND = "Recommend"
    DISABLED = "Disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The least and the greatest value that a person allows, inclusive."""

    min: int
    max: int

    def clamp(self, value: int) -> int:
        return min(max(value, self.min), self.max)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessBounds:
    """`max` None: nobody has set one, so it follows the cores."""

    min: int = 1
    max: int | None = None

    def clamp(self, value: int) -> int:
        return max(value if self.max is None else min(value, self.max), self.min)

    def on(self, cores: float) -> Bounds:
        """With the maximum that holds where an application may use so many cores; memory has limits of its own."""
        most = max(LEAST_MAXIMUM, math.ceil(PROCESSES_PER_CORE * cores)) if self.max is None else self.max
        return Bounds(min=self.min, max=max(most, self.min))


@dataclass(frozen=True, slots=True, kw_only=True)
class UwsgiOption:
    """One line of a uWSGI ini file. `value` None is a flag: `lazy-apps = true`."""

    name: str
    value: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceLimits:
    """`cpu` in cores, `memory` in bytes; None where the manifest sets no limit."""

    cpu: float | None = None
    memory: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningSpec:
    mode: Mode = Mode.AUTO
    start: Shape = START
    pin: Shape | None = None
    processes: ProcessBounds = ProcessBounds()
    threads: Bounds = Bounds(min=1, max=64)
    max_connections: int | None = None
    connections_per_process: int | None = None
    memory_guard: bool = True
    parking: bool = False

    def inside(self, shape: Shape) -> Shape:
        """`shape` moved into the bounds."""
        return Shape(self.processes.clamp(shape.processes), self.threads.clamp(shape.threads))

    @property
    def first(self) -> Shape:
        """What pods start from while nothing was promoted."""
        return self.pin or self.inside(self.start)


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthSpec:
    path: str = "/"
    host: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UwsgiApp:
    """`ignored`: paths of fields that are set but not used by local mode."""

    name: str
    module: str
    image: str | None = None
    chdir: str | None = None
    env: tuple[tuple[str, str], ...] = ()
    health: HealthSpec = HealthSpec()
    limits: ResourceLimits = ResourceLimits()
    options: tuple[UwsgiOption, ...] = ()
    nginx: NginxSpec = field(default_factory=NginxSpec)
    tuning: TuningSpec = field(default_factory=TuningSpec)
    ignored: tuple[str, ...] = ()

    @property
    def option_pairs(self) -> tuple[tuple[str, str | None], ...]:
        return tuple((each.name, each.value) for each in self.options)
