"""The ini file of a uWSGI for development: one process that speaks HTTP itself. Pure."""

from collections.abc import Iterable, Sequence

from uwsgi_autopilot.uwsgi.ini import (
    BUFFER_SIZE,
    application_lines,
    ini_text,
    line_of_a_person,
    literal,
    without_theirs,
)

# What only a master carries out. Without one uWSGI ends in 20 ms instead of a second (measured), at every save.
_OF_A_MASTER = ("mule", "farm", "spooler", "cron", "unique-cron", "legion-cron", "harakiri", "attach-daemon", "smart-")
_DEFAULTS = (
    ("need-app", "true"),  # what cannot be imported ends it, with its traceback
    ("die-on-term", "true"),  # SIGTERM would mean a reload
    ("single-interpreter", "true"),
    ("enable-threads", "true"),
    ("max-fd", "4096"),
    ("buffer-size", str(BUFFER_SIZE)),
    ("post-buffering", "32768"),
    ("reload-os-env", "true"),
    ("ignore-sigpipe", "true"),
    ("ignore-write-errors", "true"),
    ("catch-exceptions", "true"),  # the traceback is on the page too: without, the connection is closed unanswered
    ("log-format", "%(method) %(uri) %(status) in %(msecs) ms"),
)


def development_ini(
    *,
    module: str,
    file: bool,
    folder: str,
    fd: int,
    threads: int,
    options: Sequence[tuple[str, str | None]] = (),
    static: Iterable[tuple[str, str]] = (),
) -> str:
    """The text of the ini file. fd: number of the inherited listening socket. static: (path, directory), which uWSGI
    serves itself. A person's options come last; one of ours is left out where they set it. Raises ValueError."""
    lines = [("strict", "true"), ("http-socket", f"fd://{fd}"), ("chdir", literal(folder))]
    lines += application_lines(module, file=file)
    lines.append(("threads", str(threads)))
    if any(name.startswith(_OF_A_MASTER) for name, _ in options):
        lines += [("master", "true"), ("no-orphans", "true")]
    lines += [("static-map", literal(f"{path.rstrip('/')}={directory}")) for path, directory in static]
    lines += without_theirs(_DEFAULTS, options)
    lines += [line_of_a_person(name, value) for name, value in options]
    return ini_text(lines)
