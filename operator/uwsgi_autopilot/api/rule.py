"""A rule: one row that the API server (CEL) and local mode (Python) both apply, with the same message.

    path     where `self` is: "spec.tuning", or "spec.env[]" for each entry of a list
    cel      true when the rule is satisfied; None: the schema itself ensures it (a list-map's keys are unique)
    holds    the same in Python, on the value at `path` with every default filled in
    message  one sentence; {processes.min} stands for a value below `self`, {self} for itself
    about    the field below `self` that is at fault ("processes.max")
    reads    fields below `self` that must be well-formed for the rule to make sense; (): all of `self`

To a message that begins with "expected", what was found is appended.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from uwsgi_autopilot.api.words import found, plain

Path = tuple[str | int, ...]

_REFERENCE = re.compile(r"\{([A-Za-z]+(?:\.[A-Za-z]+)*)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    path: str
    cel: str | None
    holds: Callable[[Any], bool]
    message: str
    about: str = ""
    reads: tuple[str, ...] = ()

    def objections(self, value: Any) -> list[tuple[Path, str]]:
        """Return (path below `self`, sentence): one when the rule does not hold for `value`, else none."""
        if self.holds(value):
            return []
        about = keys_of(self.about)
        sentence = _REFERENCE.sub(lambda match: plain(_at(value, keys_of(match[1]))), self.message)
        culprit = _at(value, about)
        if sentence.startswith("expected") and not isinstance(culprit, dict | list):
            sentence += f", found {found(culprit)}"
        return [(about, sentence)]

    def plain_message(self) -> str:
        """The message without values, for where CEL cannot fill them in: `{processes.min}` becomes `processes.min`."""
        return _REFERENCE.sub(lambda match: match[1], self.message)

    def message_expression(self) -> str | None:
        """The message as CEL with its values; None when the plain message says everything.

        The value at `path`, which the API server names anyway, is not repeated; one below it is.

        `format` and not `+`: the API server assumes that a number's text is unbounded and refuses the sum as too costly
        (Kubernetes 1.34: "estimated messageExpression cost exceeds budget by factor of more than 100x").
        """
        message = self.message
        if self.about and message.startswith("expected"):
            message += f', found "{{{self.about}}}"'
        if not _REFERENCE.search(message):
            return None
        names = ["self" if name == "self" else f"self.{name}" for name in _REFERENCE.findall(message)]
        text = _REFERENCE.sub("%s", message.replace("%", "%%"))
        return f"{_quoted(text)}.format([{', '.join(names)}])"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unique:
    """A rule for a list: no two entries have the same `key`. `normal` maps equivalent keys to one text."""

    path: str
    cel: str | None
    key: str
    normal: Callable[[str], str] = str
    reads: tuple[str, ...] = ()

    def objections(self, value: Any) -> list[tuple[Path, str]]:
        first: dict[str, int] = {}
        problems: list[tuple[Path, str]] = []
        for index, entry in enumerate(value):
            name = self.normal(entry[self.key])
            if name in first:
                sentence = f"expected each {self.key} once, found {found(entry[self.key])} again ({self.path}"
                problems.append(((index, self.key), f"{sentence}[{first[name]}] has it)"))
            first.setdefault(name, index)
        return problems


def values_at(data: Any, path: str) -> Iterator[tuple[Path, Any]]:
    """Yield every (path, value) that `path` ("spec.env[].name") names in `data`; nothing where it is absent."""
    here: list[tuple[Path, Any]] = [((), data)]
    for key in path.replace("[]", ".[]").split(".") if path else ():
        following: list[tuple[Path, Any]] = []
        for where, value in here:
            if key == "[]" and isinstance(value, list):
                following += [((*where, index), each) for index, each in enumerate(value)]
            elif isinstance(value, dict) and key in value:
                following.append(((*where, key), value[key]))
        here = following
    yield from here


def keys_of(dotted: str) -> Path:
    return tuple(dotted.split(".")) if dotted and dotted != "self" else ()


def _at(value: Any, path: Path) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
