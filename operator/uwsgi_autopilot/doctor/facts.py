"""Gather what the rules ask for: of a uWSGI configuration, of a manifest, or of a uWSGI that runs. Starts no server."""

import fnmatch
import glob
import os
import re
import resource
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from uwsgi_autopilot.api.fates import Fate, row_of
from uwsgi_autopilot.api.manifest import is_manifest, load_manifest
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import KIND
from uwsgi_autopilot.api.yamltext import read_documents
from uwsgi_autopilot.doctor.configuration import Configuration, Facts, Machine, is_tcp
from uwsgi_autopilot.doctor.modules import read_code
from uwsgi_autopilot.doctor.running import read_running
from uwsgi_autopilot.errors import UsageError
from uwsgi_autopilot.kernel.cgroup import Cgroup, usable_cores
from uwsgi_autopilot.local.files import agent_config, layout_of, process_bounds
from uwsgi_autopilot.local.programs import find_uwsgi, is_module
from uwsgi_autopilot.local.resolve import known_options, resolve, version_of
from uwsgi_autopilot.uwsgi.ini import generation_ini
from uwsgi_autopilot.uwsgi.shown import Options

_REFERENCE = re.compile(r"[%$]\(\s*([^)\s]+)\s*\)")
_FILES = ("ini", "include", "inherit", "config", "yaml", "yml", "json", "xml")
_LOGROTATE = ("/etc/logrotate.conf", "/etc/logrotate.d/*")
MOST_BYTES = 1024 * 1024


def read_file(path: Path, *, database_limit: int | None, pods: int | None) -> Facts:
    """Raises UsageError, NotServing."""
    text = _text_of(path)
    uwsgi, cwd = find_uwsgi(), os.getcwd()
    if is_manifest(path, text):
        facts = _of_manifest(path, text, uwsgi)
    else:
        options = resolve(uwsgi, [str(path)])
        if all(
            row_of(name).fate is Fate.RESOLVED for name, _ in options
        ):  # a broken YAML file is an empty one to uWSGI
            raise UsageError(f"{path}: expected options for uWSGI, found none that uWSGI can read")
        facts = _of_options(options, uwsgi, cwd=cwd, texts=[text])
    return _asked(facts, database_limit, pods)


def read_process(pid: int, *, database_limit: int | None, pods: int | None) -> Facts:
    """Raises UsageError, NotServing."""
    found = read_running(pid)
    for number, folder in enumerate(found.folders, 1):
        try:
            options = resolve(found.program, found.arguments, cwd=folder, environment=found.environment)
            break
        except UsageError as error:  # it may have been started elsewhere, and have changed its directory
            if number == len(found.folders):
                raise UsageError(f"--pid {pid}: {error}") from None
    texts = [
        text
        for word in found.arguments
        if "." in word and (text := _text_or_nothing(os.path.join(folder, word)))
    ]  # fmt: skip
    facts = _of_options(options, found.program, cwd=folder, texts=texts)
    cgroup = Cgroup(process=found.pid)
    machine = replace(
        facts.machine,
        descriptors=found.descriptors,
        root=found.root,
        memory=cgroup.memory().limit,
        cores=usable_cores(cgroup.cpu_quota()),
    )
    facts = replace(facts, machine=machine, worker=found.worker, served=found.served)
    return _asked(facts, database_limit, pods)


def _of_options(options: Options, uwsgi: str, *, cwd: str, texts: Sequence[str]) -> Facts:
    asked = Configuration(options)
    code = read_code(asked, cwd)
    included = [_text_or_nothing(os.path.join(cwd, value)) for value in asked.every(*_FILES)]
    referred = {name for text in [*texts, *included] for name in _REFERENCE.findall(text)} | code.options
    return Facts(
        configuration=asked,
        machine=_machine(),
        version=version_of(uwsgi),
        code=code,
        module=uwsgi if is_module(uwsgi) else None,
        unknown=_unknown(options, uwsgi, referred),
        endless_logs=_endless(asked, cwd),
    )


