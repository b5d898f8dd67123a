"""A replay as text for a person and as JSON for a program: pure."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from uwsgi_autopilot.api.uwsgiapp import Bounds, ProcessBounds, UwsgiApp
from uwsgi_autopilot.fleet.history import Entry, Kind
from uwsgi_autopilot.fleet.state import Word
from uwsgi_autopilot.local.autopilot import entry_json
from uwsgi_autopilot.local.held import Held
from uwsgi_autopilot.replay.play import WORDS_ONLY, Step
from uwsgi_autopilot.views.words import entry_line

_DONE = {
    Kind.TRY: "tried",
    Kind.PROMOTE: "kept",
    Kind.BACK: "gone back to",
    Kind.UNDECIDED: "gone back to",
    Kind.CHANGE: "changed to",
}


def first_line(app: UwsgiApp, recorded_by: str, replayed_by: str) -> str:
    tuning = app.tuning
    whose = recorded_by if recorded_by == replayed_by else f"{recorded_by}, replayed by {replayed_by}"
    pinned = f", pinned to {tuning.pin}" if tuning.pin else ""
    return (
        f"{app.name}: recorded by uwsgi-autopilot {whose}; mode {tuning.mode.value}, from {tuning.start}{pinned}, "
        f"{_range(tuning.processes)} processes of {_range(tuning.threads)} threads"
    )


def lines_of(steps: Iterable[Step]) -> Iterator[str]:
    """One for each decision, and for each new reason to wait; the last one says how it ended."""
    held, count, samples, last = Held(), 0, 0, None
    for step in steps:
        last, samples = step, samples + step.samples
        for now, then in _paired(step):
            if now is not None:
                count += 1
                yield entry_line(now)
            if then is not None and not _alike(now, then):
                yield f"          recorded: {entry_line(then).strip()}"
            elif then is None and not step.parts:
                yield "          recorded: nothing"
        before = held.last
        held.step(step.word)
        if held.last is not None and (before is None or before.reason is not held.last.reason):
            yield _holds(step.at, held.last)
    if last is None:
        yield "nothing was recorded: the application did not serve"
    elif last.parts:
        yield parting(last)
    else:
        decisions = "1 decision" if count == 1 else f"{count} decisions"
        serving = f", {last.served} serves" if last.served else ""
        yield f"{last.at:6.1f} s  ended: {samples} samples, {decisions}, every change as recorded{serving}"


def parting(step: Step) -> str:
    """From where on the recording does not answer to the law, and why."""
    now, then = (
        next((each for each in entries if each.kind not in WORDS_ONLY and not step.changes_alike), None)
        for entries in (step.decided, step.recorded)
    )
    law = f"the law would have {_DONE[now.kind]} {now.to_shape}" if now else ""
    if step.changes_alike and step.wrote:
        law = f"the law would have asked the agent for {step.wrote[-1].shape}"
    # What was asked for in this very step shows in the samples that follow.
    follows = step.recorded_wrote[-1].shape if step.recorded_wrote else then.to_shape if then else step.served
    rest = f"what follows was recorded at {follows} and cannot judge it"
    if then is None:
        return f"from {step.at:.1f} s {law or 'the law would have asked for nothing'}; {rest}"
    recorded = f"the recorded law had {_DONE[then.kind]} {then.to_shape} ({then.reason})"
    if law:
        return f"from {step.at:.1f} s {law}, where {recorded}; {rest}"
    why = f": {step.word.reason.value}: {step.word.message}" if step.word else ""
    return f"at {step.at:.1f} s {recorded}; this one would not have{why}; {rest}"


def json_of(app: UwsgiApp, recorded_by: str, replayed_by: str, steps: Sequence[Step], *, cut_off: bool) -> str:
    last = steps[-1] if steps else None
    held = Held()
    held.step(last.word if last else None)
    written: dict[str, Any] = {
        "app": app.name,
        "recorded_by": recorded_by,
        "replayed_by": replayed_by,
        "seconds": round(last.at, 1) if last else 0.0,
        "samples": sum(each.samples for each in steps),
        "decisions": [entry_json(entry) for step in steps for entry in step.decided],
        "recorded": [entry_json(entry) for step in steps for entry in step.recorded],
        "parts": {"at_s": round(last.at, 1), "message": parting(last)} if last and last.parts else None,
        "held": held.to_json(),
        "cut_off": cut_off,
    }
    return json.dumps(written, indent=2, ensure_ascii=False) + "\n"


def _range(bounds: Bounds | ProcessBounds) -> str:
    return f"at least {bounds.min}" if bounds.max is None else f"{bounds.min} to {bounds.max}"


def _paired(step: Step) -> Iterator[tuple[Entry | None, Entry | None]]:
    """The decisions of now beside those of then; what has no counterpart stands beside None."""
    for number in range(max(len(step.decided), len(step.recorded))):
        yield (
            step.decided[number] if number < len(step.decided) else None,
            step.recorded[number] if number < len(step.recorded) else None,
        )


def _alike(now: Entry | None, then: Entry) -> bool:
    """The sentences may differ: their numbers are the law's own."""
    return now is not None and (now.kind, now.from_shape, now.to_shape, now.reason) == (
        then.kind, then.from_shape, then.to_shape, then.reason,
    )  # fmt: skip


def _holds(at: float, word: Word) -> str:
    return f"{at:6.1f} s  holds  {word.reason.value}: {word.message}"
