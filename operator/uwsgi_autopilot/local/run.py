"""`uwsgi-autopilot local`: one session, its autopilot, perhaps a load, and a view, until it is stopped."""

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import Mode, UwsgiApp
from uwsgi_autopilot.errors import NotServing, UsageError
from uwsgi_autopilot.fleet.history import Entry
from uwsgi_autopilot.loadgen.message import message
from uwsgi_autopilot.loadgen.plan import parse_load
from uwsgi_autopilot.loadgen.process import LoadProcess
from uwsgi_autopilot.local.answers import Answers
from uwsgi_autopilot.local.autopilot import Autopilot
from uwsgi_autopilot.local.failing import Failing
from uwsgi_autopilot.local.files import process_bounds
from uwsgi_autopilot.local.held import Held
from uwsgi_autopilot.local.programs import Programs, ignored_environment
from uwsgi_autopilot.local.ready import wait_ready
from uwsgi_autopilot.local.recorder import Recorder
from uwsgi_autopilot.local.report import build_report, check_writable, failed_report, write_report
from uwsgi_autopilot.local.session import Session

STEP_SECONDS = 0.1
# Even a load without --for ends by itself: nothing here runs unbounded.
MAX_LOAD_SECONDS = 24 * 3600.0


class View(Protocol):
    """What a person sees meanwhile: views/live.py on a terminal, views/lines.py elsewhere."""

    def line(self, text: str) -> None:
        """Something that the application or nginx printed."""

    def say(self, text: str) -> None:
        """A sentence of ours."""

    def decided(self, entry: Entry) -> None: ...

    def ended(self, report: dict[str, Any]) -> None:
        """The last line: `report` in figures, and why nothing changed."""

    def finish(self, outcome: Any) -> None:
        """The demonstration's outcome (local/demo.py)."""

    def update(self, session: Session, autopilot: Autopilot, load: LoadProcess | None) -> None:
        """Called ten times a second; draws when it sees fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """seconds None: until stopped. loads: texts as after --load. record: the file of a recording."""

    folder: Path
    port: int = 8088
    host: str = "127.0.0.1"
    seconds: float | None = None
    report: Path | None = None
    record: Path | None = None
    mode: Mode | None = None
    shape: Shape | None = None
    loads: Sequence[str] = ()


class Stopped(Exception):  # not an error: somebody asked
    """SIGINT or SIGTERM arrived."""


@contextmanager
def stoppable() -> Iterator[None]:
    """Turn the first SIGINT or SIGTERM into Stopped, a later SIGINT into KeyboardInterrupt, at whatever is being done.

    Not a later SIGTERM: who stops a service may repeat it."""
    asked = False

    def on_signal(signum: int, frame: FrameType | None) -> None:
        nonlocal asked
        if not asked:
            asked = True
            raise Stopped
        if signum == signal.SIGINT:
            raise KeyboardInterrupt

    before = {signum: signal.signal(signum, on_signal) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def run_local(
    app: UwsgiApp,
    options: Options,
    programs: Programs,
    view: View,
    *,
    session: Session | None = None,
    each_step: Callable[[], None] = lambda: None,
) -> int:
    """Returns the exit status. session: what to run; None: what the manifest says. each_step: called ten times a
    second. Raises AutopilotError."""
    for text in options.loads:
        message(parse_load(text), host=options.host)
    mode = options.mode or app.tuning.mode
    pinned = app.tuning.pin and (options.shape or app.tuning.pin)
    if options.shape is not None:
        _check_shape(options.shape, app, "spec.tuning." if session is None else "--")
    if options.report is not None:
        check_writable(options.report, "--report")
    if options.record is not None:
        check_writable(options.record, "--record")
    if session is None and (note := ignored_environment(programs.uwsgi, app.option_pairs, str(options.folder))):
        view.say(note)
    session = session or Session(
        app,
        folder=options.folder,
        port=options.port,
        host=options.host,
        programs=programs,
        start=options.shape,
        sink=view.line,
    )
    try:
        failing = _serve(session, options, mode, pinned, view, each_step)
    except NotServing as error:
        if options.report is not None:
            write_report(options.report, failed_report(app.name, str(error)))
        raise
    if (outcome := failing.outcome()) is not None:
        raise NotServing(outcome)
    return 0


def _serve(
    session: Session, options: Options, mode: Mode, pinned: Shape | None, view: View, each_step: Callable[[], None]
) -> Failing:
    """Until it is stopped. Raises NotServing if the application could not be served."""
    load: LoadProcess | None = None
    failing, held = Failing(), Held()
    recorder = Recorder(options.record, view.say) if options.record is not None else None
    served = False
    with stoppable():
        began = time.monotonic()
        try:
            with session:
                autopilot = Autopilot(session, mode=mode, pinned=pinned)
                try:
                    wait_ready(session, say=view.say)
                    served, began = True, time.monotonic()
                    view.say(_greeting(session.app, session, mode, pinned))
                    if options.loads:
                        load = session.start_load(options.loads, options.seconds or MAX_LOAD_SECONDS)
                    _fly(session, autopilot, load, failing, held, recorder, view, began, options.seconds, each_step)
                except Stopped:
                    view.say("stopping: requests in flight are finished first; once more ends at once")
                finally:
                    if load is not None:
                        load.stop()
                    if recorder is not None:
                        recorder.close()
                    if served:
                        seconds = time.monotonic() - began
                        report = build_report(
                            session=session, seconds=seconds, decisions=autopilot.history, load=load,
                            held=held.to_json(),
                        )  # fmt: skip
                        if options.report is not None:
                            write_report(options.report, report)
                        view.ended(report)
        except Stopped:
            pass
    if not served and options.report is not None:
        write_report(options.report, failed_report(session.app.name, "it was stopped before it served"))
    return failing


def _fly(
    session: Session,
    autopilot: Autopilot,
    load: LoadProcess | None,
    failing: Failing,
    held: Held,
    recorder: Recorder | None,
    view: View,
    began: float,
    seconds: float | None,
    each_step: Callable[[], None],
) -> None:
    answers = Answers()
    while seconds is None or time.monotonic() - began < seconds:
        session.step()
        each_step()
        for text in failing.step(session.state, session.pod.samples) if session.state else ():
            view.say(text)
        decided = autopilot.step()
        if recorder is not None:
            recorder.step(autopilot, decided)
        for entry in decided:
            view.decided(entry)
        for text in answers.step(load.statuses) if load else ():
            view.say(text)
        for text in held.step(autopilot.word):
            view.say(text)
        view.update(session, autopilot, load)
        time.sleep(STEP_SECONDS)


def _check_shape(shape: Shape, app: UwsgiApp, where: str) -> None:
    """where: what stands before the name of the bounds, such as "spec.tuning."."""
    for name, value, bounds in (
        ("processes", shape.processes, process_bounds(app)),
        ("threads", shape.threads, app.tuning.threads),
    ):
        if not bounds.min <= value <= bounds.max:
            raise UsageError(
                f"--shape: expected {bounds.min} to {bounds.max} {name}, the bounds of {where}{name}, found {value}"
            )


def _greeting(app: UwsgiApp, session: Session, mode: Mode, pinned: Shape | None) -> str:
    what = f"{app.name} is served at {session.where} by {session.shape.in_words() if session.shape else 'uWSGI'}"
    if pinned is not None:
        return f"{what}; the shape is pinned"
    doing = {
        Mode.AUTO: "tuning as soon as there is load",
        Mode.RECOMMEND: "watching, and saying what it would do",
        Mode.DISABLED: "watching only",
    }[mode]
    return f"{what}; {doing}"
