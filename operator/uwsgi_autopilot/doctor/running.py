"""A uWSGI that runs: which one, how it was started, and what its process may use. Only reads /proc."""

import os
import pwd
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from uwsgi_autopilot.errors import UsageError
from uwsgi_autopilot.kernel.process import children_of, parent_of, rss_bytes

_UWSGI = re.compile(r"(py)?uwsgi([-_.\d].*)?")
# A word of the agent's command line: as a module, or in a pod. Not any path with our name: a checkout's has it, too.
_AGENT = re.compile(r"uwsgi_autopilot\.agent|.*/uwsgi-autopilot/agent\.pyz")
# What uWSGI writes into its own environment at a reload; who inherits it believes to be a reload.
_ITS_OWN = ("UWSGI_RELOADS", "UWSGI_ORIGINAL_PROC_NAME", "UWSGI_EMPEROR_FD", "UWSGI_EMPEROR_FD_CONFIG")


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """pid: of its master. program: the command that it was started with, arguments: what followed. folders: where that
    was, the likeliest first. descriptors: the soft RLIMIT_NOFILE; None: no limit. worker: bytes of the largest child.
    served: by uwsgi-autopilot."""

    pid: int
    program: str
    arguments: tuple[str, ...]
    folders: tuple[str, ...]
    environment: dict[str, str]
    descriptors: int | None
    root: bool
    worker: int | None
    served: bool


def read_running(pid: int) -> Running:
    """Of a master or one of its workers. Raises UsageError, one sentence, when that is no uWSGI that can be read."""
    if not os.path.isdir(f"/proc/{pid}"):
        raise UsageError(f"--pid {pid}: there is no such process: `pgrep -a uwsgi` lists those that run")
    words = _words(pid)
    at = _program_at(words)
    try:
        executable = os.readlink(f"/proc/{pid}/exe")
        environ = Path(f"/proc/{pid}/environ").read_bytes()
        cwd = os.readlink(f"/proc/{pid}/cwd")
        foreign = os.readlink(f"/proc/{pid}/ns/mnt") != os.readlink("/proc/self/ns/mnt")
    except OSError:
        remedy = "may not be looked at from here" if os.geteuid() == 0 else "run the doctor as that user or as root"
        raise UsageError(f"--pid {pid}: this process belongs to {_owner(pid)}: {remedy}") from None
    if at is None:
        if _UWSGI.fullmatch(os.path.basename(executable)):
            raise UsageError(
                f"--pid {pid}: uWSGI has replaced its command line (auto-procname or procname): "
                "give its configuration as FILE instead"
            )
        raise UsageError(f"--pid {pid}: expected a uWSGI, found {_named(words, executable)}")
    if foreign:
        raise UsageError(f"--pid {pid}: it runs in another container: run the doctor inside that one")
    # A worker has its master's command line, or the beginning of it. An Emperor's is another than its vassals'.
    while (parent := parent_of(pid)) and _words(parent)[: len(words)] == words:
        pid, words = parent, _words(parent)
    environment = dict(
        line.split("=", 1) for line in environ.decode("utf-8", "surrogateescape").split("\0") if "=" in line
    )
    for name in _ITS_OWN:
        environment.pop(name, None)
    started = environment.get("PWD")
    return Running(
        pid=pid,
        program=_program(words[at], executable, cwd, started),
        arguments=tuple(words[at + 1 :]),
        folders=(cwd, *((started,) if started and started != cwd and os.path.isdir(started) else ())),
        environment=environment,
        descriptors=_soft_limit(pid),
        root=_uid(pid) == 0,
        worker=max((rss_bytes(child) or 0 for child in children_of(pid)), default=0) or None,
        served=is_agent(_words(parent_of(pid) or 0)),
    )


def is_agent(words: Sequence[str]) -> bool:
    return any(map(_AGENT.fullmatch, words))


def _words(pid: int) -> list[str]:
    try:
        text = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return []
    return text.rstrip(b"\0").decode("utf-8", "surrogateescape").split("\0") if text else []


def _program_at(words: list[str]) -> int | None:
    """0, or 1 where Python runs the command of pyuwsgi; None: no uWSGI. A replaced command line is one word."""
    for at, word in enumerate(words[:2]):
        if _UWSGI.fullmatch(os.path.basename(word)):
            return at
    return None


def _program(word: str, executable: str, cwd: str, started: str | None) -> str:
    """A path that can be run from anywhere."""
    if _UWSGI.fullmatch(os.path.basename(executable)) and os.access(executable, os.X_OK):
        return executable
    places = [os.path.join(place, word) for place in (cwd, started) if place]
    return next((path for path in places if os.access(path, os.X_OK)), word)


def _named(words: list[str], executable: str) -> str:
    return os.path.basename(words[0].partition(" ")[0]) if words and words[0] else os.path.basename(executable)


def _soft_limit(pid: int) -> int | None:
    try:
        text = Path(f"/proc/{pid}/limits").read_text(encoding="ascii")
    except (OSError, ValueError):
        return None
    found = re.search(r"^Max open files\s+(\d+)", text, re.MULTILINE)
    return int(found[1]) if found else None


def _uid(pid: int) -> int | None:
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return None


def _owner(pid: int) -> str:
    uid = _uid(pid)
    if uid is None:
        return "another user"
    try:
        return f"the user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"the user {uid}"
