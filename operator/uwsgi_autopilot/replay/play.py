"""Have the autopilot of local mode steer a recording, and compare what it does with what was done. Pure.

A recording shows what was measured, not what another decision would have led to. So it judges the law up to the first
change that differs: from there on the samples answer to shapes that the law did not ask for, and it ends.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from uwsgi_autopilot.api.desired import ALL_PODS, DesiredShape
from uwsgi_autopilot.api.recording import Line
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import UwsgiApp
from uwsgi_autopilot.fleet.history import Entry, Kind
from uwsgi_autopilot.fleet.pod import Pod, PodInfo
from uwsgi_autopilot.fleet.state import Word
from uwsgi_autopilot.local.autopilot import Autopilot

# Those that leave what serves as it is, so that the samples after them stand whatever is decided.
WORDS_ONLY = frozenset({Kind.REFUSE, Kind.RECOMMEND})


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """at: seconds since serving began. decided: now; recorded: then. word: the law's latest. served: what the samples
    come from. samples: how many came."""

    at: float
    decided: tuple[Entry, ...]
    recorded: tuple[Entry, ...]
    wrote: tuple[DesiredShape, ...]
    recorded_wrote: tuple[DesiredShape, ...]
    word: Word | None
    served: Shape | None
    samples: int

    @property
    def changes_alike(self) -> bool:
        return _changes(self.decided) == _changes(self.recorded)

    @property
    def parts(self) -> bool:
        """What follows was measured at shapes that the law did not ask for, or at other times."""
        return not self.changes_alike or self.wrote != self.recorded_wrote


class Recorded:
    """What an autopilot steers: each line is what the agent said, and what is written goes nowhere."""

    run = "the run directory"

    def __init__(self, app: UwsgiApp) -> None:
        self.app, self.start_shape = app, app.tuning.start
        self.pod = Pod(info=PodInfo(uid=ALL_PODS, name=app.name))
        self.unwritten: str | None = None

    def hear(self, line: Line) -> int:
        """How many samples are new. Raises ValueError."""
        answer = line.answer()
        self.unwritten = line.unwritten
        try:
            return self.pod.take(answer, answer["now"])
        except (KeyError, TypeError) as error:
            raise ValueError(f"state: {type(error).__name__} {error}") from None

    def write_desired(self, desired: DesiredShape) -> None:
        """A disk that was full then is full now."""
        if self.unwritten is not None:
            raise OSError(0, self.unwritten)

    write_promoted = write_desired


def play(app: UwsgiApp, lines: Iterable[Line]) -> Iterator[Step]:
    """The last step is the first that parts, or the recording's last. Raises ValueError for a state or sample that is
    none."""
    place = Recorded(app)
    autopilot = Autopilot(place, mode=app.tuning.mode, pinned=app.tuning.pin)
    began: float | None = None
    for line in lines:
        samples = place.hear(line)
        decided = autopilot.step()
        now = autopilot.planned_at or 0.0
        began = now if began is None else began
        step = Step(
            at=now - began,
            decided=tuple(decided),
            recorded=tuple(map(entry_of, line.decided)),
            wrote=tuple(autopilot.written),
            recorded_wrote=line.wrote,
            word=autopilot.word,
            served=place.pod.shape,
            samples=samples,
        )
        yield step
        if step.parts:
            return


def entry_of(data: Mapping[str, Any]) -> Entry:
    """Of the form that local/autopilot.py:entry_json writes. Raises ValueError."""
    try:
        return Entry(
            at=float(data["at_s"]),
            kind=Kind(data["kind"]),
            from_shape=Shape.from_json(data["from"]) if data["from"] else None,
            to_shape=Shape.from_json(data["to"]),
            reason=str(data["reason"]),
            message=str(data["message"]),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"decided: {type(error).__name__} {error}") from None


def _changes(entries: Sequence[Entry]) -> list[tuple[Kind, Shape]]:
    return [(each.kind, each.to_shape) for each in entries if each.kind not in WORDS_ONLY]
