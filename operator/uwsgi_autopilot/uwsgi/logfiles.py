"""The files into which uWSGI logs when options say so."""

from collections.abc import Iterable

LOGGERS = ("logger", "log-socket")
REQUEST_LOGGERS = ("req-logger",)
_FILES = ("logto", "logto2")


def log_files(options: Iterable[tuple[str, str | None]], *, requests: bool = False) -> list[str]:
    """Of `logto`, `logto2` and of loggers such as `file:/var/log/app.log` or `errors file:app.log`, as written.
    requests: those of the requests, too."""
    loggers = (*LOGGERS, *REQUEST_LOGGERS) if requests else LOGGERS
    found: list[str] = []
    for name, value in options:
        if value and name in _FILES:
            found.append(value)
        elif value and name in loggers:
            _, is_file, path = value.rpartition("file:")
            found += [path] if is_file and path else []
    return found
