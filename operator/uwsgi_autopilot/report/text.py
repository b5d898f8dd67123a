"""Make text that others wrote fit to be repeated: printable, short, and without secrets.

What we say of a failure comes from applications, images and registries, so it may hold passwords, control characters
and novels; and whoever may look at a status, an Event or a log sees it.
"""

import re

from uwsgi_autopilot.report.secrets import masked

# Of a condition's message, in bytes of UTF-8.
MESSAGE_BYTES = 1024
_CUT = " … "
# Colours and the like of a terminal: inside a word they would hide it from `masked`.
_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*\x07?)")


def readable(text: str) -> str:
    """`text` with its lines, tabs and printable letters, without secrets."""
    kept = (
        each if each.isprintable() or each in "\n\t" else " " if each.isspace() else ""
        for each in _ESCAPES.sub("", text)
    )
    return masked("".join(kept))


def safe(text: str, limit: int = MESSAGE_BYTES) -> str:
    """On one line, printable, without secrets, at most `limit` bytes."""
    return cut(" ".join(readable(text).split()), limit)


def cut(text: str, limit: int) -> str:
    """At most `limit` bytes; cut in the middle, because a sentence begins with what happened and a traceback ends
    with it."""
    data = text.encode()
    if len(data) <= limit:
        return text
    room = limit - len(_CUT.encode())
    head, tail = data[: room // 2], data[len(data) - (room - room // 2) :]
    return head.decode(errors="ignore") + _CUT + tail.decode(errors="ignore")
