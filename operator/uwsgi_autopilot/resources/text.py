"""The end of uWSGI's output as one line of a condition: what it stumbled over, and where."""

import re

from uwsgi_autopilot.report.text import readable, safe

# How the agent introduces the output of a uWSGI that did not start.
_AGENT = re.compile(r"^the new generation [^:]* before it accepted requests: ")
# What uWSGI always says, and the marks below a line of a traceback.
_NOISE = re.compile(
    r"""\*\*\*|---|\[uWSGI\]|unable\ to\ load\ app|mapped\ \d|your\ (?:server|mercy|memory|processes)|
    python\ threads\ |detected\ |lock\ engine|thunder\ lock|Python\ (?:version|main)|chdir\(\)|current\ working|
    uWSGI\ running|[~^]+$""",
    re.VERBOSE,
)


def last_lines(text: str, limit: int) -> str:
    """The end of uWSGI's output on one line: what it stumbled over, then the frames that led there, newest last.
    At most `limit` bytes."""
    # Before the lines are taken apart: a private key has several.
    _, found, rest = readable(text).rpartition("Traceback (most recent call last):")
    lines = [line.strip() for line in (rest if found else _AGENT.sub("", rest)).splitlines()]
    told = [line for line in lines if line and not _NOISE.match(line)]
    told = told or [line for line in lines if line and not line.startswith("***")]
    if not told:
        return ""
    headline, frames = safe(told[-1], limit), told[:-1] if found else []
    while frames and len(f"{headline} ({safe(' / '.join(frames), limit)})".encode()) > limit:
        frames.pop(0)
    return f"{headline} ({safe(' / '.join(frames), limit)})" if frames else headline
