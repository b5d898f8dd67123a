"""The desired shape of a pod on its way: a small JSON file that the agent reads.

    {"epoch": 2, "seq": 7, "processes": 4, "threads": 16, "uid": "*", "trialSeconds": null, "inPlace": false}

The operator writes a pod annotation, which the kubelet's downward API turns into the file; local mode writes the file
itself. The agent trusts nothing in it.
"""

import json
from dataclasses import dataclass
from typing import Any, NamedTuple

from uwsgi_autopilot.api.shape import Shape

MAX_DESIRED_BYTES = 4096
ALL_PODS = "*"
# JSON readers other than Python's keep whole numbers exact up to here.
MAX_NUMBER = 2**53 - 1


class Version(NamedTuple):
    """Orders the desired shapes of one application: by epoch, then by seq. Written `2.7`.

    seq grows with each desired shape that is issued. epoch grows when the issuer starts without knowing the last seq (a
    lost ConfigMap, a new installation), so that its first shape is never mistaken for an old one.
    """

    epoch: int
    seq: int

    def __str__(self) -> str:
        return f"{self.epoch}.{self.seq}"

    def next(self) -> "Version":
        return Version(self.epoch, self.seq + 1)


# Of the shape that a pod starts from while nothing was ever promoted. Every issued version is greater.
UNVERSIONED = Version(0, 0)


class InvalidDesiredShape(ValueError):
    """The text is not a desired shape: one sentence says what was expected and what was found.

    version, shape: what the text says nevertheless, so that its writer learns which one was refused.
    """

    def __init__(self, message: str, *, version: Version | None = None, shape: Shape | None = None) -> None:
        super().__init__(message)
        self.version, self.shape = version, shape


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredShape:
    """`uid`: the pod that it is for; ALL_PODS means every pod of the application.

    trial_seconds: unless a later version confirms it, the agent returns to its previous target after this many seconds;
    None means for good. in_place: while the threads stay the same, change the number of workers within the generation
    that serves, or refuse: `maxConnections` has no room for a second generation beside it.
    """

    version: Version
    shape: Shape
    uid: str = ALL_PODS
    trial_seconds: float | None = None
    in_place: bool = False

    def to_json(self) -> dict[str, Any]:
        return {
            **self.version._asdict(),
            **self.shape.to_json(),
            "uid": self.uid,
            "trialSeconds": self.trial_seconds,
            "inPlace": self.in_place,
        }

    def to_text(self) -> str:
        return json.dumps(self.to_json())

    @classmethod
    def from_json(cls, data: Any) -> "DesiredShape":
        """Raises InvalidDesiredShape."""
        if not isinstance(data, dict):
            raise InvalidDesiredShape(f"expected a JSON object, found {type(data).__name__}")
        problems: list[str] = []
        version = shape = None
        try:
            version = version_of(data)
        except InvalidDesiredShape as error:
            problems.append(str(error))
        try:
            shape = Shape.from_json(data)
        except ValueError as error:
            problems.append(str(error))
        uid = data.get("uid", ALL_PODS)
        if not isinstance(uid, str):
            problems.append(f"uid: expected a text, found {uid!r}")
        trial = data.get("trialSeconds")
        number = isinstance(trial, int | float) and not isinstance(trial, bool)
        if trial is not None and not (number and 0 < trial <= 86400):
            problems.append(f"trialSeconds: expected null or seconds from 0 to 86400, found {trial!r}")
        in_place = data.get("inPlace", False)
        if not isinstance(in_place, bool):
            problems.append(f"inPlace: expected true or false, found {in_place!r}")
        if problems or version is None or shape is None:
            raise InvalidDesiredShape(problems[0], version=version, shape=shape)
        return cls(version=version, shape=shape, uid=uid, trial_seconds=trial, in_place=in_place)


def version_of(data: dict[str, Any]) -> Version:
    """`epoch` and `seq` of a JSON object. Raises InvalidDesiredShape."""
    numbers = []
    for name in Version._fields:
        value = data.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_NUMBER:
            raise InvalidDesiredShape(f"{name}: expected a whole number from 0 to {MAX_NUMBER}, found {value!r}")
        numbers.append(value)
    return Version(*numbers)


def parse_desired(text: str) -> DesiredShape:
    """Raises InvalidDesiredShape; an empty or half-written file is one too."""
    if not text.strip():
        raise InvalidDesiredShape("expected a JSON object, found an empty file")
    if len(text) > MAX_DESIRED_BYTES:
        raise InvalidDesiredShape(f"expected at most {MAX_DESIRED_BYTES} bytes, found {len(text)}")
    try:
        data: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidDesiredShape(f"expected a JSON object, found text that is not JSON ({error})") from None
    return DesiredShape.from_json(data)
