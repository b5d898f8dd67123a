"""Make foreign text fit for a status: whoever may look at the object sees it.

What it says comes from images, registries and tracebacks, so it may hold passwords, control characters and novels.
"""

import re

# Of a condition's message, in bytes of UTF-8.
MESSAGE_BYTES = 1024
_HIDDEN = "***"

# The user may be empty (redis://:secret@host) and the password may hold slashes, but neither holds white space.
_IN_URL = re.compile(r"(?P<before>[A-Za-z][A-Za-z0-9+.-]*://[^\s:/@]*:)[^\s@]+(?=@)")
_ASSIGNED = re.compile(r"""(?ix) \b (?P<before> (?: password|passwd|pwd|secret|token|api_?key) ['"]? \s* [=:] \s* )
                           (?: '[^']*' | "[^"]*" | [^\s,;&)'"]+ )""")

# How the agent introduces the output of a uWSGI that did not start.
_AGENT = re.compile(r"^the new generation [^:]* before it accepted requests: ")
# What uWSGI always says, and the marks below a line of a traceback.
_NOISE = re.compile(
    r"""\*\*\*|---|\[uWSGI\]|unable\ to\ load\ app|mapped\ \d|your\ (?:server|mercy|memory|processes)|
    python\ threads\ |detected\ |lock\ engine|thunder\ lock|Python\ (?:version|main)|chdir\(\)|current\ working|
    uWSGI\ running|[~^]+$""",
    re.VERBOSE,
)


def safe(text: str, limit: int = MESSAGE_BYTES) -> str:
    """On one line, printable, without passwords, at most `limit` bytes; cut in the middle, because a sentence begins
    with what happened and a traceback ends with it."""
    printable = "".join(letter if letter.isprintable() else " " for letter in masked(text))
    return _cut(" ".join(printable.split()), limit)


def masked(text: str) -> str:
    """Passwords in URLs and behind `password=` and the like become ***."""
    return _ASSIGNED.sub(rf"\g<before>{_HIDDEN}", _IN_URL.sub(rf"\g<before>{_HIDDEN}", text))


def last_lines(text: str, limit: int) -> str:
    """The end of uWSGI's output on one line: what it stumbled over, then the frames that led there, newest last."""
    _, found, rest = text.rpartition("Traceback (most recent call last):")
    lines = [line.strip() for line in (rest if found else _AGENT.sub("", text)).splitlines()]
    told = [line for line in lines if line and not _NOISE.match(line)]
    told = told or [line for line in lines if line and not line.startswith("***")]
    if not told:
        return ""
    headline, frames = safe(told[-1], limit), told[:-1] if found else []
    while frames and len(f"{headline} ({safe(' / '.join(frames), limit)})".encode()) > limit:
        frames.pop(0)
    return f"{headline} ({safe(' / '.join(frames), limit)})" if frames else headline


def _cut(text: str, limit: int) -> str:
    data = text.encode()
    if len(data) <= limit:
        return text
    mark = " … "
    room = limit - len(mark.encode())
    head, tail = data[: room // 2], data[len(data) - (room - room // 2) :]
    return head.decode(errors="ignore") + mark + tail.decode(errors="ignore")
