"""Real inputs made wrong: by a byte, by a slice, by a value of another kind."""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

# For what takes milliseconds: files, sockets, /proc.
A_TENTH = settings(max_examples=max(20, settings().max_examples // 10))

Path = tuple[str | int, ...]
DELETED = object()

NUMBERS = st.sampled_from([0, -1, 1, 0.5, 2**31, 2**63, 2**64, 2**70, 10**400, float("nan"), float("inf"), 1e308])
SCALARS = (
    st.none()
    | st.booleans()
    | NUMBERS
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["0", "1", "", "\ud800", "\0", "\x1b[2J", "\U0001d54f" * 40])
)
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)


def paths_of(value: Any, at: Path = ()) -> Iterator[Path]:
    """Of everything inside `value`."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield (*at, key)
        yield from paths_of(each, (*at, key))


def at(value: Any, path: Path) -> Any:
    for key in path:
        value = value[key]
    return value


def with_change(value: Any, path: Path, new: Any) -> Any:
    """A copy in which what lies at `path` is `new`; DELETED: is gone."""
    if not path:
        return new
    changed = deepcopy(value)
    parent = at(changed, path[:-1])
    if new is DELETED:
        del parent[path[-1]]
    else:
        parent[path[-1]] = new
    return changed


def changes(value: Any, *, only: Any = None) -> st.SearchStrategy[tuple[Path, Any]]:
    """(path, what lies there from now on). only: which paths; None: all."""
    paths = [each for each in paths_of(value) if only is None or only(each)]
    return st.tuples(st.sampled_from(paths), st.just(DELETED) | ANYTHING)


def to_json(value: Any) -> bytes:
    """As no good writer would: with NaN, Infinity and lone surrogates."""
    return json.dumps(value).encode()


_PIECE = st.binary(max_size=6) | st.sampled_from(
    [b"\0", b"\r\n\r\n", b"\n", b"{", b"}", b"[", b"]", b'"', b"\\", b":", b",", b"1e999", b"-1", b"NaN", b"\xff\xff"]
)
_OPERATION = st.tuples(
    st.sampled_from(["cut", "delete", "insert", "overwrite", "repeat", "flip"]),
    st.floats(0, 1),
    st.integers(1, 40),
    _PIECE,
)


@st.composite
def mutated(draw: st.DrawFn, original: bytes) -> bytes:
    """`original` after one to four wrong turns, each at a place of its own."""
    data = original
    for kind, where, length, piece in draw(st.lists(_OPERATION, min_size=1, max_size=4)):
        place = int(where * len(data))
        if kind == "cut":
            data = data[:place]
        elif kind == "delete":
            data = data[:place] + data[place + length :]
        elif kind == "insert":
            data = data[:place] + piece + data[place:]
        elif kind == "overwrite":
            data = data[:place] + piece + data[place + len(piece) :]
        elif kind == "repeat":
            data = data[:place] + data[place : place + length] * 2 + data[place + length :]
        elif data[place:]:
            data = data[:place] + bytes([data[place] ^ (1 << length % 8)]) + data[place + 1 :]
    return data
