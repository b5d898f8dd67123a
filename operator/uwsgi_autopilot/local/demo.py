"""`uwsgi-autopilot demo`: watch an application get faster, then compare with what people usually set.

    serve at the first shape ─► load 1, tune ─► announce ─► load 2, tune ─► measure each shape under load 2 ─► table

All of it is one run on one machine: the shapes of the table follow each other as live changes under the same load.
"""

import os
import time
from dataclasses import dataclass

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import Mode, UwsgiApp
from uwsgi_autopilot.errors import NotServing
from uwsgi_autopilot.loadgen.plan import parse_load
from uwsgi_autopilot.loadgen.process import LoadProcess, LoadWindow
from uwsgi_autopilot.local.autopilot import CHANGES, Autopilot
from uwsgi_autopilot.local.programs import Programs
from uwsgi_autopilot.local.ready import wait_ready
from uwsgi_autopilot.local.run import STEP_SECONDS, Options, Stopped, View, stoppable
from uwsgi_autopilot.local.session import Session

FIRST_LOAD = "clients=64,path=/mixed?wait=20&cpu=2"
SECOND_LOAD = "clients=64,path=/io?ms=100"
FIRST_SECONDS = 40.0
SECOND_SECONDS = 40.0
# A phase ends early when the tuner has been content for this long: nothing more would be seen.
CONTENT_SECONDS = 8.0
MEASURE_SECONDS = 6.0
SETTLE_SECONDS = 2.0
# All of it, with room for slow swaps: a bound, not a plan.
TOTAL_SECONDS = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the comparison: the same load at another shape."""

    name: str
    shape: Shape
    window: LoadWindow


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    rows: tuple[Row, ...]
    found: Shape
    changes: int
    failed: int
    sent: int


def contenders(found: Shape) -> list[tuple[str, Shape]]:
    """uWSGI's default, the rule in most guides, and ours."""
    cores = len(os.sched_getaffinity(0))
    return [
        ("uWSGI's default", Shape(1, 1)),
        (f"the usual rule on {cores} cores", Shape(cores, 2 * cores)),
        ("autopilot", found),
    ]


def run_demo(app: UwsgiApp, options: Options, programs: Programs, view: View) -> int:
    """Returns the exit status. Raises AutopilotError."""
    view.say(f"{app.name}: starting nginx and uWSGI on port {options.port}")
    session = Session(
        app, folder=options.folder, port=options.port, host=options.host, programs=programs, sink=view.line
    )
    outcome: Outcome | None = None
    with stoppable():
        try:
            with session:
                wait_ready(session)
                outcome = _demonstrate(session, view)
        except Stopped:
            view.say("stopped")
    if outcome is not None:
        view.finish(outcome)
    return 0


def _demonstrate(session: Session, view: View) -> Outcome:
    view.say(f"open {session.url} in a browser; it is served by {session.shape.in_words() if session.shape else '?'}")
    autopilot = Autopilot(session, mode=Mode.AUTO)
    failed = sent = 0
    for text, seconds, words in (
        (FIRST_LOAD, FIRST_SECONDS, "64 clients ask for pages that wait 20 ms and compute 2 ms"),
        (SECOND_LOAD, SECOND_SECONDS, "now the load changes: the same clients ask for pages that wait 100 ms"),
    ):
        view.say(f"{words} ({parse_load(text).path})")
        load = session.start_load([text], TOTAL_SECONDS)
        try:
            _watch(session, autopilot, load, view, seconds)
            if text == SECOND_LOAD:
                found = session.shape
                rows = _compare(session, autopilot, load, view, found) if found else ()
        finally:
            summary = load.stop()
        failed += summary["failed"] if summary else load.failed
        sent += summary["sent"] if summary else 0
    if found is None:
        raise NotServing("the application stopped serving during the demonstration")
    changes = sum(entry.kind in CHANGES for entry in autopilot.history)
    return Outcome(rows=rows, found=found, changes=changes, failed=failed, sent=sent)


def _watch(session: Session, autopilot: Autopilot, load: LoadProcess, view: View, seconds: float) -> None:
    began = time.monotonic()
    last_change = began
    while (now := time.monotonic()) - began < seconds:
        session.step()
        for entry in autopilot.step():
            view.decided(entry)
            last_change = now
        view.update(session, autopilot, load)
        if autopilot.busy:
            last_change = now
        elif now - last_change > CONTENT_SECONDS and now - began > 2 * CONTENT_SECONDS:
            return
        time.sleep(STEP_SECONDS)


def _compare(session: Session, autopilot: Autopilot, load: LoadProcess, view: View, found: Shape) -> tuple[Row, ...]:
    view.say(f"found {found}; now the same load at each of the usual shapes, {MEASURE_SECONDS:.0f} s each")
    rows = []
    for name, shape in contenders(found):
        try:
            session.set_shape(shape)
        except NotServing as error:
            view.say(f"{name} is left out: {error}")
            continue
        until = time.monotonic() + SETTLE_SECONDS + MEASURE_SECONDS
        while time.monotonic() < until:
            session.step()
            view.update(session, autopilot, load)
            time.sleep(STEP_SECONDS)
        window = load.window(MEASURE_SECONDS)
        if window is not None:
            rows.append(Row(name=name, shape=shape, window=window))
            view.say(f"{shape} ({name}): {window.rps:,.0f} requests/s")
    return tuple(rows)
