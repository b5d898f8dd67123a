"""The wish: the shape that the agent is asked for, as it travels in one small JSON file.

    {"seq": 7, "processes": 4, "threads": 16, "uid": "*", "trialSeconds": null}

The operator writes it as a pod annotation (the kubelet's downward API makes the file), local mode writes the
file itself. The agent trusts nothing in it.
"""

import json
from dataclasses import dataclass
from typing import Any

from uwsgi_autopilot.api.shape import Shape

MAX_WISH_BYTES = 4096
EVERYONE = "*"


class WishError(ValueError):
    """The text is not a wish: one sentence that says what was expected and what was found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """`seq` grows with each wish of an application; `uid` names the pod it is for, `*` means every pod.

    `trial_seconds`: the agent returns to the shape before after so many seconds unless a later wish confirms it;
    None means for good.
    """

    seq: int
    shape: Shape
    uid: str = EVERYONE
    trial_seconds: float | None = None

    def to_text(self) -> str:
        return json.dumps(
            {"seq": self.seq, **self.shape.to_json(), "uid": self.uid, "trialSeconds": self.trial_seconds}
        )


def parse_wish(text: str) -> Wish:
    """Read a wish. Raises WishError; an empty or half-written file is one too."""
    if not text.strip():
        raise WishError("expected a JSON object, found an empty file")
    if len(text) > MAX_WISH_BYTES:
        raise WishError(f"expected at most {MAX_WISH_BYTES} bytes, found {len(text)}")
    try:
        data: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WishError(f"expected a JSON object, found text that is not JSON ({error})") from None
    if not isinstance(data, dict):
        raise WishError(f"expected a JSON object, found {type(data).__name__}")
    seq = data.get("seq")
    if not isinstance(seq, int) or isinstance(seq, bool) or seq < 0:
        raise WishError(f"seq: expected a whole number of at least 0, found {seq!r}")
    uid = data.get("uid", EVERYONE)
    if not isinstance(uid, str):
        raise WishError(f"uid: expected a text, found {uid!r}")
    trial = data.get("trialSeconds")
    if trial is not None and (not isinstance(trial, int | float) or isinstance(trial, bool) or not 0 < trial <= 86400):
        raise WishError(f"trialSeconds: expected null or seconds from 0 to 86400, found {trial!r}")
    try:
        shape = Shape.from_json(data)
    except ValueError as error:
        raise WishError(str(error)) from None
    return Wish(seq=seq, shape=shape, uid=uid, trial_seconds=trial)
