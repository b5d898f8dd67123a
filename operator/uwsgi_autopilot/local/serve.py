"""`uwsgi-autopilot serve http.ini`: the session of a configuration that was written for plain uWSGI.

uWSGI resolves it, api/takeover.py says what becomes of each option, and the rest is a session like any other. What the
autopilot cannot tune is served by uWSGI alone, in place of this process.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

from uwsgi_autopilot.api.address import reached_at, reached_text
from uwsgi_autopilot.api.agentconfig import AGENT_PORT
from uwsgi_autopilot.api.manifest import is_manifest
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.takeover import ConfigurationError, Takeover, take_over
from uwsgi_autopilot.api.uwsgiapp import Bounds, Mode, UwsgiApp
from uwsgi_autopilot.errors import NotServing, UsageError
from uwsgi_autopilot.local.files import RunFiles
from uwsgi_autopilot.local.inifile import write_shape
from uwsgi_autopilot.local.manager import Manager
from uwsgi_autopilot.local.preflight import check_addresses, free_port, owners_of
from uwsgi_autopilot.local.programs import Programs, find_nginx, find_uwsgi, ignored_environment
from uwsgi_autopilot.local.resolve import known_options, resolve
from uwsgi_autopilot.local.run import Options, View, run_local
from uwsgi_autopilot.local.served import Owners, app_of, files_of
from uwsgi_autopilot.local.session import Session
from uwsgi_autopilot.local.touched import Touched

LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """arguments: uWSGI's, a file or options. router: "nginx", "uwsgi" or "auto". status_port: of the agent's pages on
    the loopback address; None: 9117, or a free one. write: put the shape that was found into the file. log_socket:
    where an nginx that is not ours sends its log; None: nowhere."""

    arguments: Sequence[str]
    mode: Mode = Mode.AUTO
    router: str = "auto"
    status_port: int | None = None
    processes: Bounds | None = None
    threads: Bounds | None = None
    write: bool = False
    log_socket: str | None = None
    memory_guard: bool = True
    parking: bool = False


def run_serve(asked: ServeOptions, options: Options, view: Callable[[], View]) -> int:
    """Returns the exit status, or becomes uWSGI. Raises AutopilotError."""
    uwsgi, cwd = find_uwsgi(), os.getcwd()
    name = " ".join(asked.arguments)
    found = taken_over(uwsgi, asked.arguments, cwd)
    if asked.write and _file(asked.arguments) is None:
        raise UsageError("--write: expected an ini file after `serve`: only its two lines can be rewritten")
    if found.plain is not None:
        print(f"{name}: served by uWSGI alone, not tuned: {found.plain}", file=sys.stderr, flush=True)
        os.execv(uwsgi, [uwsgi, *asked.arguments])  # noqa: S606  # it takes our place: signals, pid file, exit status
    owners = owners_of(found)
    check_addresses(found)
    nginx = _nginx(asked.router, found)
    if nginx is not None and asked.log_socket is not None:
        raise UsageError(
            "--log-socket: here nginx is the autopilot's own and tells it already; the flag is for a `socket`"
        )
    programs = Programs(uwsgi=uwsgi, nginx=nginx or "")
    app = app_of(found, name=name, mode=asked.mode, processes=asked.processes, threads=asked.threads)
    app = replace(app, tuning=replace(app.tuning, memory_guard=asked.memory_guard, parking=asked.parking))
    status = f"127.0.0.1:{free_port(asked.status_port, AGENT_PORT, found)}"
    start = options.shape or app.tuning.first
    serving = Serving(found, app, asked, cwd=cwd, programs=programs, status=status, owners=owners, start=start)
    with_view = view()
    for note in (*found.notes, ignored_environment(uwsgi, found.options, cwd)):
        if note is not None:
            with_view.say(note)
    return serving.run(options, with_view)


class Serving:
    def __init__(
        self, found: Takeover, app: UwsgiApp, asked: ServeOptions, *,
        cwd: str, programs: Programs, status: str, owners: Owners, start: Shape,
    ) -> None:  # fmt: skip
        self.found, self.app, self.asked, self.cwd, self.programs = found, app, asked, cwd, programs
        self.status, self.owners, self.start = status, owners, start
        self._touched = Touched(found)
        self._hung_up = False
        self._next_look = 0.0
        self._manager = Manager()

    def run(self, options: Options, view: View) -> int:
        host, port = (reached_at(self.found.http[0]) if self.found.http else None) or ("", 0)
        session = Session(
            self.app,
            folder=Path(self.cwd),
            port=port,
            host=host,
            programs=self.programs,
            start=self.start,
            sink=view.line,
            files=self._files,
            where=_where(self.found),
        )
        before = signal.signal(signal.SIGHUP, self._on_hangup)
        try:
            self._write_pidfiles()
            view.say(f"state and metrics: http://{self.status}/v1/state, http://{self.status}/metrics")
            return run_local(
                self.app, options, self.programs, view, session=session, each_step=lambda: self._step(session, view)
            )
        finally:
            self._manager.stopping()
            signal.signal(signal.SIGHUP, before)
            self._leave(session, view)

    def _files(self, run: Path) -> RunFiles:
        if self.owners.uwsgi or self.owners.sockets:
            os.chmod(run, 0o711)  # noqa: S103  # to pass through, not to list
        if (owner := self.owners.uwsgi) is not None:
            # uWSGI makes its FIFO and its stats socket there when it has become that user.
            os.chown(run / "private", owner.uid, owner.gid)
        return files_of(
            self.found, self.app, run, uwsgi=self.programs.uwsgi, cwd=self.cwd, start=self.start,
            nginx=bool(self.programs.nginx), status=self.status, owners=self.owners, log_socket=self.asked.log_socket,
        )  # fmt: skip

    def _on_hangup(self, signum: int, frame: FrameType | None) -> None:
        self._hung_up = True

    def _step(self, session: Session, view: View) -> None:
        self._manager.step(session, time.monotonic())
        why = None
        if self._hung_up:
            self._hung_up, why = False, "SIGHUP"
        elif (now := time.monotonic()) >= self._next_look:
            self._next_look = now + LOOK_SECONDS
            why = self._touched.step(now)
        if why is not None:
            self._reload(session, view, why)

    def _reload(self, session: Session, view: View, why: str) -> None:
        """Code, and those options that a new generation reads. The configuration that serves stays when the new one
        cannot be used."""
        try:
            fresh = taken_over(self.programs.uwsgi, self.asked.arguments, self.cwd)
            owned = replace(fresh, options=(), notes=(), shape=self.found.shape, touched=self.found.touched) == replace(
                self.found, options=(), notes=()
            )
            if not owned:
                view.say(f"{why}: changed addresses, users and bounds take effect after a restart")
            self.found = replace(self.found, options=fresh.options)
            session.write_agent_config(self._files(session.run))
        except (UsageError, NotServing, OSError) as error:
            view.say(f"{why}: nothing is reloaded: {error}")
            return
        self._manager.reloading(session, time.monotonic())
        session.reload()
        view.say(f"{why}: a new generation of uWSGI loads the application; the old one finishes its requests")

    def _write_pidfiles(self) -> None:
        for path in self.found.pidfiles:
            try:
                Path(path).write_text(f"{os.getpid()}\n", encoding="ascii")
            except OSError as error:
                raise NotServing(f"pidfile: {path} cannot be written: {error.strerror}") from None

    def _leave(self, session: Session, view: View) -> None:
        if self.found.vacuum:
            for path in (*self.found.pidfiles, *self.found.sockets, *self.found.stats, *self.found.http):
                if path.startswith("/"):
                    with suppress(OSError):
                        os.unlink(path)
        file = _file(self.asked.arguments)
        if not self.asked.write or file is None:
            return
        if session.promoted is None:
            view.say(f"{file} was not changed: no other shape was tried and kept")
        else:
            view.say(write_shape(Path(self.cwd) / file, session.promoted))


def taken_over(uwsgi: str, arguments: Sequence[str], cwd: str) -> Takeover:
    if len(arguments) == 1:
        _check_no_manifest(Path(arguments[0]))
    options = resolve(uwsgi, arguments)
    try:
        return take_over(options, known=known_options(uwsgi, options), cwd=cwd)
    except ConfigurationError as error:
        raise UsageError(f"{' '.join(arguments)}: {error}") from None


def _check_no_manifest(path: Path) -> None:
    """uWSGI takes it for a YAML file without options."""
    if not path.is_file():
        return
    with suppress(OSError):  # uWSGI says why a file cannot be read
        if is_manifest(path, path.read_text(encoding="utf-8", errors="replace")):
            raise UsageError(
                f"{path}: expected a configuration of uWSGI, found a manifest: `uwsgi-autopilot local {path}` takes it"
            )


def _nginx(router: str, found: Takeover) -> str | None:
    """nginx's path; None: uWSGI's own router, or none at all."""
    if not found.http or router == "uwsgi":
        return None
    try:
        return find_nginx()
    except NotServing:
        if router == "nginx":
            raise
        return None


def _where(found: Takeover) -> str:
    urls = [each if each.startswith("/") else f"http://{reached_text(each)}" for each in found.http]
    return ", ".join([*urls, *(f"socket {each}" for each in found.sockets)])


def _file(arguments: Sequence[str]) -> str | None:
    """The ini file among uWSGI's arguments."""
    for each in arguments:
        path = each.removeprefix("--ini=").rpartition(":")[0] or each.removeprefix("--ini=")
        if path.endswith(".ini"):
            return path
    return None
