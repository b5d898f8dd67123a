"""A configuration, and a server without processes: a test says what each instance does."""

from dataclasses import dataclass, field
from pathlib import Path

from uwsgi_autopilot.agent.server import Left, Outcome, WorkerStats
from uwsgi_autopilot.api.agentconfig import AgentConfig
from uwsgi_autopilot.api.shape import Shape


def config(folder: Path = Path("/nowhere"), **fields) -> AgentConfig:
    places = {
        "chdir": ".",
        "socket": "/s",
        "private": "/p",
        "desired": str(folder / "desired"),
        "promoted": str(folder / "promoted"),
        "listen": "unix:/l",
    }
    defaults = {"name": "shop", "uwsgi": ("uwsgi",), "module": "wsgi:app", "start": Shape(1, 1), "uid": "u"}
    return AgentConfig(**places | defaults | fields)


@dataclass
class FakeResizing:
    outcome: Outcome | None = None
    patient: bool = False

    def step(self, now, *, patient=False):
        self.patient = patient
        return self.outcome


@dataclass
class FakeInstance:
    """running, accepting, answers: it does. live: how many workers; None: as many as it was started with."""

    number: int
    started_with: Shape
    ceiling: int = 16
    running: bool = True
    accepting: bool = False
    live: int | None = None
    output: str | None = "the end of its output"
    closed: bool = False
    told: list[str] = field(default_factory=list)
    resizing: FakeResizing = field(default_factory=FakeResizing)
    version: str | None = "2.0.31"
    in_service: int = 0
    waited_for: int = 0
    wrote: bool = False
    answers: bool = True

    @property
    def pid(self):
        return 1000 * self.number

    @property
    def workers(self):
        live = self.started_with.processes if self.live is None else self.live
        return [
            WorkerStats(
                slot=slot, pid=self.pid + slot, live=slot <= live, accepting=True, threads=self.started_with.threads,
                requests=0, service_s=0.0, in_service=0, oldest_start=None,
            )
            for slot in range(1, self.ceiling + 1)
        ]  # fmt: skip

    def answered_since(self, moment):
        return self.answers

    def alive(self):
        return self.running

    def ending(self):
        return "ended with status 1"

    def last_output(self):
        return self.output

    def look(self):
        self.told.append("look")

    def accepts(self):
        return self.accepting

    def takes_over(self):
        self.told.append("takes over")

    def resize(self, processes, now):
        self.told.append(f"resize {processes}")
        self.resizing = FakeResizing()
        return self.resizing

    def retire(self, now):
        self.told.append("retire")

    def step_retiring(self, now):
        pass

    def left(self):
        return Left(in_service=self.in_service, waited_for=self.waited_for, wrote=self.wrote)

    def hold(self):
        self.told.append("hold")

    def discard(self, now):
        self.told.append("discard")

    def kill(self):
        self.told.append("kill")
        self.running = False

    def close(self):
        self.closed = True


@dataclass
class FakeServer:
    """broken: shapes of which no instance lives to accept. impossible: an error for each start."""

    started: list[FakeInstance] = field(default_factory=list)
    broken: set[Shape] = field(default_factory=set)
    impossible: OSError | None = None

    def start(self, number, shape):
        if self.impossible is not None:
            raise self.impossible
        bad = shape in self.broken
        self.started.append(FakeInstance(number, shape, running=not bad, accepting=not bad))
        return self.started[-1]

    @property
    def shapes(self) -> list[str]:
        """Of all instances in the order in which they were started."""
        return [str(each.started_with) for each in self.started]
