"""JSON from the API server, never nested deeper than its readers can go.

The API server takes objects that are nested 10,000 deep, and `spec.template` of a UwsgiApp may hold anything: without a
bound one such object ends the watch for all applications, because one answer holds many. How deep an interpreter can
parse differs: 3.11 obeys sys.setrecursionlimit, 3.12 and newer have a limit of their own for C code, which cannot be
set. So whatever is deeper than MOST_DEEP becomes null before anybody reads it. An overlay may have half as many levels
(resources/overlay.py:MOST_DEEP), so such an object is refused with a sentence, never used in part.
"""

import json
import re
from typing import Any

# Chosen: a pod with its managedFields, inside a list, has about 20 levels; Python's smallest limit is 1,000 calls.
MOST_DEEP = 64

_NESTING = frozenset({dict, list})
# A text that never ends is one token, too: else each quote in it would be tried to the end.
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{}]', re.DOTALL)


class Shallow(json.JSONDecoder):
    """Of `json.loads(text, cls=Shallow)`. Raises ValueError alone."""

    def decode(self, s: str, *more: Any) -> Any:
        try:
            found = super().decode(s, *more)
            if s.count("{") + s.count("[") <= MOST_DEEP or not is_deep(found):
                return found
        except RecursionError:
            pass
        return super().decode(cut(s), *more)


def install() -> None:
    """For every `json.loads` of this process without options: kopf calls just that, for lists by way of aiohttp."""
    json._default_decoder = Shallow()  # type: ignore[attr-defined]


def is_deep(value: Any) -> bool:
    """Does it have more than MOST_DEEP levels of objects and lists? Level by level, without recursion."""
    level = [value] if type(value) in _NESTING else []
    for _ in range(MOST_DEEP):
        if not level:
            return False
        level = [
            each for one in level for each in (one.values() if type(one) is dict else one) if type(each) in _NESTING
        ]
    return bool(level)


def cut(text: str) -> str:
    """The text with null for each object and list below MOST_DEEP levels. One that never ends is left out, so that the
    text stays wrong."""
    kept, at, depth = [], 0, 0
    for token in _TOKEN.finditer(text):
        if token[0] in ("{", "["):
            depth += 1
            if depth == MOST_DEEP + 1:
                kept.append(text[at : token.start()] + "null")
        elif token[0] in ("}", "]"):
            if depth == MOST_DEEP + 1:
                at = token.end()
            depth -= 1
    return "".join(kept) if depth > MOST_DEEP else "".join(kept) + text[at:]
