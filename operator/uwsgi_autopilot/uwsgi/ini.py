"""The ini file of one uWSGI generation: the autopilot's own lines, its defaults, then the person's options.

A pure function: it writes no file. What a shape means to uWSGI is written here and nowhere else.
"""

import math
from collections.abc import Iterable, Sequence

from uwsgi_autopilot.api.agentconfig import AgentConfig
from uwsgi_autopilot.api.options import refusal_of
from uwsgi_autopilot.api.shape import Shape

# RLIMIT_NOFILE of uWSGI and the application. Container runtimes hand out up to 2**30, and uWSGI walks and allocates by
# that number (8.6 GB for a router, minutes at a re-exec). Two descriptors of the master go to each possible worker.
MAX_FD = 16384
_FD_PER_WORKER = 2
_FD_RESERVE = 256  # sockets, logs, libraries and the application's own connections, which are counted per process

BUFFER_SIZE = 65535

# Defaults that a person may replace by setting the same option (or, after the dash, one that excludes it).
_DEFAULTS: tuple[tuple[str, str], ...] = (
    ("single-interpreter", "true"),  # C extensions do not work in sub-interpreters
    ("enable-threads", "true"),  # background threads of the application run also with one thread per worker
    ("thunder-lock", "true"),  # spreads requests evenly over the workers: 213 each, else 113 to 370
    ("max-fd", str(MAX_FD)),
    # The most there is. Above it uWSGI closes the connection, which is 502 and a second try at nginx: so nginx lets
    # through no more than this holds (resources/headerbuffers.py).
    ("buffer-size", str(BUFFER_SIZE)),
    # Room for 1,000 headers, as many as new versions of nginx allow. With 64, uWSGI's own, 112 were too many: 502.
    ("max-vars", "512"),
    # A body is read before the application is asked, from 32 KiB on into a file that has no name any more. Whoever
    # answers without reading it (401) otherwise loses that answer now and then: 2 of 150 were 502, with this none.
    ("post-buffering", "32768"),
    ("py-call-uwsgi-fork-hooks", "true"),  # the interpreter's state after fork; clean on 3.11, 3.12, 3.13
    # With pyuwsgi Python is up before uWSGI reads `env = A=1`: without this os.environ lacks it (measured).
    ("reload-os-env", "true"),
    ("close-on-exec", "true"),  # else a program that a request starts keeps that request's connection open
    ("ignore-sigpipe", "true"),  # when nginx gives up on a request: no line in the log for each
    ("ignore-write-errors", "true"),
    ("disable-logging", "true"),  # nginx has the access log
    ("log-5xx", "true"),
    ("auto-procname", "true"),
)
# Of them, for a configuration that is a person's own: what keeps it as it was while the shape changes (threads of their
# own ran as long as they had `threads`), and what lets nginx, where it is the router, hand over whatever uWSGI's own
# router would.
_LEAST = frozenset({"enable-threads", "max-fd", "buffer-size", "max-vars", "post-buffering", "reload-os-env"})
_LEAST_DEFAULTS = tuple(each for each in _DEFAULTS if each[0] in _LEAST)
# Of ours, what breaks together with options of theirs: it gives way.
_GIVES_WAY = {
    # Segmentation faults: the first application is loaded where the hooks were not set up, and a mule is forked without
    # the interpreter's lock, again and again (2.0.30, 2.0.31).
    "py-call-uwsgi-fork-hooks": frozenset({"mount", "worker-mount", "mule", "mules"}),
}
_NONE: frozenset[str] = frozenset()
# With these, and with reload-on-*, uWSGI recycles workers.
_RECYCLING = {"max-requests", "R", "max-worker-lifetime"}
# Other spellings of those options: whoever sets one has set the option.
_ALIASES = {
    "i": "single-interpreter",
    "T": "enable-threads",
    "b": "buffer-size",
    "v": "max-vars",
    "L": "disable-logging",
    "logformat": "log-format",
    # With async modes of forking: the one replaces the other, both together break Python 3.13.
    "py-call-osafterfork": "py-call-uwsgi-fork-hooks",
}


