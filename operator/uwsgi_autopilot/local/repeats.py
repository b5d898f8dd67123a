"""Hold back what a child prints over and over: pure, one for each child.

A line is passed on PASSED times in WINDOW_SECONDS; further ones are counted, and one line says how many there were. A
line that is new is never held back, and when it ends a traceback whose other lines were, these are passed on before it.
"""

import re
from collections import Counter

WINDOW_SECONDS = 10.0
PASSED = 5
# Different lines that are remembered for one window; when there are more, the window ends early.
KEYS = 2000
# The lines of one traceback that may have to be passed on after all.
BLOCK_LINES = 200
# Characters of a line that are remembered, and quoted.
QUOTED = 200
# uWSGI's line for a failed request, and nginx's for any error: nothing but their numbers differs.
_OF_A_REQUEST = re.compile(r"\[pid: \d+\|app: |\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[\w+\] \d+#")
_DIGITS = re.compile(r"\d+")
# What differs in a line that says the same again: the time, and addresses of objects.
_MOMENT = re.compile(r"\d{4}[-/]\d\d[-/]\d\d|\d\d:\d\d:\d\d(?:[.,]\d+)?|0x[0-9a-f]+")
_TRACEBACK = "Traceback (most recent call last):"


class Repeats:
    """Call `feed` with each line, and `flush` now and then; both return the lines to pass on."""

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()
        self._began = 0.0
        self._held: Counter[str] = Counter()
        self._block: list[str] | None = None  # of a traceback that has begun: its lines that were held back

    def feed(self, line: str, now: float) -> list[str]:
        lines = self.flush(now) if now - self._began >= WINDOW_SECONDS or len(self._seen) >= KEYS else []
        if not self._seen:
            self._began = now
        key = _key(line)
        self._seen[key] += 1
        if line.startswith(_TRACEBACK):
            self._block = []
        inside = self._block is not None and (line.startswith((" ", _TRACEBACK)) or not line)
        if self._seen[key] > PASSED:
            self._held[key] += 1
            if self._block is not None and len(self._block) < BLOCK_LINES:
                self._block.append(line)
        else:
            lines += self._take_block()
            lines.append(line)
            if inside:
                self._block = []
        if not inside:
            self._block = None
        return lines

    def flush(self, now: float) -> list[str]:
        """One line, if lines were held back and their window is over."""
        if now - self._began < WINDOW_SECONDS and len(self._seen) < KEYS:
            return []
        return self.end(now)

    def end(self, now: float) -> list[str]:
        """The same, whether the window is over or not."""
        held, self._held = self._held, Counter()
        self._seen.clear()
        if not held:
            return []
        seconds = max(1.0, now - self._began)
        # A traceback's last line tells more than its first, and more than what uWSGI and nginx say of the request.
        most = max(held, key=lambda key: (not key.startswith((" ", _TRACEBACK, "#")), held[key]))
        quoted = most.removeprefix("#")[:QUOTED]
        total = held.total()
        return [f"... repeated {held[most]:,} times in {seconds:.0f} s: {quoted} ({total:,} lines held back)"]

    def _take_block(self) -> list[str]:
        """The lines of the present traceback that were held back, and are wanted now."""
        block = self._block or []
        for line in block:
            self._held[_key(line)] -= 1
        self._held += Counter()  # drops those that are 0
        return block


def _key(line: str) -> str:
    """The same for lines that say the same."""
    if _OF_A_REQUEST.match(line):
        return "#" + _DIGITS.sub("N", line)[:QUOTED]
    text = _MOMENT.sub("…", line)
    return text if len(text) <= QUOTED else f"{text[:QUOTED]} {hash(text)}"
