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


def safe(text: str, limit: int = MESSAGE_BYTES) -> str:
    """On one line, printable, without passwords, at most `limit` bytes; cut in the middle, because a sentence begins
    with what happened and a traceback ends with it."""
    printable = "".join(letter if letter.isprintable() else " " for letter in masked(text))
    return _cut(" ".join(printable.split()), limit)


def masked(text: str) -> str:
    """Passwords in URLs and behind `password=` and the like become ***."""
    return _ASSIGNED.sub(rf"\g<before>{_HIDDEN}", _IN_URL.sub(rf"\g<before>{_HIDDEN}", text))


def last_lines(text: str, limit: int) -> str:
    """A traceback's end on one line: the exception, then the frames that led to it, newest last."""
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    if not lines:
        return ""
    exception, frames = lines[-1], [line for line in lines[:-1] if not line.startswith(("Traceback", "^", "~"))]
    told = safe(exception, limit)
    while frames and len(told.encode()) + len(safe(" / ".join(frames), limit * 2).encode()) + 3 > limit:
        frames.pop(0)
    return f"{told} ({safe(' / '.join(frames), limit)})" if frames else told


def _cut(text: str, limit: int) -> str:
    data = text.encode()
    if len(data) <= limit:
        return text
    mark = " … "
    room = limit - len(mark.encode())
    head, tail = data[: room // 2], data[len(data) - (room - room // 2) :]
    return head.decode(errors="ignore") + mark + tail.decode(errors="ignore")