def generation_ini(
    config: AgentConfig,
    *,
    shape: Shape,
    ceiling: int,
    fds: Sequence[int],
    fifo: str,
    stats: str,
    shim: str | None = None,
    file: bool = False,
) -> str:
    """The text of the ini file.

    shape: live workers at the start, and threads. ceiling: how many workers this generation may ever have.
    fds: numbers of the inherited listening sockets. shim: path of a file with SHIM in it (uwsgi/shim.py); None keeps
    uWSGI's own end of a worker, which tears the interpreter down and thereby copies the memory that the workers share
    (peak 543 MiB instead of 289 at a swap of three workers that share 100 MB). file: `config.module` names a file
    (uwsgi/loading.py:names_a_file).

    With `config.module` None the options are a whole configuration that uWSGI has resolved: they are not checked again,
    and few defaults are added.

    The person's options come last, in their order. A default of ours is left out where they set that option, because
    options that may be repeated would add up instead of replacing. Their values are written as they stand, and uWSGI
    does with them what it does in any ini file: `%n` and the like are its magic variables (an unknown one vanishes, a
    literal one is `%%`, `%(name)` of log formats stays), `$(NAME)` is an environment variable, `@(file)` the text of a
    file, and `%` at the end of a line would swallow the line break, so a single one there is written as `%%`.

    Raises:
        ValueError: one sentence: shape above ceiling, ceiling above what the descriptors allow, an option that the
        autopilot owns, or a line break in a value.
    """
    if not 1 <= shape.processes <= ceiling:
        raise ValueError(
            f"processes: expected at least 1 and at most the ceiling of {ceiling}, found {shape.processes}"
        )
    if ceiling > most_workers(config):
        raise ValueError(
            f"ceiling: expected at most {most_workers(config)} with the descriptors of max-fd, found {ceiling}"
        )
    lines: list[tuple[str, str]] = [
        ("master", "true"),
        ("need-app", "true"),  # no server that answers 500 to everything
        ("no-orphans", "true"),  # workers of a killed master would go on serving
        *(("socket", f"fd://{fd}") for fd in fds),
        ("master-fifo", literal(fifo)),
        ("stats", literal(stats)),
    ]
    if config.module is not None:
        lines.append(("strict", "true"))  # a mistyped option stops the start instead of being ignored
        if config.chdir:
            lines.append(("chdir", literal(config.chdir)))
        lines += application_lines(config.module, file=file)
    lines += [("processes", str(ceiling)), ("threads", str(shape.threads))]
    if ceiling > 1:  # cheaper must be below processes, else uWSGI does not start
        lines += [("cheaper", "1"), ("cheaper-algo", "manual"), ("cheaper-initial", str(shape.processes))]
    if shim is not None:
        lines += [("skip-atexit-teardown", "true"), ("shared-pyimport", literal(shim))]
    ours = _DEFAULTS if config.module is not None else _LEAST_DEFAULTS
    if config.module is not None:
        # With 4 s, uWSGI's own, an answer ends in the middle when nginx takes nothing for so long, because its client
        # reads slowly. nginx has limits of its own, for both sides.
        ours = (*ours, ("socket-timeout", str(math.ceil(config.request_seconds))))
    mercy = ("worker-reload-mercy", str(math.ceil(_mercy_seconds(config))))
    lines += without_theirs((*ours, mercy), config.options)
    their_line = line_of_a_person if config.module is not None else _resolved_line
    lines += [their_line(name, value) for name, value in config.options]
    return ini_text(lines)


def without_theirs(
    defaults: Iterable[tuple[str, str]], options: Iterable[tuple[str, str | None]]
) -> list[tuple[str, str]]:
    """Those of our defaults that no option of a person replaces or breaks together with."""
    theirs = {_ALIASES.get(name, name) for name, _ in options}
    return [
        (name, value) for name, value in defaults if name not in theirs and not _GIVES_WAY.get(name, _NONE) & theirs
    ]


def ini_text(lines: Iterable[tuple[str, str]]) -> str:
    """Raises ValueError: a value that cannot stand on one line."""
    text = ["[uwsgi]"]
    for name, value in lines:
        if any(character in value for character in "\n\r\0"):
            raise ValueError(f"{name}: a value in an ini file cannot hold a line break, found {value!r}")
        text.append(f"{name} = {value}")
    return "\n".join([*text, ""])


def _mercy_seconds(config: AgentConfig) -> float:
    """When a worker that was told to go is killed, even with a request in service: a parked one with threads may linger
    until its next request. So not before the longest answer that we wait for; but a worker that uWSGI itself recycles
    takes no more requests and is replaced only once it is gone, so all of them may wait for a stream each."""
    recycles = any(name in _RECYCLING or name.startswith("reload-on-") for name, _ in config.options)
    return config.request_seconds if recycles else max(config.request_seconds, config.stream_seconds)


def most_workers(config: AgentConfig) -> int:
    """The highest ceiling that the descriptors allow: uWSGI does not start with more workers than fit into max-fd."""
    return max(1, (_number(config.options, "max-fd", MAX_FD) - _FD_RESERVE) // _FD_PER_WORKER)


def buffer_size(options: Iterable[tuple[str, str | None]]) -> int:
    """Bytes of all headers together that uWSGI takes with these options of a person."""
    return _number(options, "buffer-size", BUFFER_SIZE)


def _number(options: Iterable[tuple[str, str | None]], wanted: str, default: int) -> int:
    """Of several the last counts."""
    for name, value in options:
        if name == wanted and value is not None and value.strip().isdecimal():
            default = int(value)
    return default


def application_lines(module: str, *, file: bool) -> list[tuple[str, str]]:
    """`wsgi:app`, `package.module` and `package:create_app()` are modules; `wsgi.py`, `src/wsgi.py:app` are files."""
    path, _, attribute = module.partition(":")
    if not file:
        return [("module", literal(module))]
    lines = [("wsgi-file", literal(path))]
    return [*lines, ("callable", literal(attribute))] if attribute else lines


def line_of_a_person(name: str, value: str | None) -> tuple[str, str]:
    """Raises ValueError: the autopilot owns the option."""
    if refusal := refusal_of(name):
        raise ValueError(refusal)
    if value is None:
        return name, "true"
    trailing = len(value) - len(value.rstrip("%"))
    return name, value + "%" if trailing % 2 else value


def _resolved_line(name: str, value: str | None) -> tuple[str, str]:
    """uWSGI has replaced what was to be replaced: what is left stands for itself, or is of a log format."""
    return name, literal(value if value is not None else "true")


def literal(text: str) -> str:
    """A text of our own, such as a path, in which uWSGI must see no magic variables."""
    return text.replace("%", "%%")
