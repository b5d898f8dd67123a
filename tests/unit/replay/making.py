"""A flight that is recorded as local mode records its own, over a simulated pod."""

import errno
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.simulator import workload
from tests.simulator.agent import SimAgent
from tests.simulator.flight import SimSession
from tests.simulator.pod import Pod
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import ResourceLimits, TuningSpec, UwsgiApp
from uwsgi_autopilot.fleet.history import Entry
from uwsgi_autopilot.fleet.state import Word
from uwsgi_autopilot.local.autopilot import Autopilot
from uwsgi_autopilot.local.recorder import Recorder
from uwsgi_autopilot.replay.play import Step, play
from uwsgi_autopilot.replay.reading import recording

START = Shape(2, 4)
FULL = OSError(errno.ENOSPC, "No space left on device")


class Session(SimSession):
    """full: its disk is."""

    run = "the run directory"
    full = False

    def write_desired(self, desired):
        if self.full:
            raise FULL
        super().write_desired(desired)

    def write_promoted(self, desired):
        if self.full:
            raise FULL


@dataclass
class Flown:
    """What the autopilot decided and thought in each second."""

    entries: list[list[Entry]] = field(default_factory=list)
    words: list[Word | None] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    agents: list[SimAgent] = field(default_factory=list)


def fly(
    path: Path,
    seconds: int = 60,
    *,
    load=workload.MIXED,
    start: Shape = START,
    clients: int = 64,
    events: Mapping[int, Callable[[Session], None]] | None = None,
    limits: ResourceLimits | None = None,
    name: str = "shop",
    **tuning,
) -> Flown:
    """events: what happens before that second."""
    agent = SimAgent(Pod(load, start, clients=clients, seed=3))
    spec = TuningSpec(**{"start": start} | tuning)
    app = UwsgiApp(name=name, module="wsgi:app", tuning=spec, limits=limits or ResourceLimits())
    session = Session(app, agent, start)
    autopilot, flown = Autopilot(session, mode=spec.mode, pinned=spec.pin), Flown()
    recorder = Recorder(path, flown.said.append)
    for second in range(1, seconds + 1):
        now = 1000.0 + second
        if events and second in events:
            events[second](session)
        agent.second(now)
        if not agent.silent:
            session.pod.take(session.agent.answer(now, session.pod.cursor), now)
        flown.entries.append(autopilot.step())
        flown.words.append(autopilot.word)
        recorder.step(autopilot, flown.entries[-1])
    recorder.close()
    return flown


def replayed(path: Path) -> list[Step]:
    with recording(path) as found:
        return list(play(found.header.app, found))