def _of_manifest(path: Path, text: str, uwsgi: str) -> Facts:
    """What the agent would start at the largest shape that the manifest allows."""
    app = load_manifest(path)
    folder = path.absolute().parent
    shape = app.tuning.pin or Shape(process_bounds(app).max, app.tuning.threads.max)
    config = agent_config(app, layout_of(Path("/run"), "", 0), folder=folder, uwsgi=uwsgi, start=shape)
    try:
        ini = generation_ini(config, shape=shape, ceiling=shape.processes, fds=[3], fifo="g1.fifo", stats="g1.stats")
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from None
    lines = [line.partition(" = ") for line in ini.splitlines()[1:]]
    options = tuple((name, value) for name, _, value in lines)
    facts = _of_options(options, uwsgi, cwd=str(folder), texts=[text])
    limits = app.limits
    machine = replace(
        facts.machine,
        memory=facts.machine.memory if limits.memory is None else limits.memory,
        cores=facts.machine.cores if limits.cpu is None else limits.cpu,
    )
    return replace(
        facts, machine=machine, served=True, pods=_replicas(path, text), max_connections=app.tuning.max_connections
    )


def _asked(facts: Facts, database_limit: int | None, pods: int | None) -> Facts:
    return replace(facts, database_limit=database_limit, pods=facts.pods if pods is None else pods)


def _replicas(path: Path, text: str) -> int:
    for document in read_documents(text, str(path)):
        if isinstance(document.data, dict) and isinstance(spec := document.data.get("spec"), dict):
            found = spec.get("replicas")
            return found if isinstance(found, int) else 1
    return 1


def _machine() -> Machine:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    cgroup = Cgroup()
    return Machine(
        somaxconn=_number(Path("/proc/sys/net/core/somaxconn")),
        descriptors=None if soft == resource.RLIM_INFINITY else soft,
        cores=usable_cores(cgroup.cpu_quota()),
        memory=cgroup.memory().limit,
        root=os.geteuid() == 0,
    )


def _unknown(options: Options, uwsgi: str, referred: set[str]) -> tuple[str, ...]:
    known = known_options(uwsgi, options)
    declared = {value.partition("=")[0].split(" ")[0] for name, value in options if name.startswith("declare-option")}
    names = dict.fromkeys(name for name, _ in options if name not in known and name not in referred | declared)
    return tuple(name for name in names if row_of(name).fate is not Fate.RESOLVED) if known else ()


def _endless(asked: Configuration, cwd: str) -> tuple[str, ...]:
    if asked.has("log-maxsize", "touch-logreopen", "touch-logrotate"):
        return ()
    below = os.path.join(cwd, asked.last("chdir") or "")
    logs = [
        os.path.normpath(os.path.join(below if name.endswith("2") else cwd, value))
        for name in ("logto", "logto2", "daemonize", "daemonize2")
        for value in asked.every(name)
        if not is_tcp(value) and not value.startswith("/dev/")
    ]
    rotated = [
        word.strip('"') for pattern in _LOGROTATE for path in glob.glob(pattern)
        for word in _text_or_nothing(path).split() if word.strip('"').startswith("/")
    ]  # fmt: skip
    return tuple(log for log in logs if not any(fnmatch.fnmatch(log, each) for each in rotated))


def _text_of(path: Path) -> str:
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            raise UsageError(f"{path}: expected a file, found a pipe or a device")
        with path.open("rb") as file:
            return file.read(MOST_BYTES).decode("utf-8", errors="replace")
    except FileNotFoundError:
        raise UsageError(f"{path}: there is no such file: give a uWSGI configuration or a {KIND} manifest") from None
    except IsADirectoryError:
        raise UsageError(f"{path}: expected a uWSGI configuration or a {KIND} manifest, found a directory") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _text_or_nothing(path: str) -> str:
    try:
        return _text_of(Path(path)) if os.path.isfile(path) else ""
    except UsageError:
        return ""


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
