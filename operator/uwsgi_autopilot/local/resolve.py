"""Have uWSGI resolve a configuration: files, includes, placeholders, loops, conditions, environment, command line.

uWSGI is started with two hooks that run when the options are known and before anything is done with them: no log is
opened, no pid file written, no socket bound, no daemon forked, and `vacuum` has nothing to remove. The first calls the
function that `--show-config` calls, the second `_exit`, which runs no exit handler. `--show-config` itself comes after
the log and the fork of `daemonize`, and then goes on to write the pid file of a server that may be running.
"""

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

from uwsgi_autopilot.errors import NotServing, UsageError
from uwsgi_autopilot.kernel.spawn import clean_environment, kill_group
from uwsgi_autopilot.report.text import readable
from uwsgi_autopilot.uwsgi.shown import DATE, Options, circle, parse_shown

_HOOKS = ("--hook-asap", "call:show_config", "--hook-asap", "callint:_exit 0")
# Last on the command line, so that it replaces a log-date of theirs, which would stand before each line.
_DATE = f"--log-date={DATE}"
_OURS = frozenset({("hook-asap", "call:show_config"), ("hook-asap", "callint:_exit 0"), ("log-date", DATE)})
_PLUGINS = ("plugin", "plugins", "need-plugin", "need-plugins", "plugins-dir", "plugin-dir")
SECONDS = 20.0
# A circle of includes prints a line each time around; uWSGI itself ends it only when its stack does.
MOST_BYTES = 4 * 1024 * 1024
_LAST_LINES = 5
# What uWSGI prints on the way and what is no reason for anything.
_NOISE = ("[uWSGI] getting", "running ", "[uwsgi-static]", "*** ")


def resolve(
    uwsgi: str, arguments: Sequence[str], *, cwd: str | None = None, environment: Mapping[str, str] | None = None
) -> Options:
    """What `uwsgi ARGUMENTS` would run with. environment: None is this process's own.

    Raises UsageError with uWSGI's own reason when it refuses the configuration, NotServing when it cannot be run.
    """
    base = os.environ if environment is None else environment
    text, status = _run([uwsgi, *_HOOKS, *arguments, _DATE], cwd, base)
    what = " ".join(arguments)
    if name := circle(text):
        raise UsageError(f"{what}: {name} includes itself, directly or through another file: break the circle")
    shown = parse_shown(text)
    if status is None:
        raise UsageError(
            f"{what}: uWSGI had not resolved it after {SECONDS:.0f} s: is the file whole, or does it read from a pipe?"
        )
    if shown.options is None:
        said = [line for line in shown.said if line.strip() and not line.startswith(_NOISE)]
        why = readable("; ".join(said[-_LAST_LINES:])) or f"it ended with status {status}"
        raise UsageError(f"{what}: uWSGI cannot use this configuration: {why}")
    for line in shown.said:
        if "Can't find section" in line:
            raise UsageError(f"{what}: {readable(line.strip('* '))}: uWSGI would ignore the whole file")
    return tuple(each for each in shown.options if each not in _OURS)


def known_options(uwsgi: str, options: Options = ()) -> frozenset[str]:
    """The names of all options of this build, and of the plugins that `options` bring in."""
    plugins = [word for name, value in options if name in _PLUGINS for word in (f"--{name}", value)]
    text, _ = _run([uwsgi, *plugins, "--dump-options"], None, os.environ)
    return frozenset(line.strip() for line in text.splitlines() if line and " " not in line.strip())


def version_of(uwsgi: str) -> tuple[int, ...] | None:
    """(2, 0, 31); None: it does not say."""
    text, _ = _run([uwsgi, "--version"], None, os.environ)
    found = re.search(r"^(\d+(?:\.\d+)+)", text, re.MULTILINE)
    return tuple(map(int, found[1].split("."))) if found else None


def _environment(base: Mapping[str, str]) -> dict[str, str]:
    """UWSGI_* stay, because uWSGI reads options there; what it would answer to a service manager does not."""
    theirs = {name: value for name, value in base.items() if name.startswith("UWSGI_")}
    return clean_environment(base, {**theirs, "PYTHONDONTWRITEBYTECODE": "1"})


def _run(command: list[str], cwd: str | None, environment: Mapping[str, str]) -> tuple[str, int | None]:
    """What it printed, and its status; None: it was stopped for taking too long or printing too much."""
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                start_new_session=True, env=_environment(environment),
            )  # fmt: skip
        except OSError as error:
            raise NotServing(f"{command[0]} cannot be run: {error.strerror}") from None
        deadline = time.monotonic() + SECONDS
        while process.poll() is None and time.monotonic() < deadline and os.fstat(output.fileno()).st_size < MOST_BYTES:
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
        status = process.poll()
        if status is None:
            kill_group(process.pid)
            process.wait()
        output.seek(0)
        return output.read(MOST_BYTES).decode("utf-8", errors="replace"), status
