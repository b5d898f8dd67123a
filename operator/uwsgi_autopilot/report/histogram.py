"""One latency histogram for everybody: bucket bounds, and quantiles read back from counts.

A bucket is named by its number. Bucket n holds latencies up to BASE_S * GROWTH**n seconds: 1 ms steps of 7 % from
0.5 ms on, so a quantile is right within 3.5 %, and 200 buckets reach beyond 5 minutes.
"""

import math
from collections.abc import Iterable, Mapping

BASE_S = 0.0005
GROWTH = 1.07
LAST = 200


def bucket_of(seconds: float) -> int:
    """The number of the bucket that holds `seconds`: 0..LAST."""
    if seconds <= BASE_S:
        return 0
    return min(LAST, math.ceil(math.log(seconds / BASE_S) / math.log(GROWTH)))


def upper_bound(bucket: int) -> float:
    """The greatest latency in `bucket`, seconds."""
    return BASE_S * GROWTH**bucket


def add(into: dict[int, int], counts: Iterable[tuple[int, int]]) -> None:
    for bucket, count in counts:
        into[bucket] = into.get(bucket, 0) + count


def quantile(counts: Mapping[int, int], q: float) -> float | None:
    """Seconds below which the share `q` (0..1) of the counts lies; None without counts.

    The middle of the bucket in log space: the error is at most half a bucket, 3.5 %.
    """
    total = sum(counts.values())
    if total == 0:
        return None
    rank = q * total
    seen = 0
    for bucket in sorted(counts):
        seen += counts[bucket]
        if seen >= rank:
            return upper_bound(bucket) / math.sqrt(GROWTH) if bucket else BASE_S
    return upper_bound(max(counts))
