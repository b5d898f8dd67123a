"""Is a shape too much for what all pods share: a database, an upstream with a limit, a node? Pure.

The pod that tries a larger shape may serve more only because it takes a larger share from the others. What tells is all
pods together, before and now: more requests at once, of which each waits longer, and no more are answered.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from uwsgi_autopilot.api.sample import Sample
from uwsgi_autopilot.fleet.pod import Pods
from uwsgi_autopilot.tuner.comparison import errors_by_chance, more_fail
from uwsgi_autopilot.tuner.drift import log_ratio
from uwsgi_autopilot.tuner.point import rounded

WINDOW_S = 5.0
LEAST_S = 3.0
# Requests that take long are in service long before they count as answered: so many times what one takes.
SETTLE_S = 1.0
SETTLE_TIMES = 1.5
LONGEST_SETTLE_S = 20.0
# ln of the answers a second up to which they count as no more: by itself, and as a share of ln of the requests at once.
RISES = 0.02
RISES_SHARE = 0.05
# ln of the answers a second below which they are clearly fewer, whatever the requests wait for, when MORE are at once.
FALLS = -0.08
MORE = 0.1
# ln of the wait from which it counts as longer, and how many standard errors it must be.
LONGER = 0.1
SURENESS = 2.4
FEWEST_REQUESTS = 20.0
# Of the pods that keep the old shape, which only have to agree: so many requests, and half as much.
FEWEST_TO_AGREE = 5.0
AGREES = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """Means of one pod, over all pods. rps: answers a second that are no errors. busy: requests in service at once.

    wait_s: seconds that a request waits for something outside of the pod; doubt: standard error of its ln. errors:
    share of the answers. requests: in the window.
    """

    rps: float
    busy: float
    wait_s: float
    doubt: float
    errors: float
    requests: float

    @classmethod
    def of(cls, samples: Iterable[Sample], *, fewest: float = FEWEST_REQUESTS) -> "Together | None":
        """None where fewer were answered: too few to say anything."""
        chosen = list(samples)
        seconds, requests = sum(each.seconds for each in chosen), sum(each.requests for each in chosen)
        if requests < fewest or seconds <= 0:
            return None
        seen = all(each.census is not None for each in chosen)
        waits = [_waited(each, by_census=seen) for each in chosen]
        errors = min(requests, sum(each.errors for each in chosen))
        return cls(
            rps=(requests - errors) / seconds,
            busy=sum(each.busy * each.seconds for each in chosen) / seconds,
            wait_s=sum(waits) / requests,
            doubt=_doubt(waits, [each.requests for each in chosen]),
            errors=errors / requests,
            requests=requests,
        )

    @property
    def service_s(self) -> float:
        return self.busy / max(self.rps, 1e-3)

    def to_json(self) -> dict[str, float]:
        return {name: rounded(value) for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Together":
        """Raises KeyError, TypeError, ValueError."""
        return cls(**{name: float(data[name]) for name in cls.__slots__})


def _waited(sample: Sample, *, by_census: bool) -> float:
    """Seconds that its requests waited, by how many did so at once: those that have not ended count, too."""
    if by_census and sample.census is not None:
        return sample.census.io * sample.seconds
    return max(0.0, sample.busy * sample.seconds - sample.cpu_s - (sample.runqueue_s or 0.0))


def _doubt(waits: list[float], requests: list[float]) -> float:
    """Of a ratio of sums, from how far each second is off it."""
    total, number = sum(waits), len(waits)
    if total <= 0 or number < 2:
        return 0.0
    ratio = total / sum(requests)
    off = sum((wait - ratio * count) ** 2 for wait, count in zip(waits, requests, strict=True))
    return math.sqrt(off * number / (number - 1)) / total


def together(pods: Pods, *, since: float = 0.0, fewest: float = FEWEST_REQUESTS) -> Together | None:
    """Of the newest settled seconds of each pod that began after `since`."""
    chosen: list[Sample] = []
    for pod in pods.values():
        newest = pod.samples[-1].at if pod.samples else 0.0
        chosen += [
            each
            for each in pod.samples
            if each.settled and each.at > newest - WINDOW_S and each.at - each.seconds >= since - 0.5
        ]
    return Together.of(chosen, fewest=fewest)


def settle_s(before: Together | None) -> float:
    """How long after it came the first second counts."""
    if before is None:
        return SETTLE_S
    return min(max(SETTLE_S, SETTLE_TIMES * before.service_s), LONGEST_SETTLE_S)


def failing(before: Together | None, now: Together | None) -> str | None:
    """One sentence when more of the requests of all pods fail than before; else None."""
    if before is None or now is None:
        return None
    chance = errors_by_chance(before.errors, before.requests, now.requests)
    if not more_fail(now.errors - before.errors, now.errors * now.requests, chance=chance):
        return None
    return f"{now.errors:.0%} of the requests of all pods fail, {before.errors:.0%} before"


def overburdened(before: Together | None, peak: Together | None, now: Together | None) -> str | None:
    """One sentence when all pods together answer no more than before although more requests are at once in service,
    and these wait longer; or clearly fewer than before, or than while fewer pods had the shape: `peak`. Else None.

    Where requests wait longer and more are answered all the same, what they share still had room.
    """
    if now is None:
        return None
    if before is not None and (_waits_in_vain(before, now) or _falls(before, now)):
        return _in_words(before, now)
    return _in_words(peak, now) if peak is not None and _falls(peak, now) else None


def agree(before: Together | None, keeping: Together | None) -> bool:
    """Do requests wait longer also in the pods that keep the old shape, with as many at once? Otherwise it is the pod
    that tries the new one which is slow, and not what it shares with them."""
    return before is not None and keeping is not None and _longer(before, keeping) > AGREES * LONGER


def longer(before: Together | None, now: Together | None) -> bool:
    """Do they wait longer, as far as that can be told?"""
    return before is not None and now is not None and _longer(before, now) > LONGER


def _longer(before: Together, now: Together) -> float:
    return log_ratio(now.wait_s, before.wait_s, soft=0.1 * before.service_s)


def _waits_in_vain(before: Together, now: Together) -> bool:
    waits = _longer(before, now) > max(LONGER, SURENESS * math.hypot(before.doubt, now.doubt))
    return waits and not rises(before, now)


def rises(before: Together, now: Together) -> bool:
    """Do all pods answer more, measured by how many more requests are at once in service?"""
    return _ln(now.rps, before.rps) > max(RISES, RISES_SHARE * _ln(now.busy, before.busy))


def _falls(before: Together, now: Together) -> bool:
    return _ln(now.rps, before.rps) < FALLS and _ln(now.busy, before.busy) > MORE


def _ln(now: float, before: float) -> float:
    return math.log(max(now, 1e-3) / max(before, 1e-3))


def _in_words(before: Together, now: Together) -> str:
    return (
        f"per pod {before.rps:.0f} → {now.rps:.0f} requests/s, each waits {before.wait_s * 1000:.0f} → "
        f"{now.wait_s * 1000:.0f} ms with {before.busy:.0f} → {now.busy:.0f} at once: what all pods share is the limit"
    )
