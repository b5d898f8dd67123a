"""A shape: how many processes uWSGI runs, and how many threads each has."""

import re
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, order=True)
class Shape:
    """`processes` live workers of `threads` threads each, written `4x16`. Both are at least 1."""

    processes: int
    threads: int

    def __post_init__(self) -> None:
        if self.processes < 1 or self.threads < 1:
            raise ValueError(
                f"a shape needs at least one process and one thread, found {self.processes}x{self.threads}"
            )

    @property
    def slots(self) -> int:
        """How many requests can be in service at once."""
        return self.processes * self.threads

    def __str__(self) -> str:
        return f"{self.processes}x{self.threads}"

    def in_words(self) -> str:
        """`4 processes of 16 threads`."""
        processes = "1 process" if self.processes == 1 else f"{self.processes} processes"
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        return f"{processes} of {threads}"

    def to_json(self) -> dict[str, int]:
        return {"processes": self.processes, "threads": self.threads}

    @classmethod
    def from_json(cls, data: Any) -> "Shape":
        """Raises ValueError when `data` is not `{"processes": int, "threads": int}`."""
        if not isinstance(data, dict):
            raise ValueError(f"expected an object with processes and threads, found {type(data).__name__}")
        numbers = []
        for key in ("processes", "threads"):
            value = data.get(key)
            if not isinstance(value, int) or isinstance(value, bool):
                raise ValueError(f"{key}: expected a whole number, found {value!r}")
            numbers.append(value)
        return cls(*numbers)

    @classmethod
    def parse(cls, text: str) -> "Shape":
        """Read `4x16`. Raises ValueError with one sentence."""
        found = re.fullmatch(r"\s*(\d{1,9})\s*[xX]\s*(\d{1,9})\s*", text)
        if not found:
            raise ValueError(f"expected PROCESSESxTHREADS such as 4x16, found {text!r}")
        return cls(int(found[1]), int(found[2]))
